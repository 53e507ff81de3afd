"""What the fields of records may hold: a file may be made by anybody, and a recorder believes what it is told.

Contract: `check` raises ValueError for a column that no tap would have filled so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kdash.informer.tap import FIELDS

__all__ = ["FIELDS_OF", "check", "check_head", "check_sizes"]

FIELDS_OF: dict[str, tuple[str, ...]] = {
    **FIELDS,
    "version": ("key", "event", "rv", "content", "size", "old_rv", "old_content", "old_size", "inferred"),
}
"""The records of the tap, and `version`: what a cache took in; contents are numbers (see `format`)."""

_BOOLS = frozenset({
    "atomic", "bookmarking", "bookmarks", "cancellable", "cap_hit", "counted", "forced", "handler_notified",
    "has_continue", "in_call", "in_initial_list", "inferred", "initial_events_end", "interrupted", "is_sync", "late",
    "needed",
    "new_key", "ok", "paginated", "reused_from_watchlist", "running", "rv_unavailable", "seen_by_watch_error_handler",
    "tombstone", "uid_changed", "use_watch_list", "was_tombstone", "watch_list", "lost_rv",
})  # fmt: skip
_TEXTS = frozenset({
    "batch_end_reason", "by", "callee", "class", "client_go", "delta_type", "detail", "engine", "error", "error_class",
    "event", "how", "key", "kind", "last_rv", "listener", "message", "name", "new_rv", "next", "old_rv", "op",
    "outcome", "path", "prev_rv", "purpose", "reason", "rejected_reason", "rv", "rv_reason", "site", "stage", "state",
    "type", "uid", "verb", "warning", "watch_list_reason", "what", "why", "why_limit", "kept", "dropped_type",
})  # fmt: skip
_PERHAPS = frozenset({"remaining", "code", "http_code"})
_TUPLES: dict[str, tuple[tuple[type, ...], ...] | None] = {
    "decisions": ((str,), (float, int), (float, int), (float, int, type(None)), (bool,), (float, int, type(None))),
    "frames": ((str,), (int,), (str,), (str,), (bool,)),
    "delivered_to": None,
    "skipped": None,
}
"""Tuples of tuples of these types, or of strings."""
_LARGEST, _FARTHEST_S = 1 << 53, 1e12

Types = frozenset[type]


def _types(name: str) -> Types:
    if name in _BOOLS:
        return frozenset({bool})
    if name in _TEXTS:
        return frozenset({str})
    if name in _TUPLES:
        return frozenset({tuple})
    if name.endswith(("_s", "_at")):
        return frozenset({float, int, type(None)})
    return frozenset({int, type(None)}) if name in _PERHAPS else frozenset({int})


_ALLOWED = {name: _types(name) for names in FIELDS_OF.values() for name in names}


def check_head(seqs: Sequence[Any], instants: Sequence[Any], informers: Sequence[Any], threads: Sequence[Any]) -> None:
    """The fields that all records have."""
    for values, kinds in ((seqs, {int}), (instants, {float, int}), (informers, {str}), (threads, {int})):
        _check_types(values, kinds)


def check(columns: Mapping[str, Sequence[Any]]) -> None:
    """The fields of the records of one kind, by name."""
    for name, values in columns.items():
        _check_types(values, _ALLOWED[name])
        if name in _TUPLES:
            for value in set(values):
                _check_tuple(value, _TUPLES[name])


def check_sizes(values: Iterable[Any]) -> None:
    """Numbers that anything can be done with; whatever else is among them is not looked at."""
    for value in values:
        kind = type(value)
        if (kind is int and not -_LARGEST < value < _LARGEST) or (
            kind is float and not -_FARTHEST_S < value < _FARTHEST_S
        ):
            raise ValueError("a number that is far too large")


def _check_types(values: Iterable[Any], allowed: Iterable[type]) -> None:
    if not set(map(type, values)) <= set(allowed):
        raise ValueError("a field of another type")


def _check_tuple(value: tuple[Any, ...], kinds: tuple[tuple[type, ...], ...] | None) -> None:
    if kinds is None:
        _check_types(value, {str})
        return
    for row in value:
        if type(row) is not tuple or len(row) != len(kinds):
            raise ValueError("a tuple of another shape")
        for each, allowed in zip(row, kinds, strict=True):
            if type(each) not in allowed:
                raise ValueError("a field of another type")
        check_sizes(row)
