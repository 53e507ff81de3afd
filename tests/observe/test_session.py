"""Orders that rebuild informers: one after the other, merged, and a failure is a state with its reason and a retry."""

from __future__ import annotations

import threading
from typing import Any

from kdash.informer.errors import ConnectionRefused
from kdash.informer.list_watch import ListerWatcher
from kdash.informer.resources import ResourceInfo
from kdash.observe.handlers import HandlerSpec
from kdash.observe.live import LiveObservation, Wanted
from kdash.observe.scope import Contexts
from kdash.probe.objects import ObjectRef
from kdash.ui.rules import role_wanted
from tests.informer.fake_source import FakeSource
from tests.observe.fake_cluster import FakeClient, observing, shows, synced

QUICK = (HandlerSpec("audit"),)
KEY = ObjectRef("configmaps", "default/cm-0")


class OnlyOnce:
    """A handler that can be made once only, until `again` says otherwise."""

    made = 0
    again = False

    def __init__(self) -> None:
        OnlyOnce.made += 1
        if OnlyOnce.made > 1 and not OnlyOnce.again:
            raise RuntimeError("the port is taken")

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None: ...

    def on_update(self, old: Any, new: Any) -> None: ...

    def on_delete(self, obj: Any) -> None: ...


class Gated(FakeClient):
    """Records what its informers were made for; making one waits for `go`."""

    def __init__(self, source: FakeSource) -> None:
        super().__init__(source)
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()
        self.namespaces: list[str] = []

    def lister_watcher(self, resource: ResourceInfo, namespace: str = "", **options: Any) -> ListerWatcher:
        self.namespaces.append(namespace)
        self.entered.set()
        assert self.go.wait(30.0)
        return self.source


def source_with(count: int) -> FakeSource:
    source = FakeSource()
    for number in range(count):
        source.add(f"cm-{number}")
    return source


def test_a_restart_that_fails_is_a_state_with_the_reason_and_a_retry() -> None:
    OnlyOnce.made, OnlyOnce.again = 0, False
    handlers = (HandlerSpec("mine", code=f"{__name__}:OnlyOnce"),)
    with observing(FakeClient(source_with(2)), handlers=handlers) as observation:
        shows(observation, synced)
        observation.set_queue("real")
        picture = shows(observation, lambda p: p.state.word == "RETRY")
        assert "the port is taken" in picture.state.detail
        assert picture.state.retry_at is not None
        OnlyOnce.again = True
        picture = shows(observation, lambda p: synced(p) and p.queue.engine == "real")
        assert picture.objects == 2


def test_orders_that_come_while_informers_are_rebuilt_all_take_effect() -> None:
    client = Gated(source_with(1))
    with observing(client, handlers=QUICK) as observation:
        shows(observation, synced)
        client.go.clear()
        client.entered.clear()
        observation.set_queue("real")
        assert client.entered.wait(30.0), "the session is at work now"
        first = observation.set_scope(namespace="x")
        second = observation.set_queue("real-atomic")
        assert first.ok and "under way" in first.text and second.ok
        client.go.set()
        picture = shows(observation, lambda p: synced(p) and p.queue.engine == "real-atomic")
        assert picture.informers[0].scope == "-n x"
        assert client.namespaces == ["default", "default", "x"], "the two that waited were done in one go"


def test_a_wrong_order_among_others_is_refused_alone() -> None:
    client = Gated(source_with(1))
    with observing(client, handlers=QUICK) as observation:
        shows(observation, synced)
        client.go.clear()
        client.entered.clear()
        observation.set_queue("real")
        assert client.entered.wait(30.0)
        observation.set_scope(resources=("nonsense",))
        client.go.set()
        shows(observation, lambda p: synced(p) and p.queue.engine == "real")
        outcome = observation.set_scope(resources=("nonsense",))
        told = [line.text for line in observation.events.lines(0, observation.events.total)]
        assert not outcome.ok or "under way" in outcome.text
        assert any("no resource nonsense; nothing was changed" in text for text in told)
        assert observation.wanted.resources == ("configmaps",)


class Two(Contexts):
    def __init__(self, there: FakeClient) -> None:
        self._there = there

    def names(self) -> tuple[str, ...]:
        return ("fake", "there")

    def connector(self, name: str) -> Any:
        return self._there.connect


def test_after_another_context_history_holds_nothing_of_the_first_cluster() -> None:
    here, there = source_with(1), source_with(1)
    other = FakeClient(there)
    first = FakeClient(here)
    observation = LiveObservation(first.connect, Wanted(resources=("configmaps",), handlers=QUICK, seed=1),
                                  contexts=Two(other))
    observation.start()
    try:
        first.context, other.context = "fake", "there"  # type: ignore[misc]
        shows(observation, synced)
        here.modify("cm-0", data={"a": "first cluster"})
        shows(observation, lambda _: len(observation.history(KEY)) == 2)
        observation.set_context("there")
        shows(observation, lambda p: synced(p) and p.source == "there")
        assert len(observation.history(KEY)) == 1
        there.modify("cm-0", data={"a": "second"})
        shows(observation, lambda _: len(observation.history(KEY)) == 2)
        contents = [observation.version(KEY, each.number) for each in observation.history(KEY)]
        assert "first cluster" not in str(contents)
    finally:
        observation.stop(5.0)


def test_another_context_does_not_wait_for_one_that_hangs() -> None:
    hanging, release = threading.Event(), threading.Event()
    other = FakeClient(source_with(1))

    def connect(tap: Any) -> Any:
        hanging.set()
        release.wait(30.0)
        raise ConnectionRefused("late")

    observation = LiveObservation(connect, Wanted(resources=("configmaps",), handlers=QUICK, seed=1),
                                  contexts=Two(other))
    observation.start()
    try:
        assert hanging.wait(30.0)
        observation.set_context("there")
        shows(observation, synced)
        release.set()
        assert synced(observation.snapshot())
    finally:
        release.set()
        observation.stop(5.0)


def test_an_order_to_a_watch_that_backs_off_says_so() -> None:
    source = source_with(1)
    with observing(FakeClient(source), handlers=QUICK, watch_list=False) as observation:
        shows(observation, synced)
        observation.relist()
        shows(observation, lambda p: p.informers[0].state == "backoff")
        assert observation.rewatch().text.startswith("the watch is backing off; try again in ")


def test_a_selector_that_looks_like_a_namespace_is_no_namespace() -> None:
    with observing(FakeClient(source_with(1)), handlers=QUICK, all_namespaces=True,
                   label_selector="app=my-new, -n ew") as observation:
        picture = shows(observation, synced)
        informer = picture.informers[0]
        assert (informer.namespace, informer.label_selector) == ("", "app=my-new, -n ew")
        assert "kind: ClusterRole\n" in role_wanted(picture)


def test_the_way_back_is_an_order_while_the_way_there_is_under_way() -> None:
    client = FakeClient(source_with(1))
    with observing(client, handlers=QUICK, namespace="default") as observation:
        shows(observation, synced)
        ending, go_on, ended = threading.Event(), threading.Event(), observation.ended

        def slowly(gone: list[ResourceInfo]) -> None:
            ending.set()
            assert go_on.wait(30.0)
            ended(gone)

        observation.ended = slowly  # type: ignore[method-assign]
        observation.set_scope(namespace="x")
        assert ending.wait(30.0)
        back = observation.set_scope(namespace="default")
        go_on.set()
        assert "already" not in back.text
        shows(observation, lambda p: synced(p) and p.informers[0].scope == "-n default")
