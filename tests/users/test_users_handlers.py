"""What users of informers ran into: slow handlers, resync periods, tombstones."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kdash.informer.clock import VirtualClock
from kdash.informer.errors import ConnectionRefused
from kdash.informer.tap import RingTap
from tests.informer.builders import records
from tests.informer.informer_rig import ENGINES, Recorder, settle, settle_armed
from tests.users.conftest import MakeRig


def tick(it: Any, clock: VirtualClock, period_s: float) -> None:
    """Let one tick come, and wait until its wave is out of the queue (waiting keys are skipped) and the next armed."""
    reflector = it.informer.reflector
    settle_armed(reflector, clock)
    clock.advance(period_s)
    settle(lambda: (reflector.resync_due_at or 0.0) > clock.monotonic())
    settle(lambda: it.informer.queue.depth()[1] == 0)


def test_users_26_the_queue_grows_while_nobody_takes_from_it_and_drains_to_nothing(rig: MakeRig) -> None:
    it = rig()
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    it.start()
    it.informer.hold(handlers=False)
    for number in range(200):
        it.source.add(f"pod-{number}")
    queue = it.informer.queue
    assert queue is not None
    settle(lambda: queue.depth()[1] == 200)
    it.informer.release()
    recorder.wait(200)
    settle(lambda: queue.depth() == (0, 0, 0))


@pytest.mark.parametrize("engine", ENGINES)
def test_users_27_38_a_slow_handler_fills_its_own_buffer_and_not_the_queue(rig: MakeRig, engine: str) -> None:
    gate = threading.Event()
    slow, quick = Recorder(gate), Recorder()
    it = rig(engine=engine)
    blocked = it.informer.add_event_handler(handler=slow, name="slow")
    free = it.informer.add_event_handler(handler=quick, name="quick")
    it.start()
    for number in range(100):
        it.source.add(f"pod-{number}")
    quick.wait(100)
    settle(lambda: free.backlog() == 0)
    assert blocked.backlog() == 100
    assert it.informer.queue is not None
    settle(lambda: it.informer.queue.depth()[1] == 0)  # type: ignore[union-attr]
    gate.set()
    slow.wait(100)
    settle(lambda: blocked.backlog() == 0)


class Metrics:
    def __init__(self) -> None:
        self.seen: dict[str, list[float]] = {"depth": [], "latency": [], "version": []}

    def queued_items(self, count: int) -> None:
        self.seen["depth"].append(count)

    def processing_latency(self, seconds: float) -> None:
        self.seen["latency"].append(seconds)

    def store_resource_version(self, number: int) -> None:
        self.seen["version"].append(number)


@pytest.mark.parametrize(("engine", "depths"), [
    ("delta", [1, 2, 3, 4, 2, 1, 0]), ("real", [1, 2, 3, 4, 3, 0]), ("real-atomic", [1, 2, 3, 4, 3, 0]),
])  # fmt: skip
def test_users_39_the_gauge_of_queued_items_shows_a_queue_that_backs_up(
    rig: MakeRig, engine: str, depths: list[float]
) -> None:
    metrics = Metrics()
    it = rig(engine=engine, metrics=metrics)
    it.start()
    it.informer.hold(handlers=False)
    shown = len(metrics.seen["depth"])
    for change in (it.source.add, it.source.modify):
        change("a")
    it.source.add("b")
    it.source.add("c")
    settle(lambda: metrics.seen["depth"][-1:] == [4])
    it.informer.release()
    settle(lambda: metrics.seen["depth"][-1:] == [0])
    assert metrics.seen["depth"][shown:] == depths


def test_users_39_depth_latency_and_version_are_exported(rig: MakeRig) -> None:
    metrics = Metrics()
    it = rig(engine="real-atomic", metrics=metrics)
    it.source.add("a")
    it.start()
    it.source.add("b")
    settle(lambda: metrics.seen["version"][-1:] == [2])
    assert metrics.seen["depth"][-1] == 0
    assert all(seconds >= 0 for seconds in metrics.seen["latency"])


def test_users_41_a_handler_that_hangs_delays_no_other_and_loses_nothing(rig: MakeRig) -> None:
    gate = threading.Event()
    hanging, other = Recorder(gate), Recorder()
    it = rig()
    it.informer.add_event_handler(handler=hanging)
    it.informer.add_event_handler(handler=other)
    it.start()
    for number in range(20):
        it.source.add(f"pod-{number}")
    assert len(other.wait(20)) == 20
    assert hanging.calls == []
    gate.set()
    assert hanging.wait(20) == other.calls


@pytest.mark.parametrize("raised", [ValueError("bug"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_users_04_whatever_a_handler_raises_is_counted_and_the_next_follows(
    rig: MakeRig, raised: BaseException
) -> None:
    clock, tap = VirtualClock(), RingTap()
    seen: list[str] = []

    def on_add(obj: Any) -> None:
        seen.append(obj.name)
        if obj.name == "bad":
            raise raised

    it = rig(clock=clock, tap=tap)
    registration = it.informer.add_event_handler(on_add=on_add, name="mine")
    it.start()
    it.source.add("bad")
    it.source.add("good")
    settle(lambda: seen == ["bad", "good"], clock)
    assert registration.crashes == 1
    [ended] = [each for each in records(tap, "handler.end") if each["error"]]
    assert (ended["error"], ended["callback"], ended["key"]) == (type(raised).__name__, "add", "default/bad")


def test_users_43_a_period_that_is_no_multiple_of_the_check_is_rounded_up_to_one(rig: MakeRig) -> None:
    clock, tap = VirtualClock(), RingTap()
    it = rig(clock=clock, tap=tap, resync_period_s=1.0)
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder, resync_period=1.1, name="odd")
    it.source.add("a")
    it.start()
    recorder.wait(1)
    served = []
    for _ in range(6):
        tick(it, clock, 1.0)
        served.append(len(records(tap, "resync.enqueued")))
    assert served == [0, 1, 0, 1, 0, 1]


def test_users_44_what_was_asked_and_what_was_got_are_told(rig: MakeRig) -> None:
    none = rig()
    ignored = none.informer.add_event_handler(handler=Recorder(), resync_period=5)
    assert (ignored.requested_period_s, ignored.effective_period_s) == (5.0, 0.0)
    assert ignored.warning
    late = rig(resync_period_s=30.0).start()
    clamped = late.informer.add_event_handler(handler=Recorder(), resync_period=5)
    assert (clamped.requested_period_s, clamped.effective_period_s) == (5.0, 30.0)
    assert "asked 5 s, got 30 s" in clamped.warning


@pytest.mark.parametrize("engine", ENGINES)
def test_users_45_a_missed_deletion_is_a_labelled_tombstone_with_the_last_state(rig: MakeRig, engine: str) -> None:
    tap = RingTap()
    gone: list[Any] = []
    it = rig(engine=engine, clock=VirtualClock(), tap=tap)
    it.informer.add_event_handler(on_delete=gone.append)
    it.source.add("ghost")
    it.start()
    it.source.delete("ghost", drop=True)
    assert it.informer.force_relist(direct=True)
    settle(lambda: bool(gone))
    settle(lambda: any(each["tombstone"] for each in records(tap, "handler.end")))
    assert type(gone[0]).__name__ == "DeletedFinalStateUnknown"
    assert (gone[0].key, gone[0].obj.resource_version) == ("default/ghost", "1")


# resync is not relist: the experiments -------------------------------------------------------------------


class Experiment:
    """An informer on a virtual clock with one object and one handler."""

    def __init__(self, rig: MakeRig, *periods: float, check_s: float, engine: str = "delta", **more: Any) -> None:
        self.clock = VirtualClock()
        self.it = rig(engine=engine, clock=self.clock, resync_period_s=check_s, **more)
        self.recorders = [Recorder() for _ in periods]
        self.registrations = [
            self.it.informer.add_event_handler(handler=recorder, resync_period=period)
            for recorder, period in zip(self.recorders, periods, strict=True)
        ]
        self.it.source.add("a")
        self.it.start()
        for recorder in self.recorders:
            recorder.wait(1)

    def ticks(self, count: int, period_s: float) -> None:
        for _ in range(count):
            tick(self.it, self.clock, period_s)

    def updates(self) -> list[int]:
        settle(lambda: all(each.backlog() == 0 for each in self.registrations))
        return [sum(call[0] == "update" for call in recorder.calls) for recorder in self.recorders]

    def requests(self) -> int:
        return len(self.it.source.verbs())


@pytest.mark.parametrize("engine", ENGINES)
def test_users_42_e1_six_resyncs_are_six_waves_and_no_list(rig: MakeRig, engine: str) -> None:
    experiment = Experiment(rig, 5, check_s=5.0, engine=engine, watch_list=False)
    before = experiment.requests()
    experiment.ticks(6, 5.0)
    settle(lambda: experiment.updates() == [6])
    assert experiment.requests() == before
    assert {detail[2] == detail[3] for detail in experiment.recorders[0].details if detail[0] == "update"} == {True}


@pytest.mark.parametrize("engine", ENGINES)
def test_users_42_e2_e3_a_ghost_outlives_resyncs_and_leaves_with_a_relist(rig: MakeRig, engine: str) -> None:
    experiment = Experiment(rig, 5, check_s=5.0, engine=engine, watch_list=False)
    it = experiment.it
    it.source.delete("a", drop=True)
    experiment.ticks(3, 5.0)
    settle(lambda: experiment.updates() == [3])
    assert it.keys() == ["default/a"]
    lists = it.source.verbs().count("LIST")
    assert it.informer.force_relist(direct=True)
    experiment.recorders[0].wait_for("delete", "a")
    assert it.source.verbs().count("LIST") == lists + 1
    assert ("delete", "a", "DeletedFinalStateUnknown") in experiment.recorders[0].details


def test_users_42_e4_waves_go_on_while_the_watch_is_refused(rig: MakeRig) -> None:
    experiment = Experiment(rig, 5, check_s=5.0)
    it = experiment.it
    experiment.clock.advance(2.0)
    it.source.fail_watches(*[ConnectionRefused("down")] * 500)
    it.source.end_watches()
    settle(lambda: it.source.verbs().count("WATCH") >= 1)
    settle(lambda: experiment.updates()[0] >= 3, experiment.clock)
    assert it.source.verbs().count("WATCHLIST") + it.source.verbs().count("LIST") == 1


def test_users_42_e5_only_those_that_are_due_get_a_wave_and_all_get_changes(rig: MakeRig) -> None:
    experiment = Experiment(rig, 0, 2, 5, check_s=1.0)
    experiment.ticks(10, 1.0)
    settle(lambda: experiment.updates() == [0, 5, 2])
    experiment.it.source.modify("a")
    settle(lambda: experiment.updates() == [1, 6, 3])


def test_users_42_e7_a_late_wish_below_the_check_period_is_clamped(rig: MakeRig) -> None:
    experiment = Experiment(rig, 5, check_s=5.0)
    late = experiment.it.informer.add_event_handler(handler=Recorder(), resync_period=1)
    assert (late.requested_period_s, late.effective_period_s) == (1.0, 5.0)


def test_users_42_e8_each_wave_lengthens_a_slow_handlers_buffer(rig: MakeRig) -> None:
    clock, gate = VirtualClock(), threading.Event()
    it = rig(clock=clock, resync_period_s=5.0)
    slow = it.informer.add_event_handler(handler=Recorder(gate), resync_period=5)
    for number in range(10):
        it.source.add(f"pod-{number}")
    it.start()
    settle(lambda: slow.backlog() == 10)
    for wave in (1, 2, 3):
        tick(it, clock, 5.0)
        settle(lambda wave=wave: slow.backlog() == 10 + 10 * wave)  # type: ignore[misc]
    gate.set()


@pytest.mark.parametrize(("engine", "items"), [("delta", 50), ("real", 50), ("real-atomic", 1)])
def test_users_42_e9_a_resync_is_one_entry_an_object_or_one_in_all(rig: MakeRig, engine: str, items: int) -> None:
    it = rig(engine=engine, clock=VirtualClock(), resync_period_s=3600.0)
    it.informer.add_event_handler(handler=Recorder(), resync_period=3600)
    for number in range(50):
        it.source.add(f"pod-{number}")
    it.start()
    it.informer.hold(handlers=False)
    assert it.informer.resync_now().queued
    queue = it.informer.queue
    assert queue is not None
    settle(lambda: queue.depth()[1] == items)
    it.informer.release()


def test_users_42_e10_a_change_missed_by_the_watch_comes_with_the_relist_as_an_update(rig: MakeRig) -> None:
    experiment = Experiment(rig, 0, check_s=0.0)
    experiment.it.source.modify("a", drop=True)
    assert experiment.it.informer.force_relist(direct=True)
    settle(lambda: experiment.updates() == [1])
    assert ("update", "a", "1", "2", False) in experiment.recorders[0].details
