"""The newest events of one resource: whole where they are read, packed where they only may be.

Contract: no locks; the storage's lock is held by every caller. Events are dropped one by one from the old end: beyond
`capacity`, and beyond `bytes_max`, which counts what is packed as packed. Blocks of some events are packed together:
the states of one object are nearly the same, so an event takes some hundred bytes instead of thousands.
`append` with `pack=False` leaves its block whole (a storm of prepared changes has no time to pack).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import zstandard

__all__ = ["BYTES_MAX", "EventWindow", "StoredEvent"]

BYTES_MAX = 8 << 20
_BLOCK = 128  # events at most
_BLOCK_BYTES = 1 << 17
_OVERHEAD = 200  # bytes of an event besides its state


class StoredEvent(NamedTuple):
    """One change of a resource: ADDED, MODIFIED or DELETED. `raw` is the state after it (the last one for DELETED,
    with the version of the deletion), `previous` the state before."""

    version: int
    type: str
    key: str
    raw: bytes
    previous: bytes | None


_Row = tuple[int, str, str, bytes, bytes | int | None]
"""An event in a block; its previous state as the place of the event in the same block that made it."""
_decoder = msgspec.msgpack.Decoder(list[_Row])


class _Block(NamedTuple):
    """Some events in a row, oldest first."""

    packed: bytes
    whole: list[StoredEvent]
    size: int

    def events(self) -> list[StoredEvent]:
        return self.whole or _unpacked(self.packed)


class EventWindow:
    """A ring of events."""

    def __init__(self, capacity: int, bytes_max: int = BYTES_MAX) -> None:
        self.capacity = capacity
        self._bytes_max = bytes_max
        self._oldest: deque[StoredEvent] = deque()
        self._blocks: deque[_Block] = deque()
        self._newest: list[StoredEvent] = []
        self._room = _BLOCK_BYTES  # in the newest block
        self._packing = True
        self._count = 0
        self.size = 0
        """Bytes that it takes, about."""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[StoredEvent]:
        yield from self._oldest
        for block in self._blocks:
            yield from block.events()
        yield from self._newest

    def __reversed__(self) -> Iterator[StoredEvent]:
        yield from reversed(self._newest)
        for block in reversed(self._blocks):
            yield from reversed(block.events())
        yield from reversed(self._oldest)

    @property
    def newest_version(self) -> int:
        """The version of the newest event; 0 when there is none."""
        return next((event.version for event in reversed(self)), 0)

    def append(self, event: StoredEvent, pack: bool = True) -> int:
        """Take one more event; returns the version of the newest one that had to go for it, 0 if none had to."""
        if self.capacity == 0:
            return event.version
        newest = self._newest
        newest.append(event)
        if not pack:
            self._packing = False
        length = len(event.raw)
        size = self.size + length + _OVERHEAD
        self._room -= length
        if self._room <= 0 or len(newest) >= _BLOCK:
            self.size = size
            self._close_block()
            size = self.size
        if self._count < self.capacity and size <= self._bytes_max:
            self._count += 1
            self.size = size
            return 0
        if self._oldest:  # one for one, as it mostly is
            gone = self._oldest.popleft()
            self.size = size = size - len(gone.raw) - _OVERHEAD
            return gone.version if size <= self._bytes_max else self._shrink() or gone.version
        self._count += 1
        self.size = size
        return self._shrink()

    def resize(self, capacity: int) -> int:
        """Another capacity; returns as `append`."""
        self.capacity = capacity
        return self._shrink()

    def _shrink(self) -> int:
        dropped = 0
        while self._count > self.capacity or (self.size > self._bytes_max and self._count > 1):
            dropped = self._drop_oldest()
        return dropped

    def clear(self) -> None:
        self._oldest.clear()
        self._blocks.clear()
        self._newest = []
        self._count = self.size = 0
        self._room = _BLOCK_BYTES
        self._packing = True

    def _close_block(self) -> None:
        events, self._newest, self._room = self._newest, [], _BLOCK_BYTES
        whole = sum(len(event.raw) + _OVERHEAD for event in events)
        block = _Block(b"", events, whole)
        if self._packing:
            packed = _packed(events)
            block = _Block(packed, [], len(packed) + _OVERHEAD)
        self._blocks.append(block)
        self.size += block.size - whole
        self._packing = True

    def _drop_oldest(self) -> int:
        if not self._oldest and self._blocks:
            block = self._blocks.popleft()
            self._oldest.extend(block.events())
            self.size += sum(len(event.raw) + _OVERHEAD for event in self._oldest) - block.size
        event = self._oldest.popleft() if self._oldest else self._newest.pop(0)
        self._count -= 1
        self.size -= len(event.raw) + _OVERHEAD
        return event.version


def _packed(events: list[StoredEvent]) -> bytes:
    rows: list[_Row] = []
    made_by: dict[str, int] = {}
    for at, event in enumerate(events):
        maker = made_by.get(event.key)
        known = maker is not None and events[maker].raw == event.previous
        rows.append((event.version, event.type, event.key, event.raw, maker if known else event.previous))
        made_by[event.key] = at
    packed = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(rows))
    return bytes(memoryview(packed))  # a copy of its size: the other was cut from a block for the worst case


def _unpacked(packed: bytes) -> list[StoredEvent]:
    events: list[StoredEvent] = []
    for version, type_, key, raw, previous in _decoder.decode(zstandard.ZstdDecompressor().decompress(packed)):
        events.append(
            StoredEvent(version, type_, key, raw, events[previous].raw if isinstance(previous, int) else previous)
        )
    return events
