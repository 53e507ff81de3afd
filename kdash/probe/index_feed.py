"""Topic: from store.mutation and store.replaced records to the object index.

The atomic queue swaps the whole cache at once and tells per object only in its notifications: after
store.replaced the index is fed from the notify.distribute records that name it as their cause.
"""

from __future__ import annotations

from collections.abc import Sequence

from kdash.informer.tap import Record
from kdash.probe.informers import InformerTopic
from kdash.probe.objects import ObjectIndex

__all__ = ["IndexFeed"]


class IndexFeed:
    """Writes the object index."""

    def __init__(self, index: ObjectIndex, informers: InformerTopic) -> None:
        self._index = index
        self._informers = informers
        self._replaced: dict[str, int] = {}  # informer → seq of its last store.replaced

    def mutations(self, informer: str, records: Sequence[Record]) -> None:
        """A batch of store.mutation records of one informer."""
        index = self._index
        rows = index.rows_of(informer)
        for _, at, _, _, _, op, key, _, version, uid_changed, size, _, delta_type, _ in records:
            row = rows.get(key)
            if op == "delete":
                index.bury(informer, key, at)
            elif row is None or row.mark == "gone":
                if key:
                    index.put(informer, key, version, at, size, "new", uid_changed, delta_type)
            else:
                if version != row.resource_version:
                    row.resource_version = version
                    row.updates += 1
                    row.mark = "changed"
                    row.uid_changed = uid_changed
                    row.size = size
                elif delta_type == "Sync":
                    row.mark = "resync"
                    if not row.updates:
                        row.syncs += 1
                        row.synced_at = at
                else:
                    row.mark = "same"
                row.changed_at = at

    def replaced(self, record: Record) -> None:
        self._replaced[record[3]] = record[0]

    def distributed(self, informer: str, records: Sequence[Record]) -> None:
        """A batch of notify.distribute records of one informer: matters for whole-cache changes only."""
        if self._informers.of(informer).engine != "real-atomic":
            return
        index, replaced = self._index, self._replaced.get(informer, 0)
        for _, at, _, _, _, kind, key, version, is_sync, _, _, cause in records:
            row = index.rows_of(informer).get(key)
            if cause != replaced:
                if is_sync and row is not None and row.mark != "gone":
                    row.mark, row.changed_at = "resync", at
                    if not row.updates:
                        row.syncs, row.synced_at = row.syncs + 1, at
            elif kind == "delete":
                index.bury(informer, key, at)
            elif row is None or version != row.resource_version:
                index.put(informer, key, version, at, 0, "new" if row is None else "changed", came="Replaced")
            else:
                row.mark, row.changed_at = "same", at
