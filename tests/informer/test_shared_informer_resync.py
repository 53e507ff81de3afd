"""SharedIndexInformer: resync, orders (shared_informer_test.go; SI-10 to SI-12, S9, S11, X1, X2, X8)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdash.informer.clock import VirtualClock
from kdash.informer.objects import KubeObject
from kdash.informer.tap import FIELDS, RingTap
from tests.informer.informer_rig import ENGINES, Recorder, Rig, settle, settle_armed

MakeRig = Callable[..., Rig]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(engine: str) -> Iterator[MakeRig]:
    rigs: list[Rig] = []

    def make(**options: Any) -> Rig:
        rigs.append(Rig(engine, **options))
        return rigs[-1]

    yield make
    for each in rigs:
        each.stop()


def records(tap: RingTap, kind: str) -> list[dict[str, Any]]:
    return [dict(zip(FIELDS[kind], record[5:], strict=True)) for record in tap.drain() if record[2] == kind]


# resync ------------------------------------------------------------------------------------------------


def test_resync_check_period() -> None:
    it = Rig(resync_period_s=12 * 3600.0)
    seen = []
    for name, period in (("none", 0), ("minute", 60), ("less", 55), ("five", 5)):
        it.informer.add_event_handler(handler=Recorder(), resync_period=period, name=name)
        seen.append(it.informer.check_period_s)
    assert seen == [12 * 3600, 60, 55, 5]
    assert [each.effective_period_s for each in it.informer.registrations()] == [0, 60, 55, 5]


def test_si10_after_the_start_a_shorter_wish_is_raised_and_said() -> None:
    tap = RingTap()
    it = Rig(resync_period_s=30.0, tap=tap).start()
    late = it.informer.add_event_handler(handler=Recorder(), resync_period=5, name="late")
    assert (late.requested_period_s, late.effective_period_s, it.informer.check_period_s) == (5, 30, 30)
    assert late.warning == "asked 5 s, got 30 s: the informer has already started"
    (added,) = records(tap, "listener.added")
    assert (added["requested_s"], added["effective_s"], added["warning"], added["late"]) == (
        5,
        30,
        late.warning,
        True,
    )
    it.stop()


def test_si11_without_a_check_period_wishes_are_ignored_and_said() -> None:
    it = Rig()
    registration = it.informer.add_event_handler(handler=Recorder(), resync_period=5)
    assert registration.effective_period_s == 0
    assert registration.warning == "asked 5 s, but this informer does no resync"


def test_si12_the_floor_is_the_handlers_not_the_informers() -> None:
    it = Rig(resync_period_s=0.2)
    registration = it.informer.add_event_handler(handler=Recorder(), resync_period=0.1)
    default = it.informer.add_event_handler(handler=Recorder())
    assert (registration.effective_period_s, default.effective_period_s) == (1, 1)
    assert it.informer.check_period_s == 0.2


def test_shared_informer_watch_disruption(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock, resync_period_s=1.0, watch_list=False)
    for name in ("pod1", "pod2"):
        it.source.add(name)
    no_resync, resync = Recorder(), Recorder()
    it.informer.add_event_handler(handler=no_resync, resync_period=0)
    it.informer.add_event_handler(handler=resync, resync_period=1)
    it.start()
    no_resync.wait(2)
    resync.wait(2)
    it.source.add("pod3", drop=True)
    it.source.modify("pod2", drop=True)
    settle_armed(it.informer.reflector, clock)
    clock.advance(1)
    resync.wait(4)
    assert no_resync.calls == [("add", "pod1"), ("add", "pod2")]
    resync.forget()
    no_resync.forget()
    due_at = clock.monotonic() + 0.9
    it.source.reset_watch()
    settle(lambda: it.source.verbs().count("LIST") == 2 or clock.monotonic() > due_at, clock, 0.05)
    settle(lambda: it.source.verbs().count("LIST") == 2, clock, 0.05)
    resync.wait(3)
    no_resync.wait(2)
    assert sorted(no_resync.calls) == [("add", "pod3"), ("update", "pod2")]
    assert sorted(resync.calls)[:3] == [("add", "pod3"), ("update", "pod1"), ("update", "pod2")]


def test_x1_resyncs_make_no_request(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock, resync_period_s=5.0)
    it.source.add("a")
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    it.start()
    asked = len(it.source.requests)
    for wave in range(1, 7):
        settle_armed(it.informer.reflector, clock)
        clock.advance(5)
        recorder.wait(1 + wave)
    assert recorder.details[1:] == [("update", "a", "1", "1", True)] * 6
    assert len(it.source.requests) == asked


def test_x2_s9_a_relist_without_resync_reaches_every_handler(rig: MakeRig) -> None:
    it = rig()
    it.source.add("a")
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder, resync_period=0)
    it.start()
    assert it.informer.force_relist(direct=True)
    recorder.wait(2)
    assert recorder.calls == [("add", "a"), ("update", "a")]


def test_x2_after_a_tick_a_relist_reaches_only_those_that_were_due(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock, resync_period_s=1.0)
    it.source.add("a")
    quiet, syncing = Recorder(), Recorder()
    it.informer.add_event_handler(handler=quiet, resync_period=0)
    it.informer.add_event_handler(handler=syncing)
    it.start()
    settle_armed(it.informer.reflector, clock)
    clock.advance(1)
    syncing.wait(2)
    assert it.informer.force_relist(direct=True)
    syncing.wait(3)
    it.source.add("b")
    quiet.wait(2)
    assert quiet.calls == [("add", "a"), ("add", "b")]


def test_s11_a_transform_that_strips_versions_hides_updates_after_a_tick(rig: MakeRig) -> None:
    def strip(obj: KubeObject) -> KubeObject:
        decoded = obj.to_dict()
        decoded["metadata"].pop("resourceVersion", None)
        return KubeObject.from_dict(decoded)

    clock = VirtualClock()
    it = rig(clock=clock, resync_period_s=1.0)
    it.informer.set_transform(strip)
    it.source.add("a")
    quiet, syncing = Recorder(), Recorder()
    it.informer.add_event_handler(handler=quiet, resync_period=0)
    it.informer.add_event_handler(handler=syncing)
    it.start()
    settle_armed(it.informer.reflector, clock)
    clock.advance(1)
    syncing.wait(2)
    it.source.modify("a")
    syncing.wait(3)
    it.source.add("b")
    quiet.wait(2)
    assert quiet.calls == [("add", "a"), ("add", "b")]


def test_resync_now_reaches_those_that_ask_and_names_the_others(rig: MakeRig) -> None:
    it = rig(resync_period_s=30.0)
    it.source.add("a")
    asks, none = Recorder(), Recorder()
    registration = it.informer.add_event_handler(handler=asks, name="asks")
    it.informer.add_event_handler(handler=none, resync_period=0, name="none")
    assert it.informer.resync_now().skipped == (
        ("asks", "the informer has not started"), ("none", "the informer has not started"),
    )  # fmt: skip
    it.start()
    before = registration.next_resync_at
    requests = len(it.source.requests)
    outcome = it.informer.resync_now()
    assert (outcome.reached, outcome.skipped, outcome.queued) == (
        ("asks",),
        (("none", "it asked for no resync"),),
        True,
    )
    asks.wait(2)
    assert asks.details[1] == ("update", "a", "1", "1", True)
    assert registration.next_resync_at > before
    assert len(it.source.requests) == requests
    it.source.add("b")
    assert none.wait(2) == [("add", "a"), ("add", "b")]


def test_set_resync_period_direct_changes_tick_due_time_and_effective(rig: MakeRig) -> None:
    clock = VirtualClock()
    it = rig(clock=clock, resync_period_s=60.0)
    it.source.add("a")
    recorder = Recorder()
    registration = it.informer.add_event_handler(handler=recorder, name="h")
    it.informer.add_event_handler(handler=Recorder(), resync_period=0, name="none")
    it.start()
    settle_armed(it.informer.reflector, clock)
    change = it.informer.set_resync_period(5)
    assert (change.how, change.check_period_s, change.handlers) == ("direct", 5, (("h", 5, 5),))
    assert registration.next_resync_at == clock.monotonic() + 5 == it.informer.reflector.resync_due_at
    settle(lambda: len(recorder.calls) == 2, clock, 0.5)
    assert it.informer.set_resync_period(0).handlers == (("h", 0, 0),)
    assert it.informer.reflector.resync_due_at is None
    assert it.informer.set_resync_period(7).handlers == (("h", 7, 7),)


def test_set_resync_period_faithful_re_adds_with_a_replay_and_not_below_the_check_period(
    rig: MakeRig,
) -> None:
    it = rig(resync_period_s=30.0)
    it.source.add("a")
    recorder = Recorder()
    registration = it.informer.add_event_handler(handler=recorder, name="h")
    it.start()
    recorder.wait(1)
    change = it.informer.set_resync_period(5, registration, how="faithful")
    assert (change.how, change.check_period_s, change.handlers) == ("faithful", 30, (("h", 5, 30),))
    assert it.informer.registrations() == list(change.registrations)
    assert recorder.wait(2) == [("add", "a"), ("add", "a")]


# kdash extensions ----------------------------------------------------------------------------------------


def test_force_relist_repairs_a_dropped_delete_which_resync_does_not(rig: MakeRig) -> None:
    it = rig(resync_period_s=30.0)
    it.source.add("ghost")
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    it.start()
    recorder.wait(1)
    it.source.delete("ghost", drop=True)
    it.informer.resync_now()
    recorder.wait(2)
    assert it.keys() == ["default/ghost"]
    it.informer.force_relist(direct=True)
    recorder.wait(3)
    assert recorder.details[2] == ("delete", "ghost", "DeletedFinalStateUnknown")
    assert it.keys() == []


def test_rewatch_opens_a_new_watch_and_lists_nothing(rig: MakeRig) -> None:
    it = rig(watch_list=False).start()
    assert it.informer.rewatch()
    assert it.source.wait_for_requests(3)
    assert it.source.verbs() == ["LIST", "WATCH", "WATCH"]


def test_relist_period_relists_by_itself(engine: str) -> None:
    clock = VirtualClock()
    it = Rig(engine, clock=clock, relist_period_s=60.0, watch_list=False).start()
    settle(lambda: it.source.verbs().count("LIST") == 2, clock, 1.0)
    it.stop()


@pytest.mark.parametrize(
    ("queue", "expected"), [("delta", []), ("real", ["ghost"]), ("real-atomic", ["ghost"])]
)
def test_x8_s32_delete_of_an_unknown_object(queue: str, expected: list[str]) -> None:
    it = Rig(queue)
    gone: list[str] = []
    after = threading.Event()
    it.informer.add_event_handler(on_add=lambda obj: after.set(), on_delete=lambda obj: gone.append(obj.name))
    it.start()
    it.source.delete("ghost")
    it.source.add("after")
    assert after.wait(30)
    it.stop()
    assert gone == expected
