"""How long a reflector waits before it asks a server again (RF-2, RF-6 to RF-8; apimachinery's
`wait.Backoff`).

Contract: no clock is read and nobody sleeps here; callers pass the monotonic instant and wait for
themselves. `BackoffDelays` is the one delay state of a reflector, shared by every place that waits
(RF-8). It starts again at the first step when more than the reset interval has passed since the *last
reset*, not since the last use: in an outage that lasts, the delay climbs to the cap and falls back about
every two minutes (RF-7). `RepeatPacer` is no part of client-go: it bounds the places where client-go
repeats a request with no delay at all. Neither class is thread-safe; the reflector's thread alone uses
them.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

__all__ = ["DEFAULT_BACKOFF", "Backoff", "BackoffDelays", "Delay", "RepeatPacer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Parameters of a growing delay (apimachinery `wait.Backoff`). Seconds."""

    base_s: float = 0.8
    factor: float = 2.0
    jitter: float = 1.0
    """The delay is drawn from [d, d * (1 + jitter))."""
    steps: int = math.ceil(30 / 0.8)
    """How often the delay grows; hitting the cap ends the growth too."""
    cap_s: float = 30.0
    """Largest delay before jitter; 0 means none."""


DEFAULT_BACKOFF = Backoff()
"""0.8 s, doubling up to 30 s, jitter 1.0."""


@dataclass(frozen=True, slots=True)
class Delay:
    """One wait, with where it came from."""

    seconds: float
    """What to wait: the base with its jitter."""
    step: int = 0
    """1 for the first delay after a reset; 0 for a delay of the pacer."""
    base_s: float = 0.0
    cap_hit: bool = False
    reset_at: float = 0.0
    """The first request after this monotonic instant starts again at step 1."""


class BackoffDelays:
    """The sequence of delays of one reflector (apimachinery `DelayFunc` with a reset interval)."""

    def __init__(
        self,
        rng: random.Random,
        now: float,
        backoff: Backoff = DEFAULT_BACKOFF,
        reset_interval_s: float = 120.0,
    ) -> None:
        """`now`: the interval until the first reset counts from the construction (RF-7)."""
        self._rng = rng
        self._backoff = backoff
        self._reset_interval_s = reset_interval_s
        self._last_reset_at = now
        self._restart()

    def _restart(self) -> None:
        self._base_s = self._backoff.base_s
        self._steps_left = self._backoff.steps
        self._step = 0

    def next(self, now: float) -> Delay:
        """The delay to wait from `now` on; every call is one step."""
        if now - self._last_reset_at > self._reset_interval_s:
            self._restart()
            self._last_reset_at = now
        self._step += 1
        base_s = self._base_s
        policy = self._backoff
        if self._steps_left > 0:
            self._steps_left -= 1
            if policy.factor:
                self._base_s = base_s * policy.factor
            if 0 < policy.cap_s < self._base_s:
                self._base_s = policy.cap_s
                self._steps_left = 0
        seconds = base_s * (1 + self._rng.random() * policy.jitter) if policy.jitter > 0 else base_s
        cap_hit = 0 < policy.cap_s <= base_s
        return Delay(seconds, self._step, base_s, cap_hit, self._last_reset_at + self._reset_interval_s)


class RepeatPacer:
    """Lets `burst` repeats through at once and then two a second.

    client-go repeats at once after a watch that ended early with an event (RF-30), in a watch-list that
    ends early or is refused as expired (RF-24, RF-25) and within the internal-error budget (RF-31). A
    server that always answers so would be asked in a hot loop; kdash promises at most two requests a
    second in the long run.
    """

    def __init__(self, now: float, burst: int = 10, per_second: float = 2.0) -> None:
        self._interval_s = 1 / per_second
        self._slack_s = (burst - 1) * self._interval_s
        self._next_at = now - self._slack_s

    def delay_s(self, now: float) -> float:
        """Take one repeat; how long it has to wait (0: go ahead)."""
        at = max(self._next_at, now - self._slack_s)
        self._next_at = at + self._interval_s
        return max(0.0, at - now)
