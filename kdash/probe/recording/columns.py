"""Tap records as columns, and back: a twentieth of what they take as rows.

Contract: pure but for the table of strings, which grows from chunk to chunk on both sides alike. `packed` takes records
in any order, `unpacked` gives back equal ones in the same order. What `packed` returns can be msgpack:

    [first, strings, kinds, order, seqs, instants, groups]
        first, strings: the table's length before, and what this chunk adds to it (first = 0: it begins anew)
        order: one byte a record, which kind it is of
        groups: per kind the columns of its fields, informer and thread first

    column := ["=", value]               the same in every record
            | ["p", right, column]       as its link says where `right` is set (null: everywhere), else as the column
            | ["s", numbers]             strings: their numbers in the table
            | ["n", column]              strings that are numbers
            | ["t", values, numbers]     a few values: their numbers among `values`
            | ["i", start, numbers]      integers: differences to the one before
            | ["c", numbers]             integers: what the record's own number is above them
            | ["f", start, numbers]      seconds: differences in nanoseconds to the one before
            | ["x", shift, numbers]      seconds: so many times 2 to the power of minus `shift`
            | ["b", bytes]               truth values
            | ["o", bytes, column]       null where the byte is 0
            | ["r", values]              anything else
    numbers := [bytes a number, planes]  first the lowest bytes of all, then the next ones …
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress, pairwise, starmap
from operator import eq, sub
from typing import Any

from kdash.informer.tap import FIELDS, Record
from kdash.probe.recording.links import IN_ORDER, Group, Links
from kdash.probe.recording.shapes import FIELDS_OF, check, check_head, check_sizes
from kdash.probe.recording.weight import NUMBERS_MAX, STRINGS_MAX, TooMuch

__all__ = ["StringTable", "event_keys", "from_rows", "keys_in_rows", "packed", "pass_over", "unpacked"]

_CODES = ((1, "b"), (2, "h"), (4, "i"), (8, "q"))
_NS = 1e9
_FARTHEST_S = 9e6  # up to here a float of seconds tells nanoseconds apart
_LARGEST = float(1 << 62)
_FEW = 64
_EVENT_KEY = FIELDS["watch.event"].index("key") + 5
_SHIFTS = range(30, 60)
_ONLY = tuple(bytes(number == each for each in range(256)) for number in range(256))  # 1 for one byte, 0 for others


class StringTable:
    """Strings by number; the writer's and the reader's grow alike."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._numbers: dict[str, int] = {}
        self.weight = 0
        """Of the strings that were read, in bytes, about."""

    def number(self, value: str) -> int:
        """The number of a string, which is added if need be."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.strings)
            self.strings.append(value)
        return number

    def clear(self) -> None:
        """Begin anew: whoever reads from here on needs nothing before."""
        self.strings.clear()
        self._numbers.clear()

    def grow(self, first: int, strings: Sequence[str]) -> None:
        """Take in what a chunk adds. Raises ValueError when a chunk before it is missing."""
        if first == 0:
            self.strings.clear()
            self.weight = 0
        if first != len(self.strings) or not all(type(value) is str for value in strings):
            raise ValueError("a chunk before it is missing")
        self.weight += sum(map(len, strings)) + 64 * len(strings)
        if self.weight > STRINGS_MAX:
            raise TooMuch("a table of strings that no kdash writes")
        self.strings.extend(strings)


def packed(records: Sequence[Record], table: StringTable, links: Links) -> list[Any]:
    """Records as plain data for msgpack."""
    first = len(table.strings)
    kinds = {kind: number for number, kind in enumerate(_ordered({record[2] for record in records}))}
    groups: list[list[Record]] = [[] for _ in kinds]
    order = bytes([kinds[record[2]] for record in records])
    for number, record in zip(order, records, strict=True):
        groups[number].append(record)
    written = []
    for kind, group in zip(kinds, groups, strict=True):
        written.append(_group(kind, group, table, links))
        links.add(group)
    seqs, instants = [record[0] for record in records], [record[1] for record in records]
    return [first, table.strings[first:], list(kinds), order, _integers(seqs), _instants(instants), written]


def unpacked(data: Any, table: StringTable, links: Links) -> list[Record]:
    """What `packed` was given. Raises some ordinary error when `data` is nothing that `packed` returned."""
    first, strings, kinds, order, seqs, instants, groups = data
    table.grow(first, strings)
    if len(order) > NUMBERS_MAX:
        raise TooMuch("more records than a kdash writes at once")
    all_seqs = _read(seqs, table.strings, (), len(order))
    all_instants = _read(instants, table.strings, (), len(order))
    rows: list[Any] = []
    for number, group in enumerate(groups):
        kind = sys.intern(kinds[number])
        here = order.translate(_ONLY[number])
        heads = list(zip(compress(all_seqs, here), compress(all_instants, here), strict=True))
        records = _read_group(kind, group, heads, table.strings, links)
        links.add(records)
        rows.append(iter(records).__next__)
    return [rows[number]() for number in order]


def event_keys(data: Any, table: StringTable) -> Sequence[str]:
    """The keys of the watch events among packed records, in order; raises like `unpacked`, but reads little."""
    first, strings, kinds, order, _, _, groups = data
    table.grow(first, strings)
    if "watch.event" not in kinds:
        return []
    number = kinds.index("watch.event")
    return _read(groups[number][_EVENT_KEY - 3], table.strings, (), order.count(number))


def pass_over(data: Any, table: StringTable) -> None:
    """Take no more than the strings of packed records; raises like `unpacked`."""
    table.grow(data[0], data[1])


def from_rows(rows: Iterable[Sequence[Any]]) -> list[Record]:
    """Records that were written as they are. Raises some ordinary error when they are nothing of the kind."""
    records = [tuple([_tupled(value) for value in row]) for row in rows]
    by_kind: dict[str, list[Record]] = {}
    for record in records:
        by_kind.setdefault(record[2], []).append(record)
    for kind, some in by_kind.items():
        seqs, instants, _, informers, threads, *columns = zip(*some, strict=True)
        for values in (seqs, instants, threads, *columns):
            check_sizes(values)
        check_head(seqs, instants, informers, threads)
        check(dict(zip(FIELDS_OF[kind], columns, strict=True)))
    return records


def keys_in_rows(rows: Iterable[Sequence[Any]]) -> Sequence[str]:
    """As `event_keys`, of records that were written as they are."""
    return [str(row[_EVENT_KEY]) for row in rows if row[2] == "watch.event"]


def _ordered(kinds: set[str]) -> list[str]:
    """Those that others are linked to come first."""
    return [*(kind for kind in IN_ORDER if kind in kinds), *sorted(kinds - set(IN_ORDER))]


# writing ---------------------------------------------------------------------------------------------------


def _group(kind: str, records: list[Record], table: StringTable, links: Links) -> list[Any]:
    columns = list(zip(*records, strict=True))
    fields = FIELDS_OF[kind]
    written = [_column(columns[3], table), _column(columns[4], table)]
    named = dict(zip(fields, columns[5:], strict=True))
    group = Group(links, kind, columns[0], columns[1], columns[3], named)
    for name, column in named.items():
        expected = group.expected(name)
        if name == "cause":
            written.append(["c", _numbers(list(map(sub, columns[0], column)))])
        elif expected is not None:
            written.append(_linked(column, expected, table))
        else:
            written.append(_column(column, table))
    return written


def _linked(values: tuple[Any, ...], expected: Sequence[Any], table: StringTable) -> list[Any]:
    right = bytes(map(eq, values, expected))
    if all(right):
        return ["p", None, None]
    rest = tuple(value for value, known in zip(values, right, strict=True) if not known)
    return ["p", right, _column(rest, table)]


def _column(values: Sequence[Any], table: StringTable) -> list[Any]:
    first = values[0]
    kinds = set(map(type, values))
    if len(kinds) == 2 and type(None) in kinds:
        rest = [value for value in values if value is not None]
        return ["o", bytes([value is not None for value in values]), _column(rest, table)]
    if len(kinds) > 1:
        return ["r", values]
    if values.count(first) == len(values):
        return ["=", first]
    (kind,) = kinds
    if kind is str:
        if all(value.isascii() and value.isdecimal() and value[0] != "0" and len(value) < 16 for value in values):
            return ["n", _integers(list(map(int, values)))]
        return ["s", _numbers(list(map(table.number, values)))]
    if kind is float:
        return _seconds(values)
    if kind is int:
        if len(few := set(values)) <= _FEW and max(few) - min(few) > 1 << 16:
            return _few(values)
        return _integers(values) if min(values) > -(1 << 62) and max(values) < 1 << 62 else ["r", values]
    if kind is bool:
        return ["b", bytes(values)]
    return _few(values) if kind is tuple else ["r", values]


def _few(values: Sequence[Any]) -> list[Any]:
    known: dict[Any, int] = {}
    try:
        numbers = [known.setdefault(value, len(known)) for value in values]
    except TypeError:
        return ["r", values]
    return ["t", list(known), _numbers(numbers)]


def _integers(values: Sequence[int]) -> list[Any]:
    return ["i", values[0], _numbers(list(starmap(_rise, pairwise(values))))] if values else ["r", []]


def _rise(one: int, other: int) -> int:
    return other - one


def _instants(values: Sequence[float]) -> list[Any]:
    """Exact, or as they are."""
    if not values or not all(0 <= value < _FARTHEST_S for value in values):
        return ["r", values]
    whole = [round(value * _NS) for value in values]
    if any(number / _NS != value for number, value in zip(whole, values, strict=True)):
        return ["r", values]
    return ["f", whole[0], _numbers(list(starmap(_rise, pairwise(whole))))]


def _seconds(values: Sequence[float]) -> list[Any]:
    """Differences of two instants are multiples of what their clock's floats can tell apart."""
    if all(-1e3 < value < 1e3 for value in values):
        for shift in _SHIFTS:
            scale = float(1 << shift)
            if all((value * scale).is_integer() and -_LARGEST < value * scale < _LARGEST for value in values):
                return ["x", shift, _numbers([int(value * scale) for value in values])]
    return _instants(values)


def _numbers(values: Sequence[int]) -> list[Any]:
    """As few bytes a number as do, plane by plane."""
    if not values:
        return [1, b""]
    low, high = min(values), max(values)
    for width, code in _CODES:  # noqa: B007
        if -(1 << 8 * width - 1) <= low and high < 1 << 8 * width - 1:
            break
    plain = array(code, values)
    if sys.byteorder == "big":
        plain.byteswap()
    raw = plain.tobytes()
    return [width, b"".join([raw[plane::width] for plane in range(width)])]


# reading ---------------------------------------------------------------------------------------------------


def _read_group(kind: str, group: Any, heads: list[Any], strings: Sequence[str], links: Links) -> list[Record]:
    fields = FIELDS_OF[kind]
    if len(group) != len(fields) + 2:
        raise ValueError(f"{kind} with {len(group)} columns")
    count = len(heads)
    seqs, instants = [head[0] for head in heads], [head[1] for head in heads]
    informers, threads = (_read(column, strings, (), count) for column in group[:2])
    columns = {name: _read(column, strings, seqs, count)
               for name, column in zip(fields, group[2:], strict=True) if column[0] != "p"}
    known = Group(links, kind, seqs, instants, informers, columns)
    for name, column in zip(fields, group[2:], strict=True):
        if column[0] == "p":
            expected = known.expected(name)
            if expected is None:
                raise ValueError(f"{kind}.{name} is linked to nothing")
            columns[name] = _merged(expected, column[1], column[2], strings)
    check_head(seqs, instants, informers, threads)
    check(columns)
    every = [seqs, instants, [kind] * count, informers, threads, *(columns[name] for name in fields)]
    return list(zip(*every, strict=True))


def _merged(expected: Sequence[Any], right: Any, rest: Any, strings: Sequence[str]) -> Sequence[Any]:
    if right is None:
        return expected
    others = iter(_read(rest, strings, (), right.count(0)))
    return [value if known else next(others) for value, known in zip(expected, right, strict=True)]


def _read(column: Any, strings: Sequence[str], seqs: Sequence[int], count: int) -> Sequence[Any]:
    kind, *rest = column
    if count > NUMBERS_MAX or (kind in "bo" and len(rest[0]) > NUMBERS_MAX):
        raise TooMuch("more values than a kdash writes at once")
    if kind == "=":
        check_sizes([value := _tupled(rest[0])])
        return [value] * count
    if kind == "r":
        found: Sequence[Any] = [_tupled(value) for value in rest[0]]
        check_sizes(found)
    elif kind == "b":
        found = list(map(bool, rest[0]))
    elif kind == "o":
        others = iter(_read(rest[1], strings, seqs, len(rest[0]) - rest[0].count(0)))
        found = [next(others) if there else None for there in rest[0]]
    elif kind == "t":
        values = [_tupled(value) for value in rest[0]]
        check_sizes(values)
        found = [values[number] for number in _natural(rest[1])]
    elif kind == "s":
        found = [strings[number] for number in _natural(rest[0])]
    elif kind == "n":
        found = list(map(str, _read(rest[0], strings, seqs, count)))
    elif kind == "i":
        found = list(accumulate(_plain(rest[1]), initial=rest[0]))
        check_sizes((min(found), max(found)))
    elif kind == "c":
        found = list(map(sub, seqs, _plain(rest[0])))
        check_sizes((min(found, default=0), max(found, default=0)))
    elif kind == "x":
        scale = float(1 << rest[0]) if rest[0] in _SHIFTS else 0.0
        found = [number / scale for number in _plain(rest[1])]
    elif kind == "f":
        found = [number / _NS for number in accumulate(_plain(rest[1]), initial=rest[0])]
        check_sizes((min(found), max(found)))
    else:
        raise ValueError(f"a column of an unknown kind {kind!r}")
    if len(found) != count:
        raise ValueError("columns of different lengths")
    return found


def _natural(data: Any) -> Iterable[int]:
    numbers = _plain(data)
    if numbers and min(numbers) < 0:
        raise ValueError("a number below 0 in a table")
    return numbers


def _plain(data: Any) -> array[int]:
    width, planes = data
    code = dict(_CODES)[width]
    count, rest = divmod(len(planes), width)
    if count > NUMBERS_MAX:
        raise TooMuch("more values than a kdash writes at once")
    if rest:
        raise ValueError("planes of different lengths")
    if width == 1:
        raw = planes
    else:
        mixed = bytearray(len(planes))
        for plane in range(width):
            mixed[plane::width] = planes[plane * count : (plane + 1) * count]
        raw = bytes(mixed)
    plain: array[int] = array(code)
    plain.frombytes(raw)
    if sys.byteorder == "big":
        plain.byteswap()
    return plain


def _tupled(value: Any) -> Any:
    """msgpack knows lists only; records hold tuples only."""
    return tuple([_tupled(each) for each in value]) if type(value) is list else value
