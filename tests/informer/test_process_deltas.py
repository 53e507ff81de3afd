"""From deltas to store and notifications (controller_test.go: TestProcessDeltasInBatch, TestReplaceEvents;
CT-5 to CT-11).
"""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from kdash.informer.errors import InformerError
from kdash.informer.indexer import new_indexer
from kdash.informer.process_deltas import DeltaProcessor
from kdash.informer.queue.protocol import DeletedFinalStateUnknown, Delta, DeltaType
from kdash.informer.store import TransactionError
from kdash.informer.tap import FIELDS, RingTap
from tests.informer.fake_source import make_object


class Sink:
    """Notes what it is told, with the keys that the store held at that moment."""

    def __init__(self, store: Any) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.keys: list[list[str]] = []
        self._store = store

    def added(self, obj: Any, is_in_initial_list: bool, cause: int) -> None:
        self._note("add", obj.name, obj.resource_version, is_in_initial_list)

    def updated(self, old: Any, new: Any, cause: int) -> None:
        self._note("update", new.name, old.resource_version, new.resource_version)

    def deleted(self, obj: Any, cause: int) -> None:
        self._note("delete", obj.key, type(obj).__name__)

    def _note(self, *told: Any) -> None:
        self.told.append(told)
        self.keys.append(sorted(self._store.list_keys()))


class Rig:
    def __init__(self, key_func: Any = None, tap: RingTap | None = None) -> None:
        self.store = new_indexer(key_func)
        self.store.tracks_resource_version = True
        self.sink = Sink(self.store)
        self.lock = threading.Lock()
        self.deltas = DeltaProcessor(
            self.store, self.sink, self.lock, key_func=key_func, tap=tap, informer="test"
        )

    def process(self, *deltas: Delta, initial: bool = False) -> list[tuple[Any, ...]]:
        self.sink.told.clear()
        self.sink.keys.clear()
        self.deltas.process(deltas, initial)
        return self.sink.told

    def process_batch(self, *deltas: Delta, initial: bool = False) -> list[tuple[Any, ...]]:
        self.sink.told.clear()
        self.sink.keys.clear()
        self.deltas.process_batch(deltas, initial)
        return self.sink.told


def delta(type_: DeltaType, name: str, version: int = 1) -> Delta:
    return Delta(type_, make_object(name, version))


def whole(type_: DeltaType, version: str = "", *objects: Any) -> Delta:
    return Delta(type_, SimpleNamespace(resource_version=version, objects=list(objects)))


@pytest.mark.parametrize("type_", [DeltaType.ADDED, DeltaType.UPDATED, DeltaType.REPLACED, DeltaType.SYNC])
def test_ct6_the_store_decides_between_add_and_update(type_: DeltaType) -> None:
    rig = Rig()
    assert rig.process(delta(type_, "a", 1), initial=True) == [("add", "a", "1", True)]
    assert rig.process(delta(type_, "a", 2), initial=True) == [("update", "a", "1", "2")]


def test_ct5_deltas_of_an_entry_go_oldest_first() -> None:
    rig = Rig()
    told = rig.process(
        delta(DeltaType.ADDED, "a", 1), delta(DeltaType.UPDATED, "a", 2), delta(DeltaType.DELETED, "a", 3)
    )
    assert told == [
        ("add", "a", "1", False),
        ("update", "a", "1", "2"),
        ("delete", "default/a", "KubeObject"),
    ]


def test_ct5_a_store_error_abandons_the_rest_of_the_entry() -> None:
    def key(obj: Any) -> str:
        if obj.resource_version == "2":
            raise InformerError("no key")
        return str(obj.key)

    rig = Rig(key)
    with pytest.raises(InformerError, match="no key"):
        rig.process(
            delta(DeltaType.ADDED, "a", 1), delta(DeltaType.UPDATED, "a", 2), delta(DeltaType.UPDATED, "a", 3)
        )
    assert rig.sink.told == [("add", "a", "1", False)]
    assert not rig.lock.locked()


def test_ct7_deletes_are_passed_on_known_or_not() -> None:
    rig = Rig()
    tombstone = Delta(DeltaType.DELETED, DeletedFinalStateUnknown("default/b", None))
    assert rig.process(delta(DeltaType.DELETED, "a"), tombstone) == [
        ("delete", "default/a", "KubeObject"), ("delete", "default/b", "DeletedFinalStateUnknown"),
    ]  # fmt: skip


def test_ct8_sync_all_replays_the_store_and_leaves_it_alone() -> None:
    rig = Rig()
    rig.process(delta(DeltaType.ADDED, "a", 1), delta(DeltaType.ADDED, "b", 2))
    assert sorted(rig.process(whole(DeltaType.SYNC_ALL))) == [
        ("update", "a", "1", "1"),
        ("update", "b", "2", "2"),
    ]
    assert rig.store.last_store_sync_resource_version() == "2"


def test_ct9_replaced_all_tells_tombstones_then_list_order_with_the_store_already_final() -> None:
    rig = Rig()
    rig.process(delta(DeltaType.ADDED, "gone", 1), delta(DeltaType.ADDED, "kept", 2))
    told = rig.process(whole(DeltaType.REPLACED_ALL, "9", make_object("new", 8), make_object("kept", 7)))
    assert told == [
        ("delete", "default/gone", "DeletedFinalStateUnknown"),
        ("add", "new", "8", False),
        ("update", "kept", "2", "7"),
    ]
    assert rig.sink.keys == [["default/kept", "default/new"]] * 3
    assert rig.store.last_store_sync_resource_version() == "9"


def test_ct9_a_duplicate_in_the_list_gives_two_adds() -> None:
    rig = Rig()
    told = rig.process(
        whole(DeltaType.REPLACED_ALL, "9", make_object("a", 1), make_object("a", 2)), initial=True
    )
    assert told == [("add", "a", "1", True), ("add", "a", "2", True)]
    assert rig.store.get_by_key("default/a").resource_version == "2"


def test_ct10_a_bookmark_moves_the_stores_version_and_tells_nobody() -> None:
    rig = Rig()
    assert rig.process(whole(DeltaType.BOOKMARK, "42")) == []
    assert rig.store.last_store_sync_resource_version() == "42"


def test_process_deltas_in_batch_all_succeed_with_the_store_already_final() -> None:
    rig = Rig()
    rig.process(delta(DeltaType.ADDED, "b", 1), delta(DeltaType.ADDED, "c", 1))
    told = rig.process_batch(
        delta(DeltaType.ADDED, "a", 2), delta(DeltaType.UPDATED, "b", 3), delta(DeltaType.DELETED, "c", 4)
    )
    assert told == [
        ("add", "a", "2", False),
        ("update", "b", "1", "3"),
        ("delete", "default/c", "KubeObject"),
    ]
    assert rig.sink.keys == [["default/a", "default/b"]] * 3


class FailingStore:
    """A store whose transaction refuses some names."""

    def __init__(self, store: Any, names: tuple[str, ...]) -> None:
        self._store = store
        self._names = names

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transaction(self, operations: Any) -> None:
        good = [index for index, each in enumerate(operations) if each.object.name not in self._names]
        self._store.transaction([operations[index] for index in good])
        if len(good) < len(operations):
            errors = [InformerError(f"no {name}") for name in self._names]
            raise TransactionError(good, len(operations), errors)


def batch_with_failures(*names: str) -> tuple[Sink, TransactionError]:
    store = FailingStore(new_indexer(), names)
    sink = Sink(store)
    deltas = DeltaProcessor(store, sink, threading.Lock())  # type: ignore[arg-type]
    with pytest.raises(TransactionError) as raised:
        deltas.process_batch([delta(DeltaType.ADDED, name) for name in "abc"], False)
    return sink, raised.value


def test_process_deltas_in_batch_all_fail() -> None:
    sink, error = batch_with_failures("a", "b", "c")
    assert sink.told == []
    assert "(3/3)" in str(error)


def test_ct3_process_deltas_in_batch_partial_failure_tells_the_successes_in_order() -> None:
    sink, error = batch_with_failures("b")
    assert sink.told == [("add", "a", "1", False), ("add", "c", "1", False)]
    assert "(1/3)" in str(error)


def test_ct11_a_type_that_cannot_be_batched_applies_nothing() -> None:
    rig = Rig()
    with pytest.raises(InformerError, match="not supported"):
        rig.process_batch(delta(DeltaType.ADDED, "a"), whole(DeltaType.SYNC_ALL))
    assert rig.sink.told == []
    assert rig.store.list_keys() == []


def test_si14_processing_runs_under_block_deltas() -> None:
    rig = Rig()
    held: list[bool] = []
    rig.sink._note = lambda *told: held.append(rig.lock.locked())  # type: ignore[method-assign]
    rig.process(delta(DeltaType.ADDED, "a"))
    rig.process_batch(delta(DeltaType.ADDED, "b"))
    assert held == [True, True]
    assert not rig.lock.locked()


def test_store_records_lead_from_delta_to_notification() -> None:
    tap = RingTap()
    rig = Rig(tap=tap)
    causes: list[int] = []
    rig.deltas._updated = lambda old, new, cause: causes.append(cause)
    rig.deltas.process([Delta(DeltaType.ADDED, make_object("a", 1, uid="one"), cause=5)], True)
    rig.deltas.process([Delta(DeltaType.UPDATED, make_object("a", 2, uid="two"), cause=6)], False)
    add, update = tap.drain()
    assert causes == [update[0]]
    fields = dict(zip(FIELDS["store.mutation"], update[5:], strict=True))
    assert (fields["op"], fields["old_rv"], fields["new_rv"], fields["uid_changed"]) == (
        "update",
        "1",
        "2",
        True,
    )
    assert (fields["delta_type"], fields["cause"], add[5]) == ("Updated", 6, "add")
