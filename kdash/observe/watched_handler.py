"""A handler that takes its time or is the user's own, watched: errors with traceback, CPU time, stack samples.

Contract:
- `WatchedHandler` wraps one handler of one informer; its methods run in that handler's thread. What the handler
  raises is told to the tap and raised on, so that the core does what client-go does: count it, skip that
  notification, pause a second. What is no `Exception` (SystemExit, KeyboardInterrupt, GeneratorExit) is raised on
  as an `Exception` of the same name: it must not end the thread.
- `StackSampler.sample` is called some twenty times a second by the probe's thread; it looks at the threads of the
  calls that take longer than their limit, and at no others. A sample costs some 50 µs.
- Frames are the user's: those of kdash are left out. Their text is cleaned; no values of variables are read.
"""

from __future__ import annotations

import linecache
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from kdash.informer.handlers import ResourceEventHandler
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from kdash.informer.tap import Tap
from kdash.probe.text import shorten

__all__ = ["StackSampler", "WatchedHandler"]

_MOST_FRAMES = 24
_CPU_FROM_S = 0.001
_SLACK_S = 0.005
_KDASH = str(Path(__file__).resolve().parents[1]) + "/"
_BORDERS = (_KDASH + "observe/watched_handler.py", _KDASH + "observe/user_code.py")

Frame = tuple[str, int, str, str, bool]
"""(file, line, function, text, own)"""


class WatchedHandler:
    """Calls `handler` and tells the tap what became of it."""

    def __init__(
        self, handler: ResourceEventHandler, name: str, informer: str, tap: Tap, sampler: StackSampler
    ) -> None:
        self.handler = handler
        self._name = name
        self._informer = informer
        self._emit = tap.emit
        self._sampler = sampler
        self._known_thread = 0
        self.began = (0.0, 0.0)
        """Of the newest call: the instant, and the CPU seconds that its thread had used."""

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self._call("add", obj, is_in_initial_list, self.handler.on_add, obj, is_in_initial_list)

    def on_update(self, old: Any, new: Any) -> None:
        self._call("update", new, False, self.handler.on_update, old, new)

    def on_delete(self, obj: Any) -> None:
        self._call("delete", obj, False, self.handler.on_delete, obj)

    def _call(self, kind: str, obj: Any, is_initial: bool, method: Any, *arguments: Any) -> None:
        if self._known_thread != threading.get_ident():
            self._known_thread = threading.get_ident()
            self._sampler.enter(self._name, self._informer, self)
        began, cpu_began = self.began = time.monotonic(), time.thread_time()
        try:
            method(*arguments)
        except BaseException as error:
            message = self._tell(error, kind, obj, is_initial)
            if isinstance(error, Exception):
                raise
            raise type(type(error).__name__, (Exception,), {})(message) from None
        finally:
            took = time.monotonic() - began
            if took >= _CPU_FROM_S:
                cpu_s = time.thread_time() - cpu_began
                self._emit("handler.cpu", self._informer, self._name, kind, obj.key, cpu_s, took)

    def _tell(self, error: BaseException, kind: str, obj: Any, is_initial: bool) -> str:
        try:
            message = shorten(str(error))
        except BaseException as broken:
            message = f"(its text cannot be made: {type(broken).__name__})"
        self._emit(
            "handler.error", self._informer, self._name, kind, obj.key, shorten(type(error).__name__, 80), message,
            _frames_of_traceback(error.__traceback__), isinstance(obj, DeletedFinalStateUnknown), is_initial,
        )  # fmt: skip
        return message


class _Thread(NamedTuple):
    ident: int
    clock: int | None
    """Of its CPU time; None where the system has none."""
    handler: WatchedHandler


class StackSampler:
    """Looks at the threads of long calls."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._lock = threading.Lock()  # guards _threads
        self._threads: dict[tuple[str, str], _Thread] = {}  # by (informer, name)
        self._cpu: dict[tuple[str, str], tuple[int, float]] = {}  # of the last sample: (running_seq, CPU seconds)

    def enter(self, name: str, informer: str, handler: WatchedHandler) -> None:
        """The calling thread is that of `handler`."""
        clock = None
        if hasattr(time, "pthread_getcpuclockid"):
            clock = time.pthread_getcpuclockid(threading.get_ident())
        with self._lock:
            self._threads[informer, name] = _Thread(threading.get_ident(), clock, handler)

    def sample(self, running: Iterable[tuple[str, str, int, str, str, float]]) -> None:
        """`running`: (informer, handler, seq of its handler.start, kind, key, elapsed) of each long call."""
        frames: dict[int, FrameType] | None = None
        for informer, name, seq, kind, key, elapsed_s in running:
            with self._lock:
                thread = self._threads.get((informer, name))
            if thread is None:
                continue
            frames = frames or sys._current_frames()
            frame = frames.get(thread.ident)
            if frame is None:
                continue
            stack = _frames_of_stack(frame)
            cpu_s = self._cpu_since((informer, name), seq, elapsed_s, thread)
            if stack:
                self._tap.emit("handler.sample", informer, name, kind, key, stack, elapsed_s, cpu_s)

    def _cpu_since(self, who: tuple[str, str], seq: int, elapsed_s: float, thread: _Thread) -> float | None:
        """CPU seconds since the last sample of the same call, or since it began; None where it cannot be told."""
        if thread.clock is None:
            return None
        began_at, cpu_began = thread.handler.began
        try:
            now = time.clock_gettime(thread.clock)
        except OSError:  # the thread has ended
            return None
        before = self._cpu.get(who)
        self._cpu[who] = seq, now
        if before is not None and before[0] == seq:
            return now - before[1]
        is_next_call = time.monotonic() - began_at < elapsed_s - _SLACK_S
        return None if is_next_call else now - cpu_began


def _frames_of_traceback(trace: TracebackType | None) -> tuple[Frame, ...]:
    pairs = []
    while trace is not None:
        pairs.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return _described([pair for pair in pairs if not pair[0].f_code.co_filename.startswith(_BORDERS)])


def _frames_of_stack(frame: FrameType | None) -> tuple[Frame, ...]:
    """From the handler's first frame to its innermost; empty when the thread is not in a call."""
    pairs: list[tuple[FrameType, int]] = []
    inside = False
    while frame is not None:
        if frame.f_code.co_filename.startswith(_BORDERS):
            inside = True
            break
        pairs.append((frame, frame.f_lineno or 0))
        frame = frame.f_back
    return _described(pairs[::-1]) if inside else ()


def _described(pairs: Sequence[tuple[FrameType, int]]) -> tuple[Frame, ...]:
    if len(pairs) > _MOST_FRAMES:
        pairs = [*pairs[: _MOST_FRAMES // 2], *pairs[-_MOST_FRAMES // 2 :]]
    return tuple([
        (_short(frame.f_code.co_filename), line, shorten(frame.f_code.co_name, 80),
         shorten(linecache.getline(frame.f_code.co_filename, line).strip(), 160), _is_own(frame.f_code.co_filename))
        for frame, line in pairs
    ])  # fmt: skip


@lru_cache(1024)
def _is_own(file: str) -> bool:
    """Neither installed nor kdash's nor of the standard library nor made up (`<frozen …>`)."""
    if file.startswith(("<", _KDASH)) or "site-packages" in file or "dist-packages" in file:
        return False
    return not file.startswith((sys.base_prefix + "/lib", threading.__file__.rpartition("/")[0]))


@lru_cache(1024)
def _short(file: str) -> str:
    """Relative to the working directory if it is below, else its last two parts."""
    path = Path(file)
    try:
        return shorten(str(path.relative_to(Path.cwd())), 120)
    except (ValueError, OSError):
        return shorten("/".join(path.parts[-2:]), 120)
