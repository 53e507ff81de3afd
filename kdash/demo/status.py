"""Status bodies exactly as a kube-apiserver words them. Each function returns the `metav1.Status` as a dict."""

from __future__ import annotations

from typing import Any

from kdash.demo.http_types import Response, json_bytes

__all__ = [
    "ApiError",
    "bad_request",
    "conflict",
    "expired_continue",
    "expired_exact",
    "failure",
    "forbidden",
    "invalid",
    "invalid_list_options",
    "method_not_allowed",
    "not_acceptable",
    "not_found",
    "too_large_version",
    "too_old_for_watch",
    "unknown_resource",
    "unsupported_media_type",
]


class ApiError(Exception):
    """A refusal that becomes a Status answer."""

    def __init__(self, status: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.headers = headers or {}

    def response(self) -> Response:
        headers = {"Content-Type": "application/json", **self.headers}
        return Response(self.status["code"], json_bytes(self.status), headers)


def failure(
    code: int, message: str, reason: str = "", details: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A failure Status with its keys in the order of the real one."""
    status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, "status": "Failure",
                              "message": message}  # fmt: skip
    if reason:
        status["reason"] = reason
    if details is not None:
        status["details"] = details
    status["code"] = code
    return status


def bad_request(message: str) -> ApiError:
    return ApiError(failure(400, message, "BadRequest"))


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    qualified = f"{resource}.{group}" if group else resource
    details = {"name": name, **({"group": group} if group else {}), "kind": resource}
    return ApiError(failure(404, f'{qualified} "{name}" not found', "NotFound", details))


def unknown_resource() -> ApiError:
    return ApiError(failure(404, "the server could not find the requested resource", "NotFound", {}))


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(failure(405, message, "MethodNotAllowed", {}))


def forbidden(verb: str, resource: str, group: str, namespace: str, user: str) -> ApiError:
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    qualified = f"{resource}.{group}" if group else resource
    message = (
        f'{qualified} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {where}'
    )
    details = {**({"group": group} if group else {}), "kind": resource}
    return ApiError(failure(403, message, "Forbidden", details), {"X-Content-Type-Options": "nosniff"})


def conflict(resource: str, name: str, group: str = "", why: str = "") -> ApiError:
    qualified = f"{resource}.{group}" if group else resource
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    details = {"name": name, **({"group": group} if group else {}), "kind": resource}
    return ApiError(failure(409, f'Operation cannot be fulfilled on {qualified} "{name}": {why}', "Conflict", details))


def invalid(group: str, kind: str, name: str, causes: list[tuple[str, str, str]]) -> ApiError:
    """422; causes are (reason, message, field)."""
    qualified = f"{kind}.{group}" if group else kind
    listed = [f"{field}: {message}" for _, message, field in causes]
    text = listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"
    details = {
        **({"name": name} if name else {}), **({"group": group} if group else {}), "kind": kind,
        "causes": [{"reason": reason, "message": message, "field": field} for reason, message, field in causes],
    }  # fmt: skip
    return ApiError(failure(422, f'{qualified} "{name}" is invalid: {text}', "Invalid", details))


def invalid_list_options(causes: list[tuple[str, str, str]]) -> ApiError:
    return invalid("meta.k8s.io", "ListOptions", "", causes)


def too_large_version(asked: int, current: int) -> ApiError:
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
               "retryAfterSeconds": 1}  # fmt: skip
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiError(failure(504, message, "Timeout", details), {"Retry-After": "1"})


def expired_continue(token: str) -> ApiError:
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    return ApiError(failure(410, message, "Expired", metadata={"continue": token}))


def expired_exact() -> ApiError:
    return ApiError(failure(410, "The resourceVersion for the provided list is too old.", "Expired"))


def too_old_for_watch(asked: int, oldest: int) -> dict[str, Any]:
    """The object of the ERROR event."""
    return failure(410, f"too old resource version: {asked} ({oldest})", "Expired")


def not_acceptable() -> ApiError:
    message = (
        "406: Not Acceptable\n\nAvailable representations: application/json, application/json;stream=watch"
    )
    return ApiError(failure(406, message, "NotAcceptable", {}))


def unsupported_media_type(message: str) -> ApiError:
    return ApiError(failure(415, message, "UnsupportedMediaType", {}))
