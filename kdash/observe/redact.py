"""Values of Secrets never leave the cache: what is shown, traced, recorded or exported passes here first.

What is a Secret is decided by the resource that an informer observes, never by what an object says of itself: the
metadata of Secrets comes as PartialObjectMetadata, and an object's own kind is whatever a server wrote there.
"""

from __future__ import annotations

from typing import Any

from kdash.informer.errors import DecodeError
from kdash.informer.objects import KubeObject

__all__ = ["HIDDEN", "decoded", "holds_secrets", "redacted"]

HIDDEN = "‹hidden›"
_NAMES = ("secrets", "secrets.v1")  # of informers of core Secrets; those of other groups carry their group
_SHOWN = ("apiVersion", "kind", "metadata", "type", "immutable")
_OF_METADATA_HIDDEN = ("annotations", "managedFields")


def holds_secrets(informer: str) -> bool:
    """Whether the informer of this name observes Secrets."""
    return informer in _NAMES


def decoded(informer: str, obj: KubeObject) -> dict[str, Any]:
    """The object as it may be shown; of one that cannot be decoded, who it is and why."""
    try:
        whole = obj.to_dict()
    except DecodeError as error:
        name = {"name": obj.name, "namespace": obj.namespace, "resourceVersion": obj.resource_version}
        why = f"not shown: {error}"
        return {"apiVersion": obj.api_version, "kind": obj.kind, "metadata": name, "error": why}
    return redacted(informer, whole)


def redacted(informer: str, obj: dict[str, Any]) -> dict[str, Any]:
    """`obj`, which the caller owns; of a Secret only metadata and names: every value in its data, and of every
    annotation, is `HIDDEN`, for other tools put whole objects into annotations.
    """
    if not holds_secrets(informer):
        return obj
    shown = {name: value if name in _SHOWN else _hidden(value) for name, value in obj.items()}
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        shown["metadata"] = {
            name: _hidden(value) if name in _OF_METADATA_HIDDEN else value for name, value in metadata.items()
        }
    return shown


def _hidden(value: Any) -> Any:
    if value is None:
        return None
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN
