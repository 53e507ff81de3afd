"""The reflector's machine: watches, events and the ends of streams (RF-27 to RF-44)."""

from __future__ import annotations

import pytest

from kdash.informer import reflector_effects as fx
from kdash.informer import reflector_states as at
from kdash.informer.errors import (
    ApiStatusError,
    ConnectionRefused,
    ConnectionReset,
    UnexpectedEOF,
    VeryShortWatchError,
)
from kdash.informer.event_filter import EventFilter
from kdash.informer.list_watch import WatchEvent
from tests.informer.fake_source import bookmark, expired
from tests.informer.machine_bench import Bench, after, arrived, error_arrived
from tests.informer.reflector_doubles import INTERNAL, TOO_MANY, event, page

# watch: opening ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [TOO_MANY, ApiStatusError(429, "Other"), ConnectionRefused("refused")])
def test_rf28_429_or_refused_at_open_backs_off_and_watches_again(error: Exception) -> None:
    bench = Bench()
    after(bench, fx.Start(), fx.PageArrived(page(100)), fx.Replaced())
    sleep = bench.give(fx.WatchOpenFailed(error))
    assert isinstance(sleep, fx.Sleep)
    assert not any(report.to_handler for report in bench.of(fx.ReportError))
    assert not bench.of(fx.StopResync), "the resync timer runs on (RF-44 as corrected)"
    request = bench.give(fx.TimerFired())
    assert isinstance(request, fx.OpenWatch)
    assert request.options.resource_version == "100"


@pytest.mark.parametrize(
    "error",
    [expired(), INTERNAL, ApiStatusError(403, "Forbidden"), ConnectionReset("reset"), UnexpectedEOF("eof")],
)
def test_rf28_other_open_errors_reach_the_handler_and_lead_to_a_relist(error: Exception) -> None:
    bench = Bench()
    after(bench, fx.Start(), fx.PageArrived(page(100)), fx.Replaced())
    assert isinstance(bench.give(fx.WatchOpenFailed(error)), fx.Sleep)
    assert [report.error for report in bench.of(fx.ReportError) if report.to_handler] == [error]
    assert bench.of(fx.StopResync)
    request = bench.give(fx.TimerFired())
    assert isinstance(request, fx.SendList)
    assert request.options.resource_version == "100", (
        "an expired watch does not ask for a quorum read (RF-13)"
    )


def test_rf8_one_sequence_of_delays_serves_watches_and_sessions() -> None:
    bench = Bench()
    after(bench, fx.Start(), fx.PageArrived(page(100)), fx.Replaced())
    first = bench.give(fx.WatchOpenFailed(TOO_MANY))
    bench.give(fx.TimerFired())
    second = bench.give(fx.WatchOpenFailed(INTERNAL))
    assert isinstance(first, fx.Sleep) and isinstance(second, fx.Sleep)
    assert (first.delay.step, second.delay.step) == (1, 2)


# watch: events -----------------------------------------------------------------------------------------


def test_a_batch_of_plain_events_is_one_effect() -> None:
    bench = Bench().to_watching()
    batch = [event("ADDED", "b", 101), event("MODIFIED", "a", 102), event("DELETED", "b", 103)]
    assert isinstance(bench.give(fx.EventsArrived(batch)), fx.ReadEvents)
    assert bench.effects == [fx.Apply(batch, True), fx.ReadEvents()]
    assert bench.version == "103"


def test_rf29_the_last_event_decides_even_when_its_number_is_lower() -> None:
    bench = Bench().to_watching()
    bench.give(arrived(event("MODIFIED", "a", 150), event("MODIFIED", "b", 140)))
    assert bench.version == "140"


def test_rf33_an_event_of_another_kind_is_skipped_and_neither_counts_nor_moves_the_version() -> None:
    bench = Bench().to_watching()
    wrong = event("ADDED", "p", 500, kind="Pod")
    bench.give(arrived(event("MODIFIED", "a", 101), wrong, event("ADDED", "b", 102)))
    kinds = [type(effect) for effect in bench.effects]
    assert kinds == [fx.Apply, fx.Reject, fx.Apply, fx.ReadEvents]
    assert bench.of(fx.Reject)[0].event is wrong
    bench.give(arrived(event("ADDED", "p", 501, kind="Pod")))
    assert bench.version == "102"
    assert isinstance(bench.machine.state, at.Watching)
    assert bench.machine.state.events == 2


def test_rf33_the_same_kind_of_another_group_is_skipped() -> None:
    bench = Bench().to_watching()
    bench.give(arrived(event("ADDED", "b", 500, api_version="example.com/v1")))
    assert bench.of(fx.Reject) and bench.version == "100"


def test_rf20_table_events_are_skipped_even_without_a_type_filter() -> None:
    bench = Bench(event_filter=EventFilter()).to_watching()
    bench.give(arrived(event("ADDED", "t", 500, kind="Table", api_version="meta.k8s.io/v1")))
    assert bench.of(fx.Reject) and bench.version == "100"
    bench.give(arrived(event("ADDED", "t", 501, kind="Table", api_version="example.com/v1")))
    assert bench.of(fx.Apply) and bench.version == "501"


def test_rf35_a_bookmark_moves_the_version_counts_and_changes_no_object() -> None:
    bench = Bench().to_watching()
    bench.give(arrived(bookmark(120)))
    assert not bench.of(fx.Apply)
    assert bench.of(fx.ApplyBookmark)
    assert bench.version == "120"
    assert isinstance(bench.give(fx.StreamEnded()), fx.OpenWatch), "it counted: no very short watch"


def test_rf36_an_event_of_unknown_type_counts_and_moves_the_version() -> None:
    bench = Bench().to_watching()
    bench.give(arrived(event("PATCHED", "a", 130)))
    [rejected] = bench.of(fx.Reject)
    assert rejected.counted
    assert bench.version == "130"


@pytest.mark.parametrize("opened_at", ["", "0"])
def test_rf29_synthetic_adds_do_not_move_the_version_and_the_first_other_event_does(opened_at: str) -> None:
    bench = Bench().to_watching(opened_at)
    bench.give(arrived(event("ADDED", "b", 105)))
    assert bench.of(fx.Apply)[0].moves_version is False
    assert bench.version == opened_at
    bench.give(arrived(event("ADDED", "c", 104), event("MODIFIED", "b", 106), event("ADDED", "d", 107)))
    assert [(len(apply.events), apply.moves_version) for apply in bench.of(fx.Apply)] == [
        (1, False),
        (2, True),
    ]
    assert bench.version == "107"


def test_events_after_an_error_in_one_batch_are_not_applied() -> None:
    bench = Bench().to_watching()
    bench.give(
        arrived(
            event("MODIFIED", "a", 101), WatchEvent("ERROR", None, expired()), event("MODIFIED", "a", 102)
        )
    )
    assert [len(apply.events) for apply in bench.of(fx.Apply)] == [1]
    assert bench.version == "101"


# watch: ends -------------------------------------------------------------------------------------------


def test_rf30_x4_clean_close_rewatches_without_backoff_from_the_last_version() -> None:
    bench = Bench().to_watching()
    bench.give(arrived(event("MODIFIED", "a", 101)))
    request = bench.give(fx.StreamEnded(), 0.2)
    assert isinstance(request, fx.OpenWatch)
    assert request.options.resource_version == "101"
    assert not bench.of(fx.ReportError)
    assert not bench.of(fx.StopResync)
    closed = bench.last_told("watch.close")
    assert (closed["reason"], closed["next"], closed["events"]) == ("eof", "rewatch", 1)


def test_rf38_a_watch_without_event_is_very_short_within_a_second_only() -> None:
    bench = Bench().to_watching()
    assert isinstance(bench.give(fx.StreamEnded(), 0.999), fx.Sleep)
    [report] = bench.of(fx.ReportError)
    assert isinstance(report.error, VeryShortWatchError)
    assert not report.to_handler
    assert bench.last_told("watch.close")["reason"] == "very_short"
    assert isinstance(Bench().to_watching().give(fx.StreamEnded(), 1.0), fx.OpenWatch)


def test_rf27_the_clock_of_a_watch_starts_before_its_request() -> None:
    bench = Bench()
    after(bench, fx.Start(), fx.PageArrived(page(100)), fx.Replaced())
    bench.give(fx.WatchOpened(), 10.0)
    assert isinstance(bench.give(fx.StreamEnded()), fx.OpenWatch), (
        "ten seconds of repeats below: not very short"
    )


@pytest.mark.parametrize(
    "error",
    [
        expired(),
        ApiStatusError(410, "Gone"),
        INTERNAL,
        ApiStatusError(403, "Forbidden"),
        ApiStatusError(504, "Timeout"),
    ],
)
def test_rf31_other_stream_errors_lead_to_a_relist_and_never_reach_the_handler(
    error: ApiStatusError,
) -> None:
    bench = Bench().to_watching()
    assert isinstance(bench.give(error_arrived(error)), fx.Sleep)
    assert [report.to_handler for report in bench.of(fx.ReportError)] == [False]
    assert bench.of(fx.CloseStream) and bench.of(fx.StopResync)
    assert bench.last_told("reflector.session_end")["outcome"] == "nil"
    assert isinstance(bench.give(fx.TimerFired()), fx.SendList)


def test_rf31_429_in_the_stream_backs_off_and_watches_again_without_list() -> None:
    bench = Bench().to_watching()
    assert isinstance(bench.give(error_arrived(TOO_MANY)), fx.Sleep)
    assert not bench.of(fx.StopResync)
    assert bench.last_told("watch.close")["next"] == "backoff+rewatch"
    assert isinstance(bench.give(fx.TimerFired()), fx.OpenWatch)


def test_rf32_internal_errors_are_rewatched_within_the_budget_only() -> None:
    bench = Bench(max_internal_error_retry_s=30.0).to_watching()
    rewatches = 0
    while isinstance(bench.give(error_arrived(INTERNAL), 1.0), fx.OpenWatch):
        rewatches += 1
        bench.give(fx.WatchOpened())
    assert rewatches == 31


def test_rf43_a_failed_resync_closes_the_watch_and_leads_to_a_relist() -> None:
    bench = Bench().to_watching()
    assert isinstance(bench.give(fx.ResyncFailed(ValueError("boom"))), fx.Sleep)
    assert bench.of(fx.CloseStream) and bench.of(fx.StopResync)
    assert [report.to_handler for report in bench.of(fx.ReportError)] == [False]
    assert bench.last_told("reflector.session_end")["outcome"] == "nil"


def test_rf41_the_resync_timer_starts_after_the_replace_and_not_at_a_rewatch() -> None:
    bench = Bench()
    after(bench, fx.Start(), fx.PageArrived(page(100)))
    assert not bench.of(fx.StartResync)
    bench.give(fx.Replaced())
    assert bench.of(fx.StartResync) == [fx.StartResync(1)]
    bench.give(fx.WatchOpened())
    bench.give(fx.StreamEnded(), 2.0)
    assert not bench.of(fx.StartResync) and not bench.of(fx.StopResync)
