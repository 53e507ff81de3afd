"""wait_test.go: WaitFor, SyncResult; WT-1."""

from __future__ import annotations

import logging
import threading

import pytest

from kdash.informer.clock import VirtualClock
from kdash.informer.list_watch import CancelToken
from kdash.informer.wait import DoneFlag, SyncResult, wait_for, wait_for_cache_sync


def flags(*names: str) -> list[DoneFlag]:
    return [DoneFlag(name) for name in names]


def in_thread(function) -> tuple[threading.Thread, list]:  # type: ignore[no-untyped-def]
    answer: list = []
    thread = threading.Thread(target=lambda: answer.append(function()), daemon=True)
    thread.start()
    return thread, answer


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_wait_for_nothing_is_true() -> None:
    assert wait_for(CancelToken())


def test_wait_for_unnamed_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (flag,) = flags("a")
    flag.set()
    assert wait_for(CancelToken(), flag)
    assert caplog.records == []


def test_wait_for_named_logs_in_completion_order(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = VirtualClock()
    first, second = flags("first", "second")
    thread, answer = in_thread(lambda: wait_for(CancelToken(), first, second, name="caches", clock=clock))
    wait_until_waiting(clock)
    second.set()
    while "Done waiting: caches: second" not in messages(caplog):
        thread.join(0.01)
    first.set()
    thread.join(10)
    assert answer == [True]
    assert messages(caplog) == [
        "Waiting: caches",
        "Done waiting: caches: second",
        "Done waiting: caches: first",
    ]


def wait_until_waiting(clock: VirtualClock, count: int = 1) -> None:
    while clock.waiting() < count:
        threading.Event().wait(0.001)


def test_wait_for_timeout_names_what_is_missing_sorted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = VirtualClock()
    done, b, a = flags("done", "b", "a")
    done.set()
    thread, answer = in_thread(
        lambda: wait_for(CancelToken(), b, done, a, name="caches", timeout_s=5, clock=clock)
    )
    wait_until_waiting(clock)
    clock.advance(5)
    thread.join(10)
    assert answer == [False]
    assert messages(caplog)[-1] == "Timed out waiting: caches: not done: a, b; cause: the time is over"


def test_wait_for_cancel_ends_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock, stop = VirtualClock(), CancelToken()
    (flag,) = flags("a")
    thread, answer = in_thread(lambda: wait_for(stop, flag, name="caches", clock=clock, cause=lambda: "quit"))
    wait_until_waiting(clock)
    stop.cancel()
    thread.join(10)
    assert answer == [False]
    assert messages(caplog)[-1].endswith("cause: quit")


def test_wt2_wait_for_done_beats_cancelled() -> None:
    stop = CancelToken()
    stop.cancel()
    done, missing = flags("done", "missing")
    done.set()
    assert wait_for(stop, done)
    assert not wait_for(stop, done, missing)


def test_wt1_wait_for_cache_sync_polls_every_100_ms_until_all_hold_in_one_round() -> None:
    clock = VirtualClock()
    state = {"a": False, "b": True}
    rounds: list[float] = []

    def a() -> bool:
        rounds.append(clock.monotonic())
        return state["a"]

    thread, answer = in_thread(lambda: wait_for_cache_sync(CancelToken(), a, lambda: state["b"], clock=clock))
    wait_until_waiting(clock)
    clock.advance(0.1)
    while len(rounds) < 2:
        thread.join(0.001)
    state["a"] = True
    wait_until_waiting(clock)
    clock.advance(0.1)
    thread.join(10)
    assert answer == [True]
    assert [round(at - rounds[0], 3) for at in rounds] == [0.0, 0.1, 0.2]


def test_wt1_stop_gives_false_and_no_functions_true() -> None:
    stop = CancelToken()
    assert wait_for_cache_sync(stop)
    stop.cancel()
    assert not wait_for_cache_sync(stop, lambda: False)
    assert wait_for_cache_sync(stop, lambda: True)


def test_wt1_timeout_gives_false() -> None:
    clock = VirtualClock()
    thread, answer = in_thread(
        lambda: wait_for_cache_sync(CancelToken(), lambda: False, timeout_s=0.05, clock=clock)
    )
    wait_until_waiting(clock)
    clock.advance(0.05)
    thread.join(10)
    assert answer == [False]


def test_sync_result_without_error() -> None:
    result = SyncResult({"pods": True, "nodes": True})
    assert result
    assert result.as_error() is None
    assert dict(result) == {"pods": True, "nodes": True}


def test_wt3_sync_result_error_names_sorted_and_wraps_the_cause() -> None:
    cause = TimeoutError("deadline exceeded")
    result = SyncResult({"pods": False, "nodes": True, "leases": False}, cause)
    error = result.as_error()
    assert not result
    assert str(error) == "failed to sync all caches: leases, pods: deadline exceeded"
    assert error is not None and error.__cause__ is cause


def test_done_flag_calls_back_once_also_when_late() -> None:
    (flag,) = flags("a")
    calls: list[str] = []
    flag.on_done(lambda: calls.append("early"))
    flag.set()
    flag.set()
    flag.on_done(lambda: calls.append("late"))
    assert calls == ["early", "late"]
