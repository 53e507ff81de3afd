"""Names and rows of the object tree, as the index gives them to readers."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from kdash.probe.groups import Row
from kdash.probe.text import clean

__all__ = ["ObjectRef", "ObjectRow", "RowRef", "displayed"]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one cached object."""

    informer: str
    key: str


@dataclass(frozen=True, slots=True)
class RowRef:
    """What stands in one row of the tree: level 0 kind, 1 namespace, 2 object. Names are safe to display."""

    level: int
    informer: str
    namespace: str
    name: str
    count: int = 0
    """Objects below a header row."""
    folded: bool = False
    key: str = ""
    """The key as the server wrote it; it differs from namespace/name only for hostile names."""

    @property
    def ref(self) -> ObjectRef:
        if self.key:
            return ObjectRef(self.informer, self.key)
        return ObjectRef(self.informer, f"{self.namespace}/{self.name}" if self.namespace else self.name)


class ObjectRow(msgspec.Struct, gc=False):
    """What is known of one object without decoding it; mutable, owned by the recorder."""

    resource_version: str
    updates: int
    changed_at: float
    mark: str
    """`new`, `changed`, `same`, `gone` or `resync` (what touched it last)."""
    size: int
    uid_changed: bool = False
    came_at: float = 0.0
    """When the cache got it; later changes leave this alone."""
    came: str = ""
    """By which delta it came: `Replaced` or `Added`; "" when that is not known."""
    syncs: int = 0
    """Resyncs that replayed it before it ever changed; later ones are in its history."""
    synced_at: float = 0.0
    """When the last of these did."""


def displayed(row: Row) -> RowRef:
    """A row of the tree with names that are safe to show."""
    level, informer, namespace, key, count, folded = row
    if level == 2:
        name = key[len(namespace) + 1 :] if namespace else key
        return RowRef(2, informer, clean(namespace), clean(name), key=key)
    return RowRef(level, informer, clean(namespace), "", count, folded, key=namespace)
