"""A page of prepared lines over the dashboard: help, or an object's YAML. Scrolls; any way back leads back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kdash.probe.text import plural
from kdash.ui.glyphs import Glyphs
from kdash.ui.panes.pane import Pane
from kdash.ui.screens.overlay import Overlay
from kdash.ui.spans import Line
from kdash.ui.themes import Palette

__all__ = ["Reader"]


class Reader(Overlay[None]):
    """Shows `lines` under `title`."""

    DEFAULT_CSS = """
    Reader { align: center middle; }
    Reader Pane { position: relative; width: 90%; height: 90%; max-width: 140; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark,y", "leave", show=False),
        Binding("up,k", "scroll_by(-1)", show=False),
        Binding("down,j", "scroll_by(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("g,home", "scroll_by(-1000000)", show=False),
        Binding("G,end", "scroll_by(1000000)", show=False),
    ]

    def __init__(
        self, title: str, lines: Sequence[Line] | Callable[[], Sequence[Line]], palette: Palette, glyphs: Glyphs
    ) -> None:
        """`lines` as a function is asked again every second."""
        super().__init__()
        self._head = title
        self._ask = lines if callable(lines) else None
        self._text = list(lines() if callable(lines) else lines)
        self._from = 0
        self._pane = Pane("reader", None)
        self._pane.palette, self._pane.glyphs, self._pane.is_chosen = palette, glyphs, True

    def compose(self) -> ComposeResult:
        yield self._pane

    def on_mount(self) -> None:
        self.call_after_refresh(self._draw)
        if self._ask is not None:
            self.set_interval(1.0, self._draw_anew)

    def _draw_anew(self) -> None:
        if self._ask is not None:
            self._text = list(self._ask())
            self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        height = self._pane.inner[1]
        self._from = max(0, min(self._from, len(self._text) - height))
        last = min(len(self._text), self._from + height)
        note = f"{self._from + 1}-{last} of {plural(len(self._text), 'line')}, esc leaves"
        self._pane.frame(self._head, self._text[self._from : last], note)

    def action_scroll_by(self, lines: int) -> None:
        self._from += lines
        self._draw()

    def action_page(self, pages: int) -> None:
        self.action_scroll_by(pages * max(1, self._pane.inner[1] - 1))

    def on_pane_wheeled(self, message: Pane.Wheeled) -> None:
        self.action_scroll_by(message.lines)

    def action_leave(self) -> None:
        self.dismiss()
