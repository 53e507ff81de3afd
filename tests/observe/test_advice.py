"""Every rule of the advice: provoked on the embedded server, and silent next to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdash.demo import ApiServer
from kdash.informer.objects import KubeObject
from kdash.observe import open_demo
from kdash.observe.handlers import HandlerSpec, parse_handler
from kdash.observe.live import LiveObservation, Wanted
from kdash.observe.opening import open_url
from kdash.probe.advice import Limits, advise
from kdash.probe.objects import ObjectRef
from kdash.probe.snapshot import (
    AdviceView,
    GateView,
    HandlerView,
    InformerView,
    LatencyView,
    ResyncHand,
    ResyncView,
    Snapshot,
)
from tests.observe.fake_cluster import shows, synced
from tests.observe.test_observe_demo import touch

AUDIT = HandlerSpec("audit", period_s=0.0)


@contextmanager
def calm(**wanted: Any) -> Iterator[tuple[LiveObservation, ApiServer]]:
    """The demo with 30 pods of which none changes by itself; not yet synced."""
    options = {"resync_s": 3600.0, "handlers": (AUDIT,), "all_namespaces": True, "seed": 1, **wanted}
    observation = open_demo(Wanted(**options), objects=30, rate=0.0, seed=1, scenario="calm")
    observation.start()
    try:
        assert observation.demo is not None and observation.demo.server is not None
        yield observation, observation.demo.server
    finally:
        observation.stop(5.0)


def advised(observation: LiveObservation, rule: str, limits: Limits | None = None) -> AdviceView:
    """Wait until the rule speaks."""
    found: list[AdviceView] = []

    def speaks(picture: Snapshot) -> bool:
        found[:] = [advice for advice in advise(picture, limits) if advice.rule == rule]
        return bool(found)

    shows(observation, speaks)
    assert found[0].figures and found[0].todo and found[0].title
    return found[0]


def some_pods(server: ApiServer) -> list[tuple[str, str]]:
    keys = sorted(each.key for each in server.storage.list_stored("pods")[0])
    return [(namespace, name) for namespace, _, name in (key.partition("/") for key in keys)]


# provoked ------------------------------------------------------------------------------------------------


def test_never_drains_and_the_memory_of_the_backlog() -> None:
    slow = parse_handler("slow=sleep:250ms,resync=0")
    with calm(handlers=(AUDIT, slow)) as (observation, server):
        shows(observation, lambda p: p.informers and p.informers[0].synced)
        over = threading.Event()

        def change() -> None:
            while not over.wait(0.1):
                for namespace, name in some_pods(server)[:3]:
                    touch(server, namespace, name)

        worker = threading.Thread(target=change)
        worker.start()
        try:
            advice = advised(observation, "never-drains", Limits(pending=5, growing_s=1))
            assert advice.subject == "handler slow of pods"
            assert "/s come in" in advice.figures
            memory = advised(observation, "backlog-memory", Limits(backlog_bytes=2000))
            assert "MB" in memory.figures
        finally:
            over.set()
            worker.join()


def test_slow_calls_of_a_handler_that_keeps_up() -> None:
    with calm(handlers=(AUDIT, parse_handler("mine=sleep:30ms,resync=0,slow=20ms"))) as (observation, _):
        shows(observation, synced)
        advice = advised(observation, "slow-calls")
        assert advice.subject == "handler mine of pods"
        assert "the limit is 20ms; busy " in advice.figures
        assert "never-drains" not in [each.rule for each in observation.advice()]


def test_a_resync_wave_that_takes_longer_than_its_period() -> None:
    with calm(handlers=(parse_handler("slow=sleep:60ms,resync=1s"),), resync_s=1.0) as (observation, _):
        advice = advised(observation, "resync-too-long")
        assert "> 1s" in advice.figures


def test_a_period_that_is_clamped_rounded_or_ignored() -> None:
    handlers = (parse_handler("two,resync=2s"), parse_handler("three,resync=3s"))
    with calm(handlers=handlers) as (observation, _):
        shows(observation, synced)
        rounded = advised(observation, "period-rounded")
        assert rounded.subject == "handler three of pods" and "fires every 4s" in rounded.figures
        observation.add_handler("late", period_s=1.0)
        clamped = advised(observation, "period-clamped")
        assert clamped.subject == "handler late of pods" and "asked 1s, gets 2s" in clamped.figures
    with calm(handlers=(parse_handler("mine,resync=5s"),), resync_s=0.0) as (observation, _):
        shows(observation, synced)
        assert "asked 5s" in advised(observation, "resync-ignored").figures


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], HandlerSpec]:
    """Writes a module into the working directory and names its `Handler`."""
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(module: str, text: str) -> HandlerSpec:
        (tmp_path / f"{module}.py").write_text(text)
        return parse_handler(f"mine={module}:Handler")

    return write


def test_a_handler_that_raises_in_initial_adds(own: Callable[[str, str], HandlerSpec]) -> None:
    spec = own("raises_at_first", "class Handler:\n    def on_add(self, obj, first):\n"
               "        if obj.name.startswith('api'):\n            raise ValueError('no')\n")  # fmt: skip
    with calm(handlers=(AUDIT, spec)) as (observation, _):
        advice = advised(observation, "never-synced")
        assert advice.subject == "handler mine of pods" and "ValueError: no" in advice.figures
        assert "handler-raises" not in [each.rule for each in observation.advice()]  # it is said already


def test_a_handler_that_raises_again_and_again(own: Callable[[str, str], HandlerSpec]) -> None:
    spec = own("raises_often", "def Handler(event):\n    if event.type == 'update':\n        raise ValueError('no')\n")
    with calm(handlers=(AUDIT, spec)) as (observation, server):
        shows(observation, synced)
        for namespace, name in some_pods(server):
            touch(server, namespace, name)
        advice = advised(observation, "handler-raises")
        assert advice.subject == "handler mine of pods" and "ValueError: no" in advice.figures
        grows = replace(observation.snapshot().handlers[1], pending=500, growth_per_s=9.0, pending_history=GROWS)
        picture = replace(observation.snapshot(), handlers=(grows,))
        assert [each.todo[:26] for each in advise(picture) if each.rule == "never-drains"] == [
            "stop its exceptions first:"]


def test_tombstones_taken_for_objects(own: Callable[[str, str], HandlerSpec]) -> None:
    spec = own("no_tombstones", "class Handler:\n    def on_delete(self, obj):\n        print(obj.name, file=None)\n")
    with calm(handlers=(AUDIT, spec)) as (observation, server):
        shows(observation, synced)
        server.faults.lose_next_event("pods")
        namespace, name = some_pods(server)[0]
        server.storage.delete("pods", namespace, name)
        assert observation.relist().ok
        advice = advised(observation, "tombstone")
        assert "DeletedFinalStateUnknown" in advice.figures
        ref = ObjectRef("pods", f"{namespace}/{name}")
        assert observation.history(ref)[-1].source == "relist"


def test_a_transform_that_strips_the_version() -> None:
    def strip(obj: KubeObject) -> KubeObject:
        content = obj.to_dict()
        content["metadata"].pop("resourceVersion", None)
        return KubeObject.from_dict(content)

    with calm(transform=strip) as (observation, _):
        assert "without one" in advised(observation, "transform-strips-version").figures


def test_a_relist_loop() -> None:
    with calm() as (observation, server):
        for round_ in range(2):
            shows(observation, lambda p, round_=round_: synced(p) and p.informers[0].relists == round_)
            server.faults.expire_watches()
        advice = advised(observation, "relist-loop", Limits(relists=2))
        assert "2 relists" in advice.figures


def test_relists_that_were_ordered_are_no_loop() -> None:
    with calm() as (observation, _):
        for round_ in range(2):
            shows(observation, lambda p, round_=round_: synced(p) and p.informers[0].relists == round_)
            observation.relist()
        picture = shows(observation, lambda p: p.informers[0].relists == 2)
        assert not [each for each in advise(picture, Limits(relists=1)) if each.rule == "relist-loop"]


def test_watches_that_something_in_between_cuts() -> None:
    with calm() as (observation, server):
        namespace, name = some_pods(server)[0]
        pause = threading.Event()
        for round_ in range(3):
            shows(observation, lambda p, round_=round_: synced(p) and len(p.informers[0].watch_ends) == round_)
            touch(server, namespace, name)
            pause.wait(0.6)
            server.faults.close_watches()
        shows(observation, lambda p: len(p.informers[0].watch_ends) == 3)
        loose = Limits(cut_watches=2)
        assert "watches ended after about" in advised(observation, "watch-cut", loose).figures


def test_no_bookmarks() -> None:
    for interval_s, speaks in ((3600.0, True), (0.1, False)):
        with ApiServer(objects=3, rate=0.0, seed=1, scenario="calm", bookmark_interval_s=interval_s) as server:
            observation = open_url(server.url, Wanted(all_namespaces=True, handlers=(AUDIT,), seed=1))
            observation.start()
            try:
                shows(observation, synced)
                if speaks:
                    advised(observation, "no-bookmarks", Limits(no_bookmark_s=0.3))
                else:
                    picture = shows(observation, lambda p: p.informers[0].open_bookmarks > 0)
                    rules = [each.rule for each in advise(picture, Limits(no_bookmark_s=0.0))]
                    assert "no-bookmarks" not in rules
            finally:
                observation.stop(5.0)


def test_a_selector_that_matches_nothing() -> None:
    with calm(label_selector="app=there-is-none") as (observation, _):
        assert "app=there-is-none" in advised(observation, "selector-matches-nothing").figures


# silent --------------------------------------------------------------------------------------------------


def test_a_healthy_informer_gets_no_advice() -> None:
    handlers = (AUDIT, parse_handler("idx,resync=10s"), parse_handler("other,resync=20s"))
    with calm(handlers=handlers, resync_s=10.0) as (observation, server):
        shows(observation, synced)
        for namespace, name in some_pods(server)[:5]:
            touch(server, namespace, name)
        shows(observation, lambda p: p.handlers[0].updates == 5)
        assert observation.advice() == ()


def handler(**values: Any) -> HandlerView:
    return HandlerView("mine", "pods", **values)


def informer(**values: Any) -> InformerView:
    return InformerView("pods", **{"synced": True, "objects": 30, "mean_size": 2000, **values})


def hand(**values: Any) -> ResyncHand:
    return ResyncHand("mine", "pods", **{"asked_s": 10.0, "effective_s": 10.0, "due_at": None, "fires_at": None,
                                         "ticks_until": None, "check_s": 5.0, **values})  # fmt: skip


LATE = LatencyView(100, p99_s=0.9)
GROWS = (100, 200, 300, 400, 450)

NEAR = {
    "a backlog that shrinks": Snapshot(
        handlers=(handler(pending=500, growth_per_s=3.0, pending_history=(0, 600, 580, 560, 540, 520)),)),
    "a backlog of the first seconds": Snapshot(
        handlers=(handler(pending=500, growth_per_s=250.0, pending_history=(0, 400)),)),
    "a small backlog": Snapshot(handlers=(handler(pending=6, growth_per_s=1.0, pending_history=(1, 2, 3, 4, 5)),)),
    "a backlog that was ordered": Snapshot(
        handlers=(handler(pending=500, growth_per_s=9.0, pending_history=GROWS),), gate=GateView(held=True)),
    "slow calls that delay nobody": Snapshot(
        handlers=(handler(slow=True, p99_s=0.4, end_to_end_minute=LATE, busy=0.1),)),
    "quick calls of a busy handler": Snapshot(handlers=(handler(p99_s=0.02, end_to_end_minute=LATE, busy=0.9),)),
    "slow calls while held": Snapshot(
        handlers=(handler(slow=True, p99_s=0.4, busy=0.9),), gate=GateView(held=True)),
    "a wave that is just in time": Snapshot(
        informers=(informer(),), handlers=(handler(mean_s=0.3),), resync=ResyncView(hands=(hand(),))),
    "a period that fits the tick": Snapshot(resync=ResyncView(hands=(hand(),))),
    "a handler without resync": Snapshot(resync=ResyncView(hands=(hand(asked_s=0.0, effective_s=0.0),))),
    "errors after the sync": Snapshot(handlers=(handler(errors=5, synced=True, initial_errors=0),)),
    "errors of long ago": Snapshot(mono=1000.0, handlers=(handler(errors=5, synced=True, last_error_at=900.0),)),
    "old relists": Snapshot(mono=10_000.0, informers=(informer(relists_at=(1.0, 2.0, 3.0, 4.0)),)),
    "watches that end in time": Snapshot(informers=(informer(watch_ends=((350.0, 360.0),) * 5),)),
    "watches that end at any time": Snapshot(
        informers=(informer(watch_ends=((3.0, 360.0), (30.0, 360.0), (120.0, 360.0), (200.0, 360.0))),)),
    "a young watch": Snapshot(mono=100.0, informers=(informer(watching_since=90.0),)),
    "a selector that matches": Snapshot(informers=(informer(scope="-A -l app=web"),)),
    "nothing, without a selector": Snapshot(informers=(informer(scope="-n dev", objects=0),)),
    "a backlog of little memory": Snapshot(informers=(informer(),), handlers=(handler(pending=1000),)),
}  # fmt: skip


def test_a_backlog_that_grows_without_a_break_never_drains() -> None:
    picture = Snapshot(handlers=(handler(pending=500, growth_per_s=9.0, pending_history=GROWS, slow=True, busy=1.0),))
    assert [advice.rule for advice in advise(picture)] == ["never-drains"]


@pytest.mark.parametrize("what", NEAR)
def test_no_advice_about(what: str) -> None:
    assert advise(NEAR[what]) == ()
