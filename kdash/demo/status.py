"""Status bodies exactly as a kube-apiserver words them. Each function returns the `metav1.Status` as a dict."""

from __future__ import annotations

from typing import Any

import msgspec

from kdash.demo.http_types import Response, json_bytes

__all__ = [
    "ApiError",
    "bad_include_object",
    "bad_request",
    "conflict",
    "expired_continue",
    "expired_exact",
    "failure",
    "forbidden",
    "forbidden_path",
    "initializing",
    "invalid",
    "invalid_list_options",
    "method_not_allowed",
    "not_acceptable",
    "not_found",
    "only_media_types",
    "shutting_down",
    "too_large_version",
    "too_many_requests",
    "too_old_for_watch",
    "unknown_resource",
    "unsupported_media_type",
    "wrong_partial",
]


class ApiError(Exception):
    """A refusal that becomes a Status answer."""

    indented = False
    """Always written with indentation, as the refusals of a media type are."""

    def __init__(self, status: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.headers = headers or {}

    def response(self) -> Response:
        headers = {"Content-Type": "application/json", **self.headers}
        if self.indented:
            return Response(self.status["code"], msgspec.json.format(json_bytes(self.status), indent=2), headers)
        return Response(self.status["code"], json_bytes(self.status) + b"\n", headers)


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


def forbidden(verb: str, resource: str, group: str, namespace: str, user: str, name: str = "") -> ApiError:
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    qualified = f"{resource}.{group}" if group else resource
    named = f' "{name}"' if name else ""
    message = (
        f'{qualified}{named} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{group}" {where}'
    )
    details = {**({"name": name} if name else {}), **({"group": group} if group else {}), "kind": resource}
    return ApiError(failure(403, message, "Forbidden", details), {"X-Content-Type-Options": "nosniff"})


def forbidden_path(verb: str, path: str, user: str) -> ApiError:
    message = f'forbidden: User "{user}" cannot {verb} path "{path}"'
    return ApiError(failure(403, message, "Forbidden", {}), {"X-Content-Type-Options": "nosniff"})


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


class _Indented(ApiError):
    indented = True


def not_acceptable(available: str) -> ApiError:
    """406 for a list, watch or object."""
    message = f"406: Not Acceptable\n\nAvailable representations: {available}"
    return _Indented(failure(406, message, "NotAcceptable", {}))


def only_media_types(accepted: str) -> ApiError:
    """406 for discovery, and for watches."""
    message = f"only the following media types are accepted: {accepted}"
    return _Indented(failure(406, message, "NotAcceptable"))


def wrong_partial(name: str, what: str, go_type: str) -> ApiError:
    """406 for PartialObjectMetadata on a list, and the other way round."""
    message = f"you requested {name}, but the requested object is {what} (*{go_type})"
    return _Indented(failure(406, message, "NotAcceptable"))


def bad_include_object(value: str) -> ApiError:
    message = (
        f'Unable to convert to Table as requested: includeObject: Invalid value: "{value}": '
        "must be 'Metadata', 'Object', 'None', or empty"
    )
    return _Indented(failure(400, message, "BadRequest"))


def too_many_requests() -> Response:
    """429 of the request limiter: plain text, no Status (wire fact 96)."""
    answer = Response.text("Too many requests, please try again later.\n", 429)
    answer.headers["Retry-After"] = "1"
    return answer


def shutting_down() -> Response:
    """429 of a server that is about to end: plain text, and the connection closes (wire fact 96)."""
    answer = Response.text("The apiserver is shutting down, please try again later.\n", 429)
    answer.headers |= {"Retry-After": "5", "Connection": "close", "Cache-Control": ""}
    return answer


def initializing(retry_after_s: int) -> ApiError:
    """429 while a resource's watch cache is being loaded."""
    body = failure(429, "storage is (re)initializing", "TooManyRequests", {"retryAfterSeconds": retry_after_s})
    return ApiError(body, {"Retry-After": str(retry_after_s)})


def unsupported_media_type(message: str) -> ApiError:
    return ApiError(failure(415, message, "UnsupportedMediaType", {}))
