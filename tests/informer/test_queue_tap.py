"""What queues tell the tap, and what they do when there is nothing to process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from kdash.informer.clock import VirtualClock
from kdash.informer.errors import InformerError
from kdash.informer.indexer import new_indexer
from kdash.informer.queue.delta_fifo import DeltaFIFO
from kdash.informer.queue.engines import new_queue
from kdash.informer.queue.protocol import Delta
from kdash.informer.tap import RingTap
from tests.informer.builders import Known, make, records, until
from tests.informer.queue_rig import (
    ADDED,
    DELETED,
    UPDATED,
    Popped,
    failing,
)


def test_tap_tells_what_is_queued_and_links_causes():
    tap = RingTap()
    queue = DeltaFIFO(tap=tap, name="pods")
    queue.add(make("a", 3), cause=42)
    queue.update(make("a", 4), cause=43)
    deltas: list[Delta] = []
    queue.pop(lambda items, _: deltas.extend(items))
    told = [record for record in tap.drain() if record[2] == "queue.enqueued"]
    assert [record[3] for record in told] == ["pods"] * 2
    assert [record[5:] for record in told] == [
        ("a", ADDED, "3", 1, 1, 1, True, 42), ("a", UPDATED, "4", 1, 2, 2, False, 43),
    ]  # fmt: skip
    assert [delta.cause for delta in deltas] == [record[0] for record in told]


def test_tap_tells_of_pops_and_their_outcome():
    clock, tap = VirtualClock(), RingTap()
    queue = DeltaFIFO(tap=tap, clock=clock)
    queue.replace([make("a"), make("b")], "9")
    clock.advance(3.0)

    def process(deltas: Sequence[Delta], _: bool) -> None:
        clock.advance(0.5)
        if deltas[0].object.name == "b":
            raise ValueError("boom")

    queue.pop(process)
    with pytest.raises(ValueError, match="boom"):
        queue.pop(process)
    kinds = ("queue.popped", "queue.processed", "queue.synced")
    told = [record for record in tap.drain() if record[2] in kinds]
    assert [record[2] for record in told] == [
        "queue.popped", "queue.processed", "queue.popped", "queue.synced", "queue.processed",
    ]  # fmt: skip
    assert told[0][5:-1] == ("a", 1, 1, "", True, 3.0, 1, 1, 1)
    assert told[1][5:] == ("a", True, "", 0.5)
    assert told[4][5:] == ("b", False, "ValueError: boom", 0.5)
    assert told[3][5:] == (2,)


def test_tap_tells_of_replace_dedup_transform_and_close():
    tap = RingTap()
    queue = DeltaFIFO(known_objects=Known(make("s")), tap=tap, transform=lambda obj: make(obj.name, ""))
    queue.add(make("q", 1))
    queue.replace([make("a", 1)], "7")
    queue.delete(make("q", 2))
    queue.close()
    queue.close()
    by_kind: dict[str, list[tuple[Any, ...]]] = {}
    for record in tap.drain():
        by_kind.setdefault(record[2], []).append(record[5:])
    assert by_kind["queue.replace"] == [("7", 1, 1, 1, False, 0)]
    assert by_kind["queue.deduped"] == [("q", "newer", DELETED, True)]
    assert by_kind["queue.transform"] == [("q", True, "", True), ("a", True, "", True), ("q", True, "", True)]
    assert by_kind["queue.closed"] == [(3,)]


def test_tap_tells_of_failed_transforms():
    tap = RingTap()
    queue = DeltaFIFO(tap=tap, transform=failing)
    with pytest.raises(InformerError):
        queue.add(make("bad"))
    (record,) = records(tap, "queue.transform")
    assert (record["key"], record["ok"], record["error"]) == ("bad", False, "ValueError: no")


# idle work -------------------------------------------------------------------------------------------------


def test_idle_work_is_done_while_the_queue_is_empty():
    clock = VirtualClock()
    calls: list[int] = []
    done = threading.Event()

    def idle() -> bool:
        calls.append(1)
        if len(calls) == 3:
            done.set()
        return len(calls) < 3

    queue = DeltaFIFO(clock=clock, on_idle=idle)
    popped = Popped()
    popper = threading.Thread(daemon=True, target=queue.pop, args=(popped,))
    popper.start()
    until(clock.waiting)
    assert calls == []
    clock.advance(0.1)
    assert done.wait(10)
    queue.add(make("a"))
    popper.join(10)
    assert not popper.is_alive()
    assert len(calls) == 3
    assert len(popped.entries) == 1


def test_idle_work_gives_way_to_what_is_queued():
    clock = VirtualClock()
    queue = DeltaFIFO(clock=clock, on_idle=lambda: queue.add(make("a")) is None)
    popped = Popped()
    popper = threading.Thread(daemon=True, target=queue.pop, args=(popped,))
    popper.start()
    until(clock.waiting)
    clock.advance(0.1)
    popper.join(10)
    assert len(popped.entries) == 1


def test_a_queue_over_a_packed_store_packs_when_idle():
    clock = VirtualClock()
    indexer = new_indexer(packed=True)
    indexer.replace([make(f"pod-{i}", data=f"text {i} " * 40) for i in range(300)], "1")
    queue = new_queue("delta", known_objects=indexer, clock=clock)
    popper = threading.Thread(daemon=True, target=queue.pop, args=(Popped(),))
    popper.start()
    until(clock.waiting)
    clock.advance(0.1)
    until(lambda: all(obj.is_packed for obj in indexer.list()))
    queue.add(make("a"))
    popper.join(10)
    assert not popper.is_alive()
