"""A proxy on loopback that can go half-open: it keeps its clients' connections, takes what they send, and
forwards nothing any more. New connections work."""

from __future__ import annotations

import contextlib
import socket
import threading


class HalfOpenProxy:
    """Forwards bytes from a free port to `port`. Use as a context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()  # guards the two that follow
        self._sockets: list[socket.socket] = []
        self._dead: set[int] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.refuses = False

    def __enter__(self) -> HalfOpenProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()

    def go_half_open(self) -> None:
        """What is connected now stays connected, and nothing comes through it any more."""
        with self._lock:
            self._dead.update(range(self.connections + 1))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuses:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._port))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                number = self.connections
                self._sockets += (client, server)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(number, source, target), daemon=True).start()

    def _forward(self, number: int, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    dead = number in self._dead
                if not dead:
                    target.sendall(data)
            if number not in self._dead:
                target.shutdown(socket.SHUT_WR)
