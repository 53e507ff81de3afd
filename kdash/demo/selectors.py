"""Label and field selectors of requests: parsing, and matching against decoded objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kdash.demo import status
from kdash.demo.resources import ResourceType

__all__ = ["Selection", "parse_selection"]

_KEY = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?(?:/[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*$")
_EQUAL = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)\s*$")
_EXISTS = re.compile(rf"\s*(!?)\s*({_KEY})\s*$")

Matcher = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a request selects; empty selects everything."""

    labels: tuple[Matcher, ...] = ()
    fields: tuple[Matcher, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, obj: Mapping[str, Any]) -> bool:
        if self.labels:
            labels = (obj.get("metadata") or {}).get("labels") or {}
            if not all(match(labels) for match in self.labels):
                return False
        return all(match(obj) for match in self.fields)


def parse_selection(label_selector: str, field_selector: str, resource_type: ResourceType) -> Selection:
    """Raises `ApiError` 400 for what does not parse and for fields that cannot be selected."""
    labels = tuple(_label(part, label_selector) for part in _split(label_selector)) if label_selector.strip() else ()
    fields = tuple(_field(part, resource_type) for part in field_selector.split(",") if part) if field_selector else ()
    return Selection(labels, fields)


def _split(text: str) -> list[str]:
    """At the commas outside parentheses."""
    return re.split(r",(?![^()]*\))", text)


def _label(part: str, whole: str) -> Matcher:
    if found := _SET.match(part):
        key, operator, listed = found.groups()
        values = frozenset(value.strip() for value in listed.split(","))
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(part):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(part):
        absent, key = bool(found[1]), found[2]
        return lambda labels: (key not in labels) is absent
    raise status.bad_request(f"unable to parse requirement: found {part.strip()!r} in {whole!r}, expected: identifier")


def _field(part: str, resource_type: ResourceType) -> Matcher:
    found = re.match(r"([^=!]+)(==|=|!=)(.*)$", part)
    if not found:
        raise status.bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    path, operator, value = found.groups()
    known = ("metadata.name", "metadata.namespace", *resource_type.field_selectors)
    if path not in known:
        if resource_type.custom or resource_type.plural == "pods":
            raise status.bad_request(f"field label not supported: {path}")
        names = ", ".join(f'"{name}"' for name in known)
        raise status.bad_request(f'"{path}" is not a known field selector: only {names}')
    steps = path.split(".")
    wanted = operator != "!="

    def match(obj: Mapping[str, Any]) -> bool:
        here: Any = obj
        for step in steps:
            here = here.get(step) if isinstance(here, Mapping) else None
        text = "" if here is None else str(here).lower() if isinstance(here, bool) else str(here)
        return (text == value) is wanted

    return match
