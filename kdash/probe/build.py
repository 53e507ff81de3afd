"""From the recorder to a frozen `Snapshot`: pure reading under the recorder's lock, about a millisecond."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kdash.probe.handlers import HandlerState
from kdash.probe.informers import InformerState
from kdash.probe.minute import histogram
from kdash.probe.recorder import Recorder
from kdash.probe.resync import ResyncClock
from kdash.probe.snapshot import (
    ApiView,
    GateView,
    HandlerView,
    InformerView,
    PipelineView,
    QueueRow,
    QueueView,
    ResyncView,
    Snapshot,
    StateView,
)
from kdash.probe.state import state_of_all
from kdash.probe.text import clean, duration

__all__ = ["ENGINES", "Source", "build"]

ENGINES: Mapping[str, tuple[str, str]] = {
    "delta": ("DeltaFIFO", "client-go ≤ 1.32"),
    "real": ("RealFIFO", "client-go 1.33 to 1.35"),
    "real-atomic": ("RealFIFO, atomic", "client-go ≥ 1.36"),
}
"""Engine → the queue's name and which client-go runs it."""


PROCESSING_LIMITS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, math.inf)
"""client-go's buckets of `informer_processing_latency_seconds`."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the observation knows and the tap does not."""

    name: str = ""
    is_demo: bool = False
    banner: str = ""
    connection: StateView | None = None
    """Set while there is no informer yet, or no more."""
    head: Sequence[tuple[str, Sequence[str], float]] = ()
    """(key, types, waiting since) of the first waiting queue entries."""
    behind: Mapping[str, int] = field(default_factory=dict)
    """Informer → changes that the server has committed and it has not seen; only the demo knows."""


def build(recorder: Recorder, source: Source) -> Snapshot:
    """The picture of now."""
    with recorder.lock:
        now = recorder.saw(source)
        states = list(recorder.informers.states.values())
        handlers = tuple(_handler(state, recorder, now) for state in recorder.handlers.handlers.values())
        state = state_of_all(states, now, source.connection)
        return Snapshot(
            mono=now,
            wall=recorder.clock.wall(),
            source=clean(source.name),
            is_demo=source.is_demo,
            banner=source.banner,
            state=state,
            informers=tuple(_informer(each, recorder, source) for each in states),
            pipeline=_pipeline(recorder, states, handlers, state, now),
            queue=_queue(recorder, states, source, now),
            resync=_resync(recorder, now),
            handlers=handlers,
            api=_api(recorder, now),
            objects=recorder.objects.objects,
            resource_version=_newest_version(states),
            last_event_at=max((s.last_event_at for s in states if s.last_event_at is not None), default=None),
            events_total=recorder.events.total,
            tap_dropped=recorder.dropped,
            probe_failed=recorder.failed,
            gate=_gate(recorder, handlers),
        )


def _handler(state: HandlerState, recorder: Recorder, now: float) -> HandlerView:
    end_to_end = recorder.paths.end_to_end.get((state.informer, state.name))
    return state.view(now, recorder.lines.slow_limit_s, end_to_end)


def _gate(recorder: Recorder, handlers: Sequence[HandlerView]) -> GateView:
    entries = sum(queue.keys for queue in recorder.queues.queues.values())
    return recorder.gate.view(entries, sum(handler.pending for handler in handlers), recorder.watch_events)


def _informer(state: InformerState, recorder: Recorder, source: Source) -> InformerView:
    queue = recorder.queues.seen(state.target.name)
    return InformerView(
        name=state.target.name,
        scope=state.target.scope,
        namespace=state.target.namespace,
        label_selector=state.target.label_selector,
        field_selector=state.target.field_selector,
        state="stopped" if state.stopped else state.state,
        synced=state.synced,
        objects=recorder.objects.objects_of(state.target.name),
        received=0 if state.synced and state.problem is None else state.received,
        pages=state.pages,
        resource_version=clean(state.version),
        last_event_at=state.last_event_at,
        watching_since=state.watching_since,
        watch_timeout_s=state.watch_timeout_s,
        lists=state.lists,
        watches=state.watches,
        behind=source.behind.get(state.target.name),
        short_watches=state.short_watches,
        last_watch_s=state.last_watch_s,
        last_watch_events=state.last_watch_events,
        relists=max(0, state.fetches - 1),
        reconnects=state.reconnects,
        bookmarks=state.bookmarks,
        last_bookmark_at=state.last_bookmark_at,
        silence=state.silence,
        silence_at=state.silence_at,
        silent_s=state.silent_s,
        backoff_until=state.backoff_until,
        backoff_step=state.backoff_step,
        last_list_s=state.last_list_s,
        last_list_items=state.last_list_items,
        last_relist_reason=clean(state.last_relist_reason),
        last_error=state.last_error,
        engine=state.engine,
        relists_at=tuple(state.relists_at),
        watch_ends=tuple(state.watch_ends),
        lost_versions=state.lost_versions or recorder.objects.unversioned(state.target.name),
        mean_size=recorder.objects.mean_size(state.target.name),
        open_bookmarks=state.open_bookmarks,
        version=state.target.version,
        queued=queue.deltas,
        processing=histogram([queue.processing], PROCESSING_LIMITS_S),
        processing_mean_s=queue.processing.mean_s,
    )


def _pipeline(recorder: Recorder, states: Sequence[InformerState], handlers: Sequence[HandlerView],
              state: StateView, now: float) -> PipelineView:
    queues = recorder.queues
    return PipelineView(
        watch_rate=sum(each.events.rate(now) for each in states),
        delta_rate=queues.entered.rate(now),
        pop_rate=queues.popped_keys.rate(now),
        notify_rate=recorder.handlers.notified.rate(now),
        watch_total=sum(each.events.total for each in states),
        delta_total=queues.entered.total,
        pop_total=queues.popped_keys.total,
        notify_total=recorder.handlers.notified.total,
        held_by=_held_by(handlers, state, now),
    )


def _held_by(handlers: Sequence[HandlerView], state: StateView, now: float) -> str:
    if state.word in ("RETRY", "DENIED"):
        if state.retry_at is None:
            return "API server: trying again"
        return f"API server: retry in {duration(max(0, math.ceil(state.retry_at - now)))}"
    if state.word == "STALE":
        return "API server: no answer"
    worst = max(handlers, key=lambda handler: handler.pending, default=None)
    if worst is not None and worst.pending > 10:
        return f"handler {worst.name} is behind: {worst.pending} pending"
    return ""


def _queue(recorder: Recorder, states: Sequence[InformerState], source: Source, now: float) -> QueueView:
    topic = recorder.queues
    queues = [topic.seen(state.target.name) for state in states]
    engine = states[0].engine if states else "delta"
    title, client_go = ENGINES.get(engine, (engine, ""))
    pops = [queue.last_pop_at for queue in queues if queue.last_pop_at is not None]
    waves = [queue.last_wave for queue in queues if queue.last_wave]
    in_objects = engine == "real-atomic"
    return QueueView(
        engine=engine,
        title=title,
        client_go=client_go,
        keys=sum(queue.keys for queue in queues),
        deltas=sum(queue.deltas for queue in queues),
        objects=sum(queue.objects for queue in queues),
        peak=max((queue.peak_objects if in_objects else queue.peak_keys for queue in queues), default=0),
        in_rate=topic.entered.rate(now),
        out_rate=topic.popped_deltas.rate(now),
        head=tuple(QueueRow(clean(key), deltas_in_words(types), max(0.0, now - since))
                   for key, types, since in source.head),
        history=topic.entered.history(now),
        last_pop_at=max(pops, default=None),
        waited_p50_s=topic.waits.quantile(0.5),
        waited_p99_s=topic.waits.quantile(0.99),
        last_wave=waves[-1] if waves else "",
    )


def deltas_in_words(types: Sequence[str]) -> str:
    """`Updated`, `Added Updated ×3`: runs of equal deltas are counted."""
    words: list[str] = []
    run = 0
    for number, kind in enumerate(types):
        run += 1
        if number + 1 == len(types) or types[number + 1] != kind:
            words.append(str(kind) if run == 1 else f"{kind} ×{run}")
            run = 0
    return clean(" ".join(words))


def _resync(recorder: Recorder, now: float) -> ResyncView:
    clocks = list(recorder.resync.clocks.values())
    if not clocks:
        return ResyncView(why_stopped="starts when the watch opens")
    armed = [clock for clock in clocks if clock.next_tick_at is not None]
    shown = min(armed, key=_next_tick) if armed else clocks[0]
    ticked = [clock.last_tick_at for clock in clocks if clock.last_tick_at is not None]
    last = max(clocks, key=lambda clock: clock.last_tick_at or 0.0)
    hands = tuple(clock.view(hand, now) for clock in clocks for hand in clock.hands.values())
    why = shown.why_stopped
    if not armed and hands and all(hand.effective_s == 0 for hand in hands):
        why = "no handler asked for resync"
    return ResyncView(
        check_period_s=shown.period_s,
        armed=bool(armed),
        next_tick_at=shown.next_tick_at,
        why_stopped="" if armed else clean(why),
        drift_s=shown.lateness_s,
        restarted_at=shown.restarted_at,
        ticks=sum(clock.ticks for clock in clocks),
        waves=sum(clock.waves for clock in clocks),
        last_tick_at=max(ticked, default=None),
        last_wave_size=last.last_wave,
        skipped_pending=last.skipped_pending,
        hands=hands,
    )


def _next_tick(clock: ResyncClock) -> float:
    return clock.next_tick_at if clock.next_tick_at is not None else math.inf


def _api(recorder: Recorder, now: float) -> ApiView:
    api = recorder.api
    return ApiView(
        requests=api.requests,
        lists=api.lists,
        watches=api.watches,
        bytes=api.received.total,
        errors=api.errors,
        throttled=api.throttled,
        open_watches=api.open_watches,
        rows=tuple(request.row() for request in api.rows),
        bytes_history=api.received.history(now),
        bytes_rate=api.received.rate(now),
        served_notifications=recorder.resync.replayed,
        served_reads=api.reads,
    )


def _newest_version(states: Sequence[InformerState]) -> str:
    """The version of the informer that heard something last."""
    newest = max(states, key=lambda state: state.version_seq, default=None)
    return clean(newest.version) if newest is not None else ""
