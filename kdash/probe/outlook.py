"""What becomes of a handler's backlog, over 30 to 60 seconds: one verdict, which does not flip every second.

Contract: `trend` is a pure function of the backlog at the end of each of the last seconds in which kdash did not hold
the pipeline. `Outlook` keeps these seconds and its verdict; another verdict counts once it has held for 5 s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from kdash.probe.snapshot import TrendView

__all__ = ["LEAST_S", "Outlook", "trend"]

LEAST_S = 30
_KEPT = 61
_HOLDS_S = 5
_NOISE = 10
_SHARE = 0.1


def trend(pending: Sequence[int]) -> TrendView:
    """Of the backlog at the end of each second, oldest first."""
    over_s = len(pending) - 1
    if over_s < LEAST_S:
        return TrendView("early", max(0, over_s))
    third = len(pending) // 3
    first, last = sum(pending[:third]) / third, sum(pending[-third:]) / third
    per_s = (last - first) / (len(pending) - third)
    if max(pending) <= _NOISE or not pending[-1]:
        return TrendView("keeps-up", over_s, per_s, max(pending))
    if abs(last - first) < max(_NOISE, _SHARE * max(first, last)):
        return TrendView("steady", over_s, per_s, max(pending))
    return TrendView("grows" if last > first else "shrinks", over_s, per_s, max(pending))


class Outlook:
    """One handler's."""

    def __init__(self) -> None:
        self.view = TrendView()
        self._pending: deque[int] = deque(maxlen=_KEPT)
        self._other = 0

    def end_second(self, pending: int, held: bool) -> None:
        """A second is over; `held`: kdash held the pipeline, so that it says nothing of the handler."""
        if held:
            self._pending.clear()
            self.view, self._other = TrendView("held"), 0
            return
        self._pending.append(pending)
        new = trend(tuple(self._pending))
        if new.word == self.view.word or self.view.word in ("early", "held"):
            self.view, self._other = new, 0
            return
        self._other += 1
        if self._other >= _HOLDS_S:
            self.view, self._other = new, 0
