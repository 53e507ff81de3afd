"""RealFIFO: batches, statements that client-go's own tests leave out, and random histories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.informer.errors import KeyFunctionError
from kdash.informer.objects import KubeObject
from kdash.informer.queue.engines import new_queue
from kdash.informer.queue.protocol import DeletedFinalStateUnknown, Delta, QueueClosed
from kdash.informer.queue.real_fifo import BATCH_SIZE, RealFIFO
from kdash.informer.tap import RingTap
from kdash.informer.transforms import TransformError
from tests.informer.builders import Known, make, records
from tests.informer.queue_rig import (
    ADDED,
    DELETED,
    REPLACED,
    REPLACED_ALL,
    SYNC,
    SYNC_ALL,
    UPDATED,
    Popped,
    drain,
    events,
    failing,
    pop,
    step,
)  # fmt: skip


def real(*known: KubeObject, **options: Any) -> RealFIFO:
    return RealFIFO(known_objects=Known(*known), **options)


def atomic(**options: Any) -> RealFIFO:
    return RealFIFO(atomic=True, unlock_while_processing=True, emit_bookmarks=True, **options)


def batches(queue: RealFIFO) -> list[tuple[str, str, bool]]:
    """(single or batch, names of the objects, initial?) of everything in the queue."""
    taken: list[tuple[str, str, bool]] = []

    def note(how: str) -> Any:
        return lambda deltas, is_initial: taken.append(
            (how, "".join(getattr(delta.object, "name", "*") for delta in deltas), is_initial)
        )

    while queue.pop(note("single"), note("batch"), block=False):
        pass
    return taken


# PopBatch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initial", "later", "size", "expected"),
    [
        ("", "a", 10, [("single", "a", False)]),
        ("", "abc", 10, [("batch", "abc", False)]),
        ("", "abac", 10, [("batch", "ab", False), ("batch", "ac", False)]),
        ("", "abcd", 3, [("batch", "abc", False), ("single", "d", False)]),
        ("ab", "cd", 10, [("batch", "ab", True), ("batch", "cd", False)]),
        ("abc", "d", 2, [("batch", "ab", True), ("single", "c", True), ("single", "d", False)]),
        ("aba", "c", 10, [("batch", "ab", True), ("single", "a", True), ("single", "c", False)]),
        ("ab", "ab", 10, [("batch", "ab", True), ("batch", "ab", False)]),
    ],
)
def test_real_fifo_pop_multiple_delta_in_batch(initial: str, later: str, size: int, expected: list[Any]):
    """Batches end where the first sync does, before a repeated key, and when they are full."""
    queue = real(batch_size=size)
    queue.replace([make(name) for name in initial], "0")
    for name in later:
        queue.add(make(name))
    assert batches(queue) == expected
    assert queue.has_synced()
    assert queue.depth() == (0, 0, 0)


def test_real_fifo_pop_broken_items_in_batch():
    """An object whose key can no longer be computed closes its batch and is in it; the others follow."""
    broken: set[str] = set()

    def key(obj: KubeObject) -> str:
        if obj.name in broken:
            raise ValueError("no key any more")
        return obj.name

    queue = real(key_func=key)
    for name in "abcde":
        queue.add(make(name))
    broken.add("b")
    assert batches(queue) == [("batch", "ab", False), ("batch", "cde", False)]
    broken.clear()
    for name in "abc":
        queue.add(make(name))
    broken.add("a")
    assert batches(queue) == [("single", "a", False), ("batch", "bc", False)]
    assert queue.depth() == (0, 0, 0)


def test_an_object_without_key_is_never_queued():
    queue = real()
    with pytest.raises(KeyFunctionError):
        queue.add(5)  # type: ignore[arg-type]
    assert queue.depth() == (0, 0, 0)
    assert queue.has_synced(), "RQ-3"


def test_rq11_the_default_batch_has_at_most_1000_deltas():
    queue = real()
    queue.replace([make(str(i)) for i in range(2500)], "0")
    sizes: list[int] = []
    while queue.pop(Popped(), lambda deltas, _: sizes.append(len(deltas)), block=False):
        pass
    assert sizes == [BATCH_SIZE, BATCH_SIZE, 500]


def test_rq11_whole_store_deltas_come_alone():
    queue = atomic()
    queue.add(make("a"))
    queue.add(make("b"))
    queue.bookmark("5")
    queue.add(make("c"))
    queue.replace([make("x")], "6")
    queue.resync()
    queue.add(make("d"))
    queue.add(make("e"))
    assert batches(queue) == [
        ("batch", "ab", False), ("single", "*", False), ("single", "c", False), ("single", "*", False),
        ("single", "*", False), ("batch", "de", False),
    ]  # fmt: skip


def test_rq11_the_latch_turns_after_the_initial_batch_was_processed():
    queue = real()
    queue.replace([make("a"), make("b")], "0")
    seen: list[bool] = []
    queue.pop(Popped(), lambda deltas, is_initial: seen.extend((is_initial, queue.has_synced())))
    assert seen == [True, False]
    assert queue.has_synced()


def test_a_failed_batch_is_lost_and_counted():
    queue = real()
    queue.replace([make("a"), make("b")], "0")

    def fail(deltas: Sequence[Delta], _: bool) -> None:
        raise LookupError("boom")

    with pytest.raises(LookupError):
        queue.pop(fail, fail)
    assert queue.has_synced()
    assert pop(queue) == []


# not atomic ------------------------------------------------------------------------------------------------


def test_rq2_two_deletions_are_two_deltas():
    queue = real()
    queue.delete(make("foo", 1))
    queue.delete(make("foo", 1))
    assert drain(queue) == [[(DELETED, make("foo", 1))]] * 2


def test_rq4_a_transform_error_queues_nothing():
    queue = real(transform=failing)
    with pytest.raises(TransformError):
        queue.update(make("bad"))
    assert queue.depth() == (0, 0, 0)


def test_rq6_a_key_error_in_replace_changes_nothing():
    queue = real(make("old"))
    with pytest.raises(KeyFunctionError):
        queue.replace([make("a"), 5], "1")  # type: ignore[list-item]
    assert queue.depth() == (0, 0, 0)
    assert not queue.has_synced()


def test_rq6_a_transform_error_in_replace_keeps_what_came_before():
    """0a: tombstones and earlier items stay queued, initial and unsynced."""
    queue = real(make("old"), transform=failing)
    with pytest.raises(TransformError):
        queue.replace([make("a"), make("bad"), make("c")], "1")
    popped = Popped()
    while queue.pop(popped, block=False):
        pass
    taken = [(deltas[0][0], initial) for deltas, initial in popped.entries]
    assert taken == [(DELETED, True), (REPLACED, True)]
    assert not queue.has_synced()


def test_rq9_resync_skips_keys_with_anything_waiting():
    tap = RingTap()
    known = Known(make("a"), make("b"), make("c"))
    queue = RealFIFO(known_objects=known, tap=tap)
    queue.update(make("b", 2))
    queue.update(make("b", 3))
    pop(queue)
    known.objects["c"] = None  # type: ignore[assignment]
    queue.resync(4)
    assert [deltas[0][0] for deltas in drain(queue)] == [UPDATED, SYNC]
    (record,) = records(tap, "resync.enqueued")
    assert (record["tick"], record["engine"], record["known"]) == (4, "real", 3)
    assert (record["queued"], record["skipped_pending"], record["missing"]) == (1, 1, 1)


def test_rq13_a_closed_queue_drains_first():
    queue = real()
    queue.add(make("a"))
    queue.close()
    assert pop(queue) == [(ADDED, make("a"))]
    with pytest.raises(QueueClosed):
        queue.pop(Popped(), block=False)


# the tap ---------------------------------------------------------------------------------------------------


def test_tap_tells_of_batches_and_why_they_end():
    tap = RingTap()
    queue = real(tap=tap, batch_size=3)
    queue.replace([make("a"), make("b")], "1")
    for name in "cdefgg":
        queue.add(make(name))
    batches(queue)
    told = [record for record in tap.drain() if record[2] == "queue.popped"]
    assert [(record[5], record[6], record[8], record[9]) for record in told] == [
        ("a", 2, "initial_boundary", True), ("c", 3, "full", False), ("f", 2, "repeated_key", False),
        ("g", 1, "empty", False),
    ]  # fmt: skip
    assert [record[11:14] for record in told] == [(5, 6, 6), (2, 3, 3), (1, 1, 1), (0, 0, 0)]


# properties ------------------------------------------------------------------------------------------------

PUT = {"add": "Added", "update": "Updated", "delete": "Deleted", "replace": "Replaced"}


@given(events, st.booleans())
def test_every_event_comes_out_once_in_order_of_arrival(steps: list[tuple[str, int]], batched: bool):
    known = Known()
    queue = RealFIFO(known_objects=known, batch_size=4)
    put: list[tuple[str, int]] = []
    got: list[tuple[str, int]] = []

    def process(deltas: Sequence[Delta], _: bool) -> None:
        assert len({delta.object.key for delta in deltas}) == len(deltas)
        for type_, obj, _, _ in deltas:
            if type_ is DELETED:
                known.objects.pop(obj.key, None)
            else:
                known.objects[obj.key] = obj
            if not isinstance(obj, DeletedFinalStateUnknown) and type_ is not SYNC:
                got.append((str(type_), int(obj.resource_version)))

    for version, (action, number) in enumerate(steps, 1):
        step(queue, action, make(f"o{number}", version), process, process if batched else None)
        if action in PUT:
            put.append((PUT[action], version))
    while queue.pop(process, process if batched else None, block=False):
        pass
    assert got == put


@given(events)
def test_all_engines_lead_to_the_same_store(steps: list[tuple[str, int]]):
    """What is known after draining is the same, by whatever way it came."""

    def play(engine: str) -> dict[str, str]:
        known = Known()
        queue = new_queue(engine, known_objects=known)

        def process(deltas: Sequence[Delta], _: bool) -> None:
            for type_, obj, _, _ in deltas:
                if type_ is REPLACED_ALL:
                    known.objects = {each.key: each for each in obj.objects}
                elif type_ is DELETED:
                    known.objects.pop(obj.key, None)
                elif type_ is not SYNC_ALL:
                    known.objects[obj.key] = obj

        for version, (action, number) in enumerate(steps, 1):
            step(queue, action, make(f"o{number}", version), process, process)
        while queue.pop(process, process, block=False):
            pass
        assert queue.depth() == (0, 0, 0)
        return {key: obj.resource_version for key, obj in known.objects.items()}

    assert play("delta") == play("real") == play("real-atomic")


@given(events)
def test_the_depth_is_what_waits(steps: list[tuple[str, int]]):
    queue = real(make("o1"), make("o2"))
    for version, (action, number) in enumerate(steps, 1):
        step(queue, action, make(f"o{number}", version), Popped())
        waiting = queue.peek(100)
        keys, deltas, objects = queue.depth()
        assert keys == len({entry.key for entry in waiting})
        assert deltas == objects == len(waiting)


