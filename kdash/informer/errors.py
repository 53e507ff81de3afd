"""Every error the core tells apart, and the predicates that decide what a reflector does about it.

A `ListerWatcher` turns whatever its transport raises into one of these; nothing else may leave it.
Predicates follow apimachinery's `pkg/api/errors` and client-go's `isExpiredError` / `isTooLargeResourceVersionError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdash.informer.limits import LONGEST_RETRY_AFTER_S

__all__ = [
    "ApiStatusError",
    "CacheTooLarge",
    "ConnectionRefused",
    "ConnectionReset",
    "DecodeError",
    "InformerError",
    "KeyFunctionError",
    "StatusCause",
    "StopRequested",
    "TransportError",
    "UnexpectedEOF",
    "VeryShortWatchError",
    "is_connection_refused",
    "is_expired",
    "is_internal_error",
    "is_too_large_resource_version",
    "is_too_many_requests",
]


class InformerError(Exception):
    """Base of all errors that the informer core raises or hands to a watch-error handler."""


class TransportError(InformerError):
    """The request got no usable HTTP answer (TLS failure, time-out, DNS, …)."""


class ConnectionRefused(TransportError):
    """ECONNREFUSED and nothing else: the one connection error after which a watch is retried without relist."""


class ConnectionReset(TransportError):
    """The connection was reset before an answer came."""


class UnexpectedEOF(TransportError):
    """The connection ended before an answer came, or inside a body that announced more."""


class DecodeError(InformerError):
    """Bytes from the server that are not what the protocol promises."""


class CacheTooLarge(InformerError):
    """A full state takes more than the bound that was set for it (kdash extension)."""

    def __init__(self, most: int) -> None:
        said = f"{most / 1e6:,.1f} MB" if most < 1e9 else f"{most / 1e9:,.1f} GB"
        super().__init__(
            f"the objects take more than {said} compressed, which is as much as the cache may hold; observe one "
            "namespace, use a selector, or allow more (--max-cache)"
        )
        self.most = most


class StopRequested(InformerError):
    """Raised inside a wait or a request that `stop` interrupted."""


class VeryShortWatchError(InformerError):
    """A watch ended within a second of its start and delivered nothing (client-go `VeryShortWatchError`)."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"very short watch: {name}: Unexpected watch close - watch lasted less than a second and no items received"
        )


class KeyFunctionError(InformerError):
    """No key could be computed for an object (client-go `KeyError`); `cause` holds the reason."""

    def __init__(self, obj: object, cause: Exception) -> None:
        super().__init__(f"couldn't create key for object: {cause}")
        self.obj = obj
        self.cause = cause
        self.__cause__ = cause


@dataclass(frozen=True, slots=True)
class StatusCause:
    """One entry of `status.details.causes`."""

    reason: str = ""
    message: str = ""
    field: str = ""


class ApiStatusError(InformerError):
    """A `metav1.Status` failure: from an HTTP error answer or from an ERROR event inside a stream."""

    def __init__(
        self,
        code: int,
        reason: str = "",
        message: str = "",
        causes: tuple[StatusCause, ...] = (),
        retry_after_s: int | None = None,
        continue_token: str = "",
    ) -> None:
        super().__init__(message or reason or f"HTTP {code}")
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after_s = retry_after_s
        self.continue_token = continue_token

    @classmethod
    def from_status(cls, status: Mapping[str, Any], http_code: int = 0) -> ApiStatusError:
        """Build from a decoded Status; its own `code` outranks the HTTP code (users_15)."""
        details = status.get("details")
        details = details if isinstance(details, Mapping) else {}
        raw_causes = details.get("causes")
        causes = tuple(
            StatusCause(str(c.get("reason", "")), str(c.get("message", "")), str(c.get("field", "")))
            for c in (raw_causes if isinstance(raw_causes, list) else [])
            if isinstance(c, Mapping)
        )
        metadata = status.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        code = status.get("code")
        retry_after = details.get("retryAfterSeconds")
        return cls(
            code if type(code) is int and 0 < code < 1000 else http_code,
            str(status.get("reason", "") or ""),
            str(status.get("message", "") or ""),
            causes,
            retry_after if type(retry_after) is int and 0 <= retry_after <= LONGEST_RETRY_AFTER_S else None,
            str(metadata.get("continue", "") or ""),
        )


_REASONS = frozenset(
    [
        "Unauthorized",
        "Forbidden",
        "NotFound",
        "AlreadyExists",
        "Conflict",
        "Gone",
        "Invalid",
        "ServerTimeout",
        "StoreReadError",
        "Timeout",
        "TooManyRequests",
        "BadRequest",
        "MethodNotAllowed",
        "NotAcceptable",
        "RequestEntityTooLarge",
        "UnsupportedMediaType",
        "InternalError",
        "Expired",
        "ServiceUnavailable",
    ]
)


def _reason_or_code(error: BaseException | None, reason: str, code: int) -> bool:
    """The reason matches, or the code does and the reason is none that apimachinery knows."""
    if not isinstance(error, ApiStatusError):
        return False
    return error.reason == reason or (error.code == code and error.reason not in _REASONS)


def is_expired(error: BaseException | None) -> bool:
    """Reason Expired, or Gone / 410 (client-go `isExpiredError`)."""
    if not isinstance(error, ApiStatusError):
        return False
    return error.reason == "Expired" or _reason_or_code(error, "Gone", 410)


def is_too_large_resource_version(error: BaseException | None) -> bool:
    """The requested version lies in the server's future (client-go `isTooLargeResourceVersionError`)."""
    if not isinstance(error, ApiStatusError):
        return False
    if any(cause.reason == "ResourceVersionTooLarge" for cause in error.causes):
        return True
    if not _reason_or_code(error, "Timeout", 504):
        return False
    text = "Too large resource version"
    return text in error.message or any(cause.message == text for cause in error.causes)


def is_too_many_requests(error: BaseException | None) -> bool:
    """Reason TooManyRequests or code 429, whatever the reason (apierrors `IsTooManyRequests`)."""
    return isinstance(error, ApiStatusError) and (error.reason == "TooManyRequests" or error.code == 429)


def is_internal_error(error: BaseException | None) -> bool:
    """Reason InternalError, or code 500 with an unknown reason (apierrors `IsInternalError`)."""
    return _reason_or_code(error, "InternalError", 500)


def is_connection_refused(error: BaseException | None) -> bool:
    """ECONNREFUSED only; neither reset nor time-out (utilnet `IsConnectionRefused`)."""
    return isinstance(error, ConnectionRefused)
