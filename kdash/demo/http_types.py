"""One request and its answer, as the handlers see them: data in, data out, no sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

__all__ = ["Request", "Response", "json_bytes"]

_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"), ("\u2028".encode(), b"\\u2028"),
            ("\u2029".encode(), b"\\u2029"))  # fmt: skip


def json_bytes(data: Any) -> bytes:
    """Compact JSON, with the characters escaped that Go's encoder escapes."""
    try:
        raw = msgspec.json.encode(data)
    except UnicodeEncodeError:
        raw = msgspec.json.encode(_joined(data))
    for plain, escaped in _ESCAPES:
        if plain in raw:
            raw = raw.replace(plain, escaped)
    return raw


def _joined(data: Any) -> Any:
    """The same data with halves of characters (which YAML can write) joined, or replaced."""
    if isinstance(data, str):
        return data.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(data, dict):
        return {_joined(name): _joined(value) for name, value in data.items()}
    return [_joined(part) for part in data] if isinstance(data, list | tuple) else data


@dataclass(slots=True)
class Request:
    """A request with its query taken apart. Header names are lower case."""

    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw_target: str = ""

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default

    def flag(self, name: str) -> bool:
        """Kubernetes' reading of a boolean parameter: present and neither 0 nor false."""
        values = self.query.get(name)
        return values is not None and values[0].lower() not in ("0", "false")

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "")

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


@dataclass(slots=True)
class Response:
    """An answer: a whole `body`, or a `stream` of pieces that is sent chunked."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    warnings: tuple[str, ...] = ()
    size: int = 0
    """About how many bytes a stream has, if that is known beforehand: a large one may be compressed."""
    yaml_allowed: bool = True
    """The body may be turned into YAML for a client that asks for it."""

    @classmethod
    def json(cls, data: Any, status: int = 200) -> Response:
        return cls(status, json_bytes(data) + b"\n", {"Content-Type": "application/json"})

    @classmethod
    def text(cls, text: str, status: int = 200) -> Response:
        headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
        return cls(status, text.encode(), headers)
