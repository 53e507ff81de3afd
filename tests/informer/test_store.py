"""Stores (store_test.go, the store part of thread_safe_store_test.go)."""

from __future__ import annotations

import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.informer.errors import InformerError, KeyFunctionError
from kdash.informer.indexer import new_indexer
from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from kdash.informer.store import Store, Transaction, TransactionError, TransactionType, new_store
from tests.informer.builders import make


def test_cache():
    """TestCache: add, get, update, list, delete, replace."""
    store = new_store()
    store.add(make("foo", 1))
    assert store.get(make("foo", 99)) == make("foo", 1)
    store.update(make("foo", 2))
    assert store.get_by_key("foo") == make("foo", 2)
    store.add(make("baz", 3))
    store.add(make("bar", 4))
    assert sorted(store.list_keys()) == ["bar", "baz", "foo"]
    assert len(store) == 3
    assert "bar" in store
    store.delete(make("foo", 77))
    assert store.get(make("foo")) is None
    store.delete(make("foo"))
    store.replace([make("foo", 5)], "0")
    assert store.list() == [make("foo", 5)]


def test_cache_with_transformer():
    """TestCacheWithTransformer: all writes go through it, keys are of the untransformed object."""

    def bump(obj: KubeObject) -> KubeObject:
        return make(f"{obj.name}-changed", int(obj.resource_version) + 100)

    store = new_store(transform=bump)
    store.add(make("foo", 1))
    assert store.get_by_key("foo") == make("foo-changed", 101)
    store.update(make("foo", 2))
    assert store.get_by_key("foo") == make("foo-changed", 102)
    store.replace([make("a", 1), make("b", 2)], "0")
    assert {key: store.get_by_key(key).name for key in "ab"} == {"a": "a-changed", "b": "b-changed"}
    store.transaction([Transaction(TransactionType.ADD, make("c", 1))])
    assert store.get_by_key("c").name == "c-changed"


def test_st1_the_last_writer_wins_whatever_its_version():
    store = new_store()
    store.add(make("a", 9))
    store.add(make("a", 3))
    assert store.get_by_key("a").resource_version == "3"


def test_st5_tombstones_and_unknown_keys_can_be_deleted():
    store = new_store()
    store.add(make("a"))
    store.delete(DeletedFinalStateUnknown("a", None))
    store.delete(DeletedFinalStateUnknown("a", make("a")))
    assert store.list() == []


def test_st6_replace_swaps_everything_and_the_last_duplicate_counts():
    store = new_store()
    store.add(make("old"))
    store.replace([make("a", 1), make("b", 2), make("a", 3)], "5")
    assert {obj.key: obj.resource_version for obj in store.list()} == {"a": "3", "b": "2"}


def test_st6_a_key_error_in_replace_changes_nothing():
    store = new_store()
    store.add(make("a", 1))
    with pytest.raises(KeyFunctionError):
        store.replace([make("a", 2), 5], "9")
    assert store.list() == [make("a", 1)]


def test_st7_lists_are_fresh():
    store = new_store()
    store.add(make("a"))
    store.list().clear()
    store.list_keys().clear()
    assert len(store.list()) == len(store.list_keys()) == 1


def test_st13_a_transform_error_changes_nothing():
    def refuse(obj: KubeObject) -> KubeObject:
        if obj.name == "bad":
            raise ValueError("no")
        return obj

    store = new_store(transform=refuse)
    store.add(make("a", 1))
    for attempt in (
        lambda: store.add(make("bad")), lambda: store.update(make("bad")),
        lambda: store.replace([make("a", 2), make("bad")], "9"),
    ):  # fmt: skip
        with pytest.raises(InformerError, match="transforming: no"):
            attempt()
    assert store.list() == [make("a", 1)]


def test_st14_get_fails_without_a_key_get_by_key_never():
    with pytest.raises(KeyFunctionError):
        new_store().get(5)
    assert new_store().get_by_key("nowhere") is None


def test_own_key_function_is_used_for_everything():
    store: Store = new_store(lambda obj: obj.uid)
    store.add(make("a"))
    assert store.list_keys() == ["uid-a"]
    assert store.get(make("a", 5)) == make("a")
    store.delete(make("a"))
    assert store.list_keys() == []


def test_failing_key_function_is_wrapped():
    store = new_store(lambda obj: obj.nothing)
    with pytest.raises(KeyFunctionError) as caught:
        store.add(make("a"))
    assert isinstance(caught.value.cause, AttributeError)


def test_cache_transaction_should_index_errors():
    """TestCacheTransactionShouldIndexErrors: the failed operation is named, the others are done."""

    def key(obj: KubeObject) -> str:
        if obj.name == "bad":
            raise ValueError("no key")
        return obj.key

    store = new_store(key)
    with pytest.raises(TransactionError) as caught:
        store.transaction(
            [
                Transaction(TransactionType.ADD, make("a")),
                Transaction(TransactionType.ADD, make("bad")),
                Transaction(TransactionType.UPDATE, make("c")),
            ]
        )
    error = caught.value
    assert (error.successful_indices, error.total, len(error.errors)) == ([0, 2], 3, 1)
    assert str(error).startswith("failed to execute (1/3) transactions failed due to: ")
    assert sorted(store.list_keys()) == ["a", "c"]


def test_st11_empty_transaction_does_nothing():
    store = new_store()
    store.tracks_resource_version = True
    store.replace([], "4")
    store.transaction([])
    assert store.last_store_sync_resource_version() == "4"


def test_thread_safe_store_rv():
    """TestThreadSafeStoreRV: the version follows the writes, in a transaction the last operation's."""
    store = new_store()
    store.tracks_resource_version = True
    version = store.last_store_sync_resource_version
    assert version() == ""
    store.add(make("a", 1))
    assert version() == "1"
    store.update(make("a", 5))
    assert version() == "5"
    store.delete(make("a", 6))
    assert version() == "6"
    store.delete(make("a", 7))
    assert version() == "7", "an absent object's deletion counts too"
    store.delete(DeletedFinalStateUnknown("a", make("a", 8)))
    assert version() == "7", "tombstones do not count"
    store.replace([make("b", 3)], "20")
    assert version() == "20"
    store.bookmark("25")
    assert version() == "25"
    store.transaction(
        [
            Transaction(TransactionType.ADD, make("c", 40)),
            Transaction(TransactionType.UPDATE, make("b", 41)),
            Transaction(TransactionType.DELETE, make("c", 30)),
        ]
    )
    assert version() == "30", "also when it goes down"
    store.transaction([Transaction(TransactionType.DELETE, DeletedFinalStateUnknown("b", make("b", 50)))])
    assert version() == "30"
    store.replace([], "")
    assert version() == ""


def test_st12_no_version_unless_it_is_tracked():
    store = new_store()
    store.add(make("a", 4))
    store.bookmark("5")
    assert store.last_store_sync_resource_version() == ""
    assert not store.tracks_resource_version


def test_st12_objects_without_metadata_leave_the_version_alone():
    store = new_store(str)
    store.tracks_resource_version = True
    store.add(make("a", 4))
    store.add(5)
    assert store.last_store_sync_resource_version() == "4"


def test_st10_resync_does_nothing():
    store = new_store()
    store.add(make("a"))
    store.resync()
    assert store.list() == [make("a")]


def test_st16_concurrent_writers_and_readers_lose_nothing():
    indexer = new_indexer(None, {"name": lambda obj: [obj.name[:1]]}, packed=True)
    failures: list[BaseException] = []

    def write(prefix: str) -> None:
        try:
            for i in range(400):
                indexer.add(make(f"{prefix}{i % 40}", i))
                if i % 5 == 4:
                    indexer.delete(make(f"{prefix}{i % 40}"))
        except BaseException as error:
            failures.append(error)

    def read() -> None:
        try:
            while any(writer.is_alive() for writer in writers):
                assert all(obj.name[:1] == "a" for obj in indexer.by_index("name", "a"))
                assert len(indexer.list()) <= 80
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        writers = [threading.Thread(daemon=True, target=write, args=(prefix,)) for prefix in "ab"]
        reader = threading.Thread(daemon=True, target=read)
        for thread in (*writers, reader):
            thread.start()
        for thread in (*writers, reader):
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
    assert sorted(indexer.list_keys()) == sorted(f"{p}{i}" for p in "ab" for i in range(40) if i % 5 != 4)


operations = st.lists(
    st.tuples(
        st.sampled_from(["add", "update", "delete", "replace", "txn"]), st.integers(0, 5), st.integers(0, 9)
    )
)


@given(operations)
def test_a_store_is_a_dictionary(steps: list[tuple[str, int, int]]):
    store, model = new_indexer(None, {"rv": lambda obj: [obj.resource_version]}, packed=True), {}
    for action, number, version in steps:
        obj = make(f"o{number}", version)
        if action == "delete":
            store.delete(obj)
            model.pop(obj.key, None)
        elif action == "replace":
            store.replace([obj], "1")
            model = {obj.key: obj}
        elif action == "txn":
            store.transaction([Transaction(TransactionType.UPDATE, obj)])
            model[obj.key] = obj
        else:
            getattr(store, action)(obj)
            model[obj.key] = obj
    assert {obj.key: obj for obj in store.list()} == model
    for version in map(str, range(10)):
        expected = sorted(key for key, obj in model.items() if obj.resource_version == version)
        assert store.index_keys("rv", version) == expected
    versions = {obj.resource_version for obj in model.values()}
    assert sorted(store.list_index_func_values("rv")) == sorted(versions)
