"""Keys and names (object-names_test.go, and the key rules of store_test.go, index_test.go)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.informer.errors import InformerError, KeyFunctionError
from kdash.informer.keys import (
    ExplicitKey,
    ObjectName,
    deletion_handling_key_func,
    deletion_handling_object_name,
    index_func_to_key_func,
    meta_namespace_key_func,
    object_to_name,
    parse_object_name,
    split_meta_namespace_key,
)
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from kdash.informer.store import new_store
from tests.informer.builders import make


class Named:
    """An object of somebody else's type."""

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name


def test_key1_namespace_and_name_or_name_alone():
    assert meta_namespace_key_func(make("a", namespace="ns")) == "ns/a"
    assert meta_namespace_key_func(make("a")) == "a"
    assert meta_namespace_key_func(Named("ns", "a")) == "ns/a"
    assert meta_namespace_key_func(Named("", "a")) == "a"


def test_key1_explicit_key_passes_through():
    assert meta_namespace_key_func(ExplicitKey("any/thing/goes")) == "any/thing/goes"
    assert type(meta_namespace_key_func(ExplicitKey("x"))) is str
    assert ExplicitKey("x").key == "x"


@pytest.mark.parametrize("obj", [None, 5, "plain", {}, DeletedFinalStateUnknown("ns/a", None)])
def test_key1_no_metadata_is_an_error(obj: object):
    with pytest.raises(InformerError, match="object has no meta"):
        meta_namespace_key_func(obj)


def test_key2_split():
    assert split_meta_namespace_key("a") == ("", "a")
    assert split_meta_namespace_key("ns/a") == ("ns", "a")
    assert split_meta_namespace_key("") == ("", "")
    with pytest.raises(InformerError, match='unexpected key format: "a/b/c"'):
        split_meta_namespace_key("a/b/c")


def test_key3_object_names():
    """TestObjectNames."""
    for key, name, text in [
        ("a", ObjectName("", "a"), "a"),
        ("ns/a", ObjectName("ns", "a"), "ns/a"),
        ("/x", ObjectName("", "x"), "x"),
        ("", ObjectName("", ""), ""),
    ]:
        assert parse_object_name(key) == name
        assert str(name) == text
    with pytest.raises(InformerError):
        parse_object_name("a/b/c")


@given(st.text("abc-.", min_size=0, max_size=5), st.text("abc-.", min_size=1, max_size=5))
def test_key3_names_survive_a_round_trip(namespace: str, name: str):
    assert parse_object_name(str(ObjectName(namespace, name))) == ObjectName(namespace, name)


def test_key4_deletion_handling_object_to_name_takes_the_tombstones_key_verbatim():
    tombstone = DeletedFinalStateUnknown("a/b/c", make("other"))
    assert deletion_handling_key_func(tombstone) == "a/b/c"
    assert deletion_handling_key_func(make("a", namespace="ns")) == "ns/a"
    assert deletion_handling_object_name(DeletedFinalStateUnknown("ns/a", None)) == ObjectName("ns", "a")
    assert deletion_handling_object_name(make("a", namespace="n")) == object_to_name(Named("n", "a"))
    with pytest.raises(InformerError, match="unexpected key format"):
        deletion_handling_object_name(tombstone)


@pytest.mark.parametrize(("obj", "name"), [
    (make("a", namespace="ns"), ObjectName("ns", "a")),
    (DeletedFinalStateUnknown("ns/a", make("a", namespace="ns")), ObjectName("ns", "a")),
    (DeletedFinalStateUnknown("ns/a", None), ObjectName("ns", "a")),
    (DeletedFinalStateUnknown("", None), ObjectName("", "")),
])  # fmt: skip
def test_key4_deleted_object_get_object_name(obj: Any, name: ObjectName) -> None:
    assert deletion_handling_object_name(obj) == name


@pytest.mark.parametrize(("obj", "key"), [
    (make("a", namespace="ns"), "ns/a"),
    (make("node"), "node"),
    (DeletedFinalStateUnknown("ns/a", make("other")), "ns/a"),
    (DeletedFinalStateUnknown("ns/a", None), "ns/a"),
    (DeletedFinalStateUnknown("", None), ""),
])  # fmt: skip
def test_key4_deleted_object_get_key(obj: Any, key: str) -> None:
    assert deletion_handling_key_func(obj) == key


def test_key5_key_error_carries_object_and_cause():
    """TestKeyError."""
    cause = InformerError("error msg")
    obj = object()
    error = KeyFunctionError(obj, cause)
    assert (error.obj, error.cause) == (obj, cause)
    nested = InformerError("outer")
    nested.__cause__ = error
    assert nested.__cause__.__cause__ is cause
    with pytest.raises(KeyFunctionError, match="couldn't create key for object: object has no") as caught:
        new_store().add(5)
    assert caught.value.obj == 5


def test_key6_uid_takes_no_part():
    one, other = make("a", metadata={"uid": "1"}), make("a", metadata={"uid": "2"})
    assert meta_namespace_key_func(one) == meta_namespace_key_func(other)


def test_key7_index_func_as_key_func():
    assert index_func_to_key_func(lambda obj: ["one"])(None) == "one"
    for values in ([], ["one", "two"]):
        with pytest.raises(InformerError, match=f"not {len(values)}$"):
            index_func_to_key_func(lambda obj, values=values: values)(None)
    with pytest.raises(ZeroDivisionError):
        index_func_to_key_func(lambda obj: 1 // 0)(None)
