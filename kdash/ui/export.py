"""Writing what a pane shows to a file: JSON and CSV of its rows, or a picture of the screen (SVG).

The rows are the figures of the snapshot, not what fits on the screen. Objects are told by their name and what the tap
said of them: no content of an object is exported, so no Secret is either.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kdash.observe.door import Look
from kdash.probe.snapshot import Snapshot
from kdash.probe.text import clean

__all__ = ["FORMATS", "as_csv", "as_json", "rows_of"]

FORMATS = ("json", "csv", "svg")
_EVENTS_MAX = 20_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rows_of(pane: str, snapshot: Snapshot, observation: Look, handler_order: Sequence[str] = ()) -> list[Any]:
    """The rows of a pane as plain dicts."""
    if pane == "objects":
        return _objects(observation)
    if pane == "events":
        log = observation.events
        lines = log.lines(max(log.first, log.total - _EVENTS_MAX), _EVENTS_MAX)
        return [{"wall": each.wall, "category": each.category, "informer": each.informer, "verb": each.verb,
                 "key": each.key, "detail": each.detail, "repeats": each.repeats} for each in lines]
    if pane == "handlers":
        rows = [asdict(handler) for handler in snapshot.handlers]
        return sorted(rows, key=lambda row: handler_order.index(row["name"]) if row["name"] in handler_order else 0)
    if pane == "api":
        return [asdict(row) for row in snapshot.api.rows]
    if pane == "resync":
        return [asdict(hand) for hand in snapshot.resync.hands]
    if pane == "queue":
        return [{name: value for name, value in asdict(snapshot.queue).items() if name != "head"},
                *(asdict(row) for row in snapshot.queue.head)]
    return [asdict(informer) for informer in snapshot.informers]


def _objects(observation: Look) -> list[dict[str, Any]]:
    index = observation.objects
    rows: list[dict[str, Any]] = []
    now = observation.snapshot().mono
    for row in index.rows(0, index.total):
        known = index.get(row.ref) if row.level == 2 else None
        if known is not None:
            rows.append({"resource": clean(row.informer), "namespace": row.namespace, "name": row.name,
                         "state": known.mark, "age_s": round(now - known.changed_at, 3), "updates": known.updates,
                         "resource_version": clean(known.resource_version), "bytes": known.size})
    return rows


def as_json(pane: str, snapshot: Snapshot, rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows with where and when they come from."""
    document = {"kdash": pane, "source": snapshot.source, "wall": snapshot.wall, "state": snapshot.state.word,
                "rows": [_finite(row) for row in rows]}
    return json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The scalar columns of the rows. What a spreadsheet would take for a formula is quoted."""
    columns = list(dict.fromkeys(name for row in rows for name, value in row.items() if _is_cell(value)))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return out.getvalue()


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _cell(value: object) -> object:
    if isinstance(value, str):
        return f"'{clean(value)}" if value.startswith(_FORMULA) else clean(value)
    return "" if value is None or not _is_cell(value) else value


def _finite(value: Any) -> Any:
    """Without the infinities and NaNs that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
