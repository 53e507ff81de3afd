"""The whole way from the embedded server to the figures: sync, resync, relist, outages, Secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest

from kdash.demo import ApiServer, Fault
from kdash.observe import open_demo
from kdash.observe.handlers import HandlerSpec
from kdash.observe.live import LiveObservation, Wanted
from kdash.observe.parse import BadValue
from kdash.probe.objects import ObjectRef
from tests.observe.fake_cluster import shows, synced

QUICK = (HandlerSpec("audit"), HandlerSpec("slow", 0.001, 0.0, 0.0))


@contextmanager
def demo(*resources: str, **wanted: Any) -> Iterator[tuple[LiveObservation, ApiServer]]:
    """A synced observation of a demo in which nothing happens by itself."""
    options = {"resync_s": 3600.0, "handlers": QUICK, "all_namespaces": True, "seed": 1, **wanted}
    observation = open_demo(Wanted(resources=resources or ("pods",), **options), objects=30, rate=0.0, seed=1,
                            scenario="calm")
    observation.start()
    try:
        shows(observation, synced)
        assert observation.demo is not None and observation.demo.server is not None
        yield observation, observation.demo.server
    finally:
        observation.stop(5.0)


LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def stored(server: ApiServer, resource: str = "pods") -> dict[str, str]:
    """Key → version of everything the server holds."""
    return {each.key: str(each.version) for each in server.storage.list_stored(resource)[0]}


def cached(observation: LiveObservation, resource: str = "pods") -> dict[str, str]:
    """Key → version of everything the cache holds."""
    indexer = observation.informers()[resource].indexer
    return {obj.key: obj.resource_version for obj in indexer.list()}


def touch(server: ApiServer, namespace: str, name: str) -> None:
    """Change one pod in the storage."""
    pod = server.storage.get("pods", namespace, name)
    assert pod is not None
    pod["metadata"].setdefault("annotations", {})["touched"] = pod["metadata"]["resourceVersion"]
    server.storage.update("pods", pod)


@pytest.mark.parametrize("engine", ["delta", "real", "real-atomic"])
def test_the_cache_the_index_and_the_handlers_hold_what_the_server_holds(engine: str) -> None:
    with demo(queue=engine) as (observation, server):
        assert cached(observation) == stored(server)
        picture = shows(observation, lambda p: p.objects == len(stored(server)))
        assert {handler.adds for handler in picture.handlers} == {picture.objects}
        assert (picture.is_demo, picture.source, picture.queue.engine) == (True, "demo", engine)


@pytest.mark.parametrize("engine", ["delta", "real", "real-atomic"])
def test_a_resync_reaches_the_handlers_and_sends_no_request(engine: str) -> None:
    with demo(queue=engine) as (observation, server):
        before = observation.snapshot()
        served = server.log.count()
        assert observation.resync_now().ok
        after = shows(observation, lambda p: p.handlers[0].syncs == before.handlers[0].syncs + p.objects)
        assert after.handlers[1].syncs == before.handlers[1].syncs
        assert after.api.requests == before.api.requests
        assert server.log.count() == served
        assert after.api.served_notifications >= after.objects


@pytest.mark.parametrize("watch_list", [True, False])
def test_a_relist_sends_requests(watch_list: bool) -> None:
    with demo(watch_list=watch_list) as (observation, server):
        before, served = observation.snapshot(), server.log.count()
        assert observation.relist().ok
        after = shows(observation, lambda p: p.informers[0].relists == 1 and synced(p))
        assert after.api.requests > before.api.requests
        assert server.log.count() > served
        assert after.informers[0].last_relist_reason == "ordered"


def test_a_rewatch_sends_one_watch_and_no_list() -> None:
    with demo() as (observation, _):
        before = observation.snapshot()
        assert observation.rewatch().ok
        after = shows(observation, lambda p: p.informers[0].reconnects == 1 and synced(p))
        assert (after.api.lists, after.api.watches) == (before.api.lists, before.api.watches + 1)
        assert after.informers[0].relists == 0


def test_what_changed_during_an_outage_is_in_the_cache_afterwards() -> None:
    with demo() as (observation, server):
        keys = list(stored(server))
        # no watch and no list gets through while objects change, come and go
        for verb in ("WATCH", "LIST"):
            server.faults.add(Fault("503", verb=verb, resource="pods", times=None))
        server.faults.drop_connections()
        shows(observation, lambda p: p.state.word != "LIVE")
        namespace, _, name = keys[0].partition("/")
        touch(server, namespace, name)
        namespace, _, name = keys[1].partition("/")
        server.storage.delete("pods", namespace, name)
        pod = server.storage.get("pods", *keys[2].split("/"))
        assert pod is not None
        pod["metadata"] |= {"name": "born-in-the-outage", "uid": "new"}
        server.storage.create("pods", pod)
        server.storage.expire_history()
        assert observation.snapshot().objects == len(keys)
        server.faults.clear()
        shows(observation, lambda p: synced(p) and cached(observation) == stored(server), 60.0)
        shows(observation, lambda p: p.objects == len(stored(server)))
        row = observation.objects.get(ObjectRef("pods", keys[0]))
        assert row is not None and row.resource_version == stored(server)[keys[0]]


def test_users_40_what_the_server_has_and_the_informer_not_is_counted() -> None:
    with demo(namespace="shop", all_namespaces=False) as (observation, server):
        shows(observation, lambda p: p.informers[0].behind == 0)
        server.faults.add(Fault("503", verb="WATCH", resource="pods", times=None))
        server.faults.drop_connections()
        shows(observation, lambda p: p.state.word != "LIVE")
        mine = next(key for key in stored(server) if key.startswith("shop/"))
        other = next(key for key in stored(server) if not key.startswith("shop/"))
        for key in (mine, mine, other):
            touch(server, *key.split("/"))
        shows(observation, lambda p: p.informers[0].behind == 2)
        server.faults.clear()
        shows(observation, lambda p: p.informers[0].behind == 0, 60.0)


def test_an_expired_watch_relists_and_keeps_every_object() -> None:
    with demo() as (observation, server):
        server.faults.expire_watches()
        shows(observation, lambda p: p.informers[0].relists >= 1 and synced(p))
        assert cached(observation) == stored(server)


def test_a_lost_event_stays_lost_over_resyncs_until_a_relist() -> None:
    """users.md E2 and E3: a resync replays the cache, ghosts included."""
    with demo() as (observation, server):
        ghost = next(iter(stored(server)))
        namespace, _, name = ghost.partition("/")
        server.faults.lose_next_event("pods")
        server.storage.delete("pods", namespace, name)
        for wave in (1, 2):
            before = observation.snapshot().handlers[0].syncs
            observation.resync_now()
            shows(observation, lambda p, before=before: p.handlers[0].syncs > before)  # type: ignore[misc]
            assert ghost in cached(observation), wave
        observation.relist()
        shows(observation, lambda p: ghost not in cached(observation))


def test_several_resources_are_observed_side_by_side() -> None:
    with demo("pods", "deployments.apps", "nodes") as (observation, server):
        picture = observation.snapshot()
        assert [informer.name for informer in picture.informers] == ["pods", "deployments.apps", "nodes"]
        for informer in picture.informers:
            assert informer.objects == len(stored(server, informer.name))
        assert {row.informer for row in observation.objects.rows(0, 9999) if row.level == 0} == {
            "pods", "deployments.apps", "nodes"}  # fmt: skip


def test_no_value_of_a_secret_is_shown_traced_or_read() -> None:
    with demo("secrets") as (observation, server):
        value = "aHVudGVyMi1vZi10aGUtZGVtbw=="
        server.storage.create("secrets", {
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"password": value},
            "metadata": {"name": "hidden", "namespace": "default", "uid": "u-hidden", "annotations": {
                LAST_APPLIED: json.dumps({"data": {"password": value}})}},
        })
        ref = ObjectRef("secrets", "default/hidden")
        shows(observation, lambda p: observation.objects.get(ref) is not None)
        read = observation.read_object(ref)
        assert read is not None and list(read["data"]) == ["password"]
        log = observation.events
        shown = [json.dumps(read), repr(asdict(observation.snapshot())), observation.summary(ref)]
        shown += [line.text for line in log.lines(0, log.total)]
        assert not [text for text in shown if value in text]
        assert any("default/hidden" in text for text in shown)


def test_faults_and_changes_are_orders_of_the_demo() -> None:
    with demo() as (observation, _):
        ref = next(row.ref for row in observation.objects.rows(0, 50) if row.level == 2)
        changed = observation.demo_change(ref)
        assert changed.ok
        assert ref.key in changed.text
        shows(observation, lambda p: (row := observation.objects.get(ref)) and row.updates == 1)
        assert observation.demo_fault("close-watches").ok
        shows(observation, lambda p: p.informers[0].reconnects == 1 and synced(p))
        assert not observation.demo_fault("nothing").ok
        assert "close-watches" in observation.demo_fault("nothing").text
        assert "close-watches" in observation.demo_menu()


def test_an_unknown_scenario_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BadValue, match="rolling-update"):
        open_demo(scenario="rolling-updates")


def test_the_server_stops_with_the_observation() -> None:
    with demo() as (observation, server):
        observation.stop(5.0)
        assert server.stopping


def test_an_armed_fault_is_listed_with_what_it_waits_for_and_how_often_it_struck() -> None:
    with demo() as (observation, _):
        answer = observation.demo_fault("503:verb=LIST,times=3")
        assert (answer.ok, answer.text) == (True, "demo server, 503 is armed: it waits for the next 3 LISTs")
        fault, = observation.snapshot().api.faults
        assert (fault.kind, fault.waits_for, fault.struck) == ("503", "the next 3 LISTs", 0)
        assert observation.demo_menu()["503"].startswith("armed: waits for the next 3 LISTs (503")


def test_a_410_from_the_menu_strikes_the_open_watch() -> None:
    with demo() as (observation, _):
        assert observation.demo_fault("410").ok
        shows(observation, lambda p: p.informers[0].relists == 1 and synced(p))
        assert observation.snapshot().api.faults == ()
        assert observation.demo_menu()["410"].startswith("struck 1x")
