"""Rows of the object tree: sorted keys per (informer, namespace), numbered top to bottom through prefix sums.

Contract: no thread safety of its own (`ObjectIndex` holds the lock). `add` is O(1) for keys that arrive in
order, as those of a list do, else one bisection and one insert; a row is found in O(log groups). The prefix
sums are rebuilt when first needed after a change of structure: O(groups), whatever the number of objects.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["FoldKey", "GroupedKeys", "Row"]

FoldKey = tuple[str, str | None]
"""(informer, namespace); the namespace is None for the informer's own header."""


class Row(NamedTuple):
    """One row: level 0 an informer's header, 1 a namespace's header, 2 an object."""

    level: int
    informer: str
    namespace: str
    key: str
    objects: int
    folded: bool


class _Group:
    """The keys of one informer in one namespace."""

    __slots__ = ("dropped", "folded", "gone", "informer", "keys", "namespace", "order", "start")

    def __init__(self, order: int, informer: str, namespace: str) -> None:
        self.order = (order, namespace)
        self.informer = informer
        self.namespace = namespace
        self.keys: list[str] = []
        self.dropped: set[str] = set()  # still in `keys` of a group that is not sorted by key
        self.gone = 0
        self.start = -1  # row of its first object, -1 while folded away
        self.folded = False


def _order_of(group: _Group) -> tuple[int, str]:
    return group.order


class GroupedKeys:
    """Keys of several informers as numbered rows. Views may share `folded`.

    With `by_key=False` the keys of a group stand in the order in which they were put there; new ones at its end.
    """

    def __init__(self, folded: set[FoldKey], *, by_key: bool = True) -> None:
        self.folded = folded
        self._by_key = by_key
        self.size = 0
        self._informers: dict[str, int] = {}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._ordered: list[_Group] = []
        self._dirty = True
        self._starts: list[int] = []
        # per entry: the group (None: an informer's header), informer, objects, folded
        self._entries: list[tuple[_Group | None, str, int, bool]] = []
        self._total = 0

    def add_informer(self, informer: str) -> None:
        self._informers.setdefault(informer, len(self._informers))
        self._dirty = True

    def add(self, informer: str, key: str) -> None:
        """Insert `key`, which must not be there yet."""
        namespace = key.partition("/")[0] if "/" in key else ""
        group = self._groups.get((informer, namespace))
        if group is None:
            if informer not in self._informers:
                self.add_informer(informer)
            group = _Group(self._informers[informer], informer, namespace)
            self._groups[informer, namespace] = group
            insort(self._ordered, group, key=_order_of)
        keys = group.keys
        if not self._by_key and key in group.dropped:
            group.dropped.discard(key)
        elif not self._by_key or not keys or key > keys[-1]:
            keys.append(key)
        else:
            insort(keys, key)
        self.size += 1
        self._dirty = True

    def remove(self, informer: str, key: str) -> None:
        """Take `key` out; nothing happens when it is not there."""
        group = self._group_of(informer, key)
        if group is None:
            return
        if not self._by_key:
            if key in group.dropped or key not in group.keys:
                return
            group.dropped.add(key)
            self.size -= 1
            self._dirty = True
            return
        at = bisect_left(group.keys, key)
        if at == len(group.keys) or group.keys[at] != key:
            return
        del group.keys[at]
        if not group.keys:
            del self._groups[informer, group.namespace]
            self._ordered.remove(group)
        self.size -= 1
        self._dirty = True

    def count_gone(self, informer: str, key: str, change: int) -> None:
        """Objects that are still shown but deleted do not count in their header; keys of other views are ignored."""
        group = self._group_of(informer, key)
        if group is not None and self._shows(group, key):
            group.gone += change
            self._dirty = True

    def groups(self) -> list[tuple[str, str, list[str]]]:
        """(informer, namespace, its keys in order) of every group; the lists are copies."""
        return [(group.informer, group.namespace,
                 [key for key in group.keys if key not in group.dropped] if group.dropped else group.keys[:])
                for group in self._ordered]

    def _shows(self, group: _Group, key: str) -> bool:
        if not self._by_key:
            return key in group.keys and key not in group.dropped
        at = bisect_left(group.keys, key)
        return at < len(group.keys) and group.keys[at] == key

    def gone(self) -> dict[tuple[str, str], int]:
        """How many keys of each group are deleted."""
        return {(group.informer, group.namespace): group.gone for group in self._ordered}

    def copied(self, folded: set[FoldKey]) -> GroupedKeys:
        """The same keys in the same order, with folds of its own."""
        return self.arranged(self.groups(), self.gone(), folded, by_key=self._by_key)

    def arranged(
        self, groups: Iterable[tuple[str, str, list[str]]], gone: Mapping[tuple[str, str], int],
        folded: set[FoldKey], *, by_key: bool,
    ) -> GroupedKeys:
        """A view on the keys of `groups`, of which `gone` tells how many are deleted."""
        view = GroupedKeys(folded, by_key=by_key)
        view._informers = dict(self._informers)
        for informer, namespace, keys in groups:
            if keys:
                group = _Group(view._informers.setdefault(informer, len(view._informers)), informer, namespace)
                group.keys, group.gone = keys, gone.get((informer, namespace), 0)
                view._groups[informer, namespace] = group
                view._ordered.append(group)
                view.size += len(keys)
        view._ordered.sort(key=_order_of)
        return view

    def remove_informer(self, informer: str) -> None:
        """Forget an informer that has no keys any more."""
        self._informers.pop(informer, None)
        for name in [name for name in self._groups if name[0] == informer]:
            group = self._groups.pop(name)
            self._ordered.remove(group)
            self.size -= len(group.keys) - len(group.dropped)
        self._dirty = True

    def touch(self) -> None:
        """Folds changed: number the rows anew."""
        self._dirty = True

    def folds(self) -> list[FoldKey]:
        """All headers that can be folded."""
        kinds: list[FoldKey] = [(name, None) for name in self._informers] if len(self._informers) > 1 else []
        return kinds + [(group.informer, group.namespace) for group in self._ordered if group.namespace]

    @property
    def total(self) -> int:
        if self._dirty:
            self._number()
        return self._total

    def row(self, index: int) -> Row:
        """The row at `index`, 0 ≤ index < total."""
        if self._dirty:
            self._number()
        at = bisect_right(self._starts, index) - 1
        group, informer, count, folded = self._entries[at]
        offset = index - self._starts[at]
        if group is None:
            return Row(0, informer, "", "", count, folded)
        if group.namespace:
            if offset == 0:
                return Row(1, informer, group.namespace, "", count, folded)
            offset -= 1
        return Row(2, informer, group.namespace, group.keys[offset], 0, False)

    def position_of(self, informer: str, key: str) -> int | None:
        if self._dirty:
            self._number()
        group = self._group_of(informer, key)
        if group is None or group.start < 0:
            return None
        if not self._by_key:
            return group.start + group.keys.index(key) if key in group.keys else None
        at = bisect_left(group.keys, key)
        if at == len(group.keys) or group.keys[at] != key:
            return None
        return group.start + at

    def header_of(self, informer: str, namespace: str | None) -> int | None:
        """The row of a header, None when it is not shown."""
        if self._dirty:
            self._number()
        for start, (group, name, _, _) in zip(self._starts, self._entries, strict=True):
            if name == informer and (None if group is None else group.namespace) == namespace:
                return start
        return None

    def _group_of(self, informer: str, key: str) -> _Group | None:
        return self._groups.get((informer, key.partition("/")[0] if "/" in key else ""))

    def _number(self) -> None:
        starts: list[int] = []
        entries: list[tuple[_Group | None, str, int, bool]] = []
        with_kinds = len(self._informers) > 1
        row = 0
        by_informer: dict[str, list[_Group]] = {name: [] for name in self._informers}
        for group in [group for group in self._ordered if group.dropped]:
            group.keys = [key for key in group.keys if key not in group.dropped]
            group.dropped.clear()
            if not group.keys:
                del self._groups[group.informer, group.namespace]
                self._ordered.remove(group)
        for group in self._ordered:
            by_informer[group.informer].append(group)
        for informer, groups in by_informer.items():
            kind_folded = with_kinds and (informer, None) in self.folded
            if with_kinds:
                starts.append(row)
                entries.append((None, informer, sum(len(g.keys) - g.gone for g in groups), kind_folded))
                row += 1
            for group in groups:
                if kind_folded:
                    group.start = -1
                    continue
                folded = bool(group.namespace) and (informer, group.namespace) in self.folded
                starts.append(row)
                entries.append((group, informer, len(group.keys) - group.gone, folded))
                row += 1 if group.namespace else 0
                group.start = -1 if folded else row
                row += 0 if folded else len(group.keys)
        self._starts, self._entries, self._total, self._dirty = starts, entries, row, False
