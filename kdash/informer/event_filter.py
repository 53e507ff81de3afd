"""Which watch events a reflector accepts, and how a batch is cut into runs (RF-3, RF-20, RF-33 to RF-36).

Contract: pure. Checking costs a fraction of a microsecond an event: `all_plain` is one loop without
allocation, and only a batch that fails it is looked at event by event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdash.informer.list_watch import WatchEvent
from kdash.informer.objects import KubeObject

__all__ = ["CHANGES", "EventFilter", "is_unsupported_table"]

CHANGES = frozenset(("ADDED", "MODIFIED", "DELETED"))
"""Event types that change the store."""

_PARTIAL = "meta.k8s.io/v1", "PartialObjectMetadata"


def is_unsupported_table(api_version: str, kind: str) -> bool:
    """Whether this is a meta.k8s.io Table; a group of one's own may use the name (RF-20)."""
    return kind == "Table" and api_version in ("meta.k8s.io/v1", "meta.k8s.io/v1beta1")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The expected apiVersion and kind; an empty one accepts anything.

    With `metadata_only` the server was asked for PartialObjectMetadata: that is expected, and the whole objects
    of a server that cannot cut them are accepted too.
    """

    api_version: str = ""
    kind: str = ""
    metadata_only: bool = False

    def all_plain(self, events: Sequence[WatchEvent]) -> bool:
        """Whether every event is an acceptable ADDED, MODIFIED or DELETED."""
        kind, api_version, changes = self.kind, self.api_version, CHANGES
        if not kind or not api_version:
            return not any(event.type not in changes or self.rejection(event.object) for event in events)
        if self.metadata_only:
            api_version, kind = _PARTIAL
        for type_, obj, _, _, _ in events:
            if type_ not in changes or obj is None or obj.kind != kind or obj.api_version != api_version:
                return False
        return True

    def rejection(self, obj: KubeObject | None) -> str:
        """Why an event with this object is skipped; "" when it is not."""
        if obj is None:
            return "the event has no object"
        if is_unsupported_table(obj.api_version, obj.kind):
            return "Table is not supported"
        if self.metadata_only and (obj.api_version, obj.kind) == _PARTIAL:
            return ""
        if obj.kind != (self.kind or obj.kind) or obj.api_version != (self.api_version or obj.api_version):
            return f"expected {self.api_version} {self.kind}, but the event has {obj.api_version} {obj.kind}"
        return ""
