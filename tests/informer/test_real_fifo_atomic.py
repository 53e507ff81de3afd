"""The atomic RealFIFO, how long the lock is held, and the table of engines."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from kdash.informer.objects import KubeObject
from kdash.informer.queue.engines import ENGINES, new_queue
from kdash.informer.queue.protocol import Delta
from kdash.informer.queue.real_fifo import BookmarkInfo, RealFIFO, ReplacedAllInfo, SyncAllInfo
from kdash.informer.tap import RingTap
from kdash.informer.transforms import TransformError
from tests.informer.builders import Known, make
from tests.informer.queue_rig import (
    ADDED,
    BOOKMARK,
    REPLACED_ALL,
    SYNC_ALL,
    Popped,
    drain,
    failing,
    pop,
)  # fmt: skip


def real(*known: KubeObject, **options: Any) -> RealFIFO:
    return RealFIFO(known_objects=Known(*known), **options)


def atomic(**options: Any) -> RealFIFO:
    return RealFIFO(atomic=True, unlock_while_processing=True, emit_bookmarks=True, **options)


def test_real_fifo_replace_atomic():
    """One ReplacedAll a replace, in order with everything else."""
    queue = atomic()
    queue.add(make("foo", 1))
    queue.replace([make("foo", 2), make("bar", 3)], "10")
    queue.bookmark("11")
    queue.replace([], "12")
    assert drain(queue) == [
        [(ADDED, make("foo", 1))],
        [(REPLACED_ALL, ReplacedAllInfo("10", [make("foo", 2), make("bar", 3)]))],
        [(BOOKMARK, BookmarkInfo("11"))],
        [(REPLACED_ALL, ReplacedAllInfo("12", []))],
    ]


def test_real_fifo_replace_atomic_pop():
    """RQ-8: the first replace is one initial entry, whatever its size."""
    queue = atomic()
    queue.replace([make("a"), make("b")], "1")
    queue.add(make("c"))
    assert not queue.has_synced()
    popped = Popped()
    queue.pop(popped)
    assert queue.has_synced()
    queue.pop(popped)
    taken = [(deltas[0][0], initial) for deltas, initial in popped.entries]
    assert taken == [(REPLACED_ALL, True), (ADDED, False)]


def test_real_fifo_resync_atomic():
    queue = atomic(count_known=lambda: 3)
    queue.add(make("foo", 1))
    queue.resync()
    assert drain(queue) == [[(ADDED, make("foo", 1))], [(SYNC_ALL, SyncAllInfo(3))]]


def test_rq7_a_transform_error_aborts_the_whole_atomic_replace():
    queue = atomic(transform=failing)
    with pytest.raises(TransformError):
        queue.replace([make("a"), make("bad")], "1")
    assert queue.depth() == (0, 0, 0)
    assert not queue.has_synced()


def test_rq7_an_atomic_replace_carries_transformed_objects():
    queue = atomic(transform=lambda obj: make(obj.name, 77))
    queue.replace([make("a", 1)], "1")
    assert pop(queue)[0][1].objects == [make("a", 77)]


def test_rq9_sync_alls_pile_up():
    queue = atomic()
    queue.replace([make("a")], "1")
    queue.resync()
    queue.resync()
    assert [deltas[0][0] for deltas in drain(queue)] == [REPLACED_ALL, SYNC_ALL, SYNC_ALL]


def test_rq10_bookmarks_are_no_first_content():
    queue = atomic()
    queue.bookmark("5")
    assert not queue.has_synced()
    assert queue.depth() == (1, 1, 0)


def test_rq10_bookmarks_are_ignored_unless_asked_for():
    queue = RealFIFO(atomic=True)
    queue.bookmark("5")
    real_queue = real()
    real_queue.bookmark("5")
    assert queue.depth() == real_queue.depth() == (0, 0, 0)


def test_depth_and_peek_expand_whole_store_deltas():
    queue = atomic(count_known=lambda: 7)
    queue.replace([make(str(i)) for i in range(10)], "1")
    assert queue.depth() == (1, 1, 10)
    queue.resync()
    queue.add(make("a"))
    queue.add(make("a"))
    assert queue.depth() == (2, 4, 19)
    assert [(entry.key, entry.types, entry.objects) for entry in queue.peek(3)] == [
        ("", ("ReplacedAll",), 10), ("", ("SyncAll",), 7), ("a", ("Added",), 1),
    ]  # fmt: skip
    drain(queue)
    assert queue.depth() == (0, 0, 0)


def held(queue: RealFIFO, then: Any) -> bool:
    """Whether `then` has to wait while the queue processes an entry."""
    inside, go, done = threading.Event(), threading.Event(), threading.Event()

    def process(deltas: Sequence[Delta], _: bool) -> None:
        inside.set()
        go.wait(10)

    def write() -> None:
        then()
        done.set()

    popper = threading.Thread(daemon=True, target=queue.pop, args=(process,))
    popper.start()
    assert inside.wait(10)
    writer = threading.Thread(daemon=True, target=write)
    writer.start()
    waits = not done.wait(0.05)
    go.set()
    popper.join(10)
    writer.join(10)
    return waits


def test_rq12_the_lock_is_held_while_processing_unless_atomic():
    for queue, waits in ((real(), True), (atomic(), False), (RealFIFO(atomic=True), True)):
        queue.add(make("a"))
        assert held(queue, lambda queue=queue: queue.add(make("b"))) is waits
        assert pop(queue) == [(ADDED, make("b"))]


def test_rq12_two_waiting_batches_hold_the_writers_back():
    for waiting, waits in ((3, False), (4, True)):
        queue = atomic(batch_size=2)
        for i in range(waiting + 1):
            queue.add(make(str(i)))
        assert held(queue, lambda queue=queue: queue.add(make("b"))) is waits


def test_rq12_an_exception_while_unlocked_leaves_the_queue_usable():
    queue = atomic()
    queue.replace([make("a")], "1")

    def fail(deltas: Sequence[Delta], _: bool) -> None:
        raise LookupError("boom")

    with pytest.raises(LookupError):
        queue.pop(fail)
    assert queue.has_synced()
    queue.add(make("b"))
    assert pop(queue) == [(ADDED, make("b"))]


def test_rq14_combinations_that_make_no_sense_are_refused():
    for options in (
        {"atomic": True, "known_objects": Known()}, {},
        {"known_objects": Known(), "unlock_while_processing": True},
        {"known_objects": Known(), "emit_bookmarks": True},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="atomic"):
            RealFIFO(**options)  # type: ignore[arg-type]


def pop_batch(queue: RealFIFO) -> Any:
    """The type of the next delta, taken by a popper that processes batches."""
    popped = Popped()
    queue.pop(popped, popped)
    return popped.entries[0][0][0][0]


def test_tap_tells_of_atomic_replaces_and_resyncs():
    tap = RingTap()
    queue = atomic(tap=tap, count_known=lambda: 2)
    queue.replace([make("a"), make("b")], "9")
    queue.resync(3)
    by_kind: dict[str, list[tuple[Any, ...]]] = {}
    for record in tap.drain():
        by_kind.setdefault(record[2], []).append(record[5:])
    assert by_kind["queue.replace"] == [("9", 2, 0, 0, True, 1)]
    assert by_kind["queue.enqueued"] == [
        ("", REPLACED_ALL, "9", 1, 1, 2, True, 0), ("", SYNC_ALL, "", 1, 2, 4, False, 0),
    ]  # fmt: skip
    batches = [pop_batch(queue) for _ in range(2)]
    assert batches == [REPLACED_ALL, SYNC_ALL]
    ends = [record[8] for record in tap.drain() if record[2] == "queue.popped"]
    assert ends == ["unbatchable", "unbatchable"]
    assert by_kind["resync.enqueued"][0][:6] == (3, "real-atomic", 2, 1, 0, 0)


# engines ---------------------------------------------------------------------------------------------------


def test_engines_by_name():
    for name, engine in ENGINES.items():
        queue = new_queue(name, known_objects=Known(make("foo")))
        assert queue.engine == engine.name == name
    assert [engine.title for engine in ENGINES.values()] == ["DeltaFIFO", "RealFIFO", "RealFIFO atomic"]
    with pytest.raises(ValueError, match="the engines are delta, real, real-atomic"):
        new_queue("fifo", known_objects=Known())


def test_the_atomic_engine_takes_bookmarks_and_counts_the_store():
    queue = new_queue("real-atomic", known_objects=Known(make("a"), make("b")))
    queue.bookmark("5")
    queue.resync()
    assert drain(queue) == [[(BOOKMARK, BookmarkInfo("5"))], [(SYNC_ALL, SyncAllInfo(2))]]
