"""The window of events is a ring of whole events, whatever of it is packed."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from kdash.demo.event_window import EventWindow, StoredEvent


def stream(count: int, keys: int = 7, size: int = 3_000) -> list[StoredEvent]:
    events: list[StoredEvent] = []
    latest: dict[str, bytes] = {}
    for version in range(1, count + 1):
        key = f"shop/web-{version * 5 % keys}"
        raw = b'{"metadata":{"resourceVersion":"%d"},"spec":"%s"}' % (version, b"x" * size)
        previous = latest.get(key)
        type_ = "ADDED" if previous is None else "DELETED" if version % 11 == 0 else "MODIFIED"
        events.append(StoredEvent(version, type_, key, raw, previous))
        if type_ == "DELETED":
            del latest[key]
        else:
            latest[key] = raw
    return events


@pytest.mark.parametrize("capacity", [1, 5, 127, 128, 129, 400, 5_000])
@pytest.mark.parametrize("pack", [True, False])
def test_it_holds_exactly_the_newest_events(capacity: int, pack: bool) -> None:
    window, events = EventWindow(capacity), stream(1_000, size=10)
    for at, event in enumerate(events):
        dropped = window.append(event, pack)
        assert dropped == (events[at - capacity].version if at >= capacity else 0)
    kept = events[-capacity:]
    assert list(window) == kept and list(reversed(window)) == kept[::-1] and len(window) == len(kept)
    assert window.newest_version == 1_000


def test_resizing_and_clearing_keep_the_count_and_the_size_right() -> None:
    rng = random.Random(5)
    window, events, kept, capacity = EventWindow(300), stream(3_000, size=20), [], 300
    for event in events:
        if rng.random() < 0.01:
            capacity = rng.choice((0, 3, 130, 500))
            window.resize(capacity)
            kept = kept[-capacity:] if capacity else []
        window.append(event, rng.random() < 0.9)
        kept = [*kept, event][-capacity:] if capacity else []
        assert len(window) == len(kept)
    assert list(window) == kept
    window.resize(0)
    assert (len(window), window.size, list(window)) == (0, 0, [])
    window.resize(10)
    window.append(events[0])
    window.clear()
    assert (len(window), window.size) == (0, 0)


def test_it_is_bounded_in_bytes_and_says_what_had_to_go() -> None:
    window = EventWindow(1_000_000, bytes_max=100_000)
    expired_to = 0
    for event in stream(20_000):
        expired_to = window.append(event, pack=False) or expired_to
        assert window.size <= 100_000
    assert [each.version for each in window] == list(range(expired_to + 1, 20_001))
    packed = EventWindow(10_000)
    for event in stream(10_000):
        packed.append(event)
    assert len(packed) == 10_000 and packed.size < 3_000_000  # 30 MB as they are


def test_what_it_takes_is_what_it_says() -> None:
    """A compressor's answer comes in a block for the worst case: kept as it is, it would take as much as unpacked."""
    events = stream(10_000)
    window = EventWindow(10_000)
    tracemalloc.start()
    try:
        for event in events:
            window.append(event)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 2 * window.size
