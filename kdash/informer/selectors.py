"""Label and field selectors, as kubectl and the API server read them.

Contract: parsing raises `SelectorError` with one sentence that names the offending part. Selectors are
immutable; matching is pure. A missing label satisfies `!=` and `notin`; a missing field counts as "".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kdash.informer.errors import InformerError
from kdash.informer.objects import KubeObject

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "FieldRequirement",
    "FieldSelector",
    "LabelSelector",
    "Requirement",
    "SelectorError",
    "parse_field_selector",
    "parse_label_selector",
]


class SelectorError(InformerError):
    """A selector that cannot be parsed."""


class Requirement(NamedTuple):
    """One condition on one label. `operator` is =, !=, in, notin, exists, !, > or <."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` satisfy it."""
        return _LABEL_TESTS[self.operator](labels.get(self.key), self.values)


class LabelSelector(NamedTuple):
    """Conditions that must all hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()
    selects_nothing: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements and not self.selects_nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return not self.selects_nothing and all(each.matches(labels) for each in self.requirements)


EVERYTHING = LabelSelector()
NOTHING = LabelSelector((), True)


def _compares(value: str | None, bound: str, sign: int) -> bool:
    try:
        return value is not None and (int(value) - int(bound)) * sign > 0
    except ValueError:
        return False


_LABEL_TESTS: dict[str, Callable[[str | None, tuple[str, ...]], bool]] = {
    "=": lambda value, values: value == values[0],
    "!=": lambda value, values: value != values[0],
    "in": lambda value, values: value in values,
    "notin": lambda value, values: value not in values,
    "exists": lambda value, values: value is not None,
    "!": lambda value, values: value is None,
    ">": lambda value, values: _compares(value, values[0], 1),
    "<": lambda value, values: _compares(value, values[0], -1),
}

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(f"(?:{_NAME})?")
_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_COMPARISON = re.compile(r"(?P<key>[^=!<>\s]*)\s*(?P<operator>==|=|!=|>|<)\s*(?P<value>.*)", re.DOTALL)
_FIELD = re.compile(r"(?P<path>(?:[^=!\\]|\\.)*?)(?P<operator>!=|==|=)(?P<value>.*)", re.DOTALL)
_PATH = re.compile(r"[\w\-/]+(\.[\w\-/]+)*")
_FIELD_PART = re.compile(r"(?:^|(?<=,))((?:[^,\\]|\\.)*)(?:,|$)", re.DOTALL)


def parse_label_selector(text: str) -> LabelSelector:
    """`app=web,tier in (a, b),!canary` → a selector; "" selects everything. Raises `SelectorError`."""
    parts = _split(text)
    return LabelSelector(tuple(_requirement(part, text) for part in parts)) if parts else EVERYTHING


def _split(text: str) -> list[str]:
    """The parts between commas (those inside parentheses do not count); [] for a blank text."""
    if not text.strip():
        return []
    parts = [part.strip() for part in re.split(r",(?![^(]*\))", text)]
    if not all(parts):
        raise SelectorError(f"selector {text!r} has an empty part: remove the surplus comma")
    return parts


def _requirement(part: str, text: str) -> Requirement:
    found = _SET.fullmatch(part)
    if found:
        values = tuple(value.strip() for value in found["values"].split(","))
        return _checked(Requirement(found["key"], found["operator"], values), text)
    found = _COMPARISON.fullmatch(part)
    if found:
        operator = "=" if found["operator"] == "==" else found["operator"]
        return _checked(Requirement(found["key"], operator, (found["value"].strip(),)), text)
    if part.startswith("!"):
        return _checked(Requirement(part[1:].strip(), "!"), text)
    return _checked(Requirement(part, "exists"), text)


def _checked(requirement: Requirement, text: str) -> Requirement:
    key, operator, values = requirement
    if not _KEY.fullmatch(key):
        hint = "write key=value, key in (a,b), key or !key"
        raise SelectorError(f"label selector {text!r}: {key!r} is no label key; {hint}")
    for value in values:
        if operator in "<>" and not re.fullmatch(r"-?\d+", value):
            raise SelectorError(f"label selector {text!r}: {key} {operator} needs a number, not {value!r}")
        if not _VALUE.fullmatch(value):
            raise SelectorError(f"label selector {text!r}: {value!r} is no label value")
    return requirement


class FieldRequirement(NamedTuple):
    """One condition on one field; `operator` is = or !=."""

    path: str
    operator: str
    value: str


class FieldSelector(NamedTuple):
    """Conditions on fields that must all hold; none at all selects everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it selects everything."""
        return not self.requirements

    def matches(self, obj: KubeObject) -> bool:
        """Whether `obj` is selected. Only paths outside the header decode anything."""
        return all(
            (_field_value(obj, path) == value) == (operator == "=")
            for path, operator, value in self.requirements
        )


def parse_field_selector(text: str) -> FieldSelector:
    r"""`metadata.name=a,status.phase!=Running` → a selector; `\,`, `\=`, `\\` stand for themselves in values.

    Raises `SelectorError`. Which fields a server accepts depends on the resource.
    """
    if not text.strip():
        return FieldSelector()
    return FieldSelector(tuple(_field_requirement(part, text) for part in _FIELD_PART.findall(text)))


def _field_requirement(part: str, text: str) -> FieldRequirement:
    found = _FIELD.fullmatch(part.strip())
    if not found or not _PATH.fullmatch(found["path"].strip()):
        hint = "write path=value or path!=value"
        raise SelectorError(f"field selector {text!r}: {part!r} is no condition; {hint}")
    value = re.sub(r"\\(.)", r"\1", found["value"].strip())
    return FieldRequirement(found["path"].strip(), "!=" if found["operator"] == "!=" else "=", value)


def _field_value(obj: KubeObject, path: str) -> str:
    if path == "metadata.name":
        return obj.name
    if path == "metadata.namespace":
        return obj.namespace
    first, *rest = path.split(".")
    value: Any = obj.get(first)
    for name in rest:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
