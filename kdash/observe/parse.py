"""What a user writes, as values: durations as Go writes them, and lists of resources.

Contract: pure; every function raises `BadValue` with one sentence that says what is wrong and what would be
right.
"""

from __future__ import annotations

import re

__all__ = ["BadValue", "parse_duration", "parse_resources"]

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST_S = 10 * 365 * 86_400.0


class BadValue(ValueError):
    """A value that cannot be used; its text is for the user."""


def parse_duration(text: str) -> float:
    """Seconds of a Go duration: `300ms`, `30s`, `5m`, `1h30m`, `0`. Raises `BadValue`."""
    text = text.strip()
    if text in ("0", "+0"):
        return 0.0
    if text.startswith("-"):
        raise BadValue(f'"{text}" is negative; write a duration such as 30s, 5m or 1h30m, or 0 for never')
    body, at, seconds = text.removeprefix("+"), 0, 0.0
    while match := _PART.match(body, at):
        seconds += float(match[1]) * _UNITS_S[match[2]]
        at = match.end()
    if not body or at != len(body):
        if re.fullmatch(r"\d+(\.\d+)?", body):
            raise BadValue(f'"{text}" has no unit; write {text}s, {text}m or {text}h')
        raise BadValue(f'"{text}" is no duration; write one such as 300ms, 30s, 5m or 1h30m, or 0 for never')
    if seconds > _LONGEST_S:
        raise BadValue(f'"{text}" is longer than ten years')
    return seconds


def parse_resources(words: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """`("pods,svc", "deploy")` → `("pods", "svc", "deploy")`; nothing → `pods`. Raises `BadValue`."""
    names = [name.strip() for word in words for name in word.split(",")]
    if words and not all(names):
        raise BadValue("a resource name is empty; write them as pods,services or pods services")
    for name in names:
        if "/" in name:
            resource = name.split("/")[0]
            raise BadValue(f'"{name}" names one object; kdash observes whole resources: write {resource}')
    return tuple(dict.fromkeys(names)) or ("pods",)
