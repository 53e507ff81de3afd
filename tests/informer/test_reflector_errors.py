"""Errors and delays of the reflector, and what it tells of them: RF-5, RF-34, RF-46, X3 to X5, X10."""

from __future__ import annotations

from typing import Any

import pytest

from kdash.informer.backoff import Backoff
from kdash.informer.clock import new_random
from kdash.informer.errors import ApiStatusError, ConnectionRefused
from kdash.informer.reflector import Reflector
from kdash.informer.tap import FIELDS, RingTap
from tests.informer.fake_source import (
    FakeSource,
    bookmark,
    expired,
)
from tests.informer.reflector_doubles import (
    INTERNAL,
    TOO_MANY,
    WAIT_S,
    JumpingClock,
    Live,
    RecordingStore,
    Run,
    ScriptedServer,
    ScriptedStream,
    error_event,
    event,
    page,
    relisting,
)

# lost events -------------------------------------------------------------------------------------------


def test_x5_rf34_an_event_the_store_refuses_is_lost_until_the_relist() -> None:
    store = RecordingStore()

    def fail(operation: str, what: Any) -> None:
        if operation == "update" and what.resource_version == "2":
            raise ValueError("transform failed")

    store.fail = fail
    after: list[dict[str, str]] = []
    versions: list[str] = []
    run = Run([page(1, "a@1"), page(5, "a@2")], [], go=False, store=store)
    run.server._watches.append(
        ScriptedStream(
            event("MODIFIED", "a", 2),
            lambda: (
                after.append(store.contents()),
                versions.append(run.reflector.last_sync_resource_version()),
            ),
            error_event(expired()),
        )
    )
    run.reflector.run()
    assert after == [{"default/a": "1"}]
    assert versions == ["2"], "the version moves on"
    assert store.contents() == {"default/a": "2"}, "the relist repairs"
    assert run.records("error")[0]["stage"] == "store"
    assert run.errors == []


def test_s2_a_dropped_event_is_repaired_by_a_relist_only() -> None:
    source, store = FakeSource(), RecordingStore()
    source.add("a")
    reflector = Reflector(source, store, name="test", use_watch_list=False)
    reflector.start()
    assert source.wait_for_watch(WAIT_S)
    source.modify("a", drop=True)
    assert store.contents() == {"default/a": "1"}
    count = len(source.verbs())
    assert reflector.force_relist(direct=True)
    assert source.wait_for_requests(count + 2, WAIT_S)
    assert store.contents() == {"default/a": "2"}
    reflector.stop()
    assert reflector.join(WAIT_S)


# the watch-error handler -------------------------------------------------------------------------------


def test_rf46_only_lists_opens_and_replaces_reach_the_handler() -> None:
    lists = [INTERNAL, page(1), page(2), page(3)]
    watches = [
        ScriptedStream(error_event(expired())),  # in stream: silent
        ApiStatusError(403, "Forbidden", "no"),  # at open: told
        TOO_MANY,
        ScriptedStream(error_event(TOO_MANY)),
        ConnectionRefused("refused"),
    ]
    run = Run(lists, watches)
    codes = [error.code for error in run.errors if isinstance(error, ApiStatusError)]
    assert codes == [500, 403]
    told = {(r["stage"], r["http_code"]): r["seen_by_watch_error_handler"] for r in run.records("error")}
    assert told[("list", 500)] is True
    assert told[("watch", 410)] is False
    assert told[("watch-open", 403)] is True
    assert told[("watch-open", 429)] is False
    assert told[("watch", 429)] is False
    assert told[("watch-open", 0)] is False


def test_rf5_the_delay_comes_after_every_session_even_a_clean_one() -> None:
    run = relisting([page(1), page(2), page(3)])
    sleeps = [record for record in run.records("backoff.sleep") if record["site"] == "outer"]
    assert [sleep["step"] for sleep in sleeps[:3]] == [1, 2, 3]
    assert all(sleep["base_s"] <= sleep["jittered_s"] < 2 * sleep["base_s"] for sleep in sleeps)


def test_x4_rf30_clean_close_rewatches_without_backoff_and_without_list() -> None:
    streams = [ScriptedStream(event("MODIFIED", "a", version)) for version in (101, 102, 103)]
    run = Run([page(100, "a")], streams)
    assert run.server.verbs == ["LIST"] + ["WATCH"] * 4
    assert [options.resource_version for options in run.server.watch_options] == [
        "100",
        "101",
        "102",
        "103",
    ]
    assert run.clock.slept == []


def test_x3_rf7_lists_that_always_fail_follow_the_two_minute_grid() -> None:
    run = Run([INTERNAL] * 16, [], backoff=Backoff(jitter=0))
    waits = [record["base_s"] for record in run.records("backoff.sleep")]
    # 0.8 … 25.6 take 50.4 s, then 30 s each: the request at 140.4 s is the first later than 120 s
    assert waits[:11] == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30, 0.8, 1.6])


def test_every_record_of_the_tap_fits_its_fields() -> None:
    run = Run(
        [page(1, "a", token="C"), expired(), page(1, "a", "b"), page(9)],
        [
            ScriptedStream(event("ADDED", "c", 2), bookmark(3), event("ADDED", "x", 4, kind="Pod")),
            ScriptedStream(error_event(expired())),
            TOO_MANY,
            ScriptedStream(),
        ],
    )
    kinds = set()
    for record in run.tap.drain():
        assert len(record) - 5 == len(FIELDS[record[2]]), record
        assert all(isinstance(value, str | int | float | bool | tuple | None) for value in record[5:])
        kinds.add(record[2])
    assert kinds >= {
        "reflector.session_start", "reflector.session_end", "reflector.state", "list.start", "list.page",
        "list.fallback_full", "list.end", "watch.open", "watch.event", "watch.bookmark", "watch.close",
        "backoff.sleep", "backoff.wake", "error",
    }  # fmt: skip


def test_the_tap_s_seq_is_the_cause_of_the_store_call() -> None:
    causes: list[int] = []

    class Store(RecordingStore):
        def add(self, obj: Any, cause: int = 0) -> None:
            causes.append(cause)

    run = Run([page(1)], [ScriptedStream([event("ADDED", "a", 2), event("ADDED", "b", 3)])], store=Store())
    assert causes == [record["seq"] for record in run.records("watch.event")]


def test_x10_the_tap_changes_nothing_of_what_the_store_gets() -> None:
    def calls(tap: RingTap | None) -> list[tuple[Any, ...]]:
        store, clock = RecordingStore(), JumpingClock()
        server = ScriptedServer(
            [page(1, "a"), page(5, "a@4")],
            [ScriptedStream(event("ADDED", "b", 2), bookmark(3)), ScriptedStream(error_event(expired()))],
        )
        reflector = Reflector(
            server, store, name="t", use_watch_list=False, clock=clock, rng=new_random(1), tap=tap
        )
        server.reflector = reflector
        reflector.run()
        return store.calls

    assert calls(None) == calls(RingTap())


def test_reset_watch_leads_to_a_relist() -> None:
    with Live() as live:
        live.source.add("b", drop=True)
        live.clock.advance(2.0)
        live.source.reset_watch()
        live.until(lambda: live.clock.waiting() == 1)
        live.clock.advance(1.6)
        assert live.source.wait_for_requests(5, WAIT_S)
        assert live.source.verbs() == ["LIST", "WATCH", "WATCH", "LIST", "WATCH"]
        assert live.store.contents() == {"default/a": "1", "default/b": "2"}


def test_an_exception_out_of_a_stream_counts_as_an_error_event() -> None:
    def fail() -> None:
        raise ValueError("cannot read")

    run = Run([page(1), page(2)], [ScriptedStream(fail)])
    assert run.records("watch.close")[0]["reason"] == "error:InternalError"
    assert run.server.verbs[:3] == ["LIST", "WATCH", "LIST"]
