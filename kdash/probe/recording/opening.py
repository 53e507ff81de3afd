"""What a recorder would have been told to know what it knows: the first steps of a recording that begins midway.

Contract: to be called under the recorder's lock. Counts and distributions are not carried over: they begin at 0 in such
a recording. What the caches hold, where each reflector is, the handlers and their next resyncs are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from typing import Any

from kdash.informer.tap import FIELDS, Record
from kdash.probe.informers import InformerState
from kdash.probe.recorder import Recorder
from kdash.probe.recording.journal import Moment

__all__ = ["opening_steps"]

_AT_ONCE = 2000


def opening_steps(
    recorder: Recorder, cached: Callable[[str, str], Any], why: str
) -> list[tuple[Any, ...]]:
    """`cached(informer, key)`: what the cache holds and a recording may keep; None when it is gone by now."""
    at = recorder.clock.monotonic()
    teller = _Teller(recorder, at)
    steps: list[tuple[Any, ...]] = [("s", at, recorder.handlers.slow_limit_s, None)]
    for name, state in recorder.informers.states.items():
        steps.append(("r", at, *astuple(state.target)))
        steps.append(_taken(at, list(teller.informer(name, state))))
        for (informer, handler), known in recorder.handlers.handlers.items():
            if informer == name:
                steps.append(("h", at, informer, handler, known.code, known.slow_limit_s))
        rows = [(key, row) for key, row in recorder.objects.rows_of(name).items() if row.mark != "gone"]
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            steps.append(_taken(at, [teller.mutation(name, key, row) for key, row in some]))
            steps.append(("c", at, [(name, key, cached(name, key)) for key, _ in some]))
    steps.append(("n", at, why, "APP", False))
    return steps


def _taken(at: float, records: list[Record]) -> tuple[Any, ...]:
    return ("t", at, records, False, Moment.of(records, {}))


class _Teller:
    """Makes records that come before all of the tap."""

    def __init__(self, recorder: Recorder, at: float) -> None:
        self._recorder = recorder
        self._at = at
        self._seq = 0

    def _record(self, kind: str, informer: str, at: float, **fields: Any) -> Record:
        self._seq += 1
        assert set(fields) == set(FIELDS[kind]), kind
        return (self._seq, at, kind, informer, 0, *(fields[name] for name in FIELDS[kind]))

    def informer(self, name: str, state: InformerState) -> Iterator[Record]:
        """Where the informer, its reflector and its handlers are."""
        at, recorder = self._at, self._recorder
        yield self._record("config.engine", name, at, engine=state.engine, client_go=state.client_go,
                           watch_list=bool(state.watch_list), watch_list_reason="")
        if state.started:
            yield self._record("informer.lifecycle", name, at, what="started", detail="")
        clock = recorder.resync.clocks.get(name)
        hands: Mapping[str, Any] = clock.hands if clock is not None else {}
        for (informer, handler), known in recorder.handlers.handlers.items():
            if informer != name:
                continue
            hand = hands.get(handler)
            asked, effective = (hand.asked_s, hand.effective_s) if hand is not None else (0.0, 0.0)
            yield self._record("listener.added", name, at, listener=handler, requested_s=asked, effective_s=effective,
                               warning="", late=False, replayed=0)
            if hand is not None and hand.due_at is not None:
                yield self._record("listener.period", name, at, listener=handler, requested_s=asked,
                                   effective_s=effective, next_resync_at=hand.due_at, how="")
            if known.synced:
                yield self._record("listener.synced", name, at, listener=handler,
                                   initial_total=known.initial_total or 0, duration_s=0.0)
        if state.synced:
            yield self._record("queue.synced", name, at, initial_count=0)
        yield self._record("reflector.state", name, at, session=0, state=state.state)
        if state.watching_since is not None:
            yield self._record("watch.open", name, state.watching_since, session=0, rv=state.version,
                               timeout_s=state.watch_timeout_s or 0, bookmarks=True, ok=True, error_class="",
                               latency_s=0.0, reused_from_watchlist=True)
            yield self._record("watch.bookmark", name, at, session=0, rv=state.version, initial_events_end=False)
        if clock is not None and clock.next_tick_at is not None:
            yield self._record("resync.timer_armed", name, at, session=0, period_s=clock.period_s,
                               due_at=clock.next_tick_at, why="")

    def mutation(self, name: str, key: str, row: Any) -> Record:
        """An object that the cache holds."""
        return self._record("store.mutation", name, row.changed_at, op="add", key=key, old_rv="",
                            new_rv=row.resource_version, uid_changed=False, size=row.size, stored_size=row.size,
                            delta_type="Replaced", cause=0)
