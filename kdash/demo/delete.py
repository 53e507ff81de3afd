"""DELETE of one object or of a collection, and the eviction of a pod."""

from __future__ import annotations

import json
from typing import Any

from . import create, custom_definitions, defaults, deletion, status
from .api_call import PROTOBUF, Call, answer, parse_yaml
from .http_types import Response
from .selectors import parse_selection

Item = dict[str, Any]
_ANSWERED_WITH_OBJECT = frozenset({"pods", "namespaces", "services", "serviceaccounts"})
_IMMORTAL = frozenset({"default", "kube-public", "kube-system"})
_POLICIES = ("Foreground", "Background", "Orphan")


def delete(call: Call) -> Response:
    """Answer a DELETE of one object."""
    options = _options(call)
    item = call.stored()
    _check_preconditions(call, item, options.get("preconditions") or {})
    outcome = _delete(call, call.namespace, call.name, options)
    if outcome is None:
        raise call.not_found(call.name)
    if not outcome.gone or call.resource in _ANSWERED_WITH_OBJECT:
        return answer(defaults.in_api_order(outcome.item, custom=call.type.custom))
    details = {"name": call.name, **({"group": call.type.group} if call.type.group else {}),
               "kind": call.type.plural, "uid": item["metadata"]["uid"]}
    return answer(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    )


def delete_collection(call: Call) -> Response:
    """Answer a DELETE of a collection: the list of what was deleted."""
    options = _options(call)
    selection = parse_selection(
        call.request.param("labelSelector"), call.request.param("fieldSelector"), call.type
    )
    gone: list[Item] = []
    for item in call.storage.list(call.resource, call.namespace):
        if selection.matches(item):
            outcome = _delete(call, item["metadata"].get("namespace", ""), item["metadata"]["name"], options)
            if outcome is not None:
                shown = defaults.in_api_order(outcome.item, custom=call.type.custom)
                gone.append(shown if call.type.custom else
                            {key: part for key, part in shown.items() if key not in ("kind", "apiVersion")})
    return answer({"kind": call.type.kind_of_list, "apiVersion": call.type.group_version,
                   "metadata": {"resourceVersion": str(call.storage.current_version)}, "items": gone})


def evict(call: Call) -> Response:
    """Answer a POST to a pod's eviction: it is deleted with its grace period."""
    outcome = deletion.delete(call.storage, call.resource, call.namespace, call.name, now=call.now,
                              dry_run=call.dry_run)
    if outcome is None:
        raise call.not_found(call.name)
    return answer(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
    )


def _options(call: Call) -> Item:
    """DeleteOptions from the body and the query; the query wins."""
    options: Any = {}
    if call.request.body.strip() and call.request.content_type != PROTOBUF:
        call.check_size()
        options = (
            parse_yaml(call.request.body) if "yaml" in call.request.content_type else _json(call.request.body)
        )
    if not isinstance(options, dict):
        raise status.bad_request("the body of a DELETE is a DeleteOptions object")
    create.check_types("DeleteOptions", "v1", "DeleteOptions", options)
    query = call.request.query
    if "gracePeriodSeconds" in query:
        try:
            options["gracePeriodSeconds"] = int(call.request.param("gracePeriodSeconds"))
        except ValueError:
            raise status.bad_request("gracePeriodSeconds is no number") from None
    if "propagationPolicy" in query:
        options["propagationPolicy"] = call.request.param("propagationPolicy")
    policy = options.get("propagationPolicy")
    if policy and policy not in _POLICIES:
        listed = ", ".join(f'"{name}"' for name in ("Foreground", "Background", "Orphan"))
        raise status.invalid("meta.k8s.io", "DeleteOptions", "", [(
            "FieldValueNotSupported", f'Unsupported value: "{policy}": supported values: {listed}',
            "propagationPolicy")])
    return options


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise status.bad_request(f"error decoding DeleteOptions: {error}") from None


def _check_preconditions(call: Call, item: Item, wanted: Item) -> None:
    for field, name, why in (
            ("uid", "UID", "The object might have been deleted and then recreated"),
            ("resourceVersion", "ResourceVersion", "The object might have been modified")):
        if wanted.get(field) and wanted[field] != item["metadata"][field]:
            text = (f"the {name} in the precondition ({wanted[field]}) does not match the {name} in record "
                    f"({item['metadata'][field]}). {why}")
            details = {"name": call.name, "kind": call.type.kind}
            raise status.ApiError(
                status.failure(
                    409,
                    f'Operation cannot be fulfilled on {call.type.kind} "{call.name}": {text}',
                    "Conflict",
                    details,
                )
            )


def _delete(call: Call, namespace: str, name: str, options: Item) -> deletion.Outcome | None:
    if call.resource == "namespaces" and name in _IMMORTAL:
        message = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
        raise status.ApiError(status.failure(403, message, "Forbidden", {"name": name, "kind": "namespaces"}))
    grace = options.get("gracePeriodSeconds")
    outcome = deletion.delete(
        call.storage, call.resource, namespace, name, now=call.now,
        grace_s=grace if isinstance(grace, int) else None, policy=str(options.get("propagationPolicy") or ""),
        dry_run=call.dry_run or bool(options.get("dryRun")))
    if outcome is not None and outcome.gone and not call.dry_run and not options.get("dryRun"):
        custom_definitions.withdraw(call.server, call.resource, outcome.item)
    return outcome
