"""The frozen picture of an observation at one instant: all that the screen and `kdash snapshot` see.

Every value is a scalar, a string already free of control characters, or a tuple of such records. Times are
monotonic instants of the observation's clock (`*_at`) or seconds (`*_s`); None means "does not apply".
Large things (the object tree, the event log) are not copied into a snapshot: they are the probe's own
single-writer structures, read by the screen for the rows that are visible (`probe.objects`, `probe.events`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kdash.probe.handler_views import (
    AdviceView,
    BucketView,
    CallbackView,
    ChangeView,
    GateView,
    HandlerPass,
    HotLine,
    LatencyView,
    MemoryView,
    RunningView,
    SlowCall,
    StackFrame,
    StageMark,
    TrendView,
    VersionView,
)

__all__ = [
    "AdviceView",
    "ApiView",
    "BucketView",
    "CallbackView",
    "ChangeView",
    "FaultView",
    "GateView",
    "HandlerPass",
    "HandlerView",
    "HotLine",
    "InformerView",
    "LatencyView", "MemoryView",
    "PipelineView",
    "QueueRow",
    "QueueView",
    "RecordingView",
    "ReplayView",
    "RequestRow",
    "ResyncHand",
    "ResyncView",
    "RunningView",
    "SlowCall",
    "Snapshot",
    "StackFrame",
    "StageMark",
    "StateView",
    "TrendView",
    "VersionView",
]


@dataclass(frozen=True, slots=True)
class StateView:
    """The state word of the header and the sentence behind it (screen.md §3)."""

    word: str = "STARTING"
    """LIVE, SYNCING, SUSPECT, RETRY, DENIED, STALE, STOPPED, STARTING or REPLAY (PAUSED and HELD are the screen's)."""
    detail: str = ""
    """One clear sentence, e.g. what RBAC rule to ask for; "" when all is well."""
    retry_at: float | None = None
    """When the reflector tries again."""
    retry_no: int = 0
    exit_code: int = 0
    """What a command without a screen would exit with: 0, 1, 3 (no connection) or 4 (denied)."""


@dataclass(frozen=True, slots=True)
class InformerView:
    """One informer: its resource and where its reflector is."""

    name: str
    """The resource as kubectl writes it: `pods`, `deployments.apps`."""
    scope: str = ""
    """`-A`, `-n dev`, plus selectors: for the eye only, what it says stands in the three fields at the end."""
    state: str = ""
    """Reflector state: listing, watch-listing, watching, rewatch-open, backoff, stopped."""
    synced: bool = False
    objects: int = 0
    received: int = 0
    """Objects received so far by a list or watch-list that is under way."""
    pages: int = 0
    resource_version: str = ""
    last_event_at: float | None = None
    watching_since: float | None = None
    watch_timeout_s: float | None = None
    lists: int = 0
    watches: int = 0
    behind: int | None = None
    """Changes that the server has committed and the informer has not seen yet; None where nobody can know."""
    short_watches: int = 0
    """Watches that ended within a second without an event."""
    last_watch_s: float = 0.0
    last_watch_events: int = 0
    """Of the watch that ended last."""
    relists: int = 0
    """Full state fetches after the first, whatever the transport."""
    reconnects: int = 0
    bookmarks: int = 0
    last_bookmark_at: float | None = None
    silence: str = ""
    """suspect: the watch is silent for too long; reopened: a second watch took its place at `silence_at`;
    unproven: a second watch brought nothing either; "" otherwise."""
    silence_at: float = 0.0
    silent_s: float = 0.0
    """How long no byte had come at `silence_at`."""
    backoff_until: float | None = None
    backoff_step: int = 0
    last_list_s: float | None = None
    last_list_items: int = 0
    last_relist_reason: str = ""
    last_error: str = ""
    engine: str = "delta"
    relists_at: tuple[float, ...] = ()
    """When the state was fetched anew without anybody's order, the newest 64."""
    watch_ends: tuple[tuple[float, float], ...] = ()
    """(lifetime, asked time-out) in seconds of the last watches that the other side ended."""
    lost_versions: int = 0
    """Objects that the transform left without a resource version."""
    mean_size: int = 0
    """Bytes of JSON of an object, on average; 0: unknown."""
    open_bookmarks: int = 0
    """Bookmarks of the watch that is open now."""
    version: str = ""
    """The API version: `v1`."""
    queued: int = 0
    """Deltas in its queue."""
    processing: tuple[BucketView, ...] = ()
    """Histogram of how long the processing of an entry took, in client-go's buckets."""
    processing_mean_s: float = 0.0
    namespace: str = ""
    """"" when it observes all namespaces, or a resource that has none."""
    label_selector: str = ""
    field_selector: str = ""


@dataclass(frozen=True, slots=True)
class PipelineView:
    """The five stages, summed over the informers."""

    watch_rate: float = 0.0
    """Watch events per second, over the last seconds."""
    delta_rate: float = 0.0
    pop_rate: float = 0.0
    notify_rate: float = 0.0
    watch_total: int = 0
    delta_total: int = 0
    pop_total: int = 0
    notify_total: int = 0
    held_by: str = ""
    """What holds things up, in words: "", "API server: retry in 8s" or "handler slow: 118 pending"."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    key: str
    deltas: str
    """`Updated` or `Added Updated ×3`."""
    waited_s: float


@dataclass(frozen=True, slots=True)
class QueueView:
    engine: str = "delta"
    title: str = "DeltaFIFO"
    client_go: str = "client-go ≤ 1.32"
    keys: int = 0
    deltas: int = 0
    objects: int = 0
    peak: int = 0
    in_rate: float = 0.0
    out_rate: float = 0.0
    head: tuple[QueueRow, ...] = ()
    history: tuple[int, ...] = ()
    """Entries put in, per second, oldest first, 60 of them."""
    last_pop_at: float | None = None
    waited_p50_s: float = 0.0
    waited_p99_s: float = 0.0
    last_wave: str = ""
    """The last burst in words: "resync: 42 Sync deltas, 0 API requests", "relist: 42 Replaced, 1 LIST"."""


@dataclass(frozen=True, slots=True)
class ResyncHand:
    """One handler's hand of the resync clock."""

    handler: str
    informer: str
    asked_s: float
    """0 = none asked."""
    effective_s: float
    """0 = never."""
    due_at: float | None
    """Its own due time."""
    fires_at: float | None
    """The first tick at or after its due time: when it really fires."""
    ticks_until: int | None
    badge: str = ""
    """`^min` raised to the check period, `1s floor`, `ignored` (the informer does no resync)."""
    fires: int = 0
    """Resync waves it has got."""
    check_s: float = 0.0
    """The informer's check period: the tick."""


@dataclass(frozen=True, slots=True)
class ResyncView:
    check_period_s: float = 0.0
    """0: no timer at all."""
    armed: bool = False
    next_tick_at: float | None = None
    why_stopped: str = ""
    """Why there is no timer now: "starts when the watch opens", "restarts after relist", …"""
    drift_s: float = 0.0
    ticks: int = 0
    waves: int = 0
    """Ticks that replayed the cache."""
    last_tick_at: float | None = None
    last_wave_size: int = 0
    skipped_pending: int = 0
    hands: tuple[ResyncHand, ...] = ()
    restarted_at: float | None = None
    """When a changed period restarted the tick that is awaited now; None: it was not."""


@dataclass(frozen=True, slots=True)
class HandlerView:
    name: str
    informer: str
    calls: int = 0
    adds: int = 0
    updates: int = 0
    """Updates that changed something (RV differs)."""
    deletes: int = 0
    syncs: int = 0
    """Updates with equal RV: resync, or unchanged objects of a relist."""
    p50_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    max_s: float = 0.0
    wait_p50_s: float = 0.0
    wait_p99_s: float = 0.0
    pending: int = 0
    running_since: float | None = None
    busy: float = 0.0
    """Share of the last seconds spent in callbacks, 0..1."""
    growth_per_s: float = 0.0
    drains_in_s: float | None = None
    """None with pending > 0 and growth >= 0: never drains at this rate."""
    errors: int = 0
    last_error: str = ""
    slow: bool = False
    slow_limit_s: float = 0.1
    synced: bool = False
    initial_left: int = 0
    worst: str = ""
    """`default/web OnUpdate 1.2s` of the slowest call: for the eye only, see `worst_key`."""
    worst_at: float | None = None
    p99_history: tuple[float, ...] = ()
    pending_history: tuple[int, ...] = ()
    code: str = ""
    """`package.module:callable` of the user's own handler, or what one of kdash's does by design; "" if it counts."""
    by_design: bool = False
    """It takes its time on purpose: `code` says how much."""
    worst_key: str = ""
    """The object of the slowest call."""
    callbacks: tuple[CallbackView, ...] = ()
    """Per kind of callback that was called at all: OnAdd, OnUpdate, OnDelete."""
    end_to_end: LatencyView = field(default_factory=LatencyView)
    """From the watch event's arrival to the callback's return, over the whole run (in a storm a sample)."""
    end_to_end_minute: LatencyView = field(default_factory=LatencyView)
    buckets: tuple[BucketView, ...] = ()
    """Histogram of run times, shortest first."""
    mean_s: float = 0.0
    """Mean run time, over the whole run."""
    oldest_pending_at: float | None = None
    """When the oldest waiting notification was handed over; None when none waits."""
    arrival_rate: float = 0.0
    """Notifications per second that come in, over the last ten seconds."""
    service_rate: float = 0.0
    """Calls per second that end, over the last ten seconds."""
    drains: str = ""
    """`drains in 12s`, `never drains at this rate`, "" when nothing waits or neither is so over 30 s and more."""
    running: RunningView | None = None
    hot_lines: tuple[HotLine, ...] = ()
    """Where slow calls spent the last minute, most samples first."""
    slowest: tuple[SlowCall, ...] = ()
    """The slowest calls of the run, slowest first."""
    cpu_share: float | None = None
    """CPU time over wall time of all calls of 1 ms and more; None: not measured."""
    traceback: tuple[str, ...] = ()
    """The last exception: its frames (the user's only), then its type and message; one line each."""
    last_error_at: float | None = None
    last_error_key: str = ""
    initial_errors: int = 0
    """Initial adds that raised: the handler never counts as synced."""
    tombstone_errors: int = 0
    """Deletions with a tombstone that raised."""
    trend: TrendView = field(default_factory=TrendView)
    hung_s: float = 0.0
    """Age of a call that does not return (`running` tells which); 0: none hangs."""


@dataclass(frozen=True, slots=True)
class RequestRow:
    request: int
    at: float
    verb: str
    """LIST, WATCH, WATCHLIST or GET."""
    path: str
    code: int | None
    took_s: float | None
    """None while it is open."""
    bytes: int
    open: bool
    events: int = 0
    bookmarks: int = 0
    timeout_s: float | None = None
    error: str = ""
    last_byte_at: float | None = None


@dataclass(frozen=True, slots=True)
class FaultView:
    """A fault of the demo server that is armed."""

    kind: str
    waits_for: str
    """`the next WATCH of pods`, `its time, in 5s`."""
    struck: int = 0
    """How often it has struck so far."""


@dataclass(frozen=True, slots=True)
class ApiView:
    requests: int = 0
    """All requests to the server since the start, retries included. Stands still during a resync."""
    lists: int = 0
    watches: int = 0
    bytes: int = 0
    errors: int = 0
    throttled: int = 0
    """Answers 429."""
    open_watches: int = 0
    rows: tuple[RequestRow, ...] = ()
    """The newest requests, oldest first."""
    bytes_history: tuple[int, ...] = ()
    bytes_rate: float = 0.0
    served_notifications: int = 0
    """Notifications handlers got without a request: resync replays and late-join replays."""
    served_reads: int = 0
    """Reads answered from the cache (object views, listers)."""
    faults: tuple[FaultView, ...] = ()
    """Armed at the demo server, oldest first; none of a cluster."""


@dataclass(frozen=True, slots=True)
class RecordingView:
    """A recording that is being made."""

    path: str
    since: float
    bytes: int = 0
    """Of the file."""


@dataclass(frozen=True, slots=True)
class ReplayView:
    """Where a replay stands. Instants are seconds since the epoch."""

    at: float
    first_at: float
    last_at: float
    playing: bool = False
    speed: float = 1.0
    goes_to: float | None = None
    """Where it is on its way to; None when it is there."""
    damage: str = ""
    """What could not be read of the file; "" when all could."""
    relists: tuple[float, ...] = ()
    """About when a whole state was fetched."""
    resyncs: tuple[float, ...] = ()
    reached: float | None = None
    """How many times as fast it really goes; None while that is not known, or paused."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one instant."""

    mono: float = 0.0
    wall: float = 0.0
    source: str = ""
    """`demo` or the context's name."""
    is_demo: bool = False
    banner: str = ""
    """One line worth telling once, e.g. that no cluster was found."""
    state: StateView = field(default_factory=StateView)
    informers: tuple[InformerView, ...] = ()
    pipeline: PipelineView = field(default_factory=PipelineView)
    queue: QueueView = field(default_factory=QueueView)
    resync: ResyncView = field(default_factory=ResyncView)
    handlers: tuple[HandlerView, ...] = ()
    api: ApiView = field(default_factory=ApiView)
    objects: int = 0
    resource_version: str = ""
    last_event_at: float | None = None
    events_total: int = 0
    """Lines ever written to the event log."""
    tap_dropped: int = 0
    probe_failed: int = 0
    """Records that the probe could not read: they may be missing from the figures."""
    gate: GateView = field(default_factory=GateView)
    memory: MemoryView | None = None
    """None: in a replay, which has no process, and where the system does not tell."""
    recording: RecordingView | None = None
    recording_failure: str = ""
    """Why the last recording ended by itself."""
    replay: ReplayView | None = None
