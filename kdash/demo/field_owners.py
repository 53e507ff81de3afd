"""Who owns which field: `managedFields` and server-side apply, as pure functions.

A set of fields is held as a frozenset of paths; a path is a tuple of the segments that FieldsV1 uses
(`f:spec`, `k:{"name":"web"}`, `v:"x"`). A path owns a leaf, or (where FieldsV1 writes `"."`) an object as
such. `record_update` notes a create, a replace or a patch; `apply` is server-side apply: it merges, removes
what the manager no longer names, and refuses with `ApplyConflict` what somebody else owns with another
value. A field that has become an object, or that holds what somebody owns, is not removed: only leaves go, and list
items in which nobody owns anything, with whatever defaults they were given.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from . import list_shapes

Json = Any
Path = tuple[str, ...]
Fields = frozenset[Path]

_NOT_OWNED = frozenset({"apiVersion", "kind"})
_NOT_OWNED_METADATA = frozenset({
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "managedFields", "selfLink",
})
_STRUCTS = frozenset({"f:metadata", "f:spec", "f:status", "f:template", "f:strategy"})
_REQUIRED_LISTS = frozenset({"containers"})


class ApplyConflict(Exception):
    """An apply that would change what others own. `conflicts` is a list of (who, field)."""

    def __init__(self, conflicts: list[tuple[str, str]]) -> None:
        by_owner: dict[str, list[str]] = {}
        for who, field in conflicts:
            by_owner.setdefault(who, []).append(field)
        found = "\n".join(f"conflict with {who}: {fields[0]}" if len(fields) == 1
                          else "\n- ".join([f"conflicts with {who}:", *fields])
                          for who, fields in by_owner.items())
        super().__init__(f"Apply failed with {len(conflicts)} conflict{'s' * (len(conflicts) != 1)}: {found}")
        self.conflicts = conflicts


def fields_of(document: dict[str, Any], *, custom: bool = False, applied: bool = False) -> Fields:
    """Every field that a document sets. `applied`: without the objects as such, as apply owns leaves only."""
    return frozenset(path for path, _ in _walk(document, custom, applied))


def _walk(document: dict[str, Any], custom: bool, applied: bool) -> Iterator[tuple[Path, Json]]:
    for field, value in document.items():
        if field in _NOT_OWNED:
            continue
        if field == "metadata" and isinstance(value, dict):
            value = {key: part for key, part in value.items() if key not in _NOT_OWNED_METADATA}
            if not value:
                continue
        yield from _walk_value((f"f:{field}",), "", field, value, custom, applied)


def _walk_value(path: Path, parent: str, field: str, value: Json, custom: bool,
                applied: bool) -> Iterator[tuple[Path, Json]]:
    if isinstance(value, dict) and value and not list_shapes.is_atomic_map(parent, field):
        struct = path[-1] in _STRUCTS and not (custom and path[-1] != "f:metadata")
        if not applied and not struct:
            yield path, {}
        for key, part in value.items():
            yield from _walk_value((*path, f"f:{key}"), field, key, part, custom, applied)
        return
    if isinstance(value, list) and value:
        keys = list_shapes.apply_keys(parent, field, custom=custom)
        if list_shapes.is_set(field):
            if not applied:
                yield path, {}
            yield from (((*path, "v:" + _compact(item)), item) for item in value)
            return
        if keys is not None and all(list_shapes.key_of(item, keys) is not None for item in value):
            if not applied and field not in _REQUIRED_LISTS:
                yield path, {}
            for item in value:
                item_path = (
                    *path,
                    "k:" + _compact(dict(zip(keys, list_shapes.key_of(item, keys) or (), strict=True))),
                )
                yield item_path, {}
                for key, part in item.items():
                    yield from _walk_value((*item_path, f"f:{key}"), field, key, part, custom, applied)
            return
    yield path, value


def _compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def encode(fields: Fields) -> dict[str, Any]:
    """A set of fields as FieldsV1; a path that is the beginning of another one becomes its `"."`."""
    tree: dict[str, Any] = {}
    for path in sorted(fields):
        node = tree
        for segment in path:
            node = node.setdefault(segment, {})
        node["."] = {}
    return _trim(tree)


def _trim(node: dict[str, Any]) -> dict[str, Any]:
    if len(node) == 1 and "." in node:
        return {}
    return {key: _trim(part) if key != "." else {} for key, part in sorted(node.items())}


def decode(tree: Json, prefix: Path = ()) -> Fields:
    """FieldsV1 as a set of fields; clients write it too, so what is none is left out."""
    if not isinstance(tree, dict) or not tree:
        return frozenset([prefix]) if prefix else frozenset()
    found: set[Path] = set()
    for key, part in tree.items():
        if key == ".":
            found.add(prefix)
        elif _is_segment(key):
            found |= decode(part, (*prefix, key))
    return frozenset(found)


@lru_cache(maxsize=4096)
def _is_segment(key: str) -> bool:
    kind, colon, rest = key.partition(":")
    if not colon or kind not in ("f", "k", "v"):
        return False
    try:
        return kind == "f" or isinstance(json.loads(rest), dict) or kind == "v"
    except ValueError:
        return False


def record_update(before: dict[str, Any] | None, after: dict[str, Any], *, manager: str, now: str,
                  api_version: str, subresource: str = "", custom: bool = False) -> list[dict[str, Any]]:
    """The `managedFields` of `after`, once `manager` has made it out of `before` (None: it is new).

    The manager owns what it added or changed; whatever is gone is nobody's. If nothing changed, neither do
    the entries, times included.
    """
    old = dict(_walk(before, custom, False)) if before else {}
    new = dict(_walk(after, custom, False))
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    entries = copy.deepcopy((before or {}).get("metadata", {}).get("managedFields") or [])
    if not changed and old.keys() == new.keys():
        return entries
    kept: list[dict[str, Any]] = []
    mine: dict[str, Any] | None = None
    for entry in entries:
        owned = decode(entry.get("fieldsV1"))
        if _is(entry, manager, "Update", subresource):
            mine = entry
            owned = (owned & new.keys()) | changed
            entry["time"] = now
        else:
            owned = (owned & new.keys()) - (changed & old.keys())
        if owned:
            kept.append({**entry, "fieldsV1": encode(frozenset(owned))})
    if mine is None and changed:
        kept.append(_entry(manager, "Update", api_version, now, frozenset(changed), subresource))
    return kept


def _is(entry: dict[str, Any], manager: str, operation: str, subresource: str) -> bool:
    return (entry.get("manager") == manager and entry.get("operation") == operation
            and entry.get("subresource", "") == subresource)


def _entry(manager: str, operation: str, api_version: str, now: str, fields: Fields,
           subresource: str) -> dict[str, Any]:
    entry = {"manager": manager, "operation": operation, "apiVersion": api_version, "time": now,
             "fieldsType": "FieldsV1", "fieldsV1": encode(fields)}
    if subresource:
        entry["subresource"] = subresource
    return entry


def apply(live: dict[str, Any] | None, config: dict[str, Any], *, manager: str, now: str, api_version: str,
          force: bool = False, subresource: str = "", custom: bool = False) -> dict[str, Any]:
    """Server-side apply: the new object with its `managedFields`; raises ApplyConflict unless `force`.

    `live` is None for an object that does not exist yet. The arguments stay as they are.
    """
    config = copy.deepcopy(config)
    config.get("metadata", {}).pop("managedFields", None)
    wanted = dict(_walk(config, custom, True))
    entries = copy.deepcopy((live or {}).get("metadata", {}).get("managedFields") or [])
    present = dict(_walk(live, custom, False)) if live else {}
    contested = {path for path, value in wanted.items() if path in present and present[path] != value}
    others = [(entry, decode(entry.get("fieldsV1"))) for entry in entries
              if not _is(entry, manager, "Apply", subresource)]
    conflicts = [(_owner(entry), _readable(path))
                 for entry, owned in others for path in sorted(contested & owned)]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    before: Fields = frozenset().union(*(decode(entry.get("fieldsV1")) for entry in entries
                                         if _is(entry, manager, "Apply", subresource)))
    merged = _merge(live or {}, config, "", custom)
    kept = wanted.keys() | frozenset().union(*(owned for _, owned in others))
    held = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    gone = (before - held) & dict(_walk(merged, custom, True)).keys()
    for path in sorted(gone, key=lambda path: (-len(path), path)):
        if not _is_key(path):
            _drop(merged, path, kept)
    after: list[dict[str, Any]] = []
    previous = next((entry for entry in entries if _is(entry, manager, "Apply", subresource)), None)
    fields = frozenset(wanted)
    if fields:
        unchanged = previous is not None and before == fields and live is not None and not contested
        time = previous.get("time", now) if unchanged and previous is not None else now
        after.append(_entry(manager, "Apply", api_version, time, fields, subresource))
    for entry, owned in others:
        left = owned - contested
        if left:
            after.append(entry if left == owned else {**entry, "fieldsV1": encode(left)})
    merged.setdefault("metadata", {})["managedFields"] = after
    return merged


def _owner(entry: dict[str, Any]) -> str:
    """An owner as conflict messages write it; one that did not apply is named with its version."""
    who = f'"{entry.get("manager")}"'
    if entry.get("subresource"):
        who += f' with subresource "{entry["subresource"]}"'
    return who if entry.get("operation") == "Apply" else f"{who} using {entry.get('apiVersion')}"


def _readable(path: Path) -> str:
    """A path as conflict messages write it: `.spec.template.spec.containers[name="web"].image`."""
    parts = []
    for segment in path:
        kind, _, rest = segment.partition(":")
        if kind == "k":
            keys = json.loads(rest)
            parts.append("[" + ",".join(f"{key}={_compact(value)}" for key, value in keys.items()) + "]")
        elif kind == "v":
            parts.append(f"[={rest}]")
        else:
            parts.append("." + rest)
    return "".join(parts)


def _merge(live: Json, config: dict[str, Any], name: str, custom: bool) -> dict[str, Any]:
    merged: dict[str, Any] = dict(live) if isinstance(live, dict) else {}
    for field, value in config.items():
        current = merged.get(field)
        if isinstance(value, dict) and not list_shapes.is_atomic_map(name, field):
            merged[field] = _merge(current, value, field, custom)
        elif isinstance(value, list) and isinstance(current, list):
            merged[field] = _merge_items(current, value, name, field, custom)
        elif value is not None:
            merged[field] = value
    return merged


def _merge_items(current: list[Any], applied: list[Any], parent: str, field: str, custom: bool) -> list[Any]:
    if list_shapes.is_set(field):
        return current + [value for value in applied if value not in current]
    keys = list_shapes.apply_keys(parent, field, custom=custom)
    if keys is None:
        return applied
    merged = list(current)
    for item in applied:
        identity = list_shapes.key_of(item, keys)
        at = next(
            (at for at, other in enumerate(merged) if list_shapes.key_of(other, keys) == identity), None
        )
        if at is None or identity is None:
            merged.append(item)
        else:
            merged[at] = _merge(merged[at], item, field, custom)
    return merged


def _is_key(path: Path) -> bool:
    """True for a field that is (part of) the key of its list item: it goes with the item, not by itself."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])


def _drop(document: dict[str, Any], path: Path, kept: Collection[Path]) -> None:
    """Take one field out of a document, and the objects and lists that this leaves empty, unless they are `kept`."""
    trail: list[tuple[Any, Any]] = []
    node: Any = document
    for segment in path:
        at = _position(node, segment)
        if at is None:
            return
        trail = [*trail, (node, at)]
        node[at] = copy.copy(node[at])
        node = node[at]
    container, at = trail.pop()
    del container[at]
    while not container and len(trail) > 1 and path[: len(trail)] not in kept:
        container, at = trail.pop()
        del container[at]


def _position(node: Any, segment: str) -> Any:
    kind, _, rest = segment.partition(":")
    if kind == "f":
        return rest if isinstance(node, dict) and rest in node else None
    if not isinstance(node, list):
        return None
    if kind == "v":
        value = json.loads(rest)
        return next((at for at, item in enumerate(node) if item == value), None)
    keys = json.loads(rest)
    return next((at for at, item in enumerate(node)
                 if list_shapes.key_of(item, tuple(keys)) == tuple(keys.values())), None)
