"""Where a handler is stuck: samples of its stack, the slowest calls of the run, its last traceback.

Contract: fed under the recorder's lock with the records handler.sample, handler.cpu, handler.error and the
handler.end of calls past the slow limit; a sample belongs to the call whose end is the next one after it. Samples
are kept for a minute.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import Any

from kdash.informer.tap import Record
from kdash.probe.snapshot import HotLine, SlowCall, StackFrame
from kdash.probe.text import clean

__all__ = ["CALLBACK_NAMES", "StuckCalls"]

CALLBACK_NAMES = {"add": "OnAdd", "update": "OnUpdate", "delete": "OnDelete"}

_KEPT_S = 60.0
_KEPT_SAMPLES = 2000
_SLOWEST = 10
_COMPUTES = 0.5

Frame = tuple[str, int, str, str, bool]


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
        self._samples: deque[tuple[float, Frame, bool | None]] = deque(maxlen=_KEPT_SAMPLES)  # at, where, computes
        self._of_call: list[tuple[int, tuple[Frame, ...], bool | None]] = []  # samples of calls that have not ended
        self._last_sampled_at = 0.0
        self._cpu_of: dict[tuple[str, str], float] = {}  # (kind, key) → CPU of a call whose end is still to come
        self._slowest: list[tuple[float, int, SlowCall]] = []

    # feeding ---------------------------------------------------------------------------------------------

    def sampled(self, record: Record) -> None:
        seq, at, *_, frames, elapsed_s, cpu_s = record
        since_s = min(elapsed_s, at - self._last_sampled_at)
        computes = None if cpu_s is None or since_s <= 0 else cpu_s > _COMPUTES * since_s
        self._last_sampled_at = at
        self._samples.append((at, _own_line(frames), computes))
        self._of_call.append((seq, frames, computes))
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
        mine = [sample for sample in self._of_call if sample[0] < seq]
        self._of_call = [sample for sample in self._of_call if sample[0] > seq]
        cpu_s = self._cpu_of.pop((kind, key), None)
        if run_s < slow_limit_s or (len(self._slowest) >= _SLOWEST and run_s <= self._slowest[0][0]):
            return
        callback = CALLBACK_NAMES.get(kind) or clean(kind)
        call = SlowCall(
            clean(key), callback, at, wait_s, run_s, cpu_s, clean(error), _doing(mine),
            _stack(mine[-1][1]) if mine else (),
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

    def now(self) -> tuple[int, tuple[StackFrame, ...], bool | None]:
        """Samples of the running call, the newest stack, whether it computes."""
        if not self._of_call:
            return 0, (), None
        told = [computes for _, _, computes in self._of_call if computes is not None]
        return len(self._of_call), _stack(self._of_call[-1][1]), told[-1] if told else None

    def hot_lines(self, now: float, most: int = 8) -> tuple[HotLine, ...]:
        """Lines with their share of the last minute's samples, most samples first."""
        recent = [(where, computes) for at, where, computes in self._samples if at >= now - _KEPT_S]
        counted = Counter(where for where, _ in recent)
        lines = []
        for where, count in counted.most_common(most):
            told = [computes for line, computes in recent if line == where and computes is not None]
            computing = sum(told) / len(told) if told else None
            lines.append(HotLine(StackFrame(*where), count / len(recent), count, computing))
        return tuple(lines)


def _own_line(frames: tuple[Frame, ...]) -> Frame:
    """The innermost line of the user's code; the innermost of all when there is none."""
    for frame in reversed(frames):
        if frame[4]:
            return frame
    return frames[-1]


def _doing(samples: list[Any]) -> str:
    if not samples:
        return ""
    (file, line, function, text, _), count = Counter(_own_line(frames) for _, frames, _ in samples).most_common(1)[0]
    told = [computes for _, _, computes in samples if computes is not None]
    what = "" if not told else ", computing" if sum(told) * 2 > len(told) else ", waiting"
    return f"{file}:{line} in {function}: {text} ({count * 100 // len(samples)} % of {len(samples)} samples{what})"


def _stack(frames: tuple[Frame, ...]) -> tuple[StackFrame, ...]:
    return tuple(StackFrame(*frame) for frame in frames)
