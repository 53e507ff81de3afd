"""The reflector as a whole, after client-go's reflector_test.go.

Most tests run it in their own thread against a script and a clock that jumps; those about interruption
and the resync timer use threads, a virtual clock and events.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from kdash.informer.backoff import Backoff
from kdash.informer.errors import ApiStatusError, ConnectionRefused, StatusCause, VeryShortWatchError
from kdash.informer.list_watch import ListOptions, ListPage, WatchEvent
from kdash.informer.reflector import Reflector
from tests.informer.fake_source import (
    FakeSource,
    bookmark,
    expired,
    make_object,
    too_large,
)
from tests.informer.reflector_doubles import (
    INTERNAL,
    TOO_MANY,
    WAIT_S,
    JumpingClock,
    RecordingStore,
    Run,
    ScriptedStream,
    error_event,
    event,
    page,
    relisting,
)

# streams and their ends --------------------------------------------------------------------------------


def test_rf39_close_watch_channel_on_error() -> None:
    stream = ScriptedStream(error_event(INTERNAL))
    Run([page(1)], [stream])
    assert stream.stops == 1


def test_run_until_stop_ends_run_and_closes_the_watcher() -> None:
    source = FakeSource()
    source.add("a")
    reflector = Reflector(source, RecordingStore(), name="test", use_watch_list=False)
    reflector.start()
    assert source.wait_for_watch(WAIT_S)
    [stream] = source._streams
    reflector.stop()
    assert reflector.join(WAIT_S)
    assert stream.stops >= 1


def test_reflector_watch_stopped_before() -> None:
    run = Run([page(1)], [ScriptedStream()], go=False)
    run.reflector.stop()
    run.reflector.run()
    assert run.server.verbs == []
    assert run.errors == []


def test_reflector_watch_stopped_after_the_watch_opened_closes_the_watcher_without_error() -> None:
    stream = ScriptedStream()
    run = Run([page(1)], [lambda: (run_stop(), stream)[1]], go=False)

    def run_stop() -> None:
        run.reflector.stop()

    run.reflector.run()
    assert (stream.stops, stream.reads) == (1, 0)
    assert run.errors == []
    assert run.server.verbs == ["LIST", "WATCH"]


def test_reflector_handle_watch_stopped_before_nothing_is_read() -> None:
    stream = ScriptedStream(event("ADDED", "late", 2))
    run = Run([page(1)], [lambda: (run_stop(), stream)[1]], go=False)

    def run_stop() -> None:
        run.reflector.stop()

    run.reflector.run()
    assert (stream.reads, stream.stops) == (0, 1)
    assert run.store.contents() == {}


def test_rf37_reflector_handle_watch_stopped_after_what_comes_is_left_out() -> None:
    run = Run([page(1)], [], go=False)
    stream = ScriptedStream(run.reflector.stop, event("ADDED", "late", 2))
    run.server._watches.append(stream)
    run.reflector.run()
    assert run.records("watch.close")[-1]["reason"] == "stop"
    assert stream.stops >= 1
    assert ("add", "default/late", "2") not in run.store.calls


def test_rf37_reflector_stop_watch_is_no_error_and_leaves_the_version() -> None:
    run = Run([page(1)], [], go=False)
    run.server._watches.append(ScriptedStream(event("ADDED", "a", 7), run.reflector.stop))
    run.reflector.run()
    assert run.reflector.last_sync_resource_version() == "7"
    assert (run.errors, run.records("error")) == ([], [])
    assert [record["reason"] for record in run.records("watch.close")] == ["stop"]


def test_reflector_handle_watch_result_chan_closed_after_it_was_read_is_a_very_short_watch() -> None:
    stream = ScriptedStream(lambda: None)
    run = Run([page(1)], [stream])
    assert run.records("watch.close")[0]["reason"] == "very_short"
    assert run.server.verbs[:2] == ["LIST", "WATCH"]
    assert stream.stops == 1


def test_reflector_handle_watch_result_chan_closed_before_is_a_very_short_watch() -> None:
    stream = ScriptedStream()
    run = Run([page(1)], [stream])
    assert run.records("watch.close")[0]["reason"] == "very_short"
    error = run.records("error")[0]
    assert error["class"] == VeryShortWatchError.__name__
    assert error["message"].startswith("very short watch: test: Unexpected watch close")
    assert (stream.stops, stream.reads) == (1, 1)
    assert run.errors == []


def test_reflector_watch_handler() -> None:
    """A wrong type is rejected, the others are applied; the last version is the last event's, not the
    largest."""
    batch = [
        event("ADDED", "wrong", 99, kind="Pod"),
        event("DELETED", "foo", 1),
        event("MODIFIED", "bar", 55),
        event("ADDED", "baz", 32),
    ]
    seen = []
    run = Run([page(0, "foo@1", "bar@1")], [], go=False)
    run.server._watches.append(
        ScriptedStream(batch, lambda: seen.append(run.reflector.last_sync_resource_version()))
    )
    run.reflector.run()
    assert run.store.contents() == {"default/bar": "55", "default/baz": "32"}
    assert seen == ["32"]
    rejected = [record for record in run.records("watch.event") if record["rejected_reason"]]
    assert [(record["key"], record["counted"]) for record in rejected] == [("default/wrong", False)]


# list and watch ----------------------------------------------------------------------------------------


def test_reflector_list_and_watch_with_a_list() -> None:
    stream = ScriptedStream(*[event("ADDED", f"o{i}", i) for i in range(2, 10)])
    run = Run([page(1)], [stream])
    assert run.server.list_options == [ListOptions(resource_version="0", limit=500)]
    options = run.server.watch_options[0]
    assert (options.resource_version, options.allow_watch_bookmarks, options.send_initial_events) == (
        "1",
        True,
        False,
    )
    assert list(run.store.contents()) == [f"default/o{i}" for i in range(2, 10)]


def test_reflector_list_and_watch_with_a_watch_list() -> None:
    stream = ScriptedStream([event("ADDED", "a", 1), bookmark(5, end=True)], event("ADDED", "b", 6))
    run = Run([], [stream], use_watch_list=True)
    assert run.server.verbs[:1] == ["WATCHLIST"]
    options = run.server.watch_options[0]
    assert (options.resource_version, options.resource_version_match) == ("", "NotOlderThan")
    assert options.send_initial_events and options.allow_watch_bookmarks
    assert run.server.list_options == []
    assert run.store.contents() == {"default/a": "1", "default/b": "6"}


@pytest.mark.parametrize(
    ("lists", "watches", "errors"),
    [
        ([ApiStatusError(500, "InternalError", "a list error")], [], ["a list error"]),
        ([page(1)], [ApiStatusError(403, "Forbidden", "a watch error")], ["a watch error"]),
        ([page(1, "a")], [ScriptedStream(event("ADDED", "b", 2))], []),
    ],
)
def test_reflector_list_and_watch_with_errors(
    lists: list[Any], watches: list[Any], errors: list[str]
) -> None:
    run = Run(lists, watches)
    assert [str(error) for error in run.errors if "script is over" not in str(error)] == errors


def test_a_handler_that_raises_does_not_end_the_reflector() -> None:
    def fail(error: Exception) -> None:
        raise RuntimeError("handler")

    run = Run([INTERNAL, page(1, "a")], [], watch_error_handler=fail)
    assert run.store.contents() == {"default/a": "1"}


def test_reflector_list_and_watch_init_conn_backoff() -> None:
    """Refused watches back off exponentially, flat at the cap, and give no error."""
    refused = [ConnectionRefused("refused") for _ in range(10)]
    backoff = Backoff(base_s=1, factor=2, jitter=0, cap_s=8)
    run = Run([page(1)], refused, backoff=backoff)
    assert run.clock.slept[:10] == [1, 2, 4, 8, 8, 8, 8, 8, 8, 8]
    assert run.server.verbs.count("LIST") == 1
    assert run.errors == []


def test_backoff_on_too_many_requests_at_open_and_in_the_stream() -> None:
    run = Run(
        [page(1)], [TOO_MANY, ScriptedStream(error_event(TOO_MANY)), ScriptedStream(event("ADDED", "a", 2))]
    )
    sleeps = run.records("backoff.sleep")
    assert [(sleep["site"], sleep["step"]) for sleep in sleeps] == [("watch_open", 1), ("watch_429", 2)]


def test_no_relist_on_too_many_requests() -> None:
    run = Run([page(1)], [TOO_MANY] * 4 + [ScriptedStream(event("ADDED", "a", 2))])
    assert run.server.verbs[:6] == ["LIST"] + ["WATCH"] * 5
    assert run.server.verbs.count("LIST") == 1


@pytest.mark.parametrize(
    ("budget_s", "jump_at", "expected"), [(0.0, None, 0), (30.0, None, 31), (30.0, 9, 40)]
)
def test_retry_internal_error(budget_s: float, jump_at: int | None, expected: int) -> None:
    """Errors a second apart; a clock that jumps by a minute after the ninth begins the window anew."""
    clock, failed = JumpingClock(), 0

    def fail() -> ScriptedStream:
        def step() -> None:
            nonlocal failed
            clock.advance(61.0 if failed == jump_at else 1.0)
            failed += 1

        return ScriptedStream(step, error_event(INTERNAL))

    run = Run([page(1)], [fail] * 60, clock=clock, max_internal_error_retry_s=budget_s)
    closes = [record["next"] for record in run.records("watch.close")]
    assert closes.index("relist") == expected


def test_rf1_watch_timeout_default_and_too_small_ones_are_five_to_ten_minutes() -> None:
    for settings, low, high in (({}, 300, 600), ({"min_watch_timeout_s": 60}, 300, 600),
                                ({"min_watch_timeout_s": 1800}, 1800, 3600)):  # fmt: skip
        run = Run([page(1)], [ScriptedStream(event("ADDED", "a", 2))] * 1 + [TOO_MANY] * 30, **settings)
        timeouts = [options.timeout_seconds or 0 for options in run.server.watch_options]
        assert all(low <= timeout <= high for timeout in timeouts)
        assert len(set(timeouts)) > 10, "drawn anew for every watch"


def test_reflector_resource_version_update_tells_the_store_every_version() -> None:
    class Store(RecordingStore):
        def __init__(self) -> None:
            super().__init__()
            self.versions: list[str] = []

        def update_resource_version(self, version: str) -> None:
            self.versions.append(version)

    store = Store()
    stream = ScriptedStream(
        [event("ADDED", "a", 10), event("MODIFIED", "a", 20), bookmark(30), event("DELETED", "a", 40)]
    )
    Run([page(1)], [stream], store=store)
    assert store.versions == ["1", "10", "20", "30", "40"]


def test_rf35_bookmarks_reach_a_store_that_listens() -> None:
    run = Run([page(1)], [ScriptedStream(bookmark(30))])
    assert ("bookmark", "30") in run.store.calls
    assert run.records("watch.bookmark")[0]["rv"] == "30"


# versions and pages ------------------------------------------------------------------------------------


def test_reflector_watch_list_page_size_is_honoured_at_a_version_too() -> None:
    run = Run(
        [page(10, "a", "b", token="C1"), page(10, "c", token="C2"), page(10, "d"), page(10)],
        [lambda: ScriptedStream(error_event(expired()))], page_size=4,
    )  # fmt: skip
    assert [options.limit for options in run.server.list_options[:4]] == [4, 4, 4, 4]
    assert [options.continue_token for options in run.server.list_options[:4]] == ["", "C1", "C2", ""]
    assert ("replace", ("default/a", "default/b", "default/c", "default/d"), "10") in run.store.calls


def test_reflector_not_paginating_not_consistent_reads() -> None:
    run = relisting([page(10, "a"), page(11, "a")])
    assert [(o.resource_version, o.limit) for o in run.server.list_options[:2]] == [("0", 500), ("10", 0)]


def test_reflector_paginating_non_consistent_reads_if_watch_cache_disabled() -> None:
    run = relisting([page(10, "a", token="C"), page(10, "b"), page(11, "a", "b")])
    assert [(o.resource_version, o.limit) for o in run.server.list_options[:3]] == [
        ("0", 500),
        ("", 500),
        ("10", 500),
    ]


def test_reflector_resync_with_resource_version() -> None:
    assert relisting([page(10, "a"), page(11)]).server.list_versions()[:2] == ["0", "10"]


def test_reflector_expired_exact_resource_version() -> None:
    run = relisting([page(10, "a"), expired(), page(11, "b")])
    assert run.server.list_versions()[:3] == ["0", "10", ""]
    assert run.store.contents() == {"default/b": "1"}
    assert [error for error in run.errors if getattr(error, "code", 0) == 410] == []


def test_reflector_full_list_if_expired() -> None:
    run = relisting(
        [page(10, "a"), page(10, "a", token="C1"), expired(), page(10, "a", "b", "c")], page_size=4
    )
    options = [(o.resource_version, o.limit) for o in run.server.list_options[:4]]
    assert options == [("0", 4), ("10", 4), ("", 4), ("10", 0)]
    assert list(run.store.contents()) == ["default/a", "default/b", "default/c"]


def test_reflector_full_list_if_too_large() -> None:
    text = "Too large resource version"
    forms = [
        too_large(),
        ApiStatusError(504, "Timeout", text),
        ApiStatusError(504, "Timeout", "x", (StatusCause("", text),)),
    ]
    lists: list[Any] = [page(20)]
    for form, version in zip(forms, (30, 40, 50), strict=True):
        lists += [form, page(version)]
    run = relisting(lists)
    assert run.server.list_versions()[:7] == ["0", "20", "", "30", "", "40", ""]


def test_reflector_replaces_store_on_unsafe_delete() -> None:
    """An in-stream StoreReadError leads to a relist, which takes away what has vanished and keeps the
    rest."""
    corrupt = ApiStatusError(500, "StoreReadError", "corrupt objects were deleted")
    run = Run([page(1, "a", "b", "c"), page(9, "a", "c")], [ScriptedStream(error_event(corrupt))])
    assert list(run.store.contents()) == ["default/a", "default/c"]
    assert run.server.list_versions()[:2] == ["0", "1"]


def test_a_page_is_not_kept_alive() -> None:
    run = Run([], [], go=False)
    kept: list[weakref.ref[ListPage]] = []

    class Page(ListPage):
        __slots__ = ("__weakref__",)

    def answer() -> ListPage:
        first = Page([make_object("a")], "1", "C")
        kept.append(weakref.ref(first))
        return first

    alive: list[bool] = []
    run.server._lists += [answer, page(1, "b")]
    run.server._watches.append(
        ScriptedStream(lambda: (gc.collect(), alive.append(kept[0]() is not None)), event("ADDED", "c", 2))
    )
    run.reflector.run()
    assert alive == [False]


def test_a_batch_is_not_kept_alive_while_the_next_one_is_awaited() -> None:
    class Batch(list[WatchEvent]):
        pass

    kept: list[weakref.ref[Batch]] = []

    class Stream(ScriptedStream):
        def next_batch(self) -> Any:
            if not kept:
                batch = Batch([event("ADDED", "a", 2)])
                kept.append(weakref.ref(batch))
                return batch
            gc.collect()
            alive.append(kept[0]() is not None)
            return []

    alive: list[bool] = []
    Run([page(1)], [Stream()])
    assert alive == [False]


def test_stop_in_the_middle_of_a_batch_leaves_the_rest_out() -> None:
    run = Run([page(1)], [ScriptedStream([event("ADDED", "a", 2), event("ADDED", "b", 3)])], go=False)

    def stop_at_the_first(operation: str, what: Any) -> None:
        if operation == "add":
            run.reflector.stop()

    run.store.fail = stop_at_the_first
    run.reflector.run()
    assert list(run.store.objects) == ["default/a"]
