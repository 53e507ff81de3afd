"""The fault menu: what the server does wrong on request.

Contract: `add` arms a fault for requests to come, once, N times or for a while, scoped to verb and resource; the
methods below it act at once on what is open. Every fault that strikes is written to the request log. Any thread.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kdash.demo import status
from kdash.demo.http_types import Request, Response, json_bytes

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["CONNECTION_FAULTS", "FAULTS", "STREAM_FAULTS", "Fault", "Faults"]

CONNECTION_FAULTS = {
    "reset": "answer with a TCP reset",
    "close": "close the connection without an answer",
    "half-open": "accept the request and say nothing",
    "stall-headers": "send the answer's headers late",
}
STREAM_FAULTS = {
    "cut-mid-line": "cut the body in the middle of a line",
    "garbage-line": "write a line that is no JSON",
    "split-bytes": "write the body byte by byte",
    "slow": "write the body slowly, piece by piece",
}
ANSWERS = {
    "html": "an HTML error page with 502",
    "401": "401 Unauthorized",
    "403": "403 Forbidden",
    "429": "429 with Retry-After",
    "500": "500 InternalError",
    "503": "503 ServiceUnavailable",
    "504": "504 Too large resource version",
    "410": "410 Expired (in the stream of a watch)",
}
FAULTS: dict[str, str] = {**CONNECTION_FAULTS, **STREAM_FAULTS, **ANSWERS}
"""Every kind with what it does."""


@dataclass(slots=True)
class Fault:
    """One armed fault. Unset scopes match everything; `seconds` counts from when it was added."""

    kind: str
    verb: str | None = None
    """LIST, WATCH, GET, POST, PUT, PATCH or DELETE."""
    resource: str | None = None
    """As in the path: `pods`."""
    times: int | None = 1
    """None: as often as it lasts."""
    seconds: float | None = None
    delay_s: float = 5.0
    """Of stall-headers and slow."""
    retry_after_s: int = 1
    struck: int = field(default=0, init=False)
    expires_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(FAULTS)}")


class Faults:
    """All faults of one server."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._lock = threading.Lock()  # guards _armed
        self._armed: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Arm a fault."""
        if fault.seconds is not None:
            fault.expires_at = time.monotonic() + fault.seconds
            if fault.times == 1:
                fault.times = None
        with self._lock:
            self._armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed.clear()

    def strike(self, verb: str, resource: str) -> Fault | None:
        """The fault that strikes this request, if any; counts it."""
        now = time.monotonic()
        with self._lock:
            self._armed = [each for each in self._armed if each.expires_at is None or each.expires_at > now]
            for fault in self._armed:
                if fault.verb not in (None, verb) or fault.resource not in (None, resource):
                    continue
                fault.struck += 1
                if fault.times is not None and fault.struck >= fault.times:
                    self._armed.remove(fault)
                return fault
        return None

    def answer(self, fault: Fault, request: Request, verb: str) -> Response | None:
        """The answer that a fault gives in the server's place; None for faults of the connection or stream."""
        if fault.kind == "html":
            page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
            return Response(502, page, {"Content-Type": "text/html"})
        if fault.kind not in ANSWERS:
            return None
        if fault.kind == "410" and verb == "WATCH":
            error = status.too_old_for_watch(
                int(request.param("resourceVersion") or 0), self._server.storage.current_version
            )
            line = b'{"type":"ERROR","object":' + json_bytes(error) + b"}\n"
            return Response(200, line, {"Content-Type": "application/json"})
        return self._refusal(fault, request)

    def _refusal(self, fault: Fault, request: Request) -> Response:
        current = self._server.storage.current_version
        errors = {
            "401": status.ApiError(status.failure(401, "Unauthorized", "Unauthorized")),
            "403": status.forbidden("list", fault.resource or request.path.rsplit("/", 1)[-1], "", "", "demo"),
            "429": status.ApiError(
                status.failure(429, "Too many requests, please try again later.", "TooManyRequests",
                               {"retryAfterSeconds": fault.retry_after_s}),
                {"Retry-After": str(fault.retry_after_s)}),
            "500": status.ApiError(status.failure(500, "Internal error occurred: injected fault", "InternalError", {})),
            "503": status.ApiError(status.failure(503, "the server is currently unable to handle the request",
                                                  "ServiceUnavailable", {})),
            "504": status.too_large_version(current + 1000, current),
            "410": status.expired_exact(),
        }  # fmt: skip
        return errors[fault.kind].response()

    # at once -------------------------------------------------------------------------------------------

    def close_watches(self) -> int:
        """End every open watch cleanly, as a time-out does; returns how many."""
        return self._server.end_watches()

    def drop_connections(self) -> int:
        """Reset every open connection; returns how many."""
        return self._server.reset_connections()

    def expire_history(self, resource: str | None = None) -> None:
        """Forget the past: watches and exact lists from before now are 410."""
        self._server.storage.expire_history(resource)

    def lose_next_event(self, resource: str = "pods") -> None:
        """The next event of a resource reaches no open watch: caches miss it until they relist."""
        self._server.storage.lose_next_event(resource)

    def send_garbage(self, line: bytes = b"this is no JSON\n") -> None:
        """Write a line that cannot be decoded into every open watch."""
        self._server.inject(line)

    def expire_watches(self) -> None:
        """Send the in-stream 410 to every open watch, and end it; the history is expired too."""
        storage = self._server.storage
        storage.expire_history()
        error = status.too_old_for_watch(storage.current_version - 1, storage.current_version)
        self._server.inject(b'{"type":"ERROR","object":' + json_bytes(error) + b"}\n")
        self._server.end_watches()
