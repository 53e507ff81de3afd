"""WATCH: where it starts, what it sends, and how it ends (wire facts 42 to 74).

Contract: one `Watch` per open stream. The storage calls `_note` in whatever thread commits; that only appends and
wakes the loop. The stream then writes whatever has gathered as one piece: a burst of events shares a chunk. Each
event's line is encoded once and shared by all plain watches of a resource. A client that does not read is dropped
once `server.watch_backlog` lines wait. Watches end cleanly when the server stops.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from kdash.demo import status
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.list_handler import wait_for_version
from kdash.demo.list_options import ListParameters, parse_watch
from kdash.demo.negotiation import Form, form_of
from kdash.demo.resources import ResourceType
from kdash.demo.selectors import Selection, parse_selection
from kdash.demo.storage import Expired, StoredEvent
from kdash.demo.table import partial_metadata, render_table

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["Watch", "handle_watch"]

_BEFORE_DEADLINE_S = 2.0
_INITIAL_SLICE = 200


async def handle_watch(request: Request, server: ApiServer, resource_type: ResourceType, namespace: str) -> Response:
    """Open a watch. Raises `ApiError` for what is refused before the headers."""
    form = form_of(request)
    parameters = parse_watch(request)
    selection = parse_selection(request.param("labelSelector"), request.param("fieldSelector"), resource_type)
    watch = Watch(server, resource_type, namespace, form, parameters, selection)
    await watch.open()
    return Response(200, headers={"Content-Type": "application/json"}, stream=watch.pieces())


def bookmark_object(resource_type: ResourceType, version: int, end: bool) -> dict[str, Any]:
    """An empty object of the kind, with a version only."""
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if not resource_type.custom:
        meta["creationTimestamp"] = None
    if end:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"kind": resource_type.kind, "apiVersion": resource_type.group_version, "metadata": meta}


class Watch:
    """One open watch."""

    def __init__(
        self, server: ApiServer, resource_type: ResourceType, namespace: str, form: Form, parameters: ListParameters,
        selection: Selection,
    ) -> None:  # fmt: skip
        self._server = server
        self._storage = server.storage
        self.type = resource_type
        self._prefix = f"{namespace}/" if namespace else ""
        self._form = form
        self._parameters = parameters
        self._selection = selection
        self._plain = form == "json" and not selection
        self._head = b""
        if not resource_type.custom:
            kind, version = json_bytes(resource_type.kind), json_bytes(resource_type.group_version)
            self._head = b'{"kind":' + kind + b',"apiVersion":' + version + b","
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._events: deque[StoredEvent] = deque()
        self._woken = False
        self._ending = False
        self._injected: deque[bytes] = deque()
        self._sent_columns = False
        self._version = 0
        self._error: dict[str, Any] | None = None
        self._initial: list[bytes] = []
        self._end_marked = False

    # opening -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Find the starting point and subscribe. Raises `ApiError`."""
        parameters, storage = self._parameters, self._storage
        initial = parameters.initial_events
        legacy = initial is None and not parameters.version
        if initial is None:
            initial = legacy
        if initial and parameters.version:
            try:
                await wait_for_version(storage, parameters.version, None)
            except status.ApiError as error:
                self._error = error.status
                return
        resource = self.type.qualified
        with storage.lock:
            if initial:
                stored, self._version = storage.list_stored(resource, self._prefix.rstrip("/"))
                self._initial = [each.raw for each in stored]
                self._end_marked = parameters.bookmarks
            elif parameters.initial_events is False and not parameters.version:
                self._version = storage.current_version
            else:
                self._version = parameters.version or storage.current_version
            try:
                self._events.extend(storage.subscribe(resource, self._version, self._note))
            except Expired as expired:
                self._error = status.too_old_for_watch(self._version, expired.oldest)
        self._server.watches.add(self)

    def _note(self, event: StoredEvent) -> None:
        """From the storage, in any thread, under its lock."""
        self._events.append(event)
        if not self._woken:
            self._woken = True
            self._call_loop(self._wake.set)

    def _call_loop(self, callback: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)

    def inject(self, line: bytes) -> None:
        """Send a piece as it is (faults). Any thread."""
        self._injected.append(line)
        self._call_loop(self._wake.set)

    def end(self) -> None:
        """End the stream cleanly once what has gathered is sent. Any thread."""
        self._ending = True
        self._call_loop(self._wake.set)

    # the stream ----------------------------------------------------------------------------------------

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, piece by piece; the first, empty one sends the headers."""
        try:
            yield b""
            if self._error is not None:
                yield self._line("ERROR", json_bytes(self._error))
                return
            async for piece in self._initial_pieces():
                yield piece
            async for piece in self._live_pieces():
                yield piece
        finally:
            self._storage.unsubscribe(self.type.qualified, self._note)
            self._server.watches.discard(self)

    async def _initial_pieces(self) -> AsyncIterator[bytes]:
        raws, self._initial = self._initial, []
        for at in range(0, len(raws), _INITIAL_SLICE):
            lines = [self._initial_line(raw) for raw in raws[at : at + _INITIAL_SLICE]]
            yield b"".join(lines)
            await asyncio.sleep(0)
        if self._end_marked:
            yield self._bookmark(end=True)

    def _initial_line(self, raw: bytes) -> bytes:
        if self._plain:
            return self._line("ADDED", self._whole(raw))
        obj = self._storage.decode(self.type, raw)
        return self._line("ADDED", self._render(obj, raw)) if self._selection.matches(obj) else b""

    async def _live_pieces(self) -> AsyncIterator[bytes]:
        now = self._loop.time
        timeout_s = self._parameters.timeout_s or random.uniform(1800, 3600)
        deadline = now() + timeout_s
        bookmark_at = self._next_bookmark(deadline, first=True)
        while True:
            self._woken = False
            self._wake.clear()
            piece = self._gathered()
            if piece:
                yield piece
                if len(self._events) > self._server.watch_backlog:
                    return
                continue
            if self._ending or now() >= deadline:
                return
            if bookmark_at is not None and now() >= bookmark_at:
                yield self._bookmark()
                bookmark_at = self._next_bookmark(deadline)
            until = min(deadline, bookmark_at) if bookmark_at is not None else deadline
            try:
                await asyncio.wait_for(self._wake.wait(), max(until - now(), 0.0))
            except TimeoutError:
                continue

    def _next_bookmark(self, deadline: float, first: bool = False) -> float | None:
        """Every interval, and two seconds before the end."""
        if not self._parameters.bookmarks:
            return None
        now = self._loop.time()
        last = deadline - _BEFORE_DEADLINE_S
        following = now + self._server.bookmark_interval_s * (random.uniform(0.75, 1.25) if first else 1.0)
        if following < last:
            return following
        return last if last > now else None

    def _gathered(self) -> bytes:
        """All lines that wait, at most a few hundred at a time."""
        lines: list[bytes] = []
        while self._injected:
            lines.append(self._injected.popleft())
        events = self._events
        while events and len(lines) < 512:
            event = events.popleft()
            if event.version <= self._version or not event.key.startswith(self._prefix):
                continue
            self._version = event.version
            lines.append(self._event_line(event))
        return b"".join(lines)

    def _event_line(self, event: StoredEvent) -> bytes:
        if self._plain:
            return self._line(event.type, self._whole(event.raw))
        type_, raw, obj = event.type, event.raw, None
        if self._selection:
            obj = self._storage.decode(self.type, event.raw)
            inside = event.type != "DELETED" and self._selection.matches(obj)
            before = event.previous is not None and self._selection.matches(
                self._storage.decode(self.type, event.previous)
            )
            if not inside and not before:
                return b""
            if before and not inside and event.type != "DELETED":
                type_, raw = "DELETED", self._with_version(event.previous or b"{}", event.version)
            elif inside and not before:
                type_ = "ADDED"
            elif inside:
                type_ = "MODIFIED"
        return self._line(type_, self._render(None, raw))

    def _with_version(self, raw: bytes, version: int) -> bytes:
        data = msgspec.json.decode(raw)
        data["metadata"]["resourceVersion"] = str(version)
        return json_bytes(data)

    # writing -------------------------------------------------------------------------------------------

    @staticmethod
    def _line(type_: str, obj: bytes) -> bytes:
        return b'{"type":"' + type_.encode() + b'","object":' + obj + b"}\n"

    def _whole(self, raw: bytes) -> bytes:
        """The object with kind and apiVersion in front, as the real server writes it."""
        return self._head + raw[1:] if self._head else raw

    def _render(self, obj: dict[str, Any] | None, raw: bytes) -> bytes:
        if self._form == "json":
            return self._whole(raw)
        obj = obj or self._storage.decode(self.type, raw)
        return json_bytes(self._table(obj) if self._form == "table" else partial_metadata(obj))

    def _table(self, obj: dict[str, Any]) -> dict[str, Any]:
        with_columns, self._sent_columns = not self._sent_columns, True
        version = obj["metadata"].get("resourceVersion", "")
        return render_table(self.type, [obj], "Metadata", resource_version=version, with_columns=with_columns,
                            printer_columns=self.type.printer_columns)  # fmt: skip

    def _bookmark(self, end: bool = False) -> bytes:
        version = self._version
        if not end:
            with self._storage.lock:  # an event may be between its commit and this watch
                if not self._events:
                    version = max(version, self._storage.current_version)
        obj = bookmark_object(self.type, version, end)
        if self._form == "json":
            return self._line("BOOKMARK", json_bytes(obj))
        return self._line("BOOKMARK", self._render(obj, b""))
