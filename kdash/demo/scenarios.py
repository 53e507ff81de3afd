"""What happens in the demo's cluster by itself: the background changes and the acts of each scenario.

`rate` changes a second are spread over the pods, most of them small (a controller that writes an
annotation), some of them visible (a failing probe, a restart). On top of that a scenario plays its act every
so often: a rollout, a crash loop, a wave of scaling, a node that is lost and comes back. With a rate of 0
nothing happens.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import ages
from .cluster_state import ClusterState, PodRecord
from .kubelet import Kubelet

Item = dict[str, Any]
REQUESTS = "demo.example.com/requests"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named course of events: how often its act plays (seconds), and how the background changes divide."""

    name: str
    description: str
    act: str = ""
    every_s: float = 0.0
    flap: float = 0.03
    restart: float = 0.02
    delete: float = 0.0


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("calm", "a quiet cluster: small changes to pods, now and then a failing probe", restart=0.0),
    Scenario("rolling-update", "every 20 s a deployment rolls out a new image", "roll_out", 20.0),
    Scenario("crash-loop", "pods fall into CrashLoopBackOff and recover", "break_image", 15.0, restart=0.1),
    Scenario("scale-storm", "deployments grow and shrink all the time", "scale", 2.0, delete=0.05),
    Scenario("node-loss", "a node is lost, its pods move, the node comes back", "lose_node", 40.0),
    Scenario("big", "many objects, many small changes", "roll_out", 30.0, flap=0.01, restart=0.005),
)}
DEFAULT = "rolling-update"
_LONGEST_CATCH_UP = 2000
_UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}


class Background:
    """Plays one scenario on the cluster's timers."""

    def __init__(self, state: ClusterState, kubelet: Kubelet, scenario: Scenario, rate: float) -> None:
        self._state = state
        self._kubelet = kubelet
        self._scenario = scenario
        self._rate = rate
        self._due = 0.0
        self._counter = itertools.count(1)

    def begin(self) -> None:
        """Start the changes; does nothing at a rate of 0."""
        self._due = self._state.now
        if self._rate <= 0:
            return
        self._state.after(self._pause(), self._change)
        if self._scenario.act:
            first = min(self._scenario.every_s, 5.0)
            self._state.after(first, self._act)

    def _pause(self) -> float:
        return max(0.01, self._state.rng.expovariate(self._rate) if self._rate < 50 else 0.02)

    def _change(self) -> None:
        """The changes that are due since the last time; then wait for the next ones."""
        state = self._state
        if self._rate < 50:
            self.change_pod()
        else:
            count = int((state.now - self._due) * self._rate)
            for _ in range(min(count, _LONGEST_CATCH_UP)):
                self.change_pod()
            self._due = state.now if count > _LONGEST_CATCH_UP else self._due + count / self._rate
        state.after(self._pause(), self._change)

    def change_pod(self, pod: PodRecord | None = None) -> PodRecord | None:
        """Change one pod in one of the scenario's ways; gives the pod, or None if there is none to change."""
        pod = pod or self._state.random_pod()
        if pod is None:
            return None
        die = self._state.rng.random()
        for share, do in (
            (self._scenario.flap, self._kubelet.flap),
            (self._scenario.restart, self._kubelet.restart),
            (self._scenario.delete, self._delete),
        ):
            if die < share and pod.ready:
                do(pod)
                return pod
            die -= share
        self.touch(pod)
        return pod

    def _delete(self, pod: PodRecord) -> None:
        if pod.owner_kind == "ReplicaSet":
            self._state.delete("Pod", pod.namespace, pod.name)

    def touch(self, pod: PodRecord) -> None:
        """Change a pod's annotation, as a controller that counts something would."""
        number = str(next(self._counter))

        def edit(item: Item) -> None:
            item["metadata"].setdefault("annotations", {})[REQUESTS] = number

        self._state.change("Pod", pod.namespace, pod.name, edit, uid=pod.uid)

    def _act(self) -> None:
        acts: dict[str, Callable[[], None]] = {
            "roll_out": self.roll_out, "break_image": self.break_image, "scale": self.scale,
            "lose_node": self.lose_node}
        acts[self._scenario.act]()
        self._state.after(self._scenario.every_s, self._act)

    def _deployment(self) -> Item | None:
        """One of the applications' deployments."""
        found = [item for item in self._state.items("Deployment")
                 if item["metadata"]["namespace"] not in ("kube-system", "monitoring")]
        return self._state.rng.choice(found) if found else None

    def _edit_deployment(self, item: Item, edit: Callable[[Item], None]) -> None:
        def with_generation(stored: Item) -> None:
            edit(stored)
            stored["metadata"]["generation"] = stored["metadata"].get("generation", 1) + 1

        self._state.change_item(item, with_generation)

    def roll_out(self) -> None:
        """Give a deployment a new image version."""
        item = self._deployment()
        if item is None:
            return

        def edit(stored: Item) -> None:
            container = stored["spec"]["template"]["spec"]["containers"][0]
            image, _, tag = container["image"].rpartition(":")
            parts = tag.split(".")
            last = int(parts[-1]) + 1 if parts[-1].isdigit() else 1
            container["image"] = f"{image}:{'.'.join([*parts[:-1], str(last)])}" if image else f"{tag}:1"

        self._edit_deployment(item, edit)

    def break_image(self) -> None:
        """Put a crashing image into a deployment, and take it out again later."""
        item = self._deployment()
        if item is None:
            return
        good = item["spec"]["template"]["spec"]["containers"][0]["image"]
        if good.endswith(":broken"):
            return
        self._set_image(item, f"{good.rpartition(':')[0] or good}:broken")
        self._state.after(self._scenario.every_s * 2, self._set_image, item, good)

    def _set_image(self, item: Item, image: str) -> None:
        def edit(stored: Item) -> None:
            stored["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self._edit_deployment(item, edit)

    def scale(self) -> None:
        """Ask for another number of replicas."""
        item = self._deployment()
        if item is None:
            return
        before = int(item["spec"].get("replicas", 1))
        wanted = max(1, self._state.rng.choice((before // 2, before + 1, before + 3, before * 2)))

        def edit(stored: Item) -> None:
            stored["spec"]["replicas"] = min(wanted, 40)

        self._edit_deployment(item, edit)

    def lose_node(self) -> None:
        """A node stops answering; its pods turn unready, are evicted, and the node comes back."""
        nodes = [name for name in self._state.worker_nodes() if name not in self._kubelet.lost_nodes]
        if len(nodes) < 2:
            return
        node = self._state.rng.choice(sorted(nodes))
        self._kubelet.lost_nodes.add(node)
        self._state.after(4.0, self._mark_lost, node)

    def _mark_lost(self, node: str) -> None:
        state = self._state
        self._kubelet.report(node, "Unknown")
        self._taint(node, lost=True)
        for pod in state.pods_at(node):
            def unready(item: Item) -> None:
                for entry in item["status"].get("conditions", []):
                    if entry["type"] == "Ready":
                        entry["status"], entry["lastTransitionTime"] = "False", ages.rfc3339(state.now)

            item = state.change("Pod", pod.namespace, pod.name, unready, uid=pod.uid)
            if item is not None:
                state.record_event(item, "NodeNotReady", component="node-controller", kind="Warning",
                                   message="Node is not ready")
        state.after(8.0, self._evict, node)
        state.after(20.0, self._bring_back, node)

    def _evict(self, node: str) -> None:
        for pod in self._state.pods_at(node):
            if pod.owner_kind in ("ReplicaSet", "StatefulSet"):
                item = self._state.get("Pod", pod.namespace, pod.name)
                if item is not None:
                    self._state.record_event(item, "TaintManagerEviction", component="taint-eviction-controller",
                                             message=f"Marking for deletion Pod {pod.namespace}/{pod.name}")
                self._state.delete("Pod", pod.namespace, pod.name)

    def _taint(self, node: str, *, lost: bool) -> None:
        """A lost node's taint comes or goes; an event tells it."""
        def edit(item: Item) -> None:
            others = [taint for taint in item["spec"].get("taints") or [] if taint["key"] != _UNREACHABLE["key"]]
            item["spec"]["taints"] = [*others, _UNREACHABLE] if lost else others
            if not item["spec"]["taints"]:
                del item["spec"]["taints"]

        item = self._state.change("Node", "", node, edit)
        if item is not None:
            reason = "NodeNotReady" if lost else "NodeReady"
            self._state.record_event(item, reason, component="node-controller",
                                     message=f"Node {node} status is now: {reason}")

    def _bring_back(self, node: str) -> None:
        self._kubelet.lost_nodes.discard(node)
        self._kubelet.report(node, "True")
        self._taint(node, lost=False)
        for pod in self._state.pods_at(node):
            self._kubelet.recover(pod)
