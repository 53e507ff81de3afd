"""KubeObject: one object from a server, kept as bytes until someone looks inside (architecture.md §4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


class KubeObject:
    """SKELETON: replaced by the packed implementation; the public surface below stays.

    Immutable for its users. Header fields are plain attributes; everything else decodes on access and the
    result is not kept.
    """

    __slots__ = ("api_version", "kind", "name", "namespace", "raw_json", "resource_version", "uid")

    def __init__(self, raw_json: bytes, api_version: str = "", kind: str = "") -> None:
        data = json.loads(raw_json)
        meta = data.get("metadata") or {}
        self.raw_json = raw_json
        self.api_version: str = data.get("apiVersion") or api_version
        self.kind: str = data.get("kind") or kind
        self.namespace: str = meta.get("namespace") or ""
        self.name: str = meta.get("name") or ""
        self.uid: str = meta.get("uid") or ""
        self.resource_version: str = meta.get("resourceVersion") or ""

    @classmethod
    def from_bytes(cls, raw: bytes, api_version: str = "", kind: str = "") -> KubeObject:
        """From the JSON of one object; `api_version` and `kind` fill in where the JSON has none.

        Raises `DecodeError` when the bytes are no JSON object or its metadata is malformed.
        """
        return cls(raw, api_version, kind)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> KubeObject:
        return cls(json.dumps(data, separators=(",", ":")).encode())

    @property
    def key(self) -> str:
        """`namespace/name`, or `name` when there is no namespace (client-go `MetaNamespaceKeyFunc`)."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def labels(self) -> dict[str, str]: ...  # type: ignore[empty-body]
    @property
    def annotations(self) -> dict[str, str]: ...  # type: ignore[empty-body]
    @property
    def owner_references(self) -> list[dict[str, Any]]: ...  # type: ignore[empty-body]
    @property
    def size(self) -> int:
        """Bytes of the object's JSON."""
        return len(self.raw_json)

    @property
    def stored_size(self) -> int:
        """Bytes it takes in the cache (compressed)."""
        return len(self.raw_json)

    def to_dict(self) -> dict[str, Any]:
        """A fresh decoded copy; the caller may change it."""
        return json.loads(self.raw_json)  # type: ignore[no-any-return]

    def to_json(self) -> bytes:
        """The object's JSON bytes (unpacked)."""
        return self.raw_json

    def __getitem__(self, field: str) -> Any:
        return self.to_dict()[field]

    def get(self, field: str, default: Any = None) -> Any:
        return self.to_dict().get(field, default)

    def __contains__(self, field: object) -> bool:
        return field in self.to_dict()

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())
