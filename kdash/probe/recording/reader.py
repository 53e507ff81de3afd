"""A recording that was opened for reading.

Contract: `open_recording` reads the heads only; chunks are unpacked when they are asked for. Nothing here raises for
what stands in a file but `BadRecording` on opening: what is damaged is left out and told in `damage`. One thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kdash.probe.history import VersionFed
from kdash.probe.recording.columns import StringTable, from_rows, unpacked
from kdash.probe.recording.format import (
    CHUNK_MARK,
    FILE_HEAD,
    HEAD_SIZE,
    PART,
    STEPS,
    BadRecording,
    Damaged,
    Head,
    check_file_head,
    contents_of,
    read_head,
    unpack_chunk,
    unpack_contents,
)
from kdash.probe.recording.journal import Step
from kdash.probe.recording.links import Links
from kdash.probe.recording.weight import BASES_MAX, KEPT_MAX
from kdash.probe.recording.writer import GONE

__all__ = ["Chunk", "ContentStore", "Memory", "Part", "Recording", "open_recording", "read_steps"]

_DAMAGE_MAX = 20
_BLOCK = 1 << 20
_EXPANSION = 16  # bytes that are kept of contents for a byte of the file; those that kdash writes need four
_CONTENT = 100


class Chunk(NamedTuple):
    """Where a chunk lies."""

    head: Head
    offset: int


@dataclass
class Part:
    """What was recorded in one go."""

    about: dict[str, Any]
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def wall_offset_s(self) -> float:
        return _number(self.about.get("wall_offset_s"))

    @property
    def first_at(self) -> float:
        return min((chunk.head.counts.first_at for chunk in self.steps()), default=0.0)

    @property
    def last_at(self) -> float:
        return max((chunk.head.counts.last_at for chunk in self.steps()), default=0.0)

    def steps(self) -> list[Chunk]:
        """The chunks that hold steps."""
        return [chunk for chunk in self.chunks if chunk.head.kind == STEPS]


class Recording:
    """The parts of a file."""

    def __init__(self, name: str, descriptor: int) -> None:
        """`descriptor`: of the open file, which is closed by `close`."""
        self.name = name
        self.damage: list[str] = []
        """What could not be read, in sentences."""
        self.whole_until = len(FILE_HEAD)
        """Bytes up to the end of the last whole chunk."""
        self._file = descriptor
        self.size = os.fstat(descriptor).st_size
        self.parts = list(self._parts())

    def close(self) -> None:
        """Nothing can be read from now on."""
        os.close(self._file)

    def packed(self, chunk: Chunk) -> bytes:
        """The bytes of a chunk without its head."""
        try:
            return os.pread(self._file, chunk.head.length, chunk.offset + HEAD_SIZE)
        except OSError as error:
            raise Damaged(f"the file cannot be read: {error.strerror}") from None

    def tell(self, what: str) -> None:
        """Note damage, once."""
        if len(self.damage) < _DAMAGE_MAX and what not in self.damage:
            self.damage.append(what)

    def _parts(self) -> Iterator[Part]:
        part: Part | None = None
        for chunk in self._chunks():
            if chunk.head.kind == PART:
                if part is not None and part.steps():
                    yield part
                part = self._part(chunk)
            elif part is not None:
                part.chunks.append(chunk)
        if part is not None and part.steps():
            yield part

    def _part(self, chunk: Chunk) -> Part | None:
        try:
            about = unpack_chunk(chunk.head, self.packed(chunk))
        except Damaged:
            about = None
        if isinstance(about, dict):
            return Part(about)
        self.tell(f"a part of it cannot be read: its beginning at byte {chunk.offset} is damaged")
        return None

    def _chunks(self) -> Iterator[Chunk]:
        at = len(FILE_HEAD)
        while at < self.size:
            head = self._head(at)
            if head is not None:
                yield Chunk(head, at)
                at = self.whole_until = at + HEAD_SIZE + head.length
                continue
            found = self._next_head(at + 1)
            if found is None:
                self.tell(f"it is cut off: its last {self.size - at} bytes are no whole second")
                return
            self.tell(f"{found - at} bytes at byte {at} are damaged and left out")
            at = found

    def _head(self, at: int) -> Head | None:
        head = read_head(os.pread(self._file, HEAD_SIZE, at))
        return head if head is not None and at + HEAD_SIZE + head.length <= self.size else None

    def _next_head(self, at: int) -> int | None:
        while at < self.size:
            block = os.pread(self._file, _BLOCK, at)
            found = block.find(CHUNK_MARK)
            while found >= 0:
                if self._head(at + found) is not None:
                    return at + found
                found = block.find(CHUNK_MARK, found + 1)
            if len(block) < _BLOCK:
                return None
            at += _BLOCK - len(CHUNK_MARK)
        return None


def open_recording(path: str | Path) -> Recording:
    """Raises `BadRecording` with one sentence when there is nothing to replay."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror}") from None
    try:
        check_file_head(os.pread(descriptor, len(FILE_HEAD), 0), str(path))
        recording = Recording(str(path), descriptor)
    except OSError as error:  # a folder, a pipe
        os.close(descriptor)
        raise BadRecording(f"{path} cannot be read: {error.strerror}") from None
    except BadRecording:
        os.close(descriptor)
        raise
    if not recording.parts:
        recording.close()
        why = f" ({recording.damage[0]})" if recording.damage else ""
        raise BadRecording(f"{path} holds no recorded second yet{why}: there is nothing to replay")
    return recording


class Memory:
    """What one chunk may refer to in those before it."""

    def __init__(self, contents: ContentStore) -> None:
        self.contents = contents
        self.strings = StringTable()
        self.links = Links()


class ContentStore:
    """The contents that later chunks may refer to: the newest of each object, and those of the present chunk."""

    def __init__(self, make: Callable[[str, bytes], Any], raw: Callable[[Any], bytes]) -> None:
        """`make(informer, json)` gives what the recorder keeps, perhaps packed; `raw` gives its JSON."""
        self._make = make
        self._raw = raw
        self.newest: dict[tuple[str, str], tuple[int, Any]] = {}
        self._fresh: dict[int, Any] = {}
        self._sizes: dict[tuple[str, str], int] = {}
        self._kept = self._kept_fresh = 0
        self._allowed = KEPT_MAX

    def take(self, head: Head, packed: bytes) -> None:
        """Take in a chunk of contents. Raises `Damaged`."""
        self._allowed += _EXPANSION * len(packed)
        index, frame = unpack_contents(head, packed)
        try:
            first, whose, lengths, based = index
            who = [(str(informer), str(key)) for informer, key in whose]
            bases, held = [], 0
            for at in based:
                bases.append(self._raw(self.newest[who[at]][1]))
                held += len(bases[-1])
                if held > BASES_MAX:
                    raise Damaged("contents that refer to more than a kdash would")
            if len(who) != len(lengths) or any(length < 0 for length in lengths) or sum(lengths) != head.size:
                raise Damaged("contents of other lengths than they are said to have")
            blob = contents_of(frame, head.size, bases)
            start = 0
            for number, (whom, length) in enumerate(zip(who, lengths, strict=True), int(first)):
                content = self._make(whom[0], blob[start : start + length])
                start += length
                self._keep(whom, int(getattr(content, "stored_size", length)))
                self._fresh[number] = content
                if (former := self.newest.get(whom)) is not None:  # the steps of this chunk may name it
                    self._fresh[former[0]] = former[1]
                self.newest[whom] = (number, content)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise Damaged(f"contents that cannot be read ({type(error).__name__})") from None

    def _keep(self, whom: tuple[str, str], size: int) -> None:
        """Count a content that is kept. Raises `Damaged` when the file is far too small for so much."""
        kept, fresh = self._kept + size - self._sizes.get(whom, 0), self._kept_fresh + size
        if max(kept, fresh) + _CONTENT * len(self._fresh) > self._allowed:
            raise Damaged("contents that would take too much memory")
        self._kept, self._kept_fresh, self._sizes[whom] = kept, fresh, size

    def get(self, informer: str, key: str, number: int) -> Any:
        """A content by its number; None when there is none, or it was damaged."""
        if number < 0:
            return None
        fresh = self._fresh.get(number)
        if fresh is not None:
            return fresh
        known = self.newest.get((informer, key))
        return known[1] if known is not None and known[0] == number else None

    def drop(self, informer: str, key: str, number: int) -> None:
        """The object is gone; `number`: of its last content."""
        known = self.newest.get((informer, key))
        if known is not None and known[0] <= number:
            del self.newest[informer, key]
            self._kept -= self._sizes.pop((informer, key), 0)

    def end_chunk(self) -> None:
        """The steps of this chunk are done."""
        self._fresh.clear()
        self._kept_fresh = 0


def read_steps(recording: Recording, chunk: Chunk, memory: Memory) -> list[Step]:
    """The steps of a chunk as a recorder is told them, contents in their places. Raises `Damaged`."""
    payload = unpack_chunk(chunk.head, recording.packed(chunk))
    try:
        steps, data, versions_told, rows = payload
        if data[0] == 0:
            memory.links.clear()
        records = unpacked(data, memory.strings, memory.links)
        versions = unpacked(versions_told, memory.strings, memory.links)
        placed = list(_placed(steps, records, versions, rows, memory.contents))
        counts = chunk.head.counts
        if not all(counts.first_at <= one[1] <= counts.last_at for one in placed):
            raise Damaged("steps of another time than their chunk says")
        return placed
    except Damaged:
        raise
    except Exception as error:  # a payload of any shape: its checksum is right, and yet no kdash wrote it
        raise Damaged(f"steps that cannot be read ({type(error).__name__})") from None
    finally:
        memory.links.end_chunk()
        memory.contents.end_chunk()


def _placed(
    steps: Sequence[Any], records: list[Any], versions: list[Any], rows: Sequence[Any], contents: ContentStore
) -> Iterator[Step]:
    next_rows = iter(rows)
    for step in steps:
        kind, at = step[0], float(step[1])
        if type(kind) is not str:
            raise Damaged("a step without a name")
        if kind == "t":
            yield (kind, at, _first(records, step[2]), bool(step[6]))
        elif kind == "T":
            yield ("t", at, from_rows(next(next_rows)), False)
        elif kind == "v":
            yield (kind, at, [_version(row, contents) for row in _first(versions, step[2])])
        elif kind == "c":
            yield (kind, at, [_cached(each, contents) for each in step[2]])
        else:
            yield (kind, at, *step[2:])


def _first(records: list[Any], count: int) -> list[Any]:
    """Take so many off."""
    some = records[:count]
    if len(some) != count:
        raise Damaged("records are missing")
    del records[:count]
    return some


def _cached(told: Any, contents: ContentStore) -> tuple[str, str, Any]:
    informer, key, number, former = told
    if number < 0:
        contents.drop(informer, key, former)
    return informer, key, contents.get(informer, key, number)


def _version(row: Any, contents: ContentStore) -> VersionFed:
    seq, at, _, informer, _, key, event, version, number, size, old_version, old_number, old_size, inferred = row
    fed = VersionFed(
        seq, at, informer, key, event, version, contents.get(informer, key, number), size, old_version,
        contents.get(informer, key, old_number), old_size, inferred,
    )  # fmt: skip
    if event == GONE:
        contents.drop(informer, key, max(number, old_number))
    return fed


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
