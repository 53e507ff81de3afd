"""Frozen records of handlers, time, the gate and advice, which `snapshot` re-exports.

Contract: as in `snapshot`: scalars, clean strings and tuples of such records; instants end in `_at`, durations in `_s`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "AdviceView", "BucketView", "CallbackView", "ChangeView", "GateView", "HandlerPass", "HotLine", "LatencyView",
    "MemoryView",
    "RunningView", "SlowCall", "StackFrame", "StageMark", "TrendView", "VersionView",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class LatencyView:
    """One distribution of durations; all 0 while nothing was counted."""

    count: int = 0
    p50_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    max_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CallbackView:
    """One kind of callback: how long it ran, how long its notifications waited in the handler's buffer."""

    callback: str
    """`OnAdd`, `OnUpdate` or `OnDelete`."""
    run_minute: LatencyView = field(default_factory=LatencyView)
    """Over the last whole minute, at most one second old."""
    run: LatencyView = field(default_factory=LatencyView)
    """Over the whole run."""
    run_first: LatencyView = field(default_factory=LatencyView)
    """Over the minute after its first call; empty until that is over."""
    objects_first: int = 0
    """How many objects the cache held at the end of that minute."""
    wait_minute: LatencyView = field(default_factory=LatencyView)
    wait: LatencyView = field(default_factory=LatencyView)


@dataclass(frozen=True, slots=True)
class BucketView:
    """One bar of a handler's histogram of run times."""

    below_s: float
    """Upper limit; infinite for the last bar."""
    minute: int
    total: int


@dataclass(frozen=True, slots=True)
class StackFrame:
    """One frame of a handler's stack, outermost first where there are several."""

    file: str
    line: int
    function: str
    text: str = ""
    """The line of source; "" when it cannot be read."""
    own: bool = True
    """The user's code, as against the standard library and installed packages."""


@dataclass(frozen=True, slots=True)
class HotLine:
    """A line on which samples of slow calls, or of a busy handler's, found its thread, over the last minute."""

    frame: StackFrame
    share: float
    """Of the samples of the last minute, 0..1."""
    samples: int
    doing: str = ""
    """`computes`, `waits (sleep)`, …, or several with shares (see `probe.doing`); "": no evidence on this system."""


@dataclass(frozen=True, slots=True)
class RunningView:
    """The call that runs now."""

    key: str
    callback: str
    since: float
    wait_s: float = 0.0
    samples: int = 0
    """0: nobody has looked at it yet, so there is no stack."""
    stack: tuple[StackFrame, ...] = ()
    """The newest sample, outermost frame first."""
    doing: str = ""
    """As in `HotLine`, of this call."""


@dataclass(frozen=True, slots=True)
class MemoryView:
    """The resident memory of the process that kdash and the handlers run in."""

    resident: int
    """Bytes, now."""
    before: int = 0
    """Bytes, in the second minute; 0: there is nothing to compare with yet."""
    since_s: float = 0.0
    """How long ago that was."""
    steady: bool = False
    """It grew all the time, not in one leap."""
    objects_before: int = 0
    objects: int = 0


@dataclass(frozen=True, slots=True)
class TrendView:
    """What becomes of a handler's backlog."""

    word: str = "early"
    """`early` (nothing can be said yet), `held` (by kdash), `keeps-up`, `steady`, `grows` or `shrinks`."""
    over_s: int = 0
    """The seconds that it rests on."""
    per_s: float = 0.0
    """By how much the backlog grows."""
    most: int = 0
    """The largest backlog in that time."""


@dataclass(frozen=True, slots=True)
class SlowCall:
    """One of the slowest calls of the run."""

    key: str
    callback: str
    ended_at: float
    wait_s: float
    run_s: float
    cpu_s: float | None = None
    """CPU time of the handler's thread; None: not measured."""
    error: str = ""
    doing: str = ""
    """`handlers.py:12 in resize: time.sleep(1) (94 % of 31 samples)`; "" without a sample."""
    stack: tuple[StackFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class StageMark:
    """One stage that an event has reached."""

    stage: str
    """`api`, `queue`, `pop`, `cache`, `notify` or a handler's name."""
    at: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GateView:
    """Whether the pipeline is held, and what waits."""

    held: bool = False
    stage: str = ""
    """What is held: `all`, `queue` or `handlers`."""
    since: float | None = None
    waiting_entries: int = 0
    """Entries that wait in the queues, before pop."""
    waiting_notifications: int = 0
    """Notifications that wait before the handlers."""
    arrived: int = 0
    """Watch events since the hold began: the API side goes on."""
    steps: int = 0
    """Steps since the hold began."""
    last_step: str = ""
    """`queue: default/web`, `handler audit: default/web OnUpdate`."""
    path: tuple[StageMark, ...] = ()
    """The stages that the entry of the last queue step has reached, in order."""


@dataclass(frozen=True, slots=True)
class HandlerPass:
    """What one handler did with one version."""

    handler: str
    state: str
    """`done`, `failed`, `running`, `waiting` or `skipped` (it gets no syncs)."""
    wait_s: float | None = None
    run_s: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class VersionView:
    """One step in an object's history."""

    number: int
    """Counts up from 1 for each object; stays the same when older ones are forgotten."""
    resource_version: str
    event: str
    """`Added`, `Updated`, `Deleted`, `Replaced` or `Sync`."""
    source: str
    """`watch`, `list`, `relist`, `resync` or `cache` (it was there before kdash looked)."""
    at: float
    size: int = 0
    has_content: bool = True
    """Whether `version` and `changes` have its content (a resync brings none of its own)."""
    repeats: int = 1
    """How many resyncs in a row this line stands for."""
    stages: tuple[StageMark, ...] = ()
    """Empty when it came in a storm: then only the versions are kept."""
    handlers: tuple[HandlerPass, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One difference between two versions."""

    kind: str
    """`+` came, `-` went, `~` changed."""
    path: str
    """`status.conditions[1].status`."""
    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class AdviceView:
    """Something that is wrong with an informer, with the figures that say so."""

    rule: str
    """A short id, the same in every version: `never-drains`, `relist-loop`, …"""
    severity: str
    """`problem` or `hint`."""
    subject: str
    """`handler slow of pods`, `pods`."""
    title: str
    figures: str
    todo: str
