"""A watch whose connection is exchanged while somebody reads it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from kdash.informer.list_watch import WatchEvent
from kdash.informer.watch_guard import GuardedStream
from tests.informer.reflector_doubles import WAIT_S, event


class HeldStream:
    """Its read returns when it is let go, or stopped; `late` is what comes then."""

    def __init__(self, *late: WatchEvent) -> None:
        self.silent_since: float | None = 1.0
        self.reading, self.go_on = threading.Event(), threading.Event()
        self._late: Sequence[WatchEvent] = late

    def next_batch(self) -> Sequence[WatchEvent]:
        self.reading.set()
        assert self.go_on.wait(WAIT_S)
        late, self._late = self._late, ()
        return late

    def stop(self) -> None:
        self.go_on.set()


def read_in_a_thread(stream: GuardedStream, batches: list[Sequence[WatchEvent]]) -> threading.Thread:
    thread = threading.Thread(target=lambda: batches.append(stream.next_batch()))
    thread.start()
    return thread


def test_late_bytes_of_a_replaced_watch_are_dropped() -> None:
    old, second = HeldStream(event("ADDED", "late", 5)), HeldStream()
    stream = GuardedStream(old)
    batches: list[Sequence[WatchEvent]] = []
    thread = read_in_a_thread(stream, batches)
    assert old.reading.wait(WAIT_S)
    first = [event("ADDED", "first", 5)]
    assert stream.replace(second, first, 1.0)
    thread.join(WAIT_S)
    assert batches == [first]


def test_a_watch_that_spoke_or_ended_or_was_stopped_is_not_replaced() -> None:
    spoke = HeldStream()
    spoke.silent_since = 2.0
    assert not GuardedStream(spoke).replace(HeldStream(), (), 1.0)
    over = GuardedStream(ended := HeldStream())
    ended.go_on.set()
    assert over.next_batch() == ()
    assert not over.replace(HeldStream(), (), 1.0)
    stopped = GuardedStream(HeldStream())
    stopped.stop()
    assert not stopped.replace(HeldStream(), (), 1.0)


def test_stopping_ends_the_watch_that_is_open_now() -> None:
    old, second = HeldStream(), HeldStream()
    stream = GuardedStream(old)
    batches: list[Sequence[WatchEvent]] = []
    assert stream.replace(second, (), 1.0)
    thread = read_in_a_thread(stream, batches)
    assert second.reading.wait(WAIT_S)
    stream.stop()
    thread.join(WAIT_S)
    assert batches == [()]
