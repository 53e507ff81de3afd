"""A store that finds objects by computed values (client-go `Indexer`; ST-8, ST-9, ST-15).

Contract: that of `store`. An index maps each value of its function to objects; `namespace` is the usual one.
"""

from __future__ import annotations

from typing import Any

from kdash.informer.errors import InformerError
from kdash.informer.index_table import Indexers, IndexFunc
from kdash.informer.keys import KeyFunc
from kdash.informer.objects import KubeObject
from kdash.informer.packing import Packer
from kdash.informer.store import Store

__all__ = ["NAMESPACE_INDEX", "IndexFunc", "Indexer", "Indexers", "meta_namespace_index_func", "new_indexer"]

NAMESPACE_INDEX = "namespace"
"""Name of the index over `meta_namespace_index_func` (client-go `NamespaceIndex`)."""


def meta_namespace_index_func(obj: Any) -> list[str]:
    """The namespace as the only value (client-go `MetaNamespaceIndexFunc`); raises without metadata."""
    if type(obj) is KubeObject:
        return [obj.namespace]
    namespace = getattr(obj, "namespace", None)
    if not isinstance(namespace, str):
        raise InformerError(f"object has no meta: a {type(obj).__name__} has no namespace")
    return [namespace]


class Indexer(Store):
    """A store with indexes."""

    def index(self, name: str, obj: Any) -> list[Any]:
        """The objects that share a value of the index `name` with `obj`, each once.

        Raises `InformerError` for an index that does not exist, and what the index function raises.
        """
        return self._storage.index(name, obj)

    def by_index(self, name: str, value: str) -> list[Any]:
        """The objects under `value`; empty for an unknown value, `InformerError` for an unknown index."""
        return self._storage.by_index(name, value)

    def index_keys(self, name: str, value: str) -> list[str]:
        """The keys under `value`, sorted."""
        return self._storage.index_keys(name, value)

    def list_index_func_values(self, name: str) -> list[str]:
        """The values under which there are objects; empty for an unknown index."""
        return self._storage.list_index_func_values(name)

    def get_indexers(self) -> Indexers:
        """The index functions, by name."""
        return self._storage.get_indexers()

    def add_indexers(self, indexers: Indexers) -> None:
        """Add indexes, also over objects already stored. Raises `InformerError` when a name is taken."""
        self._storage.add_indexers(indexers)


def new_indexer(
    key_func: KeyFunc | None = None, indexers: Indexers | None = None, *, packed: bool = False
) -> Indexer:
    """An indexer (client-go `NewIndexer`); `packed` compresses what it holds."""
    return Indexer(key_func, indexers, packer=Packer() if packed else None)
