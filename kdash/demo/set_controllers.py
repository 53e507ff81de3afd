"""Stateful sets and daemon sets, in small: ordinal pods in order, and one pod a node."""

from __future__ import annotations

from typing import Any

from . import seed_objects, workload_status
from .cluster_state import ClusterState, PodRecord
from .pod_factory import PodFactory

Item = dict[str, Any]
_HASH = "controller-revision-hash"


class StatefulSetController:
    """Stateful sets: name-0 … name-(n-1), started and stopped one after the other."""

    def __init__(self, state: ClusterState, factory: PodFactory) -> None:
        self._state = state
        self._factory = factory

    def reconcile(self, namespace: str, name: str) -> None:
        """Start or stop at most one pod, then count."""
        state = self._state
        item = state.get("StatefulSet", namespace, name)
        if item is None or item["metadata"].get("deletionTimestamp"):
            return
        revision = f"{name}-{seed_objects.template_hash(item['spec']['template'])}"
        pods = {pod.name: pod for pod in state.pods_of(item["metadata"]["uid"])}
        wanted = [f"{name}-{number}" for number in range(int(item["spec"].get("replicas", 1)))]
        missing = next((pod for pod in wanted if pod not in pods or not pods[pod].active), None)
        surplus = [pod for pod in pods.values() if pod.name not in wanted and pod.active]
        settled = all(pod.ready for pod in pods.values())
        if surplus:
            if settled:
                self._delete(item, max(surplus, key=lambda pod: (len(pod.name), pod.name)))
        elif missing is not None and missing not in pods:
            if settled:
                self._create(item, missing, revision)
        elif missing is None and settled:
            stale = [pod for pod in wanted if pods[pod].revision != revision]
            if stale:
                self._delete(item, pods[stale[-1]])
        self._update_status(item, revision)

    def _create(self, item: Item, pod: str, revision: str) -> None:
        labels = {_HASH: revision, "statefulset.kubernetes.io/pod-name": pod,
                  "apps.kubernetes.io/pod-index": pod.rpartition("-")[2]}
        if self._factory.create(item, "apps/v1", pod, labels) is not None:
            self._state.record_event(
                item,
                "SuccessfulCreate",
                component="statefulset-controller",
                message=f"create Pod {pod} in StatefulSet {item['metadata']['name']} successful",
            )

    def _delete(self, item: Item, pod: PodRecord) -> None:
        self._state.delete("Pod", pod.namespace, pod.name)
        self._state.record_event(
            item,
            "SuccessfulDelete",
            component="statefulset-controller",
            message=f"delete Pod {pod.name} in StatefulSet {item['metadata']['name']} successful",
        )

    def _update_status(self, item: Item, revision: str) -> None:
        pods = [pod for pod in self._state.pods_of(item["metadata"]["uid"]) if pod.active]
        ready, updated = sum(pod.ready for pod in pods), sum(pod.revision == revision for pod in pods)

        def edit(stored: Item) -> bool:
            status = workload_status.stateful_set(stored, total=len(pods), ready=ready, updated=updated,
                                                  revision=revision)
            if stored.get("status") == status:
                return False
            stored["status"] = status
            return True

        self._state.change_item(item, edit)


class DaemonSetController:
    """Daemon sets: one pod on every node that the template's node selector allows."""

    def __init__(self, state: ClusterState, factory: PodFactory) -> None:
        self._state = state
        self._factory = factory

    def reconcile(self, namespace: str, name: str) -> None:
        """Give each node its pod, replace one outdated pod at a time, then count."""
        state = self._state
        item = state.get("DaemonSet", namespace, name)
        if item is None or item["metadata"].get("deletionTimestamp"):
            return
        revision = seed_objects.template_hash(item["spec"]["template"])
        pods = [pod for pod in state.pods_of(item["metadata"]["uid"]) if pod.active]
        selector = item["spec"]["template"]["spec"].get("nodeSelector") or {}
        nodes = set(state.nodes_with(selector))
        covered = {pod.node for pod in pods}
        for node in sorted(nodes - covered):
            self._create(item, node, revision)
        for pod in pods:
            if pod.node not in nodes:
                state.delete("Pod", namespace, pod.name)
        stale = [pod for pod in pods if pod.revision != revision]
        if stale and all(pod.ready for pod in pods) and covered >= nodes:
            state.delete("Pod", namespace, stale[0].name)
        self._update_status(item, revision, len(nodes))

    def _create(self, item: Item, node: str, revision: str) -> None:
        def on_node(pod: Item) -> None:
            pod["spec"]["nodeName"] = node

        name = f"{item['metadata']['name']}-{seed_objects.suffix(self._state.rng)}"
        labels = {_HASH: revision, "pod-template-generation": "1"}
        if self._factory.create(item, "apps/v1", name, labels, on_node) is not None:
            self._state.record_event(item, "SuccessfulCreate", component="daemonset-controller",
                                     message=f"Created pod: {name}")

    def _update_status(self, item: Item, revision: str, nodes: int) -> None:
        pods = [pod for pod in self._state.pods_of(item["metadata"]["uid"]) if pod.active]
        ready = sum(pod.ready for pod in pods)
        updated = sum(pod.revision == revision for pod in pods)

        def edit(stored: Item) -> bool:
            status = workload_status.daemon_set(
                stored, total=len(pods), ready=ready, updated=updated, nodes=nodes
            )
            if stored.get("status") == status:
                return False
            stored["status"] = status
            return True

        self._state.change_item(item, edit)
