"""What the real cluster's garbage collector and namespace controller do, for every kind, custom ones included.

Contract
- `note` is called by the storage, under its lock, in whatever thread commits; it only takes note. `work` does what
  follows, on one thread. Nothing here waits for time: a change leads to the next step.
- Background: an object whose owners are all gone goes too; one with an owner left loses its references to the others.
- Foreground (`foregroundDeletion`): dependents that block their owner go first, in the foreground themselves.
- Orphan (`orphan`): the references to the owner go, the dependents stay.
- A namespace that is being deleted takes its content along, then goes once no finalizer holds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from .cluster_state import ClusterState
from .storage import NotFound, StoredEvent

__all__ = ["GarbageCollector"]

Item = dict[str, Any]
Place = tuple[str, str]
"""Resource and key."""
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_DELETED_MARK = b'"deletionTimestamp":"'


class _Reference(msgspec.Struct, frozen=True):
    apiVersion: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    blockOwnerDeletion: bool | None = None


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    deletionTimestamp: str | None = None
    finalizers: list[str] | None = None
    ownerReferences: list[_Reference] | None = None


class _Header(msgspec.Struct):
    metadata: _Metadata


_decode = msgspec.json.Decoder(_Header).decode


class GarbageCollector:
    """Deletes dependents, releases orphans, empties namespaces."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._storage = state.storage
        self._inbox: deque[tuple[str, StoredEvent]] = deque()
        self._owners: dict[Place, tuple[str, ...]] = {}  # the uids that an object names
        self._dependents: dict[str, dict[Place, None]] = {}  # by the owner's uid
        self._terminating: set[str] = set()
        self.wake: Callable[[], None] = lambda: None
        """Called when there is something to do, under the storage's lock."""

    def begin(self) -> None:
        """Learn who owns what by now, and hear of every change from now on."""
        with self._storage.lock:
            for each in self._storage.registry:
                for stored in self._storage.list_stored(each.qualified)[0]:
                    if _DELETED_MARK in stored.raw:
                        self.note(each.qualified, StoredEvent(stored.version, "MODIFIED", stored.key, stored.raw, None))
                    elif b'"ownerReferences"' in stored.raw:
                        owners = _decode(stored.raw).metadata.ownerReferences or ()
                        self._index((each.qualified, stored.key), tuple(owner.uid for owner in owners))
            self._storage.on_event(self.note)

    def note(self, resource: str, event: StoredEvent) -> None:
        """Take note of a change (see the contract)."""
        raw = event.raw
        if (event.type == "DELETED" or b'"ownerReferences"' in raw or _DELETED_MARK in raw
                or (self._terminating and event.type == "ADDED")):  # fmt: skip
            self._inbox.append((resource, event))
            self.wake()

    def pending(self) -> Iterator[tuple[str, StoredEvent]]:
        """The changes that nothing was done about yet, oldest first; `take` does."""
        while self._inbox:
            yield self._inbox.popleft()

    def take(self, resource: str, event: StoredEvent) -> None:
        """Do what follows from one change."""
        meta, place = _decode(event.raw).metadata, (resource, event.key)
        if event.type == "DELETED":
            self._take_deleted(place, meta)
            return
        known = self._owners.get(place, ())
        self._index(place, tuple(each.uid for each in meta.ownerReferences or ()))
        if meta.deletionTimestamp:
            if resource == "namespaces":
                self._terminating.add(meta.name)
                self._empty(meta.name)
            else:
                self._finalize(place)
        elif self._owners.get(place, ()) != known:
            self._collect(place)
        if meta.namespace in self._terminating:
            self._empty(meta.namespace)

    def _take_deleted(self, place: Place, meta: _Metadata) -> None:
        self._index(place, ())
        for dependent in list(self._dependents.get(meta.uid, ())):
            self._collect(dependent, meta.uid)
        for reference in meta.ownerReferences or ():
            owner = self._place_of(reference, meta.namespace)
            if owner is not None:
                self._finalize(owner)
        if place[0] == "namespaces":
            self._terminating.discard(meta.name)
        elif meta.namespace in self._terminating:
            self._empty(meta.namespace)

    # who owns what -------------------------------------------------------------------------------------

    def _index(self, place: Place, owners: tuple[str, ...]) -> None:
        for uid in self._owners.pop(place, ()):
            group = self._dependents.get(uid, {})
            group.pop(place, None)
            if not group:
                self._dependents.pop(uid, None)
        if owners:
            self._owners[place] = owners
            for uid in owners:
                self._dependents.setdefault(uid, {})[place] = None

    def _header(self, place: Place) -> _Metadata | None:
        namespace, _, name = place[1].rpartition("/")
        try:
            stored = self._storage.get_raw(place[0], namespace, name)
        except NotFound:  # its definition is gone
            return None
        return None if stored is None else _decode(stored.raw).metadata

    def _place_of(self, reference: _Reference, namespace: str) -> Place | None:
        """Where an owner is or would be; None for a kind that is not served."""
        group, slash, _ = reference.apiVersion.partition("/")
        found = self._storage.registry.by_kind(group if slash else "", reference.kind)
        if found is None:
            return None
        return found.qualified, f"{namespace}/{reference.name}" if found.namespaced else reference.name

    def _stands(self, reference: _Reference, namespace: str, gone: str) -> str:
        """How it stands with an owner: `gone`, `waiting` for its dependents, or `solid`."""
        if reference.uid == gone:
            return "gone"
        place = self._place_of(reference, namespace)
        if place is None:
            return "solid"
        owner = self._header(place)
        if owner is None or owner.uid != reference.uid:
            return "gone"
        return "waiting" if owner.deletionTimestamp and FOREGROUND in (owner.finalizers or ()) else "solid"

    # what becomes of dependents ------------------------------------------------------------------------

    def _collect(self, place: Place, gone: str = "") -> None:
        """Delete an object that no owner holds any more; `gone` is the uid of one that is known to be gone."""
        meta = self._header(place)
        if meta is None or not meta.ownerReferences:
            return
        stands = {each.uid: self._stands(each, meta.namespace, gone) for each in meta.ownerReferences}
        lost = {uid for uid, how in stands.items() if how != "solid"}
        if not lost:
            return
        if len(lost) < len(stands):
            self._release(place, lost)
        elif not meta.deletionTimestamp:
            waited_for = "waiting" in stands.values() and meta.uid in self._dependents
            self._state.delete(place[0], meta.namespace, meta.name, policy="Foreground" if waited_for else "")

    def _release(self, place: Place, uids: set[str]) -> None:
        def edit(stored: Item) -> None:
            meta = stored["metadata"]
            left = [each for each in meta.get("ownerReferences") or [] if each.get("uid") not in uids]
            meta["ownerReferences"] = left
            if not left:
                del meta["ownerReferences"]

        namespace, _, name = place[1].rpartition("/")
        self._state.change(place[0], namespace, name, edit)

    def _finalize(self, place: Place) -> None:
        """An object is being deleted: do what its garbage collection finalizers ask for."""
        meta = self._header(place)
        if meta is None or not meta.deletionTimestamp:
            return
        finalizers = meta.finalizers or ()
        dependents = list(self._dependents.get(meta.uid, ()))
        if ORPHAN in finalizers:
            for dependent in dependents:
                self._release(dependent, {meta.uid})
            self._drop(place, meta, ORPHAN)
        elif FOREGROUND in finalizers:
            blocking = [each for each in dependents if self._blocks(each, meta.uid)]
            for dependent in blocking:
                self._collect(dependent)
            if not blocking:
                self._drop(place, meta, FOREGROUND)

    def _blocks(self, place: Place, uid: str) -> bool:
        meta = self._header(place)
        return meta is not None and any(
            each.uid == uid and each.blockOwnerDeletion for each in meta.ownerReferences or ())

    def _drop(self, place: Place, meta: _Metadata, finalizer: str) -> None:
        def edit(stored: Item) -> None:
            left = [name for name in stored["metadata"].get("finalizers") or [] if name != finalizer]
            stored["metadata"]["finalizers"] = left
            if not left:
                del stored["metadata"]["finalizers"]

        changed = self._state.change(place[0], meta.namespace, meta.name, edit, uid=meta.uid)
        if changed is None or changed["metadata"].get("finalizers"):
            return
        if not changed["metadata"].get("deletionGracePeriodSeconds"):
            self._state.remove(place[0], meta.namespace, meta.name, uid=meta.uid)

    # namespaces ----------------------------------------------------------------------------------------

    def _empty(self, name: str) -> None:
        """Delete the content of a terminating namespace; let it go once there is none."""
        state, storage = self._state, self._storage
        item = state.get("Namespace", "", name)
        if item is None or not item["metadata"].get("deletionTimestamp"):
            return
        namespaced = [each.qualified for each in storage.registry if each.namespaced]
        for resource in namespaced:
            for stored in list(storage.list_stored(resource, name)[0]):
                if _DELETED_MARK not in stored.raw:
                    state.delete(resource, name, stored.key.rpartition("/")[2])
        if any(storage.list_stored(resource, name)[0] for resource in namespaced):
            return

        def release(stored: Item) -> bool:
            had = bool((stored.get("spec") or {}).get("finalizers"))
            stored["spec"] = {**(stored.get("spec") or {}), "finalizers": []}
            return had

        uid = item["metadata"]["uid"]
        if item["metadata"].get("finalizers"):
            state.change("Namespace", "", name, release, uid=uid)
        else:
            state.remove("Namespace", "", name, uid=uid)
