"""From what a recorder was told to chunks of a recording.

Contract: not for two threads at once. `chunks_of` is told every step once and in order (see `format`); what it returns
is to be appended in order. The contents of objects are opaque but for `to_json()`, `resource_version` and `uid`; who
feeds them has already taken out what must not be kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kdash.informer.tap import Record
from kdash.probe.history import VersionFed
from kdash.probe.recording.columns import StringTable, packed
from kdash.probe.recording.format import PART, STEPS, Counts, pack_chunk, pack_contents
from kdash.probe.recording.journal import Moment, Rows, Step
from kdash.probe.recording.links import Links

__all__ = ["GONE", "Writer"]

GONE = "Deleted"
"""The event after which a cache holds the object no more."""
_RECORDS_MAX = 50_000
_CONTENTS_MAX = 8 << 20
_REFRESH_S = 300.0


class Writer:
    """Makes the chunks of one part."""

    def __init__(self) -> None:
        self._next = 0
        self._known: dict[tuple[str, str], tuple[str, str, int]] = {}  # (version, uid, number) that a reader holds
        self._strings = StringTable()
        self._links = Links()
        self._refreshed_at = 0.0
        self._storm = False
        self._begin_contents()

    @staticmethod
    def part(about: Mapping[str, Any], at: float) -> bytes:
        """The chunk that begins a part."""
        return pack_chunk(PART, dict(about), Counts(at, at))

    def chunks_of(self, steps: Sequence[Step]) -> Iterator[bytes]:
        """The chunks for these steps: contents first, then what refers to them."""
        storm = self._storm = any(step[0] == "T" for step in steps)
        for some in _portions(steps):
            if some[0][1] - self._refreshed_at > _REFRESH_S:  # damage to the file must not spoil all that follows
                self._known.clear()
                self._strings.clear()
                self._links.clear()
                self._refreshed_at = some[0][1]
            written, chunks = [], []
            records: list[Record] = []
            versions: list[Record] = []
            rows: list[msgspec.Raw] = []
            for step in some:
                written.append(self._step(step, records, versions, rows))
                if self._held > _CONTENTS_MAX:
                    chunks.append(self._end_contents(some))
            if self._contents:
                chunks.append(self._end_contents(some))
            yield from chunks
            payload = [written, *(packed(each, self._strings, self._links) for each in (records, versions)), rows]
            self._links.end_chunk()
            yield pack_chunk(STEPS, payload, _counts(written), storm)

    def _step(
        self, step: Step, records: list[Record], versions: list[Record], rows: list[msgspec.Raw]
    ) -> list[Any]:
        kind, at = step[0], step[1]
        if kind == "t":
            records.extend(step[2])
            return [kind, at, *step[4], step[3]]
        if kind == "T":
            told: Rows = step[2]
            rows.append(msgspec.Raw(told.encoded))
            return [kind, at, *told.moment]
        if kind == "v":
            versions.extend(self._version(fed) for fed in step[2])
            return [kind, at, len(step[2])]
        if kind == "c":
            return [kind, at, [self._cached(*each) for each in step[2]]]
        return list(step)

    def _cached(self, informer: str, key: str, content: Any) -> list[Any]:
        known = self._known.get((informer, key))
        former = -1 if known is None else known[2]
        if content is None:
            self._known.pop((informer, key), None)
            return [informer, key, -1, former]
        return [informer, key, self._number(informer, key, content), former]

    def _version(self, fed: VersionFed) -> Record:
        old = self._number(fed.informer, fed.key, fed.old_content)
        new = self._number(fed.informer, fed.key, fed.content, fed.old_content)
        if fed.event == GONE:
            self._known.pop((fed.informer, fed.key), None)
        return (
            fed.seq, fed.at, "version", fed.informer, 0, fed.key, fed.event, fed.resource_version, new, fed.size,
            fed.old_resource_version, old, fed.old_size, fed.inferred,
        )  # fmt: skip

    # contents --------------------------------------------------------------------------------------------

    def _number(self, informer: str, key: str, content: Any, former: Any = None) -> int:
        """The number of a content, which is written unless a reader has it; -1: there is none."""
        who = (informer, key)
        if content is None:
            return -1
        version, uid = content.resource_version, content.uid
        known = self._known.get(who)
        if known is not None and known[0] == version and known[1] == uid and version:
            return known[2]
        based = not self._storm and former is not None and known is not None and known[2] < self._first
        if based and known is not None and known[:2] == (former.resource_version, former.uid):
            self._bases.append(former.to_json())
            self._based.append(len(self._whose))
        raw = content.to_json()
        self._contents.append(raw)
        self._held += len(raw)
        self._whose.append((informer, key))
        number, self._next = self._next, self._next + 1
        self._known[who] = (version, uid, number)
        return number

    def _begin_contents(self) -> None:
        self._first = self._next
        self._whose: list[tuple[str, str]] = []
        self._contents: list[bytes] = []
        self._bases: list[bytes] = []
        self._based: list[int] = []
        self._held = 0

    def _end_contents(self, steps: Sequence[Step]) -> bytes:
        index = [self._first, self._whose, [len(raw) for raw in self._contents], self._based]
        chunk = pack_contents(index, self._contents, self._bases, Counts(steps[0][1], steps[-1][1]), self._storm)
        self._begin_contents()
        return chunk


def _portions(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Steps in portions of some 50,000 records."""
    start = held = 0
    for at, step in enumerate(steps):
        held += step[2].moment.records if step[0] == "T" else len(step[2]) if step[0] in "tvc" else 1
        if held >= _RECORDS_MAX:
            yield steps[start : at + 1]
            start, held = at + 1, 0
    if start < len(steps):
        yield steps[start:]


def _counts(written: Sequence[list[Any]]) -> Counts:
    instants = [step[1] for step in written]
    moments = [Moment(*step[2:6]) for step in written if step[0] in "tT"]
    records, events, resyncs, relists = map(sum, zip((0, 0, 0, 0), *moments, strict=True))
    return Counts(min(instants), max(instants), events, resyncs, relists, records)
