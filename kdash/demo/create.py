"""POST: a new object, with everything that the API server adds to it."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from . import custom_definitions, defaults, field_owners, field_types, status, validation
from .api_call import Call, answer
from .http_types import Response
from .storage import AlreadyExists

Item = dict[str, Any]
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_WITH_GENERATION = frozenset({"Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob",
                              "CustomResourceDefinition"})


def create(call: Call) -> Response:
    """Answer a POST to a collection."""
    item = call.body()
    warnings = check_fields(call, item)
    _name(call, item)
    return answer(store_new(call, item, operation="Update"), 201, warnings)


def check_fields(call: Call, item: Item) -> tuple[str, ...]:
    """What `fieldValidation` says of unknown fields, which are dropped: warnings, or 400 with Strict.

    A value of a type that its field cannot have is 400 in any case.
    """
    kind = "" if call.type.custom else call.type.kind
    check_types(call.type.kind, call.type.version, kind, item)
    if call.type.custom:
        check_types(call.type.kind, call.type.version, "ObjectMeta", item["metadata"])
    unknown = [f'unknown field "{name}"' for name in
               custom_definitions.unknown_fields(call.server, call.type, item)
               or field_types.take_unknown(kind, item)]
    unknown += [f'duplicate field "{name}"' for name in call.duplicates]
    mode = call.request.param("fieldValidation", "Warn")
    if unknown and mode == "Strict":
        raise status.bad_request(f'{call.type.kind} in version "{call.type.version}" cannot be handled as a '
                                 f"{call.type.kind}: strict decoding error: {', '.join(unknown)}")
    custom_definitions.prune_and_default(call.server, call.type, item)
    return tuple(unknown) if mode == "Warn" else ()


def check_types(shown: str, version: str, kind: str, item: Item) -> None:
    """400 for a value that a field of the kind cannot have; `shown` is what the object is called."""
    wrong = field_types.misfit(kind, item)
    if wrong is not None:
        raise status.bad_request(f'{shown} in version "{version}" cannot be handled as a {shown}: {wrong}')


def _name(call: Call, item: Item) -> None:
    """Give the object its name and namespace; 400 if they contradict the path."""
    meta = item["metadata"]
    if call.type.namespaced:
        if meta.get("namespace") and call.namespace and meta["namespace"] != call.namespace:
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        meta["namespace"] = meta.get("namespace") or call.namespace
        if not meta["namespace"]:
            raise status.bad_request("an empty namespace may not be set during creation")
    else:
        meta.pop("namespace", None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = str(meta["generateName"]) + "".join(secrets.choice(_SAFE) for _ in range(5))


def check_namespace(call: Call, namespace: str, name: str) -> None:
    """404 if the namespace is missing, 403 if it is being deleted."""
    if not call.type.namespaced:
        return
    found = call.storage.get("namespaces", "", namespace)
    if found is None:
        raise status.not_found("namespaces", namespace)
    if found["metadata"].get("deletionTimestamp"):
        cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated",
                 "field": "metadata.namespace"}
        details = {"name": name, **({"group": call.type.group} if call.type.group else {}),
                   "kind": call.type.plural, "causes": [cause]}
        raise status.ApiError(
            status.failure(
                403,
                f'{call.resource} "{name}" is forbidden: unable to create new content in namespace '
                f"{namespace} because it is being terminated",
                "Forbidden",
                details,
            )
        )


def store_new(call: Call, item: Item, *, operation: str) -> Item:
    """Complete, check and store a new object; gives it as it is stored (dry run: as it would be).

    `operation` is Update, or Apply if `managedFields` are there already.
    """
    kind, group, meta = call.type.kind, call.type.group, item["metadata"]
    check_namespace(call, meta.get("namespace", ""), str(meta.get("name", "")))
    for field in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        meta.pop(field, None)
    meta["uid"], meta["creationTimestamp"] = str(uuid.uuid4()), call.timestamp
    if call.type.custom or kind in _WITH_GENERATION:
        meta["generation"] = 1
    if "status" in call.type.subresources:
        item.pop("status", None)
    given = frozenset(item["spec"]) if isinstance(item.get("spec"), dict) else frozenset()
    defaults.fill_in(group, kind, item)
    reject(call, item, None)
    if operation == "Update":
        ours = ("spec", "status") if kind == "Namespace" else ("status",)
        owned = {key: part for key, part in item.items() if key not in ours}
        if kind == "Pod":
            owned["spec"] = {key: part for key, part in item["spec"].items()
                             if key in given or key not in defaults.BY_ADMISSION}
        meta["managedFields"] = field_owners.record_update(
            None, owned, manager=call.manager, now=call.timestamp, api_version=call.type.group_version,
            custom=call.type.custom)
    item = defaults.in_api_order(item, custom=call.type.custom)
    if call.dry_run:
        item["metadata"].pop("resourceVersion", None)
        return item
    if meta.get("resourceVersion") not in (None, "", "0"):
        message = "resourceVersion should not be set on objects to be created"
        raise status.ApiError(status.failure(500, message))
    item["metadata"] = _with_version_in_place(item["metadata"])
    try:
        stored = call.storage.create(call.resource, item)
    except AlreadyExists:
        raise status.ApiError(
            status.failure(
                409,
                f'{call.resource} "{meta["name"]}" already exists',
                "AlreadyExists",
                {"name": meta["name"], **({"group": group} if group else {}), "kind": call.type.plural},
            )
        ) from None
    custom_definitions.serve(call.server, call.resource, stored)
    return defaults.in_api_order(stored, custom=call.type.custom)


def _with_version_in_place(meta: Item) -> Item:
    """The metadata with a resourceVersion where the real server writes it, for the storage to fill in."""
    ordered: Item = defaults.in_api_order({"metadata": {**meta, "resourceVersion": ""}}, custom=False)[
        "metadata"
    ]
    return ordered


def reject(call: Call, item: Item, previous: Item | None) -> None:
    """422 with everything that is wrong with an object."""
    kind, group = call.type.kind, call.type.group
    causes = validation.check_metadata(kind, item["metadata"]) if previous is None else \
        validation.check_metadata(kind, {**item["metadata"], "name": previous["metadata"]["name"]})
    causes += validation.check_content(group, kind, item, previous)
    causes += custom_definitions.check(call.server, call.type, item)
    if causes:
        name = item["metadata"].get("name")
        raise status.invalid(group, kind, name if isinstance(name, str) else "", list(causes))
