"""Listers (listers_test.go)."""

from __future__ import annotations

import logging

import pytest

from kdash.informer.errors import ApiStatusError, InformerError
from kdash.informer.indexer import Indexer, meta_namespace_index_func, new_indexer
from kdash.informer.listers import Lister, NotFoundError, list_all, list_all_by_namespace
from kdash.informer.objects import KubeObject
from kdash.informer.selectors import EVERYTHING, NOTHING, SelectorError, parse_label_selector
from tests.informer.builders import make


def filled(index: bool = True) -> Indexer:
    indexer = new_indexer(None, {"namespace": meta_namespace_index_func} if index else None)
    for i in range(60):
        labels = {"index": str(i), "even": str(i % 2 == 0)}
        indexer.add(make(f"pod-{i}", i, f"ns-{i % 3}", metadata={"labels": labels}))
    return indexer


def names(objects: list[KubeObject]) -> set[str]:
    return {obj.name for obj in objects}


def test_list_all():
    """TestListAll: nothing, everything, by equality and by several conditions."""
    indexer = filled()
    assert list_all(indexer, NOTHING) == []
    assert names(list_all(indexer)) == {f"pod-{i}" for i in range(60)}
    assert names(list_all(indexer, parse_label_selector("index=5"))) == {"pod-5"}
    assert names(list_all(indexer, parse_label_selector("even=True,index in (2,3,4)"))) == {"pod-2", "pod-4"}
    assert list_all(indexer, parse_label_selector("index=none")) == []


def test_ls1_selecting_everything_reads_no_labels():
    class Unlabelled:
        namespace, name = "n", "a"

    indexer = new_indexer()
    indexer.add(Unlabelled())
    assert len(list_all(indexer, EVERYTHING)) == 1
    assert list_all(indexer, NOTHING) == []
    with pytest.raises(AttributeError):
        list_all(indexer, parse_label_selector("a"))


@pytest.mark.parametrize("index", [True, False])
def test_ls2_one_namespace_with_and_without_index(index: bool, caplog: pytest.LogCaptureFixture):
    indexer = filled(index)
    with caplog.at_level(logging.WARNING):
        found = list_all_by_namespace(indexer, "ns-1", parse_label_selector("even=True"))
    assert names(found) == {f"pod-{i}" for i in range(60) if i % 3 == 1 and i % 2 == 0}
    assert bool(caplog.records) == (not index)
    assert len(list_all_by_namespace(indexer, "")) == 60
    assert list_all_by_namespace(indexer, "nowhere") == []
    assert list_all_by_namespace(indexer, "ns-1", NOTHING) == []


def test_ls3_get_by_key_and_by_namespace():
    lister = Lister(filled(), "pods")
    assert lister.get("ns-1/pod-1").name == "pod-1"
    assert lister.by_namespace("ns-1").get("pod-1") is lister.get("ns-1/pod-1")
    assert names(lister.by_namespace("ns-2").list("index=2")) == {"pod-2"}
    assert len(lister.list()) == len(lister.list("")) == 60
    assert len(lister.by_namespace("ns-2").list()) == 20


def test_ls3_missing_objects_are_not_found():
    lister = Lister(filled(), "pods")
    with pytest.raises(NotFoundError, match='pods "ns-1/gone" not found') as caught:
        lister.get("ns-1/gone")
    assert isinstance(caught.value, ApiStatusError)
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    with pytest.raises(NotFoundError, match='pods "gone" not found'):
        lister.by_namespace("ns-1").get("gone")


def test_a_bad_selector_is_told():
    with pytest.raises(SelectorError):
        Lister(filled()).list("a=b=c,")


def test_getting_what_is_no_kube_object_is_refused():
    indexer = new_indexer(str)
    indexer.add(5)
    with pytest.raises(InformerError, match="holds a int"):
        Lister(indexer).get("5")
