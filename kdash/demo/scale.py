"""The scale subresource: autoscaling/v1 Scale in front of an object's replicas."""

from __future__ import annotations

from typing import Any

from . import status, update
from .api_call import Call, answer, check_kind
from .column_cells import selector_text
from .http_types import Response
from .storage import Conflict

Item = dict[str, Any]


def handle(call: Call) -> Response:
    """Answer GET, PUT and PATCH of a scale."""
    method = call.request.method
    if method == "GET":
        return answer(scale_of(call.stored(), custom=call.type.custom))
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
        wanted = update.patched(scale_of(before, custom=call.type.custom), kind, document)
        check_kind(wanted, "Scale", "autoscaling/v1")
        try:
            return _write(call, before, wanted, retry=True)
        except Conflict:
            continue


def scale_of(item: Item, *, custom: bool) -> Item:
    """The Scale of an object."""
    meta = item["metadata"]
    shown = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
             if key in meta}
    state: Item = {"replicas": int((item.get("status") or {}).get("replicas") or 0)}
    selector = (item.get("spec") or {}).get("selector")
    if not custom and isinstance(selector, dict):
        state["selector"] = selector_text(selector)
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": shown,
            "spec": {"replicas": int((item.get("spec") or {}).get("replicas") or 0)}, "status": state}


def _write(call: Call, before: Item, wanted: Item, *, retry: bool = False) -> Response:
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
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
    after = {**before, "metadata": meta, "spec": {**(before.get("spec") or {}), "replicas": replicas}}
    return answer(scale_of(update.store(call, before, after, retry=retry), custom=call.type.custom))
