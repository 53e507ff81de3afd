"""The three patch formats of the Kubernetes API as pure functions: a document and a patch in, a new document
out.

`merge_patch` is RFC 7386, `json_patch` is RFC 6902, `strategic_merge_patch` is Kubernetes' own with its
directives. None of them changes its arguments; the result may share unchanged parts with the old document.
Server-side apply lives in `field_owners`, because it needs to know who owns what.
Bad patches raise `PatchError`; the caller turns that into a 400 or a 422.
"""

from __future__ import annotations

import copy
from typing import Any

from . import list_shapes

Json = Any
_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


class PatchError(ValueError):
    """A patch that cannot be carried out. `malformed` is true if it is no patch at all (400 and not 422)."""

    def __init__(self, message: str, *, malformed: bool = False) -> None:
        super().__init__(message)
        self.malformed = malformed


def merge_patch(document: Json, patch: Json) -> Json:
    """RFC 7386: objects merge, null removes a key, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(document: Json, operations: Json) -> Json:
    """RFC 6902: all operations in order, or none."""
    if not isinstance(operations, list):
        raise PatchError("a JSON patch is a list of operations", malformed=True)
    document = copy.deepcopy(document)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise PatchError("an operation of a JSON patch has an op and a path", malformed=True)
        document = _apply_operation(document, operation)
    return document


def _apply_operation(document: Json, operation: dict[str, Any]) -> Json:
    op, path = operation.get("op"), _tokens(operation["path"])
    if op in ("add", "replace", "test") and "value" not in operation:
        raise PatchError(f"operation {op} needs a value", malformed=True)
    if op == "test":
        if not _same(_value_at(document, path), operation["value"]):
            raise PatchError(f"testing value {operation['path']} failed")
        return document
    if op == "add":
        return _add(document, path, copy.deepcopy(operation["value"]))
    if op == "replace":
        _value_at(document, path)
        return _put(document, path, copy.deepcopy(operation["value"]))
    if op == "remove":
        return _remove(document, path)
    if op in ("move", "copy"):
        source = _tokens(str(operation.get("from", "")))
        value = copy.deepcopy(_value_at(document, source))
        if op == "move":
            if path[: len(source)] == source and path != source:
                raise PatchError("a value cannot be moved into itself")
            document = _remove(document, source)
        return _add(document, path, value)
    raise PatchError(f"unknown operation {op!r}", malformed=True)


def _same(left: Json, right: Json) -> bool:
    """JSON equality: True is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _tokens(pointer: str) -> list[str]:
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise PatchError(f"{pointer!r} is no JSON pointer: it begins with a slash", malformed=True)
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _index(token: str, length: int) -> int:
    if not token.isascii() or not token.isdigit() or (len(token) > 1 and token[0] == "0"):
        raise PatchError(f"{token!r} is no index of a list")
    if int(token) >= length:
        raise PatchError(f"the list has no element {token}")
    return int(token)


def _child(parent: Json, token: str) -> Json:
    if isinstance(parent, list):
        return parent[_index(token, len(parent))]
    if isinstance(parent, dict) and token in parent:
        return parent[token]
    raise PatchError(f"there is no {token!r} to go through")


def _value_at(document: Json, path: list[str]) -> Json:
    for token in path:
        document = _child(document, token)
    return document


def _add(document: Json, path: list[str], value: Json) -> Json:
    if not path:
        return value
    parent, last = _value_at(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise PatchError(f"{last!r} cannot be added to a plain value")
    return document


def _put(document: Json, path: list[str], value: Json) -> Json:
    if not path:
        return value
    parent = _value_at(document, path[:-1])
    parent[_index(path[-1], len(parent)) if isinstance(parent, list) else path[-1]] = value
    return document


def _remove(document: Json, path: list[str]) -> Json:
    if not path:
        raise PatchError("the whole document cannot be removed")
    parent = _value_at(document, path[:-1])
    _child(parent, path[-1])
    del parent[_index(path[-1], len(parent)) if isinstance(parent, list) else path[-1]]
    return document


def strategic_merge_patch(document: dict[str, Any], patch: Json) -> dict[str, Any]:
    """Kubernetes' strategic merge: like `merge_patch`, but lists merge by the keys that `list_shapes` names.

    Understands `$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/<list>` and
    `$deleteFromPrimitiveList/<list>`. What it removes from nothing is no error.
    """
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch is an object", malformed=True)
    return _merge_map(document, patch, "")


def _merge_map(document: Json, patch: dict[str, Any], name: str) -> dict[str, Any]:
    current: dict[str, Any] = dict(document) if isinstance(document, dict) else {}
    directive = patch.get(_PATCH)
    if directive == "replace":
        replaced: dict[str, Any] = _without_directives(patch)
        return replaced
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"unknown $patch directive {directive!r}", malformed=True)
    if _RETAIN in patch:
        retained = patch[_RETAIN]
        if not isinstance(retained, list):
            raise PatchError("$retainKeys is a list of keys", malformed=True)
        current = {key: value for key, value in current.items() if key in retained}
    for key, value in patch.items():
        if key in (_PATCH, _RETAIN):
            continue
        if key.startswith(_DELETE):
            _delete_from_set(current, key.removeprefix(_DELETE), value)
        elif key.startswith(_ORDER):
            continue
        elif value is None:
            current.pop(key, None)
        elif isinstance(value, dict):
            current[key] = _merge_map(current.get(key), value, key)
        elif isinstance(value, list):
            current[key] = _merge_list(current.get(key), value, name, key)
        else:
            current[key] = value
    for key, order in patch.items():
        if key.startswith(_ORDER):
            _put_in_order(current, name, key.removeprefix(_ORDER), order)
    return current


def _delete_from_set(current: dict[str, Any], field: str, values: Json) -> None:
    if not isinstance(values, list):
        raise PatchError(f"{_DELETE}{field} is a list", malformed=True)
    if isinstance(current.get(field), list):
        current[field] = [value for value in current[field] if value not in values]


def _merge_list(current: Json, patch: list[Any], parent: str, field: str) -> list[Any]:
    present: list[Any] = list(current) if isinstance(current, list) else []
    if list_shapes.is_set(field):
        return present + [value for value in patch if value not in present]
    key = list_shapes.merge_key(parent, field)
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [_without_directives(item) for item in patch
                if not (isinstance(item, dict) and item.get(_PATCH) == "replace")]
    if key is None:
        replacement: list[Any] = _without_directives(patch)
        return replacement
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise PatchError(f"map: {item!r} does not contain declared merge key: {key}", malformed=True)
        at = next((at for at, other in enumerate(present)
                   if isinstance(other, dict) and other.get(key) == item[key]), None)
        if item.get(_PATCH) == "delete":
            present = [
                other for other in present if not (isinstance(other, dict) and other.get(key) == item[key])
            ]
        elif at is None:
            present.append(_merge_map({}, item, field))
        else:
            present[at] = _merge_map(present[at], item, field)
    return present


def _put_in_order(current: dict[str, Any], parent: str, field: str, order: Json) -> None:
    items = current.get(field)
    if not isinstance(order, list) or not isinstance(items, list):
        return
    key = list_shapes.merge_key(parent, field)

    def identity(item: Json) -> Json:
        return item.get(key) if key is not None and isinstance(item, dict) else item

    places = [identity(entry) for entry in order]
    ranked: list[tuple[int, int, Any]] = []
    previous = -1
    for at, item in enumerate(items):
        name = identity(item)
        previous = places.index(name) if name in places else previous
        ranked.append((previous, at, item))
    current[field] = [item for _, _, item in sorted(ranked, key=lambda entry: entry[:2])]


def _without_directives(value: Json) -> Json:
    """A part of a patch as plain content: directives and nulls left out."""
    if isinstance(value, dict):
        return {key: _without_directives(part) for key, part in value.items()
                if part is not None and key not in (_PATCH, _RETAIN)
                and not key.startswith((_ORDER, _DELETE))}
    if isinstance(value, list):
        return [_without_directives(part) for part in value
                if not (isinstance(part, dict) and part.get(_PATCH) == "delete")]
    return value
