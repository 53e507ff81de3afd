"""A small record of every pod, by uid, by owner and by node: what controllers look at all the time."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from . import ages

_ROOT = ""


@dataclass(slots=True, eq=False)
class PodRecord:
    """What the workload remembers of one pod. Updated in place as the pod changes."""

    namespace: str
    name: str
    uid: str
    owner_uid: str = ""
    owner_kind: str = ""
    owner_name: str = ""
    revision: str = ""
    """The label controller-revision-hash."""
    app: str = ""
    node: str = ""
    phase: str = "Pending"
    ready: bool = False
    started: bool = False
    """Its containers have been created."""
    deleting: bool = False
    restarts: int = 0
    created: float = 0.0
    version: int = 0
    place: int = 0

    @property
    def active(self) -> bool:
        """True if it counts for its controller: neither finished nor being deleted."""
        return not self.deleting and self.phase not in ("Succeeded", "Failed")


class _Owner(msgspec.Struct):
    uid: str = ""
    kind: str = ""
    name: str = ""
    controller: bool | None = False


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = "0"
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None
    labels: dict[str, str] | None = None
    ownerReferences: list[_Owner] | None = None


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""


class _Container(msgspec.Struct):
    restartCount: int = 0


class _Status(msgspec.Struct):
    phase: str = ""
    conditions: list[_Condition] | None = None
    containerStatuses: list[_Container] | None = None


class _Spec(msgspec.Struct):
    nodeName: str | None = ""


class PodHeader(msgspec.Struct):
    """The part of a pod that a record is made of."""

    metadata: _Metadata
    spec: _Spec
    status: _Status = msgspec.field(default_factory=_Status)


_DECODER = msgspec.json.Decoder(PodHeader)


def header_of(raw: bytes) -> PodHeader:
    """The header of a pod's JSON."""
    return _DECODER.decode(raw)


class PodIndex:
    """All pods' records. Not thread-safe: the workload's thread only."""

    def __init__(self) -> None:
        self._by_uid: dict[str, PodRecord] = {}
        self._by_name: dict[tuple[str, str], PodRecord] = {}
        self._by_owner: dict[str, dict[str, PodRecord]] = {}
        self._by_node: dict[str, dict[str, PodRecord]] = {}
        self._all: list[PodRecord] = []

    def __len__(self) -> int:
        return len(self._all)

    def find(self, namespace: str, name: str) -> PodRecord | None:
        """The record of a pod by name."""
        return self._by_name.get((namespace, name))

    def owned_by(self, uid: str) -> Collection[PodRecord]:
        """The pods that an owner controls."""
        return self._by_owner.get(uid, {}).values()

    def on_node(self, node: str) -> Collection[PodRecord]:
        """The pods on a node."""
        return self._by_node.get(node, {}).values()

    def choose(self, rng: random.Random) -> PodRecord | None:
        """Any pod."""
        return self._all[rng.randrange(len(self._all))] if self._all else None

    def update(self, item: dict[str, Any]) -> PodRecord:
        """Take over a pod's present state."""
        return self.take(msgspec.convert(item, PodHeader))

    def take(self, header: PodHeader) -> PodRecord:
        """Take over a pod's header, unless the record is newer."""
        meta = header.metadata
        record = self._by_uid.get(meta.uid)
        if record is None:
            other = self._by_name.get((meta.namespace, meta.name))
            if other is not None:
                self.remove(other.uid)
            record = PodRecord(
                meta.namespace, meta.name, meta.uid, created=ages.parse(meta.creationTimestamp) or 0.0
            )
            self.add(record)
        version = int(meta.resourceVersion or 0)
        if version < record.version:
            return record
        record.version = version
        labels, status = meta.labels or {}, header.status
        record.app, record.revision = labels.get("app", ""), labels.get("controller-revision-hash", "")
        owner = next((each for each in meta.ownerReferences or [] if each.controller), None)
        self._own(record, owner)
        self._place(record, header.spec.nodeName or "")
        record.phase = status.phase
        record.deleting = meta.deletionTimestamp is not None
        record.started = bool(status.containerStatuses) or status.phase not in ("", "Pending")
        record.restarts = max((each.restartCount for each in status.containerStatuses or []), default=0)
        record.ready = not record.deleting and any(
            each.type == "Ready" and each.status == "True" for each in status.conditions or [])
        return record

    def add(self, record: PodRecord) -> None:
        """Add a record that is not there yet."""
        record.place = len(self._all)
        self._all.append(record)
        self._by_uid[record.uid] = self._by_name[record.namespace, record.name] = record
        if record.owner_uid:
            self._by_owner.setdefault(record.owner_uid, {})[record.uid] = record
        if record.node:
            self._by_node.setdefault(record.node, {})[record.uid] = record

    def _own(self, record: PodRecord, owner: _Owner | None) -> None:
        uid = owner.uid if owner else ""
        if record.owner_uid != uid:
            self._by_owner.get(record.owner_uid, {}).pop(record.uid, None)
            if uid:
                self._by_owner.setdefault(uid, {})[record.uid] = record
        record.owner_uid = uid
        record.owner_kind, record.owner_name = (owner.kind, owner.name) if owner else ("", "")

    def _place(self, record: PodRecord, node: str) -> None:
        if record.node != node:
            self._by_node.get(record.node, {}).pop(record.uid, None)
            if node:
                self._by_node.setdefault(node, {})[record.uid] = record
            record.node = node

    def remove(self, uid: str) -> PodRecord | None:
        """Forget a pod; gives its record."""
        record = self._by_uid.pop(uid, None)
        if record is None:
            return None
        if self._by_name.get((record.namespace, record.name)) is record:
            del self._by_name[record.namespace, record.name]
        for table, key in ((self._by_owner, record.owner_uid), (self._by_node, record.node)):
            group = table.get(key)
            if group is not None:
                group.pop(uid, None)
                if not group:
                    del table[key]
        last = self._all.pop()
        if last is not record:
            self._all[record.place] = last
            last.place = record.place
        record.deleting = True
        return record
