"""How the dashboard lives in a terminal: start, signals, a terminal that goes away, a crash, and the end.

Contract: whatever happens, the terminal is given back and the process ends: within `_PATIENCE_S` even when the terminal
is gone and what was written to it cannot be. A crash leaves one sentence and a report without secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdash.probe.text import shorten
from kdash.ui.crash import redact, write_report

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["exit_at_signals", "run_in_terminal", "terminal_is_gone"]

_logger = logging.getLogger(__name__)
_PATIENCE_S = 3.0
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def run_in_terminal(app: KdashApp) -> int:
    """Run the app until the user leaves it; returns the exit code."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise RuntimeError("the dashboard needs a terminal: use kdash snapshot or kdash trace in a pipe")
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        with _quiet_threads():
            code = app.run(mouse=app.options.mouse)
    finally:
        sys.setswitchinterval(switch_s)
    if app.crash is not None:
        _tell(app)
        return 1
    return int(code or app.return_code or 0)


def _tell(app: KdashApp) -> None:
    """One sentence on stderr; the details are in the report."""
    assert app.crash is not None
    what = f"{type(app.crash).__name__}: {redact(str(app.crash))}" if str(app.crash) else type(app.crash).__name__
    sentence = f"kdash: internal error ({shorten(what, 200)})"
    try:
        path = write_report(app.crash, app.describe_itself())
        sentence += f"; a report without secrets is in {path}: please attach it when you report this"
    except OSError as error:
        sentence += f"; no report could be written: {error.strerror}"
    with contextlib.suppress(OSError):
        sys.stderr.write(sentence + "\n")
        sys.stderr.flush()


@contextlib.contextmanager
def _quiet_threads() -> Iterator[None]:
    """An exception in a thread must not be written over the screen."""
    before = threading.excepthook

    def note(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "?"
        _logger.error("thread %s ended", name, exc_info=args.exc_value)

    threading.excepthook = note
    try:
        yield
    finally:
        threading.excepthook = before


def exit_at_signals(app: KdashApp) -> None:
    """SIGTERM and SIGHUP end the app as `q` does, with the exit code of the signal."""
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, leave, app, 128 + number)


def leave(app: KdashApp, code: int) -> None:
    """End the app; and the process, should the terminal not take the last words."""
    last_resort = threading.Timer(_PATIENCE_S, os._exit, (code,))
    last_resort.daemon = True
    last_resort.start()
    app.exit(code)


def terminal_is_gone() -> bool:
    """Whether stdin, which was a terminal at the start, is none any more (the window was closed)."""
    try:
        return not os.isatty(sys.__stdin__.fileno()) if sys.__stdin__ is not None else False
    except (OSError, ValueError):
        return True
