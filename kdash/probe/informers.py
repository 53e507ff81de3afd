"""Topic: where each informer's reflector is, and what it did (records reflector.*, list.*, watch*.*, …).

Contract: fed by the recorder under its lock, in order; `build` reads `InformerState` under the same lock.
`watch_events` takes a batch of one kind; everything else comes one record at a time through `HANDLES`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kdash.informer.tap import Record
from kdash.probe.rates import PerSecond
from kdash.probe.text import shorten

__all__ = ["InformerState", "InformerTopic", "Problem", "Target", "is_ordered"]


@dataclass(frozen=True, slots=True)
class Target:
    """What an informer observes, as an error sentence needs it."""

    name: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    scope: str = ""
    engine: str = "delta"
    version: str = ""
    label_selector: str = ""
    field_selector: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """The newest trouble with the server that nothing has ended yet."""

    at: float
    stage: str
    error_class: str
    http_code: int
    reason: str
    message: str


@dataclass(slots=True)
class InformerState:
    """What is known of one informer. Field meanings as in `snapshot.InformerView`."""

    target: Target
    state: str = ""
    started: bool = False
    stopped: bool = False
    run_thread: int = 0
    synced: bool = False
    received: int = 0
    pages: int = 0
    version: str = ""
    version_seq: int = 0
    last_event_at: float | None = None
    watching_since: float | None = None
    watch_timeout_s: float | None = None
    lists: int = 0
    watches: int = 0
    short_watches: int = 0
    last_watch_s: float = 0.0
    last_watch_events: int = 0
    fetches: int = 0
    """Complete states fetched, by list or watch-list."""
    reconnects: int = 0
    """Watches opened again without a new fetch of the state."""
    fetches_at_open: int = 0
    bookmarks: int = 0
    last_bookmark_at: float | None = None
    backoff_until: float | None = None
    backoff_step: int = 0
    retries: int = 0
    """Back-offs in a row since something last worked."""
    last_list_s: float | None = None
    last_list_items: int = 0
    relist_reason: str = ""
    last_relist_reason: str = ""
    last_error: str = ""
    problem: Problem | None = None
    asked_at: float | None = None
    """Since when a list or watch-list has had no answer; None: none is awaited."""
    stream_lost_at: float | None = None
    engine: str = "delta"
    client_go: str = ""
    watch_list: bool | None = None
    events: PerSecond = field(default_factory=PerSecond)
    initial_from: int = 0
    initial_until: int | None = None
    """Tap numbers between which watch events are the initial events of a watch-list; None: there are none."""
    open_events: int = 0
    open_bookmarks: int = 0
    """On the watch that is open now."""

    relists_at: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    """When complete states were fetched after the first, unless somebody ordered it."""
    watch_ends: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=16))
    """(lifetime, asked time-out) of the watches that the other side ended without a word."""
    silence: str = ""
    """suspect, reopened or unproven: the newest `watch.silence` that is still so."""
    silence_at: float = 0.0
    silent_s: float = 0.0
    """How long no byte had come at `silence_at`."""
    end_missing: int | None = None
    """Objects of a watch-list that came, when neither another one nor its end marker did for a while."""
    lost_versions: int = 0
    """Objects whose resource version the transform took away."""

    def worked(self) -> None:
        """The server answered as it should: troubles are over."""
        self.problem = self.asked_at = None
        self.backoff_until = None
        self.backoff_step = 0
        self.retries = 0

    def spoke(self) -> None:
        """Something came over the watch: it is not silent."""
        if self.silence != "reopened":
            self.silence = ""

    def is_initial(self, seq: int) -> bool:
        """Whether a watch event belongs to the initial events of a watch-list."""
        return self.initial_until is not None and self.initial_from < seq < self.initial_until

    def at_version(self, seq: int, version: str) -> None:
        if seq > self.version_seq and version:
            self.version, self.version_seq = version, seq


ORDERED = "ordered"


def is_ordered(record: Record) -> bool:
    """Whether an error record is no trouble but a relist that the user ordered, injected as a 410."""
    return record[8] == 410 and str(record[10]).startswith("injected")


class InformerTopic:
    """All informers by name."""

    def __init__(self) -> None:
        self.states: dict[str, InformerState] = {}
        self.HANDLES: dict[str, Callable[[InformerState, Record], None]] = {
            "reflector.state": self._state,
            "list.start": self._list_start,
            "list.page": self._list_page,
            "list.end": self._list_end,
            "watchlist.start": self._watchlist_start,
            "watchlist.progress": self._watchlist_progress,
            "watchlist.bookmark": self._watchlist_bookmark,
            "watch.open": self._watch_open,
            "watch.bookmark": self._watch_bookmark,
            "watch.close": self._watch_close,
            "watch.silence": self._watch_silence,
            "watchlist.waiting": self._watchlist_waiting,
            "watchlist.fallback": self._watchlist_fallback,
            "backoff.sleep": self._backoff_sleep,
            "backoff.wake": self._backoff_wake,
            "error": self._error,
            "informer.lifecycle": self._lifecycle,
            "config.engine": self._engine,
            "queue.synced": self._synced,
            "queue.transform": self._transformed,
        }

    def register(self, target: Target) -> InformerState:
        """Announce an informer; the same name again starts it afresh."""
        state = self.states[target.name] = InformerState(target, engine=target.engine)
        return state

    def of(self, name: str) -> InformerState:
        state = self.states.get(name)
        return state if state is not None else self.register(Target(name))

    def watch_events(self, informer: str, records: Sequence[Record]) -> None:
        """A batch of watch.event records of one informer."""
        state = self.of(informer)
        last = records[-1]
        state.events.add_records(records)
        state.last_event_at = last[1]
        state.at_version(last[0], last[9])
        state.open_events += len(records)
        if state.silence:
            state.spoke()
        state.end_missing = None
        if not state.synced and state.state == "watch-listing":
            state.received += len(records)

    # one record at a time --------------------------------------------------------------------------------

    def _state(self, state: InformerState, record: Record) -> None:
        if record[6] == "watch-listing":
            state.initial_from, state.initial_until = record[0], 1 << 62
        elif state.state == "watch-listing":
            state.initial_until = record[0]
        state.state = record[6]
        state.end_missing = None
        if record[6] != "backoff":
            state.backoff_until = None
        if record[6] not in ("watching", "rewatch-open"):
            state.watching_since = None

    def _list_start(self, state: InformerState, record: Record) -> None:
        state.asked_at = record[1]
        state.lists += 1
        state.received = state.pages = 0
        state.relist_reason = state.relist_reason or record[7]

    def _list_page(self, state: InformerState, record: Record) -> None:
        state.asked_at = None
        state.pages = record[6]
        state.received += record[7]

    def _list_end(self, state: InformerState, record: Record) -> None:
        _, _, _, _, _, _, ok, _, items, _, _, version, took = record
        if ok:
            self._fetched(state, record, items, version, took)

    def _watchlist_start(self, state: InformerState, record: Record) -> None:
        state.asked_at = record[1]
        state.watches += 1
        state.received = state.pages = 0

    def _watchlist_progress(self, state: InformerState, record: Record) -> None:
        state.asked_at = None
        if record[9] > state.received:
            state.end_missing = None
        state.received = max(state.received, record[9])

    def _watchlist_bookmark(self, state: InformerState, record: Record) -> None:
        _, _, _, _, _, _, version, items, took = record
        self._fetched(state, record, items, version, took)

    def _fetched(self, state: InformerState, record: Record, items: int, version: str, took: float) -> None:
        state.fetches += 1
        if state.fetches > 1:
            if state.relist_reason != ORDERED:
                state.relists_at.append(record[1])
            state.last_relist_reason = state.relist_reason
        state.relist_reason = ""
        state.last_list_s, state.last_list_items = took, items
        state.received = items
        state.last_event_at = record[1]
        state.at_version(record[0], version)
        state.worked()

    def _watch_open(self, state: InformerState, record: Record) -> None:
        _, at, _, _, _, _, _, timeout_s, _, ok, _, _, reused = record
        if not reused:
            state.watches += 1
        if not ok:
            return
        if state.fetches == state.fetches_at_open:
            state.reconnects += 1
        state.fetches_at_open = state.fetches
        state.watching_since, state.watch_timeout_s = at, timeout_s
        state.open_events = state.open_bookmarks = 0
        state.silence = ""
        state.stream_lost_at = None
        state.worked()

    def _watch_bookmark(self, state: InformerState, record: Record) -> None:
        state.bookmarks += 1
        state.open_bookmarks += 1
        state.last_bookmark_at = record[1]
        state.spoke()
        state.at_version(record[0], record[6])

    def _watch_silence(self, state: InformerState, record: Record) -> None:
        _, at, _, _, _, _, what, silent_s, _, _ = record
        if what == "kept":
            state.silence = ""
            return
        state.silence = "suspect" if what == "failed" else what
        state.silence_at, state.silent_s = at, silent_s
        if what == "reopened":
            state.watches += 1
            state.reconnects += 1

    def _watchlist_fallback(self, state: InformerState, record: Record) -> None:
        """The server has no watch-list: no trouble, a list follows."""
        state.worked()

    def _watchlist_waiting(self, state: InformerState, record: Record) -> None:
        state.end_missing = record[6]

    def _watch_close(self, state: InformerState, record: Record) -> None:
        _, at, _, _, _, _, lifetime_s, events, reason, then, _ = record
        state.watching_since = None
        state.last_watch_s, state.last_watch_events = lifetime_s, events
        state.short_watches += reason == "very_short"
        if reason in ("eof", "very_short") and state.watch_timeout_s:
            state.watch_ends.append((lifetime_s, state.watch_timeout_s))
        if reason != "eof" and then != "stop":
            state.stream_lost_at = state.stream_lost_at or at
        if then not in ("rewatch", "stop") and state.relist_reason != ORDERED:
            state.relist_reason = reason

    def _backoff_sleep(self, state: InformerState, record: Record) -> None:
        _, _, _, _, _, _, _, step, _, _, _, _, due_at = record
        state.backoff_until, state.backoff_step = due_at, step
        state.retries += 1

    def _backoff_wake(self, state: InformerState, record: Record) -> None:
        state.backoff_until = None

    def _error(self, state: InformerState, record: Record) -> None:
        _, at, _, _, _, _, stage, error_class, code, reason, message, _ = record
        text = shorten(str(message or ""))
        if is_ordered(record):
            state.relist_reason = ORDERED
            return
        state.asked_at = None
        state.problem = Problem(at, stage, error_class, code or 0, shorten(str(reason or ""), 80), text)
        state.last_error = text or error_class
        state.stream_lost_at = state.stream_lost_at or at

    def _lifecycle(self, state: InformerState, record: Record) -> None:
        what = record[5]
        if what == "started":
            state.started, state.stopped, state.run_thread = True, False, record[4]
        elif what == "synced":
            state.synced = True
        elif what == "stopped" and record[4] == state.run_thread:  # another thread: an older generation ended
            state.stopped = True
            state.watching_since = None

    def _engine(self, state: InformerState, record: Record) -> None:
        state.engine, state.client_go, state.watch_list = record[5], record[6], bool(record[7])

    def _synced(self, state: InformerState, record: Record) -> None:
        state.synced = True

    def _transformed(self, state: InformerState, record: Record) -> None:
        state.lost_versions += bool(record[8])
