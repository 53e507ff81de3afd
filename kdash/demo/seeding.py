"""What the demo's cluster holds at the start: a plan of applications for a number of pods, and its objects.

The plan has the same applications for the same number. The first 42 pods are those of a small cluster that
people recognise; further ones belong to teams in namespaces of their own. Names, uids and times come from
the seeded source. Pods are made from stencils, so 100,000 take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from . import ages, defaults, pod_lifecycle, seed_objects
from .cluster_state import ClusterState
from .pod_factory import Stencil, mark
from .pod_records import PodRecord
from .workload_status import settled

Item = dict[str, Any]
_DAY = 86400.0
_BATCH = 2000
_MOST_WITH_FIELDS = 10_000


@dataclass(frozen=True, slots=True)
class App:
    """One application of the plan: a workload with its pods, config map and service."""

    namespace: str
    name: str
    kind: str
    replicas: int
    image: str
    port: int = 8080
    sidecar: bool = False
    service: bool = True

    @property
    def shape(self) -> seed_objects.Shape:
        """What the fields of the application's objects depend on."""
        return self.name, str(self.sidecar)


_EVERY_NODE = 0
BASE = (
    App("default", "web", "Deployment", 8, "shop/web:1.9.2"),
    App("kube-system", "coredns", "Deployment", 2, "coredns/coredns:1.11.3", 9153),
    App("default", "api", "Deployment", 4, "shop/api:4.1.0", sidecar=True),
    App("monitoring", "prometheus", "StatefulSet", 1, "prom/prometheus:3.4.0", 9090),
    App("default", "worker", "Deployment", 3, "shop/worker:2.0.7", service=False),
    App("shop", "catalogue", "Deployment", 3, "shop/catalogue:0.8.1"),
    App("shop", "cart", "Deployment", 2, "shop/cart:1.2.0", sidecar=True),
    App("shop", "checkout", "Deployment", 2, "shop/checkout:3.3.3"),
    App("default", "redis", "StatefulSet", 1, "library/redis:7.4.3", 6379),
    App("monitoring", "grafana", "Deployment", 1, "grafana/grafana:12.0.1", 3000),
    App("monitoring", "alertmanager", "StatefulSet", 1, "prom/alertmanager:0.28.1", 9093),
    App("monitoring", "kube-state-metrics", "Deployment", 1, "kube-state-metrics:2.15.0"),
    App("kube-system", "metrics-server", "Deployment", 1, "metrics-server:0.7.2", 10250),
    App("kube-system", "kube-proxy", "DaemonSet", _EVERY_NODE, "kube-proxy:v1.32.4", 10249, service=False),
    App("kube-system", "cilium", "DaemonSet", _EVERY_NODE, "cilium/cilium:1.17.4", 9879, service=False),
    App("kube-system", "etcd", "Static", 1, "etcd:3.5.21", 2379, service=False),
    App("kube-system", "kube-apiserver", "Static", 1, "kube-apiserver:v1.32.4", 6443, service=False),
    App("kube-system", "kube-controller-manager", "Static", 1, "kube-controller-manager:v1.32.4", 10257,
        service=False),
    App("kube-system", "kube-scheduler", "Static", 1, "kube-scheduler:v1.32.4", 10259, service=False),
)
_TEAM_APPS = (
    "frontend",
    "orders",
    "payments",
    "search",
    "inventory",
    "shipping",
    "reviews",
    "accounts",
    "mailer",
    "images",
)
SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def node_count(objects: int) -> int:
    """How many nodes a cluster with that many pods has."""
    return 4 + max(0, objects - 500) // 500


def plan(objects: int) -> list[App]:
    """The applications whose pods add up to `objects`."""
    left, apps, nodes = objects, [], node_count(objects)
    for app in BASE:
        size = nodes if app.replicas == _EVERY_NODE else app.replicas
        if app.replicas == _EVERY_NODE and size > left:
            continue
        if left:
            apps.append(replace(app, replicas=min(size, left)))
            left -= apps[-1].replicas
    size = min(50, max(3, left // 20))
    number = 0
    while left > 0:
        team, name = divmod(number, len(_TEAM_APPS))
        title = _TEAM_APPS[name]
        apps.append(App(f"team-{team + 1:02d}", title, "Deployment", min(size, left),
                        f"teams/{title}:1.0.{number % 7}", sidecar=number % 4 == 0))
        left -= min(size, left)
        number += 1
    return apps


class Seeding:
    """Puts the planned objects into an empty storage."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._started_at = state.now - 12 * _DAY  # the cluster's birth
        self._turn = 0
        self._with_fields = True
        self._pods: list[Item] = []

    def run(self, objects: int) -> None:
        """Store a cluster with that many pods; in a very large one pods carry no managedFields, to save
        memory.
        """
        state, apps = self._state, plan(objects)
        self._with_fields = objects <= _MOST_WITH_FIELDS
        names = dict.fromkeys((*SYSTEM_NAMESPACES, "monitoring", "shop", *(app.namespace for app in apps)))
        state.load(
            "Namespace", [seed_objects.namespace(name, state.new_uid(), self._past(12)) for name in names]
        )
        nodes = self._nodes(node_count(objects))
        state.load("Node", nodes)
        state.load("Lease", [seed_objects.lease(
            node["metadata"]["name"], state.new_uid(), node["metadata"]["creationTimestamp"],
            ages.rfc3339_micro(state.now), node["metadata"]["uid"]) for node in nodes])
        for kind, items in self._fixtures(list(names)).items():
            state.load(kind, items)
        made: dict[str, list[Item]] = {}
        for app in apps:
            for kind, item in self._app(app):
                made.setdefault(kind, []).append(item)
        for kind, items in made.items():
            state.load(kind, items)
        self._store_pods()
        state.load("CronJob", [self._cron_job()])

    def _store_pods(self) -> None:
        self._state.load("Pod", self._pods)
        self._pods = []

    def _past(self, days: float) -> str:
        return ages.rfc3339(self._started_at + self._state.rng.uniform(0, 600) + (12 - days) * _DAY)

    def _nodes(self, count: int) -> list[Item]:
        names = ["cp-1", *(f"node-{number}" for number in range(1, count))]
        nodes = []
        for number, name in enumerate(names):
            node = seed_objects.node(
                name, self._state.new_uid(), self._past(12), number, control_plane=number == 0
            )
            node["status"]["conditions"] = seed_objects.node_conditions(
                ages.rfc3339(self._state.now), node["metadata"]["creationTimestamp"])
            nodes.append(node)
        return nodes

    def _fixtures(self, namespaces: list[str]) -> dict[str, list[Item]]:
        """What every namespace has."""
        state = self._state
        made: dict[str, list[Item]] = {"ServiceAccount": [], "ConfigMap": [], "Secret": [], "Service": []}
        for namespace in namespaces:
            created = self._past(12)
            made["ServiceAccount"].append(
                seed_objects.service_account(namespace, "default", state.new_uid(), created)
            )
            made["ConfigMap"].append(
                seed_objects.config_map(
                    namespace,
                    "kube-root-ca.crt",
                    state.new_uid(),
                    created,
                    {"ca.crt": "this demo has no certificates\n"},
                )
            )
            if namespace not in SYSTEM_NAMESPACES:
                made["Secret"].append(
                    seed_objects.secret(namespace, "registry-credentials", state.new_uid(), created)
                )
        kubernetes = seed_objects.service("default", "kubernetes", state.new_uid(), self._past(12), "", 6443)
        kubernetes["spec"] |= {
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}],
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
        }
        del kubernetes["spec"]["selector"]
        kubernetes["metadata"]["labels"] = {"component": "apiserver", "provider": "kubernetes"}
        made["Service"].append(kubernetes)
        return made

    def _app(self, app: App) -> Iterator[tuple[str, Item]]:
        state = self._state
        created = self._past(state.rng.uniform(2, 11))
        template = seed_objects.pod_template(app.name, app.image, app.port, sidecar=app.sidecar)
        yield "ConfigMap", seed_objects.config_map(
            app.namespace, f"{app.name}-config", state.new_uid(), created,
            {"config.yaml": f"listen: 0.0.0.0:{app.port}\nlog_level: info\nname: {app.name}\n"})
        if app.service:
            yield (
                "Service",
                seed_objects.service(app.namespace, app.name, state.new_uid(), created, app.name, app.port),
            )
        if app.kind == "Static":
            self._static_pod(app, template, created)
            return
        item = seed_objects.workload(app.kind, app.namespace, app.name, state.new_uid(), created, template,
                                     app.replicas, shape=app.shape)
        owner, labels = item, {}
        names = [f"{app.name}-{number}" for number in range(app.replicas)]
        if app.kind == "Deployment":
            owner = seed_objects.replica_set(item, state.new_uid(), created, 1, app.replicas, shape=app.shape)
            labels = {"pod-template-hash": owner["metadata"]["labels"]["pod-template-hash"]}
            yield "ReplicaSet", settled(owner, app.replicas, created)
            names = [f"{owner['metadata']['name']}-{seed_objects.suffix(state.rng)}" for _ in names]
        elif app.kind == "DaemonSet":
            names = [f"{app.name}-{seed_objects.suffix(state.rng)}" for _ in names]
            labels = {"controller-revision-hash": seed_objects.template_hash(template)}
        else:
            labels = {"controller-revision-hash": f"{app.name}-{seed_objects.template_hash(template)}"}
        yield app.kind, settled(item, app.replicas, created, owner["metadata"]["name"], labels)
        self._add_pods(app, template, owner, labels, names)
        if len(self._pods) >= _BATCH:
            self._store_pods()

    def _stencil(self, app: App, template: Item, owner: Item, labels: Item) -> _PodStencil:
        reference = seed_objects.owner(owner["apiVersion"], owner["kind"], owner)
        item = seed_objects.pod(
            app.namespace,
            mark("name"),
            mark("uid"),
            mark("created"),
            template,
            reference,
            generate_name=f"{owner['metadata']['name']}-",
            extra_labels=labels,
            managed=False,
        )
        pod_lifecycle.bind(item, mark("node"), 0)
        pod_lifecycle.create_containers(item, mark("host"), mark("address"), 0)
        pod_lifecycle.start(item, 0)
        pod_lifecycle.become_ready(item, 0)
        for status in item["status"]["containerStatuses"]:
            status["containerID"] = f"containerd://{mark('hex')}{mark('hex')}"
        if self._with_fields:
            seed_objects.owned_by(item, "kube-controller-manager", status_by="kubelet", time=mark("created"),
                                  shape=("Pod", owner["kind"], *app.shape))
        return _PodStencil(item)

    def _add_pods(self, app: App, template: Item, owner: Item, labels: Item, names: list[str]) -> None:
        state = self._state
        stencil = self._stencil(app, template, owner, labels)
        workers = state.worker_nodes()
        every = state.nodes_with({})
        meta = owner["metadata"]
        for at, name in enumerate(names):
            self._turn += 1
            node = every[at % len(every)] if app.kind == "DaemonSet" else workers[self._turn % len(workers)]
            uid, created = state.new_uid(), self._past(state.rng.uniform(0.05, 9))
            self._pods.append(stencil.fill({
                "name": name, "uid": uid, "created": created, "node": node, "hex": uid.replace("-", ""),
                "host": state.node_address(node), "address": state.next_pod_address(node)}))
            state.pods.add(
                PodRecord(
                    app.namespace,
                    name,
                    uid,
                    meta["uid"],
                    owner["kind"],
                    meta["name"],
                    labels.get("controller-revision-hash", ""),
                    app.name,
                    node,
                    "Running",
                    ready=True,
                    started=True,
                    created=ages.parse(created) or 0.0,
                )
            )

    def _static_pod(self, app: App, template: Item, created: str) -> None:
        node = self._state.items("Node")[0]
        name, uid = f"{app.name}-{node['metadata']['name']}", self._state.new_uid()
        owner = {
            "apiVersion": "v1",
            "kind": "Node",
            "name": node["metadata"]["name"],
            "uid": node["metadata"]["uid"],
            "controller": True,
        }
        now = ages.parse(created) or 0.0
        item = seed_objects.pod(app.namespace, name, uid, created, template, owner, extra_labels={
            "component": app.name, "tier": "control-plane"})
        item["metadata"].setdefault("annotations", {})["kubernetes.io/config.source"] = "file"
        pod_lifecycle.bind(item, owner["name"], now)
        pod_lifecycle.create_containers(item, self._state.node_address(owner["name"]),
                                        self._state.node_address(owner["name"]), now)
        pod_lifecycle.start(item, now)
        pod_lifecycle.become_ready(item, now)
        self._pods.append(seed_objects.owned_by(item, "kubelet", status_by="kubelet"))
        self._state.pods.update(item | {"metadata": item["metadata"] | {"resourceVersion": "0"}})

    def _cron_job(self) -> Item:
        template = seed_objects.pod_template("report", "shop/report:1.0.0", 8080, restart="OnFailure")
        item: Item = {
            "kind": "CronJob",
            "apiVersion": "batch/v1",
            "metadata": seed_objects.metadata(
                "nightly-report", self._state.new_uid(), self._past(9), namespace="shop", generation=1
            ),
            "spec": {"schedule": "30 3 * * *", "jobTemplate": {"spec": {"template": template}}},
        }
        defaults.fill_in("batch", "CronJob", item)
        return seed_objects.owned_by(item, "kubectl-client-side-apply")


class _PodStencil:
    """A pod's stencil in parts, as the storage takes objects: metadata to read, the rest encoded already."""

    def __init__(self, item: Item) -> None:
        fields = item["metadata"].pop("managedFields", None)
        self._fields = Stencil(fields) if fields else None
        self._metadata, self._spec, self._status = (
            Stencil(item[part]) for part in ("metadata", "spec", "status")
        )

    def fill(self, values: dict[str, str]) -> Item:
        raw = {name: value.encode() for name, value in values.items()}
        metadata = msgspec.json.decode(self._metadata.fill(raw))
        if self._fields is not None:
            metadata["managedFields"] = msgspec.Raw(self._fields.fill(raw))
        return {"metadata": metadata, "spec": msgspec.Raw(self._spec.fill(raw)),
                "status": msgspec.Raw(self._status.fill(raw).replace(_EPOCH, raw["created"]))}


_EPOCH = b"1970-01-01T00:00:00Z"
