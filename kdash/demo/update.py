"""PUT and PATCH: an object in a new state, checked against the version that the client has seen."""

from __future__ import annotations

from typing import Any

from . import create, custom_definitions, defaults, field_owners, patches, status
from .api_call import Call, answer, check_kind, parse_yaml
from .http_types import Response
from .storage import Conflict, NotFound

Item = dict[str, Any]
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
_PATCHES = (JSON_PATCH, MERGE, STRATEGIC, APPLY)
_TRIES = 5
_KEPT = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
         "generation", "generateName")


def replace(call: Call) -> Response:
    """Answer a PUT."""
    item = call.body()
    warnings = create.check_fields(call, item)
    meta = item["metadata"]
    if meta.get("name") and meta["name"] != call.name:
        raise status.bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({call.name})"
        )
    if meta.get("namespace") and meta["namespace"] != call.namespace:
        raise status.bad_request("the namespace of the object does not match the namespace on the request")
    before = call.stored()
    if call.type.custom and not meta.get("resourceVersion"):
        raise status.invalid(
            call.type.group,
            call.type.plural,
            call.name,
            [
                (
                    "FieldValueInvalid",
                    "Invalid value: 0: must be specified for an update",
                    "metadata.resourceVersion",
                )
            ],
        )
    return answer(store(call, before, item), warnings=warnings)


def patch(call: Call) -> Response:
    """Answer a PATCH of any of the four types."""
    kind = call.request.content_type
    if kind == STRATEGIC and call.type.custom:
        raise status.ApiError(status.failure(
            415, "the body of the request was in an unknown format - accepted media types include: "
                 f"{JSON_PATCH}, {MERGE}, {APPLY}", "UnsupportedMediaType"))
    if kind not in _PATCHES:
        raise status.unsupported_media_type("415: Unsupported Media Type")
    if kind == APPLY:
        return _apply(call)
    document = call.patch_body()
    for _ in range(_TRIES):
        before = call.stored()
        after = patched(before, kind, document)
        check_kind(after, call.type.kind, call.type.group_version)
        warnings = create.check_fields(call, after)
        try:
            return answer(store(call, before, after, retry=_names_no_version(document)), warnings=warnings)
        except Conflict:
            continue
    raise call.conflict(call.name)


def patched(before: Item, kind: str, document: Any) -> Item:
    """The object with a merge, JSON or strategic merge patch applied; 400 or 422 if that fails."""
    try:
        if kind == MERGE:
            if not isinstance(document, dict):
                raise patches.PatchError("a merge patch is an object", malformed=True)
            after = patches.merge_patch(before, document)
        elif kind == JSON_PATCH:
            after = patches.json_patch(before, document)
        else:
            after = patches.strategic_merge_patch(before, document)
    except patches.PatchError as error:
        if error.malformed:
            raise status.bad_request(f"error decoding patch: {error}") from None
        raise _generic() from None
    if not isinstance(after, dict) or not isinstance(after.get("metadata"), dict):
        raise _generic()
    return after


def _generic() -> status.ApiError:
    message = "the server rejected our request due to an error in our request"
    return status.ApiError(status.failure(422, message, "Invalid", {}))


def _names_no_version(document: Any) -> bool:
    return isinstance(document, list) or not (document.get("metadata") or {}).get("resourceVersion")


def _apply(call: Call) -> Response:
    """Server-side apply: create or merge, with owners."""
    call.check_size()
    manager = call.request.param("fieldManager")
    if not manager:
        raise status.invalid("meta.k8s.io", "PatchOptions", "", [
            ("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")])
    config = parse_yaml(call.request.body)
    if not isinstance(config, dict):
        raise status.bad_request("the body of an apply patch is an object")
    check_kind(config, call.type.kind, call.type.group_version)
    meta = config["metadata"]
    if meta.get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")
    if (meta.get("name") or call.name) != call.name:
        raise status.bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({call.name})"
        )
    meta["name"] = call.name
    if call.type.namespaced:
        meta["namespace"] = call.namespace
    warnings = create.check_fields(call, config)
    version = meta.pop("resourceVersion", None)
    for _ in range(_TRIES):
        before = call.storage.get(call.resource, call.namespace, call.name)
        if before is None and (version or call.subresource):
            raise call.not_found(call.name)
        if version and before is not None and version != before["metadata"]["resourceVersion"]:
            raise call.conflict(call.name)
        after = _applied(call, before, config, manager)
        if before is None:
            return answer(create.store_new(call, after, operation="Apply"), 201, warnings)
        try:
            return answer(store(call, before, after, retry=True, operation="Apply"), warnings=warnings)
        except Conflict:
            continue
    raise call.conflict(call.name)


def _applied(call: Call, before: Item | None, config: Item, manager: str) -> Item:
    try:
        return field_owners.apply(
            before, config, manager=manager, now=call.timestamp, api_version=call.type.group_version,
            force=call.request.flag("force"), subresource=call.subresource, custom=call.type.custom)
    except field_owners.ApplyConflict as conflict:
        causes = [{"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field}
                  for who, field in conflict.conflicts]
        raise status.ApiError(status.failure(409, str(conflict), "Conflict", {"causes": causes})) from None


def store(call: Call, before: Item, after: Item, *, retry: bool = False, operation: str = "Update") -> Item:
    """Check and store the new state of an object; gives what the answer shows.

    With `retry` a version that is stale by now raises `Conflict` for the caller to try again; otherwise it
    is a 409.
    """
    after = _completed(call, before, after)
    asked = after["metadata"].get("resourceVersion")
    if asked and asked != before["metadata"]["resourceVersion"]:
        raise call.conflict(call.name)
    wanted_uid = after["metadata"].get("uid")
    if wanted_uid and wanted_uid != before["metadata"]["uid"]:
        raise status.conflict(call.type.plural, call.name, call.type.group,
                              f"Precondition failed: UID in precondition: {wanted_uid}, UID in object meta: "
                              f"{before['metadata']['uid']}")
    for field in _KEPT:
        if field in before["metadata"]:
            after["metadata"][field] = before["metadata"][field]
    after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
    defaults.fill_in(call.type.group, call.type.kind, after)
    create.reject(call, after, before)
    _own(call, before, after, operation)
    if _same(before, after):
        return defaults.in_api_order(before, custom=call.type.custom)
    if _content(before) != _content(after) and before["metadata"].get("generation"):
        after["metadata"]["generation"] = before["metadata"]["generation"] + 1
    after = defaults.in_api_order(after, custom=call.type.custom)
    if call.dry_run:
        return after
    return _commit(call, before, after, retry=retry)


def _commit(call: Call, before: Item, after: Item, *, retry: bool) -> Item:
    try:
        if _is_over(call, after):
            with call.storage.lock:
                found = call.storage.get(call.resource, call.namespace, call.name)
                if (
                    found is None
                    or found["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
                ):
                    raise Conflict(call.name)
                call.storage.delete(call.resource, call.namespace, call.name)
            return after
        stored = call.storage.update(call.resource, after)
    except Conflict:
        if retry:
            raise
        raise call.conflict(call.name) from None
    except NotFound:
        raise call.not_found(call.name) from None
    custom_definitions.serve(call.server, call.resource, stored)
    return defaults.in_api_order(stored, custom=call.type.custom)


def _completed(call: Call, before: Item, after: Item) -> Item:
    """The parts that this request may not change, taken from the stored object."""
    after = {**after, "metadata": dict(after["metadata"])}
    if "status" not in call.type.subresources:
        return after
    if call.subresource == "status":
        kept = {key: part for key, part in before.items() if key != "status"}
        meta = {**before["metadata"], "resourceVersion": after["metadata"].get("resourceVersion")}
        if "managedFields" in after["metadata"]:
            meta["managedFields"] = after["metadata"]["managedFields"]
        return {**kept, "metadata": meta, **({"status": after["status"]} if "status" in after else {})}
    after.pop("status", None)
    if "status" in before:
        after["status"] = before["status"]
    return after


def _own(call: Call, before: Item, after: Item, operation: str) -> None:
    """Bring `managedFields` up to date; a client that writes them itself (to migrate them) is believed."""
    if operation == "Apply":
        return
    given = after["metadata"].get("managedFields")
    old = before["metadata"].get("managedFields")
    base = before
    if given is not None and given != old:
        base = {**before, "metadata": {**before["metadata"], "managedFields": given if given != [{}] else []}}
    after["metadata"]["managedFields"] = field_owners.record_update(
        base, after, manager=call.manager, now=call.timestamp, api_version=call.type.group_version,
        subresource=call.subresource, custom=call.type.custom)
    if not after["metadata"]["managedFields"]:
        del after["metadata"]["managedFields"]


def _same(before: Item, after: Item) -> bool:
    """True if nothing changed but, perhaps, times in managedFields."""
    def plain(item: Item) -> Item:
        fields = [{key: part for key, part in entry.items() if key != "time"}
                  for entry in item["metadata"].get("managedFields") or []]
        return {**item, "metadata": {**item["metadata"], "managedFields": fields}}

    return plain(before) == plain(after)


def _content(item: Item) -> Item:
    """What counts for the generation."""
    return {
        key: part for key, part in item.items() if key not in ("metadata", "status", "apiVersion", "kind")
    }


def _is_over(call: Call, item: Item) -> bool:
    """True if the object was waiting for this change to go: being deleted, and without finalizers now."""
    meta = item["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if call.resource == "namespaces":
        return not (item.get("spec") or {}).get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")
