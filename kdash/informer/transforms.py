"""Transforms: functions that change every object before it is queued and cached (client-go `TransformFunc`).

Contract: a transform gets an object nobody else has seen yet and returns the one to keep; it must keep
namespace, name, uid and resourceVersion. It runs once per object, under the queue's lock, and must be quick.
Tombstones and resyncs do not pass through it. One that raises loses that change until the next relist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kdash.informer.errors import InformerError
from kdash.informer.object_decoding import without_managed_fields
from kdash.informer.objects import KubeObject

__all__ = ["Transform", "TransformError", "compose", "metadata_only", "strip_managed_fields"]

Transform = Callable[[KubeObject], Any]
"""transform(obj) → the object to keep."""


class TransformError(InformerError):
    """A transform raised, or returned nothing; that change was not queued."""

    def __init__(self, key: str, cause: Exception) -> None:
        super().__init__(f'the transform failed for "{key}": {cause}')
        self.key = key
        self.__cause__ = cause


def strip_managed_fields(obj: KubeObject) -> KubeObject:
    """Without metadata.managedFields, which few need and which make up a third of many objects."""
    raw = obj.to_json()
    if b'"managedFields":' not in raw:
        return obj
    return KubeObject.from_bytes(without_managed_fields(raw))


def metadata_only(obj: KubeObject) -> KubeObject:
    """Only apiVersion, kind and metadata (without managedFields): spec, status and data are gone."""
    data = obj.to_dict()
    metadata = data.get("metadata") or {}
    metadata.pop("managedFields", None)
    return KubeObject.from_dict({"apiVersion": obj.api_version, "kind": obj.kind, "metadata": metadata})


def compose(*transforms: Transform) -> Transform:
    """One transform that applies several, first to last."""

    def composed(obj: KubeObject) -> Any:
        for transform in transforms:
            obj = transform(obj)
        return obj

    return composed
