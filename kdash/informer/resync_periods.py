"""How the period that a handler asks for becomes the one it gets (SI-10 to SI-12), and what orders answer.

Contract: pure functions and plain results; periods are seconds, 0 means "never".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdash.informer.registration import HandlerRegistration

__all__ = [
    "MINIMUM_RESYNC_PERIOD_S",
    "PeriodChange",
    "PeriodDecision",
    "ResyncOutcome",
    "decide_period",
    "effective_period",
    "seconds",
]

MINIMUM_RESYNC_PERIOD_S = 1.0
"""The floor of a handler's period (client-go `minimumResyncPeriod`); the informer's own default has none."""


def seconds(period: timedelta | float | None) -> float | None:
    """A duration in seconds; raises ValueError when it is negative."""
    if period is None:
        return None
    value = period.total_seconds() if isinstance(period, timedelta) else float(period)
    if value < 0:
        raise ValueError(f"a resync period must not be negative, but is {value} s")
    return value


def effective_period(requested_s: float, check_period_s: float) -> float:
    """What a listener gets (client-go `determineResyncPeriod`, SI-11)."""
    if requested_s == 0 or check_period_s == 0:
        return 0.0
    return max(requested_s, check_period_s)


@dataclass(frozen=True, slots=True)
class PeriodDecision:
    """The outcome of SI-10 for one registration."""

    requested_s: float
    """What the listener keeps as its wish, after the floor and, once started, the clamp."""
    effective_s: float
    check_period_s: float
    warning: str
    """In words, when the handler gets something else than it asked for; "" otherwise."""


def decide_period(requested_s: float, check_period_s: float, started: bool) -> PeriodDecision:
    """Floor a wish, then lower the check period (before the start) or raise the wish (after it)."""
    warnings = []
    wish = requested_s
    if 0 < wish < MINIMUM_RESYNC_PERIOD_S:
        wish = MINIMUM_RESYNC_PERIOD_S
        warnings.append(f"asked {requested_s:g} s, the minimum is {MINIMUM_RESYNC_PERIOD_S:g} s")
    if 0 < wish < check_period_s:
        if started:
            warnings.append(f"asked {wish:g} s, got {check_period_s:g} s: the informer has already started")
            wish = check_period_s
        else:
            check_period_s = wish
    effective_s = effective_period(wish, check_period_s)
    if wish > 0 and effective_s == 0:
        warnings.append(f"asked {wish:g} s, but this informer does no resync")
    return PeriodDecision(wish, effective_s, check_period_s, "; ".join(warnings))


@dataclass(frozen=True, slots=True)
class ResyncOutcome:
    """What `resync_now` reached. A kdash extension: client-go has no resync on demand."""

    reached: tuple[str, ...]
    """Names of the handlers that get the wave."""
    skipped: tuple[tuple[str, str], ...]
    """(name, reason) of the others."""
    queued: bool
    """Whether the cache was put into the queue again."""


@dataclass(frozen=True, slots=True)
class PeriodChange:
    """What `set_resync_period` did. A kdash extension: client-go freezes the check period at the start."""

    how: str
    """`direct` or `faithful`."""
    check_period_s: float
    """The informer's check period afterwards."""
    handlers: tuple[tuple[str, float, float], ...]
    """(name, requested, effective) of every handler that was changed."""
    registrations: tuple[HandlerRegistration, ...] = ()
    """`faithful` only: the registrations that took the place of the old ones."""
