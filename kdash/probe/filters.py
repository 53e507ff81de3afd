"""What a user may type after `/`: words that must all hold, parsed once into a test.

`web` must occur, `!web` must not, `ns:dev` names a namespace; for event lines also `ev:watch` (category or
verb), `h:audit` (a handler's name) and `rv>118`, `rv<118`, `rv=118`. Case does not matter.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

__all__ = ["LineTest", "key_filter", "line_filter"]

LineTest = Callable[[str, str, str, str], bool]
"""test(category, verb, key, detail)"""

_VERSION = re.compile(r"rv(>=|<=|>|<|=)(\d+)$")
_NUMBER = re.compile(r"\d+")


def key_filter(text: str) -> Callable[[str], bool] | None:
    """A test for `namespace/name` keys; None when `text` filters nothing."""
    wanted, unwanted, namespaces = [], [], []
    for word in text.lower().split():
        if word.startswith("ns:"):
            if word[3:]:
                namespaces.append(word[3:])
        elif word.startswith("!"):
            if word[1:]:
                unwanted.append(word[1:])
        else:
            wanted.append(word)
    if not (wanted or unwanted or namespaces):
        return None
    if len(wanted) == 1 and not unwanted and not namespaces:
        needle = wanted[0]
        return lambda key: needle in key.lower()

    def test(key: str) -> bool:
        key = key.lower()
        for word in wanted:
            if word not in key:
                return False
        for word in unwanted:
            if word in key:
                return False
        return not namespaces or all(key.startswith(f"{word}/") for word in namespaces)

    return test


def line_filter(text: str) -> LineTest | None:
    """A test for event lines; None when `text` filters nothing."""
    tests = [test for word in text.lower().split() if (test := _word_test(word))]
    if not tests:
        return None

    def all_hold(category: str, verb: str, key: str, detail: str) -> bool:
        return all(test(category, verb, key, detail) for test in tests)

    return tests[0] if len(tests) == 1 else all_hold


def _word_test(word: str) -> LineTest | None:
    if word.startswith("!"):
        inner = _word_test(word[1:])
        if inner is None:
            return None
        positive = inner
        return lambda category, verb, key, detail: not positive(category, verb, key, detail)
    name, colon, value = word.partition(":")
    if colon and name in ("ns", "ev", "h"):
        return _named_test(name, value) if value else None
    match = _VERSION.match(word)
    if match:
        return _version_test(match[1], int(match[2]))
    if not word:
        return None
    return lambda category, verb, key, detail: (
        word in key.lower() or word in detail.lower() or word in f"{category} {verb}".lower()
    )


def _named_test(name: str, value: str) -> LineTest:
    if name == "ns":
        prefix = value + "/"
        return lambda category, verb, key, detail: key.lower().startswith(prefix)
    if name == "ev":
        return lambda category, verb, key, detail: value in f"{category} {verb}".lower()
    handler = re.compile(rf"(?<![\w-]){re.escape(value)}(?![\w-])")
    return lambda category, verb, key, detail: handler.search(f"{verb} {detail}".lower()) is not None


_COMPARE = {">": operator.gt, "<": operator.lt, "=": operator.eq, ">=": operator.ge, "<=": operator.le}


def _version_test(comparison: str, wanted: int) -> LineTest:
    compare = _COMPARE[comparison]

    def test(category: str, verb: str, key: str, detail: str) -> bool:
        at = detail.find("rv ")
        if at < 0:
            return False
        versions = _NUMBER.findall(detail[at:].split("  ", 1)[0])
        if not versions:
            return False
        seen = int(versions[-1])
        return bool(compare(seen, wanted))

    return test
