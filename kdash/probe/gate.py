"""Topic: the gate (records gate): what is held, what was stepped, and the way of the entry that was let through."""

from __future__ import annotations

from collections.abc import Sequence

from kdash.informer.tap import Record
from kdash.probe.paths import Path, PathTopic
from kdash.probe.snapshot import GateView
from kdash.probe.text import clean

__all__ = ["GateTopic"]


class GateTopic:
    """One gate for all informers: they are held and released together."""

    def __init__(self, paths: PathTopic) -> None:
        self._paths = paths
        self._stage = ""
        self._since: float | None = None
        self._steps = 0
        self._last_step = ""
        self._arrived_before = 0
        self._path: Path | None = None
        self._awaits: tuple[str, str, str] | None = None  # (informer, stage, handler) of a step nobody has answered

    @property
    def held(self) -> bool:
        return self._since is not None

    def told(self, record: Record, arrived: int) -> None:
        """A gate record; `arrived` watch events so far."""
        _, at, _, informer, _, what, stage, name = record
        if what == "hold":
            if self._since is None:
                self._since, self._steps, self._last_step, self._path = at, 0, "", None
                self._arrived_before = arrived
            self._stage = stage
        elif what == "release":
            self._since, self._stage, self._awaits, self._path = None, "", None, None
        else:
            self._steps += 1
            self._awaits = (informer, stage, name)
            if stage == "queue":
                self._path = None

    def popped(self, informer: str, records: Sequence[Record]) -> None:
        """queue.popped records of one informer; comes after the paths."""
        if self._awaits is None or self._awaits[:2] != (informer, "queue"):
            return
        record = records[-1]
        self._awaits = None
        self._last_step = f"queue: {clean(record[5]) or 'the whole cache'}"
        self._path = self._paths.of(record[14])

    def started(self, records: Sequence[Record]) -> None:
        """handler.start records."""
        if self._awaits is None or self._awaits[1] != "handler":
            return
        for record in records:
            if (record[3], record[5]) == (self._awaits[0], self._awaits[2]):
                callback = {"add": "OnAdd", "update": "OnUpdate", "delete": "OnDelete"}.get(record[6], record[6])
                self._last_step = f"handler {clean(record[5])}: {clean(record[7])} {callback}"
                self._awaits = None
                return

    def view(self, entries: int, notifications: int, arrived: int) -> GateView:
        """`entries` wait in the queues, `notifications` before the handlers."""
        if self._since is None:
            return GateView()
        return GateView(
            True, self._stage, self._since, entries, notifications, arrived - self._arrived_before, self._steps,
            self._last_step, self._path.marks() if self._path is not None else (),
        )  # fmt: skip
