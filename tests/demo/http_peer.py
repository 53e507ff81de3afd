"""A small HTTP client that shows what a server really sends: heads, chunks, ends and resets."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kdash.demo import ApiServer


class Reply:
    """A whole answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Peer:
    """One keep-alive connection."""

    def __init__(self, server: ApiServer, timeout_s: float = 20.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout_s)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
        if raw is not None and "Content-Type" not in named:
            named["Content-Type"] = "application/json"
        self._connection.request(method, path, raw, named)
        return Reply(self._connection.getresponse())

    def get(self, path: str, **headers: str) -> Reply:
        return self("GET", path, **headers)

    def stream(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """An answer whose body is still to be read."""
        self._connection.request("GET", path, None, {name.replace("_", "-"): text for name, text in headers.items()})
        return self._connection.getresponse()

    def local_port(self) -> int:
        return int(self._connection.sock.getsockname()[1])

    def close(self) -> None:
        self._connection.close()


@contextmanager
def served(**options: Any) -> Iterator[tuple[ApiServer, Peer]]:
    """A server without a workload, with the namespace default, and a connection to it."""
    with ApiServer(workload=False, **options) as server:
        peer = Peer(server)
        try:
            yield server, peer
        finally:
            peer.close()


def add(server: ApiServer, name: str, resource: str = "configmaps", **more: Any) -> dict[str, Any]:
    """Create an object in the namespace default."""
    return server.storage.create(resource, {"metadata": {"name": name, "namespace": "default"}, **more})


def change(server: ApiServer, name: str, value: str, resource: str = "configmaps") -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return server.storage.update(resource, {"metadata": meta, "data": {"v": value}})


def raw_socket(server: ApiServer, text: bytes, receive_buffer: int | None = None) -> socket.socket:
    """A connection that has sent `text`."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(20.0)
    sock.connect(("127.0.0.1", server.port))
    sock.sendall(text)
    return sock


def read_all(sock: socket.socket) -> bytes:
    """Everything until the peer ends the connection."""
    out = bytearray()
    while data := sock.recv(1 << 16):
        out += data
    return bytes(out)
