"""What the dashboard needs of Textual that Textual does otherwise: keys, the mouse, and what happens at a crash."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from textual.app import App
from textual.events import Key, Paste, Resize
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen

from kdash.ui.ending import Ending
from kdash.ui.intake import TYPED_MAX, Intake, Typed
from kdash.ui.screens.typed import TypedScreen

__all__ = ["TerminalApp"]

_SETTLE_S = 0.5
_STANDS_S = 5.0


class Dashboard(Screen[None], inherit_bindings=False):
    """The screen of the panes. No key is its own: Textual's screens keep tab and ctrl+c for themselves."""


class TerminalApp(App[int]):
    """An app that loses no key, gives the mouse back on request, and tells no secrets when it crashes."""

    crash: BaseException | None = None
    mouse = True
    ending: Ending | None = None
    """Ends the process when the app cannot; None where there is no terminal to give back."""

    def __init__(self) -> None:
        super().__init__()
        self._intake = Intake()
        self._obeying: asyncio.Task[None] | None = None
        self._loop_of_app: asyncio.AbstractEventLoop | None = None

    def get_driver_class(self) -> Any:
        standard = super().get_driver_class()
        if standard.__module__ != "textual.drivers.linux_driver":
            return standard
        from kdash.ui.driver import TerminalDriver

        return TerminalDriver

    def get_default_screen(self) -> Screen[None]:
        return Dashboard(id="_default")

    # input -----------------------------------------------------------------------------------------------

    def on_load(self) -> None:
        self._loop_of_app = asyncio.get_running_loop()

    def receive(self, item: Message | Typed) -> None:
        """Take what came from the terminal; from any thread. It is obeyed in order, one after the other."""
        self._intake.put(item)
        if self._loop_of_app is not None and not self._loop_of_app.is_closed():
            self._loop_of_app.call_soon_threadsafe(self._begin_to_obey)

    def _begin_to_obey(self) -> None:
        if self._obeying is None or self._obeying.done():
            self._obeying = asyncio.create_task(self._obey(), name="kdash-input")

    async def _obey(self) -> None:
        """Hand over all that waits. What comes next waits until the screen it is meant for stands."""
        while await self._screen_stands() and (item := self._intake.take(isinstance(self.screen, TypedScreen))):
            if isinstance(item, Typed | Paste):
                await self._type(item if isinstance(item, Typed) else item.text)
            else:
                await self._post_message(item)
            if not self._intake.is_empty:
                await self._settle()
        dropped = self._intake.dropped()
        if dropped:
            self.tell_dropped(f"{dropped:,} keys came faster than they can be obeyed and were dropped")

    async def _type(self, text: str) -> None:
        screen = self.screen
        if isinstance(screen, TypedScreen):
            if screen.take_text(text):
                self.tell_dropped(f"a prompt takes {TYPED_MAX:,} characters: the rest was dropped")
        else:
            await self._post_message(Paste(text))

    async def _screen_stands(self) -> bool:
        screen = self.screen
        if isinstance(screen, TypedScreen) and not screen.ready.is_set():
            try:
                await asyncio.wait_for(screen.ready.wait(), _STANDS_S)
            except TimeoutError:
                return self.is_running  # it was left before it stood
        return True

    async def _settle(self) -> None:
        """Wait until what was handed over has had its effect: twice, for what it sent in its turn."""
        for _ in range(2):
            pump: MessagePump | None = self.focused or self.screen
            while pump is not None:
                passed = asyncio.Event()
                if pump.is_running and pump.call_later(passed.set):
                    try:
                        await asyncio.wait_for(passed.wait(), _SETTLE_S)
                    except TimeoutError:
                        return  # it is being taken away
                pump = pump._parent if pump is not self else None

    def tell_dropped(self, sentence: str) -> None:
        """Say that some of the input was not taken."""

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

    def come_back(self) -> None:
        """The terminal was somebody else's for a while: draw everything again."""
        self.post_message(Resize(self.size, self.size))
        self.refresh(layout=True)

    # the end of things ---------------------------------------------------------------------------------

    def leave(self, code: int) -> None:
        """End the app with `code`; from any thread, and also when the screen is busy or its terminal is gone."""
        if self.ending is not None:
            self.ending.ask(code)
        else:
            self.exit_soon(code)

    @property
    def is_leaving(self) -> bool:
        """Whether the app was asked to end."""
        return self._exit

    def exit_soon(self, code: int) -> None:
        """Have the screen's thread call `exit`. From any thread; before the app runs, it ends as soon as it does."""
        loop = self._loop_of_app
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: so has the app
                loop.call_soon_threadsafe(self.exit, code)

    def exit(self, result: int | None = None, return_code: int = 0, message: Any = None) -> None:
        if self.ending is not None:
            self.ending.ask(result or 0)
        super().exit(result, return_code, message)

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
