"""A screen with one line to type into, which loses no key.

Who types `:resync` quickly has typed it before the palette stands: those keys wait here until the line has the focus.
"""

from __future__ import annotations

import asyncio
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
        self._early: list[Key] = []
        self.ready = asyncio.Event()
        """Set when the line has the focus; whoever hands over keys in order waits for it."""

    def on_mount(self) -> None:
        if self.query(Input):  # an app that is about to end mounts a screen, but not what it is made of
            self.stand()

    def stand(self) -> None:
        """The screen's parts are there."""
        self.query_one(Input).cursor_blink = False
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """Hand over what was typed so far, then let the line have the rest: nothing comes between."""
        self.ready.set()
        early, self._early = self._early, []
        for event in early:
            self._hand_over(event)
        self.set_focus(self.query_one(Input))

    def _hand_over(self, event: Key) -> None:
        again = Key(event.key, event.character)
        again._sender = None  # else it would not rise to the app, which knows what enter means
        self.query_one(Input)._forward_event(again)

    def take_text(self, text: str) -> int:
        """Insert the first line of what was typed or pasted in one go; returns how many characters had no room."""
        line = text.splitlines()[0] if text else ""
        box = self.query_one(Input)
        kept = line[: max(0, TYPED_MAX - len(box.value))]
        if kept:
            box.replace(kept, *box.selection)
        return len(line) - len(kept)

    def take_key(self, event: Key) -> bool:
        """Whether this key, which came to the app, was meant for the line; then it gets there."""
        if not self.ready.is_set():
            self._early.append(event)
        elif event.is_printable:  # the line takes these itself: this one passed it by
            self._hand_over(event)
        else:
            return False
        return True
