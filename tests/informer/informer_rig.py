"""A shared informer over a `FakeSource`, with handlers that note their calls: for tests of the upper half of
the core.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from kdash.informer.clock import Clock, VirtualClock, new_random
from kdash.informer.resources import ResourceInfo
from kdash.informer.shared_informer import SharedIndexInformer, SharedIndexInformerOptions
from tests.informer.fake_source import FakeSource

PATIENCE_S = 20.0
ENGINES = ("delta", "real", "real-atomic")
CONFIG_MAPS = ResourceInfo("", "v1", "configmaps", "ConfigMap", True)


class Recorder:
    """A handler that notes `(kind, name)` of each call, and more in `details`. `gate` holds every call up."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.calls: list[tuple[str, str]] = []
        self.details: list[tuple[Any, ...]] = []
        self.began = threading.Semaphore(0)
        self._gate = gate
        self._condition = threading.Condition()  # guards calls and details

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self._note(("add", obj.name), ("add", obj.name, obj.resource_version, is_in_initial_list))

    def on_update(self, old: Any, new: Any) -> None:
        versions = (old.resource_version, new.resource_version)
        self._note(("update", new.name), ("update", new.name, *versions, old is new))

    def on_delete(self, obj: Any) -> None:
        name = obj.key.rpartition("/")[2]
        self._note(("delete", name), ("delete", name, type(obj).__name__))

    def _note(self, call: tuple[str, str], detail: tuple[Any, ...]) -> None:
        self.began.release()
        if self._gate is not None:
            assert self._gate.wait(PATIENCE_S)
        with self._condition:
            self.calls.append(call)
            self.details.append(detail)
            self._condition.notify_all()

    def wait(self, count: int) -> list[tuple[str, str]]:
        """The calls, once there are `count` of them."""
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.calls) >= count, PATIENCE_S), (count, self.calls)
            return list(self.calls)

    def wait_for(self, *call: str) -> None:
        with self._condition:
            assert self._condition.wait_for(lambda: call in self.calls, PATIENCE_S), (call, self.calls)

    def forget(self) -> None:
        with self._condition:
            self.calls.clear()
            self.details.clear()


def settle(condition: Callable[[], bool], clock: VirtualClock | None = None, step_s: float = 0.1) -> None:
    """Wait until `condition` holds; with a `clock`, time moves on meanwhile."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 1000)):
        if condition():
            return
        if clock is not None:
            clock.advance(step_s)
        pause.wait(0.001)
    raise AssertionError("it never came to that")


def settle_armed(reflector: Any, clock: VirtualClock) -> None:
    """Wait until the resync timer waits for its next tick, so that `clock.advance` cannot come too early."""
    timer = reflector._timer
    settle(lambda: timer.due_at is not None and timer._condition in clock._waiters)


class Rig:
    """An informer over a source. `stop` ends it and must find no thread left."""

    def __init__(
        self,
        engine: str = "delta",
        clock: Clock | None = None,
        source: FakeSource | None = None,
        **options: Any,
    ):
        self.source = source or FakeSource()
        self.informer = SharedIndexInformer(
            self.source,
            SharedIndexInformerOptions(
                name=options.pop("name", "test"), resource=CONFIG_MAPS, queue=engine, clock=clock,
                rng=new_random(1), **options,
            ),
        )  # fmt: skip

    def start(self) -> Rig:
        self.informer.start()
        settle(self.informer.has_synced)
        assert self.source.wait_for_watch()
        return self

    def keys(self) -> list[str]:
        return sorted(self.informer.indexer.list_keys())

    def stop(self) -> None:
        assert self.informer.stop(PATIENCE_S)
