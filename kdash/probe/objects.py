"""The object index that the tree pane reads: kinds → namespaces → sorted names, as numbered rows.

Contract: one writer (the recorder) and any number of readers. Readers may call everything under "for readers"
from any thread; it takes microseconds whatever the number of objects, except `set_filter` and `fold_all` (one
pass over the keys, the groups). An object that only changes touches its own `ObjectRow` and no lock; adding
and removing rows takes the index's lock. A deleted object stays as a `gone` row for `kept_s` seconds. Nothing
here holds an object of the cache: rows are scalars from the tap's records.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from itertools import islice

from kdash.probe.filters import ObjectTest, object_filter
from kdash.probe.groups import FoldKey, GroupedKeys
from kdash.probe.rows import ObjectRef, ObjectRow, RowRef, displayed
from kdash.probe.text import clean

__all__ = ["ORDERS", "ObjectIndex", "ObjectRef", "ObjectRow", "RowRef"]


ORDERS: dict[str, Callable[[ObjectRow], float]] = {
    "seen": lambda row: -row.changed_at,
    "updates": lambda row: -row.updates,
    "rv": lambda row: -int(row.resource_version) if row.resource_version.isdigit() else 0,
    "size": lambda row: -row.size,
}
"""Orders of the objects within their namespace beside "name": the newest, most or largest first."""
_NO_ROW = ObjectRow("", 0, 0.0, "gone", 0)


class ObjectIndex:
    """All objects that the caches hold, and those that just left them."""

    def __init__(self, kept_s: float = 5.0) -> None:
        self._kept_s = kept_s
        self._lock = threading.RLock()  # guards everything below except the fields of an ObjectRow
        self._rows: dict[str, dict[str, ObjectRow]] = {}
        self._folded: set[FoldKey] = set()
        self._folded_matches: set[FoldKey] = set()  # folded since there is a filter: it opens every group
        self._all = GroupedKeys(self._folded)
        self._shown = self._all
        self._filter: ObjectTest | None = None
        self._labels_of: Callable[[ObjectRef], Mapping[str, str]] | None = None
        self._wish = 0  # moves with every new filter or order
        self._journal: list[tuple[str, str, bool]] | None = None  # changes of structure while a view is being made
        self._arranging = threading.Lock()  # held while a view is made; taken before _lock
        self._gone: deque[tuple[float, str, str]] = deque()
        self._gone_of: dict[str, int] = {}
        self.filter_text = ""
        self.order = "name"
        """`name` or one of `ORDERS`."""
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

    def remove_informer(self, informer: str) -> None:
        """Forget an informer that is observed no more."""
        with self._lock:
            self.drop_informer(informer)
            self._rows.pop(informer, None)
            self._gone_of.pop(informer, None)
            for view in self._views():
                view.remove_informer(informer)
            self.version += 1

    def rows_of(self, informer: str) -> dict[str, ObjectRow]:
        """The rows of one informer, for the recorder's fast path: rows in it may be changed, not added."""
        rows = self._rows.get(informer)
        if rows is None:
            self.add_informer(informer)
            rows = self._rows[informer]
        return rows

    def put(self, informer: str, key: str, version: str, at: float, size: int, mark: str = "new",
            uid_changed: bool = False, came: str = "") -> None:
        """The cache holds `key`: add its row, or revive a gone one, or change it."""
        row = self.rows_of(informer).get(key)
        if row is None:
            with self._lock:
                self._rows[informer][key] = ObjectRow(version, 0, at, mark, size, uid_changed, at, came)
                self._all.add(informer, key)
                if self._shown is not self._all and self._passes(self._filter, informer, key):
                    self._shown.add(informer, key)
                if self._journal is not None:
                    self._journal.append((informer, key, True))
                self.version += 1
            return
        if row.mark == "gone":
            with self._lock:
                for view in self._views():
                    view.count_gone(informer, key, -1)
                self._gone_of[informer] -= 1
                self.version += 1
            row.updates = row.syncs = 0
            row.came_at, row.came = at, came
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
        if self._journal is not None:
            self._journal.append((informer, key, False))

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
            return displayed(self._shown.row(index))

    def rows(self, start: int, count: int) -> list[RowRef]:
        """Up to `count` rows from `start`, all of one moment."""
        with self._lock:
            end = min(start + count, self._shown.total)
            return [displayed(self._shown.row(index)) for index in range(max(start, 0), end)]

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
            folds = self._folds(self._filter)
            folded = name not in folds if folded is None else folded
            (folds.add if folded else folds.discard)(name)
            for view in self._views():
                view.touch()
            self.version += 1
            return folded

    def fold_all(self, folded: bool) -> None:
        """Fold every namespace (the kinds stay open), or unfold everything."""
        with self._lock:
            folds = self._folds(self._filter)
            folds.clear()
            if folded:
                folds.update(name for name in self._all.folds() if name[1] is not None)
            for view in self._views():
                view.touch()
            self.version += 1

    def _folds(self, test: ObjectTest | None) -> set[FoldKey]:
        return self._folded if test is None else self._folded_matches

    def frozen(self, labels_of: Callable[[ObjectRef], Mapping[str, str]]) -> ObjectIndex:
        """A copy that stays as this one is now, with the same folds, filter and order. The recorder waits meanwhile."""
        with self._lock:
            made = ObjectIndex(self._kept_s)
            made._rows = {name: {key: copy(row) for key, row in rows.items()} for name, rows in self._rows.items()}
            made._gone, made._gone_of = deque(self._gone), dict(self._gone_of)
            made._adopt(self, labels_of)
            made._all = made._shown = self._all.copied(made._folded)
            if self._shown is not self._all:
                made._shown = self._shown.copied(made._folds(made._filter))
        return made

    def look_like(self, other: ObjectIndex, labels_of: Callable[[ObjectRef], Mapping[str, str]] | None = None) -> None:
        """Fold, filter and order as `other` does; `labels_of`: where labels are looked up from now on."""
        with self._lock:
            self._adopt(other, labels_of)
            for view in self._views():
                view.touch()
        self.arrange()

    def _adopt(self, other: ObjectIndex, labels_of: Callable[[ObjectRef], Mapping[str, str]] | None) -> None:
        for own, others in ((self._folded, other._folded), (self._folded_matches, other._folded_matches)):
            own.clear()
            own.update(others)
        self.filter_text, self._filter, self.order = other.filter_text, other._filter, other.order
        self._labels_of = labels_of or other._labels_of
        self._wish += 1

    def set_filter(self, text: str, labels_of: Callable[[ObjectRef], Mapping[str, str]] | None = None) -> None:
        """Show only the objects that fit `text` (see `filters`); "" shows all. Raises `BadFilter`.

        `labels_of` is asked for every object when the filter names labels: 10 µs each, so use a thread for many.
        """
        test = object_filter(text)
        with self._lock:
            before, self.filter_text = self.filter_text, text.strip() if test else ""
            if self.filter_text != before:
                self._folded_matches.clear()
            self._filter, self._labels_of = test, labels_of
            self._wish += 1
        self.arrange()

    def set_order(self, order: str) -> None:
        """Order the objects of each namespace by `name` or by one of `ORDERS`. Raises `KeyError`."""
        if order != "name":
            ORDERS[order]
        with self._lock:
            self.order = order
            self._wish += 1
        self.arrange()

    @property
    def is_live(self) -> bool:
        """Whether filter or order depend on what changes: then `arrange` now and then."""
        return self.order != "name" or (self._filter is not None and self._filter.is_live)

    def arrange(self) -> None:
        """Apply filter and order to the objects as they are now; gives way to a newer wish."""
        with self._arranging:
            with self._lock:
                wish, test, order = self._wish, self._filter, self.order
                if test is None and order == "name":
                    self._shown = self._all
                    self.version += 1
                    return
                self._journal = []
                groups = self._all.groups()
            try:
                made = self._made(groups, test, order, wish)
                with self._lock:
                    if made is not None and wish == self._wish:
                        self._publish(made, test, order)
            finally:
                self._journal = None

    def _made(
        self, groups: list[tuple[str, str, list[str]]], test: ObjectTest | None, order: str, wish: int
    ) -> list[tuple[str, str, list[str]]] | None:
        """The keys that pass, in their order; None when something else is wished meanwhile."""
        made = []
        for informer, namespace, keys in groups:
            if test is not None:
                passed = []
                for key in keys:
                    if self._passes(test, informer, key):
                        passed.append(key)
                    if wish != self._wish:
                        return None
                keys = passed
            if order != "name":
                rows, weight = self._rows.get(informer, {}), ORDERS[order]
                keys.sort(key=lambda key: weight(rows.get(key, _NO_ROW)))
            made.append((informer, namespace, keys))
        return made

    def _publish(self, groups: list[tuple[str, str, list[str]]], test: ObjectTest | None, order: str) -> None:
        """Show `groups`, brought up to date with what came and went while they were made."""
        buried = {(name, key) for _, name, key in self._gone
                  if (row := self._rows.get(name, {}).get(key)) is not None and row.mark == "gone"
                  and self._passes(test, name, key)}
        gone = Counter((name, key.partition("/")[0] if "/" in key else "") for name, key in buried)
        view = self._all.arranged(groups, gone, self._folds(test), by_key=order == "name")
        for informer, key, added in self._journal or ():
            if not added:
                view.remove(informer, key)
            elif self._passes(test, informer, key):
                view.remove(informer, key)
                view.add(informer, key)
        self._shown = view
        self.version += 1

    def _passes(self, test: ObjectTest | None, informer: str, key: str) -> bool:
        if test is None:
            return True
        if test.key is not None and not test.key(key):
            return False
        if test.row is not None:
            row = self._rows.get(informer, {}).get(key)
            if row is None or not test.row(row.resource_version, row.mark):
                return False
        if test.labels is None:
            return True
        return self._labels_of is not None and test.labels(self._labels_of(ObjectRef(informer, key)))

    def namespaces(self, limit: int) -> list[str]:
        """The namespaces of the objects, sorted; `limit` at most."""
        with self._lock:
            return sorted({clean(name[1]) for name in self._all.folds() if name[1]})[:limit]
