"""What form an answer takes: plain JSON, a Table, or PartialObjectMetadata, by the Accept header."""

from __future__ import annotations

from typing import Literal

from kdash.demo import status
from kdash.demo.http_types import Request

__all__ = ["Form", "form_of"]

Form = Literal["json", "table", "partial"]


def form_of(request: Request) -> Form:
    """The first type in Accept that this server can make; 406 when there is none."""
    accept = request.accept
    if not accept:
        return "json"
    for entry in accept.split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        if media not in ("application/json", "*/*", "application/*"):
            continue
        named = dict(part.split("=", 1) for part in parameters if "=" in part)
        wanted = named.get("as", "")
        if not wanted:
            return "json"
        if named.get("g") != "meta.k8s.io" or named.get("v") not in ("v1", "v1beta1"):
            continue
        if wanted == "Table":
            return "table"
        if wanted.startswith("PartialObjectMetadata"):
            return "partial"
    raise status.not_acceptable()
