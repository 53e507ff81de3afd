"""The streaming full state, after client-go's reflector_watchlist_test.go (RF-4, RF-9, RF-12, RF-21 to
RF-26)."""

from __future__ import annotations

from typing import Any

import pytest

from kdash.informer import reflector_effects as fx
from kdash.informer import reflector_states as at
from kdash.informer.errors import ApiStatusError, ConnectionRefused, TransportError
from kdash.informer.list_watch import ListOptions, WatchEvent
from kdash.informer.objects import KubeObject
from tests.informer.fake_source import KIND, FakeSource, bookmark, expired, make_object, too_large
from tests.informer.machine_bench import Bench, arrived
from tests.informer.reflector_doubles import (
    INTERNAL,
    TOO_MANY,
    WAIT_S,
    Live,
    RecordingStore,
    Run,
    ScriptedStream,
    error_event,
    event,
    page,
)


def snapshot(version: int = 100, *names: str) -> ScriptedStream:
    """Initial events, the end bookmark, and a stream that then stays for a while."""
    return ScriptedStream([*[event("ADDED", name, 1) for name in names], bookmark(version, end=True)])


def streaming(watches: list[Any], lists: list[Any] | None = None, **settings: Any) -> Run:
    return Run(lists or [], watches, use_watch_list=True, **settings)


# whether to stream: RF-4 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "unsupported", "expected"),
    [(True, False, "WATCHLIST"), (True, True, "LIST"), (False, False, "LIST"), (False, True, "LIST")],
)
def test_rf4_new_reflector_with_disablement_watch_list(gate: bool, unsupported: bool, expected: str) -> None:
    run = Run([page(1)], [snapshot()], go=False)
    run.server.is_watch_list_semantics_unsupported = lambda: unsupported  # type: ignore[attr-defined]
    reflector = type(run.reflector)(run.server, run.store, name="t", use_watch_list=gate, clock=run.clock)
    run.server.reflector = reflector
    reflector.run()
    assert run.server.verbs[0] == expected


# the snapshot ------------------------------------------------------------------------------------------


def test_rf21_watch_list_request_parameters() -> None:
    run = streaming([snapshot()])
    options = run.server.watch_options[0]
    assert options == ListOptions(
        resource_version="", resource_version_match="NotOlderThan", send_initial_events=True,
        allow_watch_bookmarks=True, timeout_seconds=options.timeout_seconds,
    )  # fmt: skip
    assert options.timeout_seconds is not None and 300 <= options.timeout_seconds <= 600


def test_watch_list_without_end_bookmark_nothing_is_stored_or_synced() -> None:
    before: list[Any] = []
    run = streaming([], go=False)
    run.server._watches.append(
        ScriptedStream(
            event("ADDED", "a", 1), bookmark(50),
            lambda: before.append((list(run.store.calls), run.reflector.last_sync_resource_version())),
            run.reflector.stop,
        )
    )  # fmt: skip
    run.reflector.run()
    assert before == [([], "")]
    assert run.store.calls == []


def test_watch_list_the_end_bookmark_completes_it_in_one_replace_and_the_stream_goes_on() -> None:
    stream = ScriptedStream(
        [
            event("ADDED", "a", 1),
            event("ADDED", "b", 2),
            bookmark(100, end=True),
            event("MODIFIED", "a", 101),
        ],
        event("DELETED", "b", 102),
    )
    run = streaming([stream])
    assert run.store.calls == [
        ("replace", ("default/a", "default/b"), "100"), ("update", "default/a", "101"),
        ("delete", "default/b", "102"),
    ]  # fmt: skip
    assert run.server.list_options == []
    [first, *_] = run.records("watch.open")
    assert (first["reused_from_watchlist"], first["rv"]) == (True, "100")


def test_watch_list_updates_and_deletes_before_the_bookmark_shape_the_snapshot_only() -> None:
    stream = ScriptedStream(
        [event("ADDED", "a", 1), event("ADDED", "b", 2)],
        [event("MODIFIED", "a", 50), event("DELETED", "b", 51), event("ADDED", "c", 52), bookmark(60)],
        [bookmark(100, end=True)],
    )
    run = streaming([stream])
    assert run.store.calls == [("replace", ("default/a", "default/c"), "100")]
    assert run.store.contents() == {"default/a": "50", "default/c": "52"}


def test_watch_list_only_an_exact_annotation_ends_it() -> None:
    """The flag of the event is set for the annotation's value "true" alone; a plain bookmark goes on."""
    bench = Bench(watch_list=True).to_watch_listing()
    assert isinstance(bench.give(arrived(bookmark(7))), fx.ReadEvents)
    assert isinstance(bench.machine.state, at.WatchListing)
    assert isinstance(bench.give(arrived(bookmark(8, end=True))), fx.Replace)


def test_watch_list_resource_version_is_the_last_event_s_that_was_no_add() -> None:
    bench = Bench(watch_list=True).to_watch_listing()
    bench.give(arrived(event("ADDED", "a", 700)))
    assert isinstance(bench.machine.state, at.WatchListing)
    assert (bench.machine.state.resource_version, bench.version) == ("", "")
    request = bench.give(arrived(bookmark(2, end=True)))
    assert isinstance(request, fx.Replace)
    assert request.resource_version == "2"
    assert bench.version == "", "only the replace moves it"
    bench.give(fx.Replaced())
    assert bench.version == "2"


def test_watch_list_wrong_types_are_skipped_in_the_snapshot() -> None:
    run = streaming(
        [
            ScriptedStream(
                [event("ADDED", "p", 1, kind="Pod"), event("ADDED", "a", 2), bookmark(9, end=True)]
            )
        ]
    )
    assert run.store.calls == [("replace", ("default/a",), "9")]


def test_rf22_reflector_respect_store_transformer_twice_for_the_snapshot() -> None:
    transformed: list[str] = []

    def transform(obj: KubeObject) -> KubeObject:
        transformed.append(obj.name)
        return make_object(obj.name, f"{obj.resource_version}0")

    class TransformingStore(RecordingStore):
        def add(self, obj: KubeObject, cause: int = 0) -> None:
            super().add(transform(obj))

        def replace(self, objects: Any, resource_version: str, cause: int = 0) -> None:
            super().replace([transform(obj) for obj in objects], resource_version)

    stream = ScriptedStream(
        [event("ADDED", "a", 1), event("ADDED", "b", 2), bookmark(9, end=True)], event("ADDED", "c", 10)
    )
    run = streaming([stream], transform=transform, store=TransformingStore())
    assert sorted(transformed) == ["a", "a", "b", "b", "c"]
    assert run.store.contents() == {"default/a": "100", "default/b": "200", "default/c": "100"}


# what goes wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ApiStatusError(422, "Invalid", "no"),
        ApiStatusError(400, "BadRequest"),
        INTERNAL,
        TransportError("TLS"),
    ],
)
def test_watch_list_any_other_error_falls_back_to_a_list_at_once_and_silently(error: Exception) -> None:
    run = streaming([error, ScriptedStream(event("ADDED", "b", 101))], [page(100, "a")])
    assert run.server.verbs[:3] == ["WATCHLIST", "LIST", "WATCH"]
    assert (run.server.list_options[0].resource_version, run.server.list_options[0].limit) == ("0", 500)
    assert run.errors == [] and run.clock.slept == []
    assert run.store.contents() == {"default/a": "1", "default/b": "101"}
    assert run.records("watchlist.fallback")


def test_watch_list_an_error_in_the_stream_falls_back_to_a_list() -> None:
    stream = ScriptedStream([event("ADDED", "zz", 1), error_event(INTERNAL)])
    run = streaming([stream], [page(100, "a")])
    assert run.server.verbs[:3] == ["WATCHLIST", "LIST", "WATCH"]
    assert stream.stops == 1
    assert run.store.contents() == {"default/a": "1"}


def test_watch_list_a_failed_replace_falls_back_to_a_list() -> None:
    store = RecordingStore()
    failures = iter([ValueError("first")])

    def fail(operation: str, what: Any) -> None:
        if operation == "replace" and (error := next(failures, None)) is not None:
            raise error

    store.fail = fail
    stream = snapshot(100, "a")
    run = streaming([stream], [page(101, "a", "b")], store=store)
    assert run.server.verbs[:2] == ["WATCHLIST", "LIST"]
    assert stream.stops == 1
    assert store.calls == [("replace", ("default/a", "default/b"), "101")]


@pytest.mark.parametrize("error", [TOO_MANY, ConnectionRefused("refused")])
def test_watch_list_429_or_refused_backs_off_and_streams_again(error: Exception) -> None:
    run = streaming([error, error, snapshot(100, "a")])
    assert run.server.verbs[:3] == ["WATCHLIST"] * 3
    sleeps = [record for record in run.records("backoff.sleep") if record["site"] == "watchlist"]
    assert [sleep["step"] for sleep in sleeps] == [1, 2]
    assert run.server.list_options == [] and run.errors == []


def test_watch_list_429_in_the_stream_backs_off_and_streams_again() -> None:
    run = streaming([ScriptedStream([event("ADDED", "old", 1), error_event(TOO_MANY)]), snapshot(100, "a")])
    assert run.server.verbs[:2] == ["WATCHLIST"] * 2
    assert run.records("backoff.sleep")[0]["site"] == "watchlist"
    assert run.store.calls == [("replace", ("default/a",), "100")]


@pytest.mark.parametrize("error", [expired(), too_large()])
def test_rf24_watch_list_refused_version_is_asked_again_at_once_without_it(error: ApiStatusError) -> None:
    first = ScriptedStream([event("ADDED", "a", 1), bookmark(100, end=True)], error_event(expired()))
    run = streaming([first, error, snapshot(200, "a")])
    assert run.server.verbs[:3] == ["WATCHLIST"] * 3
    assert [options.resource_version for options in run.server.watch_options[:3]] == ["", "100", ""]
    assert len(run.records("backoff.sleep")) == 1 + 1, (
        "one before the relist, one after the last very short watch"
    )
    assert not run.reflector._machine.version.unavailable


def test_rf24_watch_list_expired_for_ever_is_no_hot_loop() -> None:
    run = streaming([expired() for _ in range(60)])
    paced = [record for record in run.records("backoff.sleep") if record["site"] == "pacing"]
    assert len(paced) >= 45
    assert sum(run.clock.slept) >= 45 * 0.5


def test_rf25_watch_list_closed_early_starts_over_with_an_empty_snapshot() -> None:
    stream = ScriptedStream([event("ADDED", "a", 1), event("ADDED", "old", 2)])
    run = streaming([stream, snapshot(100, "a")])
    assert run.server.verbs[:2] == ["WATCHLIST"] * 2
    assert run.store.calls == [("replace", ("default/a",), "100")]
    assert run.records("watchlist.retry")[0]["reason"] == "eof"
    assert not [record for record in run.records("backoff.sleep") if record["site"] != "outer"]


def test_rf25_watch_list_closed_at_once_without_event_falls_back_to_a_list() -> None:
    run = streaming([ScriptedStream()], [page(100, "a")])
    assert run.server.verbs[:2] == ["WATCHLIST", "LIST"]


def test_rf23_after_the_hand_over_clock_and_count_start_again() -> None:
    """Closed within a second after the end bookmark without a new event: very short, streaming relist."""
    bench = Bench(watch_list=True).to_watch_listing()
    bench.give(arrived(event("ADDED", "a", 1), bookmark(100, end=True)), 5.0)
    bench.give(fx.Replaced())
    assert isinstance(bench.give(fx.StreamEnded(), 0.5), fx.Sleep)
    request = bench.give(fx.TimerFired())
    assert isinstance(request, fx.OpenWatch)
    assert request.options.send_initial_events
    assert request.options.resource_version == "100"


def test_watch_list_closed_a_second_after_the_sync_is_followed_by_a_plain_watch() -> None:
    bench = Bench(watch_list=True).to_watch_listing()
    bench.give(arrived(event("ADDED", "a", 1), bookmark(3, end=True)))
    bench.give(fx.Replaced())
    request = bench.give(fx.StreamEnded(), 1.3)
    assert isinstance(request, fx.OpenWatch)
    assert (request.options.resource_version, request.options.send_initial_events) == ("3", False)


def test_watch_list_an_expired_rewatch_reaches_the_handler() -> None:
    stream = ScriptedStream([event("ADDED", "a", 1), bookmark(3, end=True)], event("MODIFIED", "a", 4))
    run = streaming([stream, expired("gone while opening")])
    assert run.server.verbs[:2] == ["WATCHLIST", "WATCH"]
    assert [str(error) for error in run.errors] == ["gone while opening"]


def test_rf9_the_next_session_tries_streaming_first_again() -> None:
    run = streaming(
        [
            ApiStatusError(400, "BadRequest"),
            ScriptedStream(event("MODIFIED", "a", 110), error_event(expired())),
            snapshot(200, "a", "b"),
        ],
        [page(100, "a")],
    )  # fmt: skip
    assert run.server.verbs[:4] == ["WATCHLIST", "LIST", "WATCH", "WATCHLIST"]
    assert run.server.watch_options[2].resource_version == "110"


def test_wl_fallback_list_fails_reaches_the_handler_and_backs_off() -> None:
    run = streaming([ApiStatusError(400, "BadRequest"), snapshot(100, "a")], [INTERNAL])
    assert run.server.verbs[:3] == ["WATCHLIST", "LIST", "WATCHLIST"]
    assert run.errors[0] is INTERNAL
    assert run.records("backoff.sleep")[0]["step"] == 1


def test_watch_list_is_told_to_the_tap() -> None:
    run = streaming(
        [ScriptedStream([event("ADDED", "a", 1)], [event("DELETED", "a", 2), bookmark(9, end=True)])]
    )
    progress = [(r["added"], r["deleted"], r["temp_size"]) for r in run.records("watchlist.progress")]
    assert progress == [(1, 0, 1), (1, 1, 0)]
    [done] = run.records("watchlist.bookmark")
    assert (done["rv"], done["items"]) == ("9", 0)
    assert run.records("watchlist.start")[0]["rv"] == ""


# with the fake source ----------------------------------------------------------------------------------


def test_watch_list_end_to_end_with_a_source() -> None:
    with Live(use_watch_list=True) as live:
        live.source.add("b")
        live.until(lambda: len(live.store.objects) == 2)
        assert live.source.verbs() == ["WATCHLIST"]


def test_watch_list_falls_back_with_a_source_that_has_none() -> None:
    source, store = FakeSource(watch_list=False), RecordingStore()
    source.add("a")
    run = Run([], [], go=False)
    reflector = type(run.reflector)(source, store, name="t", use_watch_list=True)
    reflector.start()
    assert source.wait_for_watch(WAIT_S)
    assert source.verbs() == ["WATCHLIST", "LIST", "WATCH"]
    reflector.stop()
    assert reflector.join(WAIT_S)


def test_stop_ends_a_watch_list_that_never_completes() -> None:
    live = Live(use_watch_list=True)
    live.source._first_events = lambda options: [event("ADDED", "a", 1)]  # type: ignore[method-assign]
    live.reflector.start()
    assert live.source.wait_for_watch(WAIT_S)
    assert not live.reflector.force_relist(), "the full state is being fetched already"
    live.reflector.stop()
    assert live.reflector.join(1.0)
    assert live.store.calls == []


def test_an_error_event_without_status_is_an_internal_error() -> None:
    bench = Bench(watch_list=True).to_watch_listing()
    bench.give(arrived(WatchEvent("ERROR", None)))
    [report] = bench.of(fx.ReportError)
    assert report.error.code == 500


# the end bookmark that never comes: RF-26, users 46 ------------------------------------------------------


def test_rf26_initial_events_end_bookmark_ticker_leads_to_a_list_after_the_patience() -> None:
    bench = Bench(watch_list=True).to_watch_listing()
    assert bench.of(fx.AwaitEndBookmark) == [fx.AwaitEndBookmark(10.0, 60.0, 0)]
    bench.give(arrived(event("ADDED", "a", 1)))
    assert bench.of(fx.AwaitEndBookmark), "a further initial object starts the patience anew"
    bench.give(arrived(event("MODIFIED", "a", 2), bookmark(50)))
    assert not bench.of(fx.AwaitEndBookmark), "changes and other bookmarks do not"
    request = bench.give(fx.EndBookmarkMissing(), 60.0)
    assert isinstance(request, fx.SendList)
    assert bench.of(fx.CloseStream)
    assert "no end of the initial events after 1 objects" in bench.last_told("watchlist.fallback")["error"]


def test_an_end_marker_of_another_kind_leads_to_a_list_at_once() -> None:
    bench = Bench(watch_list=True).to_watch_listing()
    end = bookmark(100, end=True)
    assert end.object is not None
    other = KubeObject.from_bytes(end.object.to_json().replace(KIND.encode(), b"PartialObjectMetadata"))
    request = bench.give(arrived(event("ADDED", "a", 1), end._replace(object=other)))
    assert isinstance(request, fx.SendList)
    assert "expected" in bench.last_told("watchlist.fallback")["error"]


def test_rf26_the_alarm_of_a_watch_list_that_ended_well_changes_nothing() -> None:
    bench = Bench(watch_list=True).to_watch_listing()
    bench.give(arrived(event("ADDED", "a", 1), bookmark(100, end=True)))
    bench.give(fx.Replaced())
    assert not bench.machine.accepts(fx.EndBookmarkMissing())


def tell_again(live: Live, told: int) -> None:
    """Let ten seconds pass, once the alarm is set that follows so many records."""
    live.until(lambda: len(live.records("watchlist.waiting")) == told and live.clock.waiting() == 1)
    live.clock.advance(10.0)


def test_a_watch_list_without_its_end_is_told_after_ten_seconds_and_every_ten_more() -> None:
    class Endless(FakeSource):
        def _first_events(self, options: ListOptions) -> list[WatchEvent]:
            return [each for each in super()._first_events(options) if not each.initial_events_end]

    with Live(source=Endless(), use_watch_list=True, sync_patience_s=0.0) as live:
        for told in range(12):
            tell_again(live, told)
        live.until(lambda: len(live.records("watchlist.waiting")) == 12)
        waits = live.records("watchlist.waiting")
        assert [each["silent_s"] for each in waits] == [10.0 * n for n in range(1, 13)]
        assert {each["objects"] for each in waits} == {1}
        assert live.source.verbs() == ["WATCHLIST"], "patience 0: never given up, as client-go"


def test_rf26_the_driver_leaves_a_silent_watch_list_and_lists() -> None:
    class Endless(FakeSource):
        """Sends the objects and never the end of them."""

        def _first_events(self, options: ListOptions) -> list[WatchEvent]:
            return [each for each in super()._first_events(options) if not each.initial_events_end]

    with Live(source=Endless(), use_watch_list=True) as live:
        for told in range(6):
            assert not live.store.calls
            tell_again(live, told)
        live.until(lambda: bool(live.store.calls))
        assert live.store.calls[0][:2] == ("replace", ("default/a",))
        assert live.source.verbs()[:2] == ["WATCHLIST", "LIST"]
