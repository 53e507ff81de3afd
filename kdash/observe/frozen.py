"""One instant of an observation, kept to be looked at while the observation goes on.

Contract: made by `Frozen.of` while nothing is being drained; after that nothing of it changes but what the reader
chooses (filter, order, folds). It holds the caches by reference, their objects never change, and a copy of the
rows, the event log and the histories. Any thread may read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kdash.observe.summary import summary_of
from kdash.observe.versions import changes_between, readable, unchanged
from kdash.probe.advice import advise
from kdash.probe.events import EventLog
from kdash.probe.history import FrozenHistory
from kdash.probe.objects import ObjectIndex, ObjectRef
from kdash.probe.recorder import Recorder
from kdash.probe.snapshot import AdviceView, ChangeView, Snapshot, VersionView

__all__ = ["Frozen"]

Decode = Callable[[str, Any], Mapping[str, Any]]


class Frozen:
    """The `Look` of one instant."""

    def __init__(
        self, picture: Snapshot, recorder: Recorder, caches: Mapping[str, Mapping[str, Any]], decode: Decode
    ) -> None:
        self._picture, self._caches, self._decode = picture, caches, decode
        with recorder.lock:
            self.objects: ObjectIndex = recorder.objects.frozen(self.labels)
            self.events: EventLog = recorder.events.frozen()
            self._histories: FrozenHistory = recorder.history.frozen()

    def snapshot(self) -> Snapshot:
        return self._picture

    def read_object(self, ref: ObjectRef) -> Mapping[str, Any] | None:
        obj = self._cached(ref)
        return None if obj is None else self._decode(ref.informer, obj)

    def labels(self, ref: ObjectRef) -> Mapping[str, str]:
        return {} if (obj := self._cached(ref)) is None else obj.labels

    def summary(self, ref: ObjectRef) -> str:
        obj = self.read_object(ref)
        return "" if obj is None else summary_of(obj)

    def history(self, ref: ObjectRef) -> tuple[VersionView, ...]:
        return self._histories.views(ref.informer, ref.key) or unchanged(self.objects.get(ref))

    def version(self, ref: ObjectRef, number: int) -> Mapping[str, Any] | None:
        if not self._histories.views(ref.informer, ref.key):
            return self.read_object(ref) if number == 1 else None
        return readable(ref.informer, self._histories.content(ref.informer, ref.key, number))

    def changes(self, ref: ObjectRef, old: int, new: int) -> tuple[ChangeView, ...]:
        before, after = self.version(ref, old), self.version(ref, new)
        return () if before is None or after is None else changes_between(before, after)

    def advice(self) -> tuple[AdviceView, ...]:
        return advise(self._picture)

    def _cached(self, ref: ObjectRef) -> Any:
        """What the cache held at that instant. A change that came while the caches were copied is newer than the row:
        then it is what the history has of the row's version, or nothing."""
        obj, row = self._caches.get(ref.informer, {}).get(ref.key), self.objects.get(ref)
        if row is None:
            return None
        if obj is not None and obj.resource_version == row.resource_version:
            return obj
        return self._histories.of_version(ref.informer, ref.key, row.resource_version)
