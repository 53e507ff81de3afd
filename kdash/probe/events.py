"""The event log: what happened, one line each, newest last, in a ring.

Contract: one writer (the recorder, under its lock), any number of readers without a lock. Lines are
numbered from 0 and keep their number; `first` is the oldest still held, `total` the next one. They stand in
columns, in blocks of 4096; whole blocks leave at the old end. While it is calm all but the newest two are packed: what
became of their events is not noted any more. The writer fills the columns first and
publishes `total` last; the tuple of blocks is replaced, never changed, so a reader that holds it can
finish. Strings were cleaned before they got here; keys are cleaned and interned on their way in, types and
versions of watch lines on their way out.
"""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import repeat

import zstandard

from kdash.probe.filters import LineTest
from kdash.probe.text import clean

__all__ = ["CATEGORIES", "EventLine", "EventLog"]

CATEGORIES = ("APP", "API", "REFLECT", "WATCH", "QUEUE", "RESYNC", "HANDLER", "ERROR")
_CODE = {name: code for code, name in enumerate(CATEGORIES)}
BLOCK = 4096
_INTERNED_MAX = 1 << 16
_CALM_S = 60.0  # a block that took longer was filled while it was calm


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line, ready for display."""

    number: int
    at: float
    """Monotonic instant."""
    wall: float
    """Seconds since the epoch."""
    category: str
    """One of `CATEGORIES`."""
    informer: str
    verb: str
    """First word of the line: MODIFIED, BOOKMARK, tick, LIST, a handler's name …; may be empty."""
    key: str
    """The object it is about, as `namespace/name`; may be empty."""
    detail: str
    repeats: int = 1
    """How many equal lines in a row it stands for."""

    @property
    def text(self) -> str:
        """The line without its time and category."""
        parts = [part for part in (self.verb, self.key, self.detail) if part]
        return "  ".join(parts) + (f"  ×{self.repeats}" if self.repeats > 1 else "")


class _Block:
    """The columns of 4096 lines."""

    __slots__ = ("at", "category", "detail", "informer", "key", "old", "repeats", "trail", "verb", "version")

    def __init__(self) -> None:
        self.at = array("d")
        self.category = bytearray()
        self.informer: list[str] = []
        self.verb: list[str] = []
        self.key: list[str] = []
        self.version: list[str] = []  # of watch lines; their detail is worded when read
        self.old: list[str] = []
        self.detail: list[str] = []
        self.repeats: dict[int, int] = {}
        self.trail: dict[int, dict[str, str]] = {}  # what became of the event: stage or handler → words

    def copied(self) -> _Block:
        made = _Block()
        for name in self.__slots__:
            setattr(made, name, copy(getattr(self, name)))
        return made


class _Packed:
    """A block that is only read, and seldom."""

    __slots__ = ("_raw",)

    def __init__(self, block: _Block) -> None:
        packed = zstandard.ZstdCompressor(level=1).compress(pickle.dumps(block, 5))
        self._raw = bytes(memoryview(packed))  # a copy of its size

    def opened(self) -> _Block:
        block: _Block = pickle.loads(zstandard.ZstdDecompressor().decompress(self._raw))
        return block


class EventLog:
    """The newest `size` lines, in blocks of 4096 (so up to one block more)."""

    def __init__(self, size: int = 20_000, wall_offset_s: float = 0.0) -> None:
        """`wall_offset_s`: what to add to a monotonic instant to get seconds since the epoch."""
        self.total = 0
        self.wall_offset_s = wall_offset_s
        self.changed = 0
        """Moves when a line that was already there changes (repeats, trail)."""
        self._blocks_max = max(1, -(-size // BLOCK)) + 1
        self._held: tuple[int, tuple[_Block | _Packed, ...]] = (0, (_Block(),))  # number of the first line, blocks
        self._opened: tuple[_Packed, _Block] | None = None  # the last one that was read
        self._interned: dict[str, str] = {}

    def frozen(self) -> EventLog:
        """A copy that stays as this log is now; under the recorder's lock."""
        log = EventLog(wall_offset_s=self.wall_offset_s)
        first, blocks = self._held
        copies = tuple(each if isinstance(each, _Packed) else each.copied() for each in blocks)
        log._held, log.total, log.changed = (first, copies), self.total, self.changed
        return log

    # -- for the recorder ---------------------------------------------------------------------------------

    def append(self, at: float, category: str, detail: str, *, verb: str = "", key: str = "",
               informer: str = "", fold: bool = False) -> int:
        """Add a line and return its number. With `fold`, an equal line before it is counted up instead."""
        key = self.intern(key) if key else key
        found = self._find(self.total - 1)
        if fold and found and _is_same(found, category, verb, key, detail, informer):
            block, offset = found
            block.repeats[offset] = block.repeats.get(offset, 1) + 1
            block.at[offset] = at
            self.changed += 1
            return self.total - 1
        block, _ = self._tail()
        self._fill(block, (at,), _CODE[category], (informer,), (verb,), (key,), ("",), ("",), (detail,))
        self.total += 1
        return self.total - 1

    def extend_watch(self, at: Sequence[float], informers: Sequence[str], verbs: Sequence[str],
                     keys: Sequence[str], versions: Sequence[str], old: Sequence[str]) -> int:
        """Add one WATCH line per entry of the columns (keys raw); returns the first one's number."""
        first = self.total
        table, intern = self._interned, self.intern
        clean_keys = [table.get(key) or intern(key) for key in keys]
        start, count = 0, len(at)
        while start < count:
            block, room = self._tail()
            end = min(count, start + room)
            cut = slice(start, end)
            self._fill(block, at[cut], _CODE["WATCH"], informers[cut], verbs[cut], clean_keys[cut],
                       versions[cut], old[cut], repeat("", end - start))
            self.total += end - start
            start = end
        return first

    def annotate(self, number: int, name: str, words: str) -> None:
        """Note on a watch line what became of the event: `queue` → `0.2ms`, a handler's name → `1ms`."""
        found = self._find(number, packed=False)
        if found is not None:
            block, offset = found
            # replaced as a whole: a reader may be walking the old one
            block.trail[offset] = {**block.trail.get(offset, {}), name: words}
            self.changed += 1

    def intern(self, key: str) -> str:
        """`key` cleaned; equal keys share one string."""
        table = self._interned
        known = table.get(key)
        if known is None:
            if len(table) >= _INTERNED_MAX:
                table.clear()
            known = table[key] = clean(key)
        return known

    def _fill(self, block: _Block, at: Iterable[float], category: int, informer: Iterable[str],
              verb: Iterable[str], key: Iterable[str], version: Iterable[str], old: Iterable[str],
              detail: Iterable[str]) -> None:
        before = len(block.at)
        block.at.extend(at)
        block.category += bytes((category,)) * (len(block.at) - before)
        block.informer.extend(informer)
        block.verb.extend(verb)
        block.key.extend(key)
        block.version.extend(version)
        block.old.extend(old)
        block.detail.extend(detail)

    def _tail(self) -> tuple[_Block, int]:
        """The block to write to and how many lines it still takes."""
        first, blocks = self._held
        tail = blocks[-1]
        assert isinstance(tail, _Block)
        if len(tail.at) >= BLOCK:
            if len(blocks) > 1:
                blocks = (*blocks[:-2], _packed(blocks[-2]), tail)
            tail = _Block()
            blocks = (*blocks, tail)
            if len(blocks) > self._blocks_max:
                blocks, first = blocks[1:], first + BLOCK
            self._held = (first, blocks)
        return tail, BLOCK - len(tail.at)

    # -- for readers --------------------------------------------------------------------------------------

    @property
    def first(self) -> int:
        """Number of the oldest line still held."""
        return self._held[0]

    def line(self, number: int) -> EventLine | None:
        """The line `number`; None when it has left the ring or is not written yet."""
        found = self._find(number)
        if found is None:
            return None
        block, offset = found
        at = block.at[offset]
        return EventLine(number, at, at + self.wall_offset_s, CATEGORIES[block.category[offset]],
                         block.informer[offset], clean(block.verb[offset]), block.key[offset],
                         _detail(block, offset), block.repeats.get(offset, 1))

    def lines(self, start: int, count: int) -> list[EventLine]:
        """The lines from `start` that are still held, up to `count`."""
        start = max(start, self.first)
        found = (self.line(number) for number in range(start, min(start + count, self.total)))
        return [line for line in found if line is not None]

    def scan(self, test: LineTest, newest: int | None = None, oldest: int = 0) -> Iterator[int]:
        """Numbers of the lines in [oldest, newest) that pass `test`, newest first; `newest` default: all.

        A generator: take as many as a screen needs, or walk a bounded range per turn. 20,000 lines ≈ 10 ms.
        """
        first, blocks = self._held
        end = self.total if newest is None else min(newest, self.total)
        for at in range(len(blocks) - 1, -1, -1):
            base, block = first + at * BLOCK, self._open(blocks[at])
            for offset in range(min(end - base, BLOCK) - 1, max(oldest - base, 0) - 1, -1):
                if test(CATEGORIES[block.category[offset]], block.verb[offset], block.key[offset],
                        _detail(block, offset)):
                    yield base + offset

    def _find(self, number: int, packed: bool = True) -> tuple[_Block, int] | None:
        """The block of a line and its place there; None for one that is not held, or is `packed` and need not be."""
        first, blocks = self._held
        if not first <= number < self.total:
            return None
        at, offset = divmod(number - first, BLOCK)
        if at >= len(blocks) or (not packed and isinstance(blocks[at], _Packed)):
            return None
        return self._open(blocks[at]), offset

    def _open(self, block: _Block | _Packed) -> _Block:
        if isinstance(block, _Block):
            return block
        opened = self._opened
        if opened is None or opened[0] is not block:
            opened = self._opened = (block, block.opened())
        return opened[1]


def _packed(block: _Block | _Packed) -> _Block | _Packed:
    """The block, packed if it took its time to fill: in a storm there is none to lose, and it leaves soon."""
    if isinstance(block, _Packed) or block.at[-1] - block.at[0] < _CALM_S:
        return block
    return _Packed(block)


def _is_same(
    found: tuple[_Block, int], category: str, verb: str, key: str, detail: str, informer: str
) -> bool:
    block, at = found
    return (
        block.detail[at] == detail and block.category[at] == _CODE[category] and block.verb[at] == verb
        and block.key[at] == key and block.informer[at] == informer and not block.version[at]
    )


def _detail(block: _Block, offset: int) -> str:
    version = block.version[offset]
    if not version:
        return block.detail[offset]
    version, old = clean(version), clean(block.old[offset])
    words = f"rv {old}→{version}" if old and old != version else f"rv {version}"
    trail = block.trail.get(offset)
    if trail:
        words += "".join(f"  {name} {what}" for name, what in trail.items())
    return words
