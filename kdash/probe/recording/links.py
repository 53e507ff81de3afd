"""What a record has in common with those before it: not written twice.

Contract: `Links` remembers the newest records, on the writing and the reading side alike: `add` is called for the same
records in the same order, `clear` and `end_chunk` at the same places. A `Group` says what a field of its records would
be if it were as its rule says; None where the other record is not known. The rules only save space: a field that is
not as expected is written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from operator import sub
from typing import Any

from kdash.informer.tap import FIELDS, Record

__all__ = ["IN_ORDER", "Group", "Links"]

IN_ORDER = (
    "watch.event", "queue.enqueued", "queue.popped", "queue.processed", "store.mutation", "notify.distribute",
    "handler.start", "handler.end",
)  # fmt: skip
"""Every kind after those it is linked to."""
_KEPT_MAX = 1 << 16
_SINCE = "mono"  # of a rule: the seconds since the other record

_RULES: dict[str, tuple[str, dict[str, str]]] = {
    "queue.enqueued": ("watch.event", {"key": "key", "rv": "rv"}),
    "queue.popped": ("queue.enqueued", {"key": "key", "waited_s": _SINCE}),
    "queue.processed": ("queue.popped", {"key": "key"}),
    "store.mutation": ("queue.enqueued", {"key": "key", "new_rv": "rv"}),
    "notify.distribute": ("store.mutation", {"key": "key", "rv": "new_rv"}),
    "handler.start": ("notify.distribute", {"kind": "kind", "key": "key", "rv": "rv", "is_sync": "is_sync",
                                            "wait_s": _SINCE}),
    "handler.end": ("handler.start", {"kind": "kind", "key": "key", "rv": "rv", "is_sync": "is_sync",
                                      "in_initial_list": "in_initial_list", "wait_s": "wait_s", "run_s": _SINCE}),
    "version": ("store.mutation", {"key": "key", "rv": "new_rv", "old_rv": "old_rv", "size": "size"}),
}  # fmt: skip
"""Kind → the other record's kind, own field → the other one's field, or the seconds in between."""
_BY_HAND = {("watch.event", "uid"), ("store.mutation", "old_rv"), ("store.mutation", "stored_size"),
            ("handler.end", "old_rv")}  # fmt: skip


def _place(kind: str, field: str) -> int:
    return FIELDS[kind].index(field) + 5


_CAUSE_OF_DISTRIBUTE = _place("notify.distribute", "cause")
_CAUSE_OF_START, _LISTENER_OF_START = _place("handler.start", "cause"), _place("handler.start", "listener")
_KEY_OF_EVENT, _UID_OF_EVENT = _place("watch.event", "key"), _place("watch.event", "uid")
_KEY_OF_MUTATION, _NEW_RV, _OLD_RV = (_place("store.mutation", name) for name in ("key", "new_rv", "old_rv"))
_RV_OF_ENQUEUED = _place("queue.enqueued", "rv")


class Links:
    """The newest records that others are linked to."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """A refresh: whoever reads from here on needs nothing before."""
        self.records: dict[Any, Record] = {}  # by number; a start by its listener and cause
        self.pops: dict[str, list[Record]] = {}
        self.uids: dict[tuple[str, str], str] = {}
        self.versions: dict[tuple[str, str], str] = {}

    def end_chunk(self) -> None:
        """Keep the newest only: a slow handler's calls are linked to what was distributed long ago."""
        excess = len(self.records) - _KEPT_MAX
        if excess > 0:
            for key in list(self.records)[: excess + _KEPT_MAX // 4]:
                del self.records[key]
        for pops in self.pops.values():
            del pops[:-2]
        for known in (self.uids, self.versions):
            if len(known) > _KEPT_MAX:
                known.clear()

    def add(self, records: Sequence[Record]) -> None:
        """Remember them."""
        known = self.records
        for record in records:
            kind = record[2]
            if kind == "handler.start":
                known[record[_LISTENER_OF_START], record[_CAUSE_OF_START]] = record
            elif kind in IN_ORDER:
                known[record[0]] = record
                if kind == "queue.popped":
                    self.pops.setdefault(record[3], []).append(record)
                elif kind == "store.mutation":
                    self.versions[record[3], record[_KEY_OF_MUTATION]] = record[_NEW_RV]
                elif kind == "watch.event":
                    self.uids[record[3], record[_KEY_OF_EVENT]] = record[_UID_OF_EVENT]


class Group:
    """Records of one kind in one chunk, of which some columns may be known."""

    def __init__(
        self, links: Links, kind: str, seqs: Sequence[int], instants: Sequence[float], informers: Sequence[str],
        columns: Mapping[str, Sequence[Any]],
    ) -> None:
        """`columns` may grow later: a rule only looks at those of `cause`, `listener` and of fields before its own."""
        self._links = links
        self._kind = kind
        self._seqs = seqs
        self._instants = instants
        self._informers = informers
        self._columns = columns
        self._found: list[Record | None] | None = None

    def expected(self, name: str) -> Sequence[Any] | None:
        """What the field is expected to be, of each record; None when there is no rule."""
        kind = self._kind
        if (kind, name) in _BY_HAND:
            return {"uid": self._uids, "stored_size": lambda: self._columns["size"],
                    "old_rv": self._former if kind == "store.mutation" else self._replaced}[name]()  # fmt: skip
        other_kind, rules = _RULES.get(kind, ("", {}))
        theirs = rules.get(name)
        if theirs is None:
            return None
        if theirs == _SINCE:
            pairs = zip(self._others(), self._instants, strict=True)
            return [None if other is None else sub(at, other[1]) for other, at in pairs]
        place = _place(other_kind, theirs)
        return [None if other is None else other[place] for other in self._others()]

    def _others(self) -> list[Record | None]:
        if self._found is None:
            kind, get = _RULES[self._kind][0], self._links.records.get
            found = self._popped() if self._kind == "queue.processed" else list(map(get, self._keys()))
            self._found = [other if other is not None and other[2] == kind else None for other in found]
        return self._found

    def _keys(self) -> Sequence[Any]:
        if self._kind == "version":
            return self._seqs
        causes = self._columns["cause"]
        return list(zip(self._columns["listener"], causes, strict=True)) if self._kind == "handler.end" else causes

    def _popped(self) -> list[Record | None]:
        """The pop before each record: an informer processes one at a time."""
        numbers = {informer: [pop[0] for pop in pops] for informer, pops in self._links.pops.items()}
        found: list[Record | None] = []
        for informer, seq in zip(self._informers, self._seqs, strict=True):
            at = bisect_left(numbers.get(informer, ()), seq)
            found.append(self._links.pops[informer][at - 1] if at else None)
        return found

    def _uids(self) -> list[Any]:
        known = self._links.uids
        return [known.get(who) for who in zip(self._informers, self._columns["key"], strict=True)]

    def _former(self) -> list[Any]:
        """The version that each mutation replaces: the one that the mutation before it brought."""
        known = self._links.versions
        ours: dict[tuple[str, str], Any] = {}
        found = []
        for who, other in zip(zip(self._informers, self._columns["key"], strict=True), self._others(), strict=True):
            found.append(ours[who] if who in ours else known.get(who))
            ours[who] = None if other is None else other[_RV_OF_ENQUEUED]
        return found

    def _replaced(self) -> list[Any]:
        """The version that a call's object replaced: of the mutation that led to it."""
        get = self._links.records.get
        found = []
        for start in self._others():
            told = None if start is None else get(start[_CAUSE_OF_START])
            mutation = get(told[_CAUSE_OF_DISTRIBUTE]) if told is not None and told[2] == "notify.distribute" else None
            found.append(mutation[_OLD_RV] if mutation is not None and mutation[2] == "store.mutation" else None)
        return found
