"""DeltaFIFO: statements that client-go's own tests leave out, and random histories."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given

from kdash.informer.clock import VirtualClock
from kdash.informer.errors import KeyFunctionError
from kdash.informer.objects import KubeObject
from kdash.informer.queue.delta_fifo import DeltaFIFO
from kdash.informer.queue.protocol import DeletedFinalStateUnknown, Delta, QueueClosed
from kdash.informer.tap import RingTap
from kdash.informer.transforms import TransformError
from tests.informer.builders import Known, make, records
from tests.informer.queue_rig import (
    ADDED,
    DELETED,
    REPLACED,
    SYNC,
    UPDATED,
    Popped,
    drain,
    events,
    failing,
    pop,
    step,
)


def test_df3_a_failing_add_makes_a_virgin_queue_synced():
    queue = DeltaFIFO()
    with pytest.raises(KeyFunctionError):
        queue.add(5)  # type: ignore[arg-type]
    assert queue.has_synced()


def test_df4_a_delete_without_key_changes_nothing():
    queue = DeltaFIFO()
    with pytest.raises(KeyFunctionError):
        queue.delete(5)  # type: ignore[arg-type]
    assert not queue.has_synced()


def test_df4_a_delete_that_is_ignored_still_counts_as_first_content():
    tap = RingTap()
    queue = DeltaFIFO(known_objects=Known(), tap=tap)
    queue.delete(make("foo"))
    assert queue.has_synced()
    assert queue.depth() == (0, 0, 0)
    (record,) = records(tap, "queue.delete_ignored")
    assert record["key"] == "foo"


def test_df4_a_store_that_cannot_tell_counts_as_yes():
    class Broken(Known):
        def get_by_key(self, key: str) -> KubeObject | None:
            raise RuntimeError("out of order")

    queue = DeltaFIFO(known_objects=Broken())
    queue.delete(make("foo", 3))
    assert pop(queue) == [(DELETED, make("foo", 3))]


def test_df6_resyncs_are_not_transformed_but_replaces_are():
    transformed: list[str] = []

    def transform(obj: KubeObject) -> KubeObject:
        transformed.append(obj.name)
        return obj

    queue = DeltaFIFO(known_objects=Known(make("foo")), transform=transform, emit_replaced=False)
    queue.resync()
    assert transformed == []
    queue.replace([make("foo"), make("bar")], "0")
    assert transformed == ["foo", "bar"]


def test_df6_a_transform_error_queues_nothing():
    queue = DeltaFIFO(transform=failing)
    with pytest.raises(TransformError, match='the transform failed for "bad": no'):
        queue.add(make("bad"))
    assert queue.depth() == (0, 0, 0)


def test_a_transform_that_returns_nothing_is_an_error():
    queue = DeltaFIFO(transform=lambda obj: None)
    with pytest.raises(TransformError, match="returned None"):
        queue.add(make("foo"))


def test_df7_two_deletions_merge_to_the_one_that_saw_more():
    queue = DeltaFIFO()
    queue.add(make("foo", 1))
    queue.delete(make("foo", 2))
    queue.delete(make("foo", 3))
    assert pop(queue)[1:] == [(DELETED, make("foo", 2))]
    queue.add(make("foo", 1))
    queue.replace([], "0")
    queue.delete(make("foo", 9))
    assert pop(queue)[1:] == [(DELETED, make("foo", 9))], "a tombstone gives way to what was seen"


def test_df7_only_deletions_merge():
    queue = DeltaFIFO()
    for change in (queue.add, queue.add, queue.update, queue.update, queue.delete, queue.add, queue.delete):
        change(make("foo", 1))
    assert [type_ for type_, _ in pop(queue)] == [ADDED, ADDED, UPDATED, UPDATED, DELETED, ADDED, DELETED]


def test_df8_a_closed_queue_drains_and_still_takes():
    queue = DeltaFIFO()
    queue.add(make("a"))
    queue.close()
    assert queue.is_closed()
    assert pop(queue) == [(ADDED, make("a"))]
    queue.add(make("b"))
    assert pop(queue) == [(ADDED, make("b"))]
    with pytest.raises(QueueClosed):
        queue.pop(Popped())


def test_df9_the_counter_moves_before_processing():
    queue = DeltaFIFO()
    queue.replace([make("a")], "0")
    seen: list[bool] = []
    queue.pop(lambda deltas, is_initial: seen.extend((is_initial, queue.has_synced())))
    assert seen == [True, True]


def test_df9_writers_wait_while_an_entry_is_processed():
    queue = DeltaFIFO()
    queue.add(make("a"))
    inside, go, added = threading.Event(), threading.Event(), threading.Event()

    def process(deltas: Sequence[Delta], _: bool) -> None:
        inside.set()
        go.wait(10)

    def write() -> None:
        queue.add(make("b"))
        added.set()

    popper = threading.Thread(daemon=True, target=queue.pop, args=(process,))
    writer = threading.Thread(daemon=True, target=write)
    popper.start()
    assert inside.wait(10)
    writer.start()
    assert not added.wait(0.05)
    assert queue.depth() == (0, 0, 0)
    assert queue.peek(3) == []
    assert queue.has_synced()
    go.set()
    assert added.wait(10)
    popper.join()
    writer.join()


def test_df9_changes_to_a_key_of_the_initial_list_are_initial_too():
    queue = DeltaFIFO()
    queue.replace([make("a", 1), make("b", 1)], "1")
    queue.delete(make("a", 2))
    queue.add(make("a", 3))
    popped = Popped()
    queue.pop(popped)
    deltas = [(REPLACED, make("a", 1)), (DELETED, make("a", 2)), (ADDED, make("a", 3))]
    assert popped.entries == [(deltas, True)]


def test_df10_what_processing_raises_comes_out_and_the_entry_is_lost():
    queue = DeltaFIFO()
    queue.add(make("a"))
    queue.add(make("b"))

    def fail(deltas: Sequence[Delta], _: bool) -> None:
        raise LookupError("boom")

    with pytest.raises(LookupError):
        queue.pop(fail)
    assert drain(queue) == [[(ADDED, make("b"))]]


def test_df13_replaced_is_appended_after_a_deletion():
    queue = DeltaFIFO(known_objects=Known(make("foo", 1)))
    queue.delete(make("foo", 2))
    queue.replace([make("foo", 3)], "3")
    assert pop(queue) == [(DELETED, make("foo", 2)), (REPLACED, make("foo", 3))]


def test_df13_an_error_inside_replace_keeps_what_came_before():
    queue = DeltaFIFO(known_objects=Known(make("old")), transform=failing)
    with pytest.raises(TransformError):
        queue.replace([make("a"), make("bad"), make("c")], "1")
    assert drain(queue) == [[(REPLACED, make("a"))]]
    assert not queue.has_synced()


def test_df14_tombstones_of_queued_keys_count():
    """Each queued key that is gone is an initial entry."""
    queue = DeltaFIFO(known_objects=Known(make("foo", 1)))
    queue.resync()
    queue.replace([make("bar")], "1")
    assert [type_ for type_, _ in pop(queue)] == [SYNC, DELETED]
    assert not queue.has_synced()
    pop(queue)
    assert queue.has_synced()


def test_df14_resync_is_no_first_content():
    queue = DeltaFIFO(known_objects=Known(make("foo", 1)))
    queue.resync()
    pop(queue)
    assert not queue.has_synced()


def test_df15_sync_callbacks_run_once():
    queue = DeltaFIFO()
    calls: list[str] = []
    queue.on_synced(lambda: calls.append("early"))
    queue.replace([make("a")], "1")
    assert calls == []
    pop(queue)
    queue.replace([make("a")], "1")
    pop(queue)
    queue.on_synced(lambda: calls.append("late"))
    assert calls == ["early", "late"]


def test_df16_resync_skips_what_waits_and_what_is_missing():
    tap = RingTap()
    known = Known(make("a", 1), make("b", 1), make("c", 1))
    queue = DeltaFIFO(known_objects=known, tap=tap)
    queue.update(make("b", 2))
    known.objects["c"] = None  # type: ignore[assignment]
    queue.resync(7)
    assert drain(queue) == [[(UPDATED, make("b", 2))], [(SYNC, make("a", 1))]]
    (record,) = records(tap, "resync.enqueued")
    assert (record["tick"], record["engine"], record["known"]) == (7, "delta", 3)
    assert (record["queued"], record["skipped_pending"], record["missing"]) == (1, 1, 1)


def test_df16_resync_hands_out_the_cached_object_itself():
    foo = make("foo")
    queue = DeltaFIFO(known_objects=Known(foo))
    queue.resync()
    assert pop(queue)[0][1] is foo


def test_df16_resync_without_a_store_does_nothing():
    queue = DeltaFIFO()
    queue.resync()
    assert queue.depth() == (0, 0, 0)


def test_df18_own_key_function():
    queue = DeltaFIFO(key_func=lambda obj: obj.uid)
    queue.add(make("foo", 1))
    queue.add(make("foo", 2))
    assert queue.depth() == (1, 2, 2)
    assert queue.peek(1)[0].key == "uid-foo"


def test_peek_shows_the_first_entries():
    clock = VirtualClock()
    queue = DeltaFIFO(clock=clock)
    queue.add(make("a"))
    clock.advance(2.0)
    queue.update(make("a"))
    queue.add(make("b"))
    first, second = queue.peek(5)
    assert (first.key, first.types) == ("a", ("Added", "Updated"))
    assert (first.waiting_since, first.objects) == (1000.0, 2)
    assert (second.key, second.waiting_since) == ("b", 1002.0)
    assert len(queue.peek(1)) == 1


def test_bookmarks_are_not_for_this_engine():
    queue = DeltaFIFO()
    queue.bookmark("5")
    assert queue.depth() == (0, 0, 0)
    assert not queue.has_synced()


PUT = {"add": "Added", "update": "Updated", "delete": "Deleted", "replace": "Replaced"}

@given(events)
def test_per_key_order_is_kept_and_nothing_is_invented(steps: list[tuple[str, int]]):
    """A key's real events come out in order and once; only repeated deletions are missing."""
    known = Known()
    queue = DeltaFIFO(known_objects=known)
    put: dict[str, list[tuple[str, int]]] = {}
    got: dict[str, list[tuple[str, int]]] = {}

    def process(deltas: Sequence[Delta], _: bool) -> None:
        for type_, obj, _, _ in deltas:
            key = obj.key
            if type_ is DELETED:
                known.objects.pop(key, None)
            else:
                known.objects[key] = obj
            if not isinstance(obj, DeletedFinalStateUnknown) and type_ is not SYNC:
                got.setdefault(key, []).append((str(type_), int(obj.resource_version)))

    for version, (action, number) in enumerate(steps, 1):
        obj = make(f"o{number}", version)
        step(queue, action, obj, process)
        if action in PUT:
            put.setdefault(obj.key, []).append((PUT[action], version))
    while queue.pop(process, block=False):
        pass
    for key, sent in put.items():
        found = got.get(key, [])
        assert [event for event in sent if event in found] == found
        assert all(type_ == "Deleted" for type_, _ in sent if (type_, _) not in found)
    assert queue.depth() == (0, 0, 0)


@given(events)
def test_the_depth_is_what_waits(steps: list[tuple[str, int]]):
    queue = DeltaFIFO(known_objects=Known(make("o1"), make("o2")))
    for version, (action, number) in enumerate(steps, 1):
        step(queue, action, make(f"o{number}", version), Popped())
        waiting = queue.peek(100)
        keys, deltas, objects = queue.depth()
        assert keys == len(waiting) == len({entry.key for entry in waiting})
        assert deltas == objects == sum(len(entry.types) for entry in waiting)
