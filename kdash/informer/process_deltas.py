"""What one delta does: the store first, then whoever is told (client-go `processDeltas`, CT-5 to CT-11).

Contract:
- Called by the process loop only, never by two threads at once; the whole of one call runs under blockDeltas.
  In the `delta` and `real` engines the queue's lock is held around it.
- What the store holds decides, not the delta's type: known → update, unknown → add.
- `Deleted` is passed on whether or not the store knew the object; `SyncAll` leaves the store alone;
  `ReplacedAll` and batches change the store completely before anyone is told.
- An error of the store abandons the rest of that entry; nothing is queued again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any, Protocol

from kdash.informer.errors import InformerError
from kdash.informer.handlers import ResourceEventHandler
from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import DeletedFinalStateUnknown, Delta, DeltaType
from kdash.informer.store import Store, Transaction, TransactionError, TransactionType
from kdash.informer.tap import Tap

__all__ = ["DeltaProcessor", "DeltaSink", "HandlerSink"]

_ADDED, _UPDATED, _DELETED = DeltaType.ADDED, DeltaType.UPDATED, DeltaType.DELETED
_REPLACED, _SYNC = DeltaType.REPLACED, DeltaType.SYNC
_UPSERTS = frozenset((_ADDED, _UPDATED, _REPLACED, _SYNC))


class DeltaSink(Protocol):
    """Who is told after the store has changed. `cause` is the tap's number of the store mutation, or 0."""

    def added(self, obj: Any, is_in_initial_list: bool, cause: int) -> None: ...

    def updated(self, old: Any, new: Any, cause: int) -> None: ...

    def deleted(self, obj: Any, cause: int) -> None: ...


class HandlerSink:
    """Calls one handler in the process loop: the sink of a non-shared informer (CT-12)."""

    def __init__(self, handler: ResourceEventHandler) -> None:
        self._handler = handler

    def added(self, obj: Any, is_in_initial_list: bool, cause: int) -> None:
        self._handler.on_add(obj, is_in_initial_list)

    def updated(self, old: Any, new: Any, cause: int) -> None:
        self._handler.on_update(old, new)

    def deleted(self, obj: Any, cause: int) -> None:
        self._handler.on_delete(obj)


class DeltaProcessor:
    """Brings deltas into a store and tells a sink. `block_deltas` is held during every call."""

    def __init__(
        self,
        store: Store,
        sink: DeltaSink,
        block_deltas: threading.Lock,
        *,
        key_func: Callable[[Any], str] | None = None,
        tap: Tap | None = None,
        informer: str = "",
        versions: Callable[[tuple[Any, ...]], None] | None = None,
    ) -> None:
        self._store = store
        self._versions = versions
        self._get = store.get_by_key
        self._key = key_func
        self._added, self._updated, self._deleted = sink.added, sink.updated, sink.deleted
        self._block_deltas = block_deltas
        self._tap = tap
        self._informer = informer
        self.afterwards: Callable[[], None] | None = None
        """Called once, without `block_deltas`, when the entry that is being processed is done."""

    def process(self, deltas: Sequence[Delta], is_in_initial_list: bool) -> None:
        """Process all deltas of one entry, oldest first (client-go `processDeltas`)."""
        try:
            with self._block_deltas:
                for delta in deltas:
                    type_ = delta[0]
                    if type_ in _UPSERTS:
                        self._upsert(delta, is_in_initial_list)
                    elif type_ is _DELETED:
                        self._delete(delta)
                    else:
                        self._whole(delta, is_in_initial_list)
        finally:
            if self.afterwards is not None:
                afterwards, self.afterwards = self.afterwards, None
                afterwards()

    def process_batch(self, deltas: Sequence[Delta], is_in_initial_list: bool) -> None:
        """Process deltas of different keys in one store transaction (client-go `processDeltasInBatch`,
        CT-11).

        Raises the `TransactionError` after the sink was told of those that succeeded.
        """
        with self._block_deltas:
            operations: list[Transaction] = []
            before: list[Any] = []
            for delta in deltas:
                if delta.type is not _DELETED and delta.type not in _UPSERTS:
                    raise InformerError(f"Delta type {delta.type} is not supported in batch processing")
                old = self._get(self._key(delta.object) if self._key else delta.object.key)
                if delta.type is _DELETED:
                    operation = TransactionType.DELETE
                else:
                    operation = TransactionType.ADD if old is None else TransactionType.UPDATE
                operations.append(Transaction(operation, delta.object))
                before.append(old)
            try:
                self._store.transaction(operations)
            except TransactionError as error:
                for index in error.successful_indices:
                    self._tell(deltas[index], before[index], is_in_initial_list)
                raise
            for delta, old in zip(deltas, before, strict=True):
                self._tell(delta, old, is_in_initial_list)

    def _upsert(self, delta: Delta, is_in_initial_list: bool) -> None:
        obj = delta[1]
        old = self._get(self._key(obj) if self._key else obj.key)
        if old is None:
            self._store.add(obj)
            cause = delta[3] if self._tap is None else self._emit("add", delta, None)
            self._added(obj, is_in_initial_list, cause)
        else:
            if old is not obj:  # a Sync delta carries the cached object itself
                self._store.update(obj)
            cause = delta[3] if self._tap is None else self._emit("update", delta, old)
            self._updated(old, obj, cause)

    def _delete(self, delta: Delta) -> None:
        old = None
        if self._tap is not None:
            old = self._get(self._key(delta.object) if self._key else delta.object.key)
        self._store.delete(delta.object)
        cause = delta[3] if self._tap is None else self._emit("delete", delta, old)
        self._deleted(delta.object, cause)

    def _tell(self, delta: Delta, old: Any, is_in_initial_list: bool) -> None:
        """The sink's part of a delta whose store operation is done."""
        if delta.type is _DELETED:
            self._deleted(delta.object, self._emit("delete", delta, old))
        elif old is None:
            self._added(delta.object, is_in_initial_list, self._emit("add", delta, None))
        else:
            self._updated(old, delta.object, self._emit("update", delta, old))

    def _whole(self, delta: Delta, is_in_initial_list: bool) -> None:
        """The types of the atomic queue, which concern the store as a whole."""
        if delta.type is DeltaType.SYNC_ALL:
            for obj in self._store.list():
                self._updated(obj, obj, delta.cause)
        elif delta.type is DeltaType.REPLACED_ALL:
            self._replace_all(delta, is_in_initial_list)
        elif delta.type is DeltaType.BOOKMARK:
            self._store.bookmark(delta.object.resource_version)
            if self._tap is not None:
                rv = delta.object.resource_version
                self._tap.emit(
                    "store.mutation",
                    self._informer,
                    "bookmark",
                    "",
                    "",
                    rv,
                    False,
                    0,
                    0,
                    delta.type,
                    delta.cause,
                )
        else:
            raise InformerError(f"unknown delta type {delta.type}")

    def _replace_all(self, delta: Delta, is_in_initial_list: bool) -> None:
        """Swap the store's content, then tell: tombstones, then updates and adds in list order (CT-9)."""
        objects: Sequence[KubeObject] = delta.object.objects
        key_of = self._key
        keys = [key_of(obj) for obj in objects] if key_of else [obj.key for obj in objects]
        before = [self._get(key) for key in keys]
        listed = set(keys)
        gone = [
            DeletedFinalStateUnknown(key, self._get(key))
            for key in self._store.list_keys()
            if key not in listed
        ]
        self._store.replace(objects, delta.object.resource_version)
        cause = delta.cause
        if self._tap is not None:
            cause = self._tap.emit(
                "store.replaced", self._informer, delta.object.resource_version, len(objects), len(gone)
            )
        for tombstone in gone:
            if self._versions is not None:
                self._versions((cause, self._informer, _DELETED, tombstone.key, tombstone, tombstone.obj))
            self._deleted(tombstone, cause)
        for obj, old in zip(objects, before, strict=True):
            if self._versions is not None and (old is None or old.resource_version != obj.resource_version):
                self._versions((cause, self._informer, DeltaType.REPLACED, obj.key, obj, old))
            if old is None:
                self._added(obj, is_in_initial_list, cause)
            else:
                self._updated(old, obj, cause)

    def _emit(self, op: str, delta: Delta, old: Any) -> int:
        """One `store.mutation` record; returns what is the cause of the notifications."""
        tap = self._tap
        if tap is None:
            return delta[3]
        type_, obj, _, cause = delta
        if type(obj) is KubeObject and self._key is None and type(old) is KubeObject and op == "update":
            key, seq = obj.key, tap.next_seq()
            tap.append((
                seq, tap.now(), "store.mutation", self._informer, get_ident(), op, key, old.resource_version,
                obj.resource_version, old.uid != obj.uid, obj.size, obj.stored_size, type_._value_, cause,
            ))  # fmt: skip
        else:
            key, seq = self._emit_any(tap, op, delta, old)
        if self._versions is not None and type_ is not DeltaType.SYNC:
            self._versions((seq, self._informer, type_, key, delta[1], old))
        return seq

    def _emit_any(self, tap: Tap, op: str, delta: Delta, old: Any) -> tuple[str, int]:
        """What is no plain update, whatever the objects are; returns key and number."""
        type_, obj, _, cause = delta
        if type(obj) is DeletedFinalStateUnknown:
            key, obj = obj
        else:
            key = self._key(obj) if self._key else obj.key
        seq = tap.emit(
            "store.mutation", self._informer, op, key, getattr(old, "resource_version", ""),
            getattr(obj, "resource_version", "") if op != "delete" else "",
            old is not None and obj is not None and getattr(old, "uid", "") != getattr(obj, "uid", ""),
            getattr(obj, "size", 0), getattr(obj, "stored_size", 0) if op != "delete" else 0, str(type_), cause,
        )  # fmt: skip
        return key, seq
