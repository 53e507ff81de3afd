"""The control path: how tests, the screen and the command line reach a server in another process.

    GET    /_kdash/faults      the menu, what is armed, what has struck
    POST   /_kdash/faults      arm or do: {"fault": "503:verb=LIST,times=3"} or the fields of a Fault
    DELETE /_kdash/faults      disarm all
    GET    /_kdash/requests    the log of truth: requests that have ended, and how many there were
    GET    /_kdash/changes     the log of truth: committed changes (?after=VERSION)

Contract: neither logged, counted nor struck by faults; the server listens on 127.0.0.1 only and asks for its token.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from kdash.demo import status
from kdash.demo.fault_menu import MENU, Fault, parse_fault
from kdash.demo.http_types import Request, Response

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["PREFIX", "handle"]

PREFIX = "/_kdash/"
_ENDS_CONNECTIONS = ("restart", "restart-empty", "drop-connections")


class _Fields(msgspec.Struct):
    """The fields of a Fault, as they may be sent."""

    kind: str
    verb: str | None = None
    resource: str | None = None
    times: int | None = 1
    seconds: float | None = None
    delay_s: float = 5.0
    retry_after_s: int = 1
    size: int = 4 << 20
    after_s: float = 0.0
    every_s: float | None = None

    def given(self) -> dict[str, Any]:
        return msgspec.structs.asdict(self)


_FIELDS = tuple(_Fields.__struct_fields__)


def handle(request: Request, server: ApiServer) -> Response:
    """Answer a request to the control path, in a worker thread. Raises `ApiError`."""
    path = request.path.removeprefix(PREFIX).rstrip("/")
    if path == "faults":
        return _faults(request, server)
    if path in ("requests", "changes") and request.method != "GET":
        raise status.method_not_allowed()
    if path == "requests":
        records = [record._asdict() for record in server.log.records()]
        return Response.json({"count": server.log.count(), "requests": records})
    if path == "changes":
        text = request.param("after", "0")
        after = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        changes = [change._asdict() for change in server.storage.changes() if change.version > after]
        return Response.json({"version": server.storage.current_version, "changes": changes})
    raise status.unknown_resource()


def _faults(request: Request, server: ApiServer) -> Response:
    if request.method == "POST":
        return Response.json(_described(server.faults.add(_parsed(request, server))), 201)
    if request.method == "DELETE":
        server.faults.clear()
    elif request.method != "GET":
        raise status.method_not_allowed()
    return Response.json({
        "menu": MENU, "armed": [_described(fault) for fault in server.faults.armed()],
        "struck": [strike._asdict() for strike in server.faults.history()],
    })  # fmt: skip


def _described(fault: Fault) -> dict[str, Any]:
    return {name: value for name, value in asdict(fault).items() if name != "expires_at" and value is not None}


def _parsed(request: Request, server: ApiServer) -> Fault:
    try:
        body = msgspec.json.decode(request.body)
    except msgspec.MsgspecError:
        raise status.bad_request('the body is no JSON: send {"fault": "NAME:OPTION=VALUE"}') from None
    try:
        if isinstance(body, dict) and isinstance(body.get("fault"), str):
            fault = parse_fault(body["fault"])
        elif isinstance(body, dict) and not set(body) - set(_FIELDS) and isinstance(body.get("kind"), str):
            fault = Fault(**msgspec.convert(body, _Fields).given())
        else:
            raise ValueError(f"send the fault as text, or the fields {', '.join(_FIELDS)}")
        server.faults.check(fault)
    except (ValueError, msgspec.ValidationError) as error:
        raise status.bad_request(str(error)) from None
    if fault.kind in _ENDS_CONNECTIONS and not fault.after_s:
        fault.after_s = 0.05  # so that the answer to this request still goes out
    return fault
