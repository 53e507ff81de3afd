"""Topic: the event log's lines. Watch events in bulk, the rest worded one by one, all in the tap's order.

While it is calm (fewer than 10,000 records a second) a watch line also tells what became of its event: the
wait in the queue, each handler's call, or how much is pending before a handler. In a storm nobody could
read that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import itemgetter

from kdash.informer.tap import Record
from kdash.probe.describe import Line, describe, describe_failed_call, describe_slow_call, describe_wave
from kdash.probe.events import EventLog
from kdash.probe.handlers import HandlerTopic
from kdash.probe.informers import InformerTopic
from kdash.probe.objects import ObjectIndex
from kdash.probe.text import duration

__all__ = ["LineTopic"]

_SEQ, _AT, _INFORMER = itemgetter(0), itemgetter(1), itemgetter(3)
_TYPE = _OK = itemgetter(6)
_KEY, _VERSION = itemgetter(7), itemgetter(9)
_RECENT_MAX = 4096


class LineTopic:
    """Writes the lines of one chunk of records at a time: `cold` and the batches first, then `flush`."""

    def __init__(
        self, log: EventLog, index: ObjectIndex, informers: InformerTopic, handlers: HandlerTopic
    ) -> None:
        self._log = log
        self._index = index
        self._informers_watched = 0
        self._informers = informers
        self._handlers = handlers
        self._worded: list[tuple[int, float, str, Line]] = []
        self._watched: list[Record] = []
        self._old: list[str] = []  # for each of them, the version its object had before
        self._recent: dict[tuple[str, str], tuple[int, str]] = {}  # (informer, key) → line, version
        self.slow_limit_s = 0.1

    def cold(self, record: Record) -> None:
        line = describe(record)
        if line is not None:
            self._worded.append((record[0], record[1], record[3], line))

    def wave(self, tick: Record, wave: Record, due: Sequence[str], notifications: int, requests: int) -> None:
        line = describe_wave(tick, wave, due, notifications, requests)
        self._worded.append((wave[0], wave[1], wave[3], line))

    def watch_events(self, informer: str, records: Sequence[Record]) -> None:
        """Watch events of one informer become lines, except the initial events of a watch-list.

        Comes before the index is fed: it still holds the version that an object had before.
        """
        state = self._informers.of(informer)
        if state.initial_until is not None:
            records = [record for record in records if not state.is_initial(record[0])]
        rows, old = self._index.rows_of(informer), self._old
        before: dict[str, str] = {}
        for record in records:
            key = record[7]
            version = before.get(key)
            if version is None:
                row = rows.get(key)
                version = row.resource_version if row is not None and row.mark != "gone" else ""
            before[key] = record[9]
            old.append(version)
        self._watched.extend(records)
        self._informers_watched += 1

    def processed(self, records: Sequence[Record]) -> None:
        if not all(map(_OK, records)):
            for record in [record for record in records if not record[6]]:
                self.cold(record)

    def ended(self, records: Sequence[Record]) -> None:
        """handler.end records: the slow and the failed ones are lines."""
        limit_s = self.slow_limit_s
        for record in [r for r in records if r[14] > limit_s or r[15]]:
            line = describe_failed_call(record) if record[15] else describe_slow_call(record, limit_s)
            self._worded.append((record[0], record[1], record[3], line))

    def flush(self) -> None:
        """Write the chunk's lines in the order of their records."""
        watched, old, worded = self._watched, self._old, self._worded
        if self._informers_watched > 1:
            pairs = sorted(zip(watched, old, strict=True))
            watched, old = [record for record, _ in pairs], [version for _, version in pairs]
        self._watched, self._old, self._worded, self._informers_watched = [], [], [], 0
        if not worded:
            self._write_watched(watched, old)
            return
        worded.sort(key=_SEQ)
        start = 0
        for seq, at, informer, line in worded:
            end = bisect_left(watched, seq, start, key=_SEQ)
            self._write_watched(watched[start:end], old[start:end])
            start = end
            self._log.append(at, line.category, line.detail, verb=line.verb, key=line.key, informer=informer,
                             fold=line.fold)
        self._write_watched(watched[start:], old[start:])

    def _write_watched(self, records: list[Record], old: list[str]) -> None:
        if not records:
            return
        first = self._log.extend_watch(
            list(map(_AT, records)), list(map(_INFORMER, records)), list(map(_TYPE, records)),
            list(map(_KEY, records)), list(map(_VERSION, records)), old,
        )
        if len(self._recent) > _RECENT_MAX:
            self._recent.clear()
        if len(records) <= _RECENT_MAX // 8:
            for number, record in enumerate(records, first):
                self._recent[record[3], record[7]] = (number, record[9])

    # what became of an event, while it is calm -------------------------------------------------------------

    def follow(
        self, popped: Sequence[Record], distributed: Sequence[Record], ended: Sequence[Record]
    ) -> None:
        recent, annotate = self._recent, self._log.annotate
        if not recent:
            return
        for record in popped:
            found = recent.get((record[3], record[5]))
            if found is not None:
                annotate(found[0], "queue", duration(record[10]))
        for record in distributed:
            found = None if record[8] else recent.get((record[3], record[6]))
            if found is None or found[1] != record[7]:
                continue
            for name in record[9]:
                state = self._handlers.handlers.get((record[3], name))
                if state is not None and state.pending > 1:
                    annotate(found[0], name, f"pend {state.pending}")
        for record in ended:
            found = None if record[10] else recent.get((record[3], record[7]))
            if found is not None and found[1] == record[8]:
                annotate(found[0], record[5], duration(record[14]))
