"""WATCH: where it starts, what it sends, and how it ends (wire facts 42 to 77).

Contract: one `Watch` per open stream. The storage calls `_note` in whatever thread commits; that only appends and
wakes the loop. The stream then writes whatever has gathered as one piece: a burst of events shares a chunk. A plain
watch never decodes an object. A client that does not read is dropped once `server.watch_backlog` events wait: it gets
those and a clean end. Watches end cleanly when the server stops, and a second after their resource is served no more.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from kdash.demo import status
from kdash.demo.empty_objects import bookmark_object
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.list_handler import wait_for_version
from kdash.demo.list_options import ListParameters, parse_watch
from kdash.demo.negotiation import Form, check_include_object, form_of
from kdash.demo.resources import ResourceType
from kdash.demo.selectors import Selection, parse_selection
from kdash.demo.storage import Expired, StoredEvent
from kdash.demo.watch_lines import LineWriter, line

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["Watch", "handle_watch"]

_BEFORE_DEADLINE_S = 2.0
_INITIAL_SLICE = 200
_BURST = 512


async def handle_watch(request: Request, server: ApiServer, resource_type: ResourceType, namespace: str) -> Response:
    """Open a watch. Raises `ApiError` for what is refused before the headers."""
    form = form_of(request, watching=True)
    include = check_include_object(request) if form == "table" else ""
    parameters = parse_watch(request, watch_list=server.watch_list)
    selection = parse_selection(request.param("labelSelector"), request.param("fieldSelector"), resource_type)
    headers = {"Content-Type": "application/json"}
    if form == "partial list":  # no event fits into a list: the stream ends at once (wire fact 81)
        return Response(200, headers=headers, stream=_nothing())
    watch = Watch(server, resource_type, namespace, form, parameters, selection, include)
    await watch.open()
    return Response(200, headers=headers, stream=watch.pieces())


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


class Watch:
    """One open watch."""

    def __init__(
        self, server: ApiServer, resource_type: ResourceType, namespace: str, form: Form, parameters: ListParameters,
        selection: Selection, include: str = "",
    ) -> None:  # fmt: skip
        self._server = server
        self._storage = server.storage
        self.type = resource_type
        self._prefix = f"{namespace}/" if namespace else ""
        self._parameters = parameters
        self._selection = selection
        self._lines = LineWriter(resource_type, form, selection, include, server.now)
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._events: deque[StoredEvent] = deque()
        self._woken = False
        self._ending = False
        self._dropped = False
        self._end_planned = False
        self._jump_s = 0.0
        self._deadline = 0.0
        self._injected: deque[bytes] = deque()
        self._started_at = 0  # the version that it started from
        self._version = 0  # the newest version that it has sent
        self._error: dict[str, Any] | None = None
        self._initial: list[bytes] = []
        self._end_marked = False

    # opening -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Find the starting point and subscribe. Raises `ApiError`."""
        parameters, storage, server = self._parameters, self._storage, self._server
        initial, asked = parameters.initial_events, parameters.version
        legacy = initial is None and not asked
        if initial is None:
            initial = legacy
        elif asked:
            try:
                await wait_for_version(storage, asked)
            except status.ApiError as error:
                self._error = error.status
                return
        resource = self.type.qualified
        with storage.lock:
            if asked is None:
                storage.note_progress()
            if initial:
                stored, self._version = storage.list_stored(resource, self._prefix.rstrip("/"))
                self._initial = [each.raw for each in stored]
                self._end_marked = parameters.bookmarks and server.watch_list
            else:
                self._version = asked or storage.current_version
            self._started_at = self._version
            try:
                self._events.extend(storage.subscribe(resource, self._version, self._note))
            except Expired as expired:
                self._error = status.too_old_for_watch(self._version, expired.oldest)
        self._deadline = self._now() + (parameters.timeout_s or random.uniform(1800, 3600))
        server.watches.add(self)

    def _note(self, event: StoredEvent) -> None:
        """From the storage, in any thread, under its lock."""
        if self._dropped:
            return
        events = self._events
        events.append(event)
        if len(events) > self._server.watch_backlog:
            self._dropped = True
        if not self._woken:
            self._woken = True
            self._call_loop(self._wake.set)

    def _call_loop(self, callback: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback)

    @property
    def waiting(self) -> int:
        """How many events it has yet to write."""
        return len(self._events)

    def inject(self, piece: bytes) -> None:
        """Send a piece as it is (faults). Any thread."""
        self._injected.append(piece)
        self._call_loop(self._wake.set)

    def end(self, delay_s: float = 0.0) -> None:
        """End the stream cleanly, after a while, once what has gathered is sent; an end that was planned for later
        stays. Any thread."""

        def now() -> None:
            self._ending = True
            self._wake.set()

        if self._end_planned:
            return
        if not delay_s:
            self._ending = True
            self._call_loop(self._wake.set)
        elif not self._loop.is_closed():
            self._end_planned = True
            self._loop.call_soon_threadsafe(self._loop.call_later, delay_s, now)

    def jump(self, seconds: float) -> None:
        """Let its bookmarks and its time-out come earlier: the server's clock has jumped. Any thread."""
        self._jump_s += seconds
        self._call_loop(self._wake.set)

    # the stream ----------------------------------------------------------------------------------------

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, piece by piece; the first, empty one sends the headers."""
        try:
            yield b""
            if self._error is not None:
                yield line("ERROR", json_bytes(self._error))
                return
            raws, self._initial = self._initial, []
            for at in range(0, len(raws), _INITIAL_SLICE):
                yield b"".join([self._lines.initial(raw) for raw in raws[at : at + _INITIAL_SLICE]])
                await asyncio.sleep(0)
            if self._end_marked:
                yield self._lines.bookmark(bookmark_object(self.type, self._version, True))
            async for piece in self._live_pieces():
                yield piece
        finally:
            self._storage.unsubscribe(self.type.qualified, self._note)
            self._server.watches.discard(self)

    def _now(self) -> float:
        return self._loop.time() + self._jump_s

    async def _live_pieces(self) -> AsyncIterator[bytes]:
        deadline = self._deadline
        bookmark_at = self._next_bookmark(deadline)
        while True:
            self._woken = False
            self._wake.clear()
            piece = self._gathered()
            if piece is not None:
                if piece:
                    yield piece
                continue
            if self._ending or self._dropped or self._now() >= deadline:
                return
            if bookmark_at is not None and self._now() >= bookmark_at:
                piece = self._bookmark()
                if piece:
                    yield piece
                bookmark_at = self._next_bookmark(deadline)
            until = min(deadline, bookmark_at) if bookmark_at is not None else deadline
            try:
                await asyncio.wait_for(self._wake.wait(), max(until - self._now(), 0.0))
            except TimeoutError:
                continue

    def _next_bookmark(self, deadline: float) -> float | None:
        """Every interval, and two seconds before the end."""
        if not self._parameters.bookmarks:
            return None
        now = self._now()
        last = deadline - _BEFORE_DEADLINE_S
        following = now + self._server.bookmark_interval_s
        if following < last:
            return following
        return last if last > now else None

    def _bookmark(self) -> bytes:
        """A bookmark with the newest version that is known; nothing if that is the one it started from."""
        storage = self._storage
        with storage.lock:  # an event may be between its commit and this watch
            if self._events:
                known = self._version
            else:
                if self._server.progress_notify:
                    storage.note_progress()
                known = max(storage.progress(self.type.qualified), self._version)
        if known <= self._started_at:
            return b""
        self._version = known
        return self._lines.bookmark(bookmark_object(self.type, known, False))

    def _gathered(self) -> bytes | None:
        """The lines of the next few hundred events that wait; None when none do."""
        events = self._events
        if not events and not self._injected:
            return None
        lines: list[bytes] = []
        while self._injected:
            lines.append(self._injected.popleft())
        started_at, prefix, write = self._started_at, self._prefix, self._lines.event
        for _ in range(min(len(events), _BURST)):
            event = events.popleft()
            if event.version <= started_at or not event.key.startswith(prefix):
                continue
            self._version = max(self._version, event.version)
            lines.append(write(event))
        return b"".join(lines)
