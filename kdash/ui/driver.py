"""The terminal's driver: Textual's, but for three things that it does otherwise.

- Input goes to the app's `Intake` instead of one task a key: a flood is taken in batches, and `ctrl+q` and `ctrl+c`
  overtake it.
- A terminal that goes away ends the process, from the thread that reads it: the screen may be busy or blocked.
- SIGCONT without a SIGTSTP before it (SIGSTOP cannot be caught) takes the terminal back. Textual would start its input
  and output threads a second time; the first ones then never end, and neither does the process.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import termios
from typing import TYPE_CHECKING, Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import InputEvent, Key, Paste
from textual.message import Message

from kdash.ui.intake import Typed, portions

if TYPE_CHECKING:
    from kdash.ui.terminal_app import TerminalApp

__all__ = ["TerminalDriver"]

_READ = 1 << 16
_OVERTAKING = ("ctrl+q", "ctrl+c")
_TERMINAL_GONE = 129


class TerminalDriver(LinuxDriver):
    """Reads the keys and writes the frames of one terminal."""

    _app: TerminalApp
    _raw: list[Any] | None = None

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        with contextlib.suppress(termios.error):
            self._raw = termios.tcgetattr(self.fileno)

    # input, in a thread of its own ------------------------------------------------------------------------

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:
            self._app.leave(_TERMINAL_GONE)
        except Exception:
            self._app.call_later(self._app.panic)  # else the keyboard would be dead under a living screen

    def run_input_thread(self) -> None:
        """Read until the driver stops; the end of the terminal ends the app."""
        parser, cut = XTermParser(self._debug), portions()
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    data = os.read(self.fileno, _READ)
                    if not data:
                        self._app.leave(_TERMINAL_GONE)
                        return
                    for part, is_plain in cut(decode(data)):
                        if is_plain:
                            self._app.receive(Typed(part))
                            continue
                        for message in parser.feed(part):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    def send_message(self, message: Message) -> None:
        if isinstance(message, Key) and message.key in _OVERTAKING:
            if message.key == "ctrl+q":
                self._app.leave(0)
            super().send_message(message)
        elif isinstance(message, InputEvent | Paste):
            self._app.receive(message)
        else:
            super().send_message(message)

    # stopped and continued ----------------------------------------------------------------------------------

    def _sigcont_application(self, *_: object) -> None:
        if self._must_signal_resume:
            super()._sigcont_application()
        elif self._auto_restart and self._writer_thread is not None:
            self._loop.call_soon_threadsafe(self._take_back)

    def _take_back(self) -> None:
        """The shell had the terminal meanwhile: set it up and draw everything again."""
        if self._writer_thread is None or self._raw is None or self._app.is_leaving:
            return
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self.fileno, termios.TCSANOW, self._raw)
        self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h")
        self._enable_mouse_support()
        self._enable_bracketed_paste()
        self._disable_line_wrap()
        self.flush()
        self._app.come_back()
