"""Faults at work: which one strikes a request, what it answers, and the acts on what is open (menu: `fault_menu`).

Contract: `add` arms a fault for requests to come, or carries an act out, at once, later or again and again. Every
fault that strikes is written to the request log, and everything that happens to `history`. Any thread may call
anything; faults that wait for a time need the server to run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kdash.demo import status
from kdash.demo.fault_menu import ANSWERS, FAULTS, Fault
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.list_options import ContinueToken
from kdash.demo.storage import NotFound

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["FAULTS", "Fault", "Faults", "Strike"]

_logger = logging.getLogger(__name__)


class Strike(NamedTuple):
    """Something that the menu did. `at` is wall time; `verb` and `path` are empty for acts."""

    at: float
    kind: str
    verb: str
    path: str


class Faults:
    """All faults of one server."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._lock = threading.Lock()  # guards _armed, _waiting, _due_at, _history and the counts of all faults
        self._armed: list[Fault] = []
        self._waiting: list[Fault] = []
        self._due_at: dict[int, float] = {}
        self._history: deque[Strike] = deque(maxlen=10_000)

    # arming --------------------------------------------------------------------------------------------

    def add(self, fault: Fault) -> Fault:
        """Arm a fault, or carry an act out; later, if it says so."""
        if fault.times == 1 and (fault.seconds is not None or fault.every_s is not None):
            fault.times = None
        if fault.after_s or fault.every_s:
            with self._lock:
                self._waiting.append(fault)
                self._due_at[id(fault)] = time.monotonic() + fault.after_s
            self._server.call_later(fault.after_s, lambda: self._due(fault))
        elif fault.is_act:
            self._act(fault)
        else:
            self._arm(fault)
        return fault

    def check(self, fault: Fault) -> None:
        """Raise `ValueError` if an act names a resource that is not served."""
        if fault.is_act and fault.resource:
            self._qualified(fault.resource)

    def _arm(self, fault: Fault) -> None:
        fault.expires_at = None if fault.seconds is None else time.monotonic() + fault.seconds
        with self._lock:
            if not _among(fault, self._armed):
                self._armed.append(fault)
        if fault.kind == "410" and fault.verb in (None, "WATCH"):
            self._expire_open_watches(fault)

    def _expire_open_watches(self, fault: Fault) -> None:
        """A 410 does not wait for the next request while there are watches that it can strike."""
        for watch in list(self._server.watches):
            if fault.resource not in (None, watch.type.plural, watch.type.qualified):
                continue
            with self._lock:
                if not _among(fault, self._armed):
                    return
                self._count(fault)
            self._remember(fault.kind, "WATCH", "(open)")
            current = self._server.storage.current_version
            error = status.too_old_for_watch(current - 1, current)
            watch.inject(b'{"type":"ERROR","object":' + json_bytes(error) + b"}\n")
            watch.end()

    def _count(self, fault: Fault) -> None:
        """It strikes; the lock is held."""
        fault.struck += 1
        spent = fault.times is not None and fault.struck >= fault.times
        if spent:
            self._waiting = [each for each in self._waiting if each is not fault]
        if spent or (fault.every_s is not None and fault.seconds is None):
            self._armed = [each for each in self._armed if each is not fault]

    def _due(self, fault: Fault) -> None:
        """A fault whose time has come; plans its next time."""
        with self._lock:
            if not _among(fault, self._waiting):
                return
            done = fault.every_s is None or (fault.is_act and fault.times is not None
                                             and fault.struck + 1 >= fault.times)  # fmt: skip
            self._due_at[id(fault)] = time.monotonic() + (fault.every_s or 0.0)
            if done:
                self._waiting = [each for each in self._waiting if each is not fault]
                del self._due_at[id(fault)]
        if not done:
            self._server.call_later(fault.every_s or 0.0, lambda: self._due(fault))
        if fault.is_act:
            threading.Thread(target=self._act, args=(fault,), name="kdash-demo-fault", daemon=True).start()
        else:
            self._arm(fault)

    def clear(self) -> None:
        """Disarm all, and forget those that wait."""
        with self._lock:
            self._armed.clear()
            self._waiting.clear()
            self._due_at.clear()

    def armed(self) -> list[Fault]:
        """Those that wait for a request, and those that wait for their time."""
        with self._lock:
            now = time.monotonic()
            armed = [each for each in self._armed if each.expires_at is None or each.expires_at > now]
            return [*armed, *(each for each in self._waiting if not _among(each, armed))]

    def waits_for(self, fault: Fault) -> str:
        """What one of `armed` waits for, in words: `the next WATCH of pods`, `its time, in 5s`."""
        with self._lock:
            is_armed, due_at = _among(fault, self._armed), self._due_at.get(id(fault))
        if is_armed or due_at is None:
            return fault.waits_for
        return f"its time, in {max(0.0, due_at - time.monotonic()):.0f}s"

    def history(self) -> list[Strike]:
        """What the menu has done, oldest first."""
        with self._lock:
            return list(self._history)

    def _remember(self, kind: str, verb: str = "", path: str = "") -> None:
        _logger.info("fault %s %s %s", kind, verb, path)
        with self._lock:
            self._history.append(Strike(time.time(), kind, verb, path))

    # requests ------------------------------------------------------------------------------------------

    def strike(self, verb: str, resource: str, request: Request) -> Fault | None:
        """The fault that strikes this request, if any; counts it."""
        if not self._armed:
            return None
        verbs = {None, verb, "CONTINUE"} if verb == "LIST" and request.param("continue") else {None, verb}
        now = time.monotonic()
        with self._lock:
            self._armed = [each for each in self._armed if each.expires_at is None or each.expires_at > now]
            for fault in self._armed:
                if fault.verb in verbs and fault.resource in (None, resource):
                    self._count(fault)
                    break
            else:
                return None
        self._remember(fault.kind, verb, request.path)
        return fault

    def answer(self, fault: Fault, request: Request, verb: str) -> Response | None:
        """The answer that a fault gives in the server's place; None for faults of the connection or stream."""
        if fault.kind not in ANSWERS:
            return None
        if fault.kind == "html":
            page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
            return Response(502, page, {"Content-Type": "text/html"})
        if fault.kind == "429":
            answer = status.too_many_requests()
            answer.headers["Retry-After"] = str(fault.retry_after_s)
            return answer
        if fault.kind == "429-shutdown":
            return status.shutting_down()
        if fault.kind == "410" and verb == "WATCH":
            error = status.too_old_for_watch(_asked(request), self._server.storage.current_version)
            line = b'{"type":"ERROR","object":' + json_bytes(error) + b"}\n"
            return Response(200, line, {"Content-Type": "application/json"})
        return self._refusal(fault, request, verb).response()

    def _refusal(self, fault: Fault, request: Request, verb: str) -> status.ApiError:
        def failure(code: int, message: str, reason: str) -> status.ApiError:
            return status.ApiError(status.failure(code, message, reason, {}))

        kind = fault.kind
        if kind == "401":
            return status.ApiError(status.failure(401, "Unauthorized", "Unauthorized"))
        if kind == "403":
            attempt = self._server.router.attempt(request)
            if attempt is None:
                return status.forbidden_path(request.method.lower(), request.path, "demo")
            return status.forbidden(attempt.verb, attempt.resource, attempt.group, attempt.namespace, "demo",
                                    attempt.name)  # fmt: skip
        if kind == "410":
            token = request.param("continue")
            if token:
                return status.expired_continue(_fresh(token))
            return status.expired_exact()
        if kind == "429-initializing":
            return status.initializing(fault.retry_after_s)
        if kind == "504":
            current = self._server.storage.current_version
            return status.too_large_version(_asked(request) or current + 1000, current)
        if kind == "503":
            return failure(503, "the server is currently unable to handle the request", "ServiceUnavailable")
        return failure(500, "Internal error occurred: injected fault", "InternalError")

    # acts ----------------------------------------------------------------------------------------------

    def _act(self, fault: Fault) -> None:
        resource = self._qualified(fault.resource or "pods")
        server = self._server
        fault.struck += 1
        acts: dict[str, Callable[[], object]] = {
            "close-watches": self.close_watches,
            "drop-connections": self.drop_connections,
            "expire-history": lambda: self.expire_history(resource if fault.resource else None),
            "expire-watches": self.expire_watches,
            "send-garbage": self.send_garbage,
            "lose-event": lambda: server.storage.tamper(resource, "lose"),
            "duplicate-event": lambda: server.storage.tamper(resource, "duplicate"),
            "reorder-events": lambda: server.storage.tamper(resource, "reorder"),
            "huge-object": lambda: server.grow_object(resource, fault.size),
            "time-jump": lambda: server.jump_clock(fault.delay_s),
            "restart": server.restart,
            "restart-empty": lambda: server.restart(keep_history=False),
        }
        self._remember(fault.kind)
        acts[fault.kind]()

    def _qualified(self, resource: str) -> str:
        """`deployments` as the storage names it. Raises `ValueError` for what is not served."""
        for each in self._server.storage.registry:
            if resource in (each.plural, each.qualified):
                return each.qualified
        raise ValueError(f"no resource is called {resource!r} here")

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
        try:
            self._server.storage.tamper(resource, "lose")
        except NotFound as error:
            raise ValueError(str(error)) from None

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


def _among(fault: Fault, faults: list[Fault]) -> bool:
    """Whether this very fault is among them: equal ones are different faults."""
    return any(each is fault for each in faults)


def _asked(request: Request) -> int:
    text = request.param("resourceVersion")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _fresh(token: str) -> str:
    """The token for the same place at the newest state; the old one if it cannot be read."""
    try:
        old = ContinueToken.decode(token)
    except status.ApiError:
        return token
    return ContinueToken(old.v, -1, old.start.removeprefix("/")).encode()
