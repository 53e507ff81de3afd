"""Label selectors as kubectl writes them, as a test on labels: `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`,
`a`, `!a`, several with commas. As in Kubernetes, `a!=b` and `notin` also hold for objects without the label."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

__all__ = ["BadSelector", "LabelTest", "take_selector"]

LabelTest = Callable[[Mapping[str, str]], bool]

_KEY = re.compile(r"\s*(!?)\s*([A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?)")
_SET = re.compile(r"\s+(in|notin)\s*\(([^()]*)\)")
_EQUALS = re.compile(r"\s*(==|!=|=)\s*([A-Za-z0-9._-]*)")
_COMMA = re.compile(r"\s*,")


class BadSelector(ValueError):
    """The selector makes no sense; the message is a sentence for the user."""


def take_selector(text: str) -> tuple[LabelTest, str]:
    """The selector that `text` begins with as a test, and what follows it. Raises `BadSelector`."""
    if not text.strip():
        raise BadSelector("-l needs a label selector, as in -l app=web")
    tests: list[LabelTest] = []
    at = 0
    while True:
        test, at = _requirement(text, at)
        tests.append(test)
        comma = _COMMA.match(text, at)
        if comma is None:
            break
        at = comma.end()
    rest = text[at:]
    if rest and not rest[0].isspace():
        raise BadSelector(f"-l: {rest.split()[0]!r} is no part of a selector; write as in -l app=web,tier!=db")
    return (tests[0] if len(tests) == 1 else lambda have: all(test(have) for test in tests)), rest


def _requirement(text: str, at: int) -> tuple[LabelTest, int]:
    key = _KEY.match(text, at)
    if key is None:
        found = text[at:].strip().split(" ")[0] or "nothing"
        raise BadSelector(f"-l: a label's name is missing at {found!r}; write as in -l app=web")
    negated, name = bool(key[1]), key[2]
    if negated:
        return (lambda have: name not in have), key.end()
    among = _SET.match(text, key.end())
    if among is not None:
        values = {value.strip() for value in among[2].split(",")}
        if among[1] == "in":
            return (lambda have: have.get(name) in values), among.end()
        return (lambda have: have.get(name) not in values), among.end()
    equals = _EQUALS.match(text, key.end())
    if equals is None:
        return (lambda have: name in have), key.end()
    value = equals[2]
    if equals[1] == "!=":
        return (lambda have: have.get(name) != value), equals.end()
    return (lambda have: have.get(name) == value), equals.end()
