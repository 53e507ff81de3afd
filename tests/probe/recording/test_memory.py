"""A recording that somebody made to fill memory is refused in part or whole: 150 MB resident, whatever it is."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zstandard

from kdash.probe.recording.format import CONTENTS, FILE_HEAD, PART, STEPS, Counts, pack_chunk
from kdash.probe.recording.weight import TooMuch, check_weight

RESIDENT_MAX_MB = 150
READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
from kdash.probe.recording.format import BadRecording
from kdash.observe.replay import open_replay
try:
    observation = open_replay(sys.argv[1], playing=False)
    lines = sum(1 for _ in observation.lines())
    observation.snapshot()
    print(*observation.damage, sep="; ")
except BadRecording as error:
    print(error)
print(next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def chunk(kind: bytes, raw: bytes, at: float = 100.0, size: int | None = None, packed: bytes | None = None) -> bytes:
    """A chunk whose checksums are right, of any payload."""
    if packed is None:
        packed = zstandard.ZstdCompressor(level=9, write_checksum=True).compress(raw)
    size = len(raw) if size is None else size
    head = struct.pack("<4scIIIddIIII", b"kdCH", kind, len(packed), zlib.crc32(packed), size, at, at + 1, 1, 0, 0, 1)
    return head + struct.pack("<I", zlib.crc32(head)) + packed


def contents(index: object, raw: bytes, body: bytes | None = None) -> bytes:
    """A chunk of contents."""
    pack = zstandard.ZstdCompressor(level=9, write_checksum=True)
    head = pack.compress(msgspec.msgpack.encode(index))
    return chunk(CONTENTS, raw, packed=struct.pack("<I", len(head)) + head + (body or pack.compress(raw)))


def steps(*payload: object) -> bytes:
    return chunk(STEPS, msgspec.msgpack.encode(list(payload)))


def group(columns: list[object], count: int) -> list[object]:
    """Records of one kind."""
    return [0, [], ["queue.popped"], bytes(count), ["=", 1], ["=", 100.0], [columns]]


EMPTY = [0, [], [], b"", ["r", []], ["r", []], []]
SAME = [["=", "pods"], ["=", 7], ["=", "a/b"], ["=", 1], ["=", 1], ["=", ""], ["=", False], ["=", 0.0], ["=", 0],
        ["=", 0], ["=", 0], ["c", [1, b""]]]  # fmt: skip
MB = 1 << 20


def many_contents() -> bytes:
    raw = b'{"a":"' + b"x" * (20 * MB - 8) + b'"}'
    each = [contents([number, [["pods", f"a/{number}"]], [20 * MB], []], raw) for number in range(40)]
    return b"".join(each) + steps([["k", 100.0]], EMPTY, EMPTY, [])


def references() -> bytes:
    """One content, to which the next chunk refers ten thousand times."""
    raw = b'{"a":"' + b"x" * (8 * MB - 8) + b'"}'
    return (contents([0, [["pods", "a/b"]], [len(raw)], []], raw)
            + contents([1, [["pods", "a/b"]], [2], [0] * 10_000], b"{}") + steps([["k", 100.0]], EMPTY, EMPTY, []))


def strings(number: int) -> bytes:
    """A chunk that adds 200,000 strings to the table."""
    new = [f"{number}-{each}" for each in range(200_000)]
    return steps([], [number * 200_000, new, [], b"", ["r", []], ["r", []], []], EMPTY, [])


def many(value: bytes) -> bytes:
    """Steps of millions of equal values."""
    return chunk(STEPS, b"\x94\xdd" + struct.pack(">I", 15 * MB) + value * (15 * MB) + b"\x90\x90\x90")


HOSTILE: dict[str, Callable[[], bytes]] = {
    "records": lambda: steps([["t", 100.0, 60 * MB, 0, 0, 0, True]], group(SAME, 15 * MB), EMPTY, []),
    "values": lambda: steps([], group([["i", 0, [1, bytes(15 * MB)]], *SAME[1:]], 10), EMPTY, []),
    "truth": lambda: steps([], group([["b", bytes(15 * MB)], *SAME[1:]], 10), EMPTY, []),
    "nulls": lambda: steps([], group([["o", bytes(15 * MB), ["r", []]], *SAME[1:]], 10), EMPTY, []),
    "a bomb": lambda: chunk(STEPS, b"\x00" * (1 << 30)),
    "another size": lambda: chunk(STEPS, b"\x00" * (60 * MB), size=100),
    "empty lists": lambda: many(b"\x90"),
    "empty maps": lambda: many(b"\x80"),
    "numbers": lambda: many(b"\xe0"),
    "nesting": lambda: chunk(STEPS, b"\x91" * (15 * MB)),
    "a deep value": lambda: steps([["o", 100.0, {"name": [[[[]]]]}]], group(
        [["r", [msgspec.Raw(b"\x91" * 900 + b"\x90")] * 10], *SAME[1:]], 10), EMPTY, []),
    "a count without values": lambda: chunk(STEPS, b"\x94\xdd\xff\xff\xff\xff"),
    "a part": lambda: chunk(PART, b"\xdf" + struct.pack(">I", 5 * MB) + b"\xa0\x90" * (5 * MB)),
    "an index": lambda: contents([0, [["", ""]] * (4 * MB), [0] * (4 * MB), []], b""),
    "lengths": lambda: contents([0, [["pods", "a/b"]] * 2, [-5, 7], []], b"{}"),
    "one content": lambda: contents([0, [["pods", "a/b"]], [1 << 30], []], b"x" * (1 << 30)),
    "many contents": many_contents,
    "references": references,
    "strings": lambda: b"".join(map(strings, range(20))),
}  # fmt: skip


def read(path: Path) -> tuple[str, int]:
    """What is said of a file, and the megabytes that were resident at most."""
    result = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, timeout=100,
                            check=False)  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    *told, resident = result.stdout.strip().split("\n")
    return "\n".join(told), int(resident)


@pytest.mark.parametrize("what", HOSTILE)
def test_no_file_takes_more_than_150_mb(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a.rec"
    begin = pack_chunk(PART, {"source": "made", "second": 100}, Counts(100.0, 101.0))
    path.write_bytes(FILE_HEAD + begin + HOSTILE[what]() + steps([["k", 100.5]], EMPTY, EMPTY, []))
    told, resident = read(path)
    assert resident < RESIDENT_MAX_MB
    assert told and "\n" not in told and "internal" not in told


def test_a_busy_second_is_not_too_much() -> None:
    rows = [[number, 1.5 * number, "watch.event", "pods", 7, 1, "MODIFIED", f"default/web-{number}",
             f"uid-{number}" * 3, str(number), str(number - 1), 900, True, ""] for number in range(50_000)]  # fmt: skip
    check_weight(msgspec.msgpack.encode(rows))
    with pytest.raises(TooMuch):
        check_weight(msgspec.msgpack.encode([[]] * (1 << 20)))
