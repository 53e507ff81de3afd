"""One HTTP/1.1 connection: h11 for the protocol, asyncio streams for the bytes, and the faults that break both.

Contract: `serve_connection` runs until the peer or the server ends the connection. A body that is known is sent with
Content-Length, a stream in chunks whose borders have nothing to do with its lines. Headers of a stream go out at
once. While a stream is written the reading side is watched, so that a client that leaves is noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import h11

from kdash.demo.faults import Fault
from kdash.demo.http_types import Request, Response
from kdash.demo.request_log import RequestRecord

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["Connection"]

_READ = 1 << 16
_BODY_LIMIT = 8 << 20
_GZIP_ABOVE = 128 * 1024


class _Broken(Exception):
    """A fault has broken the connection on purpose."""


class Connection:
    """One accepted connection."""

    def __init__(self, server: ApiServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=64 * 1024)
        self._sent = 0
        self._busy = False
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def serve(self) -> None:
        """Answer requests until the connection ends."""
        try:
            while await self._serve_one():
                pass
        except (ConnectionError, _Broken, asyncio.IncompleteReadError):
            pass
        finally:
            with contextlib.suppress(Exception):
                self._writer.close()

    def reset(self) -> None:
        """End it with a TCP reset. Only from the server's loop."""
        sock: socket.socket | None = self._writer.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close_when_idle(self) -> None:
        """Close it unless a request is being answered. Only from the server's loop."""
        if not self._busy:
            self._writer.close()

    # requests ------------------------------------------------------------------------------------------

    async def _serve_one(self) -> bool:
        """One exchange; False when the connection is over."""
        try:
            request = await self._read_request()
        except h11.RemoteProtocolError as error:
            await self._send_bad_request(error)
            return False
        if request is None:
            return False
        self._busy = True
        began, self._sent = time.monotonic(), 0
        wall = time.time()
        server = self._server
        server.log.started()
        verb, resource = server.router.classify(request)
        fault = server.faults.strike(verb, resource)
        code = 0
        try:
            if fault is not None:
                await self._before_answer(fault)
            response = server.faults.answer(fault, request, verb) if fault is not None else None
            if response is None:
                response = await server.router.answer(request)
            code = response.status
            await self._send(request, response, fault)
        finally:
            parts = urlsplit(request.raw_target)
            server.log.add(RequestRecord(wall, verb, parts.path, parts.query, code, self._sent, time.monotonic() - began,
                                         fault.kind if fault else ""))  # fmt: skip
            self._busy = False
        if self._h11.our_state is h11.MUST_CLOSE or self._h11.their_state is h11.MUST_CLOSE or server.stopping:
            return False
        try:
            self._h11.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        return True

    async def _read_request(self) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                if self._h11.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                    self._writer.write(self._h11.send(go_on) or b"")
                self._h11.receive_data(await self._reader.read(_READ))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _BODY_LIMIT:
                    raise h11.RemoteProtocolError("the body is larger than 8 MiB", 413)
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return _request_of(head, bytes(body))
            else:
                return None

    async def _send_bad_request(self, error: h11.RemoteProtocolError) -> None:
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        answer = Response.text(f"400 Bad Request: {error}", error.error_status_hint or 400)
        await self._send(Request("GET", "/"), answer, None)

    # answers -------------------------------------------------------------------------------------------

    async def _before_answer(self, fault: Fault) -> None:
        """Faults that strike before a byte is sent."""
        if fault.kind == "reset":
            self.reset()
            raise _Broken
        if fault.kind == "close":
            raise _Broken
        if fault.kind == "half-open":
            await self._until_gone()
            raise _Broken
        if fault.kind == "stall-headers":
            await asyncio.sleep(fault.delay_s)

    async def _until_gone(self) -> None:
        while await self._reader.read(_READ):
            pass

    async def _send(self, request: Request, response: Response, fault: Fault | None) -> None:
        headers = {"Cache-Control": "no-cache, private", **response.headers}
        body = response.body
        if response.stream is None and "gzip" in request.headers.get("accept-encoding", "") and len(body) > _GZIP_ABOVE:
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        whole = response.stream is None and (response.status == 304 or len(body) <= self._server.chunk_above)
        if whole:
            headers["Content-Length"] = str(len(body))
        else:
            headers["Transfer-Encoding"] = "chunked"
        fields = [(name, value) for name, value in headers.items()]
        fields += [("Warning", f'299 - "{text}"') for text in response.warnings]
        fields.append(("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())))
        fields.append(("Audit-Id", self._server.next_audit_id()))
        if self._server.stopping:
            fields.append(("Connection", "close"))
        head = h11.Response(status_code=response.status, headers=fields)
        self._writer.write(self._h11.send(head) or b"")
        if response.stream is None:
            if body and response.status != 304 and request.method != "HEAD":
                await self._write(body, fault)
        else:
            await self._send_stream(response, fault)
        if response.cut:
            raise _Broken
        self._writer.write(self._h11.send(h11.EndOfMessage()) or b"")
        await self._writer.drain()

    async def _send_stream(self, response: Response, fault: Fault | None) -> None:
        stream = response.stream
        assert stream is not None
        gone = asyncio.ensure_future(self._reader.read(1))
        pieces = aiter(stream)
        try:
            while True:
                following = asyncio.ensure_future(anext(pieces, None))
                await asyncio.wait({gone, following}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done() and not following.done():
                    following.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await following
                    raise _Broken
                piece = following.result()
                if piece is None:
                    return
                await self._write(piece, fault)
        finally:
            gone.cancel()
            with contextlib.suppress(BaseException):
                await gone
            closing = getattr(stream, "aclose", None)
            if closing is not None:
                await closing()

    async def _write(self, piece: bytes, fault: Fault | None) -> None:
        """Send a part of the body, or what a fault makes of it."""
        if fault is not None and piece:
            piece = await self._spoil(piece, fault)
        if piece:
            self._sent += len(piece)
            self._writer.write(self._h11.send(h11.Data(data=piece)) or b"")
        await self._writer.drain()

    async def _spoil(self, piece: bytes, fault: Fault) -> bytes:
        if fault.kind == "cut-mid-line":
            half = piece[: max(1, len(piece) // 2)]
            self._writer.write(self._h11.send(h11.Data(data=half)) or b"")
            await self._writer.drain()
            raise _Broken
        if fault.kind == "garbage-line":
            return piece + b'{"type":"ADDED","object":{"kind"\n'
        if fault.kind == "split-bytes":
            for at in range(len(piece) - 1):
                self._writer.write(self._h11.send(h11.Data(data=piece[at : at + 1])) or b"")
                if at % 64 == 63:
                    await self._writer.drain()
            return piece[-1:]
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_s / 10)
        return piece


def _request_of(head: h11.Request, body: bytes) -> Request:
    target = head.target.decode("latin-1")
    parts = urlsplit(target)
    headers: dict[str, str] = {}
    for name, value in head.headers:
        text = value.decode("latin-1")
        key = name.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    query = parse_qs(parts.query, keep_blank_values=True)
    return Request(head.method.decode(), unquote(parts.path), query, headers, body, target)


