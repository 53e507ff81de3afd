"""Keys of objects: `namespace/name`, or `name` where there is no namespace (KEY-1 to KEY-7).

Contract: pure functions. A key says which object, never which incarnation of it: the uid takes no part. All
errors are `InformerError`s; store and queue wrap them in `KeyFunctionError` with the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kdash.informer.errors import InformerError
from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import DeletedFinalStateUnknown

__all__ = [
    "ExplicitKey",
    "KeyFunc",
    "ObjectName",
    "deletion_handling_key_func",
    "deletion_handling_object_name",
    "index_func_to_key_func",
    "meta_namespace_key_func",
    "object_to_name",
    "parse_object_name",
    "split_meta_namespace_key",
]

KeyFunc = Callable[[Any], str]
"""Gives the key of an object; raises when it has none."""


class ExplicitKey(str):
    """A key that stands in for an object wherever an object's key is asked for (client-go `ExplicitKey`)."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """Itself."""
        return str(self)


class ObjectName(NamedTuple):
    """Namespace and name of an object (client-go `ObjectName`); its text is the key."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def meta_namespace_key_func(obj: Any) -> str:
    """The key of an object or an `ExplicitKey`; an error for anything without metadata (tombstones included).

    Objects other than `KubeObject` need the attributes `namespace` and `name` (client-go
    `MetaNamespaceKeyFunc`).
    """
    if type(obj) is KubeObject:
        return obj.key
    if isinstance(obj, ExplicitKey):
        return str(obj)
    return str(object_to_name(obj))


def object_to_name(obj: Any) -> ObjectName:
    """Namespace and name of an object (client-go `ObjectToName`); raises for anything without metadata."""
    namespace, name = getattr(obj, "namespace", None), getattr(obj, "name", None)
    if not isinstance(namespace, str) or not isinstance(name, str):
        raise InformerError(f"object has no meta: a {type(obj).__name__} has no namespace and name")
    return ObjectName(namespace, name)


def split_meta_namespace_key(key: str) -> tuple[str, str]:
    """`(namespace, name)` of a key; namespace "" when it has one part (client-go `SplitMetaNamespaceKey`)."""
    parts = key.split("/")
    if len(parts) == 1:
        return "", parts[0]
    if len(parts) == 2:
        return parts[0], parts[1]
    raise InformerError(f'unexpected key format: "{key}"')


def parse_object_name(key: str) -> ObjectName:
    """A key as an `ObjectName` (client-go `ParseObjectName`); "/x" has namespace "" and prints as "x"."""
    return ObjectName(*split_meta_namespace_key(key))


def deletion_handling_key_func(obj: Any) -> str:
    """Like `meta_namespace_key_func`; a tombstone gives its key (`DeletionHandlingMetaNamespaceKeyFunc`)."""
    return obj.key if type(obj) is DeletedFinalStateUnknown else meta_namespace_key_func(obj)


def deletion_handling_object_name(obj: Any) -> ObjectName:
    """Like `object_to_name`, but a tombstone's key is taken apart (`DeletionHandlingObjectToName`)."""
    return parse_object_name(obj.key) if type(obj) is DeletedFinalStateUnknown else object_to_name(obj)


def index_func_to_key_func(index_func: Callable[[Any], list[str]]) -> KeyFunc:
    """A key function from an index function that gives exactly one value (`IndexFuncToKeyFuncAdapter`)."""

    def key_func(obj: Any) -> str:
        values = index_func(obj)
        if len(values) != 1:
            raise InformerError(f"an index function used for keys must give one value, not {len(values)}")
        return values[0]

    return key_func
