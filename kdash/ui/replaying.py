"""The actions that record, and those that move the playhead of a recording."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kdash.observe.door import Outcome, Replay, replay_of
from kdash.observe.parse import BadValue, parse_instant
from kdash.probe.text import clean
from kdash.ui.presenter.scrub import instant_at

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["Replaying"]

_SPEED = re.compile(r"(\d+(?:\.\d+)?)x?")


class Replaying:
    """Recording and replay of one app."""

    def __init__(self, app: KdashApp) -> None:
        self._app = app

    def table(self) -> dict[str, Callable[[Sequence[str]], object]]:
        """Action → what it does."""
        return {
            "record_start": self._record,
            "record_stop": lambda _: self._app.tell(self._app.observation.record(None)),
            "previous_resync": lambda _: self._skip("resync", -1),
            "next_resync": lambda _: self._skip("resync", 1),
            "previous_relist": lambda _: self._skip("relist", -1),
            "next_relist": lambda _: self._skip("relist", 1),
            "slower": lambda _: self._do(lambda replay: replay.faster(-1)),
            "faster": lambda _: self._do(lambda replay: replay.faster(1)),
            "speed": self._speed,
            "replay_at": self._at,
            "find": self._find,
        }

    def older(self, by: int) -> None:
        """`[` and `]`: an event of a recording; else a version of the object in Inspect."""
        if self._app.observation.is_replay:
            self._skip("event", by)
        else:
            self._app.inspect_pane.scrub(self._app.look, by)

    def _record(self, arguments: Sequence[str]) -> None:
        path = " ".join(arguments) or time.strftime("kdash-%Y%m%d-%H%M%S.rec")
        self._app.tell(self._app.observation.record(path))

    def _do(self, order: Callable[[Replay], Outcome]) -> None:
        replay = replay_of(self._app.observation)
        if replay is not None:
            self._app.tell(order(replay))

    def _skip(self, kind: str, by: int) -> None:
        self._do(lambda replay: replay.skip(kind, by))

    def _speed(self, arguments: Sequence[str]) -> None:
        found = _SPEED.fullmatch(arguments[0]) if arguments else None
        if found is None:
            self._app.say("say how fast, 0.1x to 100x: speed 10x", ok=False)
        else:
            self._do(lambda replay: replay.set_speed(float(found[1])))

    def _at(self, arguments: Sequence[str]) -> None:
        replay = self._app.snapshot.replay
        if replay is None:
            return
        try:
            wall = parse_instant(" ".join(arguments), replay.first_at, replay.last_at, replay.at)
        except BadValue as error:
            self._app.say(str(error), ok=False)
            return
        self._do(lambda door: door.go(wall))

    def seek(self, x: int) -> None:
        """To where the scrub bar was clicked."""
        replay = self._app.snapshot.replay
        wall = None if replay is None else instant_at(replay, self._app.glyphs, self._app.scrub.size.width, x)
        if wall is not None:
            self._do(lambda door: door.go(wall))

    def _find(self, arguments: Sequence[str]) -> None:
        replay = replay_of(self._app.observation)
        if not arguments or replay is None:
            self._app.say("say a part of the object's key: find dev/web", ok=False)
            return
        text = " ".join(arguments)
        self._app.say(f"looking for {clean(text)} …", ok=True)
        self._app.run_worker(self._search(replay, text), group="find", exclusive=True)

    async def _search(self, replay: Replay, text: str) -> None:
        """In a thread of its own; another search, or the end of the app, ends this one."""
        given_up = threading.Event()
        try:
            outcome = await asyncio.to_thread(replay.find, text, given_up.is_set)
        finally:
            given_up.set()
        self._app.tell(outcome)
