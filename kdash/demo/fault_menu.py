"""The fault menu: every way in which the server misbehaves on request, and how one is written as a text.

    reset                              the next request is answered with a TCP reset
    503:verb=LIST,resource=pods,times=3
    stall-headers:delay=4s,for=1m
    close-watches:every=30s            an act: done at once, or every 30 s

Contract: pure. `parse_fault` reads such a text for the command line, the screen and the control path.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

__all__ = ["ACTS", "FAULTS", "MENU", "Fault", "full_name", "parse_fault"]

CONNECTION_FAULTS = {
    "reset": "answer with a TCP reset",
    "close": "close the connection without an answer",
    "half-open": "accept the request and say nothing",
    "stall-headers": "send the answer's headers late",
}
STREAM_FAULTS = {
    "cut-mid-line": "cut the body in the middle of a line",
    "garbage-line": "write a line that is no JSON",
    "split-bytes": "write the body byte by byte",
    "slow": "write the body slowly, piece by piece",
    "slow-pages": "make every page of a list wait",
}
ANSWERS = {
    "html": "an HTML error page with 502",
    "401": "401 Unauthorized",
    "403": "403 Forbidden",
    "410": "410 Expired: in the stream of an open watch at once, else on the next list, page or watch",
    "429": "429 from the request limiter, with Retry-After",
    "429-initializing": "429 while the watch cache is loading, as a Status with Retry-After",
    "429-shutdown": "429 of a server that shuts down, with Retry-After and a closed connection",
    "500": "500 InternalError",
    "503": "503 ServiceUnavailable",
    "504": "504 Too large resource version",
}
FAULTS: dict[str, str] = {**CONNECTION_FAULTS, **STREAM_FAULTS, **ANSWERS}
"""What can be armed for requests to come, with what it does."""

ACTS: dict[str, str] = {
    "close-watches": "end every open watch cleanly, as its time-out does",
    "drop-connections": "reset every open connection",
    "expire-history": "forget the past: watches and exact lists from before now are 410",
    "expire-watches": "send every open watch the 410 and forget the past",
    "send-garbage": "write a line that is no JSON into every open watch",
    "lose-event": "the next event reaches no open watch, silently",
    "duplicate-event": "the next event reaches every open watch twice",
    "reorder-events": "the next event reaches the watches after one of another object",
    "huge-object": "grow one object to several MiB",
    "time-jump": "the server's clock jumps forward",
    "restart": "restart the server, keeping the past",
    "restart-empty": "restart the server, losing the past: every older watch is 410",
}
"""What is done at once to the open server, with what it does."""
MENU: dict[str, str] = {**FAULTS, **ACTS}
"""Every fault with a sentence."""

VERBS = ("LIST", "CONTINUE", "WATCH", "GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(slots=True)
class Fault:
    """One fault: armed for requests, or, if it is one of `ACTS`, done at once. Unset scopes match everything."""

    kind: str
    verb: str | None = None
    """LIST (every page), CONTINUE (the later pages of a list), WATCH, GET, POST, PUT, PATCH or DELETE."""
    resource: str | None = None
    """As in the path: `pods`. Acts on events and objects take pods if it is unset."""
    times: int | None = 1
    """How many requests it strikes. None: as often as it lasts."""
    seconds: float | None = None
    """How long it lasts, from when it is armed."""
    delay_s: float = 5.0
    """Of stall-headers, slow and slow-pages; how far time-jump jumps."""
    retry_after_s: int = 1
    size: int = 4 << 20
    """Of huge-object, in bytes."""
    after_s: float = 0.0
    """Armed, or done, so long after it was added."""
    every_s: float | None = None
    """Armed, or done, again and again, `times` times in all or without end. A fault without `seconds` strikes once
    each time."""
    struck: int = field(default=0, init=False)
    """How often it has struck so far."""
    expires_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.kind not in MENU:
            near = difflib.get_close_matches(self.kind, MENU, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no fault is called {self.kind!r}{hint}; there are {', '.join(MENU)}")
        if self.verb is not None and self.verb not in VERBS:
            raise ValueError(f"no request is called {self.verb!r}; there are {', '.join(VERBS)}")
        if self.times is not None and self.times < 1:
            raise ValueError("a fault strikes at least once: times must be 1 or more")

    @property
    def is_act(self) -> bool:
        return self.kind in ACTS

    @property
    def waits_for(self) -> str:
        """What it waits for once it is armed, in words: `the next 3 LISTs of pods`, `every request`."""
        once_each_time = self.every_s is not None and self.seconds is None
        what = {None: "request", "CONTINUE": "later page of a LIST"}.get(self.verb, self.verb or "")
        of = f" of {self.resource}" if self.resource else ""
        if self.times is None and not once_each_time:
            return f"every {what}{of}"
        left = 1 if once_each_time or self.times is None else max(1, self.times - self.struck)
        return f"the next {what}{of}" if left == 1 else f"the next {left} {what}s{of}"


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_SIZE = re.compile(r"([0-9]+)(KiB|MiB)?", re.ASCII)
_OPTIONS = ("verb", "resource", "times", "for", "delay", "retry-after", "size", "after", "every")


def full_name(name: str) -> str:
    """The fault that is called so, or the only one that begins so; `name` itself when there is none.

    Raises `ValueError` when several begin so.
    """
    begun = [each for each in MENU if each.startswith(name)] if name and name not in MENU else []
    if len(begun) > 1:
        raise ValueError(f"several faults begin with {name!r}: {', '.join(begun)}")
    return begun[0] if begun else name


def parse_fault(text: str) -> Fault:
    """Read `NAME[:OPTION=VALUE,…]`; the beginning of a NAME is enough. Options are verb, resource, times (a number or
    `always`), for, delay, retry-after, size, after and every. Raises `ValueError` with a sentence on what is wrong."""
    name, _, rest = text.strip().partition(":")
    given: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        option, equals, value = part.partition("=")
        if not equals or option not in _OPTIONS:
            raise ValueError(f"{part!r} in the fault {text!r} is no option: write NAME:OPTION=VALUE,… with {_OPTIONS}")
        given[option] = value
    seconds = _duration(given["for"], text) if "for" in given else None
    every_s = _duration(given["every"], text) if "every" in given else None
    fault = Fault(
        full_name(name.strip()),
        verb=given["verb"].upper() if "verb" in given else None, resource=given.get("resource"),
        times=_times(given.get("times"), text, lasting=seconds is not None or every_s is not None), seconds=seconds,
        every_s=every_s,
    )  # fmt: skip
    if fault.kind == "slow-pages" and fault.verb is None:
        fault.verb = "LIST"
    if "delay" in given:
        fault.delay_s = _duration(given["delay"], text)
    if "after" in given:
        fault.after_s = _duration(given["after"], text)
    if "retry-after" in given:
        fault.retry_after_s = round(_duration(given["retry-after"], text))
    if "size" in given:
        fault.size = _size(given["size"], text)
    return fault


def _times(value: str | None, text: str, *, lasting: bool) -> int | None:
    if value is None:
        return None if lasting else 1
    if value == "always":
        return None
    if not value.isascii() or not value.isdigit() or not int(value):
        raise ValueError(f"times={value} in the fault {text!r}: write a number from 1 on, or always")
    return int(value)


def _duration(value: str, text: str) -> float:
    found = _DURATION.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} in the fault {text!r} is no time: write for example 500ms, 10s or 2m")
    return float(found[1]) * _SECONDS[found[2]]


def _size(value: str, text: str) -> int:
    found = _SIZE.fullmatch(value)
    if found is None or not 0 < (size := int(found[1]) << {"KiB": 10, "MiB": 20, None: 0}[found[2]]) <= 64 << 20:
        raise ValueError(f"size={value} in the fault {text!r}: write for example 512KiB or 4MiB, at most 64MiB")
    return size
