"""What a handler's thread does in its calls, judged from a recorded series of looks at it.

Contract: pure functions. A look covers a window: the time since the look before it in the same call, or since the call
began. Of a window the thread's CPU clock tells how long it computed, and its run-queue time (Linux, schedstat) how long
it wanted the CPU. The rest it slept in the kernel, and that has two causes which look alike there: it waits for
something, or for the interpreter, which another thread holds. They are told apart so:

- It wants the interpreter when it is found outside a call (at a point where the interpreter is handed over: the end of
  a loop's round, the start of a function) and its bytecode position moves on or it used the CPU. Nothing outside a call
  can wait for input, a lock or time.
- It waits when it is found in a call and the interpreter was free: the sampler got it back without delay. When the
  interpreter was wanted by others too, it waits if it stands where it stood and used next to no CPU: whoever wants the
  interpreter gets some of it in so long a window.
- Otherwise it is not known, and so called. Evidence that a system does not give (no schedstat on macOS) stays absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "COMPUTES", "UNKNOWN", "WAITS", "WANTS_CPU", "WANTS_INTERPRETER", "Judged", "Look", "doing", "judge", "words_of",
]  # fmt: skip

COMPUTES = "computes"
WAITS = "waits"
WANTS_CPU = "wants the CPU"
WANTS_INTERPRETER = "wants the interpreter"
UNKNOWN = "not computing; cannot be told which"

_LATE_S = 0.0025  # half of the interval in which the interpreter is handed over
_LITTLE = 0.05
_LONG_S = 0.04
_MENTIONED = 0.1
_ALONE = 0.8

Judged = tuple[tuple[str, float], ...]
"""(what it does, seconds) of one window"""

_KINDS = {
    "sleep": "sleep",
    **dict.fromkeys(("acquire", "wait", "with"), "lock"),
    **dict.fromkeys(
        ("recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "send", "sendall", "sendto", "sendmsg",
         "sendfile", "accept", "_accept", "connect", "connect_ex", "read", "readinto", "readline", "readlines", "write",
         "writelines", "flush", "fsync", "open", "pread", "pwrite", "getaddrinfo", "gethostbyname", "do_handshake",
         "select", "poll", "waitpid", "urlopen"), "I/O"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """One sample of a thread in a call. None: this system does not tell."""

    window_s: float
    cpu_s: float | None = None
    queued_s: float | None = None
    """In the run queue: it could have run, but the CPU was another thread's."""
    late_s: float | None = None
    """By how much the sampler itself got the interpreter back too late, less its own time in the run queue."""
    position: int = 0
    """Of the bytecode; equal positions are equal numbers."""
    in_call: bool = True
    """Whether the innermost frame is where it may wait: in a call, an import, an iteration."""
    callee: str = ""
    """What is called there, as it is written: `time.sleep`; "" when that cannot be told."""


def doing(looks: Sequence[Look]) -> str:
    """Of the looks at one call, in order; see `words_of`.

    >>> doing([Look(0.1, cpu_s=0.0, queued_s=0.0, late_s=0.0, callee="time.sleep")])
    'waits (sleep)'
    """
    return words_of(judge(look, before) for before, look in zip((None, *looks), looks, strict=False))


def words_of(judged: Iterable[Judged]) -> str:
    """What it does, with shares when it is not one thing: `computes 52%, wants the interpreter 46%`; "" if unknown."""
    spent: dict[str, float] = {}
    for each in judged:
        for what, seconds in each:
            spent[what] = spent.get(what, 0.0) + seconds
    total = sum(spent.values())
    if total <= 0:
        return ""
    parts = sorted(((seconds / total, what) for what, seconds in spent.items()), reverse=True)
    if parts[0][0] >= _ALONE:
        return parts[0][1]
    return ", ".join(f"{what} {share:.0%}" for share, what in parts if share >= _MENTIONED)


def judge(look: Look, before: Look | None = None) -> Judged:
    """What the thread did in the look's window; `before`: the one before of the same call. Empty without a CPU time."""
    if look.cpu_s is None or look.window_s <= 0:
        return ()
    cpu_s = min(max(look.cpu_s, 0.0), look.window_s)
    queued_s = min(max(look.queued_s or 0.0, 0.0), look.window_s - cpu_s)
    parts = ((COMPUTES, cpu_s), (WANTS_CPU, queued_s), (_asleep(look, before), look.window_s - cpu_s - queued_s))
    return tuple((what, seconds) for what, seconds in parts if seconds > 0)


def _asleep(look: Look, before: Look | None) -> str:
    """Why the thread slept in the kernel for the part of the window that it did."""
    if look.queued_s is None or look.late_s is None or look.cpu_s is None:
        return UNKNOWN
    used = look.cpu_s > _LITTLE * look.window_s
    if not look.in_call:
        moved = before is not None and before.position != look.position
        return WANTS_INTERPRETER if used or moved else UNKNOWN
    if look.late_s < _LATE_S or (not used and _stands(look, before)):
        kind = _KINDS.get(look.callee.rpartition(".")[2])
        return f"{WAITS} ({kind})" if kind else WAITS
    return UNKNOWN


def _stands(look: Look, before: Look | None) -> bool:
    if before is None:
        return look.window_s >= _LONG_S
    return before.position == look.position
