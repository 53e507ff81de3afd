"""Delays of the reflector: RF-2, RF-6, RF-7, RF-8 and the pacer."""

from __future__ import annotations

import random

import pytest

from kdash.informer.backoff import Backoff, BackoffDelays, RepeatPacer


class _FixedRandom(random.Random):
    """Always the same fraction."""

    def __init__(self, fraction: float) -> None:
        super().__init__(0)
        self._fraction = fraction

    def random(self) -> float:
        return self._fraction


def test_rf2_default_backoff_has_38_steps() -> None:
    assert Backoff().steps == 38


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_rf6_delays_double_up_to_the_cap_and_the_jitter_does_not_add_up(fraction: float) -> None:
    delays = BackoffDelays(_FixedRandom(fraction), 0.0)
    drawn = [delays.next(0.0) for _ in range(9)]
    bases = [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30]
    assert [delay.base_s for delay in drawn] == pytest.approx(bases)
    assert [delay.seconds for delay in drawn] == pytest.approx([base * (1 + fraction) for base in bases])
    assert [delay.cap_hit for delay in drawn] == [False] * 6 + [True] * 3
    assert [delay.step for delay in drawn] == list(range(1, 10))


def test_rf6_the_jitter_stays_within_one_base() -> None:
    delays = BackoffDelays(random.Random(7), 0.0)
    for _ in range(500):
        delay = delays.next(0.0)
        assert delay.base_s <= delay.seconds < 2 * delay.base_s


def test_new_reflector_with_custom_backoff() -> None:
    policy = Backoff(base_s=0.010, factor=2.0, jitter=0.2, steps=5, cap_s=0.100)
    delays = BackoffDelays(random.Random(1), 0.0, policy)
    drawn = [delays.next(0.0) for _ in range(5)]
    assert [delay.base_s for delay in drawn] == pytest.approx([0.010, 0.020, 0.040, 0.080, 0.100])
    assert 0.250 <= sum(delay.seconds for delay in drawn) <= 0.300


def test_steps_end_the_growth_before_the_cap() -> None:
    delays = BackoffDelays(random.Random(1), 0.0, Backoff(base_s=1, jitter=0, steps=2, cap_s=0))
    assert [delays.next(0.0).seconds for _ in range(5)] == [1, 2, 4, 4, 4]


def test_x3_rf7_the_reset_grid_counts_from_the_last_reset_not_from_the_last_use() -> None:
    """A lasting outage: every attempt fails at once, so the time between requests is the delay itself."""
    delays, now, drawn = BackoffDelays(_FixedRandom(0.5), 1000.0), 1000.0, []
    for _ in range(16):
        delay = delays.next(now)
        drawn.append((now - 1000.0, delay.step, delay.base_s, delay.reset_at - 1000.0))
        now += delay.seconds
    starts = [(at, reset_at) for at, step, _, reset_at in drawn if step == 1]
    assert starts[0] == (0.0, 120.0)
    # 1.2+2.4+4.8+9.6+19.2+38.4 = 75.6, then 45: the request at 120.6 s is the first after the grid line
    assert starts[1] == pytest.approx((120.6, 240.6))
    assert starts[2] == pytest.approx((241.2, 361.2))
    assert [base for _, _, base, _ in drawn][:8] == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 0.8])


def test_rf7_a_request_exactly_at_the_interval_does_not_reset() -> None:
    delays = BackoffDelays(random.Random(1), 0.0)
    delays.next(0.0)
    assert delays.next(120.0).step == 2
    assert delays.next(120.001).step == 1


def test_rf7_two_quiet_minutes_are_not_needed_for_the_reset() -> None:
    delays = BackoffDelays(random.Random(1), 0.0)
    for at in range(0, 120, 10):
        delays.next(float(at))
    assert delays.next(121.0).step == 1


def test_pacer_lets_ten_repeats_through_and_then_two_a_second() -> None:
    pacer = RepeatPacer(0.0)
    assert [pacer.delay_s(0.0) for _ in range(10)] == [0.0] * 10
    assert [pacer.delay_s(0.0) for _ in range(3)] == pytest.approx([0.5, 1.0, 1.5])


def test_pacer_bounds_the_long_run_at_two_a_second() -> None:
    pacer, now, repeats = RepeatPacer(0.0), 0.0, 0
    while now < 100:
        now += pacer.delay_s(now)
        repeats += 1
    assert repeats <= 10 + 2 * 100


def test_pacer_forgets_after_a_quiet_time() -> None:
    pacer = RepeatPacer(0.0)
    for _ in range(10):
        pacer.delay_s(0.0)
    assert pacer.delay_s(0.0) > 0
    assert [pacer.delay_s(60.0) for _ in range(10)] == [0.0] * 10
    assert pacer.delay_s(60.0) > 0
