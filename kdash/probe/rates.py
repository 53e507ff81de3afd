"""Counts per second of the last minute.

Contract: written by the recorder, read under its lock. Seconds are whole seconds of the observation's
monotonic clock; a batch of records mostly lies within one, so counting costs nothing per record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["KEPT_S", "PerSecond"]

KEPT_S = 60


class PerSecond:
    """How many there were in each of the last 60 seconds, and in all."""

    __slots__ = ("_counts", "_second", "_since", "total")

    def __init__(self) -> None:
        self.total = 0
        self._counts = [0] * (KEPT_S + 1)
        self._second = -1  # the newest second
        self._since = -1  # the first second anything was counted in

    def add(self, second: int, count: int = 1) -> None:
        """Count `count` in `second`; seconds more than a minute back count in `total` only."""
        self.total += count
        if second > self._second:
            self._advance(second)
        if second > self._second - len(self._counts):
            self._counts[second % len(self._counts)] += count

    def add_records(self, records: Sequence[Any]) -> None:
        """Count one per tap record, each in its own second; `records` are in order of time."""
        first, last = int(records[0][1]), int(records[-1][1])
        if first == last:
            self.add(first, len(records))
            return
        for record in records:
            self.add(int(record[1]))

    def rate(self, now: float, window_s: int = 5) -> float:
        """Per second, over the last `window_s` whole seconds (fewer at the beginning)."""
        last = int(now) - 1
        if self._since < 0:
            return 0.0
        seconds = max(1, min(window_s, last - self._since + 1))
        return sum(self._at(last - i) for i in range(seconds)) / seconds

    def history(self, now: float) -> tuple[int, ...]:
        """The last 60 whole seconds, oldest first."""
        last = int(now) - 1
        return tuple([self._at(last - i) for i in range(KEPT_S - 1, -1, -1)])

    def _at(self, second: int) -> int:
        if second > self._second or second <= self._second - len(self._counts) or second < 0:
            return 0
        return self._counts[second % len(self._counts)]

    def _advance(self, second: int) -> None:
        if self._second < 0:
            self._since = second
        size = len(self._counts)
        for stale in range(max(self._second + 1, second - size + 1), second + 1):
            self._counts[stale % size] = 0
        self._second = second
