"""The deployment and replica set controllers, in small.

Both are level-triggered: `reconcile` looks at what is there now and moves it one step towards what the spec
asks for; whatever that changes comes back as another turn. They run on the workload's thread only, inside a
step.
"""

from __future__ import annotations

import math
from typing import Any

from . import ages, seed_objects, workload_status
from .cluster_state import ClusterState, PodRecord
from .pod_factory import PodFactory
from .workload_status import REVISION

Item = dict[str, Any]


def resolve(value: Any, total: int, *, up: bool) -> int:
    """maxSurge or maxUnavailable, a number or a percentage, as a number of pods."""
    if isinstance(value, str) and value.endswith("%"):
        share = total * float(value[:-1]) / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value or 0)


class DeploymentController:
    """Deployments: one replica set for each template, rolled over within maxSurge and maxUnavailable."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring one deployment a step further."""
        state = self._state
        deployment = state.get("Deployment", namespace, name)
        if deployment is None or deployment["metadata"].get("deletionTimestamp"):
            return
        spec = deployment["spec"]
        sets = state.owned("ReplicaSet", namespace, deployment["metadata"]["uid"])
        wanted = seed_objects.template_hash(spec["template"])
        new = next(
            (item for item in sets if item["metadata"]["labels"].get("pod-template-hash") == wanted), None
        )
        revision = max((_revision(item) for item in sets), default=0)
        if new is None:
            if spec.get("paused"):
                self._update_status(deployment, None, sets)
                return
            revision += 1
            new = seed_objects.replica_set(deployment, state.new_uid(), ages.rfc3339(state.now), revision, 0)
            new = state.create("ReplicaSet", new)
            if new is None:
                return
        elif _revision(new) < revision:
            revision += 1
            self._set_revision(new, revision)
        old = [item for item in sets if item["metadata"]["uid"] != new["metadata"]["uid"]]
        self._scale(deployment, new, old)
        self._clean_up(deployment, old)
        self._update_status(deployment, new, [item for item in [*old, new] if item], revision)

    def _set_revision(self, item: Item, revision: int) -> None:
        def edit(stored: Item) -> None:
            stored["metadata"].setdefault("annotations", {})[REVISION] = str(revision)

        self._state.change_item(item, edit)

    def _scale(self, deployment: Item, new: Item, old: list[Item]) -> None:
        spec = deployment["spec"]
        desired = int(spec.get("replicas", 1))
        counts = {item["metadata"]["uid"]: _counts(self._state, item) for item in [*old, new]}
        replicas, _, available = counts[new["metadata"]["uid"]]
        active = [item for item in old if item["spec"].get("replicas", 0) > 0]
        strategy = spec.get("strategy") or {}
        if strategy.get("type") == "Recreate":
            for item in active:
                self._resize(deployment, item, 0)
            if not any(counts[item["metadata"]["uid"]][1] for item in old):
                self._resize(deployment, new, desired)
            return
        rolling = strategy.get("rollingUpdate") or {}
        surge = resolve(rolling.get("maxSurge", "25%"), desired, up=True)
        unavailable = resolve(rolling.get("maxUnavailable", "25%"), desired, up=False)
        if surge == 0 and unavailable == 0:
            unavailable = 1
        total = sum(counts[item["metadata"]["uid"]][0] for item in [*old, new])
        if not active or replicas > desired:
            self._resize(deployment, new, desired)
        elif replicas < desired and total < desired + surge:
            self._resize(deployment, new, min(desired, replicas + desired + surge - total))
        ready_old = sum(counts[item["metadata"]["uid"]][2] for item in active)
        spare = available + ready_old - max(desired - unavailable, 0)
        for item in active:
            count, _, good = counts[item["metadata"]["uid"]]
            take = min(count, (count - good) + max(0, min(good, spare)))
            spare -= max(0, take - (count - good))
            if take > 0:
                self._resize(deployment, item, count - take)

    def _resize(self, deployment: Item, item: Item, replicas: int) -> None:
        before = item["spec"].get("replicas", 0)
        if before == replicas:
            return

        def edit(stored: Item) -> None:
            stored["spec"]["replicas"] = replicas
            stored["metadata"]["generation"] = stored["metadata"].get("generation", 1) + 1

        self._state.change_item(item, edit)
        item["spec"]["replicas"] = replicas
        self._state.record_event(
            deployment, "ScalingReplicaSet", component="deployment-controller",
            message=f"Scaled {'up' if replicas > before else 'down'} replica set {item['metadata']['name']} "
                    f"from {before} to {replicas}")

    def _clean_up(self, deployment: Item, old: list[Item]) -> None:
        idle = [item for item in old if not item["spec"].get("replicas")
                and not (item.get("status") or {}).get("replicas")]
        limit = int(deployment["spec"].get("revisionHistoryLimit", 10))
        for item in sorted(idle, key=_revision)[:max(0, len(idle) - limit)]:
            self._state.delete("ReplicaSet", item["metadata"]["namespace"], item["metadata"]["name"])

    def _update_status(self, deployment: Item, new: Item | None, sets: list[Item], revision: int = 0) -> None:
        state, desired = self._state, int(deployment["spec"].get("replicas", 1))
        counts = [_counts(state, item) for item in sets]
        total, good = sum(entry[1] for entry in counts), sum(entry[2] for entry in counts)
        updated, fresh = _counts(state, new)[1:] if new is not None else (0, 0)
        enough = good >= desired - resolve(
            ((deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}).get("maxUnavailable", 0),
            desired, up=False)
        name = new["metadata"]["name"] if new is not None else ""

        def edit(stored: Item) -> bool:
            status = workload_status.deployment(stored, total=total, updated=updated, ready=good, fresh=fresh,
                                                enough=enough, replica_set=name, now=ages.rfc3339(state.now))
            annotations = stored["metadata"].setdefault("annotations", {})
            if stored.get("status") == status and (
                not revision or annotations.get(REVISION) == str(revision)
            ):
                return False
            stored["status"] = status
            if revision:
                annotations[REVISION] = str(revision)
            return True

        state.change_item(deployment, edit)


def _revision(item: Item) -> int:
    return int((item["metadata"].get("annotations") or {}).get(REVISION, 0))


def _counts(state: ClusterState, replica_set: Item) -> tuple[int, int, int]:
    """Wanted, present and ready pods of a replica set."""
    pods = [pod for pod in state.pods_of(replica_set["metadata"]["uid"]) if pod.active]
    return int(replica_set["spec"].get("replicas", 0)), len(pods), sum(pod.ready for pod in pods)


class ReplicaSetController:
    """Replica sets: as many pods as the spec says."""

    def __init__(self, state: ClusterState, factory: PodFactory) -> None:
        self._state = state
        self._factory = factory

    def reconcile(self, namespace: str, name: str) -> None:
        """Create or delete the pods that are missing or too many, then count."""
        state = self._state
        item = state.get("ReplicaSet", namespace, name)
        if item is None or item["metadata"].get("deletionTimestamp"):
            return
        pods = [pod for pod in state.pods_of(item["metadata"]["uid"]) if pod.active]
        wanted = int(item["spec"].get("replicas", 1))
        for _ in range(wanted - len(pods)):
            made = self._factory.create(item, "apps/v1", f"{name}-{seed_objects.suffix(state.rng)}")
            if made is not None:
                state.record_event(item, "SuccessfulCreate", component="replicaset-controller",
                                   message=f"Created pod: {made}")
        for pod in sorted(pods, key=_worth)[:max(0, len(pods) - wanted)]:
            state.delete("Pod", namespace, pod.name)
            state.record_event(item, "SuccessfulDelete", component="replicaset-controller",
                               message=f"Deleted pod: {pod.name}")
        self._update_status(item)

    def _update_status(self, item: Item) -> None:
        _, present, ready = _counts(self._state, item)

        def edit(stored: Item) -> bool:
            status = workload_status.replica_set(stored, total=present, ready=ready)
            if stored.get("status") == status:
                return False
            stored["status"] = status
            return True

        self._state.change_item(item, edit)


def _worth(pod: PodRecord) -> tuple[bool, bool, float, str]:
    """The order in which pods are given up: those on no node, the unready, the youngest first."""
    return bool(pod.node), pod.ready, -pod.created, pod.name
