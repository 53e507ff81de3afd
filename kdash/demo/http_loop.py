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
import zlib
from collections.abc import AsyncIterator, Callable
from http.client import responses
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import h11

from kdash.demo import status
from kdash.demo.api_call import SAY_TYPES
from kdash.demo.control import PREFIX
from kdash.demo.fault_menu import STREAM_FAULTS, Fault
from kdash.demo.http_types import Request, Response
from kdash.demo.local_only import FORM_TYPES, refusal_of
from kdash.demo.request_log import RequestRecord

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["Connection"]

_READ = 1 << 16
_BODY_LIMIT = 8 << 20
_GZIP_ABOVE = 128 * 1024
_LINGER_S = 1.0


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
        self._chunked = False
        self._write_log: Callable[[], None] = _nothing
        sock: socket.socket | None = writer.get_extra_info("socket")
        if sock is not None:
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
        try:
            refused = _refused(request)
            if refused is not None:
                await self._send(request, refused.response(), None)
            elif request.path.startswith(PREFIX):
                await self._send(request, await self._server.router.answer(request), None)
            else:
                await self._answer(request)
        finally:
            self._busy = False
        if self._h11.our_state is h11.MUST_CLOSE or self._h11.their_state is h11.MUST_CLOSE or self._server.stopping:
            return False
        try:
            self._h11.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        return True

    async def _answer(self, request: Request) -> None:
        """Answer a request, with the fault that strikes it, and write both to the log."""
        server = self._server
        began, wall, self._sent = time.monotonic(), server.now(), 0
        server.log.started()
        verb, resource = server.router.classify(request)
        fault = server.faults.strike(verb, resource, request)
        code = 0

        def write_log() -> None:
            self._write_log = _nothing
            path, _, query = request.raw_target.partition("?")
            duration_s = time.monotonic() - began
            server.log.add(
                RequestRecord(wall, verb, path, query, code, self._sent, duration_s, fault.kind if fault else "")
            )

        self._write_log = write_log
        try:
            if fault is not None:
                await self._before_answer(fault)
            response = server.faults.answer(fault, request, verb) if fault is not None else None
            if response is None:
                response = await server.router.answer(request)
            code = response.status
            await self._send(request, response, fault)
        finally:
            self._write_log()

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
                if event.http_version not in (b"1.1", b"1.0"):
                    raise h11.RemoteProtocolError("its version is neither 1.1 nor 1.0")
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
        code = error.error_status_hint if error.error_status_hint in (413, 414, 431) else 400
        reason = "RequestEntityTooLarge" if code == 413 else "BadRequest"
        answer = status.ApiError(status.failure(code, f"the request is no HTTP/1.1 request: {error}", reason))
        await self._send(Request("GET", "/"), answer.response(), None)
        with contextlib.suppress(OSError, TimeoutError):  # a close with unread bytes would reset the answer away
            self._writer.write_eof()
            await asyncio.wait_for(self._until_gone(), _LINGER_S)

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
        if fault.kind in ("stall-headers", "slow-pages"):
            await asyncio.sleep(fault.delay_s)

    async def _until_gone(self) -> None:
        while await self._reader.read(_READ):
            pass

    async def _send(self, request: Request, response: Response, fault: Fault | None) -> None:
        headers = {"Cache-Control": "no-cache, private", **response.headers}
        body, stream = response.body, response.stream
        garbage = fault is not None and fault.kind == "garbage-line"  # changes the length, and is a line of the text
        gzips = not garbage and "gzip" in request.headers.get("accept-encoding", "")
        if gzips and max(len(body), response.size) > _GZIP_ABOVE:
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            if stream is None:
                body = await asyncio.to_thread(gzip.compress, body, 1)
            else:
                stream = _compressed(stream)
        if stream is None and not garbage and (response.status == 304 or len(body) <= self._server.chunk_above):
            headers["Content-Length"] = str(len(body))
            self._chunked = False
        else:
            self._chunked = True
            headers["Transfer-Encoding"] = "chunked"
        fields = [(name, value) for name, value in headers.items() if value]
        fields += [("Warning", f'299 - "{_header_text(text)}"') for text in response.warnings]
        fields.append(("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self._server.now()))))
        fields.append(("Audit-Id", self._server.next_audit_id()))
        if self._server.stopping and "Connection" not in headers:
            fields.append(("Connection", "close"))
        start = h11.Response(status_code=response.status, headers=fields, reason=_phrase(response.status))
        head = self._h11.send(start) or b""
        if stream is None and (not body or response.status == 304 or request.method == "HEAD"):
            body = b""
        if stream is None and (fault is None or fault.kind not in STREAM_FAULTS):
            data = (self._h11.send(h11.Data(data=body)) or b"") if body else b""
            self._sent = len(body)
            self._write_log()
            self._writer.write(head + data + (self._h11.send(h11.EndOfMessage()) or b""))
        else:
            self._writer.write(head)
            if stream is not None:
                await self._send_stream(stream, fault)
            else:
                await self._write(body, fault)
            self._write_log()
            self._writer.write(self._h11.send(h11.EndOfMessage()) or b"")
        await self._writer.drain()

    async def _send_stream(self, stream: AsyncIterator[bytes], fault: Fault | None) -> None:
        """Send a stream's pieces until its end, or until the client leaves."""
        heard = asyncio.ensure_future(self._reader.read(_READ))
        piece: asyncio.Future[bytes | None] | None = None
        try:
            while True:
                piece = asyncio.ensure_future(anext(stream, None))
                while not piece.done():
                    await asyncio.wait({heard, piece}, return_when=asyncio.FIRST_COMPLETED)
                    if not heard.done():
                        continue
                    early = heard.result()
                    if not early:
                        raise _Broken
                    self._h11.receive_data(early)  # the client has sent its next request already
                    heard = asyncio.ensure_future(self._reader.read(_READ))
                data = piece.result()
                if data is None:
                    return
                await self._write(data, fault)
        finally:
            tasks: list[asyncio.Future[Any]] = [heard] if piece is None else [heard, piece]
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError, StopAsyncIteration):
                    await task
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
            letters = [piece[at : at + 1] for at in range(len(piece) - 1)]
            if self._chunked:  # framed here: the parser would be too slow for a busy watch
                sent = [b"1\r\n" + letter + b"\r\n" for letter in letters]
            else:
                sent = [self._h11.send(h11.Data(data=letter)) or b"" for letter in letters]
            for at in range(0, len(sent), 64):
                self._writer.write(b"".join(sent[at : at + 64]))
                await self._writer.drain()
            self._sent += len(sent)
            return piece[-1:]
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_s / 10)
        return piece


def _nothing() -> None:
    """No request is being answered: nothing is to be logged."""


def _refused(request: Request) -> status.ApiError | None:
    """What is said to web pages, before anything else is looked at."""
    headers, target = request.headers, urlsplit(request.raw_target)
    for host in (headers.get("host", ""), *([target.netloc] if target.scheme else [])):
        why = refusal_of(request.method, host, headers.get("origin"), headers.get("sec-fetch-site"))
        if why:
            return status.ApiError(status.failure(403, why, "Forbidden", {}))
    if request.method in ("POST", "PUT", "DELETE") and request.content_type in FORM_TYPES:
        return status.ApiError(status.failure(415, f"{SAY_TYPES}, application/vnd.kubernetes.protobuf",
                                              "UnsupportedMediaType"))  # fmt: skip
    return None


def _phrase(code: int) -> bytes:
    return responses.get(code, "").encode()


async def _compressed(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream as gzip, compressed in a worker thread."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    async for piece in stream:
        packed = await asyncio.to_thread(packer.compress, piece)
        if packed:
            yield packed
    yield packer.flush()


def _header_text(text: str) -> str:
    """What a quoted string of a header may hold."""
    safe = "".join(letter if letter.isprintable() else " " for letter in text)
    return safe.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')


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
