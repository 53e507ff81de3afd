"""The scrub bar of a replay: the recording's time from end to end, the playhead, and where lists and resyncs were.

Instants are seconds since the epoch. Marks are the letters of the keys that do such a thing to a live informer: `R` a
list or relist, `r` a resync; resyncs that would fill the bar are left out.
"""

from __future__ import annotations

import time

from kdash.probe.snapshot import ReplayView
from kdash.ui.glyphs import Glyphs
from kdash.ui.spans import Line, Span, line_width

__all__ = ["instant_at", "scrub_line"]

_LEGEND_FROM = 110
_CELLS = 4  # that a resync must have of the line, or none is marked


def scrub_line(replay: ReplayView, glyphs: Glyphs, width: int) -> Line:
    """One line of `width` cells."""
    head, tail = _ends(replay, glyphs, width)
    room = _room(width, head, tail)
    cells: list[Span] = [(glyphs.line, "dim")] * room
    played = _cell(replay, replay.at, room)
    cells[:played] = [(glyphs.line, "accent")] * played
    for at in _resyncs(replay, width):
        cells[_cell(replay, at, room)] = ("r", "resync")
    for at in replay.relists:
        cells[_cell(replay, at, room)] = ("R", "warn")
    if replay.goes_to is not None:
        cells[_cell(replay, replay.goes_to, room)] = (glyphs.arrow, "key")
    cells[played] = (glyphs.pulse, "focus")
    return (*head, *cells, *tail)


def instant_at(replay: ReplayView, glyphs: Glyphs, width: int, x: int) -> float | None:
    """The instant of the cell in column `x`; None beside the bar."""
    head, tail = _ends(replay, glyphs, width)
    room, cell = _room(width, head, tail), x - line_width(head)
    if not 0 <= cell < room:
        return None
    return replay.first_at + (replay.last_at - replay.first_at) * cell / max(1, room - 1)


def _room(width: int, head: Line, tail: Line) -> int:
    return max(1, width - line_width(head) - line_width(tail))


def _ends(replay: ReplayView, glyphs: Glyphs, width: int) -> tuple[Line, Line]:
    last = (f"{glyphs.arrow} {_clock(replay.last_at)} ", "dim")
    head: Line = ((f" {_clock(replay.first_at)} {glyphs.next}", "dim"),)
    if width < _LEGEND_FROM:
        return head, (last,)
    marked = (("  r", "resync"), (" resync ", "dim")) if _resyncs(replay, width) else ()
    return head, (last, ("   R", "warn"), (" list, relist ", "dim"), *marked)


def _resyncs(replay: ReplayView, width: int) -> tuple[float, ...]:
    """Those that are marked; none when they would fill the bar."""
    return replay.resyncs if len(replay.resyncs) * _CELLS <= width else ()


def _cell(replay: ReplayView, at: float, room: int) -> int:
    length = replay.last_at - replay.first_at
    share = 1.0 if length <= 0 else (at - replay.first_at) / length
    return max(0, min(room - 1, round(share * (room - 1))))


def _clock(wall: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(wall))
