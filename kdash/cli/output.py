"""The way out of the command line: whatever a command writes to stdout or stderr is written here.

Contract: text goes out line by line. What was given as one line is one printable line when it arrives: control and
format characters (C0, C1, bidirectional overrides) and line separators are gone, so nothing that a server, a recording
or a file name holds reaches the terminal as a command or forges a line. JSON stays complete: such characters are
escaped in it. A stream that cannot be written to ends the command with one sentence (`OutputFailed`), one whose
reader has left with BrokenPipeError; nothing is written to it any more. No other module of `kdash.cli` writes.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Sequence
from typing import Any

from kdash.cli.failure import FAILED, CommandFailed
from kdash.probe.text import clean

__all__ = ["GatedLog", "OutputFailed", "columns", "json_text", "prepare", "write_json", "write_lines"]

_UNESCAPED = re.compile(r"[^\x20-\x7e\n]+")


class OutputFailed(CommandFailed):
    """stdout cannot be written to."""

    def __init__(self, error: OSError) -> None:
        closed = error.errno == errno.EBADF
        super().__init__(
            "the output cannot be written: " + ("stdout is closed" if closed else error.strerror or str(error)), FAILED
        )


def prepare() -> None:
    """Before anything is opened: closed standard streams get a place, so that no file or socket takes theirs; and what
    threads and loggers write to stderr passes here too."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # opened for reading only: writing to it says that it is closed
            os.open(os.devnull, os.O_RDONLY)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8")
    threading.excepthook = _tell_thread
    logging.lastResort = GatedLog(logging.WARNING)


def write_lines(*lines: str, err: bool = False) -> None:
    """Write each of `lines` as one line. Raises `OutputFailed`, or BrokenPipeError when the reader has left."""
    _write("".join([clean(line) + "\n" for line in lines]), err)


def write_json(value: Any, indent: int | None = None) -> None:
    """Write a document. Raises as `write_lines` does."""
    _write(json_text(value, indent) + "\n", False)


def json_text(value: Any, indent: int | None = None) -> str:
    """`value` as JSON in which every character that is not printable is escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return _UNESCAPED.sub(_escaped, text)


def columns(names: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table as lines, below one another what belongs together."""
    cells = [tuple(names), *(tuple(clean(str(cell)) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return [line.rstrip() for line in lines]


class GatedLog(logging.Handler):
    """Log records on stderr, with their tracebacks: each line passes here."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it; never raises."""
        try:
            write_lines(*self.format(record).split("\n"), err=True)
        except Exception:
            self.handleError(record)


def _escaped(found: re.Match[str]) -> str:
    return "".join([letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in found[0]])


def _write(text: str, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return
    try:
        stream.write(_writable(text, stream.encoding or "utf-8"))
        stream.flush()
    except OSError as error:
        if err:
            return  # there is nobody left to tell
        _give_up()
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputFailed(error) from None


def _writable(text: str, encoding: str) -> str:
    """What a terminal cannot show becomes `?`."""
    return text if text.isascii() else text.encode(encoding, "replace").decode(encoding)


def _give_up() -> None:
    """What waits to be written is dropped, also at the end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _tell_thread(args: threading.ExceptHookArgs) -> None:
    """What ended a thread, as Python tells it."""
    if args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread is not None else "?"
    told = "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
    write_lines(f"Exception in thread {name}:", *told.rstrip("\n").split("\n"), err=True)
