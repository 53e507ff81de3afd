"""Pane 7: one line of the event log."""

from __future__ import annotations

import time

from kdash.probe.events import EventLine
from kdash.ui.glyphs import Glyphs
from kdash.ui.presenter.context import ago
from kdash.ui.spans import Line

__all__ = ["event_row"]

_STYLES = {"WATCH": "accent", "RESYNC": "resync", "ERROR": "bad", "HANDLER": "warn", "REFLECT": "stage", "API": "stage",
           "QUEUE": "dim", "APP": "bold"}
_VERBS = {"ADDED": "new", "MODIFIED": "changed", "DELETED": "gone"}


def event_row(event: EventLine, now: float, width: int, glyphs: Glyphs, relative: bool, selected: bool) -> Line:
    """Time, category, and the sentence; `relative`: ages in place of times."""
    if relative:
        when = f"{ago(now, event.at):>6} ago"
    else:
        clock = time.strftime("%H:%M:%S" if width >= 100 else "%M:%S", time.localtime(event.wall))
        when = f"{clock}.{int(event.wall % 1 * 1000):03}"
    times = f"  {glyphs.times}{event.repeats}" if event.repeats > 1 else ""
    verb = glyphs.plain(event.verb)
    spans = [(f"{when} ", "cursor" if selected else "dim"), (f"{event.category:<8}", _STYLES.get(event.category, ""))]
    if verb:
        spans.append((f"{verb:<9}" if event.category == "WATCH" else f"{verb} ", _VERBS.get(verb, "")))
    if event.key:
        key_width = min(40, max(20, width // 3)) if event.category == "WATCH" else 0
        spans.append((f"{glyphs.plain(event.key):<{key_width}}  ", "bold"))
    spans.append((glyphs.plain(event.detail) + times, "bad" if event.category == "ERROR" else ""))
    return tuple(spans)
