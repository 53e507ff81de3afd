"""Where each pane stands at each size of the terminal (screen.md §1). Pure: a size in, rectangles out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["PANES", "Layout", "Rect", "lay_out"]

PANES = ("pipeline", "objects", "queue", "resync", "handlers", "api", "events")
"""In the order of their numbers, 1 to 7."""

SMALLEST = (50, 12)


class Rect(NamedTuple):
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`mode` is tiny, single, compact, medium or large. Panes that are not in `rects` are not shown."""

    mode: str
    rects: dict[str, Rect] = field(default_factory=dict)
    tabs: tuple[str, ...] = ()
    """Panes that can be swapped in by their number."""


def lay_out(
    width: int,
    height: int,
    focus: str = "objects",
    zoomed: bool = False,
    right: tuple[str, str] = ("resync", "handlers"),
    scrub: bool = False,
) -> Layout:
    """`focus` is shown alone when zoomed or when there is room for one pane only; `right`: which two panes stand in
    the right column of the compact layout; `scrub`: a line for it above the footer."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return Layout("tiny")
    frame = {"header": Rect(0, 0, width, 1), "footer": Rect(0, height - 1, width, 1)}
    above = height - 1 if scrub else height
    if scrub:
        frame["scrub"] = Rect(0, height - 2, width, 1)
    if zoomed:
        return Layout("zoomed", {**frame, focus: Rect(0, 1, width, above - 2)}, PANES)
    if width < 80 or height < 24:
        rects = {**frame, "tabs": Rect(0, 1, width, 1), focus: Rect(0, 2, width, above - 3)}
        return Layout("single", rects, PANES)
    if width >= 180 and height >= 48:
        return _large(width, above, frame)
    if width >= 112 and height >= 36:
        return _medium(width, above, frame)
    return _compact(width, above, frame, right)


def _compact(width: int, height: int, frame: dict[str, Rect], right: tuple[str, str]) -> Layout:
    body = height - 4
    events = max(7, body // 3)
    middle = body - events
    left = (width * 42) // 80
    upper = middle // 2
    top = 2
    rects = {
        **frame,
        "pipeline": Rect(0, 1, width, 1),
        "objects": Rect(0, top, left, middle),
        right[0]: Rect(left, top, width - left, upper),
        right[1]: Rect(left, top + upper, width - left, middle - upper),
        "events": Rect(0, top + middle, width, events),
        "tabs": Rect(0, height - 2, width, 1),
    }
    return Layout("compact", rects, tuple(pane for pane in ("queue", "resync", "handlers", "api") if pane not in right))


def _medium(width: int, height: int, frame: dict[str, Rect]) -> Layout:
    pipeline, lower = 8, 9
    body = height - 2 - pipeline
    events = max(7, (body - lower) // 3)
    middle = body - lower - events
    left = (width * 58) // 120
    upper = middle // 2
    top = 1 + pipeline
    rects = {
        **frame,
        "pipeline": Rect(0, 1, width, pipeline),
        "objects": Rect(0, top, left, middle),
        "queue": Rect(left, top, width - left, upper),
        "resync": Rect(left, top + upper, width - left, middle - upper),
        "handlers": Rect(0, top + middle, left, lower),
        "api": Rect(left, top + middle, width - left, lower),
        "events": Rect(0, top + middle + lower, width, events),
    }
    return Layout("medium", rects)


def _large(width: int, height: int, frame: dict[str, Rect]) -> Layout:
    pipeline, lower = 10, 10
    body = height - 2 - pipeline
    events = max(10, (body - lower) // 3)
    middle = body - lower - events
    left, right = (width * 36) // 100, (width * 3) // 10
    upper = middle // 2
    top = 1 + pipeline
    half = width // 2
    rects = {
        **frame,
        "pipeline": Rect(0, 1, width, pipeline),
        "objects": Rect(0, top, left, middle),
        "inspect": Rect(left, top, width - left - right, middle),
        "queue": Rect(width - right, top, right, upper),
        "resync": Rect(width - right, top + upper, right, middle - upper),
        "handlers": Rect(0, top + middle, half, lower),
        "api": Rect(half, top + middle, width - half, lower),
        "events": Rect(0, top + middle + lower, width, events),
    }
    return Layout("large", rects)
