"""The objects of the demo's cluster, as plain dictionaries: one function a kind.

They look like what a real cluster of version 1.32 holds: labels, owner references, defaults, conditions and
managed fields included, so that a pod is 4 to 6 kB of JSON. Nothing here touches the storage; identities and
times are arguments, so the same arguments give the same object.
"""

from __future__ import annotations

import json
import random
import zlib
from typing import Any

from . import ages, defaults, field_owners

Item = dict[str, Any]

Shape = tuple[str, ...]
_FIELDS: dict[Shape, tuple[Item, ...]] = {}
_MOST_SHAPES = 1000
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
VERSION = "v1.32.4"


def suffix(rng: random.Random, length: int = 5) -> str:
    """Random characters as the API server appends to a generateName: no vowels, so no words."""
    return "".join(rng.choices(_SAFE, k=length))


def uid(rng: random.Random) -> str:
    """A version 4 UUID out of the given random source."""
    bits = rng.getrandbits(128) & ~(0xF << 76) | (4 << 76)
    text = f"{bits & ~(3 << 62) | (2 << 62):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def template_hash(template: Any) -> str:
    """The value of the pod-template-hash label: the same for the same template."""
    number = zlib.crc32(json.dumps(template, sort_keys=True).encode()) * 2654435761 % 27 ** 10
    digits = []
    for _ in range(10):
        number, digit = divmod(number, 27)
        digits.append(_SAFE[digit])
    return "".join(digits)


def owner(api_version: str, kind: str, item: Item) -> Item:
    """A controller's owner reference."""
    return {"apiVersion": api_version, "kind": kind, "name": item["metadata"]["name"],
            "uid": item["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}


def metadata(name: str, identity: str, created: str, *, namespace: str = "", labels: Item | None = None,
             annotations: Item | None = None, owners: list[Item] | None = None, generation: int = 0) -> Item:
    """The metadata of a new object."""
    made: Item = {"name": name}
    if namespace:
        made["namespace"] = namespace
    made["uid"] = identity
    made["resourceVersion"] = ""
    if generation:
        made["generation"] = generation
    made["creationTimestamp"] = created
    if labels:
        made["labels"] = dict(labels)
    if annotations:
        made["annotations"] = dict(annotations)
    if owners:
        made["ownerReferences"] = owners
    return made


def owned_by(
    item: Item, manager: str, *, status_by: str = "", time: str = "", shape: Shape | None = None
) -> Item:
    """The object with the `managedFields` that its makers would have left.

    Objects of one `shape` have the same fields, so those are worked out once for each shape.
    """
    time = time or item["metadata"]["creationTimestamp"]
    entry = {"operation": "Update", "apiVersion": item["apiVersion"], "time": time, "fieldsType": "FieldsV1"}
    found = _FIELDS.get(shape) if shape else None
    if found is None:
        content = {key: value for key, value in item.items() if key != "status" or not status_by}
        status = {"status": item["status"]} if status_by and item.get("status") else {}
        found = tuple(field_owners.encode(field_owners.fields_of(part)) for part in (content, status))
        if shape and len(_FIELDS) < _MOST_SHAPES:
            _FIELDS[shape] = found
    item["metadata"]["managedFields"] = [{"manager": manager, **entry, "fieldsV1": found[0]}]
    if status_by and found[1]:
        item["metadata"]["managedFields"].append(
            {"manager": status_by, **entry, "fieldsV1": found[1], "subresource": "status"})
    return item


def namespace(name: str, identity: str, created: str) -> Item:
    """A namespace in phase Active."""
    item: Item = {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata(name, identity, created)}
    defaults.fill_in("", "Namespace", item)
    return owned_by(item, "kube-apiserver")


def node(name: str, identity: str, created: str, number: int, *, control_plane: bool = False) -> Item:
    """A ready node with 8 cores and 32 GB."""
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": "zone-" + "abc"[number % 3],
    }
    spec: Item = {"podCIDR": f"10.244.{number % 256}.0/24", "podCIDRs": [f"10.244.{number % 256}.0/24"],
                  "providerID": f"demo://{name}"}
    if control_plane:
        labels["node-role.kubernetes.io/control-plane"] = ""
        spec["taints"] = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    size = {
        "cpu": "8",
        "ephemeral-storage": "101430960Ki",
        "hugepages-2Mi": "0",
        "memory": "32879524Ki",
        "pods": "110",
    }
    item: Item = {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": metadata(
            name,
            identity,
            created,
            labels=labels,
            annotations={
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        ),
        "spec": spec,
        "status": {
            "capacity": dict(size),
            "allocatable": dict(size),
            "conditions": node_conditions(created, created),
            "addresses": [
                {"type": "InternalIP", "address": f"192.0.2.{number % 250 + 1}"},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": identity.replace("-", ""),
                "systemUUID": identity,
                "bootID": identity,
                "kernelVersion": "6.8.0-60-generic",
                "osImage": "Ubuntu 24.04.2 LTS",
                "containerRuntimeVersion": "containerd://2.0.4",
                "kubeletVersion": VERSION,
                "kubeProxyVersion": VERSION,
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
            "images": [
                {"names": [f"registry.example.com/{image}"], "sizeBytes": 31470524 + 7919 * at}
                for at, image in enumerate(("shop/web:1.9.2", "shop/api:4.1.0", "pause:3.10"))
            ],
        },
    }
    return owned_by(item, "kubelet", status_by="kubelet")


def node_conditions(heartbeat: str, since: str, *, ready: str = "True") -> list[Item]:
    """The five conditions that a kubelet reports; `ready` is True, False or Unknown."""
    quiet = [("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
             ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
             ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available")]
    lost = ready == "Unknown"
    conditions = [{"type": kind, "status": "Unknown" if lost else "False", "lastHeartbeatTime": heartbeat,
                   "lastTransitionTime": since, "reason": "NodeStatusUnknown" if lost else reason,
                   "message": "Kubelet stopped posting node status." if lost else message}
                  for kind, reason, message in quiet]
    reason, message = {"True": ("KubeletReady", "kubelet is posting ready status"),
                       "False": ("KubeletNotReady", "container runtime is down")}.get(
        ready, ("NodeStatusUnknown", "Kubelet stopped posting node status."))
    return [*conditions, {"type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat,
                          "lastTransitionTime": since, "reason": reason, "message": message}]


def lease(node_name: str, identity: str, created: str, renewed: str, node_uid: str) -> Item:
    """The lease by which a kubelet says that it lives."""
    return {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
            "metadata": metadata(node_name, identity, created, namespace="kube-node-lease", owners=[
                {"apiVersion": "v1", "kind": "Node", "name": node_name, "uid": node_uid}]),
            "spec": {"holderIdentity": node_name, "leaseDurationSeconds": 40, "renewTime": renewed}}


def config_map(namespace: str, name: str, identity: str, created: str, data: dict[str, str]) -> Item:
    """A config map."""
    return owned_by({"kind": "ConfigMap", "apiVersion": "v1",
                     "metadata": metadata(name, identity, created, namespace=namespace), "data": data},
                    "kubectl-create")


def secret(namespace: str, name: str, identity: str, created: str) -> Item:
    """A secret whose only value says that it is none."""
    item: Item = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": metadata(name, identity, created, namespace=namespace),
        "stringData": {"token": "this is a demo, not a secret"},
    }
    defaults.fill_in("", "Secret", item)
    return owned_by(item, "kubectl-create")


def service_account(namespace: str, name: str, identity: str, created: str) -> Item:
    """A service account."""
    return {"kind": "ServiceAccount", "apiVersion": "v1",
            "metadata": metadata(name, identity, created, namespace=namespace)}


def service(namespace: str, name: str, identity: str, created: str, app: str, port: int) -> Item:
    """A ClusterIP service for the pods of an app."""
    item: Item = {"kind": "Service", "apiVersion": "v1",
                  "metadata": metadata(name, identity, created, namespace=namespace, labels={"app": app}),
                  "spec": {"ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": port}],
                           "selector": {"app": app}}}
    defaults.fill_in("", "Service", item)
    return owned_by(item, "kubectl-client-side-apply")


def pod_template(app: str, image: str, port: int, *, sidecar: bool = False, restart: str = "") -> Item:
    """A pod template like those one finds: environment, probes, resources and a mounted config map."""
    container: Item = {
        "name": app,
        "image": f"registry.example.com/{image}",
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "env": [
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "APP_NAME", "value": app},
            {
                "name": "POD_NAME",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
            },
            {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel-collector.monitoring:4317"},
        ],
        "resources": {
            "limits": {"cpu": "500m", "memory": "256Mi"},
            "requests": {"cpu": "100m", "memory": "128Mi"},
        },
        "volumeMounts": [
            {"name": "config", "readOnly": True, "mountPath": f"/etc/{app}"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
            "initialDelaySeconds": 5,
        },
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTP"}},
    }
    spec: Item = {"containers": [container],
                  "volumes": [{"name": "config", "configMap": {"name": f"{app}-config"}},
                              {"name": "tmp", "emptyDir": {}}]}
    if sidecar:
        spec["containers"].append({"name": "proxy", "image": "registry.example.com/mesh/proxy:2.14.1",
                                   "ports": [{"name": "admin", "containerPort": 9901, "protocol": "TCP"}]})
    if restart:
        spec["restartPolicy"] = restart
    spec["serviceAccountName"] = "default"
    defaults.pod_spec(spec)
    return {
        "metadata": {
            "labels": {"app": app},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)},
        },
        "spec": spec,
    }


def workload(kind: str, namespace: str, name: str, identity: str, created: str, template: Item,
             replicas: int, *, shape: Shape | None = None) -> Item:
    """A Deployment, StatefulSet or DaemonSet (which ignores `replicas`) for a pod template."""
    spec: Item = {
        "selector": {"matchLabels": {"app": template["metadata"]["labels"]["app"]}},
        "template": template,
    }
    if kind != "DaemonSet":
        spec = {"replicas": replicas, **spec}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    item: Item = {"kind": kind, "apiVersion": "apps/v1",
                  "metadata": metadata(name, identity, created, namespace=namespace, generation=1,
                                       labels=template["metadata"]["labels"]),
                  "spec": spec}
    defaults.fill_in("apps", kind, item)
    return owned_by(item, "kubectl-client-side-apply", shape=(kind, *shape) if shape else None)


def replica_set(deployment: Item, identity: str, created: str, revision: int, replicas: int, *,
                shape: Shape | None = None) -> Item:
    """The replica set of a deployment's present template."""
    spec = deployment["spec"]
    labels = {
        **spec["template"]["metadata"].get("labels", {}),
        "pod-template-hash": template_hash(spec["template"]),
    }
    meta = deployment["metadata"]
    item: Item = {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": metadata(
            f"{meta['name']}-{labels['pod-template-hash']}",
            identity,
            created,
            namespace=meta["namespace"],
            labels=labels,
            generation=1,
            annotations={
                "deployment.kubernetes.io/desired-replicas": str(spec.get("replicas", 1)),
                "deployment.kubernetes.io/max-replicas": str(spec.get("replicas", 1) + 1),
                "deployment.kubernetes.io/revision": str(revision),
            },
            owners=[owner("apps/v1", "Deployment", deployment)],
        ),
        "spec": {
            "replicas": replicas,
            "selector": {
                "matchLabels": {
                    **spec["selector"].get("matchLabels", {}),
                    "pod-template-hash": labels["pod-template-hash"],
                }
            },
            "template": {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}},
        },
        "status": {"replicas": 0},
    }
    return owned_by(item, "kube-controller-manager", shape=("ReplicaSet", *shape) if shape else None)


def pod(
    namespace: str,
    name: str,
    identity: str,
    created: str,
    template: Item,
    owner_reference: Item | None,
    *,
    generate_name: str = "",
    extra_labels: Item | None = None,
    managed: bool = True,
) -> Item:
    """A pod out of a template, just accepted: Pending and on no node (`managed`: with its managedFields)."""
    meta = metadata(name, identity, created, namespace=namespace, generation=1,
                    labels={**(template.get("metadata", {}).get("labels") or {}), **(extra_labels or {})},
                    annotations=template.get("metadata", {}).get("annotations"),
                    owners=[owner_reference] if owner_reference else None)
    if generate_name:
        meta = {"name": name, "generateName": generate_name, **meta}
    item: Item = {"kind": "Pod", "apiVersion": "v1", "metadata": meta,
                  "spec": json.loads(json.dumps(template.get("spec") or {}))}
    defaults.fill_in("", "Pod", item)
    item["status"]["qosClass"] = "Burstable"
    return owned_by(item, "kube-controller-manager" if owner_reference else "kubelet") if managed else item


def event(about: Item, identity: str, name: str, now: float, *, reason: str, message: str, component: str,
          host: str = "", kind: str = "Normal", field_path: str = "") -> Item:
    """A core/v1 Event about an object."""
    meta, time = about["metadata"], ages.rfc3339(now)
    where = meta.get("namespace") or "default"
    involved: Item = {"kind": about["kind"]}
    if meta.get("namespace"):
        involved["namespace"] = meta["namespace"]
    involved |= {"name": meta["name"], "uid": meta["uid"], "apiVersion": about["apiVersion"],
                 "resourceVersion": meta.get("resourceVersion", "")}
    if field_path:
        involved["fieldPath"] = field_path
    source = {"component": component} | ({"host": host} if host else {})
    return {"kind": "Event", "apiVersion": "v1", "metadata": metadata(name, identity, time, namespace=where),
            "involvedObject": involved, "reason": reason, "message": message, "source": source,
            "firstTimestamp": time, "lastTimestamp": time, "count": 1, "type": kind, "eventTime": None,
            "reportingComponent": component, "reportingInstance": host}
