"""The processor and its listeners (shared_informer_test.go: TestListenerResyncPeriods, TestEventPanics; PL-1
to PL-14).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kdash.informer.clock import VirtualClock
from kdash.informer.listener import ADD, UPDATE, ProcessorListener
from kdash.informer.objects import KubeObject
from kdash.informer.processor import DistributingSink, SharedProcessor
from kdash.informer.tap import FIELDS, RingTap

PATIENCE_S = 20


def obj(name: str, rv: str = "1", uid: str = "u") -> KubeObject:
    return KubeObject.from_dict(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "ns", "name": name, "resourceVersion": rv, "uid": uid},
        }
    )


class Recorder:
    """Notes its calls; `gate` holds every call up, `fail` says which adds raise."""

    def __init__(
        self, gate: threading.Event | None = None, fail: Callable[[str], bool] = lambda name: False
    ) -> None:
        self.calls: list[tuple[str, str]] = []
        self.began = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        self._gate = gate
        self._fail = fail

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self._call("add", obj)

    def on_update(self, old: Any, new: Any) -> None:
        self._call("update", new)

    def on_delete(self, obj: Any) -> None:
        self._call("delete", obj)

    def _call(self, kind: str, obj: Any) -> None:
        self.began.release()
        if self._gate is not None:
            assert self._gate.wait(PATIENCE_S)
        self.calls.append((kind, obj.name))
        self.ended.release()
        if self._fail(obj.name):
            raise RuntimeError(f"cannot {kind} {obj.name}")

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.ended.acquire(timeout=PATIENCE_S)


class Rig:
    def __init__(self, tap: RingTap | None = None) -> None:
        self.clock = VirtualClock()
        self.processor = SharedProcessor(clock=self.clock, tap=tap, informer="test")
        self.tap = tap
        self.sink = DistributingSink(self.processor)

    def add(self, handler: Any, period_s: float = 0, name: str = "h", **options: Any) -> ProcessorListener:
        listener = ProcessorListener(
            handler, name=name, clock=self.clock, informer="test", requested_s=period_s, effective_s=period_s,
            tap=self.tap, **options,
        )  # fmt: skip
        self.processor.add_listener(listener)
        self.processor.watch_upstream(listener)
        return listener

    def stop(self) -> None:
        for listener in self.processor.stop():
            assert listener.join(PATIENCE_S)


@pytest.fixture
def rig():  # type: ignore[no-untyped-def]
    rig = Rig()
    yield rig
    rig.stop()


def settle(condition: Callable[[], bool]) -> None:
    """Wait, in real time, until a thread that needs no more input has got there."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 1000):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it never came to that")


def flags(*listeners: ProcessorListener) -> list[bool]:
    return [listener.syncing for listener in listeners]


def test_listener_resync_periods(rig: Rig) -> None:
    recorders = [Recorder() for _ in range(3)]
    none, two, three = (
        rig.add(recorder, period) for recorder, period in zip(recorders, (0, 2, 3), strict=True)
    )
    rig.processor.start()
    rig.clock.advance(1)
    assert not rig.processor.should_resync()
    rig.clock.advance(1)
    assert rig.processor.should_resync()
    assert flags(none, two, three) == [False, True, False]
    rig.sink.updated(obj("t2"), obj("t2"), 0)
    rig.clock.advance(1)
    assert rig.processor.should_resync()
    assert flags(none, two, three) == [False, False, True]
    rig.sink.updated(obj("t3"), obj("t3"), 0)
    recorders[1].wait(1)
    recorders[2].wait(1)
    assert [recorder.calls for recorder in recorders] == [[], [("update", "t2")], [("update", "t3")]]


def test_listener_resync_periods_delayed_start_neither_blocks_nor_loses(rig: Rig) -> None:
    recorder = Recorder()
    rig.add(recorder)
    rig.sink.added(obj("early"), False, 0)
    rig.processor.start()
    recorder.wait(1)
    assert recorder.calls == [("add", "early")]


def test_pl1_flags_start_up_so_syncs_reach_everyone_before_the_first_tick(rig: Rig) -> None:
    recorder = Recorder()
    rig.add(recorder)
    rig.processor.start()
    rig.sink.updated(obj("a"), obj("a"), 0)
    recorder.wait(1)
    assert not rig.processor.should_resync()
    rig.sink.updated(obj("b"), obj("b"), 0)
    rig.sink.updated(obj("c", "1"), obj("c", "2"), 0)
    recorder.wait(1)
    assert recorder.calls == [("update", "a"), ("update", "c")]


def test_si15_two_empty_versions_are_a_sync(rig: Rig) -> None:
    recorder = Recorder()
    rig.add(recorder)
    rig.processor.start()
    rig.processor.should_resync()
    rig.sink.updated(obj("a", ""), obj("a", ""), 0)
    rig.sink.deleted(obj("b"), 0)
    recorder.wait(1)
    assert recorder.calls == [("delete", "b")]


def test_pl3_due_time_moves_from_now_and_flag_stays_until_the_next_tick(rig: Rig) -> None:
    listener = rig.add(Recorder(), 2)
    rig.clock.advance(2.7)
    assert rig.processor.should_resync()
    assert listener.next_resync_at == rig.clock.monotonic() + 2
    rig.clock.advance(1)
    assert listener.syncing
    assert not rig.processor.should_resync()
    assert not listener.syncing


def test_pl4_lowering_the_check_period_leaves_due_times_alone(rig: Rig) -> None:
    listener = ProcessorListener(Recorder(), name="h", clock=rig.clock, requested_s=5, effective_s=10)
    rig.processor.add_listener(listener)
    due_at = listener.next_resync_at
    rig.processor.resync_check_period_changed(5)
    assert (listener.effective_s, listener.next_resync_at) == (5, due_at)


def test_pl5_a_period_between_ticks_is_rounded_up(rig: Rig) -> None:
    listener = rig.add(Recorder(), 1.5)
    fired = []
    for second in range(1, 7):
        rig.clock.advance(1)
        rig.processor.should_resync()
        if listener.syncing:
            fired.append(second)
    assert fired == [2, 4, 6]


def test_pl9_x7_removal_drops_the_backlog_and_lets_the_running_callback_end(rig: Rig) -> None:
    gate = threading.Event()
    slow, other = Recorder(gate), Recorder()
    listener = rig.add(slow)
    rig.add(other, name="other")
    rig.processor.start()
    for name in "abc":
        rig.sink.added(obj(name), False, 0)
    assert slow.began.acquire(timeout=PATIENCE_S)
    assert listener.backlog() == 3
    assert rig.processor.remove_listener(listener)
    assert not listener.join(0)
    rig.sink.added(obj("d"), False, 0)
    gate.set()
    assert listener.join(PATIENCE_S)
    other.wait(4)
    assert slow.calls == [("add", "a")]
    assert not rig.processor.remove_listener(listener)


def test_pl10_event_panics_pause_before_the_next_and_leave_the_others_alone(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    failing, fine = Recorder(fail=lambda name: name != "d"), Recorder()
    listener = rig.add(failing, name="failing")
    rig.add(fine, name="fine")
    rig.processor.start()
    for name in "abcd":
        rig.sink.added(obj(name), True, 0)
    rig.processor.upstream_has_synced()
    fine.wait(4)
    for done in (1, 2, 3):
        failing.wait(1)
        settle(lambda: rig.clock.waiting() >= 2)
        assert len(failing.calls) == done == listener.crashes
        rig.clock.advance(0.9)
        settle(lambda: rig.clock.waiting() >= 2)
        assert len(failing.calls) == done
        rig.clock.advance(0.1)
    failing.wait(1)
    assert [record.args[0] for record in caplog.records if record.args] == ["failing"] * 3
    settle(lambda: not listener.running)
    assert not listener.tracker.has_synced()


def test_pl10_crash_through_ends_the_thread_and_tells_the_informer(rig: Rig) -> None:
    crashes: list[str] = []
    recorder = Recorder(fail=lambda name: True)
    listener = rig.add(recorder, on_crash=lambda error: crashes.append(str(error)))
    rig.processor.start()
    rig.sink.added(obj("a"), False, 0)
    assert listener.join(PATIENCE_S)
    assert crashes == ["cannot add a"]


def test_pl11_only_returned_initial_adds_count_for_the_sync(rig: Rig) -> None:
    gate = threading.Event()
    recorder = Recorder(gate)
    listener = rig.add(recorder)
    rig.processor.start()
    rig.sink.added(obj("a"), True, 0)
    rig.processor.upstream_has_synced()
    assert recorder.began.acquire(timeout=PATIENCE_S)
    assert not listener.tracker.has_synced()
    gate.set()
    settle(listener.tracker.has_synced)


def test_sy3_a_late_listener_syncs_only_after_its_replay_was_queued(rig: Rig) -> None:
    rig.processor.start()
    rig.processor.upstream_has_synced()
    listener = ProcessorListener(Recorder(), name="late", clock=rig.clock)
    rig.processor.add_listener(listener)
    assert not listener.tracker.has_synced()
    listener.add((ADD, obj("a"), None, False, True, rig.clock.monotonic(), 0))
    rig.processor.watch_upstream(listener)
    settle(listener.tracker.has_synced)


def test_pl13_a_stuck_listener_holds_nobody_up(rig: Rig) -> None:
    gate = threading.Event()
    stuck, free = Recorder(gate), Recorder()
    listener = rig.add(stuck)
    rig.add(free, name="free")
    rig.processor.start()
    for number in range(3000):
        rig.sink.added(obj(str(number)), False, 0)
    free.wait(3000)
    assert free.calls == [("add", str(number)) for number in range(3000)]
    settle(lambda: listener.backlog() == 3000)
    gate.set()
    stuck.wait(3000)
    assert stuck.calls == free.calls


def test_pl14_stop_closes_everyone_and_never_started_ones_end_at_once(rig: Rig) -> None:
    listener = rig.add(Recorder())
    assert [each.join(0) for each in rig.processor.stop()] == [True]
    assert rig.processor.listeners == ()
    rig.sink.added(obj("a"), False, 0)
    assert listener.backlog() == 0


def test_force_resync_reaches_exactly_those_with_an_effective_period(rig: Rig) -> None:
    asks, ignored, none = (
        rig.add(Recorder(), 5, "asks"),
        rig.add(Recorder(), 0, "ignored"),
        rig.add(Recorder(), 0, "none"),
    )
    ignored.asked_s = 3
    rig.clock.advance(2)
    outcome = rig.processor.force_resync()
    assert outcome.queued
    assert outcome.reached == ("asks",)
    assert outcome.skipped == (
        ("ignored", "its period is ignored: this informer does no resync"),
        ("none", "it asked for no resync"),
    )
    assert flags(asks, ignored, none) == [True, False, False]
    assert asks.next_resync_at == rig.clock.monotonic() + 5


def test_force_resync_without_takers_queues_nothing(rig: Rig) -> None:
    rig.add(Recorder())
    assert not rig.processor.force_resync().queued


def test_records_of_a_delivery_name_listener_sync_and_cause() -> None:
    tap = RingTap()
    rig = Rig(tap)
    syncing, quiet = Recorder(), Recorder()
    rig.add(syncing, 1, "syncing")
    rig.add(quiet, 0, "quiet")
    rig.processor.start()
    rig.clock.advance(1)
    rig.processor.should_resync(0.25)
    same = obj("a")
    rig.sink.updated(same, same, 77)
    syncing.wait(1)
    rig.stop()
    records = {
        record[2]: (record[0], dict(zip(FIELDS[record[2]], record[5:], strict=True)))
        for record in tap.drain()
    }
    _, tick = records["resync.tick"]
    seq, distribute = records["notify.distribute"]
    _, start = records["handler.start"]
    _, end = records["handler.end"]
    assert (tick["tick"], tick["lateness_s"], tick["needed"], tick["forced"]) == (1, 0.25, True, False)
    now = rig.clock.monotonic()
    assert tick["decisions"] == (
        ("syncing", 1, 1, now, True, now + 1),
        ("quiet", 0, 0, now - 1, False, now - 1),
    )
    assert (distribute["kind"], distribute["key"], distribute["is_sync"]) == (UPDATE, "ns/a", True)
    assert (distribute["delivered_to"], distribute["skipped"], distribute["cause"]) == (
        ("syncing",),
        ("quiet",),
        77,
    )
    assert start["cause"] == end["cause"] == seq
    assert (end["listener"], end["rv"], end["old_rv"], end["is_sync"], end["error"]) == (
        "syncing",
        "1",
        "1",
        True,
        "",
    )
