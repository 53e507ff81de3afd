"""A screen with one line to type into, which loses no key.

Who types `:resync` quickly has typed it before the palette stands: those keys wait here until the line has the focus.
"""

from __future__ import annotations

from typing import TypeVar

from textual.events import Key
from textual.widgets import Input

from kdash.ui.intake import TYPED_MAX
from kdash.ui.screens.overlay import Overlay

__all__ = ["TypedScreen"]

Result = TypeVar("Result")


class TypedScreen(Overlay[Result]):
    """Its `Input` gets every key from the moment the screen was asked for."""

    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self._early: list[Key | str] = []
        self._is_ready = False

    def on_mount(self) -> None:
        if self.query(Input):  # an app that is about to end mounts a screen, but not what it is made of
            self.stand()

    def stand(self) -> None:
        """The screen's parts are there."""
        self.query_one(Input).cursor_blink = False
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Hand over what was typed so far, then let the line have the rest: nothing comes between."""
        self._is_ready = True
        early, self._early = self._early, []
        for each in early:
            if isinstance(each, str):
                self._insert(each)
            else:
                self._hand_over(each)
        self.set_focus(self.query_one(Input))

    def _hand_over(self, event: Key) -> None:
        again = Key(event.key, event.character)
        again._sender = None  # else it would not rise to the app, which knows what enter means
        self.query_one(Input)._forward_event(again)

    def take_text(self, text: str) -> int:
        """Take characters that were typed or pasted in one go, the first line of them; returns how many were kept."""
        line = text.splitlines()[0] if text else ""
        if self._is_ready:
            return self._insert(line) + len(text) - len(line)
        room = TYPED_MAX - sum(len(each) for each in self._early if isinstance(each, str))
        self._early.append(line[: max(room, 0)])
        return min(len(line), max(room, 0)) + len(text) - len(line)

    def _insert(self, text: str) -> int:
        box = self.query_one(Input)
        kept = text[: max(0, TYPED_MAX - len(box.value))]
        if kept:
            box.replace(kept, *box.selection)
        return len(kept)

    def take_key(self, event: Key) -> bool:
        """Whether this key, which came to the app, was meant for the line; then it gets there."""
        if not self._is_ready:
            self._early.append(event)
        elif event.is_printable:  # the line takes these itself: this one passed it by
            self._hand_over(event)
        else:
            return False
        return True
