"""Hand-made tap records by field names, and a recorder on a virtual clock."""

from __future__ import annotations

from typing import Any

from kdash.informer.clock import VirtualClock
from kdash.informer.tap import FIELDS, Record
from kdash.probe.build import Source, build
from kdash.probe.informers import Target
from kdash.probe.recorder import Recorder
from kdash.probe.snapshot import Snapshot

# What a field holds when a test says nothing about it, by the kind of thing its name says.
_TEXT = {
    "key", "rv", "type", "state", "reason", "error_class", "error", "why", "path", "verb", "op", "old_rv",
    "new_rv",
}  # fmt: skip


class Tape:
    """A recorder that is fed records one test step at a time; every record gets the next sequence number."""

    def __init__(self, *informers: Target, **options: Any) -> None:
        self.clock = VirtualClock()
        self.recorder = Recorder(self.clock, **options)
        self.seq = 0
        for target in informers or (Target("pods", "", "pods", "", "-A"),):
            self.recorder.register(target)

    def record(self, kind: str, informer: str = "pods", /, thread: int = 1, **fields: Any) -> Record:
        """One record; fields not named are 0, or "" where they hold text."""
        unknown = set(fields) - set(FIELDS[kind])
        assert not unknown, f"{kind} has no {unknown}"
        self.seq += 1
        values = (fields.get(name, "" if name in _TEXT else 0) for name in FIELDS[kind])
        return (self.seq, self.clock.monotonic(), kind, informer, thread, *values)

    def emit(self, kind: str, informer: str = "pods", /, thread: int = 1, **fields: Any) -> int:
        """Record and feed at once; returns the sequence number."""
        self.recorder.take([self.record(kind, informer, thread=thread, **fields)])
        return self.seq

    def handler(self, name: str, period_s: float = 0.0, informer: str = "pods") -> None:
        self.emit("listener.added", informer, listener=name, requested_s=period_s, effective_s=period_s,
                  warning="", late=False)

    def call(self, listener: str, kind: str = "update", key: str = "default/web", run_s: float = 0.001,
             **fields: Any) -> int:
        return self.emit("handler.end", listener=listener, kind=kind, key=key, run_s=run_s,
                         **{"error": "", "tombstone": False, **fields})

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.recorder.tick()

    def synced(self, version: str = "100", items: int = 3) -> None:
        """The usual beginning: list, sync, watch."""
        self.emit("informer.lifecycle", what="started", detail="")
        self.emit("reflector.state", state="listing")
        self.emit("list.start", rv="0", rv_reason="first", why_limit="", attempt=1)
        self.emit("list.page", page_no=1, items=items)
        self.emit("list.end", ok=True, items=items, pages=1, rv=version, duration_s=0.04)
        self.emit("queue.synced", initial_count=items)
        self.emit("watch.open", rv=version, timeout_s=400, ok=True)
        self.emit("reflector.state", state="watching")

    def snapshot(self, **source: Any) -> Snapshot:
        return build(self.recorder, Source(**source))

    def texts(self) -> list[str]:
        """The event log as `CATEGORY text`, oldest first."""
        log = self.recorder.events
        return [f"{line.category} {line.text}" for line in log.lines(0, log.total)]
