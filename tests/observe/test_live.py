"""The observation against a scripted cluster: states, orders, reading, the end."""

from __future__ import annotations

import threading

from kdash.cluster.errors import ConfigError
from kdash.informer.errors import ApiStatusError, ConnectionRefused
from kdash.observe.handlers import HandlerSpec
from kdash.probe.objects import ObjectRef
from tests.informer.fake_source import FakeSource
from tests.observe.fake_cluster import FakeClient, observing, shows, synced

QUICK = (HandlerSpec("audit"), HandlerSpec("slow", 0.001, 0.0, 0.0))


def source_with(count: int) -> FakeSource:
    source = FakeSource()
    for number in range(count):
        source.add(f"cm-{number}")
    return source


def test_it_syncs_and_shows_every_object() -> None:
    with observing(FakeClient(source_with(42)), handlers=QUICK) as observation:
        picture = shows(observation, synced)
        assert picture.objects == 42
        assert picture.source == "fake"
        assert {handler.name: handler.adds for handler in picture.handlers} == {"audit": 42, "slow": 42}
        assert observation.objects.total == 43


def test_changes_arrive_in_the_index_the_log_and_the_handlers() -> None:
    source = source_with(2)
    with observing(FakeClient(source), handlers=QUICK) as observation:
        shows(observation, synced)
        source.modify("cm-0", data={"a": "b"})
        source.delete("cm-1")
        shows(observation, lambda p: all((h.updates, h.deletes) == (1, 1) for h in p.handlers))
        row = observation.objects.get(ObjectRef("configmaps", "default/cm-1"))
        assert row is not None and row.mark == "gone"
        log = observation.events
        watch_lines = [line.text for line in log.lines(0, log.total) if line.category == "WATCH"]
        assert any("MODIFIED  default/cm-0  rv 1→3" in text for text in watch_lines)


def test_resync_now_reaches_who_asked_and_says_who_was_skipped() -> None:
    source = source_with(42)
    with observing(FakeClient(source), handlers=QUICK, resync_s=3600.0) as observation:
        shows(observation, synced)
        before = len(source.requests)
        outcome = observation.resync_now()
        assert outcome.ok and outcome.extension
        assert outcome.text == "audit replays 42 objects; slow skipped: it asked for no resync; 0 requests"
        picture = shows(observation, lambda p: p.handlers[0].syncs == 42)
        assert picture.handlers[1].syncs == 0
        assert len(source.requests) == before
        assert "RESYNC now:  audit asked for → 42 Sync deltas → 42 notifications (0 API requests)" in [
            f"{line.category} {line.text}" for line in observation.events.lines(0, observation.events.total)]


def test_resync_of_a_handler_that_asked_for_none_is_refused_with_the_reason() -> None:
    with observing(FakeClient(source_with(1)), handlers=QUICK) as observation:
        shows(observation, synced)
        assert observation.resync_now("slow").text.startswith("slow skipped: it asked for no resync")
        assert "audit, slow" in observation.resync_now("nobody").text


def test_relist_asks_the_server_and_rewatch_does_not_list() -> None:
    source = source_with(3)
    with observing(FakeClient(source), handlers=QUICK, watch_list=False) as observation:
        shows(observation, synced)
        assert source.verbs() == ["LIST", "WATCH"]
        assert observation.rewatch().ok
        shows(observation, lambda p: p.informers[0].watches == 2 and synced(p))
        assert source.verbs() == ["LIST", "WATCH", "WATCH"]
        assert observation.relist().extension
        shows(observation, lambda p: p.informers[0].relists == 1 and synced(p))
        assert source.verbs().count("LIST") == 2


def test_a_new_period_applies_at_once_and_is_shown() -> None:
    with observing(FakeClient(source_with(1)), handlers=QUICK, resync_s=3600.0) as observation:
        shows(observation, synced)
        outcome = observation.set_resync_period(20.0, "audit")
        assert (outcome.ok, outcome.extension, outcome.text) == (
            True, True, "resync period: audit every 20s; this restarts the check tick: 20s from now",
        )
        picture = shows(observation, lambda p: p.resync.hands[0].effective_s == 20.0)
        assert picture.resync.check_period_s == 20.0
        assert not observation.set_resync_period(-1.0).ok


def test_a_late_handler_gets_the_cache_and_leaves_again() -> None:
    source = source_with(5)
    with observing(FakeClient(source), handlers=QUICK) as observation:
        shows(observation, synced)
        before = len(source.requests)
        outcome = observation.add_handler("late")
        assert outcome.text == "late added: 5 objects replayed from the cache; 0 requests"
        assert not observation.add_handler("late").ok
        picture = shows(observation, lambda p: any(h.name == "late" and h.adds == 5 for h in p.handlers))
        assert picture.api.served_notifications >= 5
        assert len(source.requests) == before
        assert observation.remove_handler("late").ok
        shows(observation, lambda p: [h.name for h in p.handlers] == ["audit", "slow"])
        assert "late" in observation.remove_handler("late").text


def test_another_queue_restarts_the_informer_with_the_same_handlers() -> None:
    with observing(FakeClient(source_with(4)), handlers=QUICK) as observation:
        shows(observation, synced)
        assert not observation.set_queue("fifo").ok
        assert not observation.set_queue("delta").ok
        outcome = observation.set_queue("real-atomic")
        assert outcome.ok and "1.36" in outcome.text
        picture = shows(observation, lambda p: p.queue.engine == "real-atomic" and synced(p))
        assert picture.objects == 4
        assert [handler.name for handler in picture.handlers] == ["audit", "slow"]


def test_orders_before_the_connection_are_refused_politely() -> None:
    with observing(FakeClient(FakeSource(), [ConnectionRefused("x")] * 50)) as observation:
        for outcome in (observation.resync_now(), observation.relist(), observation.rewatch(),
                        observation.set_resync_period(5.0), observation.add_handler("x"),
                        observation.remove_handler("x"), observation.set_queue("real")):
            assert not outcome.ok and "not connected" in outcome.text


def test_a_refused_connection_is_tried_again_with_a_countdown() -> None:
    client = FakeClient(source_with(1), [ConnectionRefused("127.0.0.1:1")])
    with observing(client, handlers=QUICK) as observation:
        picture = shows(observation, lambda p: p.state.word == "RETRY")
        assert picture.state.exit_code == 3
        assert picture.state.retry_at is not None and picture.state.retry_no == 1
        shows(observation, synced)
        assert client.attempts == 2


def test_wrong_configuration_is_final() -> None:
    client = FakeClient(FakeSource(), [ConfigError("the context 'x' does not exist")])
    with observing(client) as observation:
        shows(observation, lambda p: p.state.word == "STOPPED")
        assert observation.failure is not None
        assert observation.failure.exit_code == 2
        assert observation.failure.retry_at is None
        assert client.attempts == 1


def test_a_forbidden_list_is_denied_and_tried_again() -> None:
    source = source_with(1)
    source.fail_watches(ApiStatusError(403, "Forbidden", "configmaps is forbidden"))
    source.fail_lists(ApiStatusError(403, "Forbidden", "configmaps is forbidden"))
    with observing(FakeClient(source), handlers=QUICK) as observation:
        picture = shows(observation, lambda p: p.state.word == "DENIED")
        assert picture.state.exit_code == 4
        assert 'resources: ["configmaps"]' in picture.state.detail
        shows(observation, synced)


def test_reading_an_object_makes_no_request_and_counts_as_a_cache_read() -> None:
    source = source_with(2)
    with observing(FakeClient(source), handlers=QUICK) as observation:
        shows(observation, synced)
        before = len(source.requests)
        obj = observation.read_object(ObjectRef("configmaps", "default/cm-1"))
        assert obj is not None and obj["metadata"]["name"] == "cm-1"
        assert observation.read_object(ObjectRef("configmaps", "default/none")) is None
        assert observation.read_object(ObjectRef("none", "default/cm-1")) is None
        shows(observation, lambda p: p.api.served_reads == 1)
        assert len(source.requests) == before


def test_a_status_word_follows_the_object() -> None:
    source = source_with(1)
    ref = ObjectRef("configmaps", "default/cm-0")
    with observing(FakeClient(source), handlers=QUICK) as observation:
        shows(observation, synced)
        assert observation.summary(ref) == "0 keys"
        source.modify("cm-0", data={"a": "1", "b": "2"})
        shows(observation, lambda p: p.handlers[0].updates == 1)
        assert observation.summary(ref) == "2 keys"
        assert observation.summary(ObjectRef("configmaps", "default/none")) == ""


def test_stop_ends_every_thread_even_with_a_hung_server_and_a_handler_at_work() -> None:
    before = set(threading.enumerate())
    source = source_with(3)
    client = FakeClient(source)
    with observing(client, handlers=(HandlerSpec("slow", 3600.0),)) as observation:
        shows(observation, lambda p: p.handlers and p.handlers[0].running_since is not None)
        source.hold()
        observation.relist()
        observation.stop(5.0)
        assert client.closed
        assert observation.snapshot().state.word == "STOPPED"
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(30)
    assert not [thread.name for thread in left if thread.is_alive()]


def test_stop_before_and_twice_does_no_harm() -> None:
    client = FakeClient(FakeSource(), [ConnectionRefused("x")] * 50)
    with observing(client) as observation:
        observation.stop()
        observation.stop()
    assert observation.snapshot().state.word in ("RETRY", "STARTING", "STOPPED")
