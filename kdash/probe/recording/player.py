"""Tells a recorder once more what was told to the one that was recorded.

Contract: one thread moves the player; `recorder` may be read by others as always, under its lock. `at` is an instant
of the present part. Going forward applies steps; going back restores the newest earlier keyframe, which are kept in
memory while steps are applied, and goes forward from there. A step that cannot be applied is damage, never an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from math import inf
from typing import Any

from kdash.probe.build import Source
from kdash.probe.informers import Target
from kdash.probe.recorder import Recorder
from kdash.probe.recording.format import CONTENTS, STEPS, Damaged
from kdash.probe.recording.journal import Step
from kdash.probe.recording.keyframes import Keyframes
from kdash.probe.recording.reader import Chunk, ContentStore, Memory, Part, Recording, read_steps
from kdash.probe.recording.writer import GONE
from kdash.probe.snapshot import StateView
from kdash.probe.text import clean

__all__ = ["PlayClock", "Player"]

_KEYFRAME_AFTER = 150_000  # records applied since the last one, at least
_KEYFRAMES = 10  # of a long part, about
_FAR_S = 30.0  # of a recording: as long as it takes to restore a keyframe, about
_NEAR_AFTER, _NEAR_S = 10_000, 10.0  # the same, so long before an instant that was gone back to


class PlayClock:
    """The recorded machine's clock at the playhead."""

    def __init__(self, at: float = 0.0, wall_offset_s: float = 0.0) -> None:
        self.at = at
        self.wall_offset_s = wall_offset_s

    def monotonic(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.at + self.wall_offset_s

    def wait(self, condition: Any, timeout_s: float | None = None) -> bool:
        """Nobody waits on a recorded clock: always False."""
        return False


class Player:
    """One part of a recording under the playhead. `present`: what the caches hold there."""

    def __init__(
        self, recording: Recording, make: Callable[[str, bytes], Any] = lambda informer, raw: raw,
        raw: Callable[[Any], bytes] = bytes, content: type = bytes,
        pack: Callable[[str, Any], Any] | None = None, keyframes: Keyframes | None = None, part: int = 0,
    ) -> None:
        """Stands at the start of a part.

        `make`, which gives `content`s, and `raw`: see `ContentStore`; `pack`: see `HistoryTopic`. `keyframes` are
        those of another player of the same recording, which alone says what part they are of.
        """
        self._pack = pack
        self.recording = recording
        self._make = make
        self._raw = raw
        self.keyframes = keyframes or Keyframes(content)
        self._leads = keyframes is None
        self._told: set[int] = set()
        self.begin(part)

    def begin(self, part: int) -> None:
        """To the start of a part."""
        about = self.recording.parts[part].about
        self.number = part
        self.part: Part = self.recording.parts[part]
        if self._leads:
            self.keyframes.begin(part, self.part.first_at)
        self._spacing = max(_KEYFRAME_AFTER, sum(chunk.head.counts.records for chunk in self.part.chunks) // _KEYFRAMES)
        clock = PlayClock(self.part.first_at, self.part.wall_offset_s)
        slow_limit_s = about.get("slow_limit_s")
        self._set(Recorder(clock, slow_limit_s=slow_limit_s if isinstance(slow_limit_s, float) else 0.1))
        second = about.get("second")
        self.recorder.begin_at(second if isinstance(second, int) else int(clock.at), self.part.wall_offset_s)
        name = about.get("source")
        self.source = Source(clean(name) if isinstance(name, str) else "", connection=StateView("STARTING"))
        self._memory = Memory(ContentStore(self._make, self._raw))
        self.present: dict[tuple[str, str], Any] = {}
        self._next_chunk = 0
        self._waiting: list[Step] = []
        self._done = 0
        self._set_out(self.clock.at)

    def _set_out(self, at: float) -> None:
        """Nothing is applied since the keyframe of this instant, or the start."""
        self._weight, self._kept_at, self._near = 0, at, inf

    @property
    def at(self) -> float:
        """The playhead."""
        return self.clock.at

    def _set(self, recorder: Recorder) -> None:
        recorder.history.pack = self._pack
        self.recorder = recorder
        self.clock: PlayClock = recorder.clock  # type: ignore[assignment]

    # moving ----------------------------------------------------------------------------------------------

    def forward(self, at: float, records: int = 1 << 60) -> bool:
        """Apply what was told up to `at`, until about `records` records are applied; True once `at` is reached."""
        while records > 0:
            step = self._next_step()
            if step is None or step[1] > at:
                self._move(at)
                return True
            self._done += 1
            weight = len(step[2]) + 1 if step[0] in "tv" else 1
            records -= weight
            self._weight += weight
            self._move(max(self.clock.at, step[1]))
            self._apply(step)
        return False

    def approach(self, at: float) -> None:
        """`back`, if that is the shorter way to `at`: before the playhead, or far behind it with a keyframe between."""
        known = self.keyframes.find(self.number, at)
        if at < self.at or (known is not None and known.at > self.at + _FAR_S):
            self.back(at)

    def back(self, at: float) -> None:
        """Restore what is known of some instant not after `at`; then `forward` leads there.

        Shortly before it a keyframe is kept: who goes back once goes back again, a little further.
        """
        found = self.keyframes.find(self.number, at)
        if found is None:
            self.begin(self.number)
            self._near = at
            return
        state = found.restore()
        self._set(state["recorder"])
        self.source, self._next_chunk, self._done = state["source"], state["next_chunk"], 0
        self._memory = Memory(ContentStore(self._make, self._raw))
        self._memory.contents.newest, self.present = dict(found.newest), dict(found.present)
        self._memory.strings.strings = list(state["strings"])
        self._memory.links = state["links"]
        self._waiting = []
        self._set_out(found.at)
        self._near = at

    @property
    def is_at_end(self) -> bool:
        """Whether nothing follows in this part."""
        return self._next_step() is None

    def _move(self, at: float) -> None:
        self.clock.at = at

    def _next_step(self) -> Step | None:
        while self._done >= len(self._waiting):
            if self._next_chunk >= len(self.part.chunks):
                return None
            chunk = self.part.chunks[self._next_chunk]
            if self._waiting and self._is_time_to_keep(chunk):
                self._keep()
            self._next_chunk += 1
            self._waiting, self._done = [], 0
            self._read(chunk)
        return self._waiting[self._done]

    def _is_time_to_keep(self, chunk: Chunk) -> bool:
        """Before `chunk`: whether the last keyframe is far behind."""
        if chunk.head.counts.last_at >= self._near - _NEAR_S:
            self._near = inf
            if self._weight > _NEAR_AFTER:
                return True
        return self._weight > self._spacing + 4 * self.recorder.objects.objects

    def _keep(self) -> None:
        """A keyframe between two chunks of steps, unless there is one since the last that was met on this way."""
        self._weight = 0
        known = self.keyframes.find(self.number, self.clock.at)
        if known is not None and known.at > self._kept_at:
            self._kept_at = known.at
            return
        self._kept_at = self.clock.at
        with self.recorder.lock:
            state = {"recorder": self.recorder, "source": self.source, "next_chunk": self._next_chunk,
                     "strings": self._memory.strings.strings, "links": self._memory.links}
            self.keyframes.keep(self.number, self.clock.at, state, self._memory.contents.newest, self.present)

    def _read(self, chunk: Chunk) -> None:
        try:
            if chunk.head.kind == CONTENTS:
                self._memory.contents.take(chunk.head, self.recording.packed(chunk))
            elif chunk.head.kind == STEPS:
                self._waiting = read_steps(self.recording, chunk, self._memory)
        except Damaged as error:
            self._tell(chunk.offset, str(error))

    def _tell(self, offset: int, what: str) -> None:
        if offset not in self._told:
            self._told.add(offset)
            self.recording.tell(f"at byte {offset}: {what}")

    # applying --------------------------------------------------------------------------------------------

    def _apply(self, step: Step) -> None:
        try:
            self._carry_out(step)
        except Exception as error:  # a step of any shape: its checksum is right, and yet no kdash wrote it
            self._tell(-self._next_chunk, f"a step that makes no sense ({type(error).__name__})")

    def _carry_out(self, step: Step) -> None:
        recorder, kind = self.recorder, step[0]
        if kind == "t":
            recorder.take_some(step[2], step[3])
        elif kind == "k":
            recorder.tick()
        elif kind == "v":
            recorder.take_versions(step[2])
            for fed in step[2]:
                self._holds(fed.informer, fed.key, None if fed.event == GONE else fed.content)
        elif kind == "c":
            for cached in step[2]:
                self._holds(*cached)
        elif kind == "o":
            self.source = source_of(step[2])
        elif kind == "r":
            recorder.register(Target(*(clean(str(word)) for word in step[2:11])))
        elif kind == "n":
            recorder.note(clean(str(step[2])), str(step[3]), bool(step[4]))
        elif kind == "h":
            limit = step[5]
            recorder.describe_handler(step[2], clean(str(step[3])), clean(str(step[4])), limit and float(limit))
        elif kind == "l":
            recorder.reset_latency()
        elif kind == "p":
            recorder.reset_peak()
        elif kind == "s":
            recorder.set_slow_limit(float(step[2]), step[3])
        elif kind == "f":
            recorder.forget(str(step[2]))
        elif kind == "d":
            recorder.lost(int(step[2]))

    def _holds(self, informer: str, key: str, content: Any) -> None:
        if content is None:
            self.present.pop((informer, key), None)
        else:
            self.present[informer, key] = content


def source_of(told: Any) -> Source:
    """What the observation knew; raises some ordinary error when `told` is something else."""
    connection = told["connection"]
    if connection is not None:
        known = {each.name for each in fields(StateView)}
        told_state: dict[str, Any] = {name: clean(value) if isinstance(value, str) else value
                                      for name, value in connection.items() if name in known}
        connection = StateView(**told_state)
    return Source(
        clean(str(told["name"])), bool(told["is_demo"]), clean(str(told["banner"])), connection,
        [(str(key), tuple(map(str, types)), float(since)) for key, types, since in told["head"]],
        {str(informer): int(count) for informer, count in told["behind"].items()},
    )  # fmt: skip
