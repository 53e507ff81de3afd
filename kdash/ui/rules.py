"""The RBAC role to ask for when the server denies a list or a watch."""

from __future__ import annotations

from kdash.probe.snapshot import Snapshot
from kdash.probe.text import clean

__all__ = ["role_wanted"]


def role_wanted(snapshot: Snapshot) -> str:
    """A Role, or a ClusterRole when all namespaces are observed, as YAML that an administrator can apply."""
    informer = snapshot.informers[0] if snapshot.informers else None
    namespace = informer.namespace if informer is not None else ""
    resource, _, group = (clean(informer.name) if informer is not None else "pods").partition(".")
    lines = ["apiVersion: rbac.authorization.k8s.io/v1", f"kind: {'Role' if namespace else 'ClusterRole'}", "metadata:",
             "  name: kdash-reader", *([f"  namespace: {clean(namespace)}"] if namespace else []), "rules:",
             f'- apiGroups: ["{group}"]', f'  resources: ["{resource}"]', "  verbs: [get, list, watch]"]
    return "\n".join(lines) + "\n"
