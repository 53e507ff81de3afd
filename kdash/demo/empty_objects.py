"""The empty object of each kind: what a BOOKMARK carries beside its version (wire fact 72).

A kube-apiserver writes the zero value of the Go type, so fields that are never left out appear as null, zero or "".
Custom resources have nothing but their metadata.
"""

from __future__ import annotations

from typing import Any

from kdash.demo.resources import ResourceType

__all__ = ["bookmark_object"]

_TEMPLATE = {"metadata": {}, "spec": {"containers": None}}
_SCALED = {"selector": None, "template": _TEMPLATE}
_NODE_INFO = dict.fromkeys(
    ("machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
     "kubeProxyVersion", "operatingSystem", "architecture"), "")  # fmt: skip
_NAMES = {"plural": "", "kind": ""}
_EMPTY: dict[str, dict[str, Any]] = {
    "Namespace": {"spec": {}, "status": {}},
    "Node": {"spec": {}, "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": _NODE_INFO}},
    "Pod": {"spec": {"containers": None}, "status": {}},
    "PodTemplate": {"template": _TEMPLATE},
    "Service": {"spec": {}, "status": {"loadBalancer": {}}},
    "Event": {"involvedObject": {}, "source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": None,
              "reportingComponent": "", "reportingInstance": ""},
    "Deployment": {"spec": {"replicas": 0, **_SCALED, "strategy": {}}, "status": {}},
    "ReplicaSet": {"spec": _SCALED, "status": {"replicas": 0}},
    "StatefulSet": {"spec": {**_SCALED, "serviceName": "", "updateStrategy": {}},
                    "status": {"replicas": 0, "availableReplicas": 0}},
    "DaemonSet": {"spec": {**_SCALED, "updateStrategy": {}},
                  "status": {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0,
                             "numberReady": 0}},
    "Job": {"spec": {"template": _TEMPLATE}, "status": {}},
    "CronJob": {"spec": {"schedule": "", "jobTemplate": {"metadata": {}, "spec": {"template": _TEMPLATE}}},
                "status": {}},
    "Lease": {"spec": {}},
    "CustomResourceDefinition": {
        "spec": {"group": "", "names": _NAMES, "scope": "", "versions": None},
        "status": {"conditions": None, "acceptedNames": _NAMES, "storedVersions": None}},
}  # fmt: skip


def bookmark_object(resource_type: ResourceType, version: int, end: bool) -> dict[str, Any]:
    """An empty object of the kind with a version; `end`: marked as the end of the initial events."""
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    if resource_type.custom:
        return {"apiVersion": resource_type.group_version, "kind": resource_type.kind,
                "metadata": dict(sorted(meta.items()))}  # fmt: skip
    return {"kind": resource_type.kind, "apiVersion": resource_type.group_version, "metadata": meta,
            **_EMPTY.get(resource_type.kind, {})}  # fmt: skip
