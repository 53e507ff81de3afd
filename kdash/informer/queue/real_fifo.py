"""RealFIFO: every delta in the order it came (client-go `RealFIFO` ≥ 1.33, atomic ≥ 1.36; RQ-1 to RQ-15).

Contract:
- Nothing is grouped, merged or dropped; a deletion of an unknown object is delivered too.
- One `pop` gives one delta, or with `process_batch` up to `batch_size` deltas of different keys, never mixing
  those of the first sync with later ones.
- The sync latch turns after the last initial entry was processed.
- `atomic=False` (engine `real`): a replace queues tombstones, then one Replaced per object; a resync one Sync
  per idle object. The store must be given, and the lock is held during processing.
- `atomic=True` (engine `real-atomic`): a replace queues one ReplacedAll, a resync one SyncAll; tombstones are
  the consumer's work and no store is given. With `unlock_while_processing` additions go on during processing,
  as long as fewer than two batches wait.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from threading import get_ident
from typing import Any, NamedTuple

from kdash.informer.errors import InformerError
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

__all__ = ["BATCH_SIZE", "BookmarkInfo", "RealFIFO", "ReplacedAllInfo", "SyncAllInfo"]

BATCH_SIZE = 1000

_DELETED = DeltaType.DELETED
_UNBATCHABLE = frozenset((DeltaType.REPLACED_ALL, DeltaType.SYNC_ALL, DeltaType.BOOKMARK))
_new_delta = tuple.__new__
_logger = logging.getLogger(__name__)


class ReplacedAllInfo(NamedTuple):
    """What a ReplacedAll delta carries: the whole state, transformed (client-go `ReplacedAllInfo`)."""

    resource_version: str
    objects: Sequence[KubeObject]


class SyncAllInfo(NamedTuple):
    """What a SyncAll delta carries (client-go `SyncAllInfo`): nothing for the consumer."""

    objects: int = 0
    """How many objects the store had at that moment; for display."""


class BookmarkInfo(NamedTuple):
    """What a Bookmark delta carries (client-go `BookmarkInfo`)."""

    resource_version: str


class RealFIFO(QueueCore):
    """The queue that keeps every event in order."""

    def __init__(
        self,
        *,
        known_objects: KnownObjects | None = None,
        atomic: bool = False,
        unlock_while_processing: bool = False,
        emit_bookmarks: bool = False,
        batch_size: int = BATCH_SIZE,
        count_known: Callable[[], int] | None = None,
        **options: Any,
    ) -> None:
        """`count_known` counts the stored objects for the tap and `depth` (atomic). Others: see `QueueCore`.

        Raises ValueError for combinations that client-go refuses (RQ-14).
        """
        if atomic and known_objects is not None:
            raise ValueError("an atomic RealFIFO never reads the store: leave known_objects out")
        if not atomic and known_objects is None:
            raise ValueError("a RealFIFO needs known_objects unless it is atomic")
        if not atomic and (unlock_while_processing or emit_bookmarks):
            raise ValueError("unlock_while_processing and emit_bookmarks need atomic=True")
        super().__init__(**options)
        self.engine = "real-atomic" if atomic else "real"
        self._known = known_objects
        self._atomic = atomic
        self._unlocks = unlock_while_processing
        self._emits_bookmarks = emit_bookmarks
        self._batch_size = batch_size
        self._count_known = count_known or int
        self._items: deque[Delta] = deque()
        self._keys: deque[str] = deque()  # of _items; "" for those about the whole store
        self._waiting_of: dict[str, int] = {}  # key → number of its deltas in _items
        self._objects = 0

    # additions -----------------------------------------------------------------------------------------

    def _delete(self, obj: StoreObject, cause: int) -> None:
        if not self._populated:
            self._populate()
        self._enqueue(_DELETED, obj, cause)

    def _enqueue(self, type_: DeltaType, obj: StoreObject, cause: int, transforms: bool = True) -> str:
        key = obj.key if self._plain_keys and type(obj) is KubeObject else self.key_of(obj)
        if transforms and self._transform is not None:
            obj = self._transformed(key, obj)
        self._append(type_, key, obj, cause, 1, version_in(obj) if self._tap is not None else "")
        return key

    def _append(self, type_: DeltaType, key: str, obj: Any, cause: int, objects: int, version: str) -> None:
        waiting_of = self._waiting_of
        before = waiting_of.get(key, 0)
        waiting_of[key] = before + 1
        self._objects += objects
        now = self._now()
        tap = self._tap
        if tap is not None:
            led_here, cause = cause, tap.next_seq()
            tap.append((
                cause, now, "queue.enqueued", self.name, get_ident(), key, type_._value_, version, len(waiting_of),
                len(self._items) + 1, self._objects, not before, led_here,
            ))  # fmt: skip
        self._keys.append(key)
        self._items.append(_new_delta(Delta, (type_, obj, now, cause)))
        if self.on_depth is not None:
            self.on_depth(len(self._items))
        if self._waiting:
            self._wake()

    def replace(self, objects: Sequence[KubeObject], resource_version: str, cause: int = 0) -> None:
        """Queue the full state; raises `KeyFunctionError` or `TransformError`.

        A key error changes nothing; a transform error neither if atomic, else what came before it is queued.
        """
        with self._writing:
            from_queue = from_store = 0
            if self._atomic:
                self._replace_all(objects, resource_version, cause)
            else:
                listed = {self.key_of(obj) for obj in objects}
                from_queue, from_store = self._bury_unlisted(listed, cause)
                for obj in objects:
                    self._enqueue(DeltaType.REPLACED, obj, cause)
            first = not self._populated
            initial = len(self._items) if first else 0
            if self._tap is not None:
                self._tap.emit(
                    "queue.replace", self.name, resource_version, len(objects), from_queue, from_store,
                    self._atomic, initial,
                )  # fmt: skip
            if first:
                self._populate(initial)

    def _replace_all(self, objects: Sequence[KubeObject], resource_version: str, cause: int) -> None:
        if self._transform is not None:
            objects = [self._transformed(self.key_of(obj), obj) for obj in objects]
        info = ReplacedAllInfo(resource_version, objects)
        self._append(DeltaType.REPLACED_ALL, "", info, cause, len(objects), resource_version)

    def _bury_unlisted(self, listed: set[str], cause: int) -> tuple[int, int]:
        """Tombstones for what is gone: queued keys in order of their first delta, then stored ones."""
        assert self._known is not None
        newest: dict[str, Delta] = dict(zip(self._keys, self._items, strict=True))
        queued = [
            (key, delta.object)
            for key, delta in newest.items()
            if key not in listed and delta.type is not _DELETED
        ]
        for key, obj in queued:
            self._enqueue(_DELETED, DeletedFinalStateUnknown(key, obj), cause)
        stored = [key for key in self._known.list_keys() if key not in listed and key not in newest]
        for key in stored:
            self._enqueue(_DELETED, DeletedFinalStateUnknown(key, self._look_up(self._known, key)), cause)
        return len(queued), len(stored)

    def resync(self, tick: int = 0) -> None:
        """Queue a Sync for every known object that has no delta waiting; if atomic, one SyncAll."""
        began = self._now()
        with self._writing:
            locked_at = self._now()
            queued = skipped = missing = 0
            if self._known is None:
                known, queued = self._count_known(), 1
                self._append(DeltaType.SYNC_ALL, "", SyncAllInfo(known), 0, known, "")
            else:
                keys = self._known.list_keys()
                known = len(keys)
                for key in keys:
                    if key in self._waiting_of:
                        skipped += 1
                        continue
                    obj = self._look_up(self._known, key)
                    if obj is None:
                        missing += 1
                        continue
                    self._enqueue(DeltaType.SYNC, obj, 0, False)
                    queued += 1
            if self._tap is not None:
                self._tap.emit(
                    "resync.enqueued", self.name, tick, self.engine, known, queued, skipped, missing,
                    locked_at - began, self._now() - began,
                )  # fmt: skip

    def bookmark(self, resource_version: str, cause: int = 0) -> None:
        """Queue a version without a change; ignored unless the queue emits bookmarks."""
        if self._emits_bookmarks:
            with self._writing:
                info = BookmarkInfo(resource_version)
                self._append(DeltaType.BOOKMARK, "", info, cause, 0, resource_version)

    # taking out ----------------------------------------------------------------------------------------

    def _is_empty(self) -> bool:
        return not self._items

    def pop(
        self, process: ProcessFunc, process_batch: ProcessBatchFunc | None = None, *, block: bool = True
    ) -> bool:
        """Process the next delta, or with `process_batch` the next ones of other keys. See `Queue.pop`."""
        if self._awaited() or self._writing.passed_over:
            self._writing.give_way()
        with self._lock:
            if not self._items and not self._await_work(block):
                return False
            is_initial = not self._synced
            key = self._keys[0]
            if process_batch is None:
                deltas, why = [self._take()], "single"
            else:
                deltas, why = self._take_batch()
            if self.on_depth is not None:
                self.on_depth(len(self._items))
            tap = self._tap
            if tap is not None:
                now = self._now()
                tap.append((
                    tap.next_seq(), now, "queue.popped", self.name, get_ident(), key, len(deltas), len(deltas), why,
                    is_initial, now - deltas[0].at, len(self._waiting_of), len(self._items), self._objects,
                    deltas[0].cause,
                ))  # fmt: skip
            function = process if process_batch is None or len(deltas) == 1 else process_batch
            try:
                self._run_maybe_unlocked(function, deltas, is_initial, key)
            finally:
                self._count_down(len(deltas))
        return True

    def _run_maybe_unlocked(
        self, function: Callable[[Any, bool], None], deltas: list[Delta], is_initial: bool, key: str
    ) -> None:
        """Let go of the lock while processing, unless too much waits: then the writers must (RQ-12)."""
        waiting = len(self._waiting_of)
        if not self._unlocks or len(self._items) >= 2 * self._batch_size:
            self._run(function, deltas, is_initial, key, waiting)
            return
        self._lock.release()
        try:
            self._run(function, deltas, is_initial, key, waiting)
        finally:
            self._lock.acquire()

    def _take(self) -> Delta:
        delta = self._items.popleft()
        key = self._keys.popleft()
        left = self._waiting_of[key] - 1
        if left:
            self._waiting_of[key] = left
        else:
            del self._waiting_of[key]
        self._objects -= _objects_in(delta)
        return delta

    def _take_batch(self) -> tuple[list[Delta], str]:
        """The longest batch from the head, and why it ends there (RQ-11)."""
        items, take = self._items, self._take
        deltas = [take()]
        if deltas[0].type in _UNBATCHABLE:
            return deltas, "unbatchable"
        limit, why = self._batch_size, "full"
        if 0 < self._initial_count < limit:
            limit, why = self._initial_count, "initial_boundary"
        seen: set[str] = set()
        try:
            seen.add(self.key_of(deltas[0].object))
            while len(deltas) < limit:
                if not items:
                    return deltas, "empty"
                if items[0].type in _UNBATCHABLE:
                    return deltas, "unbatchable"
                key = self.key_of(items[0].object)
                if key in seen:
                    return deltas, "repeated_key"
                seen.add(key)
                deltas.append(take())
        except InformerError as error:
            _logger.error("queue %s: a queued object has lost its key: %s", self.name, error)
            if len(seen) == len(deltas):
                deltas.append(take())
            return deltas, "broken_key"
        return deltas, why

    # display -------------------------------------------------------------------------------------------

    def depth(self) -> tuple[int, int, int]:
        return len(self._waiting_of), len(self._items), self._objects

    def peek(self, limit: int) -> list[QueueEntry]:
        """The first `limit` deltas; without the lock, so possibly some moments old."""
        for _ in range(8):
            try:
                deltas, keys = list(islice(self._items, limit)), list(islice(self._keys, limit))
            except RuntimeError:  # changed meanwhile: look again
                continue
            return [
                QueueEntry(key, (str(delta.type),), delta.at, _objects_in(delta))
                for key, delta in zip(keys, deltas, strict=False)
            ]
        return []


def _objects_in(delta: Delta) -> int:
    if delta.type not in _UNBATCHABLE:
        return 1
    info = delta.object
    if delta.type is DeltaType.REPLACED_ALL:
        return len(info.objects)
    return info.objects if delta.type is DeltaType.SYNC_ALL else 0
