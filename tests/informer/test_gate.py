"""The gate: nothing passes while it is held, single steps do, nothing is lost, a stop opens it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kdash.informer.informer_options import SharedIndexInformerOptions
from kdash.informer.shared_informer import SharedIndexInformer
from tests.informer.fake_source import FakeSource

ENGINES = ("delta", "real", "real-atomic")


class Keeper:
    """Remembers what it was told, in order."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str]] = []
        self.changed = threading.Condition()

    def _tell(self, kind: str, obj: Any) -> None:
        with self.changed:
            self.got.append((kind, obj.key, getattr(obj, "resource_version", "")))
            self.changed.notify_all()

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self._tell("add", obj)

    def on_update(self, old: Any, new: Any) -> None:
        self._tell("update", new)

    def on_delete(self, obj: Any) -> None:
        self._tell("delete", obj)

    def waits_for(self, count: int) -> list[tuple[str, str, str]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, 30), f"only {self.got}"
            return list(self.got)


@contextmanager
def running(source: FakeSource, engine: str, *keepers: Keeper) -> Iterator[SharedIndexInformer]:
    informer = SharedIndexInformer(source, SharedIndexInformerOptions(queue=engine, name="x"))
    for keeper in keepers:
        informer.add_event_handler(handler=keeper, name=f"k{keepers.index(keeper)}")
    informer.start()
    try:
        yield informer
    finally:
        assert informer.stop(30)


def eventually(test: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    pause = threading.Event()
    while not test():
        assert time.monotonic() < until, "not seen within 30 s"
        pause.wait(0.005)


def depth(informer: SharedIndexInformer) -> int:
    assert informer.queue is not None
    return informer.queue.depth()[1]


@pytest.mark.parametrize("engine", ENGINES)
def test_held_entries_pile_up_and_a_step_lets_exactly_one_through(engine: str) -> None:
    source, keeper = FakeSource(), Keeper()
    source.add("a")
    with running(source, engine, keeper) as informer:
        keeper.waits_for(1)
        informer.hold(handlers=False)
        for name in ("b", "c", "d"):
            source.add(name)
        eventually(lambda: depth(informer) == 3)
        assert informer.indexer.get_by_key("default/b") is None
        informer.gate.let_entry_through()
        assert [key for _, key, _ in keeper.waits_for(2)] == ["default/a", "default/b"]
        assert depth(informer) == 2
        assert informer.indexer.get_by_key("default/c") is None
        informer.release()
        assert [key for _, key, _ in keeper.waits_for(4)] == [f"default/{name}" for name in "abcd"]


@pytest.mark.parametrize("engine", ENGINES)
def test_held_handlers_get_one_notification_a_step_and_the_rest_in_order_after_the_release(engine: str) -> None:
    source, first, second = FakeSource(), Keeper(), Keeper()
    with running(source, engine, first, second) as informer:
        eventually(informer.has_synced)
        informer.hold(entries=False)
        for number in range(5):
            source.add(f"n{number}")
        listeners = [registration.listener for registration in informer.registrations()]
        eventually(lambda: all(listener.waiting() == 5 for listener in listeners))
        assert informer.indexer.get_by_key("default/n4") is not None
        assert first.got == second.got == []
        assert listeners[0].let_through()
        first.waits_for(1)
        assert second.got == []
        informer.release()
        keys = [f"default/n{number}" for number in range(5)]
        assert [key for _, key, _ in first.waits_for(5)] == keys
        assert [key for _, key, _ in second.waits_for(5)] == keys


def test_more_steps_than_notifications_are_refused() -> None:
    source, keeper = FakeSource(), Keeper()
    with running(source, "delta", keeper) as informer:
        eventually(informer.has_synced)
        listener = informer.registrations()[0].listener
        assert not listener.let_through()
        informer.hold()
        assert not listener.let_through()


def test_a_handler_that_joins_while_held_is_held_too() -> None:
    source, keeper, late = FakeSource(), Keeper(), Keeper()
    source.add("a")
    with running(source, "delta", keeper) as informer:
        keeper.waits_for(1)
        informer.hold()
        registration = informer.add_event_handler(handler=late, name="late")
        assert registration.listener.held
        assert registration.listener.waiting() == 1
        informer.release()
        late.waits_for(1)


def test_a_held_delta_fifo_merges_what_comes_for_a_key_that_waits() -> None:
    source, keeper = FakeSource(), Keeper()
    source.add("a")
    with running(source, "delta", keeper) as informer:
        keeper.waits_for(1)
        informer.hold()
        for number in range(4):
            source.modify("a", data={"n": str(number)})
        eventually(lambda: depth(informer) == 4)
        assert informer.queue is not None and informer.queue.depth()[0] == 1
        informer.release()
        keeper.waits_for(5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stop_while_held_ends_everything(engine: str) -> None:
    source, keeper = FakeSource(), Keeper()
    source.add("a")
    with running(source, engine, keeper) as informer:
        keeper.waits_for(1)
        informer.hold()
        source.add("b")
        eventually(lambda: depth(informer) == 1)
    assert informer.is_stopped()
    assert not informer.gate.held
