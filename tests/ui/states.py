"""Hand-made pictures of an observation, one for each state that the screen must be able to show.

`Still` is an observation in which time stands still: real `ObjectIndex` and `EventLog`, and a snapshot made by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from kdash.observe.door import Outcome
from kdash.probe.events import EventLog
from kdash.probe.objects import ObjectIndex, ObjectRef
from kdash.probe.snapshot import (
    ApiView,
    BucketView,
    ChangeView,
    GateView,
    HandlerPass,
    HandlerView,
    InformerView,
    PipelineView,
    QueueRow,
    QueueView,
    RecordingView,
    ReplayView,
    RequestRow,
    ResyncHand,
    ResyncView,
    Snapshot,
    StageMark,
    StateView,
    TrendView,
    VersionView,
)
from kdash.probe.text import clean

NOW = 10_000.0
WALL = 1_790_000_000.0

HOSTILE = (
    "[/]", "[red]x[/b]", "[@click=app.quit]x[/]", "\x1b]0;title\x07\x1b[2J", "\x9b31mred", "a\rb\nc\td",
    "\u202egnirts\u202c", "漢字漢字", "👨‍👩‍👧⚠️1️⃣", "é\u0301\u0301", "x" * 65_536,
)
"""Names that markup, terminals or column arithmetic could trip over."""


def history(peak: float, length: int = 60) -> tuple[float, ...]:
    """A minute that rises to `peak`, with a gap."""
    return tuple(0.0 if second % 9 == 4 else peak * (second + 1) / length for second in range(length))


def handler(name: str, **figures: Any) -> HandlerView:
    base = HandlerView(
        name=name, informer="pods", calls=1414, adds=42, updates=1075, deletes=3, syncs=294, p50_s=0.0001,
        p95_s=0.0009, p99_s=0.0019, max_s=0.004, wait_p50_s=0.0002, wait_p99_s=0.001, busy=0.01, synced=True,
        worst="default/api-0 OnUpdate 4.0ms", worst_at=NOW - 60, worst_key="default/api-0",
        p99_history=history(0.002), pending_history=(0,) * 60,
        buckets=(BucketView(0.001, 100, 1400), BucketView(0.01, 0, 14)),
    )
    return replace(base, **figures)


SLOW = handler(
    "slow", calls=1002, updates=957, syncs=0, p50_s=0.22, p95_s=0.64, p99_s=0.812, max_s=1.2, pending=118, busy=0.97,
    growth_per_s=0.5, trend=TrendView("grows", 60, 0.5, 118), slow=True,
    worst="default/web-7f9c-q8k OnUpdate 1.2s", worst_key="default/web-7f9c-q8k", p99_history=history(0.8),
    pending_history=tuple(range(59, 119)), wait_p99_s=53.0, drains="never drains at this rate",
    buckets=(BucketView(0.1, 4, 14), BucketView(1.0, 250, 955), BucketView(float("inf"), 10, 33)),
)
HANDLERS = (handler("audit"), SLOW, handler("idx", calls=2086, syncs=966, p99_s=0.0008))
HANDS = (
    ResyncHand("audit", "pods", 30, 30, NOW + 12, NOW + 14, 2, check_s=10),
    ResyncHand("slow", "pods", 0, 0, None, None, None, check_s=10),
    ResyncHand("idx", "pods", 7, 10, NOW + 4, NOW + 4, 1, badge="^min", check_s=10),
)
WATCH = RequestRow(
    2, NOW - 234, "WATCH", "/api/v1/pods?allowWatchBookmarks=true&resourceVersion=10790&timeoutSeconds=480&watch=true",
    200, None, 1_200_000, True, 1078, 4, 480.0, "", NOW - 0.4,
)
LIST = RequestRow(1, NOW - 235, "LIST", "/api/v1/pods?limit=500&resourceVersion=0", 200, 0.038, 41_000, False)

LIVE = Snapshot(
    mono=NOW, wall=WALL, source="demo", is_demo=True, state=StateView("LIVE"),
    informers=(InformerView(
        "pods", "-A", "watching", True, 42, 42, 1, "11868", NOW - 0.4, NOW - 234, 480.0, lists=1, watches=1,
        bookmarks=4, last_bookmark_at=NOW - 20, last_list_s=0.038, last_list_items=42,
    ),),
    pipeline=PipelineView(4.6, 4.6, 4.6, 12.8, 1078, 1120, 1120, 4502, held_by="handler slow is behind: 118 pending"),
    queue=QueueView(
        keys=3, deltas=4, objects=3, peak=42, in_rate=14, out_rate=14, history=tuple(map(int, history(30))),
        head=(QueueRow("default/web-7f9c-x2p", "Updated", 0.0002),
              QueueRow("default/api-0", "Added Updated ×3", 0.0001), QueueRow("kube-system/dns-1", "Sync", 0.0001)),
        last_pop_at=NOW - 0.4, waited_p50_s=0.0002, waited_p99_s=0.0031,
        last_wave="resync: 42 Sync deltas, 0 API requests",
    ),
    resync=ResyncView(10, True, NOW + 4, "", 0.02, 23, 23, NOW - 6, 42, 0, HANDS),
    handlers=HANDLERS,
    api=ApiView(2, 1, 1, 1_241_000, 0, 0, 1, (LIST, WATCH), tuple(map(int, history(9000))), 4000, 1260, 3),
    objects=42, resource_version="11868", last_event_at=NOW - 0.4, events_total=8,
)


def broken(word: str, detail: str, **more: Any) -> Snapshot:
    """The live picture after its stream broke."""
    state = StateView(word, detail, **more)
    informer = replace(LIVE.informers[0], state="backoff" if word != "STOPPED" else "stopped",
                       backoff_until=more.get("retry_at"), backoff_step=more.get("retry_no", 0), watching_since=None)
    resync = replace(LIVE.resync, next_tick_at=None, armed=False, why_stopped="restarts after the relist",
                     hands=tuple(replace(hand, due_at=None, fires_at=None, ticks_until=None) for hand in HANDS))
    failed = replace(WATCH, code=None, took_s=1.0, open=False, error="connection refused")
    return replace(
        LIVE, state=state, informers=(informer,), resync=resync, queue=replace(LIVE.queue, keys=0, deltas=0, head=()),
        pipeline=PipelineView(held_by=detail), api=replace(LIVE.api, rows=(LIST, failed), errors=3, open_watches=0),
        last_event_at=NOW - 45,
    )


SYNCING = replace(
    LIVE, state=StateView("SYNCING"), objects=0, resource_version="", last_event_at=None, handlers=(),
    informers=(InformerView("pods", "-A", "listing", False, 0, 1500, 3),), pipeline=PipelineView(),
    queue=QueueView(), resync=ResyncView(why_stopped="starts when the watch opens"),
    api=ApiView(1, 1, 0, 709_000, rows=(replace(LIST, code=None, took_s=None, open=True, at=NOW - 3),)),
)
EMPTY = replace(
    LIVE, objects=0, last_event_at=NOW - 312, pipeline=PipelineView(), handlers=(),
    informers=(replace(LIVE.informers[0], scope="-n dev", namespace="dev", objects=0, last_list_items=0),),
    queue=replace(LIVE.queue, keys=0, deltas=0, objects=0, head=(), peak=0, in_rate=0, out_rate=0, last_wave=""),
    resync=replace(LIVE.resync, hands=()), api=replace(LIVE.api, served_notifications=0),
)
RULE = ("forbidden: the server does not allow you to list pods in all namespaces; ask for a role with verbs get, list, "
        "watch on resource pods")
FAILING = replace(
    LIVE, handlers=(HANDLERS[0], replace(
        SLOW, name="mine", code="shop.handlers:Mine", slow=False, errors=1, pending=3, growth_per_s=-1, drains_in_s=2.5,
        trend=TrendView("keeps-up", 60, 0.0, 3),
        last_error="PANIC 1: KeyError: 'app'; skipped default/web-7f9c-q8k, resumes in 1s"), HANDLERS[2]),
)
MANY = replace(LIVE, handlers=tuple(handler(f"handler-{number}", calls=1_234_567, adds=123_456, updates=9_876_543,
                                            syncs=1_000_000, pending=123_456 if number == 2 else 0)
                                    for number in range(9)),
               resync=replace(LIVE.resync, hands=tuple(replace(HANDS[2], handler=f"handler-{number}")
                                                       for number in range(9))),
               queue=replace(LIVE.queue, keys=1_234_567, deltas=12_345_678, peak=23_456_789, in_rate=98_765),
               objects=1_000_000)

STATES: dict[str, Snapshot] = {
    "live": LIVE,
    "quiet": replace(LIVE, last_event_at=NOW - 300, pipeline=PipelineView(), handlers=(HANDLERS[0],)),
    "syncing": SYNCING,
    "starting": Snapshot(mono=NOW, wall=WALL, source="demo", is_demo=True),
    "empty": EMPTY,
    "retry": broken("RETRY", "connection refused: 127.0.0.1:6443", retry_at=NOW + 8, retry_no=3),
    "denied": broken("DENIED", RULE),
    "stale": broken("STALE", "the stream broke 45 s ago and no answer has come since"),
    "stopped": broken("STOPPED", "the informer was stopped"),
    "held": replace(LIVE, gate=GateView(True, "all", NOW - 9, 12, 3, 15, 2, "queue: default/web-7f9c-q8k")),
    "failing": FAILING,
    "many": MANY,
    "recording": replace(LIVE, recording=RecordingView("incident.rec", NOW - 90, 2_100_000)),
    "replay": replace(LIVE, is_demo=False, replay=ReplayView(
        WALL, WALL - 100, WALL + 300, True, 10.0, relists=(WALL - 100, WALL + 120),
        resyncs=tuple(WALL + 30 * number for number in range(-3, 10)))),
    "replay-damaged": replace(LIVE, is_demo=False, replay=ReplayView(
        WALL, WALL - 100, WALL + 300, goes_to=WALL + 200, damage="3 bytes at 4,711 cannot be read",
        relists=(WALL - 100,), resyncs=tuple(WALL + 5 * number for number in range(-20, 60)))),
    "banner": replace(LIVE, banner="no cluster found: this is the demo server; :context connects"),
}

_OBJECTS = (
    ("default/api-0", "10790", 0, 235.0, "same"), ("default/web-6d1b-aa0", "11865", 4, 1.0, "gone"),
    ("default/web-7f9c-q8k", "11840", 30, 11.0, "changed"), ("default/web-7f9c-x2p", "11868", 141, 2.0, "changed"),
    ("default/web-7f9c-zz1", "11867", 0, 0.4, "new"), ("kube-system/coredns-5d78-1", "10790", 1, 1.0, "resync"),
    ("kube-system/coredns-5d78-2", "10790", 1, 1.0, "resync"), ("monitoring/prometheus-0", "10790", 0, 235.0, "same"),
)


class Still:
    """An observation in which nothing happens."""

    def __init__(self, snapshot: Snapshot = LIVE, names: tuple[str, ...] = ()) -> None:
        self.picture = snapshot
        self.is_replay = snapshot.replay is not None
        self.is_demo = not self.is_replay
        self.names = names
        self.objects = ObjectIndex()
        self.objects.add_informer("pods")
        self.events = EventLog(wall_offset_s=WALL - NOW)
        if snapshot.objects:
            self._fill_objects(names)
        if snapshot.last_event_at is not None:
            self._fill_events(names)

    def freeze(self) -> Still:
        """The same at this instant: only the picture can change here."""
        frozen = copy(self)
        frozen.objects = self.objects.frozen(lambda _: {})
        return frozen

    def _fill_objects(self, names: tuple[str, ...]) -> None:
        for key, version, updates, age, mark in _OBJECTS:
            self.objects.put("pods", key, "1", NOW - age, 2000)
            if mark == "gone":
                self.objects.bury("pods", key, NOW - age)
            row = self.objects.rows_of("pods")[key]
            row.resource_version, row.updates, row.mark = version, updates, mark
        for number in range(42 - self.objects.objects):
            self.objects.put("pods", f"shop/cart-{number:02}", "10790", NOW - 235, 2000, "same")
        for name in names:
            self.objects.put("pods", f"{name}/{name}", name, NOW - 9, 2000)

    def _fill_events(self, names: tuple[str, ...]) -> None:
        log = self.events
        log.append(NOW - 235, "APP", "connected to the demo API server, scenario rolling-update")
        log.append(NOW - 234, "REFLECT", "done 38ms, 42 items, cache synced", verb="LIST")
        for _ in range(8):
            log.append(NOW - 60, "API", "connection refused, next try in 8s", fold=True)
        wave = "audit, idx due → 42 Sync deltas → 84 notifications (0 API requests)"
        log.append(NOW - 16, "RESYNC", wave, verb="tick")
        first = log.extend_watch([NOW - 7], ["pods"], ["DELETED"], ["default/web-6d1b-aa0"], ["11865"], ["11861"])
        log.annotate(first, "queue", "0.1ms")
        log.append(NOW - 6, "HANDLER", "812ms (limit 100ms)  pending 115", verb="slow OnUpdate",
                   key="default/web-7f9c-q8k")
        log.append(NOW - 5, "WATCH", "rv 11843", verb="BOOKMARK")
        first = log.extend_watch([NOW - 0.4], ["pods"], ["MODIFIED"], ["default/web-7f9c-x2p"], ["11868"], ["11866"])
        for name, words in (("queue", "0.2ms"), ("audit", "1ms"), ("slow", "pend 118"), ("idx", "1ms")):
            log.annotate(first, name, words)
        for name in names:
            log.extend_watch([NOW], ["pods"], [name], [f"{name}/{name}"], [name], [name])
            log.append(NOW, "ERROR", clean(name), verb=clean(name), key=name)

    def now(self) -> float:
        return self.picture.mono

    def activity(self) -> int:
        return self.events.total

    def snapshot(self) -> Snapshot:
        return self.picture

    def start(self) -> None:
        pass

    def stop(self, timeout_s: float = 1.0) -> None:
        pass

    def read_object(self, ref: ObjectRef) -> Mapping[str, Any] | None:
        namespace, _, name = ref.key.partition("/")
        labels = {"app": "web", **{each: each for each in self.names}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "status": {"phase": "Running", "podIP": "10.244.1.17", "ready": True}}

    def summary(self, ref: ObjectRef) -> str:
        return clean(self.names[0]) if self.names else "ContainerCreating" if ref.key.endswith("zz1") else "Running"

    def history(self, ref: ObjectRef) -> tuple[VersionView, ...]:
        names = ("api", "queue", "pop", "cache")
        stages = tuple(StageMark(stage, NOW - 11 + at / 1000) for at, stage in enumerate(names))
        passes = (HandlerPass("audit", "done", 0.0002, 0.001), HandlerPass("slow", "waiting"),
                  HandlerPass(clean(self.names[0]) if self.names else "idx", "skipped"))
        return (VersionView(1, "10790", "Replaced", "list", NOW - 234, 2000),
                VersionView(2, "11840", "Updated", "watch", NOW - 11, 2010, stages=stages, handlers=passes))

    def version(self, ref: ObjectRef, number: int) -> Mapping[str, Any] | None:
        return self.read_object(ref)

    def changes(self, ref: ObjectRef, old: int, new: int) -> tuple[ChangeView, ...]:
        hostile = tuple(ChangeView("~", name, name, name) for name in self.names)
        return (ChangeView("~", "status.conditions[1].status", '"False"', '"True"'),
                ChangeView("+", "status.podIP", "", "10.244.1.17"), *hostile)

    def advice(self) -> tuple[Any, ...]:
        return ()

    def __getattr__(self, name: str) -> Callable[..., Outcome]:
        """Every order is refused: time stands still."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_args, **_named: Outcome(False, "time stands still here")


def hostile_snapshot() -> Snapshot:
    """The live picture with hostile text in every field that comes from outside."""
    name = " ".join(clean(each)[:200] for each in HOSTILE)
    rows = tuple(replace(WATCH, path=each, error=each) for each in HOSTILE[:3])
    return replace(
        LIVE, source=name, banner=name, resource_version=name,
        informers=(replace(LIVE.informers[0], name=name, scope=name, last_error=name, resource_version=name),),
        pipeline=replace(LIVE.pipeline, held_by=name), api=replace(LIVE.api, rows=rows),
        handlers=tuple(replace(SLOW, name=each, worst=each, last_error=each) for each in HOSTILE),
        resync=replace(LIVE.resync, hands=tuple(replace(HANDS[2], handler=each, badge=each) for each in HOSTILE)),
        queue=replace(LIVE.queue, last_wave=name, head=tuple(QueueRow(each, each, 1.0) for each in HOSTILE)),
    )
