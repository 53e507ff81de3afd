"""The object index that the tree pane reads: kinds → namespaces → sorted names, as numbered rows.

Contract: one writer (the recorder) and any number of readers. Readers may call everything under "for readers"
from any thread; it takes microseconds whatever the number of objects, except `set_filter` and `fold_all` (one
pass over the keys, the groups). An object that only changes touches its own `ObjectRow` and no lock; adding
and removing rows takes the index's lock. A deleted object stays as a `gone` row for `kept_s` seconds. Nothing
here holds an object of the cache: rows are scalars from the tap's records.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from kdash.probe.filters import key_filter
from kdash.probe.groups import FoldKey, GroupedKeys, Row
from kdash.probe.text import clean

__all__ = ["ObjectIndex", "ObjectRef", "ObjectRow", "RowRef"]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one cached object."""

    informer: str
    key: str


@dataclass(frozen=True, slots=True)
class RowRef:
    """What stands in one row of the tree: level 0 kind, 1 namespace, 2 object. Names are safe to display."""

    level: int
    informer: str
    namespace: str
    name: str
    count: int = 0
    """Objects below a header row."""
    folded: bool = False
    key: str = ""
    """The key as the server wrote it; it differs from namespace/name only for hostile names."""

    @property
    def ref(self) -> ObjectRef:
        if self.key:
            return ObjectRef(self.informer, self.key)
        return ObjectRef(self.informer, f"{self.namespace}/{self.name}" if self.namespace else self.name)


class ObjectRow(msgspec.Struct, gc=False):
    """What is known of one object without decoding it; mutable, owned by the recorder."""

    resource_version: str
    updates: int
    changed_at: float
    mark: str
    """`new`, `changed`, `same`, `gone` or `resync` (what touched it last)."""
    size: int
    uid_changed: bool = False


class ObjectIndex:
    """All objects that the caches hold, and those that just left them."""

    def __init__(self, kept_s: float = 5.0) -> None:
        self._kept_s = kept_s
        self._lock = threading.RLock()  # guards everything below except the fields of an ObjectRow
        self._rows: dict[str, dict[str, ObjectRow]] = {}
        self._folded: set[FoldKey] = set()
        self._all = GroupedKeys(self._folded)
        self._shown = self._all
        self._filter: Callable[[str], bool] | None = None
        self._gone: deque[tuple[float, str, str]] = deque()
        self._gone_of: dict[str, int] = {}
        self.filter_text = ""
        self.version = 0
        """Moves whenever rows appear, vanish or move."""

    # -- for the recorder ---------------------------------------------------------------------------------

    def add_informer(self, informer: str) -> None:
        """Announce an informer; the order of the announcements is the order of the kinds."""
        with self._lock:
            self._rows.setdefault(informer, {})
            self._gone_of.setdefault(informer, 0)
            for view in self._views():
                view.add_informer(informer)
            self.version += 1

    def drop_informer(self, informer: str) -> None:
        """Forget all objects of `informer` (its cache is being built anew)."""
        with self._lock:
            for key, row in self._rows.get(informer, {}).items():
                self._unlist(informer, key, row.mark == "gone")
            self._rows[informer] = {}
            self._gone = deque(entry for entry in self._gone if entry[1] != informer)
            self.version += 1

    def rows_of(self, informer: str) -> dict[str, ObjectRow]:
        """The rows of one informer, for the recorder's fast path: rows in it may be changed, not added."""
        rows = self._rows.get(informer)
        if rows is None:
            self.add_informer(informer)
            rows = self._rows[informer]
        return rows

    def put(self, informer: str, key: str, version: str, at: float, size: int, mark: str = "new",
            uid_changed: bool = False) -> None:
        """The cache holds `key`: add its row, or revive a gone one, or change it."""
        row = self.rows_of(informer).get(key)
        if row is None:
            with self._lock:
                self._rows[informer][key] = ObjectRow(version, 0, at, mark, size, uid_changed)
                self._all.add(informer, key)
                if self._shown is not self._all and self._filter is not None and self._filter(key):
                    self._shown.add(informer, key)
                self.version += 1
            return
        if row.mark == "gone":
            with self._lock:
                for view in self._views():
                    view.count_gone(informer, key, -1)
                self._gone_of[informer] -= 1
                self.version += 1
            row.updates = 0
            mark = "new"
        elif version != row.resource_version:
            row.updates += 1
        row.resource_version, row.changed_at, row.mark, row.size = version, at, mark, size
        row.uid_changed = uid_changed

    def bury(self, informer: str, key: str, at: float) -> None:
        """The cache dropped `key`: its row stays as `gone` for a while."""
        row = self.rows_of(informer).get(key)
        if row is None or row.mark == "gone":
            return
        with self._lock:
            row.mark, row.changed_at = "gone", at
            for view in self._views():
                view.count_gone(informer, key, 1)
            self._gone.append((at + self._kept_s, informer, key))
            self._gone_of[informer] += 1
            self.version += 1

    def keep_only(self, informer: str, keys: Iterable[str], at: float) -> None:
        """Bury every object of `informer` that is not in `keys`."""
        kept = set(keys)
        rows = self.rows_of(informer)
        for key in [key for key, row in rows.items() if row.mark != "gone" and key not in kept]:
            self.bury(informer, key, at)

    def mark_all(self, informer: str, at: float) -> None:
        """A resync replayed every object of `informer`."""
        for row in list(self.rows_of(informer).values()):
            if row.mark != "gone":
                row.mark, row.changed_at = "resync", at

    def expire(self, now: float) -> None:
        """Remove the gone rows whose time is over."""
        if not self._gone or self._gone[0][0] > now:
            return
        with self._lock:
            while self._gone and self._gone[0][0] <= now:
                _, informer, key = self._gone.popleft()
                row = self._rows[informer].get(key)
                if row is not None and row.mark == "gone" and row.changed_at + self._kept_s <= now:
                    self._unlist(informer, key, True)
                    del self._rows[informer][key]
            self.version += 1

    def _unlist(self, informer: str, key: str, gone: bool) -> None:
        if gone:
            self._gone_of[informer] -= 1
        for view in self._views():
            if gone:
                view.count_gone(informer, key, -1)
            view.remove(informer, key)

    def _views(self) -> Sequence[GroupedKeys]:
        return (self._all,) if self._shown is self._all else (self._all, self._shown)

    # -- for readers --------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """Rows shown now, headers included."""
        with self._lock:
            return self._shown.total

    @property
    def objects(self) -> int:
        """Objects in the caches, filtered out or not; gone ones do not count."""
        with self._lock:
            return self._all.size - sum(self._gone_of.values())

    def objects_of(self, informer: str) -> int:
        """Objects in one informer's cache."""
        return len(self._rows.get(informer, ())) - self._gone_of.get(informer, 0)

    def mean_size(self, informer: str) -> int:
        """Bytes of JSON of an object of one informer, from a few of its rows; 0 when it has none."""
        sizes = [row.size for row in self._some(informer) if row.size]
        return sum(sizes) // len(sizes) if sizes else 0

    def unversioned(self, informer: str) -> int:
        """How many of a few rows of one informer have no resource version."""
        return sum(not row.resource_version for row in self._some(informer))

    def _some(self, informer: str) -> list[ObjectRow]:
        with self._lock:
            return list(islice(self._rows.get(informer, {}).values(), 50))

    @property
    def matches(self) -> int:
        """Objects that the filter lets through, folded away or not, gone ones included."""
        with self._lock:
            return self._shown.size

    def row(self, index: int) -> RowRef:
        """The row at `index`; IndexError when there is none (the index may have shrunk since `total`)."""
        with self._lock:
            if not 0 <= index < self._shown.total:
                raise IndexError(f"row {index} of {self._shown.total}")
            return _displayed(self._shown.row(index))

    def rows(self, start: int, count: int) -> list[RowRef]:
        """Up to `count` rows from `start`, all of one moment."""
        with self._lock:
            end = min(start + count, self._shown.total)
            return [_displayed(self._shown.row(index)) for index in range(max(start, 0), end)]

    def get(self, ref: ObjectRef) -> ObjectRow | None:
        """What is known of one object; None when it is neither cached nor just deleted."""
        rows = self._rows.get(ref.informer)
        return None if rows is None else rows.get(ref.key)

    def position_of(self, ref: ObjectRef) -> int | None:
        """The row that shows `ref`; None when it is folded away, filtered out or unknown."""
        with self._lock:
            return self._shown.position_of(ref.informer, ref.key)

    def position_of_header(self, informer: str, namespace: str | None = None) -> int | None:
        """The row of a namespace's header, or of the informer's own with `namespace=None`."""
        with self._lock:
            return self._shown.header_of(informer, namespace)

    def fold(self, informer: str, namespace: str | None = None, folded: bool | None = None) -> bool:
        """Fold or unfold a header (`namespace=None`: the informer's own); None toggles. Returns its state."""
        with self._lock:
            name = (informer, namespace)
            folded = name not in self._folded if folded is None else folded
            (self._folded.add if folded else self._folded.discard)(name)
            for view in self._views():
                view.touch()
            self.version += 1
            return folded

    def fold_all(self, folded: bool) -> None:
        """Fold every namespace (the kinds stay open), or unfold everything."""
        with self._lock:
            self._folded.clear()
            if folded:
                self._folded.update(name for name in self._all.folds() if name[1] is not None)
            for view in self._views():
                view.touch()
            self.version += 1

    def set_filter(self, text: str) -> None:
        """Show only objects whose `namespace/name` fits `text` (see `filters.key_filter`); "" shows all."""
        test = key_filter(text)
        with self._lock:
            self.filter_text = text.strip() if test else ""
            self._filter = test
            self._shown = self._all
            if test is not None:
                rows = self._rows
                self._shown = self._all.filtered(test, lambda name, key: rows[name][key].mark == "gone")
            self.version += 1


def _displayed(row: Row) -> RowRef:
    level, informer, namespace, key, count, folded = row
    if level == 2:
        name = key[len(namespace) + 1 :] if namespace else key
        return RowRef(2, informer, clean(namespace), clean(name), key=key)
    return RowRef(level, informer, clean(namespace), "", count, folded, key=namespace)
