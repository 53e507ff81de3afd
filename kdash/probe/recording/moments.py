"""Where in a recording something happened: from the heads of its chunks, and from the steps of few of them.

Contract: a `Place` is exact; instants of the wall clock are what people give and see. What was taken at one instant, a
twentieth of a second's worth of records, is one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from kdash.probe.recording.columns import StringTable, event_keys, keys_in_rows, pass_over
from kdash.probe.recording.format import unpack_chunk
from kdash.probe.recording.reader import Chunk, Recording

__all__ = ["Moments", "Place"]

_COUNTS = {"event": 3, "resync": 4, "relist": 5}  # where a step that takes records has its count
_IN_HEAD = {"event": "events", "resync": "resyncs", "relist": "relists"}


class Place(NamedTuple):
    """An instant of the recording machine's monotonic clock in one part; later places are greater."""

    part: int
    at: float


class Moments:
    """The time of a recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        last = len(recording.parts) - 1
        self.first = Place(0, recording.parts[0].first_at)
        self.last = Place(last, recording.parts[last].last_at)

    def wall(self, place: Place) -> float:
        """Seconds since the epoch."""
        return place.at + self._recording.parts[place.part].wall_offset_s

    def at_wall(self, wall: float) -> Place:
        """The place of an instant; the nearest one when nothing was recorded then."""
        found = 0
        for number, part in enumerate(self._recording.parts):
            if part.first_at + part.wall_offset_s <= wall:
                found = number
        part = self._recording.parts[found]
        return Place(found, max(part.first_at, min(wall - part.wall_offset_s, part.last_at)))

    def next(self, kind: str, place: Place, by: int) -> Place | None:
        """The next moment (by > 0) with an `event`, `resync` or `relist`, or the one before; None: there is none."""
        count_at = _COUNTS[kind]
        for number, chunk in self._chunks(by):
            counts = chunk.head.counts
            too_early = (number, counts.last_at) <= place if by > 0 else (number, counts.first_at) >= place
            if too_early or not getattr(counts, _IN_HEAD[kind]):
                continue
            steps = [Place(number, step[1]) for step in _takes(self._recording, chunk) if step[count_at]]
            found = [step for step in steps if (step > place if by > 0 else step < place)]
            if found:
                return min(found) if by > 0 else max(found)
        return None

    def seconds_with(self, kind: str) -> tuple[float, ...]:
        """About when there was an `event`, `resync` or `relist`, on the wall's clock; from the heads alone."""
        parts = self._recording.parts
        return tuple(chunk.head.counts.first_at + parts[number].wall_offset_s for number, chunk in self._chunks(1)
                     if getattr(chunk.head.counts, _IN_HEAD[kind]))

    def search(
        self, text: str, place: Place, given_up: Callable[[], bool] = lambda: False
    ) -> tuple[Place, str] | None:
        """The next watch event whose key contains `text`, and the key; reads all chunks up to it."""
        table, part = StringTable(), -1
        for number, chunk in self._chunks(1):
            if given_up():
                return None
            if number != part:
                table, part = StringTable(), number
            try:
                _, records, versions, rows = unpack_chunk(chunk.head, self._recording.packed(chunk))
                keys, next_rows = iter(event_keys(records, table)), iter(rows)
                pass_over(versions, table)
                for step in _takes(self._recording, chunk):
                    some = keys if step[0] == "t" else iter(keys_in_rows(next(next_rows)))
                    for key in islice(some, step[_COUNTS["event"]]):
                        if Place(number, step[1]) > place and text.lower() in key.lower():
                            return Place(number, step[1]), key
            except Exception:  # a chunk of any shape: what cannot be read holds nothing that can be found
                continue
        return None

    def _chunks(self, by: int) -> Iterator[tuple[int, Chunk]]:
        """The chunks of steps of all parts, backwards for by < 0."""
        for number in range(len(self._recording.parts))[:: 1 if by > 0 else -1]:
            for chunk in self._recording.parts[number].steps()[:: 1 if by > 0 else -1]:
                yield number, chunk


def _takes(recording: Recording, chunk: Chunk) -> list[Any]:
    """The steps of a chunk that take records; [] when it is damaged."""
    try:
        payload = unpack_chunk(chunk.head, recording.packed(chunk))
        return [step for step in payload[0] if step[0] in "tT" and len(step) >= 6 and type(step[1]) is float]
    except Exception:  # as above
        return []
