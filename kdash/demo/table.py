"""Objects as a meta.k8s.io/v1 Table, which is what `kubectl get` asks for and prints.

The columns of a kind come from `columns`; a kind without an entry there shows Name and Age, a custom
resource the `additionalPrinterColumns` of its definition. Ages are text, rendered at `now`. Every cell must
cope with an empty object, because a bookmark in a Table watch is a row made of one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any, Protocol

from . import ages
from .column_cells import Column, description_of
from .columns import COLUMNS

INCLUDE_OBJECT = ("Metadata", "Object", "None")


class Tabular(Protocol):
    """What a table needs to know of a resource type."""

    @property
    def group(self) -> str: ...

    @property
    def kind(self) -> str: ...


def render_table(
    resource_type: Tabular,
    objects: Iterable[dict[str, Any]],
    include_object: str = "Metadata",
    *,
    resource_version: str = "",
    continue_token: str = "",
    remaining: int | None = None,
    with_columns: bool = True,
    printer_columns: Iterable[dict[str, Any]] | None = None,
    now: float | None = None,
) -> dict[str, Any]:
    """A Table with one row per object.

    `include_object` is Metadata, Object or None, as in the query. `with_columns=False` gives
    `columnDefinitions: null`, for the later events of a watch. `printer_columns` are a custom resource
    definition's `additionalPrinterColumns`. `now` is in seconds since 1970 (the system's time if None).
    """
    now = time.time() if now is None else now
    columns = columns_of(resource_type, printer_columns)
    metadata: dict[str, Any] = {"resourceVersion": resource_version}
    if continue_token:
        metadata["continue"] = continue_token
    if remaining is not None:
        metadata["remainingItemCount"] = remaining
    rows = [{"cells": [column.cell(item, now) for column in columns],
             "object": _row_object(item, include_object)} for item in objects]
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": [_definition(column) for column in columns] if with_columns else None,
            "rows": rows}


def columns_of(
    resource_type: Tabular, printer_columns: Iterable[dict[str, Any]] | None = None
) -> list[Column]:
    """The columns of a kind, wide ones included."""
    if printer_columns is not None:
        custom = [_custom_column(column) for column in printer_columns]
        return [_NAME, *(custom or [_AGE])]
    return COLUMNS.get((resource_type.group, resource_type.kind), [_NAME, _AGE])


def partial_metadata(item: dict[str, Any]) -> dict[str, Any]:
    """The object as PartialObjectMetadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": item.get("metadata", {}),
    }


def _row_object(item: dict[str, Any], include_object: str) -> dict[str, Any] | None:
    if include_object == "None":
        return None
    return item if include_object == "Object" else partial_metadata(item)


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": "name" if column.name == "Name" else "",
        "description": column.description or description_of(column.name),
        "priority": 1 if column.wide else 0,
    }


def _name_cell(item: dict[str, Any], now: float) -> str:
    return str(item.get("metadata", {}).get("name", ""))


def _age_cell(item: dict[str, Any], now: float) -> str:
    return ages.age(item.get("metadata", {}).get("creationTimestamp"), now)


_NAME = Column("Name", _name_cell)
_AGE = Column("Age", _age_cell)
_STEP = re.compile(
    r"\.([A-Za-z0-9_\-]+)|\['([^']+)'\]|\[(\d+|\*)\]|\[\?\(@\.([A-Za-z0-9_]+)\s*==\s*[\"']([^\"']*)[\"']\)\]"
)


def _custom_column(definition: dict[str, Any]) -> Column:
    path, kind = str(definition.get("jsonPath", "")), str(definition.get("type", "string"))

    def cell(item: dict[str, Any], now: float) -> Any:
        value = at_json_path(item, path)
        if value is None:
            return None
        if kind == "date":
            return ages.age(value, now)
        if kind in ("integer", "number", "boolean"):
            return value
        return value if isinstance(value, str) else str(value)

    return Column(
        str(definition.get("name", "")),
        cell,
        kind,
        wide=int(definition.get("priority", 0) or 0) > 0,
        description=str(
            definition.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
        ),
    )


def at_json_path(item: Any, path: str) -> Any:
    """The first value that a simple JSONPath finds: fields, indices, `[*]` and `[?(@.key=="value")]`."""
    for step in _STEP.finditer(path):
        field, quoted, index, key, wanted = step.groups()
        name = field or quoted
        if name is not None:
            item = item.get(name) if isinstance(item, dict) else None
        elif not isinstance(item, list) or not item:
            return None
        elif index is not None:
            at = 0 if index == "*" else int(index)
            item = item[at] if at < len(item) else None
        else:
            item = next(
                (part for part in item if isinstance(part, dict) and str(part.get(key)) == wanted), None
            )
        if item is None:
            return None
    return item
