"""SharedIndexInformer: handlers, indexes, races (shared_informer_test.go; SI-2, SI-13, SI-16, X7)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdash.informer.errors import ApiStatusError, InformerError
from kdash.informer.list_watch import CancelToken
from kdash.informer.objects import KubeObject
from kdash.informer.tap import FIELDS, RingTap
from tests.informer.fake_source import FakeSource
from tests.informer.informer_rig import ENGINES, PATIENCE_S, Recorder, Rig, settle

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


def by_value(obj: KubeObject) -> list[str]:
    return [str(obj.to_dict().get("data", {}).get("value", ""))]


def records(tap: RingTap, kind: str) -> list[dict[str, Any]]:
    return [dict(zip(FIELDS[kind], record[5:], strict=True)) for record in tap.drain() if record[2] == kind]


# handlers ----------------------------------------------------------------------------------------------


def test_handlers_get_every_change_in_order_and_the_initial_flag(rig: MakeRig) -> None:
    it = rig()
    recorder = Recorder()
    it.source.add("a")
    it.informer.add_event_handler(handler=recorder)
    it.start()
    for count, change in enumerate((it.source.modify, it.source.delete), 2):
        change("a")
        recorder.wait(count)
    it.source.add("b")
    recorder.wait(4)
    assert recorder.details == [
        ("add", "a", "1", True),
        ("update", "a", "1", "2", False),
        ("delete", "a", "KubeObject"),
        ("add", "b", "4", False),
    ]
    assert it.keys() == ["default/b"]


def test_indexer(rig: MakeRig) -> None:
    it = rig(indexers={"value": by_value})
    it.source.add("a", data={"value": "x"})
    it.source.add("b", data={"value": "y"})
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    it.start()
    assert [obj.name for obj in it.informer.indexer.by_index("value", "x")] == ["a"]
    it.source.modify("a", data={"value": "y"})
    recorder.wait(3)
    assert sorted(obj.name for obj in it.informer.indexer.by_index("value", "y")) == ["a", "b"]
    it.informer.add_indexers({"name": lambda obj: [obj.name]})
    assert [obj.key for obj in it.informer.indexer.by_index("name", "b")] == ["default/b"]
    assert sorted(it.informer.indexer.list_index_func_values("name")) == ["a", "b"]


def test_shared_informer_transformer(rig: MakeRig) -> None:
    def rename(obj: KubeObject) -> KubeObject:
        decoded = obj.to_dict()
        decoded["metadata"]["labels"] = {"seen": "yes"}
        return KubeObject.from_dict(decoded)

    it = rig()
    it.informer.set_transform(rename)
    labels: list[Any] = []
    done = threading.Semaphore(0)

    def note(obj: KubeObject) -> None:
        labels.append(obj.labels)
        done.release()

    it.informer.add_event_handler(on_add=note)
    it.source.add("a")
    it.start()
    it.source.add("b")
    for _ in range(2):
        assert done.acquire(timeout=PATIENCE_S)
    assert labels == [{"seen": "yes"}] * 2
    assert it.informer.indexer.get_by_key("default/b").labels == {"seen": "yes"}


def test_shared_informer_error_handling(rig: MakeRig) -> None:
    errors: list[Exception] = []
    told = threading.Event()

    def tell(error: Exception) -> None:
        errors.append(error)
        told.set()

    it = rig(watch_list=False)
    it.source.fail_lists(ApiStatusError(403, "Forbidden", "no"))
    it.informer.set_watch_error_handler(tell)
    it.informer.start()
    assert told.wait(PATIENCE_S)
    assert [getattr(error, "code", None) for error in errors] == [403]


def test_shared_informer_remove_handler(rig: MakeRig) -> None:
    it = rig()
    first, second = Recorder(), Recorder()
    it.source.add("a")
    one = it.informer.add_event_handler(handler=first)
    two = it.informer.add_event_handler(handler=second)
    it.start()
    first.wait(1)
    second.wait(1)
    two.remove()
    assert it.informer.registrations() == [one]
    it.source.add("b")
    first.wait(2)
    assert second.calls == [("add", "a")]
    one.remove()
    assert it.informer.registrations() == []


def test_si16_shared_informer_remove_foreign_handler(rig: MakeRig) -> None:
    it, other = rig(), rig()
    recorder, foreign = Recorder(), Recorder()
    mine = it.informer.add_event_handler(handler=recorder)
    theirs = other.informer.add_event_handler(handler=foreign)
    it.start()
    it.informer.remove_event_handler(theirs)
    assert it.informer.registrations() == [mine]
    assert other.informer.registrations() == [theirs]
    it.source.add("a")
    recorder.wait(1)


def test_si2_shared_informer_multiple_registration(rig: MakeRig) -> None:
    it = rig()
    recorder = Recorder()
    one = it.informer.add_event_handler(handler=recorder, name="h")
    two = it.informer.add_event_handler(handler=recorder, name="h")
    assert (one.name, two.name) == ("h", "h#2")
    it.start()
    it.source.add("a")
    assert recorder.wait(2) == [("add", "a")] * 2
    one.remove()
    it.source.add("b")
    assert recorder.wait(3) == [("add", "a"), ("add", "a"), ("add", "b")]
    two.remove()
    assert it.informer.registrations() == []


def test_removing_removed_shared_informer_handler(rig: MakeRig) -> None:
    it = rig()
    registration = it.informer.add_event_handler(handler=Recorder())
    it.start()
    registration.remove()
    registration.remove()


def test_remove_while_active(rig: MakeRig) -> None:
    it = rig()
    recorder, witness = Recorder(), Recorder()
    registration = it.informer.add_event_handler(handler=recorder)
    it.informer.add_event_handler(handler=witness)
    it.source.add("a")
    it.start()
    recorder.wait(1)
    registration.remove()
    assert registration.join(PATIENCE_S)
    it.source.add("b")
    witness.wait(2)
    assert recorder.calls == [("add", "a")]


def test_add_while_active(rig: MakeRig) -> None:
    gate = threading.Event()
    it = rig()
    first, late = Recorder(), Recorder(gate)
    one = it.informer.add_event_handler(handler=first)
    assert not one.has_synced()
    it.source.add("a")
    it.start()
    settle(one.has_synced)
    two = it.informer.add_event_handler(handler=late)
    assert late.began.acquire(timeout=PATIENCE_S)
    assert not two.has_synced()
    it.source.add("b")
    first.wait(2)
    gate.set()
    settle(two.has_synced)
    late.wait(2)
    assert late.details == [("add", "a", "1", True), ("add", "b", "2", False)]
    assert first.details == late.details


def test_si13_late_joiners_miss_nothing_and_see_nothing_twice(rig: MakeRig) -> None:
    it = rig().start()
    writer = threading.Thread(target=lambda: [it.source.add(f"o{number}") for number in range(300)])
    writer.start()
    recorders = []
    for _ in range(10):
        recorders.append(Recorder())
        it.informer.add_event_handler(handler=recorders[-1])
    writer.join()
    for recorder in recorders:
        assert sorted(recorder.wait(300)) == sorted(("add", f"o{number}") for number in range(300))


def test_shared_informer_handler_abuse(rig: MakeRig) -> None:
    it = rig().start()
    stop = threading.Event()
    failures: list[BaseException] = []

    def come_and_go(seed: int) -> None:
        rng = random.Random(seed)
        mine = []
        try:
            while not stop.is_set():
                if mine and rng.random() < 0.5:
                    mine.pop(rng.randrange(len(mine))).remove()
                else:
                    mine.append(it.informer.add_event_handler(handler=Recorder()))
        except InformerError:
            assert it.informer.is_stopped()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    witness = Recorder()
    it.informer.add_event_handler(handler=witness)
    for number in range(300):
        it.source.add(f"o{number}")
    witness.wait(300)
    it.informer.stop(PATIENCE_S)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert failures == []


def test_x7_removal_drops_the_backlog_and_says_so(rig: MakeRig) -> None:
    gate = threading.Event()
    tap = RingTap()
    it = rig(tap=tap)
    slow, witness = Recorder(gate), Recorder()
    registration = it.informer.add_event_handler(handler=slow, name="slow")
    it.informer.add_event_handler(handler=witness, name="witness")
    it.start()
    for name in "abcde":
        it.source.add(name)
    witness.wait(5)
    assert slow.began.acquire(timeout=PATIENCE_S)
    assert registration.backlog() == 5
    registration.remove()
    gate.set()
    assert registration.join(PATIENCE_S)
    assert slow.calls == [("add", "a")]
    assert records(tap, "listener.removed") == [{"listener": "slow", "dropped": 4, "running": True}]


def test_si16_remove_event_handler_asynchronous_panic(rig: MakeRig) -> None:
    gate = threading.Event()
    it = rig()
    recorder = Recorder(gate)
    registration = it.informer.add_event_handler(handler=recorder)
    it.start()
    it.source.add("a")
    assert recorder.began.acquire(timeout=PATIENCE_S)
    registration.remove()
    assert recorder.calls == []
    gate.set()
    assert registration.join(PATIENCE_S)
    assert recorder.calls == [("add", "a")]


def test_si16_remove_event_handler_synchronous_shutdown_waits_for_the_running_callback(rig: MakeRig) -> None:
    gate = threading.Event()
    it = rig()
    recorder = Recorder(gate)
    registration = it.informer.add_event_handler(handler=recorder)
    it.start()
    it.source.add("a")
    assert recorder.began.acquire(timeout=PATIENCE_S)
    assert not registration.shut_down(timeout_s=0)
    gate.set()
    assert it.informer.shut_down_event_handler(registration, PATIENCE_S)
    assert recorder.calls == [("add", "a")]


def test_shut_down_from_its_own_callback_is_refused_instead_of_waiting_for_ever(rig: MakeRig) -> None:
    it = rig()
    said: list[str] = []
    done = threading.Event()

    def shut_down(obj: KubeObject) -> None:
        try:
            registration.shut_down()
        except InformerError as error:
            said.append(str(error))
        done.set()

    registration = it.informer.add_event_handler(on_add=shut_down, name="own")
    it.start()
    it.source.add("a")
    assert done.wait(PATIENCE_S)
    assert said == ["handler own cannot wait for its own end: call remove() instead"]


# races -----------------------------------------------------------------------------------------------------


def test_shared_informer_initialization_race(rig: MakeRig) -> None:
    it = rig()
    threads = [
        threading.Thread(target=it.informer.add_event_handler, kwargs={"handler": Recorder()})
        for _ in range(20)
    ]
    for thread in threads[:10]:
        thread.start()
    it.informer.start()
    for thread in threads[10:]:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(it.informer.registrations()) == 20


def test_shared_informer_start_race_settings_succeed_or_are_refused(rig: MakeRig) -> None:
    it = rig()
    outcomes: list[str] = []

    def set_all() -> None:
        for _ in range(100):
            try:
                it.informer.set_transform(None)
                it.informer.set_watch_error_handler(None)
                outcomes.append("set")
            except InformerError as error:
                outcomes.append(str(error))

    thread = threading.Thread(target=set_all)
    thread.start()
    it.informer.start(CancelToken())
    thread.join(PATIENCE_S)
    assert set(outcomes) <= {"set", "informer test has already started"}
    with pytest.raises(InformerError, match="already started"):
        it.informer.set_transform(None)


def test_reads_while_writing_see_whole_states(rig: MakeRig) -> None:
    it = rig(source=FakeSource()).start()
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    for number in range(200):
        it.source.add(f"o{number}")
        assert len(it.informer.lister().list()) <= number + 1
    recorder.wait(200)
    assert len(it.informer.lister().list()) == 200
