"""What a user writes, as values: durations as Go writes them, and lists of resources.

Contract: pure; every function raises `BadValue` with one sentence that says what is wrong and what would be
right.
"""

from __future__ import annotations

import re
import time
from datetime import datetime

__all__ = ["BadValue", "parse_duration", "parse_instant", "parse_resources"]

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")
_INSTANTS = "write 12:07:55, 1m30s (from the start), +10s, -10s, 50%, start or end"
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


def parse_instant(text: str, first: float, last: float, now: float) -> float:
    """An instant of a recording that goes from `first` to `last`, in seconds since the epoch. Raises `BadValue`.

    `12:07:55` and `2026-11-23T12:07:55` are local times, `1m30s` counts from the start, `+10s` and `-10s` from `now`.
    """
    text = text.strip()
    if text in ("start", "end"):
        return first if text == "start" else last
    if share := _SHARE.fullmatch(text):
        return first + (last - first) * min(100.0, float(share[1])) / 100
    if text[:1] in ("+", "-"):
        return now + parse_duration(text[1:]) * (1 if text[0] == "+" else -1)
    if clock := _CLOCK.fullmatch(text):
        return _within(_at_clock(clock, first), text, first, last)
    try:
        return _within(datetime.fromisoformat(text).timestamp(), text, first, last)
    except (ValueError, OverflowError, OSError) as error:
        if isinstance(error, BadValue):
            raise
    try:
        return _within(first + parse_duration(text), text, first, last)
    except BadValue as error:
        raise error if text[:1].isdigit() and text[-1:].isalpha() else BadValue(
            f'"{text}" is no time of a recording; {_INSTANTS}') from None


def _at_clock(clock: re.Match[str], first: float) -> float:
    """The first instant that reads so on the clock, not before the second in which the recording begins."""
    day = time.localtime(first)
    for ahead in (0, 1):
        when = (*day[:2], day[2] + ahead, int(clock[1]), int(clock[2]), 0, 0, 0, -1)
        wall = time.mktime(when) + float(clock[3] or 0)
        if wall >= first - 1:
            break
    return wall


def _within(wall: float, text: str, first: float, last: float) -> float:
    if first - 1 <= wall <= last + 1:
        return max(first, min(wall, last))
    start, end = (time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each)) for each in (first, last))
    raise BadValue(f'"{text}" is not in this recording: it goes from {start} to {end}')
