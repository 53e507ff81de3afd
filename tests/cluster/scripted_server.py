"""A server on 127.0.0.1 that does byte for byte what a test scripts: one script a request, in order."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable


class Exchange:
    """One request as the server saw it, and the ways to answer it."""

    def __init__(self, sock: socket.socket, head: bytes, connection: int) -> None:
        self.sock = sock
        self.connection = connection
        """Counts the server's connections from 1: equal numbers mean a reused connection."""
        request_line, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = request_line.split(" ", 2)
        self.header_lines = [tuple(line.split(": ", 1)) for line in lines if line]
        self.headers = {name.lower(): value for name, value in self.header_lines}
        self.closed = False

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.sock.sendall(piece)

    def answer(
        self,
        body: bytes | str,
        code: int = 200,
        *,
        content_type: str = "application/json",
        headers: Iterable[str] = (),
    ) -> None:
        """A whole answer with its length."""
        body = body.encode() if isinstance(body, str) else body
        head = [
            f"HTTP/1.1 {code} Said",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            *headers,
        ]
        self.send("\r\n".join([*head, "", ""]).encode() + body)

    def start_chunked(self, content_type: str = "application/json") -> None:
        self.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )

    def start_unframed(self) -> None:
        self.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")

    def chunk(self, data: bytes | str) -> None:
        data = data.encode() if isinstance(data, str) else data
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def last_chunk(self) -> None:
        self.send(b"0\r\n\r\n")

    def close(self) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def reset(self) -> None:
        self.closed = True
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_hang_up(self, timeout_s: float = 20.0) -> bool:
        """Block until the client closes; False when it never does."""
        self.sock.settimeout(timeout_s)
        try:
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


Script = Callable[[Exchange], None]


class ScriptedServer:
    """Use as a context manager. The last script serves all further requests."""

    def __init__(
        self, *scripts: Script, wrap: Callable[[socket.socket], socket.socket] | None = None
    ) -> None:
        self.scripts = list(scripts)
        self.exchanges: list[Exchange] = []
        self._wrap = wrap or (lambda sock: sock)
        self._lock = threading.Lock()  # guards exchanges and connections
        self._connections = 0
        self._sockets: list[socket.socket] = []
        self._arrived = threading.Condition(self._lock)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> ScriptedServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def wait_for_requests(self, count: int, timeout_s: float = 20.0) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.exchanges) >= count, timeout_s), (
                "no such request came"
            )

    @property
    def targets(self) -> list[str]:
        return [exchange.target for exchange in self.exchanges]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(sock)
            self._connections += 1
            threading.Thread(target=self._serve, args=(sock, self._connections), daemon=True).start()

    def _serve(self, sock: socket.socket, connection: int) -> None:
        with contextlib.suppress(OSError):
            sock = self._wrap(sock)
            self._sockets.append(sock)
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = sock.recv(65536)
                    if not data:
                        return
                    head += data
                exchange = Exchange(sock, head.split(b"\r\n\r\n", 1)[0], connection)
                with self._arrived:
                    self.exchanges.append(exchange)
                    script = self.scripts[min(len(self.exchanges), len(self.scripts)) - 1]
                    self._arrived.notify_all()
                script(exchange)
                if exchange.closed:
                    return
