"""The indexes of a store: index name → value → keys (client-go `storeIndex`; ST-2, ST-3, ST-9).

Contract: no lock of its own; the store's lock is held during every call. Values without keys are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kdash.informer.errors import InformerError

__all__ = ["IndexFunc", "IndexFunctionError", "IndexTable", "Indexers"]

IndexFunc = Callable[[Any], list[str]]
"""The values under which an object is found in one index; raises when it cannot tell."""

Indexers = Mapping[str, IndexFunc]


class IndexFunctionError(InformerError):
    """An index function raised while an object was stored; the object is stored, its indexes are not right.

    client-go panics here (ST-4).
    """

    def __init__(self, index: str, key: str, cause: Exception) -> None:
        super().__init__(f'unable to calculate an index entry for key "{key}" on index "{index}": {cause}')
        self.__cause__ = cause


class IndexTable:
    """Index functions and the keys they led to."""

    def __init__(self, indexers: Indexers) -> None:
        self.indexers: dict[str, IndexFunc] = dict(indexers)
        self._keys: dict[str, dict[str, set[str]]] = {name: {} for name in indexers}

    def add_indexers(self, indexers: Indexers, items: Mapping[str, Any]) -> None:
        """Add indexes and fill them from `items`; on a name that is taken nothing changes."""
        taken = sorted(self.indexers.keys() & indexers.keys())
        if taken:
            raise InformerError(f"indexer conflict: {', '.join(taken)} exists already")
        for name, function in indexers.items():
            self.indexers[name] = function
            self._keys[name] = {}
            for key, obj in items.items():
                self._move(name, key, None, obj)

    def update(self, key: str, old: Any, new: Any) -> None:
        """Bring all indexes from `old` to `new`; None stands for "not there"."""
        for name, function in self.indexers.items():
            if old is not None and new is not None:
                try:
                    before = function(old)
                    if len(before) == 1 and before == function(new):
                        continue
                except Exception as error:
                    raise IndexFunctionError(name, key, error) from error
            self._move(name, key, old, new)

    def rebuild(self, items: Mapping[str, Any]) -> None:
        """Index `items` and forget everything else."""
        self._keys = {name: {} for name in self.indexers}
        for key, obj in items.items():
            self.update(key, None, obj)

    def values_of(self, name: str, obj: Any) -> list[str]:
        """What the index function gives for `obj`; its error is raised as it is."""
        return self._function(name)(obj)

    def keys(self, name: str, values: Iterable[str]) -> set[str]:
        """The keys under any of `values`, each once."""
        self._function(name)
        table = self._keys[name]
        found: set[str] = set()
        for value in values:
            found |= table.get(value, set())
        return found

    def values(self, name: str) -> list[str]:
        """The values that lead to a key; empty for an unknown index."""
        return list(self._keys.get(name, ()))

    def _function(self, name: str) -> IndexFunc:
        try:
            return self.indexers[name]
        except KeyError:
            raise InformerError(f"Index with name {name} does not exist") from None

    def _move(self, name: str, key: str, old: Any, new: Any) -> None:
        before = self._computed(name, key, old)
        after = self._computed(name, key, new)
        if len(before) == 1 and before == after:
            return
        table = self._keys[name]
        for value in before:
            keys = table.get(value)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del table[value]
        for value in after:
            table.setdefault(value, set()).add(key)

    def _computed(self, name: str, key: str, obj: Any) -> list[str]:
        if obj is None:
            return []
        try:
            return self.indexers[name](obj)
        except Exception as error:
            raise IndexFunctionError(name, key, error) from error
