"""What a user may type after `/`: words that must all hold, parsed once into a test. Case does not matter.

    web          must occur in the name (of an event: anywhere in its line)
    !web         must not; `!` stands before every kind of word
    -l app=web   label selector as in kubectl: `a=b,c!=d,e in (f, g),!h`
    -f wbx       fuzzy: these letters in this order
    ns:dev       the namespace
    ev:watch     events: category or verb; objects: what touched it last (new, changed, same, gone, resync)
    h:audit      events: a handler's name
    rv>118       the resource version; also <, =, >=, <=

A word that makes no sense raises `BadFilter` with a sentence that says why.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kdash.probe.selectors import BadSelector, LabelTest, take_selector

__all__ = ["BadFilter", "LineTest", "ObjectTest", "key_filter", "line_filter", "object_filter"]

LineTest = Callable[[str, str, str, str], bool]
"""test(category, verb, key, detail)"""

_VERSION = re.compile(r"rv(>=|<=|>|<|=)(.*)$", re.DOTALL)
_NUMBER = re.compile(r"\d+")
_COMPARE = {">": operator.gt, "<": operator.lt, "=": operator.eq, ">=": operator.ge, "<=": operator.le}
_MARKS = ("new", "changed", "same", "gone", "resync")
_FOR = {"ns": "a namespace, as in ns:dev", "ev": "a kind of event, as in ev:watch", "h": "a handler, as in h:audit"}


class BadFilter(ValueError):
    """The filter makes no sense; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class _Word:
    kind: str
    """text, fuzzy, labels, ns, ev, h or rv."""
    value: str
    negated: bool = False
    comparison: str = ""
    labels: LabelTest | None = None


@dataclass(frozen=True, slots=True)
class ObjectTest:
    """A filter for objects in three parts, the cheapest first; None holds always."""

    key: Callable[[str], bool] | None
    """test(namespace/name)"""
    row: Callable[[str, str], bool] | None
    """test(resource version, mark)"""
    labels: Callable[[Mapping[str, str]], bool] | None

    @property
    def is_live(self) -> bool:
        """Whether an object that changes may come to pass, or cease to."""
        return self.row is not None or self.labels is not None


def object_filter(text: str) -> ObjectTest | None:
    """A test for objects; None when `text` filters nothing. Raises `BadFilter`."""
    words = _parse(text)
    for word in words:
        if word.kind == "h":
            raise BadFilter("h: names a handler: it filters events (pane 7), not objects")
        if word.kind == "ev" and not any(mark.startswith(word.value) for mark in _MARKS):
            raise BadFilter(f"ev:{word.value}: of objects, choose {', '.join(_MARKS)}; verbs filter events (pane 7)")
    if not words:
        return None
    keys = [_key_test(word) for word in words if word.kind in ("text", "fuzzy", "ns")]
    rows = [_row_test(word) for word in words if word.kind in ("rv", "ev")]
    labels = [(word.labels, word.negated) for word in words if word.labels is not None]
    return ObjectTest(
        None if not keys else keys[0] if len(keys) == 1 else lambda key: all(test(key) for test in keys),
        None if not rows else lambda version, mark: all(test(version, mark) for test in rows),
        None if not labels else lambda have: all(test(have) is not negated for test, negated in labels),
    )


def key_filter(text: str) -> Callable[[str], bool] | None:
    """The part of a filter that looks at `namespace/name` alone. Raises `BadFilter`."""
    test = object_filter(text)
    return None if test is None else test.key


def line_filter(text: str, labels_of: Callable[[str], Mapping[str, str]] | None = None) -> LineTest | None:
    """A test for event lines; None when `text` filters nothing. `labels_of` gives the labels of the object that a
    key names. Raises `BadFilter`."""
    tests = [_line_test(word, labels_of) for word in _parse(text)]
    if not tests:
        return None

    def all_hold(category: str, verb: str, key: str, detail: str) -> bool:
        return all(test(category, verb, key, detail) for test in tests)

    return tests[0] if len(tests) == 1 else all_hold


# parsing -------------------------------------------------------------------------------------------------


def _parse(text: str) -> list[_Word]:
    words: list[_Word] = []
    rest = text.strip()
    while rest:
        option, _, after = rest.partition(" ")
        if option in ("-l", "!-l"):
            try:
                labels, rest = take_selector(after)
            except BadSelector as error:
                raise BadFilter(str(error)) from None
            words.append(_Word("labels", "", option[0] == "!", labels=labels))
        elif option == "-f":
            value, _, rest = after.strip().partition(" ")
            if not value:
                raise BadFilter("-f needs letters to look for, as in -f wbx")
            words.append(_Word("fuzzy", value.lower()))
        else:
            word = _plain(option.lower())
            if word is not None:
                words.append(word)
            rest = after
        rest = rest.strip()
    return words


def _plain(word: str) -> _Word | None:
    if not word or word == "!":
        return None
    if word.startswith("!"):
        inner = _plain(word[1:])
        return None if inner is None else _Word(inner.kind, inner.value, not inner.negated, inner.comparison)
    name, colon, value = word.partition(":")
    if colon and name in _FOR:
        if not value:
            raise BadFilter(f"{name}: needs {_FOR[name]}")
        return _Word(name, value)
    match = _VERSION.match(word)
    if match:
        if not (match[2].isascii() and match[2].isdigit()):
            raise BadFilter(f"rv{match[1]} needs a number, as in rv{match[1]}11800")
        return _Word("rv", match[2], comparison=match[1])
    if word.startswith("-") and len(word) == 2 and word[1].isalpha():
        raise BadFilter(f"{word} is no filter: write -l for labels, -f for fuzzy, or the text itself")
    return _Word("text", word)


def _fuzzy(letters: str) -> Callable[[str], bool]:
    pattern = re.compile(".*?".join(map(re.escape, letters)), re.DOTALL)
    return lambda text: pattern.search(text) is not None


# objects -------------------------------------------------------------------------------------------------


def _key_test(word: _Word) -> Callable[[str], bool]:
    needle, wanted = word.value, not word.negated
    if word.kind == "fuzzy":
        matches = _fuzzy(needle)
        return lambda key: matches(key.lower()) is wanted
    if word.kind == "ns":
        return lambda key: key.lower().startswith(f"{needle}/") is wanted
    if wanted:
        return lambda key: needle in key.lower()
    return lambda key: needle not in key.lower()


def _row_test(word: _Word) -> Callable[[str, str], bool]:
    value, wanted = word.value, not word.negated
    if word.kind == "ev":
        return lambda version, mark: mark.startswith(value) is wanted
    compare, number = _COMPARE[word.comparison], int(value)

    def test(version: str, mark: str) -> bool:
        known = version.isascii() and version.isdigit()
        return (known and bool(compare(int(version), number))) is wanted

    return test


# event lines ---------------------------------------------------------------------------------------------


def _line_test(word: _Word, labels_of: Callable[[str], Mapping[str, str]] | None) -> LineTest:
    test = _positive(word, labels_of)
    if not word.negated:
        return test
    return lambda category, verb, key, detail: not test(category, verb, key, detail)


def _positive(word: _Word, labels_of: Callable[[str], Mapping[str, str]] | None) -> LineTest:
    value = word.value
    if word.kind == "labels":
        return _label_test(word, labels_of)
    if word.kind == "fuzzy":
        matches = _fuzzy(value)
        return lambda category, verb, key, detail: matches(key.lower())
    if word.kind == "ns":
        return lambda category, verb, key, detail: key.lower().startswith(f"{value}/")
    if word.kind == "ev":
        return lambda category, verb, key, detail: value in f"{category} {verb}".lower()
    if word.kind == "h":
        handler = re.compile(rf"(?<![\w-]){re.escape(value)}(?![\w-])")
        return lambda category, verb, key, detail: handler.search(f"{verb} {detail}".lower()) is not None
    if word.kind == "rv":
        return _version_test(word.comparison, int(value))
    return lambda category, verb, key, detail: (
        value in key.lower() or value in detail.lower() or value in f"{category} {verb}".lower()
    )


def _label_test(word: _Word, labels_of: Callable[[str], Mapping[str, str]] | None) -> LineTest:
    if labels_of is None:
        raise BadFilter("-l cannot be used here: the labels are not known")
    test, known, look_up = word.labels, dict[str, bool](), labels_of
    assert test is not None

    def of_key(category: str, verb: str, key: str, detail: str) -> bool:
        if not key:
            return False
        if key not in known:
            if len(known) > 50_000:
                known.clear()
            known[key] = test(look_up(key))
        return known[key]

    return of_key


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
