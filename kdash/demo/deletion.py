"""How an object goes: at once, after its grace period, or once its finalizers are done.

Used by the API's DELETE and by the workload's controllers. The object stays, marked with a
deletionTimestamp, while it has finalizers, while a pod on a node stops, and while a namespace is emptied;
the kubelet, the controllers or the client that takes the last finalizer off remove it then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import ages
from .storage import Conflict, NotFound, Storage

Item = dict[str, Any]
DEFAULT_GRACE_S = 30
_LONGEST_GRACE_S = 1 << 31


class Outcome(NamedTuple):
    """What became of a deletion: the object's last state, and whether it is gone."""

    item: Item
    gone: bool


def delete(storage: Storage, resource: str, namespace: str, name: str, *, now: float,
           grace_s: int | None = None, policy: str = "", dry_run: bool = False) -> Outcome | None:
    """Delete one object as the API does; None if there is none.

    `grace_s` is the client's gracePeriodSeconds (None: the pod's own), `policy` its propagationPolicy.
    """
    while True:
        item = storage.get(resource, namespace, name)
        if item is None:
            return None
        grace = _grace(resource, item, grace_s)
        marked = _marked(resource, item, grace, policy, now)
        stays = bool(marked["metadata"].get("finalizers")) or grace > 0 or resource == "namespaces"
        if dry_run:
            return Outcome(marked, not stays)
        try:
            if stays:
                return Outcome(storage.update(resource, marked), False)
            if resource == "pods":
                with storage.lock:
                    storage.update(resource, marked)
                    return Outcome(storage.delete(resource, namespace, name), True)
            return Outcome(storage.delete(resource, namespace, name), True)
        except Conflict:
            continue
        except NotFound:
            return None


def _grace(resource: str, item: Item, asked: int | None) -> int:
    """The seconds that a pod on a node has; 0 for everything else."""
    if resource != "pods" or not (item.get("spec") or {}).get("nodeName"):
        return 0
    if (item.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked is None:
        asked = int((item.get("spec") or {}).get("terminationGracePeriodSeconds") or DEFAULT_GRACE_S)
    return max(0, min(asked, _LONGEST_GRACE_S))


def _marked(resource: str, item: Item, grace: int, policy: str, now: float) -> Item:
    """The object as it is being deleted (a new one; the finalizers that the policy asks for are added)."""
    meta = dict(item["metadata"])
    already = meta.get("deletionTimestamp")
    if not already:
        wanted = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(policy)
        if wanted and wanted not in (meta.get("finalizers") or []):
            meta["finalizers"] = [*(meta.get("finalizers") or []), wanted]
        if meta.get("generation"):
            meta["generation"] += 1
    if not already or grace < int(meta.get("deletionGracePeriodSeconds") or 0):
        meta["deletionTimestamp"] = ages.rfc3339(now + grace)
        if resource != "namespaces":
            meta["deletionGracePeriodSeconds"] = grace
    marked = {**item, "metadata": meta}
    if resource == "namespaces":
        marked["status"] = {**(item.get("status") or {}), "phase": "Terminating"}
    return marked
