"""A decoded object as coloured YAML lines. Every line is cleaned; nothing in it is parsed as markup."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kdash.probe.text import clean
from kdash.ui.spans import Line, line

__all__ = ["yaml_lines"]

_LONGEST = 4000
_PAIR = re.compile(r"^(\s*(?:- )*)([^\s:'\"][^:]*|'[^']*'|\"[^\"]*\"):( .*|)$")
_NUMBER = re.compile(r"^-?\d+(\.\d+)?$|^(true|false|null)$")


def yaml_lines(obj: Mapping[str, Any]) -> list[Line]:
    """The object's YAML in the order of its fields, apiVersion and kind first."""
    import yaml

    order = ("apiVersion", "kind", "metadata")
    ordered = {name: obj[name] for name in order if name in obj} | {
        name: value for name, value in obj.items() if name not in order
    }
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(ordered, Dumper=dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=4096)
    return [_coloured(clean(each[:_LONGEST])) for each in text.splitlines()]


def _coloured(text: str) -> Line:
    found = _PAIR.match(text)
    if not found:
        start = len(text) - len(text.lstrip(" -"))
        return line(text[:start], (text[start:], "code.text"))
    indent, key, value = found.groups()
    style = "code.number" if _NUMBER.match(value.strip()) else "code.text"
    return line(indent, (key, "code.key"), ":", (value, style))
