"""The reflector's machine: its table of transitions, the pacer, the orders."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kdash.informer import reflector_effects as fx
from kdash.informer.objects import KubeObject
from kdash.informer.reflector_machine import UnexpectedInput
from tests.informer.fake_source import bookmark, expired, make_object
from tests.informer.machine_bench import Bench, after, arrived, error_arrived
from tests.informer.reflector_doubles import INTERNAL, TOO_MANY, event, page

# the table itself --------------------------------------------------------------------------------------

_STATES: dict[str, Callable[[], Bench]] = {
    "NotStarted": Bench,
    "Listing": lambda: after(Bench(), fx.Start()),
    "OpeningWatchList": lambda: after(Bench(watch_list=True), fx.Start()),
    "WatchListing": lambda: Bench(watch_list=True).to_watch_listing(),
    "Replacing": lambda: after(Bench(), fx.Start(), fx.PageArrived(page(1))),
    "OpeningWatch": lambda: after(Bench(), fx.Start(), fx.PageArrived(page(1)), fx.Replaced()),
    "Watching": lambda: Bench().to_watching(),
    "BackingOff": lambda: after(Bench(), fx.Start(), fx.ListFailed(INTERNAL)),
    "Stopped": lambda: after(Bench(), fx.Stop()),
}

_INPUTS: dict[str, fx.Input] = {
    "Start": fx.Start(),
    "PageArrived": fx.PageArrived(page(1)),
    "ListFailed": fx.ListFailed(INTERNAL),
    "WatchOpened": fx.WatchOpened(),
    "WatchOpenFailed": fx.WatchOpenFailed(INTERNAL),
    "EventsArrived": arrived(event("ADDED", "b", 101)),
    "StreamEnded": fx.StreamEnded(),
    "Replaced": fx.Replaced(),
    "ReplaceFailed": fx.ReplaceFailed(ValueError("x")),
    "TimerFired": fx.TimerFired(),
    "ResyncFailed": fx.ResyncFailed(ValueError("x")),
    "ForceRelist": fx.ForceRelist(direct=True),
    "EndWatch": fx.EndWatch(),
    "EndBookmarkMissing": fx.EndBookmarkMissing(),
    "Stop": fx.Stop(),
}

_LEADS_TO = {
    ("NotStarted", "Start"): "Listing",
    ("Listing", "PageArrived"): "Replacing",
    ("Listing", "ListFailed"): "BackingOff",
    ("OpeningWatchList", "WatchOpened"): "WatchListing",
    ("OpeningWatchList", "WatchOpenFailed"): "Listing",
    ("WatchListing", "EventsArrived"): "WatchListing",
    ("WatchListing", "StreamEnded"): "Listing",
    ("WatchListing", "EndBookmarkMissing"): "Listing",
    ("Replacing", "Replaced"): "OpeningWatch",
    ("Replacing", "ReplaceFailed"): "BackingOff",
    ("OpeningWatch", "WatchOpened"): "Watching",
    ("OpeningWatch", "WatchOpenFailed"): "BackingOff",
    ("OpeningWatch", "ForceRelist"): "Listing",
    ("Watching", "EventsArrived"): "Watching",
    ("Watching", "StreamEnded"): "BackingOff",
    ("Watching", "ResyncFailed"): "BackingOff",
    ("Watching", "ForceRelist"): "Listing",
    ("Watching", "EndWatch"): "OpeningWatch",
    ("BackingOff", "TimerFired"): "Listing",
    ("BackingOff", "ForceRelist"): "Listing",
    **{(state, "Stop"): "Stopped" for state in _STATES if state != "Stopped"},
}


@pytest.mark.parametrize("given", list(_INPUTS))
@pytest.mark.parametrize("state", list(_STATES))
def test_every_pair_of_state_and_input_is_a_transition_or_refused(state: str, given: str) -> None:
    bench = _STATES[state]()
    assert type(bench.machine.state).__name__ == state
    target = _LEADS_TO.get((state, given))
    assert bench.machine.accepts(_INPUTS[given]) == (target is not None)
    if target is None:
        with pytest.raises(UnexpectedInput):
            bench.machine.handle(bench.now, _INPUTS[given])
        assert type(bench.machine.state).__name__ == state
    else:
        bench.give(_INPUTS[given])
        assert type(bench.machine.state).__name__ == target


# the pacer ---------------------------------------------------------------------------------------------


def test_repeats_without_delay_are_paced_after_ten() -> None:
    """A server that sends one event and hangs up, for ever: client-go would ask in a hot loop."""
    bench = Bench().to_watching()
    requests, started = 0, bench.now
    while bench.now - started < 60:
        bench.give(arrived(event("MODIFIED", "a", 101)))
        request = bench.give(fx.StreamEnded(), 0.001)
        if isinstance(request, fx.Sleep):
            assert bench.last_told("backoff.sleep")["site"] == "pacing"
            request = bench.give(fx.TimerFired(), request.delay.seconds)
        assert isinstance(request, fx.OpenWatch)
        requests += 1
        bench.give(fx.WatchOpened())
    assert requests <= 10 + 2 * 61


def test_watches_that_live_for_a_second_are_never_paced() -> None:
    bench = Bench().to_watching()
    for _ in range(50):
        assert isinstance(bench.give(fx.StreamEnded(), 1.0), fx.OpenWatch)
        bench.give(fx.WatchOpened())


# orders ------------------------------------------------------------------------------------------------


def test_force_relist_is_an_injected_410() -> None:
    bench, server = Bench().to_watching(), Bench().to_watching()
    ordered, real = bench.give(fx.ForceRelist()), server.give(error_arrived(expired()))
    assert type(ordered) is type(real) is fx.Sleep
    kinds = [type(effect) for effect in bench.effects]
    assert kinds == [type(effect) for effect in server.effects]
    request = bench.give(fx.TimerFired())
    assert isinstance(request, fx.SendList)
    assert request.options.resource_version == "100"


def test_force_relist_direct_leaves_the_delay_out() -> None:
    bench = Bench().to_watching()
    request = bench.give(fx.ForceRelist(direct=True))
    assert isinstance(request, fx.SendList)
    assert bench.of(fx.CloseStream) and bench.of(fx.StopResync)
    assert bench.machine.session == 2


def test_force_relist_quorum_asks_without_version() -> None:
    request = Bench().to_watching().give(fx.ForceRelist(direct=True, quorum=True))
    assert isinstance(request, fx.SendList)
    assert request.options.resource_version == ""


def test_force_relist_while_backing_off_for_the_next_session_needs_direct() -> None:
    bench = _STATES["BackingOff"]()
    assert not bench.machine.accepts(fx.ForceRelist())
    assert isinstance(bench.give(fx.ForceRelist(direct=True)), fx.SendList)
    assert bench.last_told("backoff.wake")["interrupted"] is True


def test_force_relist_while_waiting_to_rewatch_ends_the_session() -> None:
    bench = Bench().to_watching()
    bench.give(error_arrived(TOO_MANY))
    assert isinstance(bench.give(fx.ForceRelist()), fx.Sleep)
    assert isinstance(bench.give(fx.TimerFired()), fx.SendList)


def test_ordered_relists_are_paced_too() -> None:
    bench = Bench().to_watching()
    answers = []
    for _ in range(11):
        answers.append(bench.give(fx.ForceRelist(direct=True)))
        if isinstance(answers[-1], fx.SendList):
            after(bench, fx.PageArrived(page(100)), fx.Replaced(), fx.WatchOpened())
    assert isinstance(answers[-1], fx.Sleep)
    assert all(isinstance(answer, fx.SendList) for answer in answers[:-1])


def test_end_watch_rewatches_even_within_the_first_second() -> None:
    bench = Bench().to_watching()
    request = bench.give(fx.EndWatch())
    assert isinstance(request, fx.OpenWatch)
    assert bench.last_told("watch.close")["next"] == "rewatch"


@pytest.mark.parametrize("state", [state for state in _STATES if state != "Stopped"])
def test_stop_ends_every_state_with_the_stream_closed_and_the_timer_stopped(state: str) -> None:
    bench = _STATES[state]()
    assert isinstance(bench.give(fx.Stop()), fx.Finished)
    assert bench.of(fx.CloseStream)
    assert bool(bench.of(fx.StopResync)) == (state in ("OpeningWatch", "Watching"))
    assert bench.last_told("reflector.state")["state"] == "stopped"


def test_a_direct_relist_tells_the_end_of_one_session_before_the_start_of_the_next() -> None:
    bench = Bench().to_watching()
    bench.give(fx.ForceRelist(direct=True))
    told = [(t["kind"], t["session"]) for t in bench.told if t["kind"].startswith("reflector.session")]
    assert told[-2:] == [("reflector.session_end", 1), ("reflector.session_start", 2)]


def test_a_temporary_store_transforms_and_loses_what_fails() -> None:
    def transform(obj: KubeObject) -> KubeObject:
        if obj.name == "bad":
            raise ValueError("cannot")
        return make_object(obj.name, f"{obj.resource_version}0")

    bench = Bench(watch_list=True, transform=transform).to_watch_listing()
    bench.give(arrived(event("ADDED", "bad", 1), event("ADDED", "a", 2)))
    [report] = bench.of(fx.ReportError)
    assert (report.stage, report.to_handler) == ("transform", False)
    request = bench.give(arrived(bookmark(9, end=True)))
    assert isinstance(request, fx.Replace)
    assert [obj.resource_version for obj in request.objects] == ["20"]
