"""The columns that `kubectl get` shows for the built-in kinds: one small function a cell.

Names, order, texts and which columns are wide follow Kubernetes' own printers. A cell function takes the object
and the present time, and copes with missing parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import ages
from .pod_columns import containers_ready, pod_restarts, pod_status

Item = dict[str, Any]
NONE = "<none>"
_DESCRIPTIONS = {
    "Name": "Name of the object, unique among its kind within a namespace.",
    "Age": "Time since the object was created.",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `cell(object, now)` gives its text, number or boolean; `wide` ones show with `-o wide` only."""

    name: str
    cell: Callable[[Item, float], Any]
    type: str = "string"
    wide: bool = False
    description: str = ""


def description_of(name: str) -> str:
    """What a column without a description of its own says it is."""
    return _DESCRIPTIONS.get(name, f"{name} of the object.")


def at(item: Any, *path: str | int, default: Any = None) -> Any:
    """The value at a path; `default` if any part of it is missing or null."""
    for step in path:
        try:
            item = item[step]
        except (KeyError, IndexError, TypeError):
            return default
    return default if item is None else item


def text(*path: str | int, default: str = NONE) -> Callable[[Item, float], Any]:
    """A cell with the text at a path."""
    return lambda item, now: str(at(item, *path, default=default)) or default


def number(*path: str | int, default: int = 0) -> Callable[[Item, float], Any]:
    """A cell with the integer at a path."""
    return lambda item, now: at(item, *path, default=default)


def count(*paths: str) -> Callable[[Item, float], Any]:
    """A cell with the number of entries of the named objects or lists."""
    return lambda item, now: sum(len(at(item, path, default=())) for path in paths)


def since(*path: str | int, missing: str = "<unknown>") -> Callable[[Item, float], Any]:
    """A cell with how long ago the instant at a path was."""
    return lambda item, now: ages.age(at(item, *path), now) if at(item, *path) else missing


def pair(left: tuple[str, ...], right: tuple[str, ...]) -> Callable[[Item, float], Any]:
    """A cell like 2/3."""
    return lambda item, now: f"{at(item, *left, default=0)}/{at(item, *right, default=0)}"


def labels_text(labels: Any) -> str:
    """A map of labels as a selector."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector_text(selector: Any) -> str:
    """A LabelSelector as text."""
    terms = [f"{key}={value}" for key, value in sorted(at(selector, "matchLabels", default={}).items())]
    for term in at(selector, "matchExpressions", default=[]):
        operator, values = term.get("operator"), ",".join(term.get("values") or [])
        terms.append({"In": f"{term.get('key')} in ({values})", "NotIn": f"{term.get('key')} notin ({values})",
                      "Exists": str(term.get("key"))}.get(str(operator), f"!{term.get('key')}"))
    return ",".join(terms) or NONE


def _selector(item: Item, now: float) -> str:
    return selector_text(at(item, "spec", "selector", default={}))


def _containers(field: str, *path: str) -> Callable[[Item, float], Any]:
    return lambda item, now: ",".join(str(container.get(field, "")) for container in at(item, *path, default=[]))


def _pod_spec_columns(*template: str) -> list[Column]:
    path = (*(template or ("spec", "template", "spec")), "containers")
    return [Column("Containers", _containers("name", *path), wide=True),
            Column("Images", _containers("image", *path), wide=True)]


def _node_status(item: Item, now: float) -> str:
    ready = next((condition for condition in at(item, "status", "conditions", default=[])
                  if condition.get("type") == "Ready"), None)
    states = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    if at(item, "spec", "unschedulable"):
        states.append("SchedulingDisabled")
    return ",".join(states)


def _node_roles(item: Item, now: float) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = at(item, "metadata", "labels", default={})
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or NONE


def _node_address(kind: str) -> Callable[[Item, float], Any]:
    return lambda item, now: next((address["address"] for address in at(item, "status", "addresses", default=[])
                                   if address.get("type") == kind), NONE)


def _external_ip(item: Item, now: float) -> str:
    kind = at(item, "spec", "type", default="ClusterIP")
    if kind == "ExternalName":
        return str(at(item, "spec", "externalName", default=NONE))
    ingress = at(item, "status", "loadBalancer", "ingress", default=[])
    found = [str(entry.get("ip") or entry.get("hostname")) for entry in ingress]
    found += at(item, "spec", "externalIPs", default=[])
    return ",".join(found) or ("<pending>" if kind == "LoadBalancer" else NONE)


def _service_ports(item: Item, now: float) -> str:
    return ",".join(f"{port.get('port')}" + (f":{port['nodePort']}" if port.get("nodePort") else "")
                    + f"/{port.get('protocol', 'TCP')}" for port in at(item, "spec", "ports", default=[])) or NONE


def _endpoints(item: Item, now: float) -> str:
    found = [f"{address.get('ip')}:{port.get('port')}" for subset in at(item, "subsets", default=[])
             for address in subset.get("addresses") or [] for port in subset.get("ports") or []]
    return NONE if not found else ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


def _job_status(item: Item, now: float) -> str:
    held = {condition.get("type") for condition in at(item, "status", "conditions", default=[])
            if condition.get("status") == "True"}
    if "Complete" in held or "Failed" in held:
        return "Complete" if "Complete" in held else "Failed"
    if at(item, "metadata", "deletionTimestamp"):
        return "Terminating"
    return "Suspended" if "Suspended" in held else "Running"


def _job_completions(item: Item, now: float) -> str:
    done, wanted = at(item, "status", "succeeded", default=0), at(item, "spec", "completions")
    return f"{done}/{wanted}" if wanted is not None else f"{done}/1"


def _job_duration(item: Item, now: float) -> str:
    start, end = ages.parse(at(item, "status", "startTime")), ages.parse(at(item, "status", "completionTime"))
    return "" if start is None else ages.human_duration((now if end is None else end) - start)


def _event_last_seen(item: Item, now: float) -> str:
    instant = at(item, "series", "lastObservedTime") or at(item, "lastTimestamp") or at(item, "eventTime")
    return ages.age(instant or at(item, "metadata", "creationTimestamp"), now)


def _event_first_seen(item: Item, now: float) -> str:
    return ages.age(at(item, "firstTimestamp") or at(item, "eventTime"), now)


def _event_object(item: Item, now: float) -> str:
    about = at(item, "involvedObject", default={}) or at(item, "regarding", default={})
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_source(item: Item, now: float) -> str:
    component, host = at(item, "source", "component", default=""), at(item, "source", "host", default="")
    component = component or at(item, "reportingComponent", default="")
    return f"{component}, {host}" if host else str(component)


def _event_message(item: Item, now: float) -> str:
    return str(at(item, "message", default="") or at(item, "note", default="")).strip()


NAME = Column("Name", text("metadata", "name", default=""))
AGE = Column("Age", since("metadata", "creationTimestamp"))
_SELECTOR = Column("Selector", _selector, wide=True)


def _integer(name: str, *path: str) -> Column:
    return Column(name, number(*path), "integer")


def _ips(item: Item, now: float) -> str:
    return str(at(item, "status", "podIP") or at(item, "status", "podIPs", 0, "ip", default=NONE))


COLUMNS: dict[tuple[str, str], list[Column]] = {
    ("", "Pod"): [
        NAME, Column("Ready", lambda item, now: containers_ready(item)),
        Column("Status", lambda item, now: pod_status(item)), Column("Restarts", pod_restarts), AGE,
        Column("IP", _ips, wide=True), Column("Node", text("spec", "nodeName"), wide=True),
        Column("Nominated Node", text("status", "nominatedNodeName"), wide=True),
        Column("Readiness Gates", lambda item, now: NONE, wide=True)],
    ("apps", "Deployment"): [
        NAME, Column("Ready", pair(("status", "readyReplicas"), ("spec", "replicas"))),
        _integer("Up-to-date", "status", "updatedReplicas"), _integer("Available", "status", "availableReplicas"),
        AGE, *_pod_spec_columns(), _SELECTOR],
    ("apps", "ReplicaSet"): [
        NAME, _integer("Desired", "spec", "replicas"), _integer("Current", "status", "replicas"),
        _integer("Ready", "status", "readyReplicas"), AGE, *_pod_spec_columns(), _SELECTOR],
    ("apps", "StatefulSet"): [
        NAME, Column("Ready", pair(("status", "readyReplicas"), ("spec", "replicas"))), AGE, *_pod_spec_columns()],
    ("apps", "DaemonSet"): [
        NAME, _integer("Desired", "status", "desiredNumberScheduled"),
        _integer("Current", "status", "currentNumberScheduled"), _integer("Ready", "status", "numberReady"),
        _integer("Up-to-date", "status", "updatedNumberScheduled"), _integer("Available", "status", "numberAvailable"),
        Column("Node Selector", lambda item, now: labels_text(at(item, "spec", "template", "spec", "nodeSelector"))),
        AGE, *_pod_spec_columns(), _SELECTOR],
    ("apps", "ControllerRevision"): [
        NAME, Column("Controller", lambda item, now: "/".join(
            str(at(item, "metadata", "ownerReferences", 0, part, default="")).lower() for part in ("kind", "name"))),
        _integer("Revision", "revision"), AGE],
    ("batch", "Job"): [
        NAME, Column("Status", _job_status), Column("Completions", _job_completions),
        Column("Duration", _job_duration), AGE, *_pod_spec_columns(), _SELECTOR],
    ("batch", "CronJob"): [
        NAME, Column("Schedule", text("spec", "schedule", default="")), Column("Timezone", text("spec", "timeZone")),
        Column("Suspend", lambda item, now: str(bool(at(item, "spec", "suspend", default=False))), "boolean"),
        Column("Active", lambda item, now: len(at(item, "status", "active", default=[])), "integer"),
        Column("Last Schedule", since("status", "lastScheduleTime", missing=NONE)), AGE,
        *_pod_spec_columns("spec", "jobTemplate", "spec", "template", "spec"),
        Column("Selector", lambda item, now: NONE, wide=True)],
    ("", "Service"): [
        NAME, Column("Type", text("spec", "type", default="ClusterIP")), Column("Cluster-IP", text("spec", "clusterIP")),
        Column("External-IP", _external_ip), Column("Port(s)", _service_ports), AGE,
        Column("Selector", lambda item, now: labels_text(at(item, "spec", "selector")), wide=True)],
    ("", "Endpoints"): [NAME, Column("Endpoints", _endpoints), AGE],
    ("", "Node"): [
        NAME, Column("Status", _node_status), Column("Roles", _node_roles), AGE,
        Column("Version", text("status", "nodeInfo", "kubeletVersion", default="")),
        Column("Internal-IP", _node_address("InternalIP"), wide=True),
        Column("External-IP", _node_address("ExternalIP"), wide=True),
        Column("OS-Image", text("status", "nodeInfo", "osImage", default="<unknown>"), wide=True),
        Column("Kernel-Version", text("status", "nodeInfo", "kernelVersion", default="<unknown>"), wide=True),
        Column("Container-Runtime", text("status", "nodeInfo", "containerRuntimeVersion", default="<unknown>"),
               wide=True)],
    ("", "Namespace"): [NAME, Column("Status", text("status", "phase", default="")), AGE],
    ("", "ConfigMap"): [NAME, Column("Data", count("data", "binaryData")), AGE],
    ("", "Secret"): [NAME, Column("Type", text("type", default="Opaque")), Column("Data", count("data")), AGE],
    ("", "ServiceAccount"): [NAME, Column("Secrets", count("secrets")), AGE],
    ("", "PersistentVolumeClaim"): [
        NAME, Column("Status", text("status", "phase", default="")), Column("Volume", text("spec", "volumeName", default="")),
        Column("Capacity", text("status", "capacity", "storage", default="")),
        Column("Access Modes", lambda item, now: ",".join(at(item, "status", "accessModes", default=[]))),
        Column("StorageClass", text("spec", "storageClassName", default="")),
        Column("VolumeAttributesClass", text("spec", "volumeAttributesClassName", default="<unset>")), AGE,
        Column("VolumeMode", text("spec", "volumeMode", default="<unset>"), wide=True)],
    ("coordination.k8s.io", "Lease"): [NAME, Column("Holder", text("spec", "holderIdentity", default="")), AGE],
    ("networking.k8s.io", "Ingress"): [
        NAME, Column("Class", text("spec", "ingressClassName")),
        Column("Hosts", lambda item, now: ",".join(
            str(rule.get("host", "*")) for rule in at(item, "spec", "rules", default=[])) or "*"),
        Column("Address", text("status", "loadBalancer", "ingress", 0, "ip", default="")),
        Column("Ports", lambda item, now: "80, 443" if at(item, "spec", "tls") else "80"), AGE],
    ("policy", "PodDisruptionBudget"): [
        NAME, Column("Min Available", text("spec", "minAvailable", default="N/A")),
        Column("Max Unavailable", text("spec", "maxUnavailable", default="N/A")),
        _integer("Allowed Disruptions", "status", "disruptionsAllowed"), AGE],
    ("discovery.k8s.io", "EndpointSlice"): [
        NAME, Column("AddressType", text("addressType", default="")),
        Column("Ports", lambda item, now: ",".join(
            str(port.get("port")) for port in at(item, "ports", default=[])) or "<unset>"),
        Column("Endpoints", lambda item, now: ",".join(
            str(at(endpoint, "addresses", 0, default="")) for endpoint in at(item, "endpoints", default=[])[:3])
            or "<unset>"), AGE],
    ("apiextensions.k8s.io", "CustomResourceDefinition"): [
        NAME, Column("Created At", text("metadata", "creationTimestamp", default="<unknown>"), "date")],
    ("", "Event"): [
        Column("Last Seen", _event_last_seen), Column("Type", text("type", default="")),
        Column("Reason", text("reason", default="")), Column("Object", _event_object),
        Column("Subobject", text("involvedObject", "fieldPath", default=""), wide=True),
        Column("Source", _event_source, wide=True), Column("Message", _event_message),
        Column("First Seen", _event_first_seen, wide=True), Column("Count", number("count", default=1), "integer", True),
        Column("Name", text("metadata", "name", default=""), wide=True)],
}
COLUMNS["events.k8s.io", "Event"] = COLUMNS["", "Event"]
