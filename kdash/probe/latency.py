"""Distributions of durations: quantiles within 1 %, in constant memory.

Contract: written by the recorder, read under its lock. A sketch add costs about 1 µs, so durations are
first counted per bucket of the sketch's own width, a batch in one pass, and go into the sketch bucket by
bucket when somebody asks. The maximum is exact. Durations under a nanosecond count as one.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from kdash.probe.rates import KEPT_S

__all__ = ["Latency", "bucket_value", "buckets_of"]

_ACCURACY = 0.01
_SCALE = 1 / math.log((1 + _ACCURACY) / (1 - _ACCURACY))
_SMALLEST_S = 1e-9
_SAMPLE = 128  # of a batch, which is at most 2,048
_SMALLEST_BUCKET = math.ceil(math.log(_SMALLEST_S) * _SCALE)


def _new_sketch() -> Any:
    from ddsketch import DDSketch  # 40 ms: not before the first paint

    return DDSketch(_ACCURACY)


def bucket_value(bucket: int) -> float:
    """Seconds in the middle of a bucket."""
    return math.exp((bucket - 0.5) / _SCALE)


def buckets_of(durations_s: Sequence[float]) -> tuple[dict[int, int], float, float]:
    """(count per bucket, longest, sum) of a batch; of a long one every n-th counts n-fold."""
    weight = max(1, len(durations_s) // _SAMPLE)
    sampled = durations_s[::weight] if weight > 1 else durations_s
    log, ceil, scale, tiny, least = math.log, math.ceil, _SCALE, _SMALLEST_S, _SMALLEST_BUCKET
    counted: dict[int, int] = Counter([ceil(log(d) * scale) if d > tiny else least for d in sampled])
    if weight > 1:
        counted = {bucket: count * weight for bucket, count in counted.items()}
    return counted, max(durations_s), sum(sampled) * weight


class Latency:
    """Durations in seconds: quantiles since the start or the last `reset`, and the p99 of each second."""

    def __init__(self) -> None:
        self.max_s = 0.0
        self.count = 0
        """How many were counted (of long batches an estimate)."""
        self.p99_history: deque[float] = deque(maxlen=KEPT_S)
        self._sketch: Any = None
        self._waiting: dict[int, int] = {}  # buckets not in the sketch yet
        self._second: dict[int, int] = {}  # buckets of the current second
        self._answers: dict[float, float] = {}

    def add_many(self, durations_s: Sequence[float]) -> None:
        """Count a batch; of a long one every n-th, n-fold, which moves no quantile worth showing."""
        if durations_s:
            self.add_counted(*buckets_of(durations_s)[:2])

    def add_counted(self, counted: dict[int, int], longest: float) -> None:
        """Count what `buckets_of` gave for a batch."""
        self.max_s = max(self.max_s, longest)
        for buckets in (self._waiting, self._second):
            for bucket, count in counted.items():
                buckets[bucket] = buckets.get(bucket, 0) + count
        self.count += sum(counted.values())
        self._answers.clear()

    def quantile(self, q: float) -> float:
        """The duration that a share `q` stays under, within 1 %; 0 when nothing was counted."""
        known = self._answers.get(q)
        if known is not None:
            return known
        if self._sketch is None:
            self._sketch = _new_sketch()
        for bucket, count in self._waiting.items():
            self._sketch.add(math.exp((bucket - 0.5) / _SCALE), count)
        self._waiting.clear()
        value = self._sketch.get_quantile_value(q)
        answer = min(float(value), self.max_s) if value else 0.0
        self._answers[q] = answer
        return answer

    def second_p99(self) -> float:
        """The p99 of the current second; 0 when nothing was counted."""
        left = 0.01 * sum(self._second.values())
        for bucket in sorted(self._second, reverse=True):
            left -= self._second[bucket]
            if left < 0:
                return math.exp((bucket - 0.5) / _SCALE)
        return 0.0

    def end_second(self) -> None:
        """A second is over: its p99 goes into the history."""
        self.p99_history.append(self.second_p99())
        self._second.clear()

    def reset(self) -> None:
        """Forget what was counted; the history stays."""
        self._sketch = None
        self._waiting.clear()
        self._answers.clear()
        self.count, self.max_s = 0, 0.0
