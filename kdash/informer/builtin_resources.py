"""The built-in resources of Kubernetes that can be listed and watched, as
`factory.<group>.<version>.<plural>()`.

Contract: a constant table, no request. `lookup` finds a row by the spelling of an attribute: the plural in
snake case, e.g. `replica_sets`, or as the API writes it, `replicasets`. Everything else goes through
`SharedInformerFactory.for_resource`, which asks the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdash.informer.resources import ResourceInfo

__all__ = ["GROUP_ALIASES", "builtin_resources", "lookup"]

GROUP_ALIASES = {
    "core": "",
    "apps": "apps",
    "batch": "batch",
    "autoscaling": "autoscaling",
    "policy": "policy",
    "networking": "networking.k8s.io",
    "rbac": "rbac.authorization.k8s.io",
    "storage": "storage.k8s.io",
    "scheduling": "scheduling.k8s.io",
    "coordination": "coordination.k8s.io",
    "discovery": "discovery.k8s.io",
    "events": "events.k8s.io",
    "node": "node.k8s.io",
    "certificates": "certificates.k8s.io",
    "flowcontrol": "flowcontrol.apiserver.k8s.io",
    "admissionregistration": "admissionregistration.k8s.io",
    "apiextensions": "apiextensions.k8s.io",
    "apiregistration": "apiregistration.k8s.io",
    "resource": "resource.k8s.io",
}

# alias/version: kinds; a kind with `*` is cluster-scoped, `=plural` follows where the plural is irregular
_TABLE = """
core/v1: Pod Service ConfigMap Secret ServiceAccount Endpoints=endpoints Event PersistentVolumeClaim
    LimitRange ResourceQuota ReplicationController PodTemplate Node* Namespace* PersistentVolume*
apps/v1: Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision
batch/v1: Job CronJob
autoscaling/v1: HorizontalPodAutoscaler
autoscaling/v2: HorizontalPodAutoscaler
policy/v1: PodDisruptionBudget
networking/v1: Ingress=ingresses IngressClass=ingressclasses* NetworkPolicy=networkpolicies
    ServiceCIDR=servicecidrs* IPAddress=ipaddresses*
rbac/v1: Role RoleBinding ClusterRole* ClusterRoleBinding*
storage/v1: StorageClass=storageclasses* VolumeAttachment* CSIDriver=csidrivers* CSINode=csinodes*
    CSIStorageCapacity=csistoragecapacities VolumeAttributesClass=volumeattributesclasses*
scheduling/v1: PriorityClass=priorityclasses*
coordination/v1: Lease
discovery/v1: EndpointSlice
events/v1: Event
node/v1: RuntimeClass=runtimeclasses*
certificates/v1: CertificateSigningRequest*
flowcontrol/v1: FlowSchema* PriorityLevelConfiguration*
admissionregistration/v1: MutatingWebhookConfiguration* ValidatingWebhookConfiguration*
    ValidatingAdmissionPolicy=validatingadmissionpolicies* ValidatingAdmissionPolicyBinding*
apiextensions/v1: CustomResourceDefinition*
apiregistration/v1: APIService=apiservices*
resource/v1: ResourceClaim ResourceClaimTemplate DeviceClass=deviceclasses* ResourceSlice*
"""


def _parse(table: str) -> Iterator[tuple[str, str, str, ResourceInfo]]:
    alias = version = ""
    for line in table.strip().splitlines():
        if not line.startswith(" "):
            heading, _, line = line.partition(":")
            alias, _, version = heading.partition("/")
        for entry in line.split():
            spelling, _, irregular = entry.rstrip("*").partition("=")
            plural = irregular or f"{spelling.lower()}s"
            resource = ResourceInfo(
                GROUP_ALIASES[alias],
                version,
                plural,
                spelling,
                namespaced=not entry.endswith("*"),
                singular=spelling.lower(),
            )
            yield alias, version, _snake_case(spelling, plural), resource


def _snake_case(kind: str, plural: str) -> str:
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]+|[A-Z]+", kind)
    last = words[-1].lower()
    return "_".join([*(word.lower() for word in words[:-1]), last + plural.removeprefix(kind.lower())
                     if plural.startswith(kind.lower()) else plural[len(kind) - len(last):]])  # fmt: skip


_BY_ATTRIBUTE: dict[tuple[str, str], dict[str, ResourceInfo]] = {}
for _alias, _version, _attribute, _resource in _parse(_TABLE):
    _group = _BY_ATTRIBUTE.setdefault((_alias, _version), {})
    _group[_attribute] = _resource


def builtin_resources() -> list[ResourceInfo]:
    """Every row of the table."""
    return [resource for group in _BY_ATTRIBUTE.values() for resource in group.values()]


def versions(alias: str) -> list[str]:
    """The versions that the table has for a group alias."""
    return [version for each, version in _BY_ATTRIBUTE if each == alias]


def attributes(alias: str, version: str) -> list[str]:
    """The plurals, in snake case, that the table has for a group and version."""
    return list(_BY_ATTRIBUTE.get((alias, version), ()))


def lookup(alias: str, version: str, attribute: str) -> ResourceInfo | None:
    """The resource that `factory.<alias>.<version>.<attribute>()` means, None when the table has no such row.
    """
    group = _BY_ATTRIBUTE.get((alias, version), {})
    if attribute in group:
        return group[attribute]
    return next((resource for resource in group.values() if resource.resource == attribute), None)
