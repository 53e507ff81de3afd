"""Objects by key, with indexes (client-go `ThreadSafeStore`; ST-1 to ST-12, ST-16).

Contract:
- Writes exclude each other and every read of an index; `get` is one dictionary look-up without a lock.
- Objects are handed out by reference and must not be changed. Lists are fresh. No order is promised.
- The last writer wins: resource versions are never compared.
- An index function that raises leaves the object stored (`IndexFunctionError`; client-go panics).
- With a packer, objects are compressed in place later: by `pack_pending`, or by writes when too many wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

from kdash.informer.index_table import Indexers, IndexTable
from kdash.informer.packing import Packer
from kdash.informer.packing_backlog import PackingBacklog

_Objects = list[Any]
_Keys = list[str]

__all__ = ["KeyedTransaction", "ThreadSafeStore", "TransactionType"]

_PACKED_AT_ONCE = 64


class TransactionType(Enum):
    """What one operation of a transaction does (client-go `TransactionType`)."""

    ADD = "Add"
    UPDATE = "Update"
    DELETE = "Delete"


class KeyedTransaction(NamedTuple):
    """One operation with its key (client-go `ThreadSafeStoreTransaction`)."""

    type: TransactionType
    key: str
    object: Any


class ThreadSafeStore:
    """A map with indexes."""

    def __init__(self, indexers: Indexers | None = None, *, packer: Packer | None = None) -> None:
        self._lock = threading.Lock()  # guards everything below; the item map may be read without it
        self._items: dict[str, Any] = {}
        self._table = IndexTable(indexers or {})
        self._resource_version = ""
        self._backlog = None if packer is None else PackingBacklog(packer, self._lock, lambda: self._items)
        self.tracks_resource_version = False
        """Whether `last_store_sync_resource_version` follows the writes (client-go gate AtomicFIFO)."""

    # writes --------------------------------------------------------------------------------------------

    def add(self, key: str, obj: Any) -> None:
        """Store `obj` under `key`, whether or not there was one."""
        backlog = self._backlog
        with self._lock:
            self._put(key, obj)
            if self.tracks_resource_version:
                self._follow(obj)
        if backlog is not None and backlog.is_over_budget:
            backlog.pack_some(_PACKED_AT_ONCE)

    update = add

    def delete(self, key: str, obj: Any = None) -> None:
        """Remove `key` if it is there (client-go `DeleteWithObject`).

        An `obj` with a version moves the store's; a tombstone has none.
        """
        with self._lock:
            self._drop(key)
            if self.tracks_resource_version:
                self._follow(obj)

    def replace(self, items: dict[str, Any], resource_version: str) -> None:
        """Hold `items`, and nothing else, from one moment to the next. The store keeps the dictionary."""
        with self._lock:
            self._items = items
            if self.tracks_resource_version:
                self._resource_version = resource_version
            if self._backlog is not None:
                self._backlog.reset(items)
            self._table.rebuild(items)

    def transaction(self, operations: Iterable[KeyedTransaction]) -> None:
        """Carry out all operations under one lock (client-go `Transaction`)."""
        last: Any = None
        count = 0
        with self._lock:
            for type_, key, obj in operations:
                if type_ is TransactionType.DELETE:
                    self._drop(key)
                else:
                    self._put(key, obj)
                last = obj
                count += 1
            if self.tracks_resource_version:
                self._follow(last)
        if self._backlog is not None and self._backlog.is_over_budget:
            self._backlog.pack_some(max(_PACKED_AT_ONCE, 2 * count))

    def bookmark(self, resource_version: str) -> None:
        """The content is that of `resource_version`."""
        with self._lock:
            if self.tracks_resource_version:
                self._resource_version = resource_version

    def _put(self, key: str, obj: Any) -> None:
        items = self._items
        old = items.get(key) if self._table.indexers else None
        items[key] = obj
        if self._backlog is not None:
            self._backlog.changed(key, obj)
        if self._table.indexers:
            self._table.update(key, old, obj)

    def _drop(self, key: str) -> None:
        old = self._items.pop(key, None)
        if old is None:
            return
        if self._backlog is not None:
            self._backlog.forget(key)
        if self._table.indexers:
            self._table.update(key, old, None)

    def _follow(self, obj: Any) -> None:
        version = getattr(obj, "resource_version", None)
        if isinstance(version, str):
            self._resource_version = version

    def pack_pending(self, limit: int = 64) -> bool:
        """Compress up to `limit` objects that wait for it; True when more could be done at once."""
        return self._backlog is not None and self._backlog.pack_some(limit)

    def waiting_to_be_packed(self) -> int:
        """How many objects are not compressed yet; no lock."""
        return 0 if self._backlog is None else len(self._backlog)

    # reads ---------------------------------------------------------------------------------------------

    def get(self, key: str) -> Any:
        """The object, or None."""
        return self._items.get(key)

    def __len__(self) -> int:
        return len(self._items)

    def list(self) -> _Objects:
        """All objects."""
        with self._lock:
            return [*self._items.values()]

    def items(self) -> dict[str, Any]:
        """Every key with its object, of one moment (extension)."""
        with self._lock:
            return dict(self._items)

    def list_keys(self) -> _Keys:
        """All keys."""
        with self._lock:
            return [*self._items]

    def index(self, name: str, obj: Any) -> _Objects:
        """The objects that share a value of the index with `obj`, each once."""
        with self._lock:
            return self._found(self._table.keys(name, self._table.values_of(name, obj)))

    def by_index(self, name: str, value: str) -> _Objects:
        """The objects under one value; raises `InformerError` for an index that does not exist."""
        with self._lock:
            return self._found(self._table.keys(name, (value,)))

    def index_keys(self, name: str, value: str) -> _Keys:
        """The keys under one value, sorted."""
        with self._lock:
            return sorted(self._table.keys(name, (value,)))

    def list_index_func_values(self, name: str) -> _Keys:
        """The values of an index that lead to an object; empty for an unknown index."""
        with self._lock:
            return self._table.values(name)

    def _found(self, keys: Iterable[str]) -> _Objects:
        return [self._items[key] for key in keys]

    def get_indexers(self) -> Indexers:
        """The index functions, by name."""
        with self._lock:
            return dict(self._table.indexers)

    def add_indexers(self, indexers: Indexers) -> None:
        """Add indexes over what is stored; `InformerError`, and no change, on a name that is taken."""
        with self._lock:
            self._table.add_indexers(indexers, self._items)

    def last_store_sync_resource_version(self) -> str:
        """The version the content stands for; "" unless `tracks_resource_version`."""
        return self._resource_version if self.tracks_resource_version else ""

    def resync(self) -> None:
        """Does nothing (client-go `Resync` of a store)."""
