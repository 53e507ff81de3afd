"""SharedIndexInformer: start, stop, states (shared_informer_test.go; SI-3 to SI-9, SI-17)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from kdash.informer.errors import ApiStatusError, InformerError
from kdash.informer.list_watch import CancelToken
from kdash.informer.tap import RingTap
from tests.informer.informer_rig import ENGINES, PATIENCE_S, Recorder, Rig, settle


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """What goleak does for client-go's tests."""
    before = set(threading.enumerate())
    yield
    settle(lambda: set(threading.enumerate()) <= before)


def test_si17_state_shared_informer(engine: str) -> None:
    it = Rig(engine)
    assert (it.informer.is_started(), it.informer.is_stopped(), it.informer.has_synced()) == (
        False,
        False,
        False,
    )
    assert it.informer.last_sync_resource_version() == ""
    it.source.add("a")
    it.start()
    assert (it.informer.is_started(), it.informer.is_stopped(), it.informer.has_synced()) == (
        True,
        False,
        True,
    )
    assert it.informer.last_sync_resource_version() == "1"
    it.stop()
    assert (it.informer.is_started(), it.informer.is_stopped()) == (True, True)
    assert it.keys() == ["default/a"]


def test_si9_add_on_stopped_shared_informer(engine: str) -> None:
    it = Rig(engine).start()
    it.stop()
    with pytest.raises(
        InformerError, match=r"handler h was not added to shared informer because it has stopped already$"
    ):
        it.informer.add_event_handler(handler=Recorder(), name="h")


def test_remove_on_stopped_shared_informer(engine: str) -> None:
    it = Rig(engine)
    registration = it.informer.add_event_handler(handler=Recorder())
    it.start()
    it.stop()
    registration.remove()
    assert registration.shut_down(PATIENCE_S)


def test_si8_indexers_until_the_stop(engine: str) -> None:
    it = Rig(engine)
    it.informer.add_indexers({"one": lambda obj: [obj.name]})
    it.start()
    it.informer.add_indexers({"two": lambda obj: [obj.name]})
    it.stop()
    with pytest.raises(InformerError, match="stopped already"):
        it.informer.add_indexers({"three": lambda obj: [obj.name]})


def test_si3_settings_only_before_the_start(engine: str) -> None:
    it = Rig(engine).start()
    with pytest.raises(InformerError, match="has already started"):
        it.informer.set_transform(lambda obj: obj)
    with pytest.raises(InformerError, match="has already started"):
        it.informer.set_watch_error_handler(lambda error: None)
    it.stop()


def test_si4_a_second_run_warns_and_returns(engine: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    it = Rig(engine).start()
    it.informer.run(CancelToken())
    assert "has started already" in caplog.text
    assert not it.informer.is_stopped()
    it.stop()


def test_si6_stopped_before_the_first_list_is_never_synced(engine: str) -> None:
    it = Rig(engine, watch_list=False)
    release = it.source.hold()
    it.informer.start()
    assert it.source.wait_for_requests(1)
    it.stop()
    release()
    assert not it.informer.has_synced()
    assert it.informer.is_stopped()


def test_shutdown_never_started() -> None:
    it = Rig()
    it.informer.add_event_handler(handler=Recorder())
    assert it.informer.stop(0)


def test_shutdown_stopped_at_once(engine: str) -> None:
    it = Rig(engine)
    it.informer.add_event_handler(handler=Recorder())
    stop = CancelToken()
    stop.cancel()
    it.informer.run(stop)
    assert it.informer.is_stopped()


def test_shutdown_of_a_running_informer_with_handlers(engine: str) -> None:
    it = Rig(engine)
    recorders = [Recorder() for _ in range(3)]
    for recorder in recorders:
        it.informer.add_event_handler(handler=recorder)
    it.source.add("a")
    it.start()
    recorders[0].wait(1)
    it.stop()


def test_si5_stop_waits_for_the_running_callback_and_drops_the_rest(engine: str) -> None:
    gate = threading.Event()
    it = Rig(engine)
    recorder = Recorder(gate)
    it.informer.add_event_handler(handler=recorder)
    it.start()
    for name in "abc":
        it.source.add(name)
    assert recorder.began.acquire(timeout=PATIENCE_S)
    assert not it.informer.stop(timeout_s=0)
    settle(it.informer.is_stopped)
    gate.set()
    it.stop()
    assert recorder.calls == [("add", "a")]


def test_removed_handler_that_still_runs_is_waited_for_too(engine: str) -> None:
    gate = threading.Event()
    it = Rig(engine)
    recorder = Recorder(gate)
    registration = it.informer.add_event_handler(handler=recorder)
    it.start()
    it.source.add("a")
    assert recorder.began.acquire(timeout=PATIENCE_S)
    registration.remove()
    assert not it.informer.stop(timeout_s=0)
    gate.set()
    it.stop()


@pytest.mark.parametrize("when", ["never started", "added late", "added early"])
def test_shut_down_event_handler_lifecycles(engine: str, when: str) -> None:
    it = Rig(engine)
    it.source.add("a")
    recorder = Recorder()
    if when == "added late":
        it.start()
    registration = it.informer.add_event_handler(handler=recorder)
    if when == "added early":
        it.start()
    if when != "never started":
        recorder.wait(1)
    assert registration.shut_down(PATIENCE_S)
    assert it.informer.registrations() == []
    it.informer.stop(PATIENCE_S)


def test_event_panics_leave_the_handler_unsynced_and_the_informer_running(engine: str) -> None:
    it = Rig(engine)
    witness = Recorder()

    def fail(obj: object) -> None:
        raise RuntimeError("on purpose")

    registration = it.informer.add_event_handler(on_add=fail, name="failing")
    it.informer.add_event_handler(handler=witness)
    it.source.add("a")
    it.start()
    settle(lambda: registration.crashes == 1)
    it.source.add("b")
    witness.wait(2)
    assert not registration.has_synced()
    it.stop()


def test_stop_during_backoff_is_immediate(engine: str) -> None:
    it = Rig(engine, watch_list=False)
    it.source.fail_lists(*[ApiStatusError(500, "InternalError", "no")] * 50)
    it.informer.start()
    assert it.source.wait_for_requests(1)
    it.stop()


def test_lifecycle_records_in_order(engine: str) -> None:
    tap = RingTap()
    it = Rig(engine, tap=tap).start()
    it.informer.run(CancelToken())
    it.stop()
    records = tap.drain()
    assert [record[5] for record in records if record[2] == "informer.lifecycle"] == [
        "created", "started", "synced", "second_run_warning", "stopping", "stopped",
    ]  # fmt: skip
    (config,) = (record[5:] for record in records if record[2] == "config.engine")
    assert config[0] == engine
    assert config[2] is True
