"""What a recorder is told while it is recorded, until a writer takes it.

Contract: `tell` and `take` under the recorder's lock. In a storm, records become bytes the moment they are told: to
keep a hundred thousand tuples a second alive costs all threads more than to encode them. And of what the caches hold
besides the histories, only the last state of a second is kept, and looked at when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, NamedTuple

import msgspec

__all__ = ["Journal", "Moment", "Rows", "Step"]

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

    @classmethod
    def of(cls, records: Sized, by_kind: Mapping[str, Sized]) -> Moment:
        """Of these records, which are in `by_kind` too."""
        return cls(len(records), *(len(by_kind.get(kind, ())) for kind in (_EVENT, _RESYNC, _RELIST)))


class Rows(NamedTuple):
    """Records that are msgpack already."""

    encoded: bytes
    moment: Moment


class Journal:
    """The steps since they were last taken."""

    def __init__(
        self, steps: Iterable[Step] = (), contents: Callable[[Iterable[Any]], list[tuple[str, str, Any]]] = list
    ) -> None:
        """`contents` makes (informer, key, content or None) of changes in the caches, as `c` is told them."""
        self._steps: list[Step] = list(steps)
        self._contents = contents
        self._left_out: dict[tuple[str, str], Any] = {}
        self._encoder, self._buffer = msgspec.msgpack.Encoder(), bytearray()
        self._storm = False
        self.records = 0
        """Of the steps that wait."""

    def tell(self, kind: str, at: float, *what: Any) -> None:
        """Keep a step."""
        if kind == "t":
            records, calm, moment = what
            self.records += moment.records
            if not calm and (self._storm or self.records > _STORM):
                try:
                    self._encoder.encode_into(records, self._buffer)
                except UnicodeEncodeError:  # see `pack_chunk`
                    pass
                else:
                    self._steps.append(("T", at, Rows(bytes(self._buffer), moment)))
                    return
        elif kind == "c":
            if self._storm:
                self._left_out.update(what[0])
            else:
                self._steps.append((kind, at, self._contents(what[0].values())))
            return
        elif kind == "v" and self._left_out:
            for fed in what[0]:
                self._left_out.pop((fed.informer, fed.key), None)
        self._steps.append((kind, at, *what))

    def take(self, at: float) -> list[Step]:
        """The steps that wait, up to now."""
        if self._left_out:
            self._steps.append(("c", at, self._contents(self._left_out.values())))
            self._left_out.clear()
        steps, self._steps = self._steps, []
        self._storm, self.records = self.records > _STORM, 0
        return steps
