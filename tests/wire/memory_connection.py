"""Talks HTTP/1.1 to the embedded server's connection without a socket, in one loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import h11

from kdash.demo import ApiServer
from kdash.demo.http_loop import Connection


class _Wire:
    """What the server writes to; `peer` hears of it."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.news = asyncio.Event()
        self.closed = False
        self.transport = self

    def write(self, data: bytes) -> None:
        self.sent += data
        self.news.set()

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        self.closed = True
        self.news.set()

    def write_eof(self) -> None:
        self.news.set()

    def abort(self) -> None:
        self.close()

    def get_extra_info(self, name: str) -> None:
        return None


@dataclass
class Answer:
    """A response as it came."""

    status: int | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    headers_after: float = 0.0
    body: bytes = b""
    took: float = 0.0
    ended: str = ""
    """`end-of-body`, `eof-without-terminator` or `client-hangup`."""
    connection_closes: bool = False
    chunks: list[bytes] = field(default_factory=list)
    lines: list[tuple[float, str]] = field(default_factory=list)
    """Whole lines with the seconds since the headers."""


def request_bytes(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    whole = {"Host": "localhost", "User-Agent": "kdash-fixtures/1", **headers}
    if body or method in ("POST", "PUT", "PATCH"):
        whole["Content-Length"] = str(len(body))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in whole.items())
    return head.encode() + b"\r\n" + body


async def exchange(
    server: ApiServer, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"",
    hang_up_after: float | None = None, connections: list[Connection] | None = None,
) -> Answer:  # fmt: skip
    """Send one request on a connection of its own and read the whole answer."""
    loop = asyncio.get_running_loop()
    reader, wire = asyncio.StreamReader(), _Wire()
    reader.feed_data(request_bytes(method, target, headers or {}, body))
    connection = Connection(server, reader, wire)
    if connections is not None:
        connections.append(connection)
    serving = asyncio.ensure_future(connection.serve())
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target=target.encode(), headers=[("Host", "localhost")]))
    client.send(h11.EndOfMessage())
    answer, began, read = Answer(), loop.time(), 0
    try:
        while not answer.ended:
            wire.news.clear()
            if read == len(wire.sent) and wire.closed:
                answer.ended = "eof-without-terminator"
                break
            if read == len(wire.sent):
                limit = None if hang_up_after is None else max(began + hang_up_after - loop.time(), 0.0)
                try:
                    await asyncio.wait_for(wire.news.wait(), limit)
                except TimeoutError:
                    answer.ended = "client-hangup"
                    break
            data, read = bytes(wire.sent[read:]), len(wire.sent)
            if data:
                client.receive_data(data)
                _take(client, answer, loop.time(), began)
    finally:
        reader.feed_eof()
        await asyncio.wait({serving}, timeout=5.0)
        serving.cancel()
    answer.took = loop.time() - began
    answer.connection_closes = wire.closed and answer.headers.get("Connection") == "close"
    return answer


def _take(client: h11.Connection, answer: Answer, now: float, began: float) -> None:
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            return
        if isinstance(event, h11.Response):
            answer.status, answer.headers_after = event.status_code, now - began
            for name, value in event.headers.raw_items():
                text, name = value.decode(), name.decode()
                old = answer.headers.get(name)
                answer.headers[name] = text if old is None else [*(old if isinstance(old, list) else [old]), text]
        elif isinstance(event, h11.Data):
            if event.chunk_start or not answer.chunks:
                answer.chunks.append(b"")
            answer.chunks[-1] += event.data
            whole = answer.body[answer.body.rfind(b"\n") + 1 :] + bytes(event.data)
            for text in whole.split(b"\n")[:-1]:
                answer.lines.append((now - began - answer.headers_after, text.decode("utf-8", "replace")))
            answer.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            answer.ended = "end-of-body"
            return
        else:
            return
