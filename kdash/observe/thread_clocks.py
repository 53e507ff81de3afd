"""What a system tells of a thread besides its CPU time: its time in the run queue, and where its bytecode stands.

Contract: absent is None, never 0. `RunQueueClock` costs half a microsecond a reading; any thread may read it, also
after the thread has ended. `point_of` reads the source of a code object the first time.
"""

from __future__ import annotations

import ast
import dis
import io
import linecache
import os
import threading
from functools import lru_cache
from itertools import islice
from types import CodeType

from kdash.probe.text import shorten

__all__ = ["RunQueueClock", "point_of"]

_HANDED_OVER = ("JUMP_BACKWARD", "POP_JUMP_BACKWARD", "JUMP_ABSOLUTE", "RESUME")


class RunQueueClock:
    """For how long one thread has been ready to run while the CPU was another's (Linux: schedstat)."""

    def __init__(self, path: str) -> None:
        self._file = io.FileIO(path)  # closed with this object

    @classmethod
    def of_this_thread(cls) -> RunQueueClock | None:
        """None on systems that do not tell."""
        try:
            clock = cls(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        except OSError:
            return None
        return clock if clock._read()[0] > 0 else None  # all 0: the kernel does not keep it

    def seconds(self) -> float | None:
        """None once the thread has ended."""
        ran, queued = self._read()
        return queued / 1e9 if ran > 0 else None

    def _read(self) -> tuple[int, int]:
        try:
            ran, queued, *_ = os.pread(self._file.fileno(), 64, 0).split()
        except (OSError, ValueError):
            return 0, 0
        return int(ran), int(queued)


@lru_cache(1024)
def point_of(code: CodeType, offset: int) -> tuple[bool, str]:
    """(whether the thread may wait there, what is called there as it is written, "" if that cannot be told).

    It cannot wait where the interpreter is handed over: at the end of a loop's round, at the start of a function.
    """
    if not 0 <= offset < len(code.co_code):
        return True, ""
    operation = dis.opname[code.co_code[offset]]
    if operation.startswith(_HANDED_OVER):
        return False, ""
    if operation in ("BEFORE_WITH", "WITH_EXCEPT_START"):
        return True, "with"
    return True, shorten(_callee(code, offset), 80) if "CALL" in operation else ""


def _callee(code: CodeType, offset: int) -> str:
    line, end, column, end_column = next(islice(code.co_positions(), offset // 2, None), (None,) * 4)
    if line is None or end is None or column is None or end_column is None:
        return ""
    lines = [linecache.getline(code.co_filename, each).encode() for each in range(line, end + 1)]
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    try:
        expression = ast.parse(b"".join(lines).decode().strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    return ast.unparse(expression.func) if isinstance(expression, ast.Call) else ""
