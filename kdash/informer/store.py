"""A store of objects that know their own keys (client-go `Store`, `cache`; ST-1, ST-5, ST-6, ST-11 to ST-14).

Contract: what `ThreadSafeStore` promises, plus keys: a tombstone stands for its key, and an object without a
key is a `KeyFunctionError` that changes nothing. It emits no tap records; the process loop does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from kdash.informer.errors import InformerError, KeyFunctionError
from kdash.informer.index_table import Indexers
from kdash.informer.keys import KeyFunc, deletion_handling_key_func
from kdash.informer.objects import KubeObject
from kdash.informer.packing import Packer
from kdash.informer.thread_safe_store import KeyedTransaction, ThreadSafeStore, TransactionType

__all__ = ["Store", "Transaction", "TransactionError", "TransactionType", "new_store"]

StoreTransform = Callable[[Any], Any]
_Objects = list[Any]
_Keys = list[str]


class Transaction(NamedTuple):
    """One operation of `Store.transaction` (client-go `Transaction`)."""

    type: TransactionType
    object: Any


class TransactionError(InformerError):
    """Some operations of a transaction failed; those at `successful_indices` were carried out."""

    def __init__(self, successful_indices: list[int], total: int, errors: list[Exception]) -> None:
        failed = total - len(successful_indices)
        causes = ", ".join(str(error) for error in errors)
        super().__init__(f"failed to execute ({failed}/{total}) transactions failed due to: {causes}")
        self.successful_indices = successful_indices
        self.total = total
        self.errors = errors


class Store:
    """A thread-safe cache of objects."""

    def __init__(
        self,
        key_func: KeyFunc | None = None,
        indexers: Indexers | None = None,
        *,
        packer: Packer | None = None,
        transform: StoreTransform | None = None,
    ) -> None:
        """`key_func`: `deletion_handling_key_func` by default. `transform` changes what is stored."""
        self._key_func = key_func or deletion_handling_key_func
        self._transform = transform
        self._storage = ThreadSafeStore(indexers, packer=packer)
        self.get_by_key = self._storage.get
        """The object under a key, or None; never fails, takes no lock."""
        self._plain_keys = key_func is None
        self._put = self._storage.add

    def key_of(self, obj: Any) -> str:
        """The key of an object or tombstone; raises `KeyFunctionError`."""
        if self._plain_keys and type(obj) is KubeObject:
            return obj.key
        try:
            return self._key_func(obj)
        except Exception as error:
            raise KeyFunctionError(obj, error) from error

    # writes --------------------------------------------------------------------------------------------

    def add(self, obj: Any) -> None:
        """Store `obj`, whether or not its key was there.

        Raises `KeyFunctionError`, and `InformerError` when the transform fails; nothing changes then.
        """
        key = self.key_of(obj)
        self._put(key, obj if self._transform is None else self._transformed(obj))

    def update(self, obj: Any) -> None:
        """The same as `add`."""
        key = self.key_of(obj)
        self._put(key, obj if self._transform is None else self._transformed(obj))

    def delete(self, obj: Any) -> None:
        """Remove the object of that key, if it is there; accepts tombstones."""
        self._storage.delete(self.key_of(obj), obj)

    def replace(self, objects: Sequence[Any], resource_version: str) -> None:
        """Hold exactly `objects`; of duplicates the last one counts.

        Raises like `add`, and changes nothing then.
        """
        items: dict[str, Any] = {}
        for obj in objects:
            key = self.key_of(obj)
            items[key] = obj if self._transform is None else self._transformed(obj)
        self._storage.replace(items, resource_version)

    def transaction(self, operations: Iterable[Transaction]) -> None:
        """Carry out several operations as one.

        Those whose key or transform fails are left out and named in a `TransactionError`; the rest is done.
        """
        keyed: list[KeyedTransaction] = []
        successful: list[int] = []
        errors: list[Exception] = []
        total = 0
        for index, (type_, obj) in enumerate(operations):
            total = index + 1
            try:
                key = self.key_of(obj)
                if type_ is not TransactionType.DELETE:
                    obj = obj if self._transform is None else self._transformed(obj)
            except InformerError as error:
                errors.append(error)
            else:
                keyed.append(KeyedTransaction(type_, key, obj))
                successful.append(index)
        self._storage.transaction(keyed)
        if errors:
            raise TransactionError(successful, total, errors)

    def bookmark(self, resource_version: str) -> None:
        """Nothing changed up to `resource_version`."""
        self._storage.bookmark(resource_version)

    def _transformed(self, obj: Any) -> Any:
        assert self._transform is not None
        try:
            return self._transform(obj)
        except Exception as error:
            raise InformerError(f"transforming: {error}") from error

    # reads ---------------------------------------------------------------------------------------------

    def get(self, obj: Any) -> Any:
        """The stored object with the key of `obj`, or None. Raises `KeyFunctionError`."""
        return self._storage.get(self.key_of(obj))

    def list(self) -> _Objects:
        """All objects, in no particular order."""
        return self._storage.list()

    def items(self) -> dict[str, Any]:
        """Every key with its object, of one moment (extension)."""
        return self._storage.items()

    def list_keys(self) -> _Keys:
        """All keys, in no particular order."""
        return self._storage.list_keys()

    def __len__(self) -> int:
        return len(self._storage)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get_by_key(key) is not None

    def last_store_sync_resource_version(self) -> str:
        """The version the content stands for; "" unless `tracks_resource_version` (ST-12)."""
        return self._storage.last_store_sync_resource_version()

    @property
    def tracks_resource_version(self) -> bool:
        """Whether the store follows the versions of its writes: with the atomic queue (gate AtomicFIFO)."""
        return self._storage.tracks_resource_version

    @tracks_resource_version.setter
    def tracks_resource_version(self, follows: bool) -> None:
        self._storage.tracks_resource_version = follows

    def resync(self) -> None:
        """Does nothing (client-go `Resync` of a store)."""

    def pack_pending(self, limit: int = 64) -> bool:
        """Compress up to `limit` objects that wait for it; True when there is more to do.

        For the process loop when it has nothing else to do. Does nothing without a packer.
        """
        return self._storage.pack_pending(limit)

    def waiting_to_be_packed(self) -> int:
        """How many objects are not compressed yet; a few always stay so, because there is nothing to learn from."""
        return self._storage.waiting_to_be_packed()


def new_store(
    key_func: KeyFunc | None = None, *, transform: StoreTransform | None = None, packed: bool = False
) -> Store:
    """A store without indexes (client-go `NewStore`); `packed` compresses what it holds."""
    return Store(key_func, packer=Packer() if packed else None, transform=transform)
