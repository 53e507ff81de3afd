"""The base of all panes: a bordered block of lines drawn by the line API, repainting only what changed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from kdash.ui.glyphs import UNICODE, Glyphs
from kdash.ui.spans import Line, Span, fill, fit, line_width, pad, width_of
from kdash.ui.themes import THEMES, Palette

__all__ = ["Bar", "Pane", "ScrubBar"]


class Lines(Widget):
    """Draws prepared lines; `show` compares with what is on the screen."""

    DEFAULT_CSS = """
    Lines { position: absolute; layer: base; }
    """

    def __init__(self, pane_id: str) -> None:
        super().__init__(id=pane_id)
        self.palette: Palette = THEMES["kdash-dark"]
        self.glyphs: Glyphs = UNICODE
        self._shown: list[Line] = []

    def show(self, lines: list[Line]) -> None:
        """Put lines on the screen; repaints those that differ."""
        width, old = self.size.width, self._shown
        self._shown = lines
        if len(old) != len(lines):
            self.refresh()
            return
        changed = [
            Region(0, y, width, 1) for y, (before, now) in enumerate(zip(old, lines, strict=True)) if before != now
        ]
        if changed:
            self.refresh(*changed)

    def repaint(self) -> None:
        """Draw everything anew (theme, size)."""
        self._shown = []
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        style = self.palette.style
        if y >= len(self._shown):
            return Strip([Segment(" " * width, style(""))], width)
        plain = self.glyphs.plain
        segments = [Segment(plain(text), style(name)) for text, name in fit(self._shown[y], width)]
        return Strip(segments, width)


class Bar(Lines):
    """A line without a border: the header, the tabs, the footer, the pipeline strip."""


class ScrubBar(Bar):
    """The line of a replay's time; a click goes there."""

    class Sought(Message):
        """The mouse pointed at column `x`."""

        def __init__(self, x: int) -> None:
            super().__init__()
            self.x = x

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Sought(event.x))


class Pane(Lines):
    """A bordered pane. `number` is its key."""

    class Clicked(Message):
        """The mouse chose this pane; `row` counts content lines, `double` is a double click."""

        def __init__(self, pane_id: str, row: int, double: bool) -> None:
            super().__init__()
            self.pane_id = pane_id
            self.row = row
            self.double = double

    class Wheeled(Message):
        """The mouse wheel moved over this pane."""

        def __init__(self, pane_id: str, lines: int) -> None:
            super().__init__()
            self.pane_id = pane_id
            self.lines = lines

    def __init__(self, pane_id: str, number: int | None) -> None:
        super().__init__(pane_id)
        self.number = number
        self.is_chosen = False
        self.stirred = False
        """The reader moved in it: draw it even while the display is paused."""
        self.chip = ""
        """What the reader chose for this pane, such as the order; stands at the end of its title."""

    @property
    def inner(self) -> tuple[int, int]:
        """Width and height inside the border, with one column of air on the left."""
        return max(1, self.size.width - 3), max(1, self.size.height - 2)

    def frame(self, title: str | Sequence[Span], lines: Sequence[Line], note: str = "",
              note_style: str = "dim") -> None:
        """Show content with a title and, at the right end of the bottom border, a note."""
        width, height = self.inner
        edge = self.glyphs.focused if self.is_chosen else self.glyphs.border
        style = "focus" if self.is_chosen else "border"
        spans: list[Span] = (
            [(title, "title")] if isinstance(title, str) else [(text, name or "title") for text, name in title]
        )
        if self.chip:
            spans.append((f"  {self.chip}", "accent"))
        number = f"{self.number} " if self.number else ""
        full = width + 1
        head = fit(((f"{edge.horizontal} ", style), (number, "key"), *spans, (" ", style)), min(
            full, line_width(tuple(spans)) + len(number) + 3))
        used = line_width(head)
        top: Line = ((edge.top_left, style), *head, (edge.horizontal * max(0, full - used) + edge.top_right, style))
        note = f" {note} " if note else ""
        if width_of(note) > full - 2:
            note = pad(note, max(0, full - 2))
        bottom: Line = ((edge.bottom_left + edge.horizontal * (full - width_of(note) - 1), style), (note, note_style),
                        (edge.horizontal + edge.bottom_right, style))
        body = [
            ((edge.vertical, style), (" ", ""), *each, (edge.vertical, style)) for each in fill(lines, width, height)
        ]
        self.show([top, *body, bottom])

    def text(self) -> str:
        """What it shows, without its border."""
        rows = ["".join(text for text, _ in row) for row in self._shown]
        inner = [row[1:-1] for row in rows[1:-1]] if len(rows) > 2 else rows
        return "\n".join(row.rstrip() for row in inner).rstrip() + "\n"

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Clicked(self.id or "", event.y - 1, event.chain > 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.post_message(self.Wheeled(self.id or "", 3))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.post_message(self.Wheeled(self.id or "", -3))
