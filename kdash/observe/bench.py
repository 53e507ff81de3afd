"""Measures the informer: its first sync, a storm of changes, a resync wave, and what it costs in CPU and memory.

Contract: one `InformerBench` a measurement, used by one thread; it makes its own client, factory and tap, and the
requests of an informer (GET), nothing else. CPU is that of the whole process, so a server in the same process
would be counted: `bench_server` runs one beside it. Failures are `BenchFailed` with a sentence and an exit code.
"""

from __future__ import annotations

import gc
import os
import re
import resource as process_resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdash.informer.errors import ApiStatusError, InformerError
from kdash.informer.tap import RingTap, Tap
from kdash.observe.failures import state_of_failure

if TYPE_CHECKING:
    from kdash.cluster.client import ClusterClient
    from kdash.informer.list_watch import ListOptions
    from kdash.informer.shared_informer import SharedIndexInformer

__all__ = ["BenchFailed", "InformerBench", "Run", "Sync", "Wave", "peak_bytes", "resident_bytes"]

_ABOUT_REQUESTS = frozenset(("api.start", "api.bytes"))
_DRAIN_S = 0.05
_SETTLE_S = 30.0
_NO_CONNECTION = 3
_ASK_PS = ("ps", "-o", "rss=", "-p", str(os.getpid()))


class BenchFailed(Exception):
    """The measurement came to nothing; the sentence says why."""

    def __init__(self, sentence: str, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Sync:
    """The first sync: from the start of the informers until every handler has had every object."""

    objects: int
    wall_s: float
    cpu_s: float
    bytes: int
    """Of the answers' bodies as they came over the wire; 0 without a tap."""
    requests: int
    """0 without a tap."""


@dataclass(frozen=True, slots=True)
class Run:
    """Watch events from the first byte to the handler's return."""

    events: int
    wall_s: float
    cpu_s: float
    bytes: int

    @property
    def events_per_s(self) -> float:
        return self.events / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def cpu_us_per_event(self) -> float:
        return self.cpu_s / self.events * 1e6 if self.events else 0.0


@dataclass(frozen=True, slots=True)
class Wave:
    """A resync of everything."""

    calls: int
    wall_s: float
    cpu_s: float
    requests: int


class _Counter:
    """A handler that counts its calls and does nothing else."""

    def __init__(self) -> None:
        self.calls = 0
        self._target = sys.maxsize
        self._reached = threading.Event()

    def expect(self, more: int) -> None:
        """From now on, `wait` waits for so many calls."""
        self._reached.clear()
        self._target = self.calls + more

    def wait(self, timeout_s: float) -> bool:
        return self.calls >= self._target or self._reached.wait(timeout_s)

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self._called()

    def on_update(self, old: Any, new: Any) -> None:
        self._called()

    def on_delete(self, obj: Any) -> None:
        self._called()

    def _called(self) -> None:
        self.calls += 1
        if self.calls >= self._target:
            self._reached.set()


class _Reader:
    """Takes the tap's records 20 times a second, as the dashboard does; `take` gets them, too."""

    def __init__(self, tap: RingTap, take: Callable[[Sequence[Any]], None] | None) -> None:
        self.requests = self.bytes = 0
        self._tap, self._take = tap, take
        self._lock = threading.Lock()  # guards the counters against two readers at once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bench-tap", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(_DRAIN_S):
            self.read()

    def read(self) -> tuple[int, int]:
        """Requests and bytes so far."""
        with self._lock:
            records = self._tap.drain()
            for record in [record for record in records if record[2] in _ABOUT_REQUESTS]:
                if record[2] == "api.start":
                    self.requests += 1
                else:
                    self.bytes += record[6]
            if self._take is not None and records:
                self._take(records)
            return self.requests, self.bytes

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)


class InformerBench:
    """Informers of some resources with one handler each, and the clock on them.

    `connect` makes the client. `tapped=False` leaves the tap out; `take` is given the tap's records.
    """

    def __init__(
        self,
        connect: Callable[[Tap | None], ClusterClient],
        resources: Sequence[str] = ("pods",),
        *,
        namespace: str | None = None,
        all_namespaces: bool = False,
        tapped: bool = True,
        take: Callable[[Sequence[Any]], None] | None = None,
        select: Callable[[ListOptions], ListOptions] | None = None,
        **options: Any,
    ) -> None:
        """`namespace` None: the context's. `options` go to the `SharedInformerFactory`. Raises `BenchFailed`."""
        from kdash.informer.factory import SharedInformerFactory

        self._tap = RingTap() if tapped else None
        self._error: Exception | None = None
        self._names = ",".join(resources)
        try:
            self._client = connect(self._tap)
            infos = self._client.resolve_all(self._names)
        except (InformerError, OSError, ValueError) as error:
            raise self._failed(error) from None
        self._reader = None if self._tap is None else _Reader(self._tap, take)
        namespace = self._client.namespace if namespace is None else namespace
        self._factory = SharedInformerFactory(
            self._client, 3600.0, "" if all_namespaces else namespace, select, tap=self._tap, **options
        )
        self._handlers: list[_Counter] = []
        self.informers: list[SharedIndexInformer] = []
        for info in infos:
            informer, handler = self._factory.for_resource(info).informer(), _Counter()
            informer.set_watch_error_handler(self._note)
            informer.add_event_handler(handler=handler)
            self.informers.append(informer)
            self._handlers.append(handler)

    # measurements --------------------------------------------------------------------------------------

    def sync(self, timeout_s: float = 60.0) -> Sync:
        """Start and wait until everything has synced. Raises `BenchFailed`."""
        gc.collect()
        requests, size = self._counted()
        cpu, began = time.process_time(), time.perf_counter()
        self._factory.start()
        until = began + timeout_s
        while not all(each.has_synced() for informer in self.informers for each in informer.registrations()):
            denied = isinstance(self._error, ApiStatusError) and self._error.code in (401, 403)
            if denied or time.perf_counter() > until:
                raise self._not_synced(timeout_s)
            time.sleep(0.002)
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        requests_now, size_now = self._counted()
        return Sync(self.objects, wall_s, cpu_s, size_now - size, requests_now - requests)

    @property
    def objects(self) -> int:
        """How many objects are cached."""
        return sum(len(informer.indexer) for informer in self.informers)

    def storm(self, events: int, order: Callable[[], None], timeout_s: float = 120.0) -> Run:
        """`order` begins changes that lead to so many calls of the first handler. Raises `BenchFailed`."""
        handler = self._handlers[0]
        handler.expect(events)
        first = handler.calls
        _, size = self._counted()
        cpu, began = time.process_time(), time.perf_counter()
        order()
        if not handler.wait(timeout_s):
            raise BenchFailed(f"only {handler.calls - first} of {events} events came within {timeout_s:.0f} s")
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        return Run(events, wall_s, cpu_s, self._counted()[1] - size)

    def listen(self, seconds: float) -> Run:
        """What comes by itself in a while: for clusters that kdash does not change."""
        before = sum(handler.calls for handler in self._handlers)
        _, size = self._counted()
        cpu, began = time.process_time(), time.perf_counter()
        threading.Event().wait(seconds)
        events = sum(handler.calls for handler in self._handlers) - before
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        return Run(events, wall_s, cpu_s, self._counted()[1] - size)

    def wave(self, timeout_s: float = 120.0) -> Wave:
        """Resync the first informer and wait until its handler has had every object. Raises `BenchFailed`."""
        handler, informer = self._handlers[0], self.informers[0]
        count = len(informer.indexer)
        handler.expect(count)
        requests, _ = self._counted()
        cpu, began = time.process_time(), time.perf_counter()
        informer.resync_now()
        if not handler.wait(timeout_s):
            raise BenchFailed(f"the resync of {count} objects was not over within {timeout_s:.0f} s")
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        return Wave(count, wall_s, cpu_s, self._counted()[0] - requests)

    def settle(self) -> None:
        """Wait until the cache is packed, then collect garbage: memory is measured afterwards."""
        until, waiting, calm = time.perf_counter() + _SETTLE_S, -1, 0
        while calm < 10 and time.perf_counter() < until:
            before, waiting = waiting, sum(informer.indexer.waiting_to_be_packed() for informer in self.informers)
            calm = calm + 1 if waiting == before else 0
            time.sleep(0.03)
        self._counted()
        gc.collect()

    def close(self) -> None:
        """Stop everything."""
        self._factory.shutdown(timeout=2.0)
        self._client.close()
        if self._reader is not None:
            self._reader.stop()

    # failures ------------------------------------------------------------------------------------------

    def _counted(self) -> tuple[int, int]:
        return (0, 0) if self._reader is None else self._reader.read()

    def _note(self, error: Exception) -> None:
        self._error = error

    def _not_synced(self, timeout_s: float) -> BenchFailed:
        if self._error is not None:
            return self._failed(self._error)
        return BenchFailed(f"{self._names} not synced within {timeout_s:.0f} s", _NO_CONNECTION)

    def _failed(self, error: Exception) -> BenchFailed:
        state = state_of_failure(error, self._names, 0.0, None, 0)
        return BenchFailed(state.detail or str(error), state.exit_code or 1)


def resident_bytes() -> int:
    """What the process holds in memory now; 0 where the system does not tell."""
    found = _of_linux("VmRSS")
    if found is None:
        asked = subprocess.run(_ASK_PS, capture_output=True, text=True, check=False).stdout.strip()
        found = int(asked) if asked.isdigit() else 0
    return found << 10


def peak_bytes() -> int:
    """The most that the process ever held. (Linux lets a child begin with its parent's `ru_maxrss`.)"""
    found = _of_linux("VmHWM")
    if found is not None:
        return found << 10
    peak = process_resource.getrusage(process_resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def _of_linux(name: str) -> int | None:
    """A number of kilobytes that Linux tells of this process; None on other systems."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found.group(1)) if found else None
