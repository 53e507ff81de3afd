"""Custom resource definitions at work: what they define is served as soon as they are stored, and no longer.

Their schemas are followed as far as a demo needs it: unknown fields are dropped, defaults filled in, and
types, enumerations and bounds checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .resources import ResourceType
from .validation import Cause, invalid, required

if TYPE_CHECKING:
    from .server import ApiServer

Item = dict[str, Any]
RESOURCE = "customresourcedefinitions.apiextensions.k8s.io"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def serve(server: ApiServer, resource: str, item: Item) -> None:
    """If the stored object is a definition, serve what it defines from now on."""
    if resource != RESOURCE:
        return
    spec = item["spec"]
    registry = server.storage.registry
    names = spec["names"]
    for version in spec.get("versions") or []:
        if not version.get("served"):
            continue
        parts = version.get("subresources") or {}
        registry.add(
            ResourceType(
                spec["group"],
                version["name"],
                names["plural"],
                names.get("singular") or names["kind"].lower(),
                names["kind"],
                spec.get("scope") == "Namespaced",
                tuple(names.get("shortNames") or ()),
                tuple(names.get("categories") or ()),
                tuple(name for name in ("status", "scale") if name in parts),
                tuple(
                    str(field.get("jsonPath", "")).lstrip(".")
                    for field in version.get("selectableFields") or []
                ),
                custom=True,
                list_kind=names.get("listKind") or f"{names['kind']}List",
                printer_columns=tuple(version.get("additionalPrinterColumns") or ()),
            )
        )


def withdraw(server: ApiServer, resource: str, item: Item) -> None:
    """If the deleted object was a definition: its objects go, its watches end, its paths are 404."""
    if resource != RESOURCE:
        return
    group, plural = item["spec"]["group"], item["spec"]["names"]["plural"]
    server.storage.drop_collection(f"{plural}.{group}")
    server.storage.registry.remove(group, plural)
    for watch in list(server.watches):
        if (watch.type.group, watch.type.plural) == (group, plural):
            watch.end()


def _version(server: ApiServer, resource_type: ResourceType) -> Item:
    """What the definition says of a custom resource's version; empty for other resources."""
    if not resource_type.custom:
        return {}
    definition = server.storage.get(RESOURCE, "", resource_type.qualified)
    versions: list[Item] = ((definition or {}).get("spec") or {}).get("versions") or []
    return next((version for version in versions if version["name"] == resource_type.version), {})


def schema_of(server: ApiServer, resource_type: ResourceType) -> Item | None:
    """The schema of a custom resource's version."""
    found = (_version(server, resource_type).get("schema") or {}).get("openAPIV3Schema")
    return found if isinstance(found, dict) else None


def scale_paths(server: ApiServer, resource_type: ResourceType) -> dict[str, list[str]]:
    """Where a resource keeps what its scale shows: the wanted number, the number there is, and the selector."""
    scale = (_version(server, resource_type).get("subresources") or {}).get("scale") or {}
    paths = {"wanted": scale.get("specReplicasPath", ".spec.replicas"),
             "present": scale.get("statusReplicasPath", ".status.replicas"),
             "selector": scale.get("labelSelectorPath", "")}  # fmt: skip
    return {name: str(path).strip(".").split(".") if path else [] for name, path in paths.items()}


def unknown_fields(server: ApiServer, resource_type: ResourceType, item: Item) -> list[str]:
    """The paths of a custom resource's fields that its schema does not know."""
    schema = schema_of(server, resource_type)
    return [] if schema is None else [path for path, _, _ in _unknown(schema, _content(item), "")]


def prune_and_default(server: ApiServer, resource_type: ResourceType, item: Item) -> None:
    """Drop a custom resource's unknown fields and fill in its defaults (in place)."""
    schema = schema_of(server, resource_type)
    if schema is None:
        return
    content = _content(item)
    for _, parent, key in list(_unknown(schema, content, "")):
        parent.pop(key, None)
        if parent is content:
            item.pop(key, None)
    _fill(schema, content)
    item.update(content)


def check(server: ApiServer, resource_type: ResourceType, item: Item) -> list[Cause]:
    """What a custom resource's schema, or the definition's own rules, find wrong."""
    if resource_type.qualified == RESOURCE:
        return _check_definition(item)
    schema = schema_of(server, resource_type)
    return [] if schema is None else list(_violations(schema, _content(item), ""))


def _content(item: Item) -> Item:
    return {key: part for key, part in item.items() if key not in ("apiVersion", "kind", "metadata")}


def _unknown(schema: Item, value: Any, path: str) -> Iterator[tuple[str, Item, str]]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    properties, other = schema.get("properties") or {}, schema.get("additionalProperties")
    if isinstance(value, dict) and not isinstance(other, dict):
        for key, part in value.items():
            where = f"{path}.{key}" if path else key
            if key in properties:
                yield from _unknown(properties[key], part, where)
            elif properties or not path:
                yield where, value, key
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for at, part in enumerate(value):
            yield from _unknown(schema["items"], part, f"{path}[{at}]")


def _fill(schema: Item, value: Any) -> None:
    if isinstance(value, dict):
        for key, part in (schema.get("properties") or {}).items():
            if key not in value and "default" in part:
                value[key] = json.loads(json.dumps(part["default"]))
            if key in value:
                _fill(part, value[key])
    elif isinstance(value, list):
        for part in value:
            _fill(schema.get("items") or {}, part)


def _violations(schema: Item, value: Any, path: str) -> Iterator[Cause]:
    wanted = schema.get("type")
    kind = _TYPES.get(str(wanted))
    if value is None and schema.get("nullable"):
        return
    if kind is not None and (
        not isinstance(value, kind) or (isinstance(value, bool) and wanted != "boolean")
    ):
        if not schema.get("x-kubernetes-int-or-string"):
            yield Cause(
                "FieldValueTypeInvalid",
                f"Invalid value: {json.dumps(value)}: {path} in body must be of type "
                f'{wanted}: "{type(value).__name__}"',
                path,
            )
        return
    if "enum" in schema and value not in schema["enum"]:
        listed = ", ".join(json.dumps(each) for each in schema["enum"])
        yield Cause(
            "FieldValueNotSupported",
            f"Unsupported value: {json.dumps(value)}: supported values: {listed}",
            path,
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "maximum" in schema and value > schema["maximum"]:
            yield invalid(path, value, f"{path} in body should be less than or equal to {schema['maximum']}")
        if "minimum" in schema and value < schema["minimum"]:
            yield invalid(
                path, value, f"{path} in body should be greater than or equal to {schema['minimum']}"
            )
    if isinstance(value, dict):
        for key in schema.get("required") or []:
            if key not in value and path:
                yield required(f"{path}.{key}")
        for key, part in sorted((schema.get("properties") or {}).items()):
            if key in value:
                yield from _violations(part, value[key], f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _violations(schema.get("items") or {}, part, f"{path}[{at}]")


def _check_definition(item: Item) -> list[Cause]:
    spec = item.get("spec") or {}
    names = spec.get("names") or {}
    causes = [required(f"spec.{field}") for field in ("group", "scope", "versions") if not spec.get(field)]
    causes += [required(f"spec.names.{field}") for field in ("plural", "kind") if not names.get(field)]
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    if not causes and item["metadata"].get("name") != wanted:
        causes.append(
            invalid("metadata.name", item["metadata"].get("name"), 'must be spec.names.plural+"."+spec.group')
        )
    for at, version in enumerate(spec.get("versions") or []):
        path = f"spec.versions[{at}]"
        if not (version or {}).get("name"):
            causes.append(required(f"{path}.name"))
            continue
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is not None:
            causes += _check_schema(schema, f"{path}.schema.openAPIV3Schema")
    return causes


_SCHEMA_FIELDS: dict[str, type | tuple[type, ...]] = {
    "type": str, "properties": dict, "items": dict, "additionalProperties": (dict, bool), "required": list,
    "enum": list, "maximum": (int, float), "minimum": (int, float)}  # fmt: skip


def _check_schema(schema: Any, path: str) -> Iterator[Cause]:
    """What of a schema is of a type that it cannot have, as far as it is followed here."""
    if not isinstance(schema, dict):
        yield invalid(path, schema, "must be an object")
        return
    for name, kind in _SCHEMA_FIELDS.items():
        if schema.get(name) is not None and not isinstance(schema[name], kind):
            yield invalid(f"{path}.{name}", schema[name], "is of a type that it cannot have")
    for holder in ("properties", "items", "additionalProperties"):
        below = schema.get(holder)
        if isinstance(below, dict):
            for name, part in below.items() if holder == "properties" else [("", below)]:
                yield from _check_schema(part, f"{path}.{holder}" + (f"[{name}]" if name else ""))
