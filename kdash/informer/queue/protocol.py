"""The delta queue's protocol: what the reflector puts in, what the process loop takes out.

Contract: `add`, `update`, `delete`, `replace`, `resync` and `bookmark` are called by the reflector's threads,
`pop` by one process loop. All are thread-safe under the queue's own lock; the `delta` and `real` engines hold
that lock while `process` runs, `real-atomic` releases it (informer.md DF-9, RQ-12). There is no requeue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from kdash.informer.gate import Gate
from kdash.informer.objects import KubeObject

__all__ = [
    "DeletedFinalStateUnknown",
    "Delta",
    "DeltaType",
    "KnownObjects",
    "ProcessFunc",
    "Queue",
    "QueueClosed",
    "QueueEntry",
    "StoreObject",
]


class DeletedFinalStateUnknown(NamedTuple):
    """A tombstone: a relist found the object gone, so its deletion was inferred, not seen.

    `obj` is the last state the cache knew (client-go `DeletedFinalStateUnknown`), None if it knew none.
    """

    key: str
    obj: KubeObject | None


StoreObject = KubeObject | DeletedFinalStateUnknown


class DeltaType(StrEnum):
    """Types of delta; the last three belong to the atomic RealFIFO only."""

    ADDED = "Added"
    UPDATED = "Updated"
    DELETED = "Deleted"
    REPLACED = "Replaced"
    SYNC = "Sync"
    REPLACED_ALL = "ReplacedAll"
    SYNC_ALL = "SyncAll"
    BOOKMARK = "Bookmark"


class Delta(NamedTuple):
    """One change. `object` is a KubeObject or a tombstone; a `ReplacedAllInfo`, `SyncAllInfo` or `BookmarkInfo`
    (see `real_fifo`) for the atomic types. `at` is the monotonic instant of queueing, `cause` the tap sequence
    number of what led here (0: unknown)."""

    type: DeltaType
    object: Any
    at: float = 0.0
    cause: int = 0


Deltas = Sequence[Delta]
"""All pending deltas of one key, oldest first (client-go `Deltas`)."""

ProcessFunc = Callable[[Deltas, bool], None]
"""process(deltas, is_in_initial_list); what it raises is returned by `pop` to its caller as an exception."""

ProcessBatchFunc = Callable[[Sequence[Delta], bool], None]


class QueueClosed(Exception):
    """`pop` on a closed and drained queue (client-go `ErrFIFOClosed`)."""


class KnownObjects(Protocol):
    """The part of the indexer that a queue consults (client-go `KeyListerGetter`)."""

    def list_keys(self) -> list[str]: ...

    def get_by_key(self, key: str) -> KubeObject | None: ...


class QueueEntry(NamedTuple):
    """One waiting entry as a pane shows it."""

    key: str
    types: tuple[str, ...]
    waiting_since: float
    objects: int


class Queue(Protocol):
    """client-go `Queue` plus what a dashboard needs."""

    engine: str
    """`delta`, `real` or `real-atomic`."""
    gate: Gate | None
    """A popper that waited in `pop` comes back with False, empty-handed, when this is held."""

    def add(self, obj: StoreObject, cause: int = 0) -> None: ...

    def update(self, obj: StoreObject, cause: int = 0) -> None: ...

    def delete(self, obj: StoreObject, cause: int = 0) -> None: ...

    def replace(self, objects: Sequence[KubeObject], resource_version: str, cause: int = 0) -> None: ...

    def resync(self, tick: int = 0) -> None: ...

    def bookmark(self, resource_version: str, cause: int = 0) -> None: ...

    def pop(self, process: ProcessFunc, process_batch: ProcessBatchFunc | None = None, *, block: bool = True) -> bool:
        """Take and process the next entry, or batch where the engine and `process_batch` allow it (PopBatch).

        Blocks while the queue is empty and open; raises `QueueClosed` when closed and drained. With
        `block=False` returns False at once when there is nothing to do (simulation, step mode).
        Whatever `process` raises leaves `pop` unchanged; those deltas are lost, as in client-go.
        """

    def has_synced(self) -> bool:
        """True once the first replace (or any earlier single change) was processed; latched."""

    def on_synced(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when `has_synced` turns true, at once if it is.

        client-go: `HasSyncedChecker().Done()`.
        """

    def close(self) -> None: ...

    def is_closed(self) -> bool: ...

    def depth(self) -> tuple[int, int, int]:
        """(keys, deltas, objects) waiting. Takes no lock longer than a few microseconds."""

    def peek(self, limit: int) -> list[QueueEntry]:
        """The first `limit` entries, for display. Never blocks behind processing: may be slightly stale."""
