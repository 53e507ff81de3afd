"""Recordings made by hand, without a server, a thread or a clock."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kdash.probe.history import VersionFed
from kdash.probe.recording.format import FILE_HEAD
from kdash.probe.recording.journal import Journal, Moment, Step
from kdash.probe.recording.keyframes import Keyframes
from kdash.probe.recording.player import Player
from kdash.probe.recording.reader import Recording, open_recording
from kdash.probe.recording.writer import Writer

SECONDS = 12
PACE = (4, 4, 0, 0, 0.0, 0.001)


class Content(NamedTuple):
    """What a recorder keeps of an object, as a recording knows it."""

    raw: bytes

    @property
    def resource_version(self) -> str:
        return str(json.loads(self.raw)["v"])

    @property
    def uid(self) -> str:
        return "u"

    def to_json(self) -> bytes:
        return self.raw


def content(version: int, words: str = "") -> Content:
    return Content(json.dumps({"v": version, "words": words or "the same in every version " * 8}).encode())


def second(number: int, keys: int = 4, calm: bool = True) -> list[Step]:
    """Of each key a watch event with all that follows from it, and its new version."""
    at, steps, versions = float(100 + number), [], []
    base = number * keys * 10
    records = []
    for key in range(keys):
        name, seq, when = f"dev/web-{key}", base + key * 10 + 1, at + key / 100
        new, old = str(number + 1), str(number)
        records += [
            (seq, when, "watch.event", "pods", 7, 1, "MODIFIED", name, f"u{key}", new, old, 900, True, ""),
            (seq + 1, when + 0.001, "queue.enqueued", "pods", 7, name, "Updated", new, 1, 1, 1, True, seq),
            (seq + 2, when + 0.002, "queue.popped", "pods", 8, name, 1, 1, "", False, 0.001, 0, 0, 0, seq + 1),
            (seq + 3, when + 0.003, "store.mutation", "pods", 8, "update" if number else "add", name, old if number
             else "", new, False, 900, 900, "Updated", seq + 1),
            (seq + 4, when + 0.004, "notify.distribute", "pods", 8, "update", name, new, False, ("audit",), (),
             seq + 3),
            (seq + 5, when + 0.0045, "queue.processed", "pods", 8, name, True, "", 0.0021),
            (seq + 6, when + 0.005, "handler.start", "pods", 9, "audit", "update", name, new, False, False,
             0.0009999999999, 0, seq + 4),
            (seq + 7, when + 0.006, "handler.end", "pods", 9, "audit", "update", name, new, old, False, False, False,
             0.0009999999999, 0.0010000000001, "", 0, seq + 4),
        ]
        versions.append(VersionFed(seq + 3, when + 0.003, "pods", name, "Updated", new, content(number + 1), 900, old,
                                   content(number) if number else None, 900))
    if number == 0:
        records = [(1, at, "listener.added", "pods", 1, "audit", 5.0, 5.0, "", False, 0), *[
            (record[0] + 10, *record[1:]) for record in records]]
        steps.append(("r", at, "pods", "", "pods", "", "-A", "delta", "v1"))
    if number % 5 == 4:
        records.append((base + 39, at + 0.5, "resync.enqueued", "pods", 3, 1, "delta", *PACE))
    moment = Moment(len(records), keys, int(number % 5 == 4), 0)
    steps += [("t", at + 0.6, records, calm, moment), ("v", at + 0.61, versions), ("k", at + 0.62)]
    return steps


def cached(at: float, *contents: tuple[str, str, Content | None]) -> Step:
    """What caches hold besides the histories: (informer, key, content or None)."""
    return ("c", at, {each[:2]: each for each in contents})


def write(path: Path, seconds: Sequence[list[Step]] | None = None, wall_offset_s: float = 1_700_000_000.0) -> Path:
    """A recording of these seconds, each told to a journal."""
    seconds = [second(number) for number in range(SECONDS)] if seconds is None else seconds
    writer, journal = Writer(), Journal()
    about = {"wall_offset_s": wall_offset_s, "second": int(seconds[0][0][1]), "slow_limit_s": 0.1, "source": "made"}
    with path.open("ab") as file:
        if not file.tell():
            file.write(FILE_HEAD)
        file.write(writer.part(about, seconds[0][0][1]))
        for steps in seconds:
            for step in steps:
                journal.tell(*step)
            for chunk in writer.chunks_of(journal.take(steps[-1][1])):
                file.write(chunk)
    return path


def player_on(path: str | os.PathLike[str]) -> Player:
    """A player at its start."""
    return player_of(open_recording(Path(path)))


def player_of(recording: Recording, keyframes: Keyframes | None = None) -> Player:
    return Player(recording, lambda _, raw: Content(raw), lambda each: each.raw, Content, keyframes=keyframes)
