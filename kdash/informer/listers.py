"""Reads from a cache, never from a server (client-go `GenericLister`, `ListAll`; LS-1 to LS-3).

Contract: results are fresh lists of the cached objects themselves, in no particular order. A lister says what
the cache knows: before the informer has synced that may be nothing. Any thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from kdash.informer.errors import ApiStatusError, InformerError
from kdash.informer.indexer import NAMESPACE_INDEX, Indexer
from kdash.informer.objects import KubeObject
from kdash.informer.selectors import EVERYTHING, LabelSelector, parse_label_selector
from kdash.informer.store import Store

__all__ = ["Lister", "NamespaceLister", "NotFoundError", "list_all", "list_all_by_namespace"]

_logger = logging.getLogger(__name__)
_Objects = list[KubeObject]


class NotFoundError(ApiStatusError):
    """The cache has no such object (client-go's NotFound from a lister)."""

    def __init__(self, resource: str, name: str) -> None:
        super().__init__(404, "NotFound", f'{resource} "{name}" not found')


def _selector(selector: LabelSelector | str | None) -> LabelSelector:
    return parse_label_selector(selector or "") if not isinstance(selector, LabelSelector) else selector


def _selected(objects: list[Any], selector: LabelSelector) -> _Objects:
    if selector.is_empty:
        return objects
    return [obj for obj in objects if selector.matches(obj.labels)]


def list_all(store: Store, selector: LabelSelector = EVERYTHING) -> _Objects:
    """What the selector selects; labels are decoded only when it has conditions (client-go `ListAll`)."""
    return [] if selector.selects_nothing else _selected(store.list(), selector)


def list_all_by_namespace(indexer: Indexer, namespace: str, selector: LabelSelector = EVERYTHING) -> _Objects:
    """The same for one namespace, "" for all; without the `namespace` index everything is looked through."""
    if not namespace:
        return list_all(indexer, selector)
    if selector.selects_nothing:
        return []
    if NAMESPACE_INDEX in indexer.get_indexers():
        return _selected(indexer.by_index(NAMESPACE_INDEX, namespace), selector)
    _logger.warning("no %r index: all objects are looked through for one namespace", NAMESPACE_INDEX)
    return _selected([obj for obj in indexer.list() if obj.namespace == namespace], selector)


class NamespaceLister:
    """The cached objects of one namespace (client-go `GenericNamespaceLister`)."""

    def __init__(self, lister: Lister, indexer: Indexer, resource: str, namespace: str) -> None:
        self._lister = lister
        self._indexer = indexer
        self._resource = resource
        self.namespace = namespace

    def list(self, selector: LabelSelector | str | None = None) -> _Objects:
        """What the label selector selects; None and "" select everything. Raises `SelectorError`."""
        self._lister.check_started()
        return list_all_by_namespace(self._indexer, self.namespace, _selector(selector))

    def get(self, name: str) -> KubeObject:
        """The object of that name; raises `NotFoundError`."""
        self._lister.check_started()
        key = f"{self.namespace}/{name}" if self.namespace else name
        return _get(self._indexer, self._resource, key, name)


class Lister:
    """The objects of an informer's cache (client-go `GenericLister`)."""

    def __init__(self, indexer: Indexer, resource: str = "", is_started: Callable[[], bool] | None = None) -> None:
        """`is_started`: reading raises `InformerError` while it is false."""
        self._indexer = indexer
        self._resource = resource
        self._is_started = is_started

    def check_started(self) -> None:
        """Raise `InformerError` when the informer was asked for too late to be running."""
        if self._is_started is not None and not self._is_started():
            raise InformerError(
                f"the informer of {self._resource} is not started: it was asked for after the factory's start(); "
                "call start() again"
            )

    def list(self, selector: LabelSelector | str | None = None) -> _Objects:
        """What the label selector selects; None and "" select everything. Raises `SelectorError`."""
        self.check_started()
        return list_all(self._indexer, _selector(selector))

    def get(self, key: str) -> KubeObject:
        """The object under `key`: a name, or `namespace/name`. Raises `NotFoundError`."""
        self.check_started()
        return _get(self._indexer, self._resource, key, key)

    def by_namespace(self, namespace: str) -> NamespaceLister:
        """The same for one namespace (client-go `ByNamespace`)."""
        return NamespaceLister(self, self._indexer, self._resource, namespace)


def _get(indexer: Indexer, resource: str, key: str, name: str) -> KubeObject:
    obj = indexer.get_by_key(key)
    if obj is None:
        raise NotFoundError(resource, name)
    if not isinstance(obj, KubeObject):
        raise InformerError(f"the cache holds a {type(obj).__name__} under {key!r}, not a KubeObject")
    return obj
