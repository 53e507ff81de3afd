"""Pane 7: one line of the event log."""

from __future__ import annotations

import time

from kdash.probe.events import EventLine
from kdash.probe.text import clean
from kdash.ui.glyphs import Glyphs
from kdash.ui.presenter.context import ago
from kdash.ui.spans import Line, line_width, pad, width_of

__all__ = ["event_row"]

_STYLES = {"WATCH": "accent", "RESYNC": "resync", "ERROR": "bad", "HANDLER": "warn", "REFLECT": "stage", "API": "stage",
           "QUEUE": "dim", "APP": "bold"}
_VERBS = {"ADDED": "new", "MODIFIED": "changed", "DELETED": "gone"}


def event_row(
    event: EventLine, now: float, width: int, glyphs: Glyphs, relative: bool, selected: bool, marked: bool = False,
    wide: bool = False,
) -> Line:
    """Time, category, and the sentence; `relative`: ages in place of times; `marked` by the reader; `wide`: with the
    resource it is about."""
    if relative:
        when = f"{ago(now, event.at):>6} ago"
    else:
        clock = time.strftime("%H:%M:%S" if width >= 100 else "%M:%S", time.localtime(event.wall))
        when = f"{clock}.{int(event.wall % 1 * 1000):03}"
    times = f"{glyphs.times}{event.repeats}  " if event.repeats > 1 else ""
    verb = glyphs.plain(event.verb)
    sign = "*" if marked else " "
    when_style = "cursor" if selected else "banner" if marked else "dim"
    spans = [(f"{when}{sign}", when_style), (f"{event.category:<8}", _STYLES.get(event.category, ""))]
    if wide:
        spans.append((f"{pad(clean(event.informer), 14)} ", "dim"))
    if verb:
        spans.append((f"{verb:<9}" if event.category == "WATCH" else f"{verb} ", _VERBS.get(verb, "")))
    if event.key:
        key_width = min(40, max(20, width // 3)) if event.category == "WATCH" else 0
        spans.append((f"{glyphs.plain(event.key):<{key_width}}  ", "bold"))
    spans.append((times, "bold"))
    spans.append((glyphs.plain(event.detail), "bad" if event.category == "ERROR" else ""))
    return _shortened(tuple(spans), width)


def _shortened(spans: Line, width: int) -> Line:
    """Without whole words at the end that do not fit: a figure that is cut reads as another figure."""
    over = line_width(spans) - width
    if over <= 0:
        return spans
    text, style = spans[-1]
    for joint in ("  ", " (", " "):
        while over > -2 and joint in text:
            text, _, lost = text.rpartition(joint)
            over -= width_of(lost) + len(joint)
    return (*spans[:-1], (f"{text} …" if over <= -2 else text, style))
