"""The file of a recording: what stands where.

    file    := "kdash recording\n", u16 version, u16 0, chunk…
    chunk   := head, packed payload
    head    := "kdCH", u8 kind, u32 length of what follows, u32 its CRC-32, u32 length of the payload unpacked,
               f64 first instant, f64 last instant, u32 watch events, u32 resyncs, u32 fetched states,
               u32 records, u32 CRC-32 of the head before it

Numbers are little-endian. Chunks are only ever appended, once a second, so a process that is killed leaves a file that
is whole up to its last second. A reader that meets damage goes on at the next "kdCH". Who skips from head to head knows
what happened when without unpacking anything. Payloads are msgpack in a zstd frame with a checksum. Kinds:

- `P`, a part begins. Whoever appends to a file begins another part. Instants are seconds of the recording machine's
  monotonic clock and can be compared within one part. A map: `wall_offset_s` (makes an instant seconds since the
  epoch), `second` (where the recorder's seconds began), `slow_limit_s`, `kdash` (the version), `from_start` (false:
  the informers ran before; counts begin at 0), `source` (its name).
- `O`, contents of objects: `[first, whose, lengths, based]`, packed on its own, then the contents' JSON, one after the
  other, as a second zstd frame. They are numbered from `first`, and `whose` says `[informer, key]` of each. What zstd
  has as its dictionary (raw content) is the former content of each one that is `based`, one after the other.
  Values of Secrets are never in it.
- `S`, steps: `[steps, records, versions, rows]`: what the recorder was told, in order; the records and versions (see
  `columns`); the records of a storm as they are, an array for each `T`.

Steps are arrays that begin with a letter and the instant: `t` records are taken (how many, how many of them are watch
events, resyncs, fetched states; whether calm), `T` likewise in a storm, `v` versions are taken (how many rows of the
kind `version`), `c` the cache took contents that make no version (array of [informer, key, number of the content or -1
when it is gone, number of the former content]), `k` the clock ticked, `r` an informer was registered, `n` a note, `h` a
handler was described, `l` latencies and `p` peaks begin anew, `s` the slow limit, `f` an informer is forgotten, `d` so
many records were lost, `o` what the observation knew. Unknown kinds of chunks and steps are skipped; `VERSION` moves
when an older kdash would misread the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import zstandard

from kdash.probe.recording.weight import CONTENTS_MAX, PAYLOAD_MAX, TooMuch, check_weight

__all__ = [
    "CHUNK_MARK", "CONTENTS", "FILE_HEAD", "HEAD_SIZE", "PART", "STEPS", "BadRecording", "Counts", "Damaged", "Head",
    "check_file_head", "pack_chunk", "pack_contents", "read_head", "unpack_chunk", "unpack_contents",
]  # fmt: skip

VERSION = 1
PART, CONTENTS, STEPS = b"P", b"O", b"S"
CHUNK_MARK = b"kdCH"

_MAGIC = b"kdash recording\n"
_FILE = struct.Struct("<16sHH")
_HEAD = struct.Struct("<4scIIIddIIII")
_CRC = struct.Struct("<I")
_LENGTH = struct.Struct("<I")
_LEVEL, _QUICK_LEVEL = 9, 1
_FARTHEST_S = 1e12
FILE_HEAD = _FILE.pack(_MAGIC, VERSION, 0)
HEAD_SIZE = _HEAD.size + _CRC.size



class BadRecording(Exception):
    """A file that cannot be read or written as a recording; the sentence is for the user."""


class Damaged(Exception):
    """One chunk cannot be read; others can."""


class Counts(NamedTuple):
    """What a head tells of its chunk."""

    first_at: float = 0.0
    last_at: float = 0.0
    events: int = 0
    resyncs: int = 0
    relists: int = 0
    records: int = 0


class Head(NamedTuple):
    """The head of one chunk."""

    kind: bytes
    length: int
    crc: int
    size: int
    counts: Counts


def check_file_head(data: bytes, name: str) -> None:
    """Check the first bytes of a file. Raises `BadRecording`."""
    if not data:
        raise BadRecording(f"{name} is empty: nothing was recorded in it")
    if len(data) < len(FILE_HEAD) and FILE_HEAD.startswith(data):
        raise BadRecording(f"{name} was cut off before anything was recorded")
    magic, version, _ = _FILE.unpack(data[: _FILE.size]) if len(data) >= _FILE.size else (b"", 0, 0)
    if magic != _MAGIC:
        raise BadRecording(f"{name} is no recording of kdash; `kdash record FILE` makes one")
    if version > VERSION:
        raise BadRecording(
            f"{name} was recorded by a newer kdash (format {version}, this one reads up to {VERSION}): update kdash"
        )
    if data[: len(FILE_HEAD)] != FILE_HEAD:
        raise BadRecording(f"{name} is damaged at its very beginning: it cannot be read")


def pack_chunk(kind: bytes, payload: object, counts: Counts, quick: bool = False) -> bytes:
    """One chunk, ready to be appended; `quick`: time is dearer than bytes."""
    try:
        raw = msgspec.msgpack.encode(payload)
    except UnicodeEncodeError:  # half a surrogate pair, as in a file name that is no UTF-8
        raw = msgspec.msgpack.encode(_encodable(payload))
    return _chunk(kind, _compress(raw, quick), len(raw), counts)


def _compress(raw: bytes, quick: bool) -> bytes:
    return zstandard.ZstdCompressor(level=_level(quick), write_checksum=True).compress(raw)


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, (list, tuple)) else value


def _level(quick: bool) -> int:
    return _QUICK_LEVEL if quick else _LEVEL


def pack_contents(
    index: object, contents: Sequence[bytes], bases: Sequence[bytes], counts: Counts, quick: bool = False
) -> bytes:
    """A chunk of contents; `bases` is what zstd may refer back to; `quick` as in `pack_chunk`."""
    head = _compress(msgspec.msgpack.encode(index), quick)
    raw, before = b"".join(contents), b"".join(bases)
    body = zstandard.ZstdCompressor(
        dict_data=_dictionary(before),
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            _level(quick), source_size=len(raw), dict_size=len(before), window_log=_window(len(raw) + len(before)),
            write_checksum=True,
        ),
    ).compress(raw)  # fmt: skip
    return _chunk(CONTENTS, _LENGTH.pack(len(head)) + head + body, len(raw), counts)


def read_head(data: bytes) -> Head | None:
    """The head that `data` begins with; None when there is none or it is damaged."""
    if len(data) < HEAD_SIZE or _CRC.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        return None
    mark, kind, length, crc, size, *fields = _HEAD.unpack_from(data)
    counts = Counts(*fields)
    if mark != CHUNK_MARK or not -_FARTHEST_S < counts.first_at <= counts.last_at < _FARTHEST_S:
        return None
    return Head(kind, length, crc, size, counts)


def unpack_chunk(head: Head, packed: bytes) -> Any:
    """The payload of a chunk. Raises `Damaged`."""
    _check(head, packed)
    return _decoded(_unpacked(packed, head.size))


def unpack_contents(head: Head, packed: bytes) -> tuple[Any, bytes]:
    """Of a chunk of contents: its index, and the frame that `contents_of` reads. Raises `Damaged`."""
    _check(head, packed)
    if len(packed) < _LENGTH.size:
        raise Damaged("contents without an index")
    length = _LENGTH.unpack_from(packed)[0]
    index = _decoded(_unpacked(packed[_LENGTH.size : _LENGTH.size + length], PAYLOAD_MAX))
    return index, packed[_LENGTH.size + length :]


def contents_of(frame: bytes, size: int, bases: Sequence[bytes]) -> bytes:
    """All contents of a chunk, one after the other. Raises `Damaged`."""
    return _unpacked(frame, size, b"".join(bases))


def _chunk(kind: bytes, packed: bytes, size: int, counts: Counts) -> bytes:
    head = _HEAD.pack(CHUNK_MARK, kind, len(packed), zlib.crc32(packed), size, *counts)
    return b"".join((head, _CRC.pack(zlib.crc32(head)), packed))


def _check(head: Head, packed: bytes) -> None:
    if len(packed) != head.length or zlib.crc32(packed) != head.crc:
        raise Damaged("a chunk is damaged")
    if head.size > (CONTENTS_MAX if head.kind == CONTENTS else PAYLOAD_MAX):
        raise Damaged("a chunk of a size that no kdash writes")


def _unpacked(frame: bytes, size: int, before: bytes = b"") -> bytes:
    try:
        said = zstandard.frame_content_size(frame)
        if not 0 <= said <= size:
            raise Damaged("a chunk of another size than its head says")
        return zstandard.ZstdDecompressor(dict_data=_dictionary(before)).decompress(frame) if said else b""
    except zstandard.ZstdError as error:
        raise Damaged(f"a chunk cannot be unpacked: {error}") from None


def _decoded(raw: bytes) -> Any:
    try:
        check_weight(raw)
        return msgspec.msgpack.decode(raw)
    except TooMuch as error:
        raise Damaged(f"a chunk that would take too much memory: {error}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Damaged(f"a chunk is no msgpack: {error}") from None


def _dictionary(before: bytes) -> zstandard.ZstdCompressionDict | None:
    return zstandard.ZstdCompressionDict(before, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if before else None


def _window(size: int) -> int:
    return min(27, max(10, size.bit_length()))
