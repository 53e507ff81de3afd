"""What the real cluster's garbage collector and namespace controller do.

An object whose owner is gone goes too; an object that waits with the finalizer `foregroundDeletion` goes
after its dependents; a namespace that is being deleted takes its content along.
"""

from __future__ import annotations

from typing import Any

from .cluster_state import ClusterState

Item = dict[str, Any]
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class GarbageCollector:
    """Deletes dependents, foreground and background, and releases orphans."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state

    def owner_gone(self, uid: str) -> None:
        """The object with this uid was deleted: delete what it controlled."""
        for kind, item in self._state.dependents(uid):
            meta = item["metadata"]
            if all(owner["uid"] == uid or not self._state.exists(owner["uid"])
                   for owner in meta.get("ownerReferences") or []):
                self._state.delete(kind, meta.get("namespace", ""), meta["name"])

    def finalize(self, kind: str, item: Item) -> None:
        """An object is being deleted: do what its garbage collection finalizers ask for."""
        finalizers = item["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            for dependent_kind, dependent in self._state.dependents(item["metadata"]["uid"]):
                self._release(dependent_kind, dependent, item["metadata"]["uid"])
            self._drop(kind, item, ORPHAN)
        elif FOREGROUND in finalizers:
            waiting = list(self._state.dependents(item["metadata"]["uid"]))
            if not waiting:
                self._drop(kind, item, FOREGROUND)
            for dependent_kind, dependent in waiting:
                meta = dependent["metadata"]
                if not meta.get("deletionTimestamp"):
                    self._state.delete(dependent_kind, meta.get("namespace", ""), meta["name"])
            if waiting:
                self._state.after(0.2, self._again, kind, item)

    def _again(self, kind: str, item: Item) -> None:
        meta = item["metadata"]
        stored = self._state.get(kind, meta.get("namespace", ""), meta["name"])
        if stored is not None and stored["metadata"]["uid"] == meta["uid"]:
            self.finalize(kind, stored)

    def _release(self, kind: str, item: Item, uid: str) -> None:
        def edit(stored: Item) -> None:
            meta = stored["metadata"]
            meta["ownerReferences"] = [
                owner for owner in meta.get("ownerReferences") or [] if owner["uid"] != uid
            ]
            if not meta["ownerReferences"]:
                del meta["ownerReferences"]

        meta = item["metadata"]
        self._state.change(kind, meta.get("namespace", ""), meta["name"], edit)

    def _drop(self, kind: str, item: Item, finalizer: str) -> None:
        meta = item["metadata"]

        def edit(stored: Item) -> None:
            left = [name for name in stored["metadata"].get("finalizers") or [] if name != finalizer]
            stored["metadata"]["finalizers"] = left
            if not left:
                del stored["metadata"]["finalizers"]

        changed = self._state.change(kind, meta.get("namespace", ""), meta["name"], edit, uid=meta["uid"])
        if changed is not None and not changed["metadata"].get("finalizers"):
            self._state.remove(kind, meta.get("namespace", ""), meta["name"], uid=meta["uid"])


class NamespaceController:
    """Empties a namespace that is being deleted, then lets it go."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state

    def reconcile(self, namespace: str, name: str) -> None:
        """Delete the content of a terminating namespace; look again until it is empty."""
        state = self._state
        item = state.get("Namespace", "", name)
        if item is None or not item["metadata"].get("deletionTimestamp"):
            return
        left = 0
        for kind, content in state.content_of(name):
            left += 1
            if not content["metadata"].get("deletionTimestamp"):
                state.delete(kind, name, content["metadata"]["name"])
        if left:
            state.after(0.3, self.reconcile, namespace, name)
            return
        state.remove("Namespace", "", name, uid=item["metadata"]["uid"])
