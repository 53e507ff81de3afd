"""The tap: what the core tells an observer about its own work, at the moments of informer.md §4.

Contract: `emit` is a bounded, non-blocking append of scalars (str, int, float, bool, None, tuples of those); it
may be called under any lock of the core and never raises. Nothing that is emitted keeps an object of the cache
alive. With `tap=None` a component makes one attribute test and behaves identically (X10).

A record is the tuple `(seq, mono, kind, informer, thread, *fields)`; `FIELDS[kind]` names the fields in order.
Where an event costs a record, the core builds the tuple itself, with `next_seq()` and a time it has read anyway,
and hands it to `append`: that is a third of the price of `emit`. No field is an enum's member: the garbage
collector would go through the whole ring for it, again and again.
`cause` fields hold the `seq` of the record that led here: watch event → delta → pop → notification → handler.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Any, Protocol

from kdash.informer.clock import Clock, SystemClock

__all__ = ["FIELDS", "Record", "RingTap", "Tap", "as_dict"]

Record = tuple[Any, ...]

FIELDS: dict[str, tuple[str, ...]] = {
    # reflector -----------------------------------------------------------------------------------------
    "reflector.session_start": ("session", "use_watch_list", "last_rv", "rv_unavailable"),
    "reflector.session_end": ("session", "outcome", "error_class", "duration_s"),
    # state: listing, watch-listing, watching, rewatch-open, backoff, stopped
    "reflector.state": ("session", "state"),
    "list.start": ("session", "rv", "rv_reason", "limit", "why_limit", "attempt"),
    "list.page": ("session", "page_no", "items", "bytes", "has_continue", "remaining", "rv", "latency_s"),
    "list.fallback_full": ("session", "page_no", "rv"),
    "list.end": ("session", "ok", "error_class", "items", "pages", "paginated", "rv", "duration_s"),
    "watchlist.start": ("session", "rv", "timeout_s"),
    "watchlist.progress": ("session", "added", "modified", "deleted", "temp_size"),
    "watchlist.bookmark": ("session", "rv", "items", "duration_s"),
    # no further initial object and no end marker for so long (kdash extension)
    "watchlist.waiting": ("session", "objects", "silent_s"),
    "watchlist.retry": ("session", "reason", "delay_s"),
    "watchlist.fallback": ("session", "error"),
    "watch.open": (
        "session",
        "rv",
        "timeout_s",
        "bookmarks",
        "ok",
        "error_class",
        "latency_s",
        "reused_from_watchlist",
    ),
    "watch.event": ("session", "type", "key", "uid", "rv", "prev_rv", "bytes", "counted", "rejected_reason"),
    "watch.bookmark": ("session", "rv", "initial_events_end"),
    # reason: eof, very_short, error:<reason or code>, stop, resync_error; next: rewatch, backoff+rewatch, relist, stop
    "watch.close": ("session", "lifetime_s", "events", "reason", "next", "handler_notified"),
    # a silent watch and the second one beside it (kdash extension). what: suspect, reopened, kept (the old one spoke),
    # unproven (the second one brought nothing either), failed (the second one could not be opened)
    "watch.silence": ("session", "what", "silent_s", "bookmarking", "detail"),
    "backoff.sleep": ("session", "site", "step", "base_s", "jittered_s", "cap_hit", "cancellable", "due_at"),
    "backoff.wake": ("session", "site", "slept_s", "interrupted"),
    "error": ("session", "stage", "class", "http_code", "reason", "message", "seen_by_watch_error_handler"),
    # resync --------------------------------------------------------------------------------------------
    "resync.timer_armed": ("session", "period_s", "due_at", "why"),
    "resync.timer_stopped": ("session", "why"),
    # decisions: tuple of (listener, requested_s, effective_s, next_before, due, next_after); forced: by `resync_now`
    "resync.tick": ("tick", "lateness_s", "decisions", "needed", "forced"),
    "resync.enqueued": ("tick", "engine", "known", "queued", "skipped_pending", "missing", "lock_wait_s", "duration_s"),
    # queue ---------------------------------------------------------------------------------------------
    "queue.enqueued": ("key", "type", "rv", "depth_keys", "depth_deltas", "depth_objects", "new_key", "cause"),
    "queue.deduped": ("key", "kept", "dropped_type", "was_tombstone"),
    "queue.delete_ignored": ("key", "reason"),
    "queue.replace": ("rv", "items", "tombstones_from_queue", "tombstones_from_store", "atomic", "initial_population"),
    "queue.transform": ("key", "ok", "error", "lost_rv"),
    # keys: number of keys; key: the first one
    "queue.popped": (
        "key",
        "keys",
        "deltas",
        "batch_end_reason",
        "in_initial_list",
        "waited_s",
        "depth_keys",
        "depth_deltas",
        "depth_objects",
        "cause",
    ),
    "queue.processed": ("key", "ok", "error", "duration_s"),
    "queue.synced": ("initial_count",),
    "queue.closed": ("depth",),
    # store: op is add, update, delete, replace or bookmark ----------------------------------------------
    "store.mutation": ("op", "key", "old_rv", "new_rv", "uid_changed", "size", "stored_size", "delta_type", "cause"),
    "store.replaced": ("rv", "items", "deleted"),
    # notifications: kind is add, update or delete -------------------------------------------------------
    "notify.distribute": ("kind", "key", "rv", "is_sync", "delivered_to", "skipped", "cause"),
    # wait_s: in the listener's buffer; ended_at = mono of the record; rv of the new (or deleted) object
    "handler.start": ("listener", "kind", "key", "rv", "is_sync", "in_initial_list", "wait_s", "backlog", "cause"),
    "handler.end": (
        "listener",
        "kind",
        "key",
        "rv",
        "old_rv",
        "is_sync",
        "in_initial_list",
        "tombstone",
        "wait_s",
        "run_s",
        "error",
        "backlog",
        "cause",
    ),
    "listener.added": ("listener", "requested_s", "effective_s", "warning", "late", "replayed"),
    "listener.removed": ("listener", "dropped", "running"),
    "listener.synced": ("listener", "initial_total", "duration_s"),
    "listener.period": ("listener", "requested_s", "effective_s", "next_resync_at", "how"),
    # what: created, started, synced, stopping, stopped, second_run_warning
    "informer.lifecycle": ("what", "detail"),
    "informer.check_period": ("old_s", "new_s", "by"),
    "config.engine": ("engine", "client_go", "watch_list", "watch_list_reason"),
    # gate and handlers under the microscope (kdash extensions) ---------------------------------------------
    # what: hold, step or release; stage: queue, handlers, handler or all; name: the stepped handler
    "gate": ("what", "stage", "name"),
    # the listener's callback raised: frames of the user's code, outermost first, each (file, line, function, text, own)
    "handler.error": ("listener", "kind", "key", "error", "message", "frames", "tombstone", "in_initial_list"),
    # the listener's thread was found in a call that takes long, or often in short ones; cpu_s: used since the call
    # began (recordings without handler.look: since the sample before, if there was one); None: unknown
    "handler.sample": ("listener", "kind", "key", "frames", "elapsed_s", "cpu_s"),
    # what the thread of the next handler.sample did in the window since the one before of the same call, or since the
    # call began (see probe.doing); None: this system does not tell
    "handler.look": ("listener", "window_s", "cpu_s", "queued_s", "late_s", "position", "in_call", "callee"),
    # CPU time of a call of the user's own handler that took 1 ms or more
    "handler.cpu": ("listener", "kind", "key", "cpu_s", "run_s"),
    # transport (emitted by the ListerWatcher, which holds the same tap) ----------------------------------
    # purpose: list, watch, watch-list, discovery, …; path with its query, no secrets in it
    "api.start": ("request", "verb", "path", "purpose", "attempt"),
    "api.headers": ("request", "code", "latency_s", "retry_after_s"),
    "api.bytes": ("request", "bytes"),
    # outcome: ok, error, closed (by the server), stopped (by kdash), cut, timeout, refused, reset
    "api.end": ("request", "outcome", "code", "bytes", "duration_s", "error"),
    # a read answered from the cache instead of the server: what kdash's own panes and listers did ----------
    "cache.read": ("what", "count"),
}


class Tap(Protocol):
    """Where the core's records go. The attributes are read once, when a component is made."""

    def emit(self, kind: str, informer: str, *fields: Any) -> int:
        """Append one record and return its sequence number (> 0). `fields` follow `FIELDS[kind]`."""

    @property
    def next_seq(self) -> Callable[[], int]:
        """Gives the next sequence number; every one is used for one record."""

    @property
    def append(self) -> Callable[[Record], None]:
        """Takes a finished record."""

    @property
    def now(self) -> Callable[[], float]:
        """The clock of the records' `mono`."""


class RingTap:
    """A ring of the newest `size` records; the oldest are dropped when nobody drains it.

    `emit` may be called from any thread. `drain` from one consumer. `dropped` counts what the ring lost, as far
    as the last drain but one could tell.
    """

    def __init__(self, size: int = 1 << 18, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self.dropped = 0
        self._taken = self._highest = self._missing = 0  # what the consumer has seen
        self._ring: deque[Record] = deque(maxlen=size)
        self.next_seq: Callable[[], int] = itertools.count(1).__next__
        self.append: Callable[[Record], None] = self._ring.append
        self.now: Callable[[], float] = clock.monotonic
        self._emit = self._make_emit(self.append, self.next_seq, self.now)
        if type(self).emit is RingTap.emit:  # without the method's own call
            self.emit = self._emit  # type: ignore[method-assign]

    @staticmethod
    def _make_emit(
        append: Callable[[Record], None], count: Callable[[], int], now: Callable[[], float]
    ) -> Callable[..., int]:
        def emit(kind: str, informer: str, *fields: Any) -> int:
            seq = count()
            append((seq, now(), kind, informer, get_ident(), *fields))
            return seq

        return emit

    def emit(self, kind: str, informer: str, *fields: Any) -> int:
        return self._emit(kind, informer, *fields)

    def __len__(self) -> int:
        return len(self._ring)

    def drain(self, limit: int = 1 << 30) -> list[Record]:
        """Take up to `limit` of the oldest records out of the ring."""
        out: list[Record] = []
        pop = self._ring.popleft
        try:
            out.extend(itertools.starmap(pop, itertools.repeat((), min(limit, len(self._ring)))))
        except IndexError:  # the ring was shorter than it said: another drop came in between
            pass
        if out:
            self._taken += len(out)
            self._highest = max(self._highest, out[-1][0])
        # Threads may append in another order than they counted: what is missing now may still come.
        missing = self._highest - self._taken
        self.dropped = max(self.dropped, min(missing, self._missing))
        self._missing = missing
        return out


def as_dict(record: Record) -> dict[str, Any]:
    """A record with its field names, for traces and tests.

    The field `kind` of notifications and handlers (add, update or delete) is called `callback` here: `kind` is
    the record's own.

    >>> as_dict((7, 0.5, "handler.start", "pods", 1, "audit", "add", "ns/a", "12", False, True, 0.0, 0, 6))["callback"]
    'add'
    """
    seq, mono, kind, informer, thread, *fields = record
    names = FIELDS[kind]
    if "kind" in names:
        names = tuple("callback" if name == "kind" else name for name in names)
    return {"seq": seq, "mono": mono, "kind": kind, "informer": informer, "thread": thread,
            **dict(zip(names, fields, strict=True))}
