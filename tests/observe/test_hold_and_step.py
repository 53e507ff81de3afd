"""Hold, step and release through the door: on a scripted source and on the demo's live workload."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kdash.observe import open_demo
from kdash.observe.handlers import HandlerSpec
from kdash.observe.live import LiveObservation, Wanted
from kdash.probe.snapshot import Snapshot
from tests.informer.fake_source import FakeSource
from tests.observe.fake_cluster import FakeClient, observing, shows, synced

ENGINES = ("delta", "real", "real-atomic")
TWO = (HandlerSpec("audit"), HandlerSpec("second"))


def calls(picture: Snapshot) -> dict[str, int]:
    return {handler.name: handler.calls for handler in picture.handlers}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_walks_one_entry_through_the_queue_and_to_each_handler(engine: str) -> None:
    source = FakeSource()
    with observing(FakeClient(source), handlers=TWO, queue=engine) as observation:
        shows(observation, synced)
        assert observation.hold().ok
        source.add("a")
        source.add("b")
        picture = shows(observation, lambda p: p.gate.waiting_entries == 2)
        assert picture.gate.held and picture.gate.stage == "all" and picture.gate.arrived == 2
        assert calls(picture) == {"audit": 0, "second": 0}
        assert picture.objects == 0

        outcome = observation.step()
        assert outcome.ok and outcome.extension and "default/a" in outcome.text
        picture = shows(observation, lambda p: p.objects == 1 and p.gate.waiting_notifications == 2)
        assert picture.gate.last_step == "queue: default/a"
        assert [mark.stage for mark in picture.gate.path] == ["api", "queue", "pop", "cache", "notify"]
        assert calls(picture) == {"audit": 0, "second": 0}

        assert "audit" in observation.step().text
        picture = shows(observation, lambda p: calls(p) == {"audit": 1, "second": 0})
        shows(observation, lambda p: p.gate.last_step == "handler audit: default/a OnAdd")
        assert "second" in observation.step().text
        picture = shows(observation, lambda p: calls(p) == {"audit": 1, "second": 1})
        assert [mark.stage for mark in picture.gate.path][5:] == ["audit", "second"]
        assert picture.gate.steps == 3

        assert "default/b" in observation.step().text
        shows(observation, lambda p: p.objects == 2)
        assert observation.release().ok
        picture = shows(observation, lambda p: calls(p) == {"audit": 2, "second": 2})
        assert not picture.gate.held


def test_a_step_of_one_handler_leaves_the_others_waiting() -> None:
    source = FakeSource()
    with observing(FakeClient(source), handlers=TWO) as observation:
        shows(observation, synced)
        assert observation.hold("handlers").ok
        source.add("a")
        shows(observation, lambda p: p.gate.waiting_notifications == 2)
        assert observation.step("handler", "second").ok
        picture = shows(observation, lambda p: calls(p)["second"] == 1)
        assert calls(picture)["audit"] == 0
        assert not observation.step("handler", "second").ok
        assert "the queue is not held" in observation.step("queue").text


def test_orders_that_make_no_sense_are_refused_politely() -> None:
    with observing(FakeClient(FakeSource()), handlers=TWO) as observation:
        shows(observation, synced)
        assert "nothing is held" in observation.step().text
        assert "nothing is held" in observation.release().text
        assert "no stage" in observation.hold("moon").text
        assert observation.hold().ok
        assert not observation.hold().ok
        assert "no step" in observation.step("moon").text
        assert "no notification" in observation.step().text
        assert "no handler" in observation.step("handler", "nobody").text
        assert not observation.step("queue").ok


def test_another_queue_while_held_is_held_from_its_start() -> None:
    source = FakeSource()
    source.add("a")
    with observing(FakeClient(source), handlers=TWO) as observation:
        shows(observation, synced)
        observation.hold("handlers")
        observation.set_queue("real")
        shows(observation, lambda p: p.queue.engine == "real" and p.objects == 1)
        picture = shows(observation, lambda p: p.gate.waiting_notifications == 2)
        assert calls(picture) == {"audit": 0, "second": 0}
        observation.release()
        shows(observation, lambda p: calls(p) == {"audit": 1, "second": 1})


class Views:
    """Every handler's view of the world, as its notifications draw it, in the order they came."""

    def __init__(self) -> None:
        self.versions: dict[str, list[int]] = {}
        self.view: dict[str, str] = {}
        self.wrong: list[str] = []

    def on_add(self, obj: object, is_in_initial_list: bool) -> None:
        self._see(obj)

    def on_update(self, old: object, new: object) -> None:
        seen = self.view.get(old.key)  # type: ignore[attr-defined]
        if seen != old.resource_version:  # type: ignore[attr-defined]
            self.wrong.append(f"{old!r} after {seen}")
        self._see(new)

    def on_delete(self, obj: object) -> None:
        self.view.pop(obj.key, None)  # type: ignore[attr-defined]

    def _see(self, obj) -> None:
        self.view[obj.key] = obj.resource_version


@pytest.mark.parametrize("engine", ENGINES)
def test_on_the_demo_the_server_goes_on_while_held_and_nothing_is_lost_or_reordered(engine: str) -> None:
    observation = open_demo(
        Wanted(all_namespaces=True, resync_s=3600.0, seed=3, queue=engine, handlers=(HandlerSpec("audit"),)),
        objects=40, rate=60.0, seed=3,
    )  # fmt: skip
    observation.start()
    try:
        shows(observation, synced_once)
        views = Views()
        informer = observation.informers()["pods"]
        informer.add_event_handler(handler=views, name="views")
        observation.hold()
        picture = shows(observation, lambda p: p.gate.arrived >= 40 and p.gate.waiting_entries > 5)
        objects = calls(picture)
        for _ in range(12):
            observation.step()
            threading.Event().wait(0.01)
        assert shows(observation, lambda p: p.gate.steps == 12 and not _on_its_way(observation)).gate.held
        assert sum(calls(observation.snapshot()).values()) <= sum(objects.values()) + 12
        assert observation.release().ok
        assert observation.demo is not None and observation.demo.server is not None
        server = observation.demo.server
        assert server.workload is not None
        server.workload.stop()
        stored = {each.key: str(each.version) for each in server.storage.list_stored("pods")[0]}
        shows(observation, lambda p: views.view == stored)
        assert views.wrong == []
    finally:
        observation.stop(5.0)


def synced_once(picture: Snapshot) -> bool:
    return bool(picture.informers) and all(h.synced for h in picture.handlers) and bool(picture.handlers)


def _on_its_way(observation: LiveObservation) -> bool:
    return any(informer.gate.permits() for informer in observation.informers().values())


def test_a_held_pipeline_does_not_hold_up_the_end() -> None:
    source = FakeSource()
    source.add("a")
    before: Callable[[], set[threading.Thread]] = lambda: set(threading.enumerate())  # noqa: E731
    threads = before()
    with observing(FakeClient(source), handlers=TWO) as observation:
        shows(observation, synced)
        observation.hold()
        source.add("b")
        shows(observation, lambda p: p.gate.waiting_entries == 1)
        observation.stop(5.0)
    for thread in before() - threads:
        thread.join(30)
    assert not [thread.name for thread in before() - threads]
