"""The fake scheduler and kubelet: every pod gets a node and goes through the states that users know.

A pod that appears is bound, shows ContainerCreating, runs, becomes ready, each after a short random time; a
pod that is being deleted stops and goes. Images tagged `broken` end in CrashLoopBackOff, images tagged
`missing` in ImagePullBackOff, pods that need not run for ever complete. Nodes renew their leases and report
their conditions. All on the workload's thread; waiting is a timer of `ClusterState`.
"""

from __future__ import annotations

from typing import Any

from . import ages, pod_lifecycle, seed_objects
from .cluster_state import ClusterState, PodRecord

Item = dict[str, Any]
_BACK_OFF_S = (10, 20, 40, 80, 160, 300)
HEARTBEAT_S = 10.0
STATUS_S = 60.0


class Kubelet:
    """The scheduler and all kubelets of the demo's cluster."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._starting: set[str] = set()
        self._stopping: set[str] = set()
        self.lost_nodes: set[str] = set()
        """Nodes whose kubelet does not answer: no heartbeats, no changes to their pods."""

    def watch_nodes(self) -> None:
        """Begin the heartbeats of the nodes, spread over their period."""
        for item in self._state.items("Node"):
            self.watch_node(item["metadata"]["name"])

    def watch_node(self, name: str) -> None:
        """Begin the heartbeats of one node."""
        rng = self._state.rng
        self._state.after(rng.uniform(0, HEARTBEAT_S), self._renew_lease, name)
        self._state.after(rng.uniform(0, STATUS_S), self._report_node, name)

    def notice(self, pod: PodRecord) -> None:
        """A pod was added or changed; see whether it needs anything."""
        rng = self._state.rng
        if pod.deleting:
            if pod.uid not in self._stopping:
                self._stopping.add(pod.uid)
                self._state.after(rng.uniform(0.4, 1.6), self._stop, pod)
        elif not pod.started and pod.uid not in self._starting:
            self._starting.add(pod.uid)
            self._state.after(rng.uniform(0.05, 0.4), self._bind, pod)

    def forget(self, pod: PodRecord) -> None:
        """The pod is gone."""
        self._starting.discard(pod.uid)
        self._stopping.discard(pod.uid)

    def _change(self, pod: PodRecord, edit: Any) -> Item | None:
        """Change a pod that still exists, is not being deleted and whose node answers."""
        def guarded(item: Item) -> bool | None:
            if item["metadata"].get("deletionTimestamp"):
                return False
            answer: bool | None = edit(item)
            return answer

        if pod.node in self.lost_nodes:
            return None
        return self._state.change("Pod", pod.namespace, pod.name, guarded, uid=pod.uid)

    def _event(
        self, item: Item, reason: str, message: str, *, kind: str = "Normal", container: str = ""
    ) -> None:
        self._state.record_event(
            item,
            reason,
            message=message,
            kind=kind,
            component="kubelet",
            host=item["spec"].get("nodeName", ""),
            field_path=f"spec.containers{{{container}}}" if container else "",
        )

    def _bind(self, pod: PodRecord) -> None:
        state = self._state
        node = pod.node or self._choose_node(pod)
        if not node:
            item = state.get("Pod", pod.namespace, pod.name)
            if item is not None and item["metadata"]["uid"] == pod.uid:
                state.record_event(item, "FailedScheduling", component="default-scheduler", kind="Warning",
                                   message="0 nodes are available for this pod.")
                state.after(5.0, self._bind, pod)
            return

        def edit(item: Item) -> None:
            pod_lifecycle.bind(item, node, state.now)

        item = self._change(pod, edit)
        if item is not None:
            state.record_event(item, "Scheduled", component="default-scheduler",
                               message=f"Successfully assigned {pod.namespace}/{pod.name} to {node}")
            state.after(state.rng.uniform(0.1, 0.5), self._create, pod)

    def _choose_node(self, pod: PodRecord) -> str:
        """The least loaded node that takes pods."""
        candidates = [name for name in self._state.worker_nodes() if name not in self.lost_nodes]
        return min(candidates, key=lambda name: (self._state.pods_on(name), name), default="")

    def _create(self, pod: PodRecord) -> None:
        state = self._state

        def edit(item: Item) -> None:
            pod_lifecycle.create_containers(item, state.node_address(item["spec"]["nodeName"]),
                                            state.next_pod_address(item["spec"]["nodeName"]), state.now)

        item = self._change(pod, edit)
        if item is not None:
            state.after(state.rng.uniform(0.4, 1.5), self._start, pod)

    def _start(self, pod: PodRecord) -> None:
        state = self._state
        item = state.get("Pod", pod.namespace, pod.name)
        if item is None:
            return
        if _has_tag(item, "missing"):
            self._fail_to_pull(pod)
            return
        item = self._change(pod, lambda item: pod_lifecycle.start(item, state.now))
        if item is None:
            return
        for container in item["spec"]["containers"]:
            name, image = container["name"], container["image"]
            self._event(
                item, "Pulled", f'Container image "{image}" already present on machine', container=name
            )
            self._event(item, "Created", f"Created container: {name}", container=name)
            self._event(item, "Started", f"Started container {name}", container=name)
        if _has_tag(item, "broken"):
            state.after(state.rng.uniform(0.5, 2.0), self.crash, pod)
        else:
            state.after(state.rng.uniform(0.2, 1.2), self._become_ready, pod)

    def _fail_to_pull(self, pod: PodRecord) -> None:
        def edit(item: Item) -> None:
            for container in item["status"]["containerStatuses"]:
                container["state"] = {"waiting": {
                    "reason": "ImagePullBackOff",
                    "message": f'Back-off pulling image "{container["image"]}": ErrImagePull: not found'}}

        item = self._change(pod, edit)
        if item is not None:
            self._event(item, "Failed", "Error: ImagePullBackOff", kind="Warning")

    def _become_ready(self, pod: PodRecord) -> None:
        state = self._state
        item = self._change(pod, lambda item: pod_lifecycle.become_ready(item, state.now))
        if item is not None and item["spec"].get("restartPolicy") != "Always":
            state.after(state.rng.uniform(2.0, 6.0), self._finish, pod)

    def _finish(self, pod: PodRecord) -> None:
        self._change(pod, lambda item: pod_lifecycle.finish(item, self._state.now))

    def restart(self, pod: PodRecord) -> None:
        """A container ends once and comes back."""
        state = self._state
        item = self._change(
            pod, lambda item: pod_lifecycle.crash(item, state.now, exit_code=137, reason="OOMKilled")
        )
        if item is not None:
            state.after(state.rng.uniform(0.3, 1.0), self._start, pod)

    def crash(self, pod: PodRecord) -> None:
        """A container ends and waits in CrashLoopBackOff, longer each time."""
        state = self._state
        wait = _BACK_OFF_S[min(pod.restarts, len(_BACK_OFF_S) - 1)]
        item = self._change(pod, lambda item: pod_lifecycle.crash(item, state.now, back_off_s=wait))
        if item is not None:
            name = item["spec"]["containers"][0]["name"]
            self._event(item, "BackOff", f"Back-off restarting failed container {name} in pod {pod.name}",
                        kind="Warning", container=name)
            state.after(float(wait), self._start, pod)

    def flap(self, pod: PodRecord) -> None:
        """The readiness probe fails for a short time."""
        state = self._state
        item = self._change(pod, lambda item: pod_lifecycle.become_unready(item, state.now))
        if item is not None:
            self._event(item, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503",
                        kind="Warning", container=item["spec"]["containers"][0]["name"])
            state.after(state.rng.uniform(0.5, 3.0), self._become_ready, pod)

    def recover(self, pod: PodRecord) -> None:
        """The pod's node answers again."""
        self._state.after(self._state.rng.uniform(0.2, 1.5), self._become_ready, pod)

    def _stop(self, pod: PodRecord) -> None:
        state = self._state
        if pod.node in self.lost_nodes:
            state.after(1.0, self._stop, pod)
            return
        item = state.change("Pod", pod.namespace, pod.name, lambda item: pod_lifecycle.stop(item, state.now),
                            uid=pod.uid)
        if item is not None and not item["metadata"].get("finalizers"):
            for container in item["spec"]["containers"][:1]:
                self._event(
                    item, "Killing", f"Stopping container {container['name']}", container=container["name"]
                )
            state.remove("Pod", pod.namespace, pod.name, uid=pod.uid)

    def _renew_lease(self, node: str) -> None:
        state = self._state
        if not state.has_node(node):
            return
        state.after(HEARTBEAT_S, self._renew_lease, node)
        if node in self.lost_nodes:
            return

        def edit(item: Item) -> None:
            item["spec"]["renewTime"] = ages.rfc3339_micro(state.now)

        state.change("Lease", "kube-node-lease", node, edit)

    def _report_node(self, node: str) -> None:
        if not self._state.has_node(node):
            return
        self._state.after(STATUS_S, self._report_node, node)
        if node not in self.lost_nodes:
            self.report(node, "True")

    def report(self, node: str, ready: str) -> None:
        """Write a node's conditions; `ready` is True, False or Unknown."""
        now = ages.rfc3339(self._state.now)

        def edit(item: Item) -> None:
            old = next(
                (entry for entry in item["status"].get("conditions", []) if entry["type"] == "Ready"), None
            )
            since = old["lastTransitionTime"] if old is not None and old["status"] == ready else now
            beat = now if ready == "True" or old is None else old["lastHeartbeatTime"]
            item["status"]["conditions"] = seed_objects.node_conditions(beat, since, ready=ready)

        self._state.change("Node", "", node, edit)


def _has_tag(pod: Item, tag: str) -> bool:
    return any(
        str(container.get("image", "")).endswith(f":{tag}") for container in pod["spec"].get("containers", [])
    )
