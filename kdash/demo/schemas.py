"""OpenAPI schemas of what is served: built-in kinds from the table of fields, custom ones from their definitions."""

from __future__ import annotations

from typing import Any

from kdash.demo import field_types, list_shapes
from kdash.demo.resources import ResourceType

__all__ = ["name_of", "schemas_of"]

Item = dict[str, Any]
_PLAIN: dict[str, Item] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "time": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_NAMED: dict[str, tuple[str, Item]] = {
    "quantity": ("io.k8s.apimachinery.pkg.api.resource.Quantity",
                 {"description": "An amount, such as 500m or 2Gi.", "oneOf": [{"type": "string"}, {"type": "number"}]}),
    "intstr": ("io.k8s.apimachinery.pkg.util.intstr.IntOrString",
               {"description": "A number, or a text such as 25% or a name.", "format": "int-or-string",
                "oneOf": [{"type": "integer"}, {"type": "string"}]}),
}  # fmt: skip
_META = ("ObjectMeta", "OwnerReference", "ManagedFieldsEntry", "LabelSelector", "LabelSelectorRequirement", "Condition")
_PARENTS = {"Container": "containers", "ServiceSpec": "spec"}
"""What the field is called that holds objects of a type, where lists in them are told apart by it."""
_HEADER = ("apiVersion", "kind", "metadata")


def name_of(each: ResourceType) -> str:
    """The name of a kind's schema."""
    if each.custom:
        return ".".join([*reversed(each.group.split(".")), each.version, each.kind])
    return f"io.k8s.api.{each.group.partition('.')[0] or 'core'}.{each.version}.{each.kind}"


def schemas_of(each: ResourceType, own: Item | None) -> dict[str, Item]:
    """The schema of a kind and all that it refers to, by name; `own` is what a custom kind's definition says."""
    group = each.group.partition(".")[0] or "core"
    found: dict[str, Item] = {}
    if each.kind in field_types.table() and not each.custom:
        _collect(each.kind, group, each.version, found)
        found[name_of(each)] |= _identity(each)
        return found
    _collect("ObjectMeta", group, each.version, found)
    header = {name: _field(field, group, each.version) for name, field in field_types.table()["Pod"].fields.items()
              if name in _HEADER}  # fmt: skip
    schema: Item = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, **(own or {})}
    properties = {key: part for key, part in (schema.get("properties") or {}).items() if key not in _HEADER}
    found[name_of(each)] = schema | {"properties": header | properties} | _identity(each)
    return found


def _identity(each: ResourceType) -> Item:
    return {"x-kubernetes-group-version-kind": [{"group": each.group, "version": each.version, "kind": each.kind}]}


def _collect(type_: str, group: str, version: str, found: dict[str, Item]) -> None:
    """Put the schema of a type, and of those below it, into `found`."""
    name = _ref(type_, group, version)
    if name in found:
        return
    known = field_types.table()[type_]
    properties = {key: _field(field, group, version) | _merging(type_, key, field)
                  for key, field in known.fields.items()}  # fmt: skip
    schema: Item = {"type": "object", "description": known.meaning, "properties": properties}
    found[name] = schema
    required = [key for key, field in known.fields.items() if field.required]
    if required:
        schema["required"] = required
    for field in known.fields.values():
        below = field.type.removeprefix("[]").removeprefix("map:")
        if below in _NAMED:
            found[_NAMED[below][0]] = _NAMED[below][1]
        elif below in field_types.table():
            _collect(below, group, version, found)


def _ref(type_: str, group: str, version: str) -> str:
    place = "apimachinery.pkg.apis.meta.v1" if type_ in _META else f"api.{group}.{version}"
    return f"io.k8s.{place}.{type_}"


def _field(field: field_types.Field, group: str, version: str) -> Item:
    return _type(field.type, group, version) | {"description": field.meaning}


def _merging(owner: str, name: str, field: field_types.Field) -> Item:
    """How patches merge the field, in the schema's words."""
    if (owner, name) == ("DeploymentSpec", "strategy"):
        return {"x-kubernetes-patch-strategy": "retainKeys"}
    if not field.type.startswith("[]"):
        return {}
    if list_shapes.is_set(name):
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    keys = list_shapes.apply_keys(_PARENTS.get(owner, ""), name, custom=False)
    if keys is None:
        return {"x-kubernetes-list-type": "atomic"}
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys),
            "x-kubernetes-patch-merge-key": keys[0],
            "x-kubernetes-patch-strategy": "merge,retainKeys" if name == "volumes" else "merge"}  # fmt: skip


def _type(type_: str, group: str, version: str) -> Item:
    if type_.startswith("[]"):
        return {"type": "array", "items": _type(type_[2:], group, version)}
    if type_.startswith("map:"):
        return {"type": "object", "additionalProperties": _type(type_[4:], group, version)}
    if type_ in _PLAIN:
        return _PLAIN[type_]
    name = _NAMED[type_][0] if type_ in _NAMED else _ref(type_, group, version)
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}
