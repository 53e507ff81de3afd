"""A letter on every pane for a moment: press it to go there."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Key
from textual.widgets import Static

from kdash.ui.layout import Rect
from kdash.ui.screens.overlay import Overlay

__all__ = ["JumpScreen"]

_LETTERS = "asdfjklghqwertyuiop"


class JumpScreen(Overlay[str | None]):
    """Gives the name of the pane that was chosen; None when another key was pressed."""

    DEFAULT_CSS = """
    JumpScreen { background: transparent; }
    JumpScreen Static { position: absolute; width: 5; height: 1; background: $accent; color: $background; }
    JumpScreen Static { text-style: bold; }
    """

    def __init__(self, places: Mapping[str, Rect]) -> None:
        super().__init__()
        self._places = dict(zip(_LETTERS, places.items(), strict=False))

    def compose(self) -> ComposeResult:
        for letter, (_, rect) in self._places.items():
            label = Static(Content(f"[ {letter} ]"))
            label.styles.offset = (rect.x + max(0, rect.width // 2 - 3), rect.y + rect.height // 2)
            yield label

    def on_key(self, event: Key) -> None:
        event.stop()
        chosen = self._places.get(event.key)
        self.dismiss(chosen[0] if chosen else None)
