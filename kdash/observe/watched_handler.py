"""A handler that takes its time or is the user's own, watched: errors with traceback, CPU time, stack samples.

Contract:
- `WatchedHandler` wraps one handler of one informer; its methods run in that handler's thread. What the handler
  raises is told to the tap and raised on, so that the core does what client-go does: count it, skip that
  notification, pause a second. What is no `Exception` (SystemExit, KeyboardInterrupt, GeneratorExit) is raised on
  as an `Exception` of the same name: it must not end the thread.
- `StackSampler.sample` is called some twenty times a second by the probe's thread; it looks at the threads of the
  calls that take longer than their limit and of busy handlers, and at no others. A sample costs some 50 µs, and a
  sleep of 1 ms which tells how soon the interpreter is to be had. It gathers; `probe.doing` judges.
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
from kdash.observe.thread_clocks import RunQueueClock
from kdash.observe.thread_clocks import point_of as _point
from kdash.probe.text import shorten

__all__ = ["StackSampler", "WatchedHandler"]

_MOST_FRAMES = 24
_CPU_FROM_S = 0.001
_SHORT_S = 0.001
_RECENTLY_S = 0.2
_KDASH = str(Path(__file__).resolve().parents[1]) + "/"
_BORDERS = (_KDASH + "observe/watched_handler.py", _KDASH + "observe/user_code.py")

Frame = tuple[str, int, str, str, bool]
"""(file, line, function, text, own)"""


class Call(NamedTuple):
    """A call as it began: `cpu_s` is what its thread had used by then."""

    kind: str
    key: str
    at: float
    cpu_s: float


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
        self.call: Call | None = None
        """The present one; None between calls."""

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
        began, cpu_began = time.monotonic(), time.thread_time()
        self.call = Call(kind, obj.key, began, cpu_began)
        try:
            method(*arguments)
        except BaseException as error:
            message = self._tell(error, kind, obj, is_initial)
            if isinstance(error, Exception):
                raise
            raise type(type(error).__name__, (Exception,), {})(message) from None
        finally:
            self.call = None
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
    queue_clock: RunQueueClock | None
    handler: WatchedHandler


class _Looked(NamedTuple):
    """The clocks of a thread at a look, and the call it was in."""

    call: Call
    at: float
    cpu_s: float | None
    queued_s: float | None


class StackSampler:
    """Looks at the threads of long calls and of busy handlers."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._lock = threading.Lock()  # guards _threads
        self._threads: dict[tuple[str, str], _Thread] = {}  # by (informer, name)
        self._looked: dict[tuple[str, str], _Looked] = {}
        self._own: RunQueueClock | None = None
        self._own_thread = 0

    def enter(self, name: str, informer: str, handler: WatchedHandler) -> None:
        """The calling thread is that of `handler`."""
        clock = None
        if hasattr(time, "pthread_getcpuclockid"):
            clock = time.pthread_getcpuclockid(threading.get_ident())
        queue_clock = RunQueueClock.of_this_thread()
        with self._lock:
            self._threads[informer, name] = _Thread(threading.get_ident(), clock, queue_clock, handler)

    def sample(self, worth: Iterable[tuple[str, str]] = ()) -> None:
        """`worth`: (informer, handler) of each to be told of; of the other calls only the clocks are kept."""
        with self._lock:
            threads = dict(self._threads)
        wanted = {who for who in worth if who in threads}
        late_s = self._lateness() if wanted else None
        for who, thread in threads.items():
            call = thread.handler.call
            if call is None:
                continue
            frame = sys._current_frames().get(thread.ident) if who in wanted else None
            if frame is None or thread.handler.call is not call:
                self._looked[who] = _Looked(call, time.monotonic(), _cpu_of(thread), _queued(thread))
                continue
            code, offset, at, cpu_s = frame.f_code, frame.f_lasti, time.monotonic(), _cpu_of(thread)
            pairs = _pairs_of_stack(frame)  # up to here the interpreter is not given away: all is of one instant
            now = _Looked(call, at, cpu_s, _queued(thread))
            since, self._looked[who] = self._looked.get(who), now
            if not pairs:
                continue
            informer, name = who
            in_call, callee = _point(code, offset)
            self._tap.emit("handler.look", informer, name, *_window(now, since), late_s,
                           hash((id(code), offset)) & 0xFFFFFFFF, in_call, callee)  # fmt: skip
            self._tap.emit("handler.sample", informer, name, call.kind, call.key, _described(pairs), at - call.at,
                           None if cpu_s is None else cpu_s - call.cpu_s)  # fmt: skip

    def _lateness(self) -> float | None:
        """By how much the calling thread gets the interpreter back too late, less its own time in the run queue.

        None where that time is not known: a wait for the CPU would look like one for the interpreter.
        """
        if self._own_thread != threading.get_ident():
            self._own, self._own_thread = RunQueueClock.of_this_thread(), threading.get_ident()
        if self._own is None or (queued := self._own.seconds()) is None:
            return None
        began = time.monotonic()
        time.sleep(_SHORT_S)
        took = time.monotonic() - began
        after = self._own.seconds()
        return None if after is None else max(0.0, took - _SHORT_S - (after - queued))


def _window(now: _Looked, before: _Looked | None) -> tuple[float, float | None, float | None]:
    """(seconds, of them on the CPU, in the run queue) since the look before in the same call, or since it began.

    Of a call that began after the look before, the time in the run queue is taken to be its share of the time since.
    """
    if before is not None and before.call is now.call:
        return now.at - before.at, _less(now.cpu_s, before.cpu_s), _less(now.queued_s, before.queued_s)
    window_s, queued_s = now.at - now.call.at, None
    if before is not None and (passed_s := now.at - before.at) <= _RECENTLY_S:
        since = _less(now.queued_s, before.queued_s)
        queued_s = None if since is None else since * min(1.0, window_s / passed_s)
    return window_s, _less(now.cpu_s, now.call.cpu_s), queued_s


def _cpu_of(thread: _Thread) -> float | None:
    if thread.clock is None:
        return None
    try:
        return time.clock_gettime(thread.clock)
    except OSError:  # the thread has ended
        return None


def _queued(thread: _Thread) -> float | None:
    return None if thread.queue_clock is None else thread.queue_clock.seconds()


def _less(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before


def _frames_of_traceback(trace: TracebackType | None) -> tuple[Frame, ...]:
    pairs = []
    while trace is not None:
        pairs.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return _described([pair for pair in pairs if not pair[0].f_code.co_filename.startswith(_BORDERS)])


def _pairs_of_stack(frame: FrameType | None) -> list[tuple[FrameType, int]]:
    """From the handler's first frame to its innermost; empty when the thread is not in a call."""
    pairs: list[tuple[FrameType, int]] = []
    inside = False
    while frame is not None:
        if frame.f_code.co_filename.startswith(_BORDERS):
            inside = True
            break
        pairs.append((frame, frame.f_lineno or 0))
        frame = frame.f_back
    return pairs[::-1] if inside else []


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
