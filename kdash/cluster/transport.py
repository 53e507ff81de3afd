"""One GET to an API server: headers out, answer in, each step told to the tap.

Contract:
- GET only. Every request has a connect and a read time-out; a cancelled token ends it at once in every phase.
- What comes out is an `Answer` (any status) or one of the core's `TransportError`s; `StopRequested` when
  cancelled.
- No retries here, save one a user cannot see: a kept-alive connection that the server closed meanwhile is
  replaced, as Go's transport does. client-go's retries are in `rest_retry`.
- No thread is started, nothing is printed, and no credential reaches the tap or an error's text.
Thread-safe; an `Answer` belongs to one reader, but `Answer.cancel` may be called from any thread.
"""

from __future__ import annotations

import itertools
import platform
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import urllib3

import kdash
from kdash.cluster.connection import Interrupt, interruptible
from kdash.cluster.failures import error_from_answer, outcome_of, retry_after_s, transport_error, without_userinfo
from kdash.cluster.framing import ChunkedBody, CountedBody, Framing, GzipBody, UntilCloseBody
from kdash.informer.clock import Clock, SystemClock
from kdash.informer.errors import (
    ApiStatusError,
    ConnectionReset,
    DecodeError,
    InformerError,
    StopRequested,
    TransportError,
    UnexpectedEOF,
)
from kdash.informer.limits import LARGEST_DOCUMENT, LARGEST_ERROR_BODY
from kdash.informer.list_watch import CancelToken
from kdash.informer.tap import Tap

__all__ = ["Answer", "Credentials", "NoCredentials", "Request", "Timeouts", "Transport", "user_agent"]

READ_SIZE = 128 * 1024
COMPRESSED_READ_SIZE = 16 * 1024  # gzip makes a thousand times as much of it at most
_request_numbers = itertools.count(1)


def user_agent() -> str:
    return f"kdash/{kdash.__version__} ({platform.system().lower()}/{platform.machine()})"


class Credentials(Protocol):
    """Who kdash is to the server. Thread-safe."""

    def headers(self, cancel: CancelToken) -> Sequence[tuple[str, str]]:
        """Fresh headers for one request. Raises `CredentialError`, or `StopRequested` when cancelled."""

    def pool(self) -> urllib3.PoolManager:
        """The pool that holds the right client certificate; asked after `headers`."""

    def rejected(self) -> None:
        """The server answered 401: cached credentials are worth nothing."""


class NoCredentials:
    """Anonymous, for demo and test servers."""

    def __init__(self, pool: urllib3.PoolManager) -> None:
        self._pool = pool

    def headers(self, cancel: CancelToken) -> Sequence[tuple[str, str]]:
        return ()

    def pool(self) -> urllib3.PoolManager:
        return self._pool

    def rejected(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `read_s` is the longest silence allowed before and within an answer that is no stream.

    An API server gives up on a request after 60 s by itself, so `read_s` leaves it the time to say so.
    """

    connect_s: float = 10.0
    read_s: float = 75.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to GET. `purpose` is list, watch, watch-list, discovery or version; `informer` labels tap
    records.
    """

    path: str
    query: Sequence[tuple[str, str]] = ()
    accept: str = "application/json"
    purpose: str = "list"
    informer: str = ""
    compress: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


class _Log:
    """The `api.*` records of one request; the last one is written once."""

    def __init__(self, tap: Tap | None, clock: Clock, request: Request, attempt: int) -> None:
        self.number = next(_request_numbers)
        self.bytes = 0
        self.code = 0
        self.last_byte_at = clock.monotonic()
        self._tap, self._clock, self._informer = tap, clock, request.informer
        self._started_at = clock.monotonic()
        self._once = threading.Lock()  # taken by whoever writes api.end, and never released
        if tap is not None:
            tap.emit(
                "api.start", request.informer, self.number, "GET", request.target, request.purpose, attempt
            )

    def headers(self, code: int, retry_after_s: int | None) -> None:
        self.code = code
        if self._tap is not None:
            latency_s = self._clock.monotonic() - self._started_at
            self._tap.emit("api.headers", self._informer, self.number, code, latency_s, retry_after_s)

    def received(self, count: int) -> None:
        self.bytes += count
        self.last_byte_at = self._clock.monotonic()
        if self._tap is not None:
            self._tap.emit("api.bytes", self._informer, self.number, count)

    def end(self, outcome: str, error: str = "") -> None:
        if self._once.acquire(blocking=False) and self._tap is not None:
            duration_s = self._clock.monotonic() - self._started_at
            self._tap.emit(
                "api.end", self._informer, self.number, outcome, self.code, self.bytes, duration_s, error
            )


class Answer:
    """Status and headers of a response, and the way to its body. `close` it, or read it to its end."""

    def __init__(self, response: urllib3.BaseHTTPResponse, interrupt: Interrupt, log: _Log, url: str) -> None:
        self.code = response.status
        self.headers = response.headers
        self.content_type = response.headers.get("Content-Type", "")
        self.cancelled = False
        self._response, self._interrupt, self._log, self._url = response, interrupt, log, url
        self._source = response._fp  # type: ignore[attr-defined]  # http.client's response, below urllib3's decoding
        self._read_size = READ_SIZE
        self._framing = self._choose_framing()
        self._lock = threading.Lock()  # guards _closed
        self._closed = False
        self._forget: Callable[[], None] = lambda: None

    def _choose_framing(self) -> Framing:
        framing: Framing
        if self._source.fp is None or self.code in (204, 304):
            return CountedBody(0)
        if self._source.chunked:
            framing = ChunkedBody()
        elif self._source.length is not None:
            framing = CountedBody(self._source.length)
        else:
            framing = UntilCloseBody()
        encoding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding == "gzip":
            self._read_size = COMPRESSED_READ_SIZE
            return GzipBody(framing)
        if encoding not in ("identity", ""):
            raise DecodeError(
                f"the server's answer is compressed as {encoding[:40]!r}, which kdash did not ask for"
            )
        return framing

    @property
    def last_byte_at(self) -> float:
        """Monotonic instant of the body's last byte; before the first one, that of the request."""
        return self._log.last_byte_at

    @property
    def retry_after_s(self) -> int | None:
        """The Retry-After header, if it is a whole number of seconds up to `LONGEST_RETRY_AFTER_S` (client-go reads
        no dates)."""
        return retry_after_s(self.headers.get("Retry-After"))

    def set_read_timeout(self, seconds: float | None) -> None:
        """The longest silence that the next reads allow."""
        if self._interrupt.sock is not None:
            self._interrupt.sock.settimeout(seconds)

    def read1(self) -> list[bytes]:
        """Wait for more of the body and return all that is there, in pieces; [] at its proper end.

        Raises `UnexpectedEOF` when the connection ends early, `ConnectionReset`, `RequestTimeout`,
        `DecodeError`, and `StopRequested` after `cancel`.
        """
        framing, fp = self._framing, self._source.fp
        while not framing.finished:
            try:
                data = fp.read1(self._read_size)
            except (OSError, ValueError) as e:
                raise self._failure(e) from None
            if not data:
                if self.cancelled:
                    raise StopRequested("the request was cancelled")
                if framing.ends_at_eof:
                    return []
                raise UnexpectedEOF(f"the connection to {self._url} ended in the middle of an answer")
            self._log.received(len(data))
            pieces = framing.feed(data)
            if pieces:
                return pieces
        return []

    def _failure(self, error: Exception) -> InformerError:
        return (
            StopRequested("the request was cancelled")
            if self.cancelled
            else transport_error(error, self._url)
        )

    def pieces(self) -> Generator[list[bytes], None, None]:
        """The body as it comes; closes the answer, also when the reader gives up."""
        try:
            while more := self.read1():
                yield more
        except InformerError as e:
            self.close(outcome_of(e), str(e))
            raise
        finally:
            self.close("ok" if self.code < 400 and self._framing.ends_at_eof else "error")

    def read_all(self, largest: int = LARGEST_DOCUMENT) -> bytearray:
        """The whole body; closes the answer. Raises `DecodeError` for more than `largest` bytes."""
        body = bytearray()
        with closing(self.pieces()) as all_pieces:
            for piece in chain.from_iterable(all_pieces):
                body += piece
                if len(body) > largest:
                    body.clear()  # an error's traceback would keep it
                    raise DecodeError(f"{self._url} answered with more than {largest >> 10:,} KiB; kdash reads no more")
        return body

    def _read_error(self) -> bytes:
        """The beginning of the body, as far as it can be had."""
        body = bytearray()
        try:
            with closing(self.pieces()) as all_pieces:
                for piece in chain.from_iterable(all_pieces):
                    body += piece
                    if len(body) > LARGEST_ERROR_BODY:
                        break
        except (TransportError, DecodeError):
            pass  # what came until then says something, too
        return bytes(body[:LARGEST_ERROR_BODY])

    def error(self) -> ApiStatusError:
        """What an answer that is no success says; reads the body, no more than 64 kB of it, and closes the answer."""
        headers = self.headers
        return error_from_answer(
            self.code, self.content_type, headers.get("Location"), self._read_error(), headers.get("Retry-After")
        )

    def follow(self, cancel: CancelToken) -> None:
        """Be cancelled when `cancel` is, until closed."""
        self._forget = cancel.on_cancel(self.cancel)

    def cancel(self) -> None:
        """End the request from any thread; a blocked read fails with `StopRequested`."""
        self.cancelled = True
        self._interrupt.interrupt()

    def close(self, outcome: str, error: str = "") -> None:
        """Give the connection back if the body was read to its end, close it otherwise. Once; tells the
        tap.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._forget()
        complete = self._framing.ends_at_eof and not isinstance(self._framing, UntilCloseBody)
        self._interrupt.detach()
        if complete and not self.cancelled:
            self._source.close()
            self._response.release_conn()
        else:
            self._response.close()
        self._log.end(outcome, error)


class Transport:
    """The way to one server; see the module's contract."""

    def __init__(
        self,
        server: str,
        credentials: Credentials,
        *,
        tap: Tap | None = None,
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.server = server.rstrip("/")
        self.address = without_userinfo(self.server)
        """The server's URL as it may be shown."""
        self.tap = tap
        self.clock: Clock = clock or SystemClock()
        self.timeouts = timeouts or Timeouts()
        self._credentials = credentials
        host = urlsplit(self.server).hostname or ""
        self.is_local = host in ("localhost", "::1") or host.startswith("127.")
        self._agent = user_agent()

    def retire_idle(self) -> None:
        """Give up the idle connections to the server; those in use are closed when they are done with."""
        self._credentials.pool().clear()

    def get(
        self, request: Request, cancel: CancelToken, attempt: int = 1, within_s: float | None = None
    ) -> Answer:
        """Send `request` and wait for the headers of its answer, whatever the status.

        `within_s` shortens the time-outs of connecting and of waiting for the headers.
        """
        if cancel.cancelled:
            raise StopRequested("the request was cancelled")
        headers = self._headers(request, cancel)
        interrupt = Interrupt()
        log = _Log(self.tap, self.clock, request, attempt)
        forget = cancel.on_cancel(interrupt.interrupt)
        try:
            answer = Answer(self._send(request, headers, interrupt, within_s), interrupt, log, self.address)
        except InformerError as e:
            interrupt.detach()
            stopped = cancel.cancelled
            log.end("stopped" if stopped else outcome_of(e), "" if stopped else str(e))
            if stopped:
                raise StopRequested("the request was cancelled") from None
            raise
        finally:
            forget()
        log.headers(answer.code, answer.retry_after_s)
        if answer.code == 401:
            self._credentials.rejected()
        answer.follow(cancel)
        return answer

    def _headers(self, request: Request, cancel: CancelToken) -> urllib3.HTTPHeaderDict:
        headers = urllib3.HTTPHeaderDict({"Accept": request.accept, "User-Agent": self._agent})
        headers["Accept-Encoding"] = "gzip" if request.compress and not self.is_local else "identity"
        for name, value in (*request.headers.items(), *self._credentials.headers(cancel)):
            headers.add(name, value)
        return headers

    def _send(
        self, request: Request, headers: urllib3.HTTPHeaderDict, interrupt: Interrupt, within_s: float | None
    ) -> urllib3.BaseHTTPResponse:
        connect_s, read_s = self.timeouts.connect_s, self.timeouts.read_s
        if within_s is not None:
            connect_s, read_s = min(connect_s, within_s), min(read_s, within_s)
        timeout = urllib3.Timeout(connect=connect_s, read=read_s)
        while True:
            try:
                with interruptible(interrupt):
                    return self._credentials.pool().urlopen(
                        "GET",
                        self.server + request.target,
                        headers=headers,
                        timeout=timeout,
                        retries=False,
                        redirect=False,
                        preload_content=False,
                        decode_content=False,
                    )
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as e:
                error = transport_error(e, self.address)
                stale = isinstance(error, ConnectionReset | UnexpectedEOF) and interrupt.reused
                if not stale or interrupt.interrupted:
                    raise error from None
