"""The workload on a virtual clock: the same seed gives the same cluster, and controllers do what they promise."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from kdash.demo import ApiServer, deletion
from kdash.demo.job_controllers import is_due
from kdash.demo.scenarios import SCENARIOS
from kdash.demo.seeding import plan
from kdash.demo.storage import Storage, StoredEvent
from kdash.demo.workload import UnknownScenario, Workload

BEGIN = 1_800_000_000.0
Item = dict[str, Any]


class Cluster:
    """A storage with a workload, driven by hand."""

    def __init__(self, **options: Any) -> None:
        self.storage = Storage()
        self.now = BEGIN
        settings = {"objects": 42, "rate": 0.0, "seed": 1, "scenario": "calm", **options}
        self.workload = Workload(self.storage, clock=lambda: self.now, **settings)
        self.workload.seed()

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> bool:
        """Go on for so long, in steps of 100 ms, or until something holds; gives whether it does."""
        for _ in range(int(seconds * 10)):
            if until is not None and until():
                return True
            self.now += 0.1
            self.workload.step(self.now)
        return until is None or until()

    def get(self, resource: str, name: str, namespace: str = "default") -> Item:
        found = self.storage.get(resource, namespace, name)
        assert found is not None
        return found

    def change(self, resource: str, name: str, edit: Callable[[Item], None], namespace: str = "default") -> None:
        """What a client would write, generation included."""
        item = self.get(resource, name, namespace)
        edit(item)
        item["metadata"]["generation"] = item["metadata"].get("generation", 1) + 1
        self.storage.update(resource, item)

    def create(self, resource: str, item: Item) -> Item:
        return self.storage.create(resource, item)

    def delete(self, resource: str, name: str, namespace: str = "default", policy: str = "") -> None:
        assert deletion.delete(self.storage, resource, namespace, name, now=self.now, policy=policy)

    def pods(self, app: str, namespace: str = "default") -> list[Item]:
        return [pod for pod in self.storage.list("pods", namespace) if pod["metadata"]["labels"].get("app") == app]

    def ready(self, app: str, namespace: str = "default") -> int:
        return sum(any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])
                   for pod in self.pods(app, namespace) if "conditions" in pod["status"])

    def rolled_out(self, name: str) -> bool:
        """What `kubectl rollout status` waits for."""
        item = self.get("deployments.apps", name)
        state, replicas = item["status"], item["spec"]["replicas"]
        return bool(state["observedGeneration"] == item["metadata"]["generation"] and state.get("replicas") == replicas
                    and state.get("updatedReplicas") == replicas and state.get("availableReplicas") == replicas)

    def digest(self) -> str:
        """All changes so far and the present state of all pods, in one short text."""
        seen = hashlib.sha256(repr(self.storage.changes()).encode())
        for stored in self.storage.list_stored("pods")[0]:
            seen.update(stored.raw)
        return seen.hexdigest()


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def scale(replicas: int) -> Callable[[Item], None]:
    def edit(item: Item) -> None:
        item["spec"]["replicas"] = replicas

    return edit


def image(name: str) -> Callable[[Item], None]:
    def edit(item: Item) -> None:
        item["spec"]["template"]["spec"]["containers"][0]["image"] = name

    return edit


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_the_same_seed_gives_the_same_course_of_events(scenario: str) -> None:
    first, second, other = (Cluster(scenario=scenario, rate=5.0, seed=seed) for seed in (7, 7, 8))
    for each in (first, second, other):
        each.run(45)
    assert first.storage.changes()
    assert first.digest() == second.digest()
    assert first.digest() != other.digest()


@pytest.mark.parametrize("objects", [0, 1, 5, 42, 43, 300, 1500])
def test_the_cluster_has_as_many_pods_as_asked_for(objects: int) -> None:
    assert Cluster(objects=objects).storage.count("pods") == objects
    assert sum(app.replicas for app in plan(objects)) == objects


def test_a_calm_cluster_without_changes_is_at_rest(cluster: Cluster) -> None:
    version = cluster.storage.current_version
    cluster.run(90)
    changed = {change.resource for change in cluster.storage.changes() if change.version > version}
    assert changed == {"leases.coordination.k8s.io", "nodes"}


def test_seeded_pods_look_like_those_of_a_real_cluster(cluster: Cluster) -> None:
    pods = cluster.storage.list("pods")
    assert all(2000 < len(json.dumps(pod)) < 9000 for pod in pods)
    assert all(pod["metadata"]["ownerReferences"] and pod["spec"]["nodeName"] for pod in pods)
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    uids = {pod["metadata"]["uid"] for pod in pods}
    assert len(uids) == len(pods)
    text = json.dumps(pods)
    assert "@{" not in text and "1970-01-01" not in text


def test_scaling_to_twenty_makes_twenty_ready_pods_within_seconds(cluster: Cluster) -> None:
    cluster.change("deployments.apps", "web", scale(20))
    assert cluster.run(6, until=lambda: cluster.rolled_out("web"))
    assert cluster.ready("web") == 20
    assert len({pod["metadata"]["name"] for pod in cluster.pods("web")}) == 20


def test_scaling_down_ends_with_what_was_asked_for(cluster: Cluster) -> None:
    cluster.change("deployments.apps", "web", scale(3))
    assert cluster.run(6, until=lambda: len(cluster.pods("web")) == 3 and cluster.rolled_out("web"))


def test_a_pod_goes_through_all_states(cluster: Cluster) -> None:
    seen: list[str] = []

    def note(event: StoredEvent) -> None:
        status = json.loads(event.raw)["status"]
        containers = status.get("containerStatuses") or [{"state": {"none": {}}, "ready": False}]
        seen.append(f"{event.type} {status['phase']} {next(iter(containers[0]['state']))} {containers[0]['ready']}")

    cluster.storage.subscribe("pods", cluster.storage.current_version, note)
    cluster.change("deployments.apps", "worker", scale(4))
    cluster.run(6)
    assert seen == ["ADDED Pending none False", "MODIFIED Pending none False", "MODIFIED Pending waiting False",
                    "MODIFIED Running running False", "MODIFIED Running running True"]


def test_a_rollout_replaces_every_pod_within_surge_and_unavailability(cluster: Cluster) -> None:
    old = {pod["metadata"]["name"] for pod in cluster.pods("web")}
    cluster.change("deployments.apps", "web", image("registry.example.com/shop/web:2.0.0"))
    counts: list[tuple[int, int]] = []

    def finished() -> bool:
        alive = [pod for pod in cluster.pods("web") if "deletionTimestamp" not in pod["metadata"]]
        counts.append((len(alive), cluster.ready("web")))
        return cluster.rolled_out("web")

    assert cluster.run(60, until=finished)
    cluster.run(3)
    assert not old & {pod["metadata"]["name"] for pod in cluster.pods("web")}
    assert max(alive for alive, _ in counts) <= 10 and min(ready for _, ready in counts) >= 6
    sets = [item for item in cluster.storage.list("replicasets.apps", "default")
            if item["metadata"]["labels"]["app"] == "web"]
    assert sorted(item["spec"]["replicas"] for item in sets) == [0, 8]
    assert cluster.get("deployments.apps", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


def test_going_back_to_an_old_template_takes_its_replica_set_again(cluster: Cluster) -> None:
    before = cluster.get("deployments.apps", "web")["spec"]["template"]["spec"]["containers"][0]["image"]
    for name in ("registry.example.com/shop/web:2.0.0", before):
        cluster.change("deployments.apps", "web", image(name))
        assert cluster.run(60, until=lambda: cluster.rolled_out("web"))
    assert len([item for item in cluster.storage.list("replicasets.apps", "default")
                if item["metadata"]["labels"]["app"] == "web"]) == 2
    assert cluster.get("deployments.apps", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_a_broken_image_crashes_and_the_rollout_stops_before_it_hurts(cluster: Cluster) -> None:
    cluster.change("deployments.apps", "web", image("registry.example.com/shop/web:broken"))
    cluster.run(30)
    waiting = [status["state"]["waiting"]["reason"] for pod in cluster.pods("web")
               for status in pod["status"]["containerStatuses"] if "waiting" in status["state"]]
    assert waiting and set(waiting) == {"CrashLoopBackOff"}
    assert cluster.ready("web") >= 6
    cluster.change("deployments.apps", "web", image("registry.example.com/shop/web:1.9.3"))
    assert cluster.run(60, until=lambda: cluster.rolled_out("web"))


def test_a_deleted_pod_terminates_and_is_replaced(cluster: Cluster) -> None:
    name = cluster.pods("web")[0]["metadata"]["name"]
    cluster.delete("pods", name)
    assert cluster.get("pods", name)["metadata"]["deletionGracePeriodSeconds"] == 30
    assert cluster.run(6, until=lambda: cluster.ready("web") == 8)
    cluster.run(2)
    assert cluster.storage.get("pods", "default", name) is None


def test_a_stateful_set_keeps_its_names_and_goes_up_in_order(cluster: Cluster) -> None:
    order: list[str] = []
    cluster.storage.subscribe(
        "pods",
        cluster.storage.current_version,
        lambda event: order.append(f"{event.type} {event.key}") if event.type != "MODIFIED" else None,
    )
    cluster.change("statefulsets.apps", "redis", scale(3))
    assert cluster.run(15, until=lambda: cluster.ready("redis") == 3)
    cluster.delete("pods", "redis-0")
    assert cluster.run(10, until=lambda: "ADDED default/redis-0" in order and cluster.ready("redis") == 3)
    assert order == ["ADDED default/redis-1", "ADDED default/redis-2", "DELETED default/redis-0",
                     "ADDED default/redis-0"]


def test_deleting_a_deployment_takes_its_replica_sets_and_pods(cluster: Cluster) -> None:
    cluster.delete("deployments.apps", "web")
    cluster.run(5)
    assert not cluster.pods("web")
    assert not [item for item in cluster.storage.list("replicasets.apps", "default")
                if item["metadata"]["labels"]["app"] == "web"]


@pytest.mark.parametrize(("policy", "left"), [("Foreground", 0), ("Orphan", 8)])
def test_propagation_policies(cluster: Cluster, policy: str, left: int) -> None:
    cluster.delete("deployments.apps", "web", policy=policy)
    assert cluster.storage.get("deployments.apps", "default", "web") is not None
    cluster.run(6)
    assert cluster.storage.get("deployments.apps", "default", "web") is None
    assert len(cluster.pods("web")) == left


def test_a_deleted_namespace_takes_its_content_and_goes(cluster: Cluster) -> None:
    cluster.delete("namespaces", "shop", "")
    assert cluster.get("namespaces", "shop", "")["status"]["phase"] == "Terminating"
    assert cluster.run(10, until=lambda: cluster.storage.get("namespaces", "", "shop") is None)
    for each in cluster.storage.registry:
        if each.namespaced:
            assert not cluster.storage.list(each.qualified, "shop")


def test_a_job_runs_its_pods_to_completion(cluster: Cluster) -> None:
    template = {"metadata": {"labels": {"app": "once"}}, "spec": {
        "restartPolicy": "Never", "containers": [{"name": "once", "image": "once:1"}]}}
    cluster.create("jobs.batch", {"metadata": {"name": "once", "namespace": "default", "uid": "job-1"}, "spec": {
        "completions": 3, "parallelism": 2, "template": template}})
    assert cluster.run(40, until=lambda: "completionTime" in cluster.get("jobs.batch", "once").get("status", {}))
    assert cluster.get("jobs.batch", "once")["status"]["succeeded"] == 3
    assert [pod["status"]["phase"] for pod in cluster.pods("once")] == ["Succeeded"] * 3


@pytest.mark.parametrize(("schedule", "due"), [
    ("* * * * *", True), ("0 8 * * *", True), ("*/5 * * * *", True), ("1-3 * * * *", False), ("0 9 * * *", False),
    ("0 8 15 1 *", True), ("0 8 * * 1-5", True), ("0 8 * * 6,0", False), ("nonsense", False), ("x * * * *", False),
    ("*/0 * * * *", False),
])
def test_cron_schedules(schedule: str, due: bool) -> None:
    friday_15_january_2027_8_00 = 1_800_000_000.0
    assert is_due(schedule, friday_15_january_2027_8_00) is due


def test_a_cron_job_starts_a_job_when_its_minute_comes(cluster: Cluster) -> None:
    def every_minute(item: Item) -> None:
        item["spec"]["schedule"] = "* * * * *"

    cluster.change("cronjobs.batch", "nightly-report", every_minute, "shop")
    assert cluster.run(61, until=lambda: cluster.storage.count("jobs.batch") == 1)
    assert cluster.run(20, until=lambda: bool(cluster.storage.list("jobs.batch")[0].get("status", {}).get("succeeded")))


def test_a_new_node_gets_a_pod_of_every_daemon_set(cluster: Cluster) -> None:
    node = cluster.get("nodes", "node-1", "")
    node["metadata"] = {"name": "node-9", "uid": "node-9", "labels": {"kubernetes.io/os": "linux"}}
    cluster.create("nodes", node)
    assert cluster.run(6, until=lambda: cluster.ready("kube-proxy", "kube-system") == 5)
    assert cluster.get("daemonsets.apps", "kube-proxy", "kube-system")["status"]["desiredNumberScheduled"] == 5


def test_a_lost_node_moves_its_pods_and_comes_back() -> None:
    cluster = Cluster(scenario="node-loss", rate=1.0)

    def lost() -> list[str]:
        return [node["metadata"]["name"] for node in cluster.storage.list("nodes")
                if node["status"]["conditions"][-1]["status"] == "Unknown"]

    assert cluster.run(12, until=lambda: bool(lost()))
    node = lost()[0]
    taint = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    assert taint in cluster.get("nodes", node, "")["spec"]["taints"]
    assert cluster.run(15, until=lambda: not [
        pod for pod in cluster.pods("web") if pod["spec"].get("nodeName") == node
        and "deletionTimestamp" not in pod["metadata"]])
    reasons = {(event["involvedObject"]["kind"], event["reason"]) for event in cluster.storage.list("events")}
    assert {("Node", "NodeNotReady"), ("Pod", "NodeNotReady"), ("Pod", "TaintManagerEviction")} <= reasons
    assert cluster.run(30, until=lambda: not lost())
    assert "taints" not in cluster.get("nodes", node, "")["spec"]
    assert cluster.run(20, until=lambda: cluster.ready("web") == 8 and len(cluster.pods("web")) == 8)


def test_the_rate_is_the_number_of_changes_a_second() -> None:
    for rate in (5.0, 200.0):
        cluster = Cluster(rate=rate, objects=100)
        version = cluster.storage.current_version
        cluster.run(20)
        changes = sum(change.resource == "pods" for change in cluster.storage.changes() if change.version > version)
        assert rate * 20 * 0.8 <= changes <= rate * 20 * 1.5


def test_change_something_changes_one_pod_and_names_it(cluster: Cluster) -> None:
    version = cluster.storage.current_version
    key = cluster.workload.change_something()
    assert [(change.resource, change.key) for change in cluster.storage.changes() if change.version > version] == [
        ("pods", key)]
    assert cluster.workload.change_something("default", "redis-0") == "default/redis-0"
    assert cluster.workload.change_something("default", "missing") == ""


def test_events_tell_what_happened(cluster: Cluster) -> None:
    cluster.change("deployments.apps", "web", scale(9))
    cluster.run(5)
    reasons = {event["reason"] for event in cluster.storage.list("events", "default")}
    assert {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Pulled", "Created", "Started"} <= reasons


def test_an_unknown_scenario_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownScenario, match="calm, rolling-update"):
        Workload(Storage(), scenario="nonsense")


def test_it_lives_by_the_clock_on_its_own_thread_and_stops() -> None:
    storage = Storage()
    workload = Workload(storage, objects=10, rate=100.0, scenario="calm")
    workload.start()
    try:
        assert storage.wait_for_version(storage.current_version + 5, 10.0)
    finally:
        workload.stop()
    version = storage.current_version
    assert not storage.wait_for_version(version + 1, 0.1)


@pytest.mark.timeout(60)
def test_a_rate_that_cannot_be_reached_starves_nobody_and_ends_at_once() -> None:
    with ApiServer(objects=100, rate=1e6, seed=1, scenario="calm") as server:
        assert server.storage.wait_for_version(server.storage.current_version + 500, 30)
        with urllib.request.urlopen(f"{server.url}/api/v1/pods?limit=1", timeout=20) as answer:
            assert answer.status == 200
        workload = server.workload
    assert workload is not None
    assert workload._thread is not None
    assert not workload._thread.is_alive()
