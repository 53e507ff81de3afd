"""What a recorder is told while it is recorded, until a writer takes it.

Contract: `tell` and `take` under the recorder's lock. In a storm, records become bytes the moment they are told: to
keep a hundred thousand tuples a second alive costs all threads more than to encode them. And of what the caches hold
besides the histories, only the last state of a second is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from kdash.informer.tap import Record

__all__ = ["Journal", "Moment", "Rows", "Step", "moment_of"]

Step = tuple[Any, ...]
"""A letter, an instant, and what goes with it: records and contents as they are, not yet as numbers."""

_STORM = 20_000  # records of about a second: from there on, what is quick to write goes before what is small
_EVENT, _RESYNC, _RELIST = "watch.event", "resync.enqueued", "queue.replace"


class Moment(NamedTuple):
    """What is in the records that were taken at once."""

    records: int
    events: int
    resyncs: int
    relists: int


class Rows(NamedTuple):
    """Records that are msgpack already."""

    encoded: bytes
    moment: Moment


class Journal:
    """The steps since they were last taken."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._steps: list[Step] = list(steps)
        self._left_out: dict[tuple[str, str], Any] = {}
        self._storm = False
        self.records = 0
        """Of the steps that wait."""

    def tell(self, kind: str, at: float, *what: Any) -> None:
        """Keep a step."""
        if kind == "t":
            records, calm = what
            self.records += len(records)
            if not calm and (self._storm or self.records > _STORM):
                self._steps.append(("T", at, Rows(msgspec.msgpack.encode(records), moment_of(records))))
                return
        elif kind == "c" and self._storm:
            self._left_out.update({(informer, key): content for informer, key, content in what[0]})
            return
        elif kind == "v" and self._left_out:
            for fed in what[0]:
                self._left_out.pop((fed.informer, fed.key), None)
        self._steps.append((kind, at, *what))

    def take(self, at: float) -> list[Step]:
        """The steps that wait, up to now."""
        if self._left_out:
            left_out = [(informer, key, content) for (informer, key), content in self._left_out.items()]
            self._steps.append(("c", at, left_out))
            self._left_out.clear()
        steps, self._steps = self._steps, []
        self._storm, self.records = self.records > _STORM, 0
        return steps


def moment_of(records: Sequence[Record]) -> Moment:
    """Count what people look for in them."""
    kinds = [record[2] for record in records]
    return Moment(len(kinds), *map(kinds.count, (_EVENT, _RESYNC, _RELIST)))
