"""What the server serves: a table of built-in resource types, and a registry that CRDs add to at run time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["BUILT_IN", "Registry", "ResourceType"]


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource: its names, scope, subresources and the fields that selectors may name."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    """Of `status`, `scale`, `eviction`."""
    field_selectors: tuple[str, ...] = ()
    """Beside metadata.name and metadata.namespace."""
    custom: bool = False
    list_kind: str = ""
    printer_columns: tuple[dict[str, Any], ...] | None = None

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`deployments.apps`, or `pods` in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def kind_of_list(self) -> str:
        return self.list_kind or f"{self.kind}List"

    @property
    def go_type(self) -> str:
        """The name of its type inside a kube-apiserver, which some refusals quote."""
        return "unstructured.Unstructured" if self.custom else f"{self.group.partition('.')[0] or 'core'}.{self.kind}"

    @property
    def path_prefix(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


def _core(plural: str, singular: str, kind: str, namespaced: bool = True, **more: Any) -> ResourceType:
    return ResourceType("", "v1", plural, singular, kind, namespaced, **more)


def _in(group: str, plural: str, singular: str, kind: str, namespaced: bool = True, **more: Any) -> ResourceType:
    return ResourceType(group, "v1", plural, singular, kind, namespaced, **more)


_STATUS = ("status",)
_SCALED = ("status", "scale")
_ALL = ("all",)
_POD_FIELDS = ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
               "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName")  # fmt: skip
_EVENT_FIELDS = ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
                 "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
                 "reason", "reportingComponent", "source", "type")  # fmt: skip

BUILT_IN: tuple[ResourceType, ...] = (
    _core("namespaces", "namespace", "Namespace", False, short_names=("ns",), subresources=_STATUS,
          field_selectors=("status.phase",)),
    _core("nodes", "node", "Node", False, short_names=("no",), subresources=_STATUS,
          field_selectors=("spec.unschedulable",)),
    _core("pods", "pod", "Pod", short_names=("po",), categories=_ALL, subresources=("status", "eviction"),
          field_selectors=_POD_FIELDS),
    _core("services", "service", "Service", short_names=("svc",), categories=_ALL, subresources=_STATUS,
          field_selectors=("spec.clusterIP", "spec.type")),
    _core("endpoints", "endpoints", "Endpoints", short_names=("ep",)),
    _core("configmaps", "configmap", "ConfigMap", short_names=("cm",)),
    _core("secrets", "secret", "Secret", field_selectors=("type",)),
    _core("events", "event", "Event", short_names=("ev",), field_selectors=_EVENT_FIELDS),
    _core("serviceaccounts", "serviceaccount", "ServiceAccount", short_names=("sa",)),
    _in("apps", "deployments", "deployment", "Deployment", short_names=("deploy",), categories=_ALL,
        subresources=_SCALED),
    _in("apps", "replicasets", "replicaset", "ReplicaSet", short_names=("rs",), categories=_ALL,
        subresources=_SCALED, field_selectors=("status.replicas",)),
    _in("apps", "statefulsets", "statefulset", "StatefulSet", short_names=("sts",), categories=_ALL,
        subresources=_SCALED),
    _in("apps", "daemonsets", "daemonset", "DaemonSet", short_names=("ds",), categories=_ALL, subresources=_STATUS),
    _in("batch", "jobs", "job", "Job", categories=_ALL, subresources=_STATUS,
        field_selectors=("status.successful",)),
    _in("batch", "cronjobs", "cronjob", "CronJob", short_names=("cj",), categories=_ALL, subresources=_STATUS),
    _in("coordination.k8s.io", "leases", "lease", "Lease"),
    _in("apiextensions.k8s.io", "customresourcedefinitions", "customresourcedefinition",
        "CustomResourceDefinition", False, short_names=("crd", "crds"), subresources=_STATUS),
)  # fmt: skip


class Registry:
    """All resource types served now, by (group, version, plural). Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _types
        self._types = {(each.group, each.version, each.plural): each for each in BUILT_IN}
        self.generation = 1
        """Grows with every change; part of discovery's ETag."""

    def find(self, group: str, version: str, plural: str) -> ResourceType | None:
        return self._types.get((group, version, plural))

    def by_kind(self, group: str, kind: str) -> ResourceType | None:
        """The type of a kind, whatever its version."""
        return next((each for each in self.all() if each.group == group and each.kind == kind), None)

    def has_group_version(self, group: str, version: str) -> bool:
        return any(each.group == group and each.version == version for each in self.all())

    def all(self) -> list[ResourceType]:
        with self._lock:
            return list(self._types.values())

    def __iter__(self) -> Iterator[ResourceType]:
        return iter(self.all())

    def add(self, resource_type: ResourceType) -> None:
        """Serve a (custom) resource from now on."""
        with self._lock:
            self._types[resource_type.group, resource_type.version, resource_type.plural] = resource_type
            self.generation += 1

    def remove(self, group: str, plural: str) -> list[ResourceType]:
        """Serve it no more, in any version; returns what was removed."""
        with self._lock:
            gone = [each for each in self._types.values() if each.group == group and each.plural == plural]
            for each in gone:
                del self._types[each.group, each.version, each.plural]
            self.generation += 1
        return gone
