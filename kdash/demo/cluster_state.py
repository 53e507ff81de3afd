"""What the workload's controllers know and do: the storage, an index of the pods, timers, one random source.

Contract
- Used on the workload's thread only, inside a step, except for `deliver`, which the storage calls under its
  lock from any thread and which only takes note.
- Everything that the controllers do goes through here, so a seed and a sequence of steps give the same
  writes in the same order. `now` is the time of the step (seconds since 1970) and stands still while it
  runs.
- The pods' index holds a small record a pod; the objects themselves stay in the storage as bytes. Own writes
  are in the index at once, other people's when their event is taken from the inbox.
- A write to an object that somebody else changed meanwhile is read and tried again; one that is gone is
  skipped.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import deletion, seed_objects
from .pod_records import PodIndex, PodRecord
from .storage import AlreadyExists, Conflict, NotFound, Storage, StoredEvent

__all__ = ["ClusterState", "PodRecord"]

Item = dict[str, Any]
Edit = Callable[[Item], "bool | None"]

RESOURCES = {
    "Namespace": "namespaces",
    "Node": "nodes",
    "Pod": "pods",
    "Service": "services",
    "Endpoints": "endpoints",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Event": "events",
    "ServiceAccount": "serviceaccounts",
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
    "Job": "jobs.batch",
    "CronJob": "cronjobs.batch",
    "Lease": "leases.coordination.k8s.io",
}
WATCHED = (
    "Node",
    "Pod",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
)
_EVENTS_KEPT = 500


class ClusterState:
    """The storage as the controllers see it, with timers."""

    def __init__(self, storage: Storage, rng: random.Random, now: float, grace_s: int | None = None) -> None:
        """`grace_s`: what deleted pods get (None: their own), as there may be no kubelet that would end them."""
        self.storage = storage
        self._grace_s = grace_s
        self.rng = rng
        self.now = now
        self.pods = PodIndex()
        self._inbox: deque[tuple[str, StoredEvent]] = deque()
        self._timers: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._sequence = itertools.count()
        self._events: deque[tuple[str, str]] = deque()
        self._addresses: dict[str, int] = {}
        self._nodes: dict[str, Item] = {}

    # events and timers ---------------------------------------------------------------------------------

    def deliver(self, kind: str, event: StoredEvent) -> None:
        """Take note of a change in the storage (called under its lock)."""
        self._inbox.append((kind, event))

    def take_events(self) -> Iterator[tuple[str, StoredEvent]]:
        """The changes since the last time, oldest first."""
        while self._inbox:
            yield self._inbox.popleft()

    def after(self, delay_s: float, do: Callable[..., object], *args: Any) -> None:
        """Call `do(*args)` in a later step, `delay_s` seconds from now."""
        heapq.heappush(self._timers, (self.now + delay_s, next(self._sequence), do, args))

    @property
    def next_timer_at(self) -> float | None:
        """When the next timer is due."""
        return self._timers[0][0] if self._timers else None

    def has_due(self, until: float) -> bool:
        """Whether a timer is due by `until`."""
        return bool(self._timers) and self._timers[0][0] <= until

    def run_next_timer(self, not_before: float = 0.0) -> None:
        """Run the earliest timer, at its instant but `not_before`."""
        due, _, do, args = heapq.heappop(self._timers)
        self.now = max(self.now, due, not_before)
        do(*args)

    # reads ---------------------------------------------------------------------------------------------

    def get(self, kind: str, namespace: str, name: str) -> Item | None:
        """A decoded copy of an object, or None."""
        return self.storage.get(RESOURCES.get(kind, kind), namespace, name)

    def items(self, kind: str, namespace: str = "") -> list[Item]:
        """Decoded copies of all objects of a kind, by namespace and name."""
        return self.storage.list(RESOURCES.get(kind, kind), namespace)

    def owned(self, kind: str, namespace: str, uid: str) -> list[Item]:
        """The objects of a kind that the object with this uid controls."""
        return [item for item in self.items(kind, namespace)
                if any(owner.get("uid") == uid for owner in item["metadata"].get("ownerReferences") or [])]

    def pods_of(self, uid: str) -> list[PodRecord]:
        """The pods that the object with this uid controls, by name."""
        return sorted(self.pods.owned_by(uid), key=lambda pod: pod.name)

    def pods_at(self, node: str) -> list[PodRecord]:
        """The pods on a node, by namespace and name."""
        return sorted(self.pods.on_node(node), key=lambda pod: (pod.namespace, pod.name))

    def pods_on(self, node: str) -> int:
        """How many pods are on a node."""
        return len(self.pods.on_node(node))

    def random_pod(self) -> PodRecord | None:
        """Any pod that runs and is not being deleted."""
        for _ in range(20):
            pod = self.pods.choose(self.rng)
            if pod is None or (pod.active and pod.started):
                return pod
        return None

    # nodes ---------------------------------------------------------------------------------------------

    def note_node(self, item: Item, *, gone: bool = False) -> None:
        """Keep the list of nodes up to date."""
        if gone:
            self._nodes.pop(item["metadata"]["name"], None)
        else:
            known = self._nodes.get(item["metadata"]["name"])
            self._nodes[item["metadata"]["name"]] = {
                "block": known["block"] if known else len(self._nodes) % 256,
                "labels": item["metadata"].get("labels") or {}, "spec": item.get("spec") or {},
                "address": (item.get("status") or {}).get("addresses", [{}])[0].get("address", "192.0.2.1")}

    def has_node(self, name: str) -> bool:
        """True if there is a node of that name."""
        return name in self._nodes

    def worker_nodes(self) -> list[str]:
        """The nodes that take ordinary pods, by name."""
        return sorted(name for name, node in self._nodes.items()
                      if not node["spec"].get("unschedulable") and not node["spec"].get("taints"))

    def nodes_with(self, labels: Item) -> list[str]:
        """The nodes that carry these labels, by name."""
        return sorted(name for name, node in self._nodes.items() if labels.items() <= node["labels"].items())

    def node_address(self, node: str) -> str:
        """A node's internal address."""
        found = self._nodes.get(node)
        return str(found["address"]) if found else "192.0.2.254"

    def next_pod_address(self, node: str) -> str:
        """An address for a new pod on a node."""
        number = self._addresses[node] = self._addresses.get(node, 10) + 1
        found = self._nodes.get(node)
        return f"10.244.{found['block'] if found else 255}.{number % 250 + 2}"

    # writes --------------------------------------------------------------------------------------------

    def new_uid(self) -> str:
        """A fresh uid out of the seeded source."""
        return seed_objects.uid(self.rng)

    def create(self, kind: str, item: Item) -> Item | None:
        """Store a new object; None if its name is taken."""
        try:
            stored = self.storage.create(RESOURCES[kind], item)
        except AlreadyExists:
            return None
        self._note(kind, stored)
        return stored

    def change(self, kind: str, namespace: str, name: str, edit: Edit, uid: str = "") -> Item | None:
        """Read, edit, write; again if somebody else was faster. `edit` may give False: nothing to write.

        Gives the stored object, also if there was nothing to write for it; None if it is gone, has another
        uid, or `edit` declined.
        """
        resource = RESOURCES.get(kind, kind)
        while True:
            item = self.storage.get(resource, namespace, name)
            if item is None or (uid and item["metadata"]["uid"] != uid):
                return None
            if edit(item) is False:
                return None
            try:
                stored = self.storage.update(resource, item)
            except Conflict:
                continue
            except NotFound:
                return None
            self._note(kind, stored)
            return stored

    def change_item(self, item: Item, edit: Edit) -> Item | None:
        """`change` for an object at hand."""
        meta = item["metadata"]
        return self.change(item["kind"], meta.get("namespace", ""), meta["name"], edit, uid=meta["uid"])

    def delete(self, kind: str, namespace: str, name: str, policy: str = "") -> None:
        """Delete as a client would: pods on a node get their grace period, finalizers are respected."""
        resource = RESOURCES.get(kind, kind)
        deletion.delete(self.storage, resource, namespace, name, now=self.now, grace_s=self._grace_s, policy=policy)
        if kind in ("Pod", "pods"):
            item = self.get("Pod", namespace, name)
            record = self.pods.find(namespace, name)
            if item is not None:
                self.pods.update(item)
            elif record is not None:
                self.pods.remove(record.uid)

    def remove(self, kind: str, namespace: str, name: str, uid: str = "") -> None:
        """Take an object out of the storage at once."""
        resource = RESOURCES.get(kind, kind)
        with self.storage.lock:
            item = self.storage.get(resource, namespace, name)
            if item is None or (uid and item["metadata"]["uid"] != uid):
                return
            self.storage.delete(resource, namespace, name)
        if resource == "pods":
            self.pods.remove(item["metadata"]["uid"])

    def _note(self, kind: str, item: Item) -> None:
        if kind == "Pod":
            self.pods.update(item)
        elif kind == "Node":
            self.note_node(item)

    def record_event(self, about: Item, reason: str, *, message: str, component: str, kind: str = "Normal",
                     host: str = "", field_path: str = "") -> None:
        """Write an Event; the oldest of the workload's events go once there are too many."""
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        name = f"{meta['name']}.{next(self._sequence) + int(self.now * 1e6):016x}"
        item = seed_objects.event(about, self.new_uid(), name, self.now, reason=reason, message=message,
                                  component=component, host=host, kind=kind, field_path=field_path)
        if self.create("Event", item) is None:
            return
        self._events.append((namespace, name))
        if len(self._events) > _EVENTS_KEPT:
            self.remove("Event", *self._events.popleft())

    def load(self, kind: str, items: Iterable[Item]) -> None:
        """Store what is there at the start, without events."""
        batch = list(items)
        self.storage.load(RESOURCES[kind], batch)
        for item in batch:
            if kind == "Node":
                self.note_node(item)
