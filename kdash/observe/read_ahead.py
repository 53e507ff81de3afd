"""Reads a recording ahead of the playhead, so that later jumps are short.

Contract: `run` is the body of a thread of its own; it ends soon after `stopping` is set. It moves a player of its own
and leaves keyframes where the other player finds them; at the end of a part it lets go of it. It works in slices of
some milliseconds and leaves the interpreter to others as long again; while `is_busy` says that somebody waits for the
other player, it does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kdash.probe.recording.player import Player

__all__ = ["ReadAhead"]

_RECORDS = 500  # a slice
_REST_S = 0.005
_WAIT_S = 0.2


class ReadAhead:
    """One reader."""

    def __init__(
        self, make: Callable[[int], Player], part: Callable[[], int], is_busy: Callable[[], bool],
        stopping: threading.Event,
    ) -> None:
        """`make` gives a player of a part that shares the other one's keyframes; `part`: where the playhead is."""
        self._make = make
        self._part = part
        self._is_busy = is_busy
        self._stopping = stopping
        self.done: int | None = None
        """The part that has been read to its end."""

    def run(self) -> None:
        """Until `stopping` is set."""
        player: Player | None = None
        while not self._stopping.wait(_WAIT_S if player is None or self._is_busy() else _REST_S):
            part = self._part()
            if part == self.done or self._is_busy():
                continue
            if player is None or player.number != part:
                player = self._make(part)
            end = player.part.last_at
            player.approach(end)
            if player.forward(end, _RECORDS):
                player, self.done = None, part
