"""When a frame is worth drawing: ten times a second while something happens, seldom while nothing does.

Contract: pure; instants are seconds of the observation's clock. Used by the screen's thread.
"""

from __future__ import annotations

__all__ = ["Pace"]

_CALM_AFTER_S = 1.0
_AT_REST_S = 0.45
_UNSEEN_S = 1.0


class Pace:
    """Tells for each tick of the screen's timer whether to draw."""

    def __init__(self) -> None:
        self.focused = True
        """Whether the terminal has the focus, as far as it tells."""
        self._activity = -1
        self._busy_until = 0.0
        self._drawn_at = float("-inf")

    def stir(self, now: float) -> None:
        """Somebody pressed a key or moved the mouse: what follows is drawn at once."""
        self._busy_until = now + _CALM_AFTER_S

    def due(self, now: float, activity: int) -> bool:
        """Whether this tick is drawn; `activity` is a number that is another one when something has happened."""
        if activity != self._activity:
            self._activity = activity
            self.stir(now)
        pause_s = 0.0 if now < self._busy_until else _AT_REST_S if self.focused else _UNSEEN_S
        if now - self._drawn_at < pause_s:
            return False
        self._drawn_at = now
        return True
