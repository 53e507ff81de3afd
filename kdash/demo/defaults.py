"""What the API server fills in when an object is written: defaults, and the fields in the order of the API.

Only the defaults that kubectl shows or waits for, and only for kinds that the demo's workload knows.
All functions change the object they are given.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

from . import ages

Item = dict[str, Any]

_TOP = ("kind", "apiVersion", "metadata", "spec", "data", "binaryData", "immutable", "type", "status")
_METADATA = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
_POD_SPEC = (
    "volumes", "initContainers", "containers", "restartPolicy", "terminationGracePeriodSeconds",
    "activeDeadlineSeconds", "dnsPolicy", "nodeSelector", "serviceAccountName", "serviceAccount", "nodeName",
    "hostNetwork", "securityContext", "imagePullSecrets", "affinity", "schedulerName", "tolerations", "priority",
    "enableServiceLinks", "preemptionPolicy",
)
BY_ADMISSION = frozenset({"tolerations", "priority", "preemptionPolicy"})
"""The fields of a pod's spec that admission fills in, which makes them nobody's."""


def in_api_order(item: Item, *, custom: bool) -> Item:
    """A copy whose fields stand as the real server writes them: by the alphabet for custom resources."""
    if custom:
        return _sorted(item)  # type: ignore[no-any-return]
    ordered = {key: item[key] for key in _TOP if key in item}
    ordered.update(item)
    metadata = item.get("metadata") or {}
    ordered["metadata"] = {key: metadata[key] for key in _METADATA if key in metadata} | metadata
    return ordered


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(part) for part in value] if isinstance(value, list) else value


def fill_in(group: str, kind: str, item: Item) -> None:
    """Fill in the defaults of one object (in place)."""
    filler = _FILLERS.get((group, kind))
    if filler is not None:
        filler(item)


def _spec(item: Item) -> Item:
    spec = item.get("spec")
    if not isinstance(spec, dict):
        spec = item["spec"] = {}
    return spec


def pod_spec(spec: Item) -> None:
    """The defaults of a pod's spec or of a pod template's."""
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or []:
            if isinstance(container, dict):
                _container(container)
    for volume in spec.get("volumes") or []:
        for kind in ("configMap", "secret", "projected"):
            if isinstance(volume, dict) and isinstance(volume.get(kind), dict):
                volume[kind].setdefault("defaultMode", 420)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")


def _container(container: Item) -> None:
    for port in container.get("ports") or []:
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
    container.setdefault("resources", {})
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(probe), dict):
            for key, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1),
                               ("failureThreshold", 3)):
                container[probe].setdefault(key, value)
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
    container.setdefault("imagePullPolicy", "Always" if tag in ("", "latest") else "IfNotPresent")


_TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{state}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for state in ("not-ready", "unreachable")
]


def _pod(item: Item) -> None:
    spec = _spec(item)
    pod_spec(spec)
    present = {toleration.get("key") for toleration in spec.get("tolerations") or []}
    missing = [dict(toleration) for toleration in _TOLERATIONS if toleration["key"] not in present]
    if missing and None not in present:
        spec["tolerations"] = [*(spec.get("tolerations") or []), *missing]
    spec.setdefault("priority", 0)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    item["spec"] = {key: spec[key] for key in _POD_SPEC if key in spec} | spec
    status = item.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", "BestEffort")


def _template(spec: Item) -> None:
    template = spec.setdefault("template", {})
    if isinstance(template, dict):
        template.setdefault("metadata", {})
        if isinstance(template.setdefault("spec", {}), dict):
            pod_spec(template["spec"])


def _deployment(item: Item) -> None:
    spec = _spec(item)
    spec.setdefault("replicas", 1)
    _template(spec)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    item.setdefault("status", {})


def _replica_set(item: Item) -> None:
    spec = _spec(item)
    spec.setdefault("replicas", 1)
    _template(spec)
    item.setdefault("status", {"replicas": 0})


def _stateful_set(item: Item) -> None:
    spec = _spec(item)
    spec.setdefault("replicas", 1)
    _template(spec)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    spec.setdefault("revisionHistoryLimit", 10)
    item.setdefault("status", {"replicas": 0})


def _daemon_set(item: Item) -> None:
    spec = _spec(item)
    _template(spec)
    spec.setdefault("updateStrategy", {"type": "RollingUpdate",
                                       "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}})
    spec.setdefault("revisionHistoryLimit", 10)
    item.setdefault("status", dict.fromkeys(
        ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"), 0))


def _job(item: Item) -> None:
    spec = _spec(item)
    uid = (item.get("metadata") or {}).get("uid", "")
    for key in ("parallelism", "completions"):
        spec.setdefault(key, 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    template = spec.setdefault("template", {})
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels.setdefault("batch.kubernetes.io/controller-uid", uid)
    labels.setdefault("batch.kubernetes.io/job-name", (item.get("metadata") or {}).get("name", ""))
    template.setdefault("spec", {}).setdefault("restartPolicy", "Never")
    _template(spec)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    item.setdefault("status", {})


def _cron_job(item: Item) -> None:
    spec = _spec(item)
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    _template(spec.setdefault("jobTemplate", {}).setdefault("spec", {}))
    item.setdefault("status", {})


def _service(item: Item) -> None:
    spec = _spec(item)
    for port in spec.get("ports") or []:
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))
    if spec.setdefault("type", "ClusterIP") != "ExternalName":
        metadata = item.get("metadata") or {}
        spec.setdefault("clusterIP", cluster_ip(f"{metadata.get('namespace')}/{metadata.get('name')}"))
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("sessionAffinity", "None")
    item.setdefault("status", {"loadBalancer": {}})


def cluster_ip(name: str) -> str:
    """An address for a service, the same for the same name."""
    number = zlib.crc32(name.encode())
    return f"10.96.{number >> 8 & 255}.{number & 255 or 1}"


def _namespace(item: Item) -> None:
    metadata = item.setdefault("metadata", {})
    metadata.setdefault("labels", {}).setdefault("kubernetes.io/metadata.name", metadata.get("name", ""))
    _spec(item).setdefault("finalizers", ["kubernetes"])
    item.setdefault("status", {}).setdefault("phase", "Active")


def _secret(item: Item) -> None:
    plain = item.pop("stringData", None)
    if isinstance(plain, dict):
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        item["data"] = {**(item.get("data") or {}), **encoded}
    item.setdefault("type", "Opaque")


def _custom_resource_definition(item: Item) -> None:
    """Names as the real server completes them; the condition that says the resource is served."""
    spec = _spec(item)
    names = spec.setdefault("names", {})
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    spec.setdefault("conversion", {"strategy": "None"})
    since = (item.get("metadata") or {}).get("creationTimestamp") or ages.rfc3339(0)
    status = item.setdefault("status", {})
    status["conditions"] = [
        {
            "type": "NamesAccepted",
            "status": "True",
            "lastTransitionTime": since,
            "reason": "NoConflicts",
            "message": "no conflicts found",
        },
        {
            "type": "Established",
            "status": "True",
            "lastTransitionTime": since,
            "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        },
    ]
    status["acceptedNames"] = dict(names)
    status["storedVersions"] = [version["name"] for version in spec.get("versions") or []
                                if isinstance(version, dict) and version.get("storage")]


_FILLERS = {
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "Namespace"): _namespace,
    ("", "Secret"): _secret,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _custom_resource_definition,
}
