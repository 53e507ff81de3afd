"""The memory of this process over time.

Contract: `tick` is called by one thread, as often as it likes; `view` by any. Systems that do not tell the resident
memory of now (only its peak) give no view: absent, not 0.
"""

from __future__ import annotations

import resource
from collections import deque
from pathlib import Path

from kdash.probe.snapshot import MemoryView

__all__ = ["MemoryWatch", "growth"]

_EVERY_S = 10.0
_KEPT = 360
_SETTLED_S = 60.0
_STATM = Path("/proc/self/statm")

Point = tuple[float, int, int]
"""(instant, resident bytes, objects in the caches)"""


class MemoryWatch:
    """Keeps a point every ten seconds, for an hour."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=_KEPT)
        self._first_at: float | None = None

    def tick(self, now: float, objects: int) -> None:
        """`objects`: how many the caches hold."""
        if self._points and now - self._points[-1][0] < _EVERY_S:
            return
        resident = _resident_bytes()
        if resident is not None:
            self._first_at = now if self._first_at is None else self._first_at
            self._points.append((now, resident, objects))

    def view(self) -> MemoryView | None:
        """None where this system does not tell."""
        points = list(self._points)
        if not points or self._first_at is None:
            return None
        settled = self._first_at + _SETTLED_S
        return growth([point for point in points if point[0] >= settled], points[-1][1])


def growth(points: list[Point], resident: int) -> MemoryView:
    """The first minute of `points` against the last one; without both, only what there is now."""
    if not points or points[-1][0] - points[0][0] < 4 * 60.0:
        return MemoryView(resident)
    first = [point for point in points if point[0] <= points[0][0] + 60.0]
    last = [point for point in points if point[0] >= points[-1][0] - 60.0]
    middle = points[len(points) // 3 : 2 * len(points) // 3]
    before, now, between = (sum(point[1] for point in some) / len(some) for some in (first, last, middle))
    steady = before + (now - before) / 5 <= between <= now - (now - before) / 5
    return MemoryView(resident, int(before), points[-1][0] - points[0][0], steady and now > before, first[0][2],
                      last[-1][2])  # fmt: skip


def _resident_bytes() -> int | None:
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None
