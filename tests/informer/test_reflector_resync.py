"""The resync timer of the reflector: RF-40 to RF-44, X1 and X6."""

from __future__ import annotations

import threading

import pytest

from tests.informer.fake_source import (
    expired,
)
from tests.informer.reflector_doubles import (
    TOO_MANY,
    WAIT_S,
    Live,
)

# resync ------------------------------------------------------------------------------------------------


def test_reflector_resync_chan_the_timer_fires_after_its_period() -> None:
    with Live(resync_period_s=10.0) as live:
        live.settle()
        live.clock.advance(9.9)
        live.settle()
        assert not live.resyncs.acquire(blocking=False)
        live.clock.advance(0.2)
        assert live.resyncs.acquire(timeout=WAIT_S)


def test_x1_resyncs_make_no_request() -> None:
    with Live(resync_period_s=1.0) as live:
        requests = len(live.source.requests)
        for _ in range(5):
            live.settle()
            live.clock.advance(1.0)
            assert live.resyncs.acquire(timeout=WAIT_S)
        assert len(live.source.requests) == requests


def test_rf40_without_period_there_is_no_timer() -> None:
    with Live() as live:
        assert live.reflector.resync_due_at is None
        assert not any(thread.name == "kdash-resync-live" for thread in threading.enumerate())


def test_rf42_should_resync_false_only_rearms() -> None:
    asked: list[float] = []
    event_ = threading.Event()

    def should(lateness_s: float) -> bool:
        asked.append(lateness_s)
        event_.set()
        return False

    with Live(resync_period_s=1.0, should_resync=should) as live:
        for _ in range(2):
            live.settle()
            event_.clear()
            live.clock.advance(1.25)
            assert event_.wait(WAIT_S)
        live.settle()
        assert asked == pytest.approx([0.25, 0.25])
        assert live.store.calls == [("replace", ("default/a",), "1")]


def test_x6_rf41_the_timer_is_rearmed_after_the_work_so_a_slow_store_makes_it_drift() -> None:
    with Live(resync_period_s=10.0) as live:
        live.on_resync = lambda tick: live.clock.advance(3.0)
        live.settle()
        start = live.clock.monotonic()
        live.clock.advance(10.0)
        assert live.resyncs.acquire(timeout=WAIT_S)
        live.settle()
        assert live.reflector.resync_due_at == pytest.approx(start + 10 + 3 + 10)


def test_rf44_a_rewatch_leaves_the_timer_alone_and_a_relist_starts_it_from_zero() -> None:
    with Live(resync_period_s=10.0) as live:
        live.settle()
        due = live.reflector.resync_due_at
        live.clock.advance(4.0)
        live.settle()
        assert live.reflector.rewatch()
        assert live.source.wait_for_requests(3, WAIT_S)
        assert live.reflector.resync_due_at == due
        live.until(lambda: live.reflector.force_relist(direct=True))
        assert live.source.wait_for_requests(5, WAIT_S)
        assert live.reflector.resync_due_at == live.clock.monotonic() + 10.0


def test_rf44_no_timer_in_the_outer_backoff() -> None:
    with Live(resync_period_s=1.0) as live:
        live.settle()
        live.source.send_error(expired())
        live.until(lambda: live.reflector.resync_due_at is None)
        live.until(lambda: live.clock.waiting() == 2)
        assert live.records("resync.timer_stopped")
        live.clock.advance(1.6)
        assert live.source.wait_for_requests(4, WAIT_S)
        assert not live.resyncs.acquire(blocking=False)


def test_rf44_ticks_go_on_while_a_refused_watch_backs_off() -> None:
    with Live(resync_period_s=0.5) as live:
        live.settle()
        live.source.fail_watches(TOO_MANY)
        live.clock.advance(0.1)
        live.source.send_error(TOO_MANY)
        live.until(lambda: live.clock.waiting() == 2)
        live.clock.advance(0.5)
        assert live.resyncs.acquire(timeout=WAIT_S)


def test_reflector_resync_second_failure_ends_the_session_after_exactly_two() -> None:
    errors: list[Exception] = []
    with Live(resync_period_s=1.0, watch_error_handler=errors.append) as live:

        def fail(tick: int) -> None:
            if tick == 2:
                raise ValueError("resync failed")

        live.on_resync = fail
        for _ in range(2):
            live.settle()
            live.clock.advance(1.0)
            assert live.resyncs.acquire(timeout=WAIT_S)
        live.until(lambda: bool(live.records("reflector.session_end")))
        assert live.records("reflector.session_end")[0]["outcome"] == "nil"
        assert live.records("watch.close")[0]["reason"] == "resync_error"
        assert len(live.records("resync.tick")) == 2
    assert errors == []


def test_rf43_a_resync_that_fails_while_the_watch_opens_ends_the_session_once_it_reads() -> None:
    with Live(resync_period_s=1.0) as live:
        live.settle()
        release = live.source.hold()
        assert live.reflector.rewatch()
        assert live.source.wait_for_requests(3, WAIT_S)
        live.on_resync = _fail_resync
        live.clock.advance(1.0)
        assert live.resyncs.acquire(timeout=WAIT_S)
        live.until(lambda: live.reflector._resync_error is not None)
        assert not live.records("reflector.session_end")
        release()
        live.until(lambda: bool(live.records("reflector.session_end")))
        assert live.records("watch.close")[-1]["reason"] == "resync_error"


def test_rf43_a_failed_resync_of_one_session_does_not_end_the_next() -> None:
    with Live(resync_period_s=0.5) as live:
        live.settle()
        live.source.send_error(TOO_MANY)
        live.until(lambda: live.clock.waiting() == 2)
        live.on_resync = _fail_resync
        live.clock.advance(0.5)
        assert live.resyncs.acquire(timeout=WAIT_S)
        live.until(lambda: live.reflector._resync_error is not None)
        assert live.reflector.force_relist(direct=True)
        assert live.source.wait_for_watch(WAIT_S)
        live.source.add("later")
        live.until(lambda: "default/later" in live.store.objects)
        assert [record["session"] for record in live.records("reflector.session_end")] == [1]


def _fail_resync(tick: int) -> None:
    raise ValueError("resync failed")


def test_rf10_a_session_ends_after_the_tick_that_is_under_way() -> None:
    busy, release = threading.Event(), threading.Event()

    def slow(tick: int) -> None:
        busy.set()
        release.wait(WAIT_S)
        live.tap.emit("resync.enqueued", "live", tick, "", 0, 0, 0, 0, 0.0, 0.0)

    with Live(resync_period_s=1.0) as live:
        live.on_resync = slow
        live.settle()
        live.clock.advance(1.0)
        assert busy.wait(WAIT_S)
        live.source.send_error(expired())
        live.until(lambda: live.clock.waiting() == 1)
        release.set()
        live.until(lambda: bool(live.records("reflector.session_end")))
        assert live.records("resync.enqueued")[0]["seq"] < live.records("reflector.session_end")[0]["seq"]


def test_set_resync_period_rearms_now_and_zero_stops() -> None:
    with Live() as live:
        live.reflector.set_resync_period(5.0)
        assert live.reflector.resync_due_at == live.clock.monotonic() + 5.0
        live.settle()
        live.clock.advance(2.0)
        live.settle()
        live.reflector.set_resync_period(60.0)
        assert live.reflector.resync_due_at == live.clock.monotonic() + 60.0
        live.reflector.set_resync_period(0.0)
        assert live.reflector.resync_due_at is None
        whys = [r["why"] for r in live.records("resync.timer_armed") + live.records("resync.timer_stopped")]
        assert whys == ["period changed", "period changed", "the period is 0"]
        with pytest.raises(ValueError, match="negative"):
            live.reflector.set_resync_period(-1.0)


def test_resync_now_runs_one_tick_without_asking_and_keeps_the_schedule() -> None:
    with Live(resync_period_s=10.0, should_resync=lambda lateness_s: False) as live:
        due = live.reflector.resync_due_at
        assert live.reflector.resync_now()
        assert live.resyncs.acquire(timeout=WAIT_S)
        assert live.reflector.resync_due_at == due
    assert not live.reflector.resync_now()
