"""The recorder: takes the tap's records and keeps the figures. One drain thread writes, the screen reads.

Contract: `take` and `tick` are called by one thread; `snapshot` (in `build`) and the readers of `objects`
and `events` may be on any other. `lock` guards all topics; it is held for at most 2,048 records (about 1
ms) at a time. Records are split by kind first: those of the hot path go to their topics as batches, where
counting costs 0.1 to 0.4 µs each; all others one by one in the tap's order, before the batches.
Every step is guarded: what a topic cannot read is counted (`failed`) and told in the event log, and collection goes on.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from itertools import chain
from operator import itemgetter
from typing import Any

from kdash.informer.clock import Clock, SystemClock
from kdash.informer.tap import Record
from kdash.probe.api import ApiTopic
from kdash.probe.describe import describe_hang
from kdash.probe.events import EventLog
from kdash.probe.gate import GateTopic
from kdash.probe.handlers import HandlerTopic
from kdash.probe.history import HistoryTopic, VersionFed
from kdash.probe.index_feed import IndexFeed
from kdash.probe.informers import InformerTopic, Target
from kdash.probe.lines import LineTopic
from kdash.probe.objects import ObjectIndex
from kdash.probe.paths import PathTopic
from kdash.probe.queues import QueueTopic
from kdash.probe.rates import KEPT_S
from kdash.probe.recording.journal import Journal, Moment
from kdash.probe.resync import ResyncTopic
from kdash.probe.text import clean, plural, shorten

__all__ = ["Recorder"]

_SEQ = itemgetter(0)
_logger = logging.getLogger(__name__)
_CHUNK = 2048
_CALM_VERSIONS = 200  # of one `take_versions`: only then the former ones are packed
_CALM = 512  # records of one `take`; at 20 of them a second, 10,000 records a second
_HOT = (
    "watch.event", "queue.enqueued", "queue.popped", "queue.processed", "store.mutation", "notify.distribute",
    "handler.start", "handler.end", "api.bytes",
)  # fmt: skip


class Recorder:
    """All topics of one observation."""

    def __init__(self, clock: Clock | None = None, *, events: int = 20_000, gone_kept_s: float = 5.0,
                 slow_limit_s: float = 0.1) -> None:
        self.clock = clock or SystemClock()
        self.lock = threading.Lock()  # guards every topic
        self.objects = ObjectIndex(gone_kept_s)
        self.events = EventLog(events, self.clock.wall() - self.clock.monotonic())
        self.informers = InformerTopic()
        self.queues = QueueTopic()
        self.resync = ResyncTopic()
        self.handlers = HandlerTopic()
        self.api = ApiTopic()
        self.lines = LineTopic(self.events, self.objects, self.informers, self.handlers)
        self.lines.slow_limit_s = self.handlers.slow_limit_s = slow_limit_s
        self.paths = PathTopic()
        self.history = HistoryTopic(self.paths, objects=self.objects)
        self.gate = GateTopic(self.paths)
        self.feed = IndexFeed(self.objects, self.informers)
        self.dropped = 0
        """Records that the tap's ring lost because nobody took them in time."""
        self.failed = 0
        """Records that could not be read: they may be missing from the figures."""
        self.taken = 0
        """Records and lines so far."""
        self.journal: Journal | None = None
        """While a recording is made: all that this recorder is told, in order (see `recording.format`)."""
        self._source: Any = None
        self._second = int(self.clock.monotonic())
        self._single, self._hot = self._make_table(), self._make_hot()

    def begin_at(self, second: int, wall_offset_s: float) -> None:
        """As if it had been made in that second, by a clock that is so far off the wall's (for a replay)."""
        self._second = second
        self.events.wall_offset_s = wall_offset_s

    @property
    def second(self) -> int:
        """Up to which the seconds are closed."""
        return self._second

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_single", "_hot")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._single, self._hot = self._make_table(), self._make_hot()

    # orders of the observation ---------------------------------------------------------------------------

    def register(self, target: Target) -> None:
        """Announce an informer, or that it is being built anew: what its cache held is forgotten."""
        with self.lock:
            again = target.name in self.informers.states
            self._tell("r", *astuple(target))
            self.informers.register(target)
            self.resync.clocks.pop(target.name, None)
            self.queues.queues.pop(target.name, None)
            self.handlers.drop_informer(target.name)
            if again:
                self.objects.drop_informer(target.name)
            self.objects.add_informer(target.name)

    def note(self, text: str, category: str = "APP", fold: bool = False) -> None:
        """A line of the observation itself; `text` is already clean."""
        with self.lock:
            self.taken += 1
            at = self._tell("n", text, category, fold)
            self.events.append(at, category, text, fold=fold)

    def describe_handler(self, informer: str, name: str, code: str, slow_limit_s: float | None) -> None:
        """Tell what the tap does not: whose code a handler is, and from when its calls count as slow."""
        with self.lock:
            self._tell("h", informer, name, code, slow_limit_s)
            self.handlers.describe(informer, name, code, slow_limit_s)

    def reset_latency(self) -> None:
        """Begin the handlers' distributions anew."""
        with self.lock:
            self._tell("l")
            for state in self.handlers.handlers.values():
                state.reset_latency()

    def reset_peak(self) -> None:
        """Begin the queues' peaks anew."""
        with self.lock:
            self._tell("p")
            for queue in self.queues.queues.values():
                queue.peak_keys = queue.peak_objects = 0

    def set_slow_limit(self, limit_s: float, handler: str | None = None) -> None:
        """From which run time calls count as slow: of one handler, or of every one."""
        with self.lock:
            self._tell("s", limit_s, handler)
            if handler is None:
                self.lines.slow_limit_s = self.handlers.slow_limit_s = limit_s
            for (_, name), state in self.handlers.handlers.items():
                if handler is None:
                    state.slow_limit_s = None
                elif name == handler:
                    state.slow_limit_s = limit_s

    def forget(self, name: str) -> None:
        """An informer is gone for good; its requests and its lines in the log stay."""
        with self.lock:
            self._tell("f", name)
            self.informers.states.pop(name, None)
            self.resync.clocks.pop(name, None)
            self.queues.queues.pop(name, None)
            self.handlers.drop_informer(name)
            self.objects.remove_informer(name)
            self.history.forget(name)

    def lost(self, dropped: int) -> None:
        """How many records the tap's ring has lost by now."""
        if dropped != self.dropped:
            with self.lock:
                self._tell("d", dropped)
                self.dropped = dropped

    def saw(self, source: Any) -> float:
        """What the observation knew when a picture was made of it; the lock is held. Returns the instant."""
        if self.journal is None or source == self._source:
            return self.clock.monotonic()
        self._source = source
        return self._tell("o", source)

    def _tell(self, kind: str, *what: Any) -> float:
        """Put what is about to happen into the journal, if there is one; returns the instant of it."""
        at = self.clock.monotonic()
        if self.journal is not None:
            self.journal.tell(kind, at, *what)
        return at

    # the drain thread ------------------------------------------------------------------------------------

    def guarded(self, work: Callable[..., object], *given: Any, what: str = "", records: int = 0) -> None:
        """Do one step of the drain; one that raises is counted and told, and the next one follows.

        `records` may not be counted then. The lock is not held: see `_guarded` for within.
        """
        try:
            work(*given)
        except Exception as error:
            with self.lock:
                self._tell_failure(what or work.__name__, error, records)

    def _guarded(self, work: Callable[..., object], *given: Any, kind: str, records: int) -> None:
        try:
            work(*given)
        except Exception as error:
            self._tell_failure(kind, error, records)

    def _tell_failure(self, what: str, error: Exception, records: int) -> None:
        self.failed += records
        self.taken += 1
        lost = f"{plural(records, 'record')} of " if records else ""
        text = f"probe failed: {lost}{clean(str(what))}: {type(error).__name__}: {shorten(str(error))}"
        _logger.warning("%s", text, exc_info=error)
        self.events.append(self.clock.monotonic(), "ERROR", text, fold=True)

    def take(self, records: Sequence[Record]) -> None:
        """Count `records`, which are in the tap's order."""
        calm = len(records) <= _CALM
        for start in range(0, len(records), _CHUNK):
            self.take_some(records[start : start + _CHUNK], calm)

    def take_some(self, records: Sequence[Record], calm: bool) -> None:
        """A part of what `take` was given; `calm`: there is time to follow each event."""
        by_kind: defaultdict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_kind[record[2]].append(record)
        with self.lock:
            self.taken += len(records)
            if self.journal is not None:
                self._guarded(self._tell, "t", records, calm, Moment.of(records, by_kind), kind="recording", records=0)
            self._take(by_kind, calm)

    def take_versions(self, changes: Sequence[VersionFed]) -> None:
        """Keep versions whose records have been taken already."""
        with self.lock:
            self._tell("v", changes)
            self.history.fed(changes, pack=len(changes) <= _CALM_VERSIONS)

    def cached(self, changes: Mapping[tuple[str, str], Any]) -> None:
        """What changed in the caches besides, by informer and key. Only recordings keep it (see `Journal`)."""
        if changes:
            with self.lock:
                self._tell("c", changes)

    def tick(self) -> None:
        """Close the seconds that are over, drop what has been gone long enough; several times a second."""
        with self.lock:
            now = self._tell("k")
            second = int(now)
            for _ in range(min(second - self._second, KEPT_S)):
                self.handlers.end_second(self.gate.held, self.objects.objects_of)
                self.queues.waits.end_second()
                self.paths.end_second()
            self._second = second
            self.objects.expire(now)
            for state in self.handlers.new_hangs(now):
                line = describe_hang(state, now)
                self.events.append(now, line.category, line.detail, verb=line.verb, key=line.key,
                                   informer=state.informer)  # fmt: skip

    def _take(self, by_kind: dict[str, list[Record]], calm: bool) -> None:
        hot = {kind: by_kind.pop(kind, []) for kind in _HOT}
        if by_kind:
            self._take_cold(sorted(chain.from_iterable(by_kind.values()), key=_SEQ))
        self._guarded(self.paths.take, hot, calm, kind="paths", records=0)
        self._take_hot(hot)
        self._guarded(self.lines.flush, kind="event log", records=0)
        if calm:
            self._guarded(self.lines.follow, hot["queue.popped"], hot["notify.distribute"], hot["handler.end"],
                          kind="event log", records=0)

    def _take_cold(self, records: list[Record]) -> None:
        single, line = self._single, self.lines.cold
        for record in records:
            try:
                handle = single.get(record[2])
                if handle is not None:
                    handle(record)
                line(record)
            except Exception as error:
                self._tell_failure(record[2], error, 1)

    def _take_hot(self, hot: dict[str, list[Record]]) -> None:
        """Give each topic its batches; what one cannot read the others still get."""
        for kind, works in self._hot.items():
            for informer, batch in _by_informer(hot[kind]):
                failed = 0
                for work in works:
                    try:
                        work(informer, batch)
                    except Exception as error:
                        self._tell_failure(kind, error, 0 if failed else len(batch))
                        failed = 1

    def _make_hot(self) -> dict[str, tuple[Callable[[str, list[Record]], object], ...]]:
        """Who counts the batches of each kind, in the order of the pipeline."""
        handlers, lines, gate = self.handlers, self.lines, self.gate
        return {
            "watch.event": (
                lines.watch_events, self.informers.watch_events,
                lambda informer, batch: self.api.watched(informer, len(batch)),
            ),
            "queue.enqueued": (self.queues.enqueued,),
            "queue.popped": (self.queues.popped, gate.popped),
            "store.mutation": (self.feed.mutations,),
            "handler.start": (lambda _, batch: handlers.started(batch), lambda _, batch: gate.started(batch)),
            "handler.end": (lambda _, batch: handlers.ended(batch), lambda _, batch: lines.ended(batch)),
            "notify.distribute": (handlers.distributed, self.feed.distributed, self.history.distributed),
            "api.bytes": (lambda _, batch: self.api.bytes(batch),),
            "queue.processed": (lambda _, batch: lines.processed(batch), self.queues.processed),
        }  # fmt: skip

    # one record at a time --------------------------------------------------------------------------------

    def _make_table(self) -> dict[str, Callable[[Record], None]]:
        table: dict[str, Callable[[Record], None]] = {
            "resync.timer_armed": self.resync.timer_armed,
            "resync.timer_stopped": self.resync.timer_stopped,
            "resync.tick": self.resync.ticked,
            "resync.enqueued": self._wave,
            "informer.check_period": self.resync.check_period,
            "listener.added": self._handler_added,
            "listener.removed": self._handler_removed,
            "listener.synced": self.handlers.synced,
            "listener.period": self.resync.period_changed,
            "queue.closed": lambda record: self.queues.closed(record[3], record),
            "store.replaced": self.feed.replaced,
            "api.start": self._request_started,
            "api.headers": self.api.headers,
            "api.end": self.api.ended,
            "cache.read": self.api.read,
            "gate": lambda record: self.gate.told(record, self.watch_events),
            "handler.sample": self.handlers.examined,
            "handler.look": self.handlers.examined,
            "handler.cpu": self.handlers.examined,
            "handler.error": self.handlers.examined,
        }
        for kind, handle in self.informers.HANDLES.items():
            table[kind] = lambda record, handle=handle: handle(self.informers.of(record[3]), record)  # type: ignore[misc]
        count = table["watch.bookmark"]

        def bookmark(record: Record) -> None:
            count(record)
            self.api.watched(record[3], 0, 1)

        table["watch.bookmark"] = bookmark
        table["queue.replace"] = self._replaced
        return table

    def _wave(self, record: Record) -> None:
        clock = self.resync.of(record[3])
        notifications = self.resync.enqueued(record)
        if clock.tick is None:
            return
        self.lines.wave(clock.tick, record, clock.due_names(), notifications, clock.requests)
        words = f"resync: {clock.last_wave} Sync deltas, {clock.requests} API requests"
        self.queues.of(record[3]).last_wave = words

    @property
    def watch_events(self) -> int:
        """Watch events of all informers so far."""
        return sum(state.events.total for state in self.informers.states.values())

    def _replaced(self, record: Record) -> None:
        self.history.listed(record)
        again = self.informers.of(record[3]).fetches > 1
        self.queues.of(record[3]).last_wave = f"{'relist' if again else 'list'}: {record[6]} Replaced"

    def _handler_added(self, record: Record) -> None:
        self.handlers.added(record)
        self.resync.handler_added(record)

    def _handler_removed(self, record: Record) -> None:
        self.handlers.removed(record)
        self.resync.handler_removed(record)

    def _request_started(self, record: Record) -> None:
        self.api.started(record)
        self.resync.request_sent(record)


def _by_informer(records: list[Record]) -> list[tuple[str, list[Record]]]:
    """Records of one kind, per informer; in the usual case of one informer nothing is copied."""
    if not records:
        return []
    names = dict.fromkeys([record[3] for record in records])
    if len(names) == 1:
        return [(records[0][3], records)]
    return [(name, [record for record in records if record[3] == name]) for name in names]
