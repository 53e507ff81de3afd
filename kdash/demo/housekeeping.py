"""What happens by itself in every cluster, also in one without a workload: garbage goes, namespaces end.

Contract: `start` runs it on a thread of its own until `stop`; `step` does what is due in the caller's thread instead.
There are no kubelets here, so pods that are collected get no grace period.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from kdash.demo import ages, seed_objects
from kdash.demo.cluster_state import ClusterState
from kdash.demo.garbage import GarbageCollector
from kdash.demo.guard import Guard
from kdash.demo.seeding import SYSTEM_NAMESPACES
from kdash.demo.storage import Storage

__all__ = ["Housekeeping"]


class Housekeeping:
    """The garbage collector and the namespace controller of a server without a workload."""

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        """Stores the namespaces that every cluster has."""
        self._clock = clock
        self._state = ClusterState(storage, random.Random(0), clock(), grace_s=0)
        self._garbage = GarbageCollector(self._state)
        self._guard = Guard("housekeeping")
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        created = ages.rfc3339(clock())
        made = [seed_objects.namespace(name, self._state.new_uid(), created) for name in SYSTEM_NAMESPACES]
        for version, item in enumerate(made, 1):
            item["metadata"]["resourceVersion"] = str(version)
        storage.restore("namespaces", made)
        self._garbage.wake = self._wake.set
        self._garbage.begin()

    @property
    def failures(self) -> int:
        """How often something went wrong; the log says what."""
        return self._guard.failures

    def step(self) -> None:
        """Do what is due."""
        self._state.now = self._clock()
        for resource, event in self._garbage.pending():
            self._guard.run(f"{resource} {event.key}", self._garbage.take, resource, event)

    def start(self) -> None:
        self._guard.on = True
        self._thread = threading.Thread(target=self._guard.life, args=(self._live,), name="demo-housekeeping",
                                        daemon=True)  # fmt: skip
        self._thread.start()

    def _live(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            self.step()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
