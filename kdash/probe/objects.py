"""SKELETON of the object index the tree pane reads. Contract:

`ObjectIndex` is written by the recorder (single writer) and read by the screen. Rows are numbered top to bottom:
kind headers, namespace headers, objects sorted by name; folded groups hide their objects. All methods take
microseconds whatever the size (design/textual.md §4).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ObjectRef", "ObjectRow", "RowRef"]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one cached object."""

    informer: str
    key: str


@dataclass(frozen=True, slots=True)
class RowRef:
    """What stands in one row of the tree: level 0 kind, 1 namespace, 2 object."""

    level: int
    informer: str
    namespace: str
    name: str
    count: int = 0
    """Objects below a header row."""
    folded: bool = False

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(self.informer, f"{self.namespace}/{self.name}" if self.namespace else self.name)


@dataclass(slots=True)
class ObjectRow:
    """What is known of one object without decoding it; mutable, owned by the recorder."""

    resource_version: str
    updates: int
    changed_at: float
    mark: str
    """`new`, `changed`, `same`, `gone` or `resync` (what touched it last)."""
    size: int
    uid_changed: bool = False
