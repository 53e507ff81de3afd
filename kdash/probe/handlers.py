"""Topic: the handlers (records notify.distribute, handler.*, listener.*): calls, times, backlog, errors."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from operator import itemgetter

from kdash.informer.tap import Record
from kdash.probe.latency import Latency, buckets_of
from kdash.probe.minute import MinuteLatency, histogram
from kdash.probe.outlook import Outlook
from kdash.probe.rates import KEPT_S, PerSecond
from kdash.probe.snapshot import CallbackView, HandlerView, LatencyView, RunningView
from kdash.probe.stuck import CALLBACK_NAMES, StuckCalls
from kdash.probe.text import clean, duration

__all__ = ["BY_DESIGN", "CALLBACK_NAMES", "SLEEPS", "HandlerState", "HandlerTopic"]

SLEEPS, BY_DESIGN = "sleeps ", " by design"
"""How a description of a handler that takes its time on purpose begins and ends."""
_NAMES = itemgetter(9)
_KIND_AND_SYNC = itemgetter(6, 10)
_WAIT, _RUN, _ERROR = itemgetter(13), itemgetter(14), itemgetter(15)
_RECENT_S = 10
_KIND = itemgetter(6)
_ARRIVALS_MAX = 2048
HANGS_S = 10.0
"""From which age a call that runs is called a hang, if that is far past its limit too."""
_HANGS_LIMITS = 20
_FIRST_S = 60

BUSY = 0.5
"""From which share of its time in calls on a handler is worth a look, however short they are."""


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
        self.worst_key = ""
        self.worst_at: float | None = None
        self.busy_s: deque[float] = deque([0.0], maxlen=_RECENT_S)
        self.pending_history: deque[int] = deque(maxlen=KEPT_S)
        self.code = ""
        self.slow_limit_s: float | None = None
        self.stuck = StuckCalls()
        self.running_kind = ""
        self.running_wait_s = 0.0
        self.runs: dict[str, MinuteLatency] = {}
        self.waits: dict[str, MinuteLatency] = {}
        self.arrived = PerSecond()
        self.served = PerSecond()
        self._arrivals: deque[tuple[int, float]] = deque()  # (how many had come, when): a batch an entry
        self._came = 0
        self.outlook = Outlook()
        self.hang_told = 0
        self.early: dict[str, tuple[LatencyView, int]] = {}  # of the minute after the first call
        self._seconds_of: Counter[str] = Counter()

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
        self._by_callback(records, runs)
        self.served.add(int(records[-1][1]), len(records))
        self.busy_s[-1] += sum(runs)
        longest = max(runs)
        if longest > self.worst_s:
            record = records[runs.index(longest)]
            self.worst_s, self.worst_at = longest, record[1]
            self.worst_key = clean(record[7])
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
                if self.stuck.error_words.startswith(self.last_error):
                    self.last_error = self.stuck.error_words

    def _by_callback(self, records: Sequence[Record], runs: Sequence[float]) -> None:
        run, wait = buckets_of(runs), buckets_of(list(map(_WAIT, records)))
        self.run.add_counted(*run[:2])
        self.wait.add_counted(*wait[:2])
        groups: dict[str, Sequence[Record]] = {records[0][6]: records}
        if any(record[6] != records[0][6] for record in records):
            groups = {kind: [r for r in records if r[6] == kind] for kind in set(map(_KIND, records))}
        for kind, group in groups.items():
            if kind not in self.runs:
                self.runs[kind], self.waits[kind] = MinuteLatency(), MinuteLatency()
            if group is records:
                self.runs[kind].add_counted(*run)
                self.waits[kind].add_counted(*wait)
            else:
                self.runs[kind].add_many(list(map(_RUN, group)))
                self.waits[kind].add_many(list(map(_WAIT, group)))

    def long_calls(self, records: Sequence[Record], default_limit_s: float) -> None:
        """handler.end records once more, for the slowest calls."""
        limit_s = default_limit_s if self.slow_limit_s is None else self.slow_limit_s
        for record in records:
            if record[14] >= limit_s:
                self.stuck.ended(record, limit_s)

    def came(self, count: int, at: float) -> None:
        """`count` notifications were handed over."""
        self._came += count
        self.arrived.add(int(at), count)
        if len(self._arrivals) >= _ARRIVALS_MAX:  # every other one goes: the ages get coarser
            self._arrivals = deque(list(self._arrivals)[1::2])
        self._arrivals.append((self._came, at))

    def oldest_pending_at(self) -> float | None:
        """When the oldest waiting notification was handed over, within a batch."""
        done = self._came - self.pending
        while self._arrivals and self._arrivals[0][0] <= done:
            self._arrivals.popleft()
        return self._arrivals[0][1] if self.pending > 0 and self._arrivals else None

    def began(self, record: Record) -> None:
        """The newest handler.start record of a batch."""
        if record[0] > self.running_seq:
            self.running_seq, self.running_since = record[0], record[1]
            self.running, self.running_kind, self.running_wait_s = record[7], record[6], record[11]
            self.at_backlog(record[0], record[12])

    def at_backlog(self, seq: int, backlog: int) -> None:
        if seq > self.pending_seq:
            self.pending_seq, self.pending = seq, backlog

    def hung_s(self, now: float, slow_limit_s: float) -> float:
        """Age of the present call if it hangs, else 0."""
        limit_s = slow_limit_s if self.slow_limit_s is None else self.slow_limit_s
        running_s = self.running_s(now)
        return running_s if running_s >= max(HANGS_S, _HANGS_LIMITS * limit_s) else 0.0

    def end_second(self, held: bool, objects: int) -> None:
        for kind, run in self.runs.items():
            self._seconds_of[kind] += 1
            if self._seconds_of[kind] == _FIRST_S:
                self.early[kind] = run.view(False), objects
        self.outlook.end_second(self.pending, held)
        self.run.end_second()
        self.wait.end_second()
        for latency in (*self.runs.values(), *self.waits.values()):
            latency.end_second()
        self.busy_s.append(0.0)
        self.pending_history.append(self.pending)

    def reset_latency(self) -> None:
        self.run.reset()
        self.wait.reset()
        self.worst_s, self.worst, self.worst_at = 0.0, "", None
        self.runs.clear()
        self.early.clear()
        self._seconds_of.clear()
        self.waits.clear()
        self.stuck.reset()

    def running_s(self, now: float) -> float:
        """For how long the present call has been running; 0 without one."""
        return max(0.0, now - self.running_since) if self.running_since is not None else 0.0

    def busy(self, now: float) -> float:
        """Share of the last seconds that was spent in calls, 0..1."""
        recent = list(self.busy_s)[:-1] or [self.busy_s[-1]]
        return min(1.0, (sum(recent) + min(self.running_s(now), len(recent))) / len(recent))

    def view(self, now: float, slow_limit_s: float, end_to_end: MinuteLatency | None = None) -> HandlerView:
        if self.slow_limit_s is not None:
            slow_limit_s = self.slow_limit_s
        running_s = self.running_s(now)
        busy = self.busy(now)
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
            code=clean(self.code),
            worst_key=self.worst_key,
            by_design=self.code.endswith(BY_DESIGN),
            callbacks=self._callbacks(),
            end_to_end=end_to_end.view(False) if end_to_end is not None else LatencyView(),
            end_to_end_minute=end_to_end.view(True) if end_to_end is not None else LatencyView(),
            buckets=histogram(list(self.runs.values())),
            mean_s=sum(run.sum_s for run in self.runs.values()) / max(1, self.calls),
            oldest_pending_at=self.oldest_pending_at(),
            arrival_rate=self.arrived.rate(now, _RECENT_S),
            service_rate=self.served.rate(now, _RECENT_S),
            drains=self._drains(),
            running=self._running(),
            hot_lines=self.stuck.hot_lines(now),
            slowest=self.stuck.slowest(),
            cpu_share=self.stuck.cpu_share,
            traceback=self.stuck.traceback,
            last_error_at=self.stuck.error_at,
            last_error_key=self.stuck.error_key,
            initial_errors=self.stuck.initial_errors,
            tombstone_errors=self.stuck.tombstone_errors,
            trend=self.outlook.view,
            hung_s=self.hung_s(now, slow_limit_s),
        )

    def _callbacks(self) -> tuple[CallbackView, ...]:
        return tuple(
            CallbackView(name, self.runs[kind].view(True), self.runs[kind].view(False),
                         *self.early.get(kind, (LatencyView(), 0)), self.waits[kind].view(True),
                         self.waits[kind].view(False))
            for kind, name in CALLBACK_NAMES.items() if kind in self.runs
        )  # fmt: skip

    def _running(self) -> RunningView | None:
        if self.running_since is None:
            return None
        callback = CALLBACK_NAMES.get(self.running_kind, self.running_kind)
        samples, stack, doing = self.stuck.now(self.running_since)
        key = clean(self.running)
        return RunningView(key, callback, self.running_since, self.running_wait_s, samples, stack, doing)

    def _drains(self) -> str:
        trend = self.outlook.view
        if self.pending <= 0 or trend.word not in ("grows", "shrinks"):
            return ""
        if trend.word == "grows":
            return "never drains at this rate"
        return f"drains in {duration(self.pending / -trend.per_s)}" if trend.per_s < 0 else ""

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
        self.slow_limit_s = 0.1
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
                state.long_calls(group, self.slow_limit_s)

    def examined(self, record: Record) -> None:
        """handler.look, handler.sample, handler.cpu or handler.error."""
        state = self.of(record[3], record[5])
        if state is None:
            return
        if record[2] == "handler.sample":
            state.stuck.sampled(record)
        elif record[2] == "handler.look":
            state.stuck.looked(record)
        elif record[2] == "handler.cpu":
            state.stuck.used_cpu(record)
        else:
            state.stuck.failed(record)

    def worth_a_look(self, now: float) -> list[tuple[str, str]]:
        """(informer, handler) of each that is in a call past its slow limit, or that is busy with short ones."""
        found = []
        for who, state in self.handlers.items():
            limit_s = self.slow_limit_s if state.slow_limit_s is None else state.slow_limit_s
            is_slow = state.running_since is not None and now - state.running_since > limit_s
            if is_slow or state.busy(now) >= BUSY:
                found.append(who)
        return found

    def describe(self, informer: str, name: str, code: str, slow_limit_s: float | None) -> None:
        """What the observation knows of a handler and the tap does not."""
        self._removed.discard((informer, name))
        state = self.of(informer, name)
        if state is not None:
            state.code, state.slow_limit_s = code, slow_limit_s

    def distributed(self, informer: str, records: Sequence[Record]) -> None:
        """A batch of notify.distribute records of one informer; comes after `started` and `ended`."""
        second, total = int(records[-1][1]), 0
        for names, count in Counter(map(_NAMES, records)).items():
            total += count * len(names)
            for name in names:
                state = self.of(informer, name)
                if state is not None:
                    state.delivered += count
                    state.came(count, records[-1][1])
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
            state.came(replayed, record[1])
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

    def new_hangs(self, now: float) -> list[HandlerState]:
        """Those whose call has turned out to hang; each call is told once."""
        found = []
        for state in self.handlers.values():
            if state.hang_told != state.running_seq and state.hung_s(now, self.slow_limit_s):
                state.hang_told = state.running_seq
                found.append(state)
        return found

    def end_second(self, held: bool, objects_of: Callable[[str], int]) -> None:
        """A second is over; `held`: kdash holds the pipeline; `objects_of`: how many an informer's cache holds."""
        for state in self.handlers.values():
            state.end_second(held, objects_of(state.informer))
