"""What users of informers ran into: lost connections, expired versions, storms of requests."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from kdash.informer import reflector_effects as fx
from kdash.informer.clock import VirtualClock
from kdash.informer.errors import ApiStatusError, ConnectionRefused, ConnectionReset, UnexpectedEOF
from kdash.informer.event_filter import EventFilter
from kdash.informer.reflector_machine import ReflectorMachine
from kdash.informer.reflector_requests import RequestRules
from kdash.informer.tap import RingTap
from tests.informer.builders import records
from tests.informer.fake_source import API_VERSION, KIND, FakeSource, bookmark, expired, too_large
from tests.informer.informer_rig import Recorder, settle
from tests.informer.machine_bench import arrived, error_arrived
from tests.informer.reflector_doubles import Run, ScriptedStream, event, page
from tests.users.conftest import MakeRig

TOO_MANY = ApiStatusError(429, "TooManyRequests", "slow down")


def opened(it: Any, watches: int) -> None:
    """Until so many watches were asked for, the last of which is open."""
    settle(lambda: sum(verb != "LIST" for verb in it.source.verbs()) >= watches)
    assert it.source.wait_for_watch()


def test_users_03_an_hour_of_drops_each_minute_loses_no_object(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock)
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    it.source.add("kept")
    it.start()
    for minute in range(60):
        opened(it, minute + 1)
        clock.advance(60.0)
        it.source.modify("kept", drop=True)
        it.source.add(f"pod-{minute}", drop=True)
        it.source.end_watches()
    recorder.wait_for("add", "pod-59")
    assert it.keys() == it.source.keys()
    assert sorted(recorder.calls[1:]) == sorted(
        [*[("add", f"pod-{minute}") for minute in range(60)], *[("update", "kept")] * 60]
    )


@pytest.mark.parametrize("error", [ValueError("no idea"), KeyError("x"), OSError("disk"), RecursionError("deep")])
def test_users_04_no_error_ends_an_informer_unseen(rig: MakeRig, error: Exception) -> None:
    clock, tap = VirtualClock(), RingTap()
    it = rig(clock=clock, tap=tap, watch_list=False)
    it.source.fail_lists(error)
    it.source.fail_watches(error)
    it.informer.start()
    settle(lambda: it.informer.has_synced() and it.source.verbs().count("WATCH") >= 2, clock)
    it.stop()
    told = records(tap, "informer.lifecycle")
    assert [each["what"] for each in told][-2:] == ["stopping", "stopped"]


def test_users_05_a_watch_that_is_idle_for_hours_still_delivers(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock)
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    it.start()
    for _ in range(12):
        clock.advance(300.0)
    it.source.add("late")
    recorder.wait_for("add", "late")
    assert it.source.verbs() == ["WATCHLIST"]


def test_users_10_12_410_as_answer_and_in_the_stream_both_fetch_the_state_anew() -> None:
    run = Run(
        [page(10), expired(), page(20), page(30)],
        [ScriptedStream(error_event_410()), ScriptedStream(error_event_410())],
    )
    assert run.server.list_versions()[:4] == ["0", "10", "", "20"], "a refused version is not asked for twice"


def error_event_410() -> Any:
    return error_arrived(expired()).events[0]


def test_users_14_an_error_event_leaves_the_version_alone() -> None:
    machine = started_machine(random.Random(1))
    machine.handle(2.0, fx.WatchOpened())
    machine.handle(3.0, arrived(event("MODIFIED", "a", 77)))
    machine.handle(4.0, error_arrived(expired()))
    assert machine.version.last == "77"


def test_users_16_too_large_version_asks_for_the_newest_state_next() -> None:
    run = Run([page(10), too_large(), page(5)], [ScriptedStream(error_event_410())])
    assert run.server.list_versions() == ["0", "10", ""]


def started_machine(rng: random.Random) -> ReflectorMachine:
    """A machine whose first list (version 100) is in the store."""
    machine = ReflectorMachine(
        name="m", event_filter=EventFilter(API_VERSION, KIND), now=0.0, rng=rng, rules=RequestRules(0),
        use_watch_list=False,
    )  # fmt: skip
    machine.handle(0.0, fx.Start())
    machine.handle(0.0, fx.PageArrived(page(100, "a")))
    machine.handle(0.0, fx.Replaced())
    return machine


def test_users_17_after_one_kill_many_informers_come_back_spread_and_from_their_last_version() -> None:
    delays = []
    for number in range(50):
        machine = started_machine(random.Random(number))
        machine.handle(1.0, fx.WatchOpened())
        sleep = machine.handle(5.0, error_arrived(expired()))[-1]
        assert isinstance(sleep, fx.Sleep)
        delays.append(sleep.delay.seconds)
        again = machine.handle(5.0 + sleep.delay.seconds, fx.TimerFired())[-1]
        assert isinstance(again, fx.SendList)
        assert again.options.resource_version == "100"
    assert min(delays) >= 0.8
    assert max(delays) < 1.6
    assert max(delays) - min(delays) > 0.5
    assert len(set(delays)) == 50


def test_users_18_the_delay_is_told_and_grows_to_30_s_and_no_further() -> None:
    run = Run([ConnectionRefused("refused")] * 9, [])
    sleeps = run.records("backoff.sleep")
    assert [each["base_s"] for each in sleeps[:7]] == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
    assert max(each["base_s"] for each in sleeps) == 30.0
    assert all(each["base_s"] <= each["jittered_s"] < 2 * each["base_s"] for each in sleeps)


FAILURES: dict[str, tuple[Any, Any]] = {
    "refused": (ConnectionRefused("x"), ConnectionRefused("x")),
    "reset": (ConnectionReset("x"), ConnectionReset("x")),
    "eof": (UnexpectedEOF("x"), UnexpectedEOF("x")),
    "429": (TOO_MANY, TOO_MANY),
    "500": (ApiStatusError(500, "InternalError", "x"), ApiStatusError(500, "InternalError", "x")),
    "410": (expired(), expired()),
    "504": (too_large(), too_large()),
    "401": (ApiStatusError(401, "Unauthorized", "x"), ApiStatusError(401, "Unauthorized", "x")),
    "watch 410": (lambda: page(5, "a"), lambda: ScriptedStream(error_event_410())),
    "watch 429": (lambda: page(5, "a"), TOO_MANY),
    "watch refused": (lambda: page(5, "a"), ConnectionRefused("x")),
    "watch ends at once": (lambda: page(5, "a"), ScriptedStream),
    "watch ends after an event": (lambda: page(5, "a"), lambda: ScriptedStream([event("MODIFIED", "a", 6)])),
    "watch sends garbage": (
        lambda: page(5, "a"),
        lambda: ScriptedStream(error_arrived(ApiStatusError(500, "InternalError", "no JSON")).events[0]),
    ),
    "watch-list ends before its end": (lambda: page(5, "a"), lambda: ScriptedStream([event("ADDED", "a", 5)])),
    "watch-list ends after its end": (
        lambda: page(5, "a"),
        lambda: ScriptedStream([event("ADDED", "a", 5), bookmark(6, end=True)]),
    ),
}


@pytest.mark.parametrize("watch_list", [True, False])
@pytest.mark.parametrize("failure", FAILURES)
def test_users_19_no_failure_makes_more_than_two_requests_a_second(failure: str, watch_list: bool) -> None:
    lists, watches = FAILURES[failure]
    run = Run([lists] * 150, [watches] * 150, use_watch_list=watch_list)
    requests, seconds = len(run.server.verbs), run.clock.monotonic() - 1000.0
    assert requests > 100
    assert requests <= 2.0 * seconds + 12, f"{requests} requests in {seconds:.1f} s"


def test_users_20_a_forced_relist_reconciles_a_stale_row_and_says_what_it_found(rig: MakeRig) -> None:
    clock, tap = VirtualClock(), RingTap()
    it = rig(clock=clock, tap=tap)
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    for name in ("stale", "ghost", "fine"):
        it.source.add(name)
    it.start()
    recorder.wait(3)
    it.source.modify("stale", drop=True)
    it.source.delete("ghost", drop=True)
    it.source.add("missed", drop=True)
    assert it.informer.force_relist(direct=True)
    recorder.wait_for("delete", "ghost")
    recorder.wait_for("add", "missed")
    recorder.wait_for("update", "stale")
    assert ("delete", "ghost", "DeletedFinalStateUnknown") in recorder.details
    assert it.keys() == it.source.keys()


def test_users_21_22_what_changes_while_disconnected_reaches_the_handlers(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock, watch_list=False)
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    it.source.add("job")
    it.start()
    recorder.wait(1)
    clock.advance(5.0)
    it.source.fail_watches(*[ConnectionRefused("down")] * 3)
    it.source.end_watches()
    it.source.modify("job")
    it.source.add("short")
    it.source.delete("short")
    settle(lambda: ("delete", "short") in recorder.calls, clock)
    assert recorder.calls == [("add", "job"), ("update", "job"), ("add", "short"), ("delete", "short")]


def test_users_23_a_change_found_by_a_relist_reaches_handlers_without_resync(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock, resync_period_s=0.0)
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder, resync_period=0)
    it.source.add("a")
    it.start()
    recorder.wait(1)
    it.source.modify("a", drop=True)
    it.source.reset_watch()
    settle(lambda: ("update", "a") in recorder.calls, clock)
    assert ("update", "a", "1", "2", False) in recorder.details


def test_users_29_threads_stay_the_same_over_a_thousand_reconnects(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock, resync_period_s=3600.0)
    recorders = [Recorder(), Recorder()]
    for recorder in recorders:
        it.informer.add_event_handler(handler=recorder)
    others = set(threading.enumerate())
    it.source.add("a")
    it.start()
    for recorder in recorders:
        recorder.wait(1)
    before = set(threading.enumerate()) - others
    assert len(before) == 3 + 2, "reflector, timer, process loop, and one for each handler"
    for number in range(1000):
        opened(it, number + 1)
        clock.advance(2.0)
        it.source.end_watches()
    opened(it, 1001)
    assert set(threading.enumerate()) - others == before


def test_users_46_a_server_without_end_bookmark_is_listed_after_the_patience(rig: MakeRig) -> None:
    class Endless(FakeSource):
        def _first_events(self, options: Any) -> list[Any]:
            return [each for each in super()._first_events(options) if not each.initial_events_end]

    clock, tap = VirtualClock(), RingTap()
    it = rig(clock=clock, tap=tap, source=Endless())
    it.source.add("a")
    it.informer.start()
    settle(it.informer.has_synced, clock, 0.5)
    assert it.source.verbs()[:2] == ["WATCHLIST", "LIST"]
    [fallback] = records(tap, "watchlist.fallback")
    assert "60 s" in fallback["error"]


@pytest.mark.parametrize("state", ["listing", "watching", "backing off", "handler at work"])
def test_users_47_stop_returns_within_a_second_in_every_state(rig: MakeRig, state: str) -> None:
    it = rig(watch_list=False)
    it.source.add("a")
    if state == "listing":
        it.source.hold()
        it.informer.start()
        assert it.source.wait_for_requests(1)
    elif state == "backing off":
        it.source.fail_lists(*[ConnectionRefused("down")] * 50)
        it.informer.start()
        assert it.source.wait_for_requests(1)
    else:
        recorder = Recorder()
        it.informer.add_event_handler(handler=recorder)
        it.start()
        if state == "handler at work":
            recorder.wait(1)
    assert it.informer.stop(1.0), state
