"""Scripted counterparts for tests of the reflector: a server that plays a script, a store that keeps
notes, and a clock that jumps. With them `Reflector.run` runs to its end in the test's own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from kdash.informer.clock import VirtualClock, new_random
from kdash.informer.errors import ApiStatusError, StopRequested
from kdash.informer.list_watch import CancelToken, ListOptions, ListPage, WatchEvent
from kdash.informer.objects import KubeObject
from kdash.informer.reflector import Reflector
from kdash.informer.tap import RingTap, as_dict
from tests.informer.fake_source import API_VERSION, KIND, FakeSource, expired, make_object

TOO_MANY = ApiStatusError(429, "TooManyRequests", "slow down")
INTERNAL = ApiStatusError(500, "InternalError", "etcdserver: leader changed")
WAIT_S = 10.0
"""How long tests wait for what another thread is about to do."""


class JumpingClock(VirtualClock):
    """A virtual clock on which every timed wait of the reflector is over at once; `slept` lists them.

    Its timer's thread waits for what really passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def wait(self, condition: threading.Condition, timeout_s: float | None = None) -> bool:
        if timeout_s is None or threading.current_thread().name.startswith("kdash-resync"):
            return super().wait(condition, timeout_s)
        self.slept.append(timeout_s)
        self._now += timeout_s
        return False


class RecordingStore:
    """A store that keeps the objects and notes every call."""

    def __init__(self) -> None:
        self.objects: dict[str, KubeObject] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.fail: Callable[[str, Any], None] | None = None
        """Called with (operation, object or list) before each; what it raises, the store raises."""

    def _note(self, operation: str, what: Any, *noted: Any) -> None:
        if self.fail is not None:
            self.fail(operation, what)
        self.calls.append((operation, *noted))

    def add(self, obj: KubeObject, cause: int = 0) -> None:
        self._note("add", obj, obj.key, obj.resource_version)
        self.objects[obj.key] = obj

    def update(self, obj: KubeObject, cause: int = 0) -> None:
        self._note("update", obj, obj.key, obj.resource_version)
        self.objects[obj.key] = obj

    def delete(self, obj: KubeObject, cause: int = 0) -> None:
        self._note("delete", obj, obj.key, obj.resource_version)
        self.objects.pop(obj.key, None)

    def replace(self, objects: Sequence[KubeObject], resource_version: str, cause: int = 0) -> None:
        self._note("replace", objects, tuple(obj.key for obj in objects), resource_version)
        self.objects = {obj.key: obj for obj in objects}

    def resync(self, tick: int = 0) -> None:
        self._note("resync", tick, tick)

    def bookmark(self, resource_version: str, cause: int = 0) -> None:
        self._note("bookmark", resource_version, resource_version)

    def contents(self) -> dict[str, str]:
        return {key: obj.resource_version for key, obj in self.objects.items()}


def event(type_: str, name: str, version: int | str, **content: Any) -> WatchEvent:
    obj = make_object(name, version, **content)
    return WatchEvent(type_, obj, None, obj.size)


def error_event(error: ApiStatusError) -> WatchEvent:
    return WatchEvent("ERROR", None, error)


def page(version: int | str, *names: str, token: str = "", kind: str = f"{KIND}List") -> ListPage:
    """A list page; names may be "name@version"."""
    items = []
    for name in names:
        name, _, item_version = name.partition("@")
        items.append(make_object(name, item_version or 1))
    return ListPage(items, str(version), token, None, 100, kind, API_VERSION)


class ScriptedStream:
    """Plays batches; a callable among them is called, an exhausted script is the end of the stream."""

    def __init__(self, *steps: Any) -> None:
        self._steps = list(steps)
        self.stops = 0
        self.reads = 0

    def next_batch(self) -> Sequence[WatchEvent]:
        self.reads += 1
        while self._steps:
            step = self._steps.pop(0)
            if callable(step):
                step()
                continue
            return [step] if isinstance(step, WatchEvent) else list(step)
        return []

    def stop(self) -> None:
        self.stops += 1


class ScriptedServer:
    """Answers lists and watches from scripts (pages, streams, exceptions, or functions that give one of
    those).

    A request beyond the script stops the reflector that `reflector` names.
    """

    def __init__(self, lists: Sequence[Any] = (), watches: Sequence[Any] = ()) -> None:
        self._lists = list(lists)
        self._watches = list(watches)
        self.list_options: list[ListOptions] = []
        self.watch_options: list[ListOptions] = []
        self.verbs: list[str] = []
        self.reflector: Reflector | None = None

    def _next(self, script: list[Any]) -> Any:
        if not script:
            if self.reflector is not None:
                self.reflector.stop()
            raise StopRequested("the script is over")
        answer = script.pop(0)
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def list(self, options: ListOptions, cancel: CancelToken) -> ListPage:
        self.list_options.append(options)
        self.verbs.append("LIST")
        return self._next(self._lists)

    def watch(self, options: ListOptions, cancel: CancelToken) -> Any:
        self.watch_options.append(options)
        self.verbs.append("WATCHLIST" if options.send_initial_events else "WATCH")
        return self._next(self._watches)

    def list_versions(self) -> list[str]:
        return [options.resource_version for options in self.list_options]


class Run:
    """A reflector against a script, run to the script's end in this thread."""

    def __init__(self, lists: list[Any], watches: list[Any], *, go: bool = True, **settings: Any) -> None:
        self.clock = settings.pop("clock", None) or JumpingClock()
        self.store = settings.pop("store", None) or RecordingStore()
        self.server = ScriptedServer(lists, watches)
        self.tap = RingTap(clock=self.clock)
        self.errors: list[Exception] = []
        settings.setdefault("use_watch_list", False)
        settings.setdefault("watch_error_handler", self.errors.append)
        self.reflector = Reflector(
            self.server, self.store, name="test", expected_api_version=API_VERSION, expected_kind=KIND,
            clock=self.clock, rng=new_random(5), tap=self.tap, **settings,
        )  # fmt: skip
        self.server.reflector = self.reflector
        self._records: list[dict[str, Any]] = []
        if go:
            self.reflector.run()

    def records(self, kind: str) -> list[dict[str, Any]]:
        self._records += [as_dict(record) for record in self.tap.drain()]
        return [record for record in self._records if record["kind"] == kind]


def relisting(lists: list[Any], **settings: Any) -> Run:
    """Every list but the last is followed by a watch that expires."""
    return Run(lists, [lambda: ScriptedStream(error_event(expired()))] * len(lists), **settings)


class Live:
    """A reflector in its threads against a `FakeSource`, on a virtual clock."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.source = settings.pop("source", None) or FakeSource()
        self.source.add("a")
        self.store = settings.pop("store", None) or RecordingStore()
        self.tap = RingTap(clock=self.clock)
        self.resyncs = threading.Semaphore(0)
        self.on_resync: Callable[[int], None] = lambda tick: None
        self.store.fail = self._note
        settings.setdefault("use_watch_list", False)
        self.reflector = Reflector(
            self.source,
            self.store,
            name="live",
            clock=self.clock,
            rng=new_random(2),
            tap=self.tap,
            **settings,
        )
        self._records: list[dict[str, Any]] = []

    def _note(self, operation: str, what: Any) -> None:
        if operation == "resync":
            try:
                self.on_resync(what)
            finally:
                self.resyncs.release()

    def __enter__(self) -> Live:
        self.reflector.start()
        assert self.source.wait_for_watch(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.reflector.stop()
        assert self.reflector.join(WAIT_S)

    def until(self, predicate: Callable[[], bool]) -> None:
        """Wait for something that another thread is about to do."""
        tick = threading.Event()
        for _ in range(2000):
            if predicate():
                return
            tick.wait(0.005)
        raise AssertionError("it did not happen")

    def settle(self) -> None:
        """Until the resync timer waits on the clock."""
        self.until(lambda: self.clock.waiting() == 1)

    def records(self, kind: str) -> list[dict[str, Any]]:
        self._records += [as_dict(record) for record in self.tap.drain()]
        return [record for record in self._records if record["kind"] == kind]
