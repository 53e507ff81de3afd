"""Values of Secrets never leave the cache: what is shown, traced or exported passes here first."""

from __future__ import annotations

from typing import Any

__all__ = ["HIDDEN", "LAST_APPLIED", "redacted"]

HIDDEN = "‹hidden›"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def redacted(obj: dict[str, Any]) -> dict[str, Any]:
    """`obj` itself, which the caller owns, with a Secret's values replaced by `HIDDEN`; its keys stay."""
    if obj.get("kind") != "Secret":
        return obj
    for field in ("data", "stringData"):
        values = obj.get(field)
        if isinstance(values, dict):
            obj[field] = dict.fromkeys(values, HIDDEN)
        elif values is not None:
            obj[field] = HIDDEN
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        annotations[LAST_APPLIED] = HIDDEN
    return obj
