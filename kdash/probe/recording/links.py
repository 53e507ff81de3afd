"""What a record has in common with those before it: not written twice.

Contract: `Links` remembers the newest records, on the writing and the reading side alike: `add` is called for the same
records in the same order, `clear` and `end_chunk` at the same places. A `Group` says what a field of its records would
be if it were as its rule says; None where the other record is not known. The rules only save space: a field that is
not as expected is written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from operator import sub
from typing import Any

from kdash.informer.tap import FIELDS, Record

__all__ = ["IN_ORDER", "Group", "Links"]

IN_ORDER = (
    "watch.event", "queue.enqueued", "queue.popped", "queue.processed", "store.mutation", "notify.distribute",
    "handler.start", "handler.end", "handler.cpu",
)  # fmt: skip
"""Every kind after those it is linked to."""
_KEPT_MAX = 1 << 15
_TOLD_MAX = 1 << 17
_OBJECTS_MAX = 1 << 17
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
    "handler.cpu": ("handler.start", {"kind": "kind", "key": "key"}),
    "version": ("store.mutation", {"key": "key", "rv": "new_rv", "old_rv": "old_rv", "size": "size"}),
}  # fmt: skip
"""Kind → the other record's kind, own field → the other one's field, or the seconds in between."""
_BY_HAND = {("watch.event", "uid"), ("queue.enqueued", "rv"), ("store.mutation", "old_rv"), ("store.mutation", "size"),
            ("store.mutation", "stored_size"), ("handler.end", "old_rv")}  # fmt: skip


def _place(kind: str, field: str) -> int:
    return FIELDS[kind].index(field) + 5


_CAUSE_OF_DISTRIBUTE = _place("notify.distribute", "cause")
_CAUSE_OF_START, _LISTENER_OF_START = _place("handler.start", "cause"), _place("handler.start", "listener")
_KEY_OF_EVENT, _UID_OF_EVENT = _place("watch.event", "key"), _place("watch.event", "uid")
_KEY_OF_MUTATION, _NEW_RV, _OLD_RV = (_place("store.mutation", name) for name in ("key", "new_rv", "old_rv"))
_SIZE, _STORED_SIZE = _place("store.mutation", "size"), _place("store.mutation", "stored_size")


class Links:
    """The newest records that others are linked to."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """A refresh: whoever reads from here on needs nothing before."""
        self.records: dict[Any, Record] = {}  # by number; a start by its listener and cause
        self.told: dict[int, Record] = {}  # notify.distribute: a slow handler's calls come long after
        self.latest: dict[tuple[str, ...], list[Record]] = {}  # pops of an informer, starts of its listener
        self.uids: dict[tuple[str, str], str] = {}
        self.objects: dict[tuple[str, str], tuple[str, int, int]] = {}  # version, size, stored size

    def end_chunk(self) -> None:
        """Keep the newest only."""
        for known, most in ((self.records, _KEPT_MAX), (self.told, _TOLD_MAX)):
            excess = len(known) - most
            if excess > 0:
                for key in list(known)[: excess + most // 4]:
                    del known[key]
        for newest in self.latest.values():
            del newest[:-2]
        for objects in (self.uids, self.objects):
            if len(objects) > _OBJECTS_MAX:
                objects.clear()

    def add(self, records: Sequence[Record]) -> None:
        """Remember them: of one kind, kinds in their order."""
        known = self.records
        for record in records:
            kind, informer = record[2], record[3]
            if kind == "handler.start":
                known[record[_LISTENER_OF_START], record[_CAUSE_OF_START]] = record
                self.latest.setdefault((informer, record[_LISTENER_OF_START]), []).append(record)
            elif kind == "notify.distribute":
                self.told[record[0]] = record
            elif kind in IN_ORDER:
                known[record[0]] = record
                if kind == "queue.popped":
                    self.latest.setdefault((informer,), []).append(record)
                elif kind == "store.mutation":
                    self.objects[informer, record[_KEY_OF_MUTATION]] = (
                        record[_NEW_RV], record[_SIZE], record[_STORED_SIZE])
                elif kind == "watch.event":
                    self.uids[informer, record[_KEY_OF_EVENT]] = record[_UID_OF_EVENT]


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
            by_hand: dict[str, Callable[[], Sequence[Any]]] = {
                "uid": self._uids, "rv": self._queued, "size": lambda: self._known(1), "stored_size": self._stored,
                "old_rv": self._former if kind == "store.mutation" else self._replaced,
            }
            return by_hand[name]()
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
            kind = _RULES[self._kind][0]
            if self._kind in ("queue.processed", "handler.cpu"):
                found = self._latest()
            else:
                known: Mapping[Any, Record] = self._links.told if kind == "notify.distribute" else self._links.records
                found = [known.get(key) for key in self._keys()]
            self._found = [other if other is not None and other[2] == kind else None for other in found]
        return self._found

    def _keys(self) -> Sequence[Any]:
        if self._kind == "version":
            return self._seqs
        causes = self._columns["cause"]
        return list(zip(self._columns["listener"], causes, strict=True)) if self._kind == "handler.end" else causes

    def _latest(self) -> list[Record | None]:
        """The pop before each record (an informer processes one at a time), or the start of the same listener."""
        latest = self._links.latest
        numbers = {who: [record[0] for record in records] for who, records in latest.items()}
        whose = zip(self._informers, self._columns["listener"], strict=True) if self._kind == "handler.cpu" else zip(
            self._informers, strict=True)  # fmt: skip
        found: list[Record | None] = []
        for who, seq in zip(whose, self._seqs, strict=True):
            at = bisect_left(numbers.get(who, ()), seq)
            found.append(latest[who][at - 1] if at else None)
        return found

    def _whose(self) -> list[tuple[str, str]]:
        return list(zip(self._informers, self._columns["key"], strict=True))

    def _uids(self) -> list[Any]:
        return [self._links.uids.get(who) for who in self._whose()]

    def _known(self, place: int) -> list[Any]:
        """What the last mutation of the same object in an earlier chunk told."""
        known = self._links.objects
        return [None if who not in known else known[who][place] for who in self._whose()]

    def _queued(self) -> list[Any]:
        """The version that is enqueued: the event's, or, in a resync, the one that the cache holds."""
        event = FIELDS["watch.event"].index("rv") + 5
        return [known if other is None else other[event]
                for other, known in zip(self._others(), self._known(0), strict=True)]

    def _stored(self) -> list[Any]:
        """All of it, but what a resync finds is packed, perhaps."""
        pairs = zip(self._columns["size"], self._columns["delta_type"], self._known(2), strict=True)
        return [known if kind == "Sync" else size for size, kind, known in pairs]

    def _former(self) -> list[Any]:
        """The version that each mutation replaces: the one that the mutation before it brought."""
        rv = FIELDS["queue.enqueued"].index("rv") + 5
        ours: dict[tuple[str, str], Any] = {}
        found = []
        for who, known, other in zip(self._whose(), self._known(0), self._others(), strict=True):
            found.append(ours.get(who, known))
            ours[who] = None if other is None else other[rv]
        return found

    def _replaced(self) -> list[Any]:
        """The version that a call's object replaced: of the mutation that led to it."""
        links = self._links
        found = []
        for start in self._others():
            told = None if start is None else links.told.get(start[_CAUSE_OF_START])
            mutation = None if told is None else links.records.get(told[_CAUSE_OF_DISTRIBUTE])
            found.append(mutation[_OLD_RV] if mutation is not None and mutation[2] == "store.mutation" else None)
        return found
