"""Which lists of the built-in kinds merge by a key, which are sets, and which are replaced as a whole.

Kubernetes writes this into its schemas (`patchMergeKey`, `x-kubernetes-list-map-keys`). The demo server has
no schemas, and the same field name nearly always merges in the same way, so two small tables by field name
do; the parent's name settles `ports`, the one name that means two things. A list that is not named here is
atomic: a patch replaces it. That is also right for custom resources, whose lists are atomic unless their
schema says more.
"""

from __future__ import annotations

_MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
    "addresses": ("type",),
    "podIPs": ("ip",),
    "hostIPs": ("ip",),
    "secrets": ("name",),
    "webhooks": ("name",),
}
_PORT_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("containerPort", "protocol"),
    "initContainers": ("containerPort", "protocol"),
    "ephemeralContainers": ("containerPort", "protocol"),
    "spec": ("port", "protocol"),
}
_SETS = frozenset({"finalizers", "podCIDRs"})
_ONLY_METADATA = frozenset({"ownerReferences"})
_ATOMIC_MAPS = frozenset({"selector", "nodeSelector", "labelSelector", "namespaceSelector"})
_KEY_DEFAULTS = {"protocol": "TCP"}


def merge_key(parent: str, field: str) -> str | None:
    """The one key by which a strategic merge patch matches the items of `field`; None if the list is atomic.
    """
    keys = apply_keys(parent, field, custom=False)
    return keys[0] if keys else None


def apply_keys(parent: str, field: str, *, custom: bool) -> tuple[str, ...] | None:
    """The keys by which server-side apply matches the items of `field` (`custom`: of a custom resource)."""
    if custom and field not in _ONLY_METADATA:
        return None
    if field == "ports":
        return _PORT_KEYS.get(parent)
    return _MERGE_KEYS.get(field)


def key_of(item: object, keys: tuple[str, ...]) -> tuple[object, ...] | None:
    """The values of an item's `keys`, defaults filled in; None if the item is no object or lacks one of
    them.
    """
    if not isinstance(item, dict):
        return None
    values = tuple(item.get(key, _KEY_DEFAULTS.get(key)) for key in keys)
    return None if None in values else values


def is_set(field: str) -> bool:
    """True for a list of primitives that merges as a set."""
    return field in _SETS


def is_atomic_map(parent: str, field: str) -> bool:
    """True for an object that server-side apply owns as a whole (label selectors; a service's selector is
    one too).
    """
    return field in _ATOMIC_MAPS and parent != "metadata"
