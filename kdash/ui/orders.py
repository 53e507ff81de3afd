"""What the screen remembers of the last order, so that its effect can be seen without reading."""

from __future__ import annotations

from kdash.probe.snapshot import Snapshot

__all__ = ["Flash"]

_LASTS_S = 6.0


class Flash:
    """For a few seconds after an order: which one, and how many requests have come since."""

    def __init__(self) -> None:
        self.order = ""
        self.requests = 0
        self._base = 0
        self._until = 0.0

    def begin(self, order: str, snapshot: Snapshot) -> None:
        """An order was given now."""
        self.order, self.requests = order, 0
        self._base = snapshot.api.requests
        self._until = snapshot.mono + _LASTS_S

    def look(self, snapshot: Snapshot) -> None:
        """Count the requests since; forget the order when its time is over."""
        if not self.order:
            return
        if snapshot.mono > self._until:
            self.order, self.requests = "", 0
        else:
            self.requests = max(0, snapshot.api.requests - self._base)
