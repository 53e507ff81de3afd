"""Distributions over the last minute and the whole run, with the histogram of both.

Contract: written by the recorder, read under its lock. Durations are counted in the logarithmic buckets of
`latency.buckets_of`, whose width makes every quantile true within 1 %; a minute is the sum of its 60 seconds, kept
up to date as seconds come and go. Asking costs some 20 µs and is remembered until something changes.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence

from kdash.probe.latency import bucket_value, buckets_of
from kdash.probe.rates import KEPT_S
from kdash.probe.snapshot import BucketView, LatencyView

__all__ = ["HISTOGRAM_LIMITS_S", "MinuteLatency", "histogram"]

HISTOGRAM_LIMITS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, math.inf)
"""Upper limits of the bars."""


class MinuteLatency:
    """Durations in seconds, of the last minute and of the whole run."""

    __slots__ = ("_answers", "_current", "_current_max", "_minute", "_seconds", "max_s", "sum_s", "total")

    def __init__(self) -> None:
        self.total: Counter[int] = Counter()
        self.max_s = 0.0
        self.sum_s = 0.0
        self._current: Counter[int] = Counter()
        self._current_max = 0.0
        self._minute: Counter[int] = Counter()
        self._seconds: deque[tuple[Counter[int], float]] = deque()
        self._answers: dict[bool, LatencyView] = {}

    def add_many(self, durations_s: Sequence[float]) -> None:
        """Count a batch (of a long one a sample, weighted)."""
        self.add_counted(*buckets_of(durations_s))

    def add_counted(self, counted: dict[int, int], longest: float, sum_s: float) -> None:
        """Count what `buckets_of` gave for a batch."""
        self.total.update(counted)
        self._current.update(counted)
        self._current_max = max(self._current_max, longest)
        self.max_s = max(self.max_s, longest)
        self.sum_s += sum_s
        self._answers.clear()

    def end_second(self) -> None:
        """A second is over."""
        if not self._current and not self._minute:
            return
        self._minute.update(self._current)
        self._seconds.append((self._current, self._current_max))
        self._current, self._current_max = Counter(), 0.0
        if len(self._seconds) > KEPT_S:
            self._minute.subtract(self._seconds.popleft()[0])
            self._minute = +self._minute
        self._answers.clear()

    @property
    def count(self) -> int:
        return sum(self.total.values())

    @property
    def mean_s(self) -> float:
        """Mean of the whole run; 0 without a duration."""
        return self.sum_s / self.count if self.total else 0.0

    def minute_counts(self) -> Counter[int]:
        """The buckets of the last minute, the current second included."""
        return self._minute + self._current

    def view(self, minute: bool) -> LatencyView:
        """The last minute's, or the whole run's."""
        known = self._answers.get(minute)
        if known is None:
            longest = max([self._current_max, *(longest for _, longest in self._seconds)]) if minute else self.max_s
            known = self._answers[minute] = _view(self.minute_counts() if minute else self.total, longest)
        return known

    def reset(self) -> None:
        """Begin anew."""
        self.total, self._current, self._minute = Counter(), Counter(), Counter()
        self._seconds.clear()
        self.max_s = self.sum_s = self._current_max = 0.0
        self._answers.clear()


def _view(counts: Counter[int], longest: float) -> LatencyView:
    count = sum(counts.values())
    if not count:
        return LatencyView()
    limits = [q * (count - 1) for q in (0.5, 0.95, 0.99)]
    found: list[float] = []
    below = 0
    for bucket in sorted(counts):
        below += counts[bucket]
        while len(found) < len(limits) and below > limits[len(found)]:
            found.append(min(bucket_value(bucket), longest))
    p50_s, p95_s, p99_s = found
    return LatencyView(count, p50_s, p95_s, p99_s, longest)


def histogram(
    latencies: Sequence[MinuteLatency], limits_s: Sequence[float] = HISTOGRAM_LIMITS_S
) -> tuple[BucketView, ...]:
    """The bars of several distributions together, the last limit infinite; empty when nothing was counted."""
    bars = [[0, 0] for _ in limits_s]
    for latency in latencies:
        for which, counts in enumerate((latency.minute_counts(), latency.total)):
            for bucket, count in counts.items():
                value = bucket_value(bucket)
                bars[next(at for at, limit in enumerate(limits_s) if value < limit)][which] += count
    if not any(total for _, total in bars):
        return ()
    return tuple(BucketView(limit, *bar) for limit, bar in zip(limits_s, bars, strict=True))
