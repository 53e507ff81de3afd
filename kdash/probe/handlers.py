"""Topic: the handlers (records notify.distribute, handler.*, listener.*): calls, times, backlog, errors."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from operator import itemgetter

from kdash.informer.tap import Record
from kdash.probe.latency import Latency
from kdash.probe.rates import KEPT_S, PerSecond
from kdash.probe.snapshot import HandlerView
from kdash.probe.text import clean, duration

__all__ = ["CALLBACK_NAMES", "HandlerState", "HandlerTopic"]

CALLBACK_NAMES = {"add": "OnAdd", "update": "OnUpdate", "delete": "OnDelete"}
_NAMES = itemgetter(9)
_KIND_AND_SYNC = itemgetter(6, 10)
_WAIT, _RUN, _ERROR = itemgetter(13), itemgetter(14), itemgetter(15)
_RECENT_S = 10


class HandlerState:
    """One handler of one informer."""

    def __init__(self, name: str, informer: str) -> None:
        self.name = name
        self.informer = informer
        self.adds = self.updates = self.deletes = self.syncs = 0
        self.errors = 0
        self.last_error = ""
        self.run = Latency()
        self.wait = Latency()
        self.delivered = 0
        self.pending = 0
        self.pending_seq = 0
        self.running_since: float | None = None
        self.running_seq = 0
        self.running = ""
        self.synced = False
        self.initial_total: int | None = None
        self.initial_done = 0
        self.worst_s = 0.0
        self.worst = ""
        self.worst_at: float | None = None
        self.busy_s: deque[float] = deque([0.0], maxlen=_RECENT_S)
        self.pending_history: deque[int] = deque(maxlen=KEPT_S)

    @property
    def calls(self) -> int:
        return self.adds + self.updates + self.deletes + self.syncs

    def ended(self, records: Sequence[Record]) -> None:
        """A batch of this handler's handler.end records."""
        for (kind, is_sync), count in Counter(map(_KIND_AND_SYNC, records)).items():
            if is_sync:
                self.syncs += count
            elif kind == "update":
                self.updates += count
            elif kind == "add":
                self.adds += count
            else:
                self.deletes += count
        runs = list(map(_RUN, records))
        self.run.add_many(runs)
        self.busy_s[-1] += sum(runs)
        self.wait.add_many(list(map(_WAIT, records)))
        longest = max(runs)
        if longest > self.worst_s:
            record = records[runs.index(longest)]
            self.worst_s, self.worst_at = longest, record[1]
            self.worst = f"{clean(record[7])} {CALLBACK_NAMES.get(record[6], record[6])} {duration(longest)}"
        if not self.synced:
            self.initial_done += sum([record[11] for record in records])
        last = records[-1]
        self.at_backlog(last[0], last[16])
        if last[0] > self.running_seq:
            self.running_since = None
        if any(map(_ERROR, records)):
            for record in [record for record in records if record[15]]:
                self.errors += 1
                callback = CALLBACK_NAMES.get(record[6], record[6])
                self.last_error = clean(f"{callback} {record[7]}: {record[15]}")

    def began(self, record: Record) -> None:
        """The newest handler.start record of a batch."""
        if record[0] > self.running_seq:
            self.running_seq, self.running_since = record[0], record[1]
            self.running = record[7]
            self.at_backlog(record[0], record[12])

    def at_backlog(self, seq: int, backlog: int) -> None:
        if seq > self.pending_seq:
            self.pending_seq, self.pending = seq, backlog

    def end_second(self) -> None:
        self.run.end_second()
        self.wait.end_second()
        self.busy_s.append(0.0)
        self.pending_history.append(self.pending)

    def reset_latency(self) -> None:
        self.run.reset()
        self.wait.reset()
        self.worst_s, self.worst, self.worst_at = 0.0, "", None

    def view(self, now: float, slow_limit_s: float) -> HandlerView:
        recent = list(self.busy_s)[:-1] or [self.busy_s[-1]]
        running_s = max(0.0, now - self.running_since) if self.running_since is not None else 0.0
        busy = min(1.0, (sum(recent) + min(running_s, len(recent))) / len(recent))
        growth, drains = self._growth()
        recent_p99 = max([*list(self.run.p99_history)[-_RECENT_S:], self.run.second_p99(), 0.0])
        return HandlerView(
            self.name, self.informer, self.calls, self.adds, self.updates, self.deletes, self.syncs,
            self.run.quantile(0.5), self.run.quantile(0.95), self.run.quantile(0.99), self.run.max_s,
            self.wait.quantile(0.5), self.wait.quantile(0.99), self.pending, self.running_since, busy,
            growth, drains, self.errors, self.last_error,
            recent_p99 > slow_limit_s or running_s > slow_limit_s, slow_limit_s, self.synced,
            max(0, (self.initial_total or 0) - self.initial_done) if not self.synced else 0,
            self.worst, self.worst_at, tuple(self.run.p99_history), tuple(self.pending_history),
        )  # fmt: skip

    def _growth(self) -> tuple[float, float | None]:
        history = list(self.pending_history)[-_RECENT_S:]
        if not history:
            return 0.0, None
        growth = (self.pending - history[0]) / len(history)
        drains = self.pending / -growth if self.pending > 0 and growth < 0 else None
        return growth, drains


class HandlerTopic:
    """The handlers of all informers, in the order they came."""

    def __init__(self) -> None:
        self.handlers: dict[tuple[str, str], HandlerState] = {}
        self.notified = PerSecond()
        self._removed: set[tuple[str, str]] = set()

    def of(self, informer: str, name: str) -> HandlerState | None:
        """The handler's state; None for one that was removed while its last call ran."""
        state = self.handlers.get((informer, name))
        if state is None and (informer, name) not in self._removed:
            state = self.handlers[informer, name] = HandlerState(name, informer)
        return state

    def drop_informer(self, informer: str) -> None:
        """Forget the handlers of an informer that is being built anew."""
        self.handlers = {key: state for key, state in self.handlers.items() if key[0] != informer}

    def started(self, records: Sequence[Record]) -> None:
        """A batch of handler.start records: only each handler's newest matters."""
        for (informer, name), record in {(record[3], record[5]): record for record in records}.items():
            state = self.of(informer, name)
            if state is not None:
                state.began(record)

    def ended(self, records: Sequence[Record]) -> None:
        """A batch of handler.end records."""
        by_handler: dict[tuple[str, str], list[Record]] = {}
        for record in records:
            key = (record[3], record[5])
            if key in by_handler:
                by_handler[key].append(record)
            else:
                by_handler[key] = [record]
        for (informer, name), group in by_handler.items():
            state = self.of(informer, name)
            if state is not None:
                state.ended(group)

    def distributed(self, informer: str, records: Sequence[Record]) -> None:
        """A batch of notify.distribute records of one informer; comes after `started` and `ended`."""
        second, total = int(records[-1][1]), 0
        for names, count in Counter(map(_NAMES, records)).items():
            total += count * len(names)
            for name in names:
                state = self.of(informer, name)
                if state is not None:
                    state.delivered += count
        self.notified.add(second, total)
        states = [state for state in self.handlers.values() if state.informer == informer]
        if not states:
            return
        # what was delivered after a handler last told its backlog waits behind it
        oldest = min(state.pending_seq for state in states)
        for record in reversed(records):
            if record[0] < oldest:
                break
            for state in states:
                if record[0] > state.pending_seq and state.name in record[9]:
                    state.pending += 1
        for state in states:
            state.pending_seq = max(state.pending_seq, records[-1][0])

    def added(self, record: Record) -> None:
        _, _, _, informer, _, name, _, _, _, late, replayed = record
        self._removed.discard((informer, name))
        state = self.handlers.get((informer, name))
        if state is None:
            state = self.handlers[informer, name] = HandlerState(name, informer)
        if late:
            state.initial_total = replayed
            state.pending = replayed
            state.pending_seq = record[0]

    def removed(self, record: Record) -> None:
        key = (record[3], record[5])
        self.handlers.pop(key, None)
        self._removed.add(key)

    def synced(self, record: Record) -> None:
        state = self.of(record[3], record[5])
        if state is not None:
            state.synced, state.initial_total = True, record[6]

    def end_second(self) -> None:
        for state in self.handlers.values():
            state.end_second()
