"""A cluster client in front of scripted sources, and waiting for what an observation shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kdash.informer.errors import InformerError
from kdash.informer.list_watch import ListerWatcher
from kdash.informer.resources import ResourceInfo
from kdash.observe.live import LiveObservation, Wanted
from kdash.probe.snapshot import Snapshot
from tests.informer.fake_source import FakeSource

CONFIG_MAPS = ResourceInfo("", "v1", "configmaps", "ConfigMap", True)


class FakeClient:
    """Knows one resource and serves it from a `FakeSource`; `failures` come first."""

    context = "fake"
    namespace = "default"
    server = "http://fake"

    def __init__(self, source: FakeSource, failures: list[Exception] | None = None) -> None:
        self.source = source
        self.failures = failures or []
        self.attempts = 0
        self.closed = False

    def connect(self, tap: Any) -> FakeClient:
        self.attempts += 1
        if self.failures:
            raise self.failures.pop(0)
        return self

    def resolve(self, resource: str) -> ResourceInfo:
        return CONFIG_MAPS

    def resolve_all(self, names: str) -> list[ResourceInfo]:
        if names not in ("configmaps", "cm"):
            raise InformerError(f"no resource {names}")
        return [CONFIG_MAPS]

    def lister_watcher(self, resource: ResourceInfo, namespace: str = "", **options: Any) -> ListerWatcher:
        return self.source

    def close(self) -> None:
        self.closed = True


@contextmanager
def observing(client: FakeClient, **wanted: Any) -> Iterator[LiveObservation]:
    """A started observation of `client`, stopped at the end."""
    options = {"resources": ("configmaps",), "seed": 1, **wanted}
    observation = LiveObservation(client.connect, Wanted(**options))
    observation.start()
    try:
        yield observation
    finally:
        observation.stop(5.0)


def shows(
    observation: LiveObservation, test: Callable[[Snapshot], object], timeout_s: float = 30.0
) -> Snapshot:
    """Wait until the snapshot passes `test`; fails with the last one."""
    pause, until = threading.Event(), time.monotonic() + timeout_s
    while True:
        picture = observation.snapshot()
        if test(picture):
            return picture
        assert time.monotonic() < until, f"not seen within {timeout_s} s; last: {picture}"
        pause.wait(0.01)


def synced(picture: Snapshot) -> bool:
    """Every cache and every handler has the initial state, and the watches are open."""
    informers, handlers = picture.informers, picture.handlers
    watching = all(informer.synced and informer.state == "watching" for informer in informers)
    done = all(handler.synced and handler.pending == 0 for handler in handlers)
    return bool(informers) and picture.state.word == "LIVE" and watching and done
