"""The scale subresource: autoscaling/v1 Scale in front of an object's replicas."""

from __future__ import annotations

from typing import Any

from . import create, custom_definitions, status, update
from .api_call import Call, answer, check_kind
from .column_cells import selector_text
from .http_types import Response
from .storage import Conflict

Item = dict[str, Any]


def handle(call: Call) -> Response:
    """Answer GET, PUT and PATCH of a scale."""
    method = call.request.method
    if method == "GET":
        return answer(_shown(call, call.stored()))
    if method == "PUT":
        return _write(call, call.stored(), call.body("Scale", "autoscaling/v1"))
    if method != "PATCH":
        raise status.method_not_allowed()
    kind = call.request.content_type
    if kind not in (update.MERGE, update.JSON_PATCH, update.STRATEGIC):
        raise status.unsupported_media_type("415: Unsupported Media Type")
    document = call.patch_body()
    while True:
        before = call.stored()
        wanted = update.patched(_shown(call, before), kind, document)
        check_kind(wanted, "Scale", "autoscaling/v1")
        try:
            return _write(call, before, wanted, retry=True)
        except Conflict:
            continue


def _shown(call: Call, item: Item) -> Item:
    """The Scale of an object."""
    meta, paths = item["metadata"], custom_definitions.scale_paths(call.server, call.type)
    shown = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
             if key in meta}
    state: Item = {"replicas": _number(_at(item, paths["present"]))}
    selector = _at(item, paths["selector"]) if call.type.custom else (item.get("spec") or {}).get("selector")
    if isinstance(selector, dict):
        state["selector"] = selector_text(selector)
    elif isinstance(selector, str) and selector:
        state["selector"] = selector
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown,
            "spec": {"replicas": _number(_at(item, paths["wanted"]))}, "status": state}


def _at(item: Any, path: list[str]) -> Any:
    """What is at a path; None where there is nothing, or no path."""
    for name in path:
        item = item.get(name) if isinstance(item, dict) else None
    return item if path else None


def _with(item: Item, path: list[str], value: Any) -> Item:
    """A copy with `value` at a path."""
    name, *rest = path
    below = item.get(name)
    return {**item, name: _with(below if isinstance(below, dict) else {}, rest, value) if rest else value}


def _number(value: Any) -> int:
    """A number of replicas; 0 for what is none, as a custom resource without a schema may hold."""
    return value if isinstance(value, int) else 0


def _write(call: Call, before: Item, wanted: Item, *, retry: bool = False) -> Response:
    create.check_types("Scale", "autoscaling/v1", "Scale", wanted)
    replicas = (wanted.get("spec") or {}).get("replicas") or 0
    if not isinstance(replicas, int) or replicas < 0:
        raise status.invalid(
            "autoscaling",
            "Scale",
            call.name,
            [
                (
                    "FieldValueInvalid",
                    f"Invalid value: {replicas}: must be greater than or equal to 0",
                    "spec.replicas",
                )
            ],
        )
    meta = dict(before["metadata"])
    if wanted["metadata"].get("resourceVersion"):
        meta["resourceVersion"] = wanted["metadata"]["resourceVersion"]
    path = custom_definitions.scale_paths(call.server, call.type)["wanted"]
    after = _with({**before, "metadata": meta}, path, replicas)
    return answer(_shown(call, update.store(call, before, after, retry=retry)))
