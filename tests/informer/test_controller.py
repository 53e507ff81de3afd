"""The controller and the non-shared informer (controller_test.go; CT-1 to CT-4, CT-12, CT-15)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdash.informer.clock import SystemClock, VirtualClock, new_random
from kdash.informer.controller import Controller, ControllerConfig
from kdash.informer.errors import InformerError
from kdash.informer.handlers import ResourceEventHandlerFuncs
from kdash.informer.indexer import Indexer, new_indexer
from kdash.informer.list_watch import CancelToken
from kdash.informer.objects import KubeObject
from kdash.informer.plain_informer import new_informer
from kdash.informer.queue.engines import new_queue
from kdash.informer.reflector import Reflector
from tests.informer.fake_source import FakeSource
from tests.informer.informer_rig import CONFIG_MAPS, ENGINES, PATIENCE_S, Recorder, settle, settle_armed

Run = Callable[..., "Running"]


class Running:
    """A non-shared informer whose controller runs in a thread."""

    def __init__(self, source: FakeSource, handler: Any, **options: Any) -> None:
        self.store: Indexer
        self.controller: Controller
        self.store, self.controller = new_informer(
            source, handler, resource=CONFIG_MAPS, rng=new_random(1), **options
        )
        self.stop = CancelToken()
        self.raised: list[Exception] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.controller.run(self.stop)
        except Exception as error:
            self.raised.append(error)

    def end(self) -> None:
        self.stop.cancel()
        self.join()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture(params=ENGINES)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    running: list[Running] = []

    def start(source: FakeSource, handler: Any, **options: Any) -> Running:
        running.append(Running(source, handler, queue=request.param, **options))
        return running[-1]

    yield start
    for each in running:
        each.end()


ordered = pytest.mark.parametrize("run", ["real", "real-atomic"], indirect=True)
atomic = pytest.mark.parametrize("run", ["real-atomic"], indirect=True)


def test_example_new_informer_a_handler_that_deletes_what_it_sees(run: Run) -> None:
    source = FakeSource()
    deleted: list[str] = []
    done = threading.Semaphore(0)

    def on_delete(obj: KubeObject) -> None:
        deleted.append(obj.key)
        done.release()

    informer = run(
        source, ResourceEventHandlerFuncs(on_add=lambda obj: source.delete(obj.name), on_delete=on_delete)
    )
    settle(informer.controller.has_synced)
    for name in ("a-hello", "b-controller", "c-framework"):
        source.add(name)
    for _ in range(3):
        assert done.acquire(timeout=PATIENCE_S)
    assert sorted(deleted) == ["default/a-hello", "default/b-controller", "default/c-framework"]
    assert informer.store.list_keys() == []


@pytest.mark.parametrize("engine", ENGINES)
def test_example_a_controller_made_of_its_parts(engine: str) -> None:
    source = FakeSource()
    store = new_indexer()
    store.tracks_resource_version = engine == "real-atomic"
    deleted: list[str] = []
    done = threading.Semaphore(0)

    def process(deltas: Any, is_in_initial_list: bool) -> None:
        for type_, obj in ((delta.type, delta.object) for delta in deltas):
            if type_ == "Deleted":
                store.delete(obj)
                deleted.append(obj.key)
                done.release()
            elif isinstance(obj, KubeObject):
                store.update(obj)
                source.delete(obj.name)

    queue = new_queue(engine, known_objects=store)
    clock = SystemClock()

    def make_reflector() -> Reflector:
        return Reflector(source, queue, name="example", use_watch_list=False, clock=clock, rng=new_random(1))

    controller = Controller(
        ControllerConfig(name="example", queue=queue, make_reflector=make_reflector, process=process, clock=clock)
    )
    stop = CancelToken()
    thread = threading.Thread(target=controller.run, args=(stop,))
    thread.start()
    settle(controller.has_synced)
    for name in ("a-hello", "b-controller", "c-framework"):
        source.add(name)
    for _ in range(3):
        assert done.acquire(timeout=PATIENCE_S)
    stop.cancel()
    thread.join(PATIENCE_S)
    assert sorted(deleted) == ["default/a-hello", "default/b-controller", "default/c-framework"]
    assert store.list_keys() == []


def test_hammer_controller(run: Run) -> None:
    source = FakeSource()
    recorder = Recorder()
    _, controller = new_informer(source, recorder, resource=CONFIG_MAPS)
    assert not controller.has_synced()
    assert controller.last_sync_resource_version() == ""
    informer = run(source, recorder)
    settle(informer.controller.has_synced)

    def hammer(seed: int) -> None:
        rng = random.Random(seed)
        mine: list[str] = []
        for number in range(100):
            if mine and rng.random() < 0.5:
                name = rng.choice(mine)
                if rng.random() < 0.3:
                    source.delete(mine.pop(mine.index(name)))
                else:
                    source.modify(name)
            else:
                mine.append(f"{seed}-{number}")
                source.add(mine[-1])

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    settle(lambda: sorted(informer.store.list_keys()) == source.keys())
    assert informer.controller.last_sync_resource_version() == str(source.version)


def test_update_only_transitions_that_can_be(run: Run) -> None:
    source = FakeSource()
    seen: set[tuple[str, str]] = set()
    deletes = threading.Semaphore(0)

    def phase(obj: KubeObject) -> str:
        return str(obj["phase"])

    handler = ResourceEventHandlerFuncs(
        on_update=lambda old, new: seen.add((phase(old), phase(new))), on_delete=lambda obj: deletes.release()
    )
    run(source, handler)
    assert source.wait_for_watch()
    for number in range(10):
        name = f"o{number}"
        source.add(name, phase="from")
        source.modify(name, phase="from" if number % 2 else "to")
        source.modify(name, phase="to")
        source.delete(name)
    for _ in range(10):
        assert deletes.acquire(timeout=PATIENCE_S)
    assert seen <= {("from", "to"), ("to", "to"), ("from", "from")}


def test_ct15_panic_propagated(run: Run) -> None:
    def fail(obj: KubeObject) -> None:
        raise RuntimeError("test panic")

    source = FakeSource()
    source.add("a")
    informer = run(source, ResourceEventHandlerFuncs(on_add=fail), crash_through=True)
    informer.join()
    assert [str(error) for error in informer.raised] == ["test panic"]


def test_ct1_without_crash_through_the_loop_pauses_and_goes_on(run: Run) -> None:
    clock = VirtualClock()
    seen: list[str] = []
    failed, done = threading.Event(), threading.Event()

    def on_add(obj: KubeObject) -> None:
        seen.append(obj.name)
        if obj.name == "bad":
            failed.set()
            raise RuntimeError("on purpose")
        done.set()

    source = FakeSource()
    informer = run(source, ResourceEventHandlerFuncs(on_add=on_add), clock=clock)
    settle(informer.controller.has_synced)
    source.add("bad")
    assert failed.wait(PATIENCE_S)
    settle(lambda: clock.waiting() > 0)
    source.add("good")
    settle(done.is_set, clock)
    assert seen == ["bad", "good"]
    assert informer.raised == []


def test_ct12_handlers_run_synchronously_and_resync_has_no_filter(run: Run) -> None:
    clock = VirtualClock()
    source = FakeSource()
    source.add("a")
    recorder = Recorder()
    threads: set[int] = set()
    handler = ResourceEventHandlerFuncs(
        on_add=lambda obj: threads.add(threading.get_ident()), on_update=recorder.on_update
    )
    informer = run(source, handler, resync_period=1.0, clock=clock)
    settle(lambda: bool(threads))  # a tick before the first add would find an empty store, and resync nothing
    settle_armed(informer.controller.reflector, clock)
    clock.advance(1)
    recorder.wait(1)
    assert recorder.details == [("update", "a", "1", "1", True)]
    assert threads == {informer._thread.ident}


def upper(obj: KubeObject) -> KubeObject:
    decoded = obj.to_dict()
    decoded["data"] = {"name": obj.name.upper()}
    return KubeObject.from_dict(decoded)


def test_transforming_informer(run: Run) -> None:
    source = FakeSource()
    source.add("a")
    seen: list[Any] = []
    deleted = threading.Event()

    def data(obj: KubeObject) -> Any:
        return obj.get("data")

    def on_delete(obj: KubeObject) -> None:
        seen.append(("delete", data(obj)))
        deleted.set()

    handler = ResourceEventHandlerFuncs(
        on_add=lambda obj: seen.append(("add", data(obj))),
        on_update=lambda old, new: seen.append(("update", data(old), data(new))),
        on_delete=on_delete,
    )
    informer = run(source, handler, transform=upper)
    settle(informer.controller.has_synced)
    assert source.wait_for_watch()
    source.modify("a")
    source.delete("a")
    assert deleted.wait(PATIENCE_S)
    done = {"name": "A"}
    assert seen == [("add", done), ("update", done, done), ("delete", done)]


def test_transforming_informer_race_resyncs_never_transform_again(run: Run) -> None:
    source = FakeSource()
    transformed: list[str] = []

    def once(obj: KubeObject) -> KubeObject:
        transformed.append(obj.key)
        assert "data" not in obj
        return upper(obj)

    for number in range(5):
        source.add(f"o{number}")
    waves = threading.Semaphore(0)
    handler = ResourceEventHandlerFuncs(on_update=lambda old, new: waves.release())
    informer = run(source, handler, transform=once, resync_period=0.005, watch_list=False)
    settle(informer.controller.has_synced)
    for _ in range(50):
        assert waves.acquire(timeout=PATIENCE_S)
        assert all(obj["data"]["name"] == obj.name.upper() for obj in informer.store.list())
    assert sorted(transformed) == [f"default/o{number}" for number in range(5)]


@ordered
def test_replace_events_deletes_first_then_list_order(run: Run) -> None:
    source = FakeSource()
    for name in ("a", "b", "c"):
        source.add(name)
    seen: list[tuple[str, str]] = []
    relisted = threading.Event()

    def note(kind: str, name: str) -> None:
        seen.append((kind, name))
        if (kind, name) == ("add", "d"):
            relisted.set()

    handler = ResourceEventHandlerFuncs(
        on_add=lambda obj: note("add", obj.name),
        on_update=lambda old, new: note("update", new.name),
        on_delete=lambda obj: note("delete", obj.key),
    )
    informer = run(source, handler, watch_list=False)
    settle(informer.controller.has_synced)
    assert source.wait_for_watch()
    source.delete("b", drop=True)
    source.modify("c", drop=True)
    source.add("d", drop=True)
    seen.clear()
    informer.controller.reflector.force_relist(direct=True)
    assert relisted.wait(PATIENCE_S)
    assert seen == [("delete", "default/b"), ("update", "a"), ("update", "c"), ("add", "d")]


@ordered
def test_reset_watch_gives_updates_and_adds_that_are_not_initial(run: Run) -> None:
    clock = VirtualClock()
    source = FakeSource()
    source.add("a")
    recorder = Recorder()
    informer = run(source, recorder, watch_list=False, clock=clock)
    settle(informer.controller.has_synced)
    assert source.wait_for_watch()
    source.modify("a", drop=True)
    source.add("b", drop=True)
    source.reset_watch()
    settle(lambda: len(recorder.calls) == 3, clock)
    assert recorder.details == [
        ("add", "a", "1", True),
        ("update", "a", "1", "2", False),
        ("add", "b", "3", False),
    ]


@atomic
def test_store_resource_version_follows_modify_and_delete(run: Run) -> None:
    source = FakeSource()
    source.add("a")
    recorder = Recorder()
    informer = run(source, recorder)
    settle(informer.controller.has_synced)
    assert source.wait_for_watch()
    version = informer.store.last_store_sync_resource_version
    assert version() == "1"
    source.modify("a")
    recorder.wait(2)
    assert version() == "2"
    source.delete("a")
    recorder.wait(3)
    assert version() == "3"
    source.bookmark()
    source.add("b")
    recorder.wait(4)
    assert version() == "4"


class Bare:
    """An object without metadata."""

    def __init__(self, name: str) -> None:
        self.bare_name = name


def bare_key(obj: Any) -> str:
    return str(obj.bare_name) if isinstance(obj, Bare) else str(obj.key)


@atomic
def test_store_resource_version_with_non_meta_transform(run: Run) -> None:
    source = FakeSource()
    source.add("a")
    done = threading.Semaphore(0)
    handler = ResourceEventHandlerFuncs(
        on_add=lambda obj: done.release(), on_update=lambda old, new: done.release()
    )
    informer = run(
        source, handler, transform=lambda obj: Bare(obj.name), key_func=bare_key, watch_list=False
    )
    assert done.acquire(timeout=PATIENCE_S)
    assert informer.store.last_store_sync_resource_version() == "1"
    assert source.wait_for_watch()
    source.modify("a")
    assert done.acquire(timeout=PATIENCE_S)
    assert informer.store.last_store_sync_resource_version() == "1"
    source.add("b")
    informer.controller.reflector.force_relist(direct=True)
    for _ in range(2):
        assert done.acquire(timeout=PATIENCE_S)
    settle(lambda: informer.store.last_store_sync_resource_version() == "3")


def test_a_store_error_abandons_its_entry_and_the_loop_goes_on(run: Run) -> None:
    def index(obj: KubeObject) -> list[str]:
        if obj.name == "bad":
            raise InformerError("no index value")
        return [obj.name]

    source = FakeSource()
    recorder = Recorder()
    informer = run(source, recorder, indexers={"name": index})
    settle(informer.controller.has_synced)
    assert source.wait_for_watch()
    source.add("bad")
    settle(lambda: informer.store.get_by_key("default/bad") is not None)
    source.add("good")
    recorder.wait_for("add", "good")
    assert informer.raised == []
