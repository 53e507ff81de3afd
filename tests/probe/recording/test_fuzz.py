"""10,000 damaged files: no crash, no hang, and one clear sentence for each that cannot be opened.

Half of the mutations hit the bytes of the file; the other half change a payload and set all its checksums right, as
only malice or a bug would.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kdash.probe.build import build
from kdash.probe.recording import format as fmt
from kdash.probe.recording.format import CHUNK_MARK, FILE_HEAD, HEAD_SIZE, BadRecording
from kdash.probe.recording.moments import Moments, Place
from kdash.probe.recording.player import Player
from kdash.probe.recording.reader import Recording, open_recording
from tests.probe.recording.made import player_of, second, write

MUTATIONS = 10_000
GROUPS = 8
VALUES: tuple[Any, ...] = (None, True, -1, 0, 1 << 62, 1e300, float("nan"), "", "x" * 300, b"", b"\xff" * 9, [], {},
                           [[1]], {"a": 1}, "\x1b[31m", -(1 << 63))


def flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def leave_out(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randint(1, 200)]


def put_in(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = rng.choice([CHUNK_MARK * 9, rng.randbytes(40), b"\0" * 300, bytes(data[-400:])])


BYTES: tuple[Callable[[bytearray, random.Random], None], ...] = (flip, cut, leave_out, put_in)


def places_of(value: Any) -> list[tuple[Any, Any]]:
    """Everything in a payload that can be replaced: (container, key)."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, (list, dict)):
        for key in range(len(value)) if isinstance(value, list) else list(value):
            found.append((value, key))
            found += places_of(value[key])
    return found


def forge(data: bytes, rng: random.Random) -> bytes:
    """One payload changed, all its checksums right."""
    starts = [at for at in range(len(data))
              if data[at : at + 4] == CHUNK_MARK and fmt.read_head(data[at : at + HEAD_SIZE])]
    at = rng.choice(starts)
    head = fmt.read_head(data[at : at + HEAD_SIZE])
    assert head is not None
    packed = data[at + HEAD_SIZE : at + HEAD_SIZE + head.length]
    counts = fmt.Counts(*(rng.choice([each, 0, 9]) for each in head.counts)) if rng.random() < 0.2 else head.counts
    if head.kind == fmt.CONTENTS:
        index, frame = fmt.unpack_contents(head, packed)
        change(index, rng)
        packed_index = fmt._compress(msgspec.msgpack.encode(index), True)
        packed = struct.pack("<I", len(packed_index)) + packed_index + frame
        size = head.size
    else:
        payload = fmt.unpack_chunk(head, packed)
        change(payload, rng)
        raw = msgspec.msgpack.encode(payload)
        packed, size = fmt._compress(raw, True), len(raw)
    new = fmt._HEAD.pack(CHUNK_MARK, head.kind, len(packed), zlib.crc32(packed), size, *counts)
    return data[:at] + new + struct.pack("<I", zlib.crc32(new)) + packed + data[at + HEAD_SIZE + head.length :]


def change(payload: Any, rng: random.Random) -> None:
    places = places_of(payload)
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(places)
        if not isinstance(container, list) or key < len(container):
            container[key] = rng.choice(VALUES)


def use(recording: Recording) -> None:
    """All that a replay does with a file."""
    player: Player = player_of(recording)
    for number, part in enumerate(recording.parts):
        player.begin(number)
        player.forward(part.first_at + 0.5, 10)
        player.forward(part.last_at)
        picture = build(player.recorder, player.source)
        assert picture.objects >= 0
        for at in range(player.recorder.events.first, player.recorder.events.total):
            line = player.recorder.events.line(at)
            assert line is None or line.text.isprintable()
        player.back(part.first_at)
        player.forward(part.first_at)
    moments = Moments(recording)
    for kind in ("event", "resync", "relist"):
        moments.next(kind, moments.first, 1)
        moments.next(kind, moments.last, -1)
    moments.search("web-1", Place(0, 0.0))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("group", range(GROUPS))
def test_a_mutated_file_is_read_as_far_as_it_goes(
    group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdash.probe.recording.journal._STORM", 10)
    seconds = [second(number, 2, calm=number < 2) for number in range(3)]  # the last one is a storm
    data = write(tmp_path / "whole", seconds).read_bytes()
    path = tmp_path / "mutated"
    opened = 0
    for number in range(group, MUTATIONS, GROUPS):
        rng = random.Random(number)
        if number % 2:
            mutated = bytearray(data)
            rng.choice(BYTES)(mutated, rng)
        else:
            mutated = bytearray(forge(data, rng))
        path.write_bytes(mutated)
        try:
            recording = open_recording(path)
        except BadRecording as error:
            assert str(path) in str(error) and "\n" not in str(error), number
            continue
        opened += 1
        try:
            use(recording)
        except Exception as error:
            raise AssertionError(f"mutation {number}") from error
        finally:
            recording.close()
    assert opened > MUTATIONS / GROUPS / 2


def test_the_head_of_a_file_is_as_long_as_said() -> None:
    assert len(FILE_HEAD) == 20
