"""A LIST cut into its objects while its bytes arrive, so that memory holds one window of the body and never all of it.

Contract: sans-IO. `feed` takes any pieces of the body and returns the JSON of the items that are complete, in order,
each a copy of its own; `end` says that the body is over. What is no JSON object with `items` and `metadata`, or holds
more than `LARGEST_OBJECT` bytes without an item's end, raises `DecodeError`. Fields that a list does not have are
checked and dropped. One thread.

How: where one item ends is looked for backwards, by the bytes that lay between the two items before it
(`},{"metadata":{`). Whether it is really there is what decoding everything up to it as an array tells, which cuts that
array into its items as well: wherever else such bytes may lie, in a text or within an item, the array does not end. So
every byte is looked at once, by the decoder. The first item, the last one, and whatever that does not find is
scanned exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from kdash.cluster.errors import clean_text
from kdash.informer.errors import DecodeError
from kdash.informer.limits import LARGEST_OBJECT
from kdash.informer.object_decoding import DECODING_ERRORS, repaired_text

__all__ = ["ListMeta", "ListSplitter"]

_WINDOW = 256 << 10
_GUESSES = 3
_SEPARATOR_OF = 12  # bytes of the next item that belong to what lies between two

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_FLAT = rb'[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+'


def _closed(depth: int) -> bytes:
    """What holds no bracket but those of values that are at most so deep."""
    if depth == 0:
        return _FLAT
    return _FLAT + rb"(?:[\[{]" + _closed(depth - 1) + rb"[\]}]" + _FLAT + rb")*+"


_CLOSED = re.compile(_closed(3), re.DOTALL)
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_LITERAL = re.compile(rb"[^,\]}\s]*+")
_SPACE = re.compile(rb"[ \t\n\r]*+")
_KEY = re.compile(_STRING, re.DOTALL)
_OPENING, _CLOSING = b"{[", b"}]"
_FIRST, _COMMA, _NEXT = "first or end", "comma or end", "next"


class ListMeta(msgspec.Struct):
    """A list's own metadata."""

    resource_version: str = msgspec.field(default="", name="resourceVersion")
    continue_token: str = msgspec.field(default="", name="continue")
    remaining: int | None = msgspec.field(default=None, name="remainingItemCount")
    shard_info: dict[str, str] | None = msgspec.field(default=None, name="shardInfo")


_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_raw_decoder = msgspec.json.Decoder(msgspec.Raw)
_FIELDS: dict[bytes, tuple[str, msgspec.json.Decoder[Any]]] = {
    b'"kind"': ("kind", msgspec.json.Decoder(str)),
    b'"apiVersion"': ("api_version", msgspec.json.Decoder(str)),
    b'"metadata"': ("meta", msgspec.json.Decoder(ListMeta)),
}


class _Scan:
    """How far one value has been scanned; positions count from its first byte."""

    def __init__(self) -> None:
        self._at = 0
        self._depth = 0
        self._in_string = False

    def end(self, data: bytearray, start: int) -> int:
        """Where the value that begins at `start` ends; -1 when it goes on. To be called again with more data."""
        at = start + self._at
        if at == start and data[at] not in b'"{[':
            at = _end_of(_LITERAL, data, at)
            return -1 if at == len(data) else at
        while at < len(data):
            if self._in_string:
                at = _end_of(_REST_OF_STRING, data, at)
                if at == len(data) or data[at] != 0x22:  # a backslash whose other half has not come
                    break
                self._in_string, at = False, at + 1
                if self._depth == 0:
                    return at
                continue
            if self._depth:
                at = _end_of(_CLOSED, data, at)
                if at == len(data):
                    break
            byte = data[at]
            at += 1
            if byte in _OPENING:
                self._depth += 1
            elif byte in _CLOSING:
                self._depth -= 1
                if self._depth == 0:
                    return at
            else:
                self._in_string = True
        self._at = at - start
        return -1


def _end_of(pattern: re.Pattern[bytes], data: bytearray, at: int) -> int:
    found = pattern.match(data, at)
    assert found is not None  # each of them matches nothing, too
    return found.end()


class ListSplitter:
    """One body; see the module's contract."""

    def __init__(self, window: int = _WINDOW, largest: int = LARGEST_OBJECT) -> None:
        self.kind = ""
        self.api_version = ""
        self.meta = ListMeta()
        self.has_items = False
        """Whether there was an `items` that is a list."""
        self.size = 0
        """Bytes fed."""
        self._window, self._largest = window, largest
        self._due = 1  # the first bytes are looked at as they come: they may be no list at all
        self._data = bytearray()
        self._at = 0  # everything before it has been taken
        self._state: Callable[[list[bytes]], bool] = self._begin
        self._expects = _FIRST  # what may come in the object or array that is open
        self._between = b""  # the last byte of an item, what followed, and the first bytes of the next
        self._scan = _Scan()
        self._outside = 0  # bytes that were no item
        self._split = False  # items of this window have been found all at once
        self._over = False

    def feed(self, pieces: Iterable[bytes]) -> list[bytes]:
        """The items that these bytes complete, and a few before them that waited for the window to fill."""
        items: list[bytes] = []
        for piece in pieces:
            self._data += piece
            self.size += len(piece)
            if len(self._data) >= self._due:
                self._take(items)
                self._due = min(max(self._window, 2 * len(self._data)), self._largest + 1)
                if len(self._data) > self._largest:
                    raise DecodeError(f"an object in the list takes more than {self._largest >> 20} MiB")
        return items

    def end(self) -> list[bytes]:
        """The items that are left. Raises `DecodeError` when the list is not complete."""
        items: list[bytes] = []
        self._over = True
        self._take(items)
        if self._state != self._done or len(self._data):
            raise self._malformed("it ends in the middle" if self.size else "it is empty")
        return items

    def _take(self, items: list[bytes]) -> None:
        self._split = False
        while self._state(items):
            pass
        del self._data[: self._at]
        self._at = 0

    def _malformed(self, why: str) -> DecodeError:
        return DecodeError(f"the server's answer to the list is not a Kubernetes list: {clean_text(why)}")

    def _skip(self, to: int) -> None:
        self._outside += to - self._at
        self._at = to
        if self._outside > self._largest:
            raise DecodeError(f"the list holds more than {self._largest >> 20} MiB that is no object")

    def _next(self) -> int:
        """The next byte that is no white space; -1 when it has not come."""
        self._skip(_end_of(_SPACE, self._data, self._at))
        return self._data[self._at] if self._at < len(self._data) else -1

    # states: each takes what it can and says whether another one can go on --------------------------------

    def _begin(self, _: list[bytes]) -> bool:
        byte = self._next()
        if byte < 0:
            return False
        if byte != 0x7B:
            raise self._malformed("it is no JSON object")
        self._skip(self._at + 1)
        self._state = self._member
        return True

    def _comma(self, closing: int) -> int:
        """The next byte, a comma taken if one is due; `closing` ends what the commas separate."""
        byte = self._next()
        if self._expects is _COMMA and byte >= 0 and byte != closing:
            if byte != 0x2C:
                raise self._malformed("a comma is missing")
            self._skip(self._at + 1)
            self._expects = _NEXT
            byte = self._next()
        if self._expects is _NEXT and byte == closing:
            raise self._malformed("nothing follows a comma")
        return byte

    def _member(self, _: list[bytes]) -> bool:
        byte = self._comma(0x7D)
        if byte == 0x7D:
            self._skip(self._at + 1)
            self._state = self._done
            return True
        if byte < 0:
            return False
        if byte != 0x22:
            raise self._malformed("a field has no name")
        data, at = self._data, self._at
        key = _KEY.match(data, at)
        if key is None:
            return False
        colon = _end_of(_SPACE, data, key.end())
        value = _end_of(_SPACE, data, colon + 1) if colon < len(data) else colon
        if value >= len(data):
            return False
        if data[colon] != 0x3A:
            raise self._malformed("a field has no value")
        name = key[0]
        if b"\\" in name:
            name = self._plain(name)
        if name == b'"items"' and data[value] == 0x5B:
            self._skip(value + 1)
            self._expects, self._state, self.has_items = _FIRST, self._items, True
            return True
        end = self._scan.end(data, value)
        if end < 0:
            return False
        self._scan = _Scan()
        self._set(name, bytes(memoryview(data)[value:end]))
        self._skip(end)
        self._expects = _COMMA
        return True

    def _plain(self, name: bytes) -> bytes:
        try:
            return msgspec.json.encode(msgspec.json.decode(name))
        except DECODING_ERRORS as e:
            raise self._malformed(f"the name of a field: {e}") from None

    def _set(self, name: bytes, raw: bytes) -> None:
        field, decoder = _FIELDS.get(name, ("", _raw_decoder))
        try:
            try:
                value = decoder.decode(raw)
            except DECODING_ERRORS as e:
                value = decoder.decode(repaired_text(raw, e))
            if not field:
                msgspec.json.decode(name)
        except (DecodeError, *DECODING_ERRORS) as e:
            raise self._malformed(f"{name.decode('utf-8', 'replace')}: {e}") from None
        if name == b'"items"' and raw != b"null":
            raise self._malformed("items is no list")
        if field:
            setattr(self, field, value)

    def _items(self, items: list[bytes]) -> bool:
        byte = self._comma(0x5D)
        if byte == 0x5D:
            self._skip(self._at + 1)
            self._expects, self._state = _COMMA, self._member
            return True
        if byte < 0:
            return False
        if self._many(items):
            self._split = True
            return True
        if self._split and not self._over:
            return False  # the beginning of an item, most likely: it waits for the next window
        return self._one(items)

    def _many(self, items: list[bytes]) -> bool:
        """Everything up to the last place that looks like the end of an item and is one."""
        data, start, between = self._data, self._at, self._between
        end = len(data)
        for _ in range(_GUESSES if between else 0):
            end = data.rfind(between, start, end + len(between) - 1)
            if end < 0:
                return False
            chunk = b"".join((b"[", memoryview(data)[start : end + 1], b"]"))
            try:
                found = _array_decoder.decode(chunk)
            except DECODING_ERRORS:
                continue
            items += map(bytes, found)
            self._at, self._expects, self._scan = end + 1, _COMMA, _Scan()
            return True
        return False

    def _one(self, items: list[bytes]) -> bool:
        """The item that begins here."""
        data, start = self._data, self._at
        end = self._scan.end(data, start)
        if end < 0:
            return False
        self._scan = _Scan()
        if end - start > self._largest:
            raise DecodeError(f"an object in the list takes more than {self._largest >> 20} MiB")
        items.append(bytes(memoryview(data)[start:end]))
        self._at, self._expects = end, _COMMA
        comma = _end_of(_SPACE, data, end)
        if comma < len(data) and data[comma] == 0x2C:
            following = _end_of(_SPACE, data, comma + 1)
            if following + _SEPARATOR_OF <= len(data):
                self._between = bytes(data[end - 1 : following + _SEPARATOR_OF])
        return True

    def _done(self, _: list[bytes]) -> bool:
        if self._next() >= 0:
            raise self._malformed("something follows it")
        return False
