"""A recording behind the same door as a live observation.

Contract: the `Observation` of `door`. The thread `kdash-replay` moves the playhead: in time while it plays, step by
step to where it was sent; readers see each moment of it. What cannot be done on a recording is refused with the
reason. Nothing here makes a request or writes a file.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from kdash.informer.objects import KubeObject
from kdash.observe.door import Look, Outcome
from kdash.observe.read_ahead import ReadAhead
from kdash.observe.redact import HIDDEN, decoded, holds_secrets
from kdash.observe.refusals import Refusals
from kdash.observe.summary import summary_of
from kdash.observe.versions import VersionPacker, changes_between, history_of, readable, version_content
from kdash.probe.advice import advise
from kdash.probe.build import build
from kdash.probe.events import EventLine, EventLog
from kdash.probe.objects import ObjectIndex, ObjectRef
from kdash.probe.recording.keyframes import Keyframes
from kdash.probe.recording.moments import Moments, Place
from kdash.probe.recording.player import Player
from kdash.probe.recording.reader import Recording, open_recording
from kdash.probe.snapshot import AdviceView, ChangeView, ReplayView, Snapshot, VersionView
from kdash.probe.text import clean, duration

__all__ = ["SPEEDS", "ReplayObservation", "open_replay"]

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0)
_TICK_S = 0.05
_SLOW = 5.0  # speeds that leave the machine time to read ahead
_PACE_S = 1.0
_LATE_S = 0.25  # what cannot be played as fast as was asked for is played as fast as can be, and no leaps are made
_LINES_AT_ONCE = 2_000
_SETTLE_S = 0.3  # a watch line tells what became of its event
_AT_ONCE = 20_000  # records between two looks at whether somebody wants to go elsewhere


def open_replay(path: str, *, playing: bool = True, read_ahead: bool = False) -> ReplayObservation:
    """Raises `BadRecording` with one sentence when there is nothing to replay.

    `read_ahead`: while nobody waits for anything else, so that jumps are short once it is done.
    """
    return ReplayObservation(open_recording(path), playing=playing, read_ahead=read_ahead)


class ReplayObservation(Refusals):
    """A recording under the playhead."""

    is_demo = False
    is_replay = True
    failure = None

    def __init__(self, recording: Recording, *, playing: bool = True, read_ahead: bool = False) -> None:
        self._recording = recording
        self._packer = VersionPacker()
        self._player = self._make_player(None, 0)
        self._moments = Moments(recording)
        self._relists, self._resyncs = map(self._moments.seconds_with, ("relist", "resync"))
        self._condition = threading.Condition()  # guards the four that follow
        self._playing = playing
        self._speed = 1.0
        self._wish: Place | None = None
        self._stopping = False
        self._pace = _Pace()
        self._moved = 0
        self.stopping = threading.Event()
        self._player.forward(self._player.part.first_at)
        self.reader = ReadAhead(lambda part: self._make_player(self._player.keyframes, part),
                                lambda: self._player.number, self._is_busy, self.stopping)
        self._threads = [threading.Thread(target=self._run, name="kdash-replay", daemon=True)]
        if read_ahead:
            self._threads.append(threading.Thread(target=self.reader.run, name="kdash-read-ahead", daemon=True))

    def _make_player(self, keyframes: Keyframes | None, part: int) -> Player:
        pack = self._packer.pack
        return Player(self._recording, self._content, KubeObject.to_json, KubeObject, pack, keyframes, part)

    # the door --------------------------------------------------------------------------------------------

    @property
    def objects(self) -> ObjectIndex:
        return self._player.recorder.objects

    @property
    def events(self) -> EventLog:
        return self._player.recorder.events

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        self.stopping.set()
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))

    def now(self) -> float:
        return time.monotonic()

    def activity(self) -> int:
        return self._moved

    def snapshot(self) -> Snapshot:
        return replace(self.picture(), replay=self.view())

    def picture(self) -> Snapshot:
        """What the live observation would have shown at this instant."""
        player = self._player
        return build(player.recorder, player.source)

    def view(self) -> ReplayView:
        """Where the replay stands."""
        moments, wish = self._moments, self._wish
        return ReplayView(
            moments.wall(self.place), moments.wall(moments.first), moments.wall(moments.last), self._playing,
            self._speed, None if wish is None else moments.wall(wish),
            self._recording.damage[0] if self._recording.damage else "", self._relists, self._resyncs,
            self._pace.reached,
        )  # fmt: skip

    @property
    def damage(self) -> tuple[str, ...]:
        """What could not be read so far, in sentences."""
        return tuple(self._recording.damage)

    def lines(self) -> Iterator[EventLine]:
        """The whole event log, from the playhead on, in order; only without `start`."""
        player, following = self._player, 0
        while True:
            at_end = player.forward(player.part.last_at, _LINES_AT_ONCE)
            log = self.events
            settled = player.part.last_at if at_end else player.at - _SETTLE_S
            following = max(following, log.first)
            while following < log.total and (line := log.line(following)) is not None and line.at <= settled:
                yield line
                following += 1
            if at_end:
                if player.number + 1 == len(self._recording.parts):
                    return
                player.begin(player.number + 1)
                following = 0

    @property
    def place(self) -> Place:
        """The playhead."""
        return Place(self._player.number, self._player.at)

    # reading ---------------------------------------------------------------------------------------------

    def read_object(self, ref: ObjectRef) -> Mapping[str, Any] | None:
        return readable(ref.informer, self._cached(ref))

    def freeze(self) -> Look:
        return self  # what was recorded stands still by itself while nothing plays

    def labels(self, ref: ObjectRef) -> Mapping[str, str]:
        content = self._cached(ref)
        return {} if content is None else content.labels

    def summary(self, ref: ObjectRef) -> str:
        content = self._cached(ref)
        if content is None:
            return ""
        if holds_secrets(ref.informer):
            return HIDDEN  # its keys were not recorded
        return summary_of(decoded(ref.informer, content))

    def history(self, ref: ObjectRef) -> tuple[VersionView, ...]:
        return history_of(self._player.recorder, ref)

    def version(self, ref: ObjectRef, number: int) -> Mapping[str, Any] | None:
        return version_content(self._player.recorder, ref, number, self.read_object)

    def changes(self, ref: ObjectRef, old: int, new: int) -> tuple[ChangeView, ...]:
        before, after = self.version(ref, old), self.version(ref, new)
        return () if before is None or after is None else changes_between(before, after)

    def advice(self) -> tuple[AdviceView, ...]:
        return advise(self.picture())

    def _cached(self, ref: ObjectRef) -> KubeObject | None:
        row = self.objects.get(ref)
        if row is None or row.mark == "gone":
            return None
        content = self._player.present.get((ref.informer, ref.key))
        return content if isinstance(content, KubeObject) else None

    def _content(self, informer: str, raw: bytes) -> KubeObject:
        content, _ = self._packer.pack(informer, KubeObject.from_bytes(raw))
        assert isinstance(content, KubeObject)
        return content

    # moving ----------------------------------------------------------------------------------------------

    def play(self, playing: bool | None = None) -> Outcome:
        """Play or pause; None: the other one. At the end, playing begins at the start."""
        with self._condition:
            self._playing = not self._playing if playing is None else playing
            if self._playing and self.place >= self._moments.last:
                self._wish = self._moments.first
            self._condition.notify_all()
            return Outcome(True, "playing" if self._playing else "paused")

    def set_speed(self, speed: float) -> Outcome:
        """0.1 to 100 times as fast as it happened."""
        if not SPEEDS[0] <= speed <= SPEEDS[-1]:
            return Outcome(False, f"a speed is {SPEEDS[0]:g}x to {SPEEDS[-1]:g}x")
        with self._condition:
            self._speed = speed
            self._condition.notify_all()
        return Outcome(True, f"speed {speed:g}x")

    def faster(self, by: int) -> Outcome:
        """The next speed (or the one before)."""
        at = bisect.bisect_left(SPEEDS, self._speed)
        return self.set_speed(SPEEDS[max(0, min(at + by, len(SPEEDS) - 1))])

    def go(self, wall: float) -> Outcome:
        """To an instant, in seconds since the epoch; what lies outside is cut to the first or the last one."""
        place = self._moments.at_wall(wall)
        self._send(place)
        return Outcome(True, f"at {self._words(place)}")

    def skip(self, kind: str, by: int) -> Outcome:
        """To the next (or last) `event`, `resync` or `relist`."""
        found = self._moments.next(kind, self._wish or self.place, by)
        if found is None:
            return Outcome(False, f"no {kind} {'follows' if by > 0 else 'comes before this'} in this recording")
        self._send(found)
        return Outcome(True, f"{kind} at {self._words(found)}")

    def find(self, text: str, given_up: Callable[[], bool] = lambda: False) -> Outcome:
        """To the next watch event whose key contains `text`; reads all up to it, unless that is `given_up`."""
        found = self._moments.search(text, self._wish or self.place, given_up)
        if found is None:
            return Outcome(False, f"no later event has {clean(text)} in its key")
        self._send(found[0])
        return Outcome(True, f"{clean(found[1])} at {self._words(found[0])}")

    def _send(self, place: Place) -> None:
        """Pause, and let the playhead go there."""
        with self._condition:
            self._wish, self._playing = place, False
            self._condition.notify_all()
        self._moved += 1

    def _words(self, place: Place) -> str:
        wall = self._moments.wall(place)
        clock = time.strftime("%H:%M:%S", time.localtime(wall)) + f".{int(wall % 1 * 1000):03}"
        return f"{clock}, {duration(max(0.0, wall - self._moments.wall(self._moments.first)))} after the start"

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until the playhead is where it was sent; for callers without a screen. False when the time is over."""
        with self._condition:
            return self._condition.wait_for(lambda: self._wish is None or self._stopping, timeout_s)

    # the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            with self._condition:
                if not self._playing and self._wish is None and not self._stopping:
                    self._pace.begin()
                    self._condition.wait()
                    last = time.monotonic()
                if self._stopping:
                    return
                wish, speed, playing = self._wish, self._speed, self._playing
            if wish is not None:
                self._pace.begin()
                self._go(wish)
                last = time.monotonic()
                continue
            if playing:
                now = time.monotonic()
                self._play_on(min(now - last, _LATE_S) * speed)
                self._pace.look(now, self.place, speed)
                last = now
            self.stopping.wait(_TICK_S)

    def _go(self, wish: Place) -> None:
        player = self._player
        number, at = wish
        if number != player.number:
            self._keeping_view(lambda: player.begin(number))
        self._keeping_view(lambda: player.approach(at))
        while not player.forward(at, _AT_ONCE):
            self._moved += 1
            with self._condition:
                if self._stopping or self._wish != wish:
                    return
        with self._condition:
            if self._wish == wish:
                self._wish = None
            self._condition.notify_all()
        self._moved += 1

    def _play_on(self, seconds: float) -> None:
        player = self._player
        at = player.at + seconds
        if at >= player.part.last_at:
            player.forward(player.part.last_at)
            if player.number + 1 < len(self._recording.parts):
                self._keeping_view(lambda: player.begin(player.number + 1))
            else:
                with self._condition:
                    self._playing = False
            self._moved += 1
            return
        while not player.forward(min(at, player.part.last_at), _AT_ONCE):
            if self._stopping or self._wish is not None or not self._playing:
                return
        self._moved += 1

    def _keeping_view(self, jump: Callable[[], None]) -> None:
        """The tree keeps its filter, order and folds over a jump that makes another index."""
        before = self.objects
        jump()
        if self.objects is not before:
            self.objects.look_like(before)

    def _is_busy(self) -> bool:
        """Whether somebody waits for the playhead, or it goes so fast that it needs the machine."""
        return self._wish is not None or (self._playing and self._speed > _SLOW)


class _Pace:
    """How fast a replay really goes, over about a second."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """It stands still, or is sent elsewhere."""
        self.reached: float | None = None
        self._since: tuple[float, Place, float] | None = None

    def look(self, now: float, place: Place, speed: float) -> None:
        """Where it is now."""
        if self._since is None or self._since[1].part != place.part or self._since[2] != speed:
            self._since = now, place, speed
            self.reached = None
        elif now - self._since[0] >= _PACE_S:
            self.reached = (place.at - self._since[1].at) / (now - self._since[0])
            self._since = now, place, speed
