"""Where a handler is stuck: samples of its stack, the slowest calls of the run, its last traceback.

Contract: fed under the recorder's lock with the records handler.look, handler.sample, handler.cpu, handler.error
and the handler.end of calls past the slow limit; a sample belongs to the call that was running at its instant. Samples
are kept for a minute.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import NamedTuple

from kdash.informer.tap import Record
from kdash.probe.doing import Judged, Look, judge, words_of
from kdash.probe.snapshot import HotLine, SlowCall, StackFrame
from kdash.probe.text import clean, plural

__all__ = ["CALLBACK_NAMES", "StuckCalls"]

CALLBACK_NAMES = {"add": "OnAdd", "update": "OnUpdate", "delete": "OnDelete"}

_KEPT_S = 60.0
_KEPT_SAMPLES = 2000
_SLOWEST = 10
_SAME_S = 0.001
_NEWEST = 40

Frame = tuple[str, int, str, str, bool]


class _Sample(NamedTuple):
    seq: int
    at: float
    frames: tuple[Frame, ...]
    judged: Judged


class StuckCalls:
    """One handler's."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.cpu_wall_s = 0.0
        self.traceback: tuple[str, ...] = ()
        self.error_at: float | None = None
        self.error_key = ""
        self.error_words = ""
        self.initial_errors = 0
        self.tombstone_errors = 0
        self._samples: deque[tuple[float, Frame, Judged]] = deque(maxlen=_KEPT_SAMPLES)  # at, where, what it did
        self._of_call: list[_Sample] = []  # of calls whose end has not been told
        self._look: Look | None = None  # belongs to the next sample
        self._before: Look | None = None
        self._last_sampled_at = 0.0
        self._cpu_of: dict[tuple[str, str], float] = {}  # (kind, key) → CPU of a call whose end is still to come
        self._slowest: list[tuple[float, int, SlowCall]] = []

    # feeding ---------------------------------------------------------------------------------------------

    def looked(self, record: Record) -> None:
        """handler.look: what the thread of the next sample did."""
        *_, window_s, cpu_s, queued_s, late_s, position, in_call, callee = record
        self._look = Look(window_s, cpu_s, queued_s, late_s, position, in_call, callee)

    def sampled(self, record: Record) -> None:
        seq, at, *_, frames, elapsed_s, cpu_s = record
        look = self._look or Look(min(elapsed_s, at - self._last_sampled_at), cpu_s)  # older recordings have no looks
        is_first = look.window_s > elapsed_s - _SAME_S
        judged = judge(look, None if is_first else self._before)
        self._look, self._before, self._last_sampled_at = None, look, at
        if not frames:
            return
        self._samples.append((at, _own_line(frames), judged))
        self._of_call.append(_Sample(seq, at, frames, judged))
        while self._samples and self._samples[0][0] < at - _KEPT_S:
            self._samples.popleft()
        if len(self._of_call) > _KEPT_SAMPLES:
            del self._of_call[: _KEPT_SAMPLES // 2]

    def used_cpu(self, record: Record) -> None:
        _, _, _, _, _, _, kind, key, cpu_s, run_s = record
        self.cpu_s += cpu_s
        self.cpu_wall_s += run_s
        if len(self._cpu_of) > 1024:
            self._cpu_of.clear()
        self._cpu_of[kind, key] = cpu_s

    def failed(self, record: Record) -> None:
        _, at, _, _, _, _, kind, key, error, message, frames, tombstone, is_initial = record
        self.error_at, self.error_key = at, clean(key)
        words = f"{clean(error)}: {clean(message)}" if message else clean(error)
        self.error_words = f"{CALLBACK_NAMES.get(kind, kind)} {clean(key)}: {words}"
        lines = [f"{file}:{line} in {function}: {text}".rstrip(": ") for file, line, function, text, _ in frames]
        self.traceback = (*lines, words)
        self.initial_errors += bool(is_initial)
        self.tombstone_errors += bool(tombstone)

    def ended(self, record: Record, slow_limit_s: float) -> None:
        """handler.end of a call: takes its samples, and its place among the slowest."""
        seq, at, _, _, _, _, kind, key, _, _, _, _, _, wait_s, run_s, error, _, _ = record
        mine = [sample for sample in self._of_call if sample.seq < seq and sample.at >= at - run_s]
        self._of_call = [sample for sample in self._of_call if sample.seq > seq]
        cpu_s = self._cpu_of.pop((kind, key), None)
        if run_s < slow_limit_s or (len(self._slowest) >= _SLOWEST and run_s <= self._slowest[0][0]):
            return
        callback = CALLBACK_NAMES.get(kind) or clean(kind)
        call = SlowCall(
            clean(key), callback, at, wait_s, run_s, cpu_s, clean(error), _doing(mine),
            _stack(mine[-1].frames) if mine else (),
        )  # fmt: skip
        heapq.heappush(self._slowest, (run_s, seq, call))
        if len(self._slowest) > _SLOWEST:
            heapq.heappop(self._slowest)

    def reset(self) -> None:
        """Begin the slowest calls anew."""
        self._slowest.clear()

    # reading ---------------------------------------------------------------------------------------------

    @property
    def cpu_share(self) -> float | None:
        return min(1.0, self.cpu_s / self.cpu_wall_s) if self.cpu_wall_s > 0 else None

    def slowest(self) -> tuple[SlowCall, ...]:
        return tuple(call for _, _, call in sorted(self._slowest, key=lambda entry: -entry[0]))

    def now(self, since: float) -> tuple[int, tuple[StackFrame, ...], str]:
        """Samples of the call that began then, the newest stack, what it does."""
        mine = [sample for sample in self._of_call if sample.at >= since]
        return len(mine), _stack(mine[-1].frames) if mine else (), words_of(each.judged for each in mine[-_NEWEST:])

    def hot_lines(self, now: float, most: int = 8) -> tuple[HotLine, ...]:
        """Lines with their share of the last minute's samples, most samples first."""
        recent = [(where, judged) for at, where, judged in self._samples if at >= now - _KEPT_S]
        counted = Counter(where for where, _ in recent)
        return tuple(
            HotLine(StackFrame(*where), count / len(recent), count, words_of(j for line, j in recent if line == where))
            for where, count in counted.most_common(most)
        )


def _own_line(frames: tuple[Frame, ...]) -> Frame:
    """The innermost line of the user's code; the innermost of all when there is none."""
    for frame in reversed(frames):
        if frame[4]:
            return frame
    return frames[-1]


def _doing(samples: list[_Sample]) -> str:
    if not samples:
        return ""
    found = Counter(_own_line(sample.frames) for sample in samples).most_common(1)
    (file, line, function, text, _), count = found[0]
    words = words_of(sample.judged for sample in samples)
    what = f", {words}" if words else ""
    return (f"{file}:{line} in {function}: {text} ({count * 100 // len(samples)}% of "
            f"{plural(len(samples), 'sample')}{what})")


def _stack(frames: tuple[Frame, ...]) -> tuple[StackFrame, ...]:
    return tuple(StackFrame(*frame) for frame in frames)
