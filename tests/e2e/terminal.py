"""Drives the real binary in a pseudo-terminal and reads its screen as a person would.

`Terminal` starts a command in a pty, feeds everything it writes to a pyte screen in a reader thread, and lets a
test wait for what it wants to see. Waiting is event-driven: each chunk of output wakes the waiters.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyte

# Private-prefix CSI sequences (keyboard protocol, mouse modes) that pyte takes for text.
_PRIVATE_CSI = re.compile(rb"\x1b\[[<>=][0-9;:]*[A-Za-z]|\x1bP[^\x1b]*\x1b\\|\x1b\[\?[0-9;]*\$p")


def kdash_command(*args: str) -> list[str]:
    """The installed `kdash` script of the interpreter that runs the tests."""
    return [str(Path(sys.executable).with_name("kdash")), *args]


class Terminal:
    """One process in a pty of `columns` x `rows`."""

    def __init__(
        self, argv: list[str], columns: int = 120, rows: int = 40, env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.raw = bytearray()
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()  # guards _screen, raw and _eof
        self._eof = False
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            child_env = dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            for name in ("NO_COLOR", "COLUMNS", "LINES"):
                child_env.pop(name, None)
            child_env.update(env or {})
            os.chdir(cwd or ".")
            for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):  # by whoever started the tests, perhaps
                signal.signal(ignored, signal.SIG_DFL)
            os.execvpe(argv[0], argv, child_env)
        self.resize(columns, rows)
        self.exit_code: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._reap()
        self._reader.join(5.0)
        os.close(self._fd)

    def _read(self) -> None:
        pending = b""
        while True:
            quiet = pending and not select.select([self._fd], [], [], 0.05)[0]
            try:
                chunk = b"" if quiet else os.read(self._fd, 65536)
            except OSError:
                chunk = b""
            with self._changed:
                if not chunk and not quiet:
                    self._eof = True
                    self._changed.notify_all()
                    return
                self.raw += chunk
                ready, pending = self._whole_sequences(pending + chunk, at_rest=bool(quiet))
                self._stream.feed(_PRIVATE_CSI.sub(b"", ready))
                self._changed.notify_all()

    @staticmethod
    def _whole_sequences(data: bytes, at_rest: bool) -> tuple[bytes, bytes]:
        """Hold back an escape sequence that may have been cut by the end of a read."""
        cut = data.rfind(b"\x1b")
        if at_rest or cut < 0 or cut < len(data) - 64:
            return data, b""
        return data[:cut], data[cut:]

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with self._changed:
            self._screen.resize(rows, columns)

    def send(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def text(self) -> str:
        """The screen as lines of text."""
        with self._changed:
            return "\n".join(self._screen.display)

    def wait_for(self, wanted: str | re.Pattern[str] | Callable[[str], object], timeout_s: float = 20.0) -> str:
        """Wait until the screen shows `wanted`; returns the screen. Fails with the screen's text."""
        if isinstance(wanted, str):
            needle = wanted
            test: Callable[[str], object] = lambda text: needle in text  # noqa: E731
        elif isinstance(wanted, re.Pattern):
            test = wanted.search
        else:
            test = wanted
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                shown = "\n".join(self._screen.display)
                if test(shown):
                    return shown
                left = deadline - time.monotonic()
                if left <= 0 or self._eof:
                    why = "the process ended" if self._eof else f"{timeout_s} s passed"
                    raise AssertionError(f"{why} before the screen showed {wanted!r}; it showed:\n{shown}")
                self._changed.wait(left)

    def wait_exit(self, timeout_s: float = 10.0) -> int:
        """Wait for the process to end; returns its exit code (negative: the signal that ended it)."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._eof:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"still running after {timeout_s} s:\n" + "\n".join(self._screen.display))
                self._changed.wait(left)
        self._reap()
        assert self.exit_code is not None
        return self.exit_code

    def terminal_restored(self) -> bool:
        """The alternate screen was left and the cursor shown again, in that the last word on each is `off`/`show`."""
        raw = bytes(self.raw)
        return raw.rfind(b"\x1b[?1049l") > raw.rfind(b"\x1b[?1049h") and raw.rfind(b"\x1b[?25h") > raw.rfind(
            b"\x1b[?25l"
        )

    def _reap(self) -> None:
        _, status = os.waitpid(self._pid, 0)
        self.exit_code = os.waitstatus_to_exitcode(status)
