"""Which fields the built-in kinds have, and of what type: what `explain` shows and bodies are checked against.

The table is `field_types.txt` beside this file, read once. Contract: pure functions; only what the table names is
known, and below a field of type `any` everything goes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

__all__ = ["Field", "Misfit", "ObjectType", "misfit", "table", "take_unknown"]

_NUMBERS = {"int32": 1 << 31, "int64": 1 << 63}
_GO = {"time": "v1.Time", "intstr": "intstr.IntOrString", "quantity": "resource.Quantity", "bytes": "[]uint8"}
_QUANTITY = re.compile(r"[+-]?[0-9.]+([eE][-+]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")


class Field(NamedTuple):
    """A field's type as the table writes it, what it means, and whether it must be there."""

    type: str
    meaning: str
    required: bool


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A type of objects with its fields."""

    name: str
    meaning: str
    fields: dict[str, Field] = field(default_factory=dict)


class Misfit(NamedTuple):
    """A value of a type that its field cannot have."""

    place: str
    """Type and path: `DeploymentSpec.spec.replicas`."""
    value: Any
    wanted: str
    """The type in Go's words."""

    def __str__(self) -> str:
        """The sentence of Go's JSON decoder."""
        value = self.value
        kind = {bool: "bool", str: "string", list: "array", dict: "object", float: f"number {value}"}.get(type(value))
        if kind is None:
            kind = f"number {value}" if self.wanted in _NUMBERS else "number"
        return f"json: cannot unmarshal {kind} into Go struct field {self.place} of type {self.wanted}"


@lru_cache(maxsize=1)
def table() -> Mapping[str, ObjectType]:
    """Every type by its name; kinds are types, too."""
    found: dict[str, ObjectType] = {}
    known = ObjectType("", "")
    text = resources.files(__package__).joinpath("field_types.txt").read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("  "):
            name, type_, meaning = line.split(maxsplit=2)
            known.fields[name.rstrip("!")] = Field(type_, meaning, name.endswith("!"))
        elif line and not line.startswith("#"):
            name, meaning = line.split(": ", 1)
            known = found[name] = ObjectType(name, meaning)
    return found


def misfit(kind: str, item: Mapping[str, Any]) -> Misfit | None:
    """The first value in an object of a kind that its field cannot have; None for kinds that are not in the table."""
    return next(_object(table()[kind], item, ""), None) if kind in table() else None


def take_unknown(kind: str, item: dict[str, Any]) -> list[str]:
    """Take the fields out that the kind does not have; returns their paths."""
    return list(_take(table()[kind], item, "")) if kind in table() else []


# types of values -------------------------------------------------------------------------------------------


def _object(type_: ObjectType, item: Mapping[str, Any], path: str) -> Iterator[Misfit]:
    for name, value in item.items():
        known = type_.fields.get(name)
        if known is not None and value is not None:
            yield from _value(known.type, value, f"{type_.name}.", f"{path}{name}")


def _value(type_: str, value: Any, owner: str, path: str) -> Iterator[Misfit]:
    if type_.startswith("[]"):
        if not isinstance(value, list):
            yield Misfit(owner + path, value, f"[]{_go(type_[2:])}")
        else:
            for each in value:
                yield from _value(type_[2:], each, owner, path)
    elif type_.startswith("map:"):
        if not isinstance(value, dict):
            yield Misfit(owner + path, value, f"map[string]{_go(type_[4:])}")
        else:
            for each in value.values():
                yield from _value(type_[4:], each, owner, path)
    elif type_ in table():
        if not isinstance(value, dict):
            yield Misfit(owner + path, value, _go(type_))
        else:
            yield from _object(table()[type_], value, f"{path}.")
    elif value is not None and not _fits(type_, value):
        yield Misfit(owner + path, value, _go(type_))


def _fits(type_: str, value: Any) -> bool:
    number = isinstance(value, int) and not isinstance(value, bool)
    if type_ == "any":
        return True
    if type_ == "bool":
        return isinstance(value, bool)
    if type_ in _NUMBERS:
        return number and -_NUMBERS[type_] <= value < _NUMBERS[type_]
    if type_ == "intstr":
        return number or isinstance(value, str)
    if type_ == "quantity":
        return number or isinstance(value, float) or (isinstance(value, str) and bool(_QUANTITY.fullmatch(value)))
    if type_ == "bytes":
        return isinstance(value, str) and _is_base64(value)
    return isinstance(value, str)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _go(type_: str) -> str:
    return _GO.get(type_, f"v1.{type_}" if type_ in table() else type_)


# unknown fields --------------------------------------------------------------------------------------------


def _take(type_: ObjectType, item: dict[str, Any], path: str) -> Iterator[str]:
    for name in list(item):
        known = type_.fields.get(name)
        if known is None:
            del item[name]
            yield f"{path}{name}"
        else:
            yield from _take_below(known.type, item[name], f"{path}{name}")


def _take_below(type_: str, value: Any, path: str) -> Iterator[str]:
    if type_.startswith("[]") and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _take_below(type_[2:], each, f"{path}[{number}]")
    elif type_ in table() and isinstance(value, dict):
        yield from _take(table()[type_], value, f"{path}.")
