"""Connections that another thread can end in every phase: connecting, TLS, waiting for headers, reading.

Contract: a request runs inside `interruptible(interrupt)`; any thread may call `interrupt.interrupt()`, once
or often, and the blocked call of the request's thread fails within 50 ms (name resolution excepted: the
system's resolver cannot be interrupted). After `interrupt.detach()` the connection belongs to the pool again
and is safe.

How: every connection keeps a *lifeline*, a duplicate of its socket's descriptor made before the connect.
Shutting the lifeline down ends the connection itself, and it stays valid when TLS takes the socket object
over.
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - sockets encode host names with it: not imported by many threads at once
import errno
import os
import select
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.response import HTTPResponse

__all__ = ["Interrupt", "interruptible", "keep_alive_options", "make_cancellable", "new_pool"]

_CONNECT_SLICE_S = 0.05
POOL_SIZE = 16


class Lifeline:
    """A second descriptor of a connection's socket; closed when nobody holds it any more."""

    def __init__(self, sock: socket.socket) -> None:
        self._twin = socket.socket(sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno()))

    def cut(self) -> None:
        with contextlib.suppress(OSError):  # not connected yet, or closed already
            self._twin.shutdown(socket.SHUT_RDWR)

    def __del__(self) -> None:
        self._twin.close()


class Interrupt:
    """The handle by which another thread ends one request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _lifeline and interrupted
        self._lifeline: Lifeline | None = None
        self.interrupted = False
        self.reused = False
        """The request went out on a connection that had served another one before."""
        self.sock: socket.socket | None = None
        """The socket that carries the answer, for its time-out."""

    def attach(self, lifeline: Lifeline) -> None:
        with self._lock:
            self._lifeline = lifeline
            if self.interrupted:
                lifeline.cut()

    def detach(self) -> None:
        """Let go of the connection: it is closed or back in the pool."""
        with self._lock:
            self._lifeline = None
            self.sock = None

    def interrupt(self) -> None:
        """End the request. Any thread."""
        with self._lock:
            self.interrupted = True
            if self._lifeline is not None:
                self._lifeline.cut()


_current = threading.local()


@contextlib.contextmanager
def interruptible(interrupt: Interrupt) -> Iterator[None]:
    """Requests that this thread starts inside belong to `interrupt`."""
    previous = getattr(_current, "interrupt", None)
    _current.interrupt = interrupt
    try:
        yield
    finally:
        _current.interrupt = previous


def _connect(sock: socket.socket, address: Any, timeout_s: float | None, interrupt: Interrupt | None) -> None:
    """Connect in slices, so that an interrupt is noticed on every platform."""
    sock.setblocking(False)
    error = sock.connect_ex(address)
    if error not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR):
        raise OSError(error, os.strerror(error))
    left = timeout_s if timeout_s is not None else float("inf")
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while error and not poll.poll(_CONNECT_SLICE_S * 1000):
        left -= _CONNECT_SLICE_S
        if interrupt is not None and interrupt.interrupted:
            raise InterruptedError("the request was given up while connecting")
        if left <= 0:
            raise TimeoutError("timed out")
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if error else 0
    if error:
        raise OSError(error, os.strerror(error))
    if interrupt is not None and interrupt.interrupted:
        raise InterruptedError("the request was given up while connecting")
    sock.settimeout(timeout_s)


class _Cancellable(HTTPConnection):
    """The part that plain and TLS connections share."""

    lifeline: Lifeline | None = None

    def _new_conn(self) -> socket.socket:
        interrupt: Interrupt | None = getattr(_current, "interrupt", None)
        timeout_s = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            return self._open(interrupt, timeout_s)
        except socket.gaierror as e:
            raise NameResolutionError(self.host, self, e) from e
        except TimeoutError as e:
            raise ConnectTimeoutError(self, f"no connection to {self.host} within {timeout_s} s") from e
        except OSError as e:
            raise NewConnectionError(self, f"Failed to establish a new connection: {e}") from e

    def _open(self, interrupt: Interrupt | None, timeout_s: float | None) -> socket.socket:
        host = self._dns_host.strip("[]")
        last: OSError = OSError("the name has no address")
        for family, kind, proto, _, address in socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM):
            sock = socket.socket(family, kind, proto)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                self.lifeline = Lifeline(sock)
                if interrupt is not None:
                    interrupt.reused = False
                    interrupt.attach(self.lifeline)
                _connect(sock, address, timeout_s, interrupt)
            except OSError as e:
                last = e
                self.lifeline = None
                sock.close()
                if isinstance(e, InterruptedError):
                    break
            else:
                return sock
        raise last

    def request(self, *args: Any, **kwargs: Any) -> None:
        interrupt: Interrupt | None = getattr(_current, "interrupt", None)
        if interrupt is not None and self.sock is not None and self.lifeline is not None:
            interrupt.reused = self._served
            interrupt.attach(self.lifeline)
        super().request(*args, **kwargs)

    _served = False

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        interrupt: Interrupt | None = getattr(_current, "interrupt", None)
        if interrupt is not None:
            interrupt.sock = self.sock
        response = super().getresponse()
        self._served = True
        return response

    def close(self) -> None:
        super().close()
        self.lifeline = None
        self._served = False


class _PlainConnection(_Cancellable):
    pass


class _TLSConnection(_Cancellable, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def make_cancellable(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """Give the manager's pools connections that an `Interrupt` can end (SOCKS proxies keep their own)."""
    if manager.pool_classes_by_scheme.get("https") is HTTPSConnectionPool:
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TLSPool}
    return manager


def keep_alive_options() -> Sequence[tuple[int, int, int]]:
    """No delay, and TCP keep-alive that finds a dead peer in about a minute (users_09)."""
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    idle = "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE"
    for name, value in ((idle, 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


def new_pool() -> urllib3.PoolManager:
    """A pool for a server without TLS settings or proxies of its own."""
    return make_cancellable(
        urllib3.PoolManager(
            num_pools=2, maxsize=POOL_SIZE, socket_options=keep_alive_options(), retries=False
        )
    )
