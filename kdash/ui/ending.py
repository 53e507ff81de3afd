"""The end of the process: asked for by a key, a signal or a terminal that goes away, and always reached.

Contract: `ask` may be called from any thread and from a signal handler at any moment: all it does is write a byte into
a pipe. The thread `kdash-ending` reads it, asks the app to end, and after `PATIENCE_S` gives the terminal back and ends
the process itself: the screen may be blocked by a terminal that takes no more output, a handler may never return, a
disk may be slow. The first code that was asked for is the process's exit code.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["PATIENCE_S", "Ending"]

PATIENCE_S = 0.8
_WRITE_S = 0.15
_SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXCPU")
_GIVE_BACK = (
    b"\x1b[?2026l\x1b[?2004l\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?7h\x1b[<u"
    b"\x1b[?1049l\x1b[?25h"
)


class Ending:
    """Ends one process."""

    def __init__(
        self, leave: Callable[[int], None], *, patience_s: float = PATIENCE_S,
        give_back: Callable[[], None] | None = None, end: Callable[[int], None] = os._exit,
    ) -> None:
        """`leave` asks the app to end; `give_back` makes the terminal as it was; `end` ends the process."""
        self._leave, self._patience_s, self._end = leave, patience_s, end
        self._give_back = give_back or _Terminal().give_back
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self.code: int | None = None
        """What was asked for first."""
        self.is_over = threading.Event()
        """Set when there is nothing to end any more; in a program that ends with its screen, never."""
        threading.Thread(target=self._work, name="kdash-ending", daemon=True).start()

    def ask(self, code: int) -> None:
        """End with `code`."""
        with contextlib.suppress(OSError):
            os.write(self._write, bytes((code & 0xFF,)))

    def catch_signals(self) -> None:
        """From now on, signals that would end the process end it in order, with 128 + their number. Main thread."""
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda number, _: self.ask(128 + number))

    def _work(self) -> None:
        self.code = os.read(self._read, 1)[0]
        self._leave(self.code)
        if not self.is_over.wait(self._patience_s):
            self._give_back()
            self._end(self.code)


class _Terminal:
    """The terminal as it was before the screen had it."""

    def __init__(self) -> None:
        self._attributes: list[Any] | None = None
        with contextlib.suppress(termios.error, OSError, ValueError, AttributeError):
            self._attributes = termios.tcgetattr(sys.__stdin__.fileno())  # type: ignore[union-attr]

    def give_back(self) -> None:
        """Waits for the terminal no longer than `_WRITE_S`."""
        if self._attributes is None:
            return
        with contextlib.suppress(termios.error, OSError, ValueError, AttributeError):
            _write_soon(sys.__stderr__.fileno(), _GIVE_BACK)  # type: ignore[union-attr]
        with contextlib.suppress(termios.error, OSError, ValueError, AttributeError):
            termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, self._attributes)  # type: ignore[union-attr]


def _write_soon(descriptor: int, data: bytes) -> None:
    os.set_blocking(descriptor, False)
    try:
        while data and select.select([], [descriptor], [], _WRITE_S)[1]:
            data = data[os.write(descriptor, data) :]
    finally:
        os.set_blocking(descriptor, True)
