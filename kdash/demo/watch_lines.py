"""The lines of a watch: an event or a bookmark as plain JSON, as a Table, or as PartialObjectMetadata.

Contract: pure but for one memory, whether the columns of a Table have been sent. With a selector, entering it is
ADDED, leaving it is DELETED with the previous state and the new version, what stays outside is no line (wire fact
65). Plain lines without a selector are made of the stored bytes and never decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from kdash.demo.http_types import json_bytes
from kdash.demo.negotiation import Form, shown
from kdash.demo.resources import ResourceType
from kdash.demo.selectors import Selection
from kdash.demo.storage import StoredEvent
from kdash.demo.table import partial_metadata, render_table

__all__ = ["LineWriter", "line"]


def line(type_: str, obj: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"' + type_.encode() + b'","object":' + obj + b"}\n"


class LineWriter:
    """Writes the lines of one watch."""

    def __init__(
        self, resource_type: ResourceType, form: Form, selection: Selection, include: str, now: Callable[[], float]
    ) -> None:
        """`include`: `includeObject` of a Table; `now`: seconds since 1970, for its ages."""
        self._type = resource_type
        self._form = form
        self._selection = selection
        self._include = include
        self._now = now
        self._columns_sent = False
        self._plain = form == "json" and not selection
        self._heads = {type_: b'{"type":"' + type_.encode() + b'","object":{' for type_ in
                       ("ADDED", "MODIFIED", "DELETED")}  # fmt: skip
        self._front = b""
        if not resource_type.custom:
            kind, version = json_bytes(resource_type.kind), json_bytes(resource_type.group_version)
            self._front = b'"kind":' + kind + b',"apiVersion":' + version + b","
            self._heads = {type_: head + self._front for type_, head in self._heads.items()}

    def initial(self, raw: bytes) -> bytes:
        """The ADDED of an object that was there before; nothing if it is not selected."""
        if self._plain:
            return self._heads["ADDED"] + raw[1:] + b"}\n"
        if self._selection and not self._selection.matches(msgspec.json.decode(raw)):
            return b""
        return self._written("ADDED", raw)

    def event(self, event: StoredEvent) -> bytes:
        """The line of a change; nothing if it is none for this watch."""
        if self._plain:
            return self._heads[event.type] + event.raw[1:] + b"}\n"
        if not self._selection:
            return self._written(event.type, event.raw)
        matches = self._selection.matches
        before = event.previous is not None and matches(msgspec.json.decode(event.previous))
        if event.type == "DELETED":
            return self._written("DELETED", event.raw) if before else b""
        inside = matches(msgspec.json.decode(event.raw))
        if inside:
            return self._written("MODIFIED" if before else "ADDED", event.raw)
        return self._written("DELETED", _with_version(event.previous or b"{}", event.version)) if before else b""

    def bookmark(self, obj: dict[str, Any]) -> bytes:
        """A BOOKMARK with an empty object."""
        return line("BOOKMARK", json_bytes(self._shaped(obj)))

    def _written(self, type_: str, raw: bytes) -> bytes:
        if self._form == "json":
            return self._heads[type_] + raw[1:] + b"}\n"
        return line(type_, json_bytes(self._shaped(shown(self._type, raw))))

    def _shaped(self, obj: dict[str, Any]) -> dict[str, Any]:
        if self._form == "json":
            return obj
        if self._form == "partial":
            return partial_metadata(obj)
        with_columns, self._columns_sent = not self._columns_sent, True
        version = obj["metadata"].get("resourceVersion", "")
        return render_table(self._type, [obj], self._include, resource_version=version, with_columns=with_columns,
                            printer_columns=self._type.printer_columns, now=self._now())  # fmt: skip


def _with_version(raw: bytes, version: int) -> bytes:
    data = msgspec.json.decode(raw)
    data["metadata"]["resourceVersion"] = str(version)
    return json_bytes(data)
