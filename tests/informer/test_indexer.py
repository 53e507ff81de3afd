"""Indexes (index_test.go, the index part of thread_safe_store_test.go)."""

from __future__ import annotations

import pytest

from kdash.informer.errors import InformerError
from kdash.informer.index_table import IndexFunctionError
from kdash.informer.indexer import NAMESPACE_INDEX, Indexer, meta_namespace_index_func, new_indexer
from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from tests.informer.builders import make


def by_users(obj: KubeObject) -> list[str]:
    users = obj.annotations.get("users", "")
    return users.split(",") if users else []


def pod(name: str, users: str, version: int = 1) -> KubeObject:
    return make(name, version, metadata={"annotations": {"users": users}})


def indexed(*objects: KubeObject) -> Indexer:
    indexer = new_indexer(None, {"byUser": by_users})
    for obj in objects:
        indexer.add(obj)
    return indexer


def names(objects: list[KubeObject]) -> list[str]:
    return sorted(obj.name for obj in objects)


def test_get_index_func_values():
    """TestGetIndexFuncValues."""
    indexer = new_indexer(None, {"label": lambda obj: [obj.labels["foo"]]})
    for name, label in (("one", "bar"), ("two", "bar"), ("tre", "biz")):
        indexer.add(make(name, metadata={"labels": {"foo": label}}))
    assert sorted(indexer.list_index_func_values("label")) == ["bar", "biz"]


def test_st2_multi_index_keys():
    """TestMultiIndexKeys: several values an object, through add, delete and update."""
    pod1, pod2, pod3 = pod("one", "ernie,bert"), pod("two", "bert,oscar"), pod("tre", "ernie,elmo")
    indexer = indexed(pod1, pod2, pod3)
    expected = {"ernie": ["one", "tre"], "bert": ["one", "two"], "elmo": ["tre"], "oscar": ["two"], "el": []}
    assert {user: names(indexer.by_index("byUser", user)) for user in expected} == expected

    indexer.delete(pod3)
    assert names(indexer.by_index("byUser", "ernie")) == ["one"]
    assert indexer.by_index("byUser", "elmo") == []

    changed = pod("two", "", 2)
    indexer.update(changed)
    assert names(indexer.by_index("byUser", "bert")) == ["one"]
    assert indexer.by_index("byUser", "oscar") == []


def test_index_returns_what_shares_a_value_once():
    """TestIndex."""
    pod1, pod2, pod3 = pod("one", "a,b"), pod("two", "b,a"), pod("tre", "c")
    indexer = indexed(pod1, pod2, pod3)
    assert names(indexer.index("byUser", pod1)) == ["one", "two"]
    assert names(indexer.index("byUser", pod("other", "c,nobody"))) == ["tre"]
    assert indexer.index("byUser", pod("other", "")) == []


def test_st3_thread_safe_store_delete_removes_empty_sets_from_index():
    indexer = indexed(pod("one", "a"))
    indexer.delete(make("one"))
    assert indexer.list_index_func_values("byUser") == []


def test_thread_safe_store_add_keeps_non_empty_set_post_delete_from_index():
    indexer = indexed(pod("one", "a"), pod("two", "a"))
    indexer.delete(make("one"))
    assert indexer.list_index_func_values("byUser") == ["a"]
    assert indexer.index_keys("byUser", "a") == ["two"]


def test_thread_safe_store_indexing_functions_with_multiple_values():
    indexer = indexed()
    steps = [
        ("a", ["k"], [], []), ("a,b", ["k"], ["k"], []), ("b", [], ["k"], []), ("", [], [], []),
        ("a,c", ["k"], [], ["k"]), ("a,b,c", ["k"], ["k"], ["k"]), ("c,b", [], ["k"], ["k"]),
    ]  # fmt: skip
    for version, (users, a, b, c) in enumerate(steps):
        indexer.update(pod("k", users, version))
        found = [indexer.index_keys("byUser", user) for user in "abc"]
        assert found == [a, b, c], users
    indexer.delete(make("k"))
    assert indexer.list_index_func_values("byUser") == []


def test_st4_an_index_function_error_leaves_the_object_stored():
    def broken(obj: KubeObject) -> list[str]:
        if obj.name == "bad":
            raise ValueError("cannot tell")
        return ["x"]

    indexer = new_indexer(None, {"broken": broken})
    indexer.add(make("good"))
    with pytest.raises(IndexFunctionError, match='key "bad" on index "broken": cannot tell'):
        indexer.add(make("bad"))
    assert indexer.get_by_key("bad") == make("bad")
    with pytest.raises(ValueError, match="cannot tell"):
        indexer.index("broken", make("bad"))


def test_st8_index_keys_are_sorted_and_unknown_names_are_told():
    indexer = indexed(pod("b", "u"), pod("a", "u"), pod("c", "u"))
    assert indexer.index_keys("byUser", "u") == ["a", "b", "c"]
    assert indexer.index_keys("byUser", "nobody") == []
    assert indexer.list_index_func_values("nothing") == []
    for read in (
        lambda: indexer.by_index("nothing", "u"), lambda: indexer.index_keys("nothing", "u"),
        lambda: indexer.index("nothing", make("a")),
    ):  # fmt: skip
        with pytest.raises(InformerError, match="Index with name nothing does not exist"):
            read()


def test_st9_indexers_added_later_cover_what_is_stored():
    indexer = new_indexer()
    indexer.add(make("a", namespace="n1"))
    indexer.add_indexers({NAMESPACE_INDEX: meta_namespace_index_func})
    assert indexer.index_keys("namespace", "n1") == ["n1/a"]
    assert list(indexer.get_indexers()) == ["namespace"]


def test_st9_a_name_clash_changes_nothing():
    indexer = indexed(pod("a", "u"))
    with pytest.raises(InformerError, match="indexer conflict"):
        indexer.add_indexers({"new": by_users, "byUser": by_users})
    assert list(indexer.get_indexers()) == ["byUser"]
    assert indexer.index_keys("byUser", "u") == ["a"]


def test_st6_replace_rebuilds_the_indexes():
    indexer = indexed(pod("a", "u"), pod("b", "v"))
    indexer.replace([pod("c", "v"), pod("d", "w")], "5")
    assert sorted(indexer.list_index_func_values("byUser")) == ["v", "w"]
    assert indexer.index_keys("byUser", "v") == ["c"]


def test_st15_namespace_index():
    assert meta_namespace_index_func(make("a", namespace="ns")) == ["ns"]
    assert meta_namespace_index_func(make("a")) == [""]
    with pytest.raises(InformerError, match="object has no meta"):
        meta_namespace_index_func(DeletedFinalStateUnknown("ns/a", None))


def test_indexes_hand_out_the_stored_object_itself():
    obj = pod("a", "u")
    indexer = indexed(obj)
    assert indexer.by_index("byUser", "u")[0] is obj
