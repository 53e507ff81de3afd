"""The one clock and the one random source of the core; nothing else imports `time` or `random`.

Contract: every component takes a `Clock` and a `random.Random` when it is made. Production code passes
`SystemClock()`; tests and lessons pass a `VirtualClock`, whose time moves only when `advance` is called.
Monotonic instants (`*_at`) are seconds of `Clock.monotonic()`, wall instants seconds since the epoch.
All methods may be called from any thread.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock", "VirtualClock", "new_random"]


class Clock(Protocol):
    """Tells the time and waits. Every wait of the core goes through `wait`."""

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""

    def wall(self) -> float:
        """Seconds since the epoch."""

    def wait(self, condition: threading.Condition, timeout_s: float | None = None) -> bool:
        """Wait on `condition`, whose lock the caller holds, as `Condition.wait` does.

        Returns False when `timeout_s` of this clock passed first, True when notified (spurious wake-ups
        count as notified: callers loop over their predicate).
        """


class SystemClock:
    """The clock of the machine."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def wait(self, condition: threading.Condition, timeout_s: float | None = None) -> bool:
        return condition.wait(timeout_s)


class VirtualClock:
    """A clock whose time moves only by `advance`; waiting threads wake when their time has come."""

    def __init__(self, start_s: float = 1_000.0, wall_s: float = 1_700_000_000.0) -> None:
        self._now = start_s
        self._wall_offset = wall_s - start_s
        self._lock = threading.Lock()  # guards _waiters
        self._waiters: list[threading.Condition] = []

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now + self._wall_offset

    def wait(self, condition: threading.Condition, timeout_s: float | None = None) -> bool:
        due_at = None if timeout_s is None else self._now + timeout_s
        if due_at is not None and due_at <= self._now:
            return False
        with self._lock:
            self._waiters.append(condition)
        try:
            condition.wait()
        finally:
            with self._lock:
                self._waiters.remove(condition)
        return due_at is None or self._now < due_at

    def waiting(self) -> int:
        """How many threads wait on this clock right now (tests advance once the expected ones do)."""
        with self._lock:
            return len(self._waiters)

    def advance(self, seconds: float) -> None:
        """Move time on and wake every waiter so that it looks at its deadline again."""
        self._now += seconds
        with self._lock:
            waiters = list(self._waiters)
        for condition in waiters:
            with condition:
                condition.notify_all()


def new_random(seed: int | None = None) -> random.Random:
    """The random source for jitter and time-outs; seeded in tests, from the system otherwise."""
    return random.Random(seed)
