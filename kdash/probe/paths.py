"""Topic: the way of single events through the stages, from the byte's arrival to each handler's return.

Contract: fed with the hot batches of a chunk, in the order of the stages; a record finds its path by the sequence
number of its cause. While it is calm every event is followed; in a storm some 8 of each chunk. At most `_KEPT`
paths are known by number; older ones live on only in the histories that hold them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdash.informer.tap import Record
from kdash.probe.minute import MinuteLatency
from kdash.probe.snapshot import HandlerPass, StageMark
from kdash.probe.text import clean, duration

__all__ = ["Path", "PathTopic"]

_KEPT = 2048
_SAMPLED = 8


class Path:
    """One delta on its way."""

    __slots__ = ("arrived_at", "handlers", "key", "popped_at", "queued_at", "skipped", "source", "stored_at", "told_at")

    def __init__(self, key: str, source: str, arrived_at: float | None) -> None:
        self.key = key
        self.source = source
        self.arrived_at = arrived_at
        self.queued_at: float | None = None
        self.popped_at: float | None = None
        self.stored_at: float | None = None
        self.told_at: float | None = None
        self.skipped: tuple[str, ...] = ()
        self.handlers: dict[str, tuple[str, float | None, float | None, str]] = {}  # name → state, wait, run, error

    def of_object(self, key: str) -> Path:
        """The same way so far, of one object of an entry that concerns the whole cache."""
        path = Path(key, self.source, self.arrived_at)
        path.queued_at, path.popped_at = self.queued_at, self.popped_at
        return path

    @property
    def is_open(self) -> bool:
        """Whether more may become of it."""
        return self.told_at is None or any(state in ("waiting", "running") for state, *_ in self.handlers.values())

    def marks(self) -> tuple[StageMark, ...]:
        """The stages it has reached, in order."""
        marks = []
        before: float | None = None
        for stage, at in (("api", self.arrived_at), ("queue", self.queued_at), ("pop", self.popped_at),
                          ("cache", self.stored_at), ("notify", self.told_at)):  # fmt: skip
            if at is not None:
                marks.append(StageMark(stage, at, "" if before is None else f"+{duration(max(0.0, at - before))}"))
                before = at
        told_at = self.told_at or 0.0
        for name, (state, wait_s, run_s, _) in self.handlers.items():
            if wait_s is not None:
                words = state if run_s is None else f"{state} in {duration(run_s)}"
                marks.append(StageMark(clean(name), told_at + wait_s + (run_s or 0.0), words))
        return tuple(marks)

    def passes(self) -> tuple[HandlerPass, ...]:
        """What each handler did with it."""
        passes = [HandlerPass(clean(name), *rest) for name, rest in self.handlers.items()]
        return (*passes, *(HandlerPass(clean(name), "skipped") for name in self.skipped))


class PathTopic:
    """The newest paths."""

    def __init__(self) -> None:
        self.end_to_end: dict[tuple[str, str], MinuteLatency] = {}
        self._by_seq: dict[int, Path] = {}

    def of(self, seq: int) -> Path | None:
        """The path that the record `seq` belongs to."""
        return self._by_seq.get(seq)

    def take(self, hot: Mapping[str, Sequence[Record]], calm: bool) -> None:
        """The hot batches of one chunk."""
        self._arrived(hot["watch.event"], calm)
        known = self._by_seq
        for record in hot["queue.enqueued"] if calm else [r for r in hot["queue.enqueued"] if r[12] in known]:
            if record[12] in known or not record[12]:
                self._queued(record)
        for record in [r for r in hot["queue.popped"] if r[14] in known]:
            known[record[14]].popped_at = record[1]
        for record in [r for r in hot["store.mutation"] if r[13] in known]:
            path = known[record[13]]
            path.stored_at = record[1]
            if path.popped_at is None:
                path.popped_at = record[1]
            known[record[0]] = path
        for record in [r for r in hot["notify.distribute"] if r[11] in known]:
            told = self._told(known[record[11]], record[6], calm)
            if told is not None:
                told.told_at, told.skipped = record[1], record[10]
                told.handlers = dict.fromkeys(record[9], ("waiting", None, None, ""))
                known[record[0]] = told
        for record in [r for r in hot["handler.start"] if r[13] in known]:
            path = known[record[13]]
            if record[5] in path.handlers:
                path.handlers[record[5]] = ("running", record[11], None, "")
        self._ended([r for r in hot["handler.end"] if r[17] in known])
        self._forget()

    @staticmethod
    def _told(path: Path, key: str, calm: bool) -> Path | None:
        """The path of a notification: its own one when the entry concerned the whole cache (SyncAll)."""
        if path.stored_at is None:
            return path.of_object(key) if calm else None
        return path

    def end_second(self) -> None:
        for latency in self.end_to_end.values():
            latency.end_second()

    def _arrived(self, records: Sequence[Record], calm: bool) -> None:
        if not calm:
            records = records[:: max(1, len(records) // _SAMPLED)]
        for record in records:
            self._by_seq[record[0]] = Path(record[7], "watch", record[1])

    def _queued(self, record: Record) -> None:
        path = self._by_seq.get(record[12])
        if path is None:
            path = Path(record[5], "resync" if record[6] in ("Sync", "SyncAll") else "list", None)
        path.queued_at = record[1]
        self._by_seq[record[0]] = path

    def _ended(self, records: Sequence[Record]) -> None:
        known = self._by_seq
        durations: dict[tuple[str, str], list[float]] = {}
        for record in records:
            path = known[record[17]]
            if record[5] not in path.handlers:
                continue
            state = "failed" if record[15] else "done"
            path.handlers[record[5]] = (state, record[13], record[14], clean(record[15]))
            if path.arrived_at is not None:
                durations.setdefault((record[3], record[5]), []).append(record[1] - path.arrived_at)
        for who, values in durations.items():
            self.end_to_end.setdefault(who, MinuteLatency()).add_many(values)

    def _forget(self) -> None:
        known = self._by_seq
        if len(known) > 2 * _KEPT:
            for seq in list(known)[:-_KEPT]:
                del known[seq]
