"""The demo's cluster lives: seeded objects, small controllers, a fake kubelet, a scenario.

Contract
- `step(now)` brings the cluster up to an instant: it takes what others changed, runs the timers that are due
  and reconciles until nothing is left to do. On a virtual clock the same seed, storage and instants give the
  same writes in the same order. `start` runs steps on a thread of its own, by the system's clock, until
  `stop`.
- Steps never run at the same time: `step`, `change_something`, `restart_pod` and the thread share one lock.
- The storage is the only thing shared with the server; the workload never waits for a client.
"""

from __future__ import annotations

import functools
import gc
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from .cluster_state import RESOURCES as _RESOURCES
from .cluster_state import WATCHED, ClusterState
from .controllers import DeploymentController, ReplicaSetController
from .garbage import GarbageCollector
from .guard import Guard
from .job_controllers import CronJobController, JobController
from .kubelet import Kubelet
from .pod_factory import PodFactory
from .pod_records import PodRecord, header_of
from .scenarios import DEFAULT, SCENARIOS, Background
from .seeding import Seeding
from .set_controllers import DaemonSetController, StatefulSetController
from .storage import Storage, StoredEvent

__all__ = ["SCENARIOS", "UnknownScenario", "Workload"]

Item = dict[str, Any]
DEFAULT_OBJECTS = 42
DEFAULT_RATE = 4.0
_TURNS = 100_000
_LONGEST_NAP_S = 0.5
_LARGEST_LAG_S = 1.0
_BUSY_S = 0.1


@contextmanager
def _without_collections() -> Iterator[None]:
    """Garbage is not looked for meanwhile."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class UnknownScenario(ValueError):
    """There is no scenario of that name."""


class Workload:
    """Everything that happens in the demo's cluster by itself."""

    def __init__(
        self,
        storage: Storage,
        *,
        objects: int = DEFAULT_OBJECTS,
        rate: float = DEFAULT_RATE,
        seed: int = 0,
        scenario: str | None = None,
        server: object = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A cluster of `objects` pods, stored by `seed`.

        `rate` is in background changes a second, `clock` gives seconds since 1970. `server` is kept for
        symmetry with the API server's other parts and not used. Raises `UnknownScenario`.
        """
        name = scenario or DEFAULT
        if name not in SCENARIOS:
            raise UnknownScenario(f"there is no scenario {name!r}: choose one of {', '.join(SCENARIOS)}")
        self._clock = clock
        self._lock = threading.Lock()  # guards the state and everything that works on it
        self._wake = threading.Event()
        self._pause = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        state = self._state = ClusterState(storage, random.Random(seed), clock())
        factory = PodFactory(state)
        self._kubelet = Kubelet(state)
        self._garbage = GarbageCollector(state)
        self._garbage.wake = self._wake.set
        self._guard = Guard("workload")
        self._cron_jobs = CronJobController(state)
        self._background = Background(state, self._kubelet, SCENARIOS[name], rate)
        self._controllers: dict[str, Any] = {
            "Deployment": DeploymentController(state),
            "ReplicaSet": ReplicaSetController(state, factory),
            "StatefulSet": StatefulSetController(state, factory),
            "DaemonSet": DaemonSetController(state, factory),
            "Job": JobController(state, factory),
            "CronJob": self._cron_jobs,
        }
        self._dirty: dict[tuple[str, str, str], None] = {}
        self._objects = objects
        self._is_seeded = False

    def seed(self) -> None:
        """Put the cluster's objects into the storage, once; `start` and `step` do it if nobody has."""
        with self._lock:
            if self._is_seeded:
                return
            self._is_seeded = True
            state = self._state
            state.now = self._clock()
            with _without_collections():  # what is made stays: looking for garbage takes a third of the time
                Seeding(state).run(self._objects)
            for kind in WATCHED:
                state.storage.subscribe(_RESOURCES[kind], state.storage.current_version,
                                        functools.partial(self._note, kind))
            self._garbage.begin()
            self._kubelet.watch_nodes()
            self._cron_jobs.begin()
            self._background.begin()

    def _note(self, kind: str, event: StoredEvent) -> None:
        self._state.deliver(kind, event)
        self._wake.set()

    # running -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Live by the clock, on a thread, until `stop`."""
        self.seed()
        if self._thread is None:
            self._guard.on = True
            self._thread = threading.Thread(target=self._guard.life, args=(self._run,), name="demo-workload",
                                            daemon=True)  # fmt: skip
            self._thread.start()

    @property
    def failures(self) -> int:
        """How often something went wrong since `start`; the log says what."""
        return self._guard.failures

    def stop(self) -> None:
        """Stop the thread and wait for it."""
        self._stopping = True
        self._wake.set()
        self._pause.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            now, began = self._clock(), time.perf_counter()
            with self._lock:
                self._catch_up(now, not_before=now - _LARGEST_LAG_S, until=began + _BUSY_S)
            if time.perf_counter() - began > _BUSY_S:  # more is asked for than can be done: leave some time to others
                self._pause.wait(_BUSY_S / 4)
                continue
            due = self._state.next_timer_at
            self._wake.wait(_LONGEST_NAP_S if due is None else min(_LONGEST_NAP_S, max(0.0, due - self._clock())))

    def step(self, now: float) -> None:
        """Bring the cluster up to `now` (seconds since 1970; going back is ignored)."""
        self.seed()
        with self._lock:
            self._catch_up(now)

    def _catch_up(self, now: float, not_before: float = 0.0, until: float = math.inf) -> None:
        """Do what is due until `now`; what was due long before happens as if at `not_before`.

        At `until` (of the performance counter) the rest is left for the next time.
        """
        state = self._state
        self._settle()
        while not self._stopping and state.has_due(now):
            self._guard.run("what was due", state.run_next_timer, not_before)
            self._settle()
            if time.perf_counter() > until:
                return
        state.now = max(state.now, now)

    @property
    def next_timer_at(self) -> float | None:
        """When something is due to happen next, for driving steps on a virtual clock."""
        return self._state.next_timer_at

    def change_something(self, namespace: str = "", name: str = "") -> str:
        """Change one pod (the named one, or any) a little; gives its `namespace/name`, or "" if there is
        none.
        """
        self.seed()
        with self._lock:
            pod = self._state.pods.find(namespace, name) if name else self._state.random_pod()
            if pod is None:
                return ""
            self._background.touch(pod)
            return f"{pod.namespace}/{pod.name}"

    def restart_pod(self, namespace: str, name: str) -> bool:
        """Let a running pod's containers fail and start again; False if it does not run."""
        self.seed()
        with self._lock:
            pod = self._state.pods.find(namespace, name)
            if pod is None or not (pod.active and pod.started):
                return False
            self._kubelet.restart(pod)
        self._wake.set()
        return True

    # reconciling ---------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Take the changes and reconcile what they touch, until there is nothing left."""
        for _ in range(_TURNS):
            for kind, event in self._state.take_events():
                self._guard.run(f"{kind} {event.key}", self._take, kind, event)
            for resource, event in self._garbage.pending():
                self._guard.run(f"{resource} {event.key}", self._garbage.take, resource, event)
            if not self._dirty:
                return
            key = next(iter(self._dirty))
            del self._dirty[key]
            kind, namespace, name = key
            self._guard.run(f"{kind} {namespace}/{name}", self._controllers[kind].reconcile, namespace, name)

    def _mark(self, kind: str, item: Item) -> None:
        meta = item["metadata"]
        self._dirty[kind, meta.get("namespace", ""), meta["name"]] = None

    def _take(self, kind: str, event: StoredEvent) -> None:
        gone = event.type == "DELETED"
        if kind == "Pod":
            self._take_pod(event, gone=gone)
            return
        item = msgspec.json.decode(event.raw)
        item["kind"] = kind
        meta = item["metadata"]
        if kind == "Node":
            self._take_node(item, event)
        if kind in self._controllers and not gone:
            self._mark(kind, item)
        for owner in meta.get("ownerReferences") or []:
            if owner.get("kind") in self._controllers:
                self._dirty[owner["kind"], meta.get("namespace", ""), owner["name"]] = None

    def _take_node(self, item: Item, event: StoredEvent) -> None:
        name = item["metadata"]["name"]
        if event.type == "MODIFIED":
            self._state.note_node(item)
            return
        self._state.note_node(item, gone=event.type == "DELETED")
        if event.type == "ADDED":
            self._kubelet.watch_node(name)
        for daemon_set in self._state.items("DaemonSet"):
            self._mark("DaemonSet", daemon_set)

    def _take_pod(self, event: StoredEvent, *, gone: bool) -> None:
        header = header_of(event.raw)
        pods = self._state.pods
        record: PodRecord | None
        if gone:
            record = pods.remove(header.metadata.uid)
            for owner in header.metadata.ownerReferences or []:
                if owner.kind in self._controllers:
                    self._dirty[owner.kind, header.metadata.namespace, owner.name] = None
            if record is not None:
                self._kubelet.forget(record)
            return
        before = pods.find(header.metadata.namespace, header.metadata.name)
        was = (before.ready, before.phase, before.deleting) if before is not None else None
        record = pods.take(header)
        self._kubelet.notice(record)
        if record.owner_kind in self._controllers and (
                event.previous is None or was != (record.ready, record.phase, record.deleting)
                or self._changed(event)):
            self._dirty[record.owner_kind, record.namespace, record.owner_name] = None

    @staticmethod
    def _changed(event: StoredEvent) -> bool:
        """True if a pod's readiness, phase or deletion differs from the state before."""
        if event.previous is None:
            return True
        old, new = header_of(event.previous), header_of(event.raw)
        return (old.status, old.metadata.deletionTimestamp) != (new.status, new.metadata.deletionTimestamp)
