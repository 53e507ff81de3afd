"""The columns of the built-in kinds, in order: names, cells, and which show with `-o wide` only."""

from __future__ import annotations

from .column_cells import (
    NONE,
    Column,
    Item,
    at,
    count,
    endpoints,
    event_first_seen,
    event_last_seen,
    event_message,
    event_object,
    event_source,
    external_ip,
    job_completions,
    job_duration,
    job_status,
    labels_text,
    node_address,
    node_roles,
    node_status,
    number,
    pair,
    pod_spec_columns,
    selector,
    service_ports,
    since,
    text,
)
from .pod_columns import containers_ready, pod_restarts, pod_status

NAME = Column("Name", text("metadata", "name", default=""))
AGE = Column("Age", since("metadata", "creationTimestamp"))
_SELECTOR = Column("Selector", selector, wide=True)


def _integer(name: str, *path: str) -> Column:
    return Column(name, number(*path), "integer")


def _ips(item: Item, now: float) -> str:
    return str(at(item, "status", "podIP") or at(item, "status", "podIPs", 0, "ip", default=NONE))


COLUMNS: dict[tuple[str, str], list[Column]] = {
    ("", "Pod"): [
        NAME,
        Column("Ready", lambda item, now: containers_ready(item)),
        Column("Status", lambda item, now: pod_status(item)),
        Column("Restarts", pod_restarts),
        AGE,
        Column("IP", _ips, wide=True),
        Column("Node", text("spec", "nodeName"), wide=True),
        Column("Nominated Node", text("status", "nominatedNodeName"), wide=True),
        Column("Readiness Gates", lambda item, now: NONE, wide=True),
    ],
    ("apps", "Deployment"): [
        NAME,
        Column("Ready", pair(("status", "readyReplicas"), ("spec", "replicas"))),
        Column("Up-to-date", number("status", "updatedReplicas")),
        Column("Available", number("status", "availableReplicas")),
        AGE,
        *pod_spec_columns(),
        _SELECTOR,
    ],
    ("apps", "ReplicaSet"): [
        NAME,
        _integer("Desired", "spec", "replicas"),
        _integer("Current", "status", "replicas"),
        _integer("Ready", "status", "readyReplicas"),
        AGE,
        *pod_spec_columns(),
        _SELECTOR,
    ],
    ("apps", "StatefulSet"): [
        NAME,
        Column("Ready", pair(("status", "readyReplicas"), ("spec", "replicas"))),
        AGE,
        *pod_spec_columns(),
    ],
    ("apps", "DaemonSet"): [
        NAME,
        _integer("Desired", "status", "desiredNumberScheduled"),
        _integer("Current", "status", "currentNumberScheduled"),
        _integer("Ready", "status", "numberReady"),
        _integer("Up-to-date", "status", "updatedNumberScheduled"),
        _integer("Available", "status", "numberAvailable"),
        Column(
            "Node Selector",
            lambda item, now: labels_text(at(item, "spec", "template", "spec", "nodeSelector")),
        ),
        AGE,
        *pod_spec_columns(),
        _SELECTOR,
    ],
    ("apps", "ControllerRevision"): [
        NAME,
        Column(
            "Controller",
            lambda item, now: "/".join(
                str(at(item, "metadata", "ownerReferences", 0, part, default="")).lower()
                for part in ("kind", "name")
            ),
        ),
        _integer("Revision", "revision"),
        AGE,
    ],
    ("batch", "Job"): [
        NAME,
        Column("Status", job_status),
        Column("Completions", job_completions),
        Column("Duration", job_duration),
        AGE,
        *pod_spec_columns(),
        _SELECTOR,
    ],
    ("batch", "CronJob"): [
        NAME,
        Column("Schedule", text("spec", "schedule", default="")),
        Column("Timezone", text("spec", "timeZone")),
        Column("Suspend", lambda item, now: str(bool(at(item, "spec", "suspend", default=False))), "boolean"),
        Column("Active", lambda item, now: len(at(item, "status", "active", default=[])), "integer"),
        Column("Last Schedule", since("status", "lastScheduleTime", missing=NONE)),
        AGE,
        *pod_spec_columns("spec", "jobTemplate", "spec", "template", "spec"),
        Column("Selector", lambda item, now: NONE, wide=True),
    ],
    ("", "Service"): [
        NAME,
        Column("Type", text("spec", "type", default="ClusterIP")),
        Column("Cluster-IP", text("spec", "clusterIP")),
        Column("External-IP", external_ip),
        Column("Port(s)", service_ports),
        AGE,
        Column("Selector", lambda item, now: labels_text(at(item, "spec", "selector")), wide=True),
    ],
    ("", "Endpoints"): [NAME, Column("Endpoints", endpoints), AGE],
    ("", "Node"): [
        NAME,
        Column("Status", node_status),
        Column("Roles", node_roles),
        AGE,
        Column("Version", text("status", "nodeInfo", "kubeletVersion", default="")),
        Column("Internal-IP", node_address("InternalIP"), wide=True),
        Column("External-IP", node_address("ExternalIP"), wide=True),
        Column("OS-Image", text("status", "nodeInfo", "osImage", default="<unknown>"), wide=True),
        Column("Kernel-Version", text("status", "nodeInfo", "kernelVersion", default="<unknown>"), wide=True),
        Column(
            "Container-Runtime",
            text("status", "nodeInfo", "containerRuntimeVersion", default="<unknown>"),
            wide=True,
        ),
    ],
    ("", "Namespace"): [NAME, Column("Status", text("status", "phase", default="")), AGE],
    ("", "ConfigMap"): [NAME, Column("Data", count("data", "binaryData")), AGE],
    ("", "Secret"): [
        NAME,
        Column("Type", text("type", default="Opaque")),
        Column("Data", count("data")),
        AGE,
    ],
    ("", "ServiceAccount"): [NAME, Column("Secrets", count("secrets")), AGE],
    ("", "PersistentVolumeClaim"): [
        NAME,
        Column("Status", text("status", "phase", default="")),
        Column("Volume", text("spec", "volumeName", default="")),
        Column("Capacity", text("status", "capacity", "storage", default="")),
        Column("Access Modes", lambda item, now: ",".join(at(item, "status", "accessModes", default=[]))),
        Column("StorageClass", text("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", text("spec", "volumeAttributesClassName", default="<unset>")),
        AGE,
        Column("VolumeMode", text("spec", "volumeMode", default="<unset>"), wide=True),
    ],
    ("coordination.k8s.io", "Lease"): [
        NAME,
        Column("Holder", text("spec", "holderIdentity", default="")),
        AGE,
    ],
    ("networking.k8s.io", "Ingress"): [
        NAME,
        Column("Class", text("spec", "ingressClassName")),
        Column(
            "Hosts",
            lambda item, now: (
                ",".join(str(rule.get("host", "*")) for rule in at(item, "spec", "rules", default=[])) or "*"
            ),
        ),
        Column("Address", text("status", "loadBalancer", "ingress", 0, "ip", default="")),
        Column("Ports", lambda item, now: "80, 443" if at(item, "spec", "tls") else "80"),
        AGE,
    ],
    ("policy", "PodDisruptionBudget"): [
        NAME,
        Column("Min Available", text("spec", "minAvailable", default="N/A")),
        Column("Max Unavailable", text("spec", "maxUnavailable", default="N/A")),
        _integer("Allowed Disruptions", "status", "disruptionsAllowed"),
        AGE,
    ],
    ("discovery.k8s.io", "EndpointSlice"): [
        NAME,
        Column("AddressType", text("addressType", default="")),
        Column(
            "Ports",
            lambda item, now: (
                ",".join(str(port.get("port")) for port in at(item, "ports", default=[])) or "<unset>"
            ),
        ),
        Column(
            "Endpoints",
            lambda item, now: (
                ",".join(
                    str(at(endpoint, "addresses", 0, default=""))
                    for endpoint in at(item, "endpoints", default=[])[:3]
                )
                or "<unset>"
            ),
        ),
        AGE,
    ],
    ("apiextensions.k8s.io", "CustomResourceDefinition"): [
        NAME,
        Column("Created At", text("metadata", "creationTimestamp", default="<unknown>"), "date"),
    ],
    ("", "Event"): [
        Column("Last Seen", event_last_seen),
        Column("Type", text("type", default="")),
        Column("Reason", text("reason", default="")),
        Column("Object", event_object),
        Column("Subobject", text("involvedObject", "fieldPath", default=""), wide=True),
        Column("Source", event_source, wide=True),
        Column("Message", event_message),
        Column("First Seen", event_first_seen, wide=True),
        Column("Count", number("count", default=1), "integer", True),
        Column("Name", text("metadata", "name", default=""), wide=True),
    ],
}
COLUMNS["events.k8s.io", "Event"] = COLUMNS["", "Event"]
