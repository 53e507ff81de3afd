"""How the dashboard lives in a terminal: start, signals, a terminal that goes away, a crash, and the end.

Contract: whatever happens, the terminal is given back and the process ends, see `ending`. A crash leaves one sentence
and a report without secrets.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdash.probe.text import shorten
from kdash.ui.crash import redact, write_report
from kdash.ui.ending import Ending

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["run_in_terminal", "terminal_is_gone"]

_logger = logging.getLogger(__name__)


def run_in_terminal(app: KdashApp) -> int:
    """Run the app until the user leaves it; returns the exit code.

    The process ends at the latest `PATIENCE_S` after that, whatever still runs in it.
    """
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise RuntimeError("the dashboard needs a terminal: use kdash snapshot or kdash trace in a pipe")
    app.ending = Ending(app.exit_soon)
    app.ending.catch_signals()
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


def terminal_is_gone() -> bool:
    """Whether stdin, which was a terminal at the start, is none any more (the window was closed)."""
    try:
        return not os.isatty(sys.__stdin__.fileno()) if sys.__stdin__ is not None else False
    except (OSError, ValueError):
        return True
