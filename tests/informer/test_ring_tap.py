"""The ring of tap records: what it loses is counted, what merely came in another order is not."""

from __future__ import annotations

from kdash.informer.clock import VirtualClock
from kdash.informer.tap import RingTap


def test_records_come_out_in_the_order_in_which_they_went_in() -> None:
    tap = RingTap(clock=VirtualClock())
    numbers = [tap.emit("cache.read", "pods", "object", count) for count in range(5)]
    assert [record[0] for record in tap.drain()] == numbers
    assert tap.drain() == []


def test_a_full_ring_loses_the_oldest_and_counts_them() -> None:
    tap = RingTap(size=3, clock=VirtualClock())
    for count in range(8):
        tap.emit("cache.read", "pods", "object", count)
    assert [record[-1] for record in tap.drain()] == [5, 6, 7]
    tap.drain()
    assert tap.dropped == 5


def test_a_record_that_overtakes_another_is_no_loss() -> None:
    tap = RingTap(clock=VirtualClock())
    tap.emit("cache.read", "pods", "object", 1)
    tap.emit("cache.read", "pods", "object", 2)
    late, early = tap._ring.popleft(), tap._ring.popleft()
    tap._ring.append(early)  # two threads: who counted second was first in the ring
    tap.drain()
    tap._ring.append(late)
    tap.drain()
    tap.drain()
    assert tap.dropped == 0
