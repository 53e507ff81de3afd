"""Distributions of the last minute and the whole run: true within 1 %, and a minute is over when it is over."""

from __future__ import annotations

import math
import random

from kdash.probe.minute import HISTOGRAM_LIMITS_S, MinuteLatency, histogram


def test_quantiles_are_true_within_one_per_cent() -> None:
    rng = random.Random(7)
    values = [rng.lognormvariate(-5, 1.5) for _ in range(5000)]
    latency = MinuteLatency()
    for start in range(0, len(values), 100):
        latency.add_many(values[start : start + 100])
    values.sort()
    for view in (latency.view(True), latency.view(False)):
        assert view.count == 5000
        for got, share in ((view.p50_s, 0.5), (view.p95_s, 0.95), (view.p99_s, 0.99)):
            wanted = values[int(share * (len(values) - 1))]
            assert abs(got - wanted) <= 0.011 * wanted
        assert view.max_s == values[-1]


def test_what_is_older_than_a_minute_counts_for_the_whole_run_only() -> None:
    latency = MinuteLatency()
    latency.add_many([2.0])
    for _ in range(60):
        latency.end_second()
    assert latency.view(True).max_s == 2.0
    latency.add_many([0.5])
    latency.end_second()
    minute, whole = latency.view(True), latency.view(False)
    assert (minute.count, minute.max_s) == (1, 0.5)
    assert (whole.count, whole.max_s) == (2, 2.0)
    assert abs(latency.mean_s - 1.25) < 1e-9


def test_the_histogram_holds_every_duration_once() -> None:
    latency = MinuteLatency()
    latency.add_many([0.0005, 0.002, 0.02, 0.2, 2.0, 20.0, 0.0])
    bars = histogram([latency, MinuteLatency()])
    assert [bar.below_s for bar in bars] == list(HISTOGRAM_LIMITS_S)
    assert [bar.total for bar in bars] == [2, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert math.isinf(bars[-1].below_s)
    assert sum(bar.minute for bar in bars) == 7
    assert histogram([]) == ()


def test_reset_begins_anew() -> None:
    latency = MinuteLatency()
    latency.add_many([1.0])
    latency.reset()
    assert latency.view(False).count == latency.view(True).count == 0
    assert latency.mean_s == 0.0
