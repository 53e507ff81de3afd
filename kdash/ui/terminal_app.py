"""What the dashboard needs of Textual that Textual does otherwise: keys, the mouse, and what happens at a crash."""

from __future__ import annotations

from textual.app import App
from textual.events import Key
from textual.screen import Screen

from kdash.ui.screens.typed import TypedScreen

__all__ = ["TerminalApp"]


class Dashboard(Screen[None], inherit_bindings=False):
    """The screen of the panes. No key is its own: Textual's screens keep tab and ctrl+c for themselves."""


class TerminalApp(App[int]):
    """An app that loses no key, gives the mouse back on request, and tells no secrets when it crashes."""

    crash: BaseException | None = None
    mouse = True

    def get_default_screen(self) -> Screen[None]:
        return Dashboard(id="_default")

    def on_key(self, event: Key) -> None:
        """A key that nobody took; one that was typed ahead of a prompt belongs to the prompt."""
        if isinstance(self.screen, TypedScreen) and self.screen.take_key(event):
            event.prevent_default()

    def set_mouse(self, on: bool) -> bool:
        """Take the mouse, or leave it to the terminal; returns what is so now."""
        driver = self._driver
        switch = getattr(driver, "_enable_mouse_support" if on else "_disable_mouse_support", None)
        if switch is not None:
            driver._mouse = True  # type: ignore[union-attr]
            switch()
            driver._mouse = on  # type: ignore[union-attr]
        self.mouse = on
        return on

    # the end of things ---------------------------------------------------------------------------------

    def _handle_exception(self, error: Exception) -> None:
        """Textual would print a traceback with local variables, and so what they hold: a report is written instead."""
        self.crash = self.crash or error
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    def panic(self, *renderables: object) -> None:
        """The terminal's input failed."""
        self._handle_exception(OSError("the terminal's input failed"))
