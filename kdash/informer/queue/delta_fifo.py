"""DeltaFIFO: deltas grouped by key, keys in order of arrival (client-go `DeltaFIFO` ≤ 1.32; DF-1 to DF-19).

Contract:
- One `pop` gives all pending deltas of one key, oldest first. A key that is queued again keeps its place.
- Per key nothing is lost and nothing reordered; only two deletions in a row become one.
- Between keys the order is that of the first pending change, not of the events.
- The lock is held while an entry is processed: every addition waits meanwhile. There is no requeue.
- The sync latch turns when the last initial entry is taken out, before it is processed.
- A deletion of an object that neither the queue nor the store knows is ignored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from threading import get_ident
from typing import Any

from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import (
    DeletedFinalStateUnknown,
    Delta,
    DeltaType,
    KnownObjects,
    ProcessBatchFunc,
    ProcessFunc,
    QueueEntry,
    StoreObject,
)
from kdash.informer.queue.queue_core import QueueCore, version_in

__all__ = ["DeltaFIFO"]

_REPLACED, _SYNC, _DELETED = DeltaType.REPLACED, DeltaType.SYNC, DeltaType.DELETED
_new_delta = tuple.__new__


class DeltaFIFO(QueueCore):
    """The queue that groups by key."""

    engine = "delta"

    def __init__(
        self, *, known_objects: KnownObjects | None = None, emit_replaced: bool = True, **options: Any
    ) -> None:
        """`known_objects`: the store, consulted for deletions. `emit_replaced=False` writes Sync for Replaced
        (client-go without `EmitDeltaTypeReplaced`). Other options: see `QueueCore`."""
        super().__init__(**options)
        self._known = known_objects
        self._replaced_type = _REPLACED if emit_replaced else _SYNC
        self._items: dict[str, list[Delta]] = {}
        self._queue: deque[str] = deque()
        self._deltas = 0

    # additions -----------------------------------------------------------------------------------------

    def _delete(self, obj: StoreObject, cause: int) -> None:
        key = self.key_of(obj)
        if not self._populated:
            self._populate()
        if key not in self._items and not self._is_known(key):
            if self._tap is not None:
                self._tap.emit("queue.delete_ignored", self.name, key, "neither queued nor in the store")
            return
        self._enqueue(_DELETED, obj, cause)

    def _is_known(self, key: str) -> bool:
        """Whether the store has the key; a store that cannot tell counts as yes."""
        if self._known is None:
            return False
        try:
            return self._known.get_by_key(key) is not None
        except Exception:
            return True

    def _enqueue(self, type_: DeltaType, obj: StoreObject, cause: int, transforms: bool = True) -> str:
        key = obj.key if self._plain_keys and type(obj) is KubeObject else self.key_of(obj)
        if transforms and self._transform is not None:
            obj = self._transformed(key, obj)
        deltas = self._items.get(key)
        now = self._now()
        self._deltas = depth = self._deltas + 1
        tap = self._tap
        if tap is not None:
            is_new = deltas is None
            led_here, cause = cause, tap.next_seq()
            tap.append((
                cause, now, "queue.enqueued", self.name, get_ident(), key, type_._value_,
                obj.resource_version if type(obj) is KubeObject else version_in(obj),
                len(self._queue) + is_new, depth, depth, is_new, led_here,
            ))  # fmt: skip
        delta = _new_delta(Delta, (type_, obj, now, cause))
        if deltas is None:
            self._items[key] = [delta]
            self._queue.append(key)
            if self._waiting:
                self._wake()
        else:
            deltas.append(delta)
            if type_ is _DELETED:
                self._merge_deletions(key, deltas)
        if self.on_depth is not None:
            self.on_depth(self._deltas)
        return key

    def _merge_deletions(self, key: str, deltas: list[Delta]) -> None:
        """Two deletions at the end become one: the one that saw more (DF-7)."""
        older, newer = deltas[-2], deltas[-1]
        if older.type is not _DELETED:
            return
        was_tombstone = type(older.object) is DeletedFinalStateUnknown
        deltas[-2:] = [newer if was_tombstone else older]
        self._deltas -= 1
        if self._tap is not None:
            kept = "newer" if was_tombstone else "older"
            self._tap.emit("queue.deduped", self.name, key, kept, newer.type, was_tombstone)

    def replace(self, objects: Sequence[KubeObject], resource_version: str, cause: int = 0) -> None:
        """Queue one Replaced per object, then a tombstone per queued or known key that is not among them.

        An error of a key or transform is raised at once; what came before it stays queued (DF-13).
        """
        with self._writing:
            type_, enqueue = self._replaced_type, self._enqueue
            listed = {enqueue(type_, obj, cause) for obj in objects}
            from_queue = self._bury_queued(listed, cause)
            from_store = self._bury_known(listed, cause)
            first = not self._populated
            initial = len(listed) + from_queue + from_store if first else 0
            if self._tap is not None:
                self._tap.emit(
                    "queue.replace", self.name, resource_version, len(objects), from_queue, from_store, False,
                    initial,
                )  # fmt: skip
            if first:
                self._populate(initial)

    def _bury_queued(self, listed: set[str], cause: int) -> int:
        """Tombstones for queued keys that are gone, holding the newest queued object."""
        gone = [key for key in self._queue if key not in listed]
        for key in gone:
            newest = self._items[key][-1].object
            last = newest.obj if type(newest) is DeletedFinalStateUnknown else newest
            self._enqueue(_DELETED, DeletedFinalStateUnknown(key, last), cause)
        return len(gone)

    def _bury_known(self, listed: set[str], cause: int) -> int:
        """Tombstones for stored keys that are gone and not queued, holding what the store had."""
        if self._known is None:
            return 0
        gone = [key for key in self._known.list_keys() if key not in listed and key not in self._items]
        for key in gone:
            self._enqueue(_DELETED, DeletedFinalStateUnknown(key, self._look_up(self._known, key)), cause)
        return len(gone)

    def resync(self, tick: int = 0) -> None:
        """Queue a Sync for every known object whose key is not queued (client-go `Resync`)."""
        began = self._now()
        with self._writing:
            known = self._known
            if known is None:
                return
            locked_at = self._now()
            items, enqueue = self._items, self._enqueue
            keys = known.list_keys()
            queued = skipped = missing = 0
            for key in keys:
                if key in items:
                    skipped += 1
                    continue
                obj = self._look_up(known, key)
                if obj is None:
                    missing += 1
                    continue
                enqueue(_SYNC, obj, 0, False)
                queued += 1
            if self._tap is not None:
                self._tap.emit(
                    "resync.enqueued", self.name, tick, self.engine, len(keys), queued, skipped, missing,
                    locked_at - began, self._now() - began,
                )  # fmt: skip

    def bookmark(self, resource_version: str, cause: int = 0) -> None:
        """Does nothing: only the atomic engine carries bookmarks."""

    # taking out ----------------------------------------------------------------------------------------

    def _is_empty(self) -> bool:
        return not self._queue

    def pop(
        self, process: ProcessFunc, process_batch: ProcessBatchFunc | None = None, *, block: bool = True
    ) -> bool:
        """Process the next key's deltas under the lock; `process_batch` is not used. See `Queue.pop`."""
        if self._awaited() or self._writing.passed_over:
            self._writing.give_way()
        with self._lock:
            queue, tap = self._queue, self._tap
            if not queue and not self._await_work(block):
                return False
            key = queue.popleft()
            deltas = self._items.pop(key)
            self._deltas = depth = self._deltas - len(deltas)
            if self.on_depth is not None:
                self.on_depth(depth)
            is_initial = not self._synced
            waiting = len(queue)
            if tap is not None:
                _, _, at, cause = deltas[0]
                now = self._now()
                tap.append((
                    tap.next_seq(), now, "queue.popped", self.name, get_ident(), key, 1, len(deltas), "",
                    is_initial, now - at, waiting, depth, depth, cause,
                ))  # fmt: skip
            if self._initial_count > 0:
                self._count_down(1)
            self._run(process, deltas, is_initial, key, waiting)
        return True

    # display -------------------------------------------------------------------------------------------

    def depth(self) -> tuple[int, int, int]:
        return len(self._queue), self._deltas, self._deltas

    def peek(self, limit: int) -> list[QueueEntry]:
        """The first `limit` entries; without the lock, so possibly some moments old."""
        for _ in range(8):
            try:
                keys = list(islice(self._queue, limit))
            except RuntimeError:  # changed meanwhile: look again
                continue
            found = [(key, self._items.get(key)) for key in keys]
            return [_entry(key, list(deltas)) for key, deltas in found if deltas]
        return []


def _entry(key: str, deltas: list[Delta]) -> QueueEntry:
    return QueueEntry(key, tuple(str(delta.type) for delta in deltas), deltas[0].at, len(deltas))


