"""Where an HTTP/1.1 body ends and what it holds: chunked, counted, or until the connection closes (RFC 9112
§6).

Contract: sans-IO. `feed` takes raw bytes as they came from the socket and returns the body's bytes in
pieces, as large as the input allows and never joined, in time linear in the input; `finished` turns true at
the body's proper end; `ends_at_eof` tells whether an end of file here is that end. Malformed framing raises
`DecodeError`. One thread.

Why not leave it to http.client: its reader returns one chunk a call, and an API server sends one event a
chunk.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from kdash.informer.errors import DecodeError

__all__ = ["ChunkedBody", "CountedBody", "Framing", "GzipBody", "UntilCloseBody"]

_LONGEST_CHUNK_HEADER = 1024
_MOST_TRAILERS = 64 << 10  # bytes
_LARGEST_PIECE = 1 << 20


class Framing(Protocol):
    """One body's framing."""

    @property
    def finished(self) -> bool:
        """The body's proper end was seen."""

    def feed(self, data: bytes) -> list[bytes]:
        """The body bytes in `data`."""

    @property
    def ends_at_eof(self) -> bool:
        """True if the body is complete when the connection ends here."""


class UntilCloseBody:
    """No length and no chunks: the body is what comes until the connection closes."""

    def __init__(self) -> None:
        self.finished = False

    def feed(self, data: bytes) -> list[bytes]:
        return [data] if data else []

    @property
    def ends_at_eof(self) -> bool:
        return True


class CountedBody:
    """`Content-Length` bytes."""

    def __init__(self, length: int) -> None:
        self._missing = length
        self.finished = length == 0

    def feed(self, data: bytes) -> list[bytes]:
        piece = data[: self._missing]
        self._missing -= len(piece)
        self.finished = self._missing == 0
        return [piece] if piece else []

    @property
    def ends_at_eof(self) -> bool:
        return self.finished


class ChunkedBody:
    """`Transfer-Encoding: chunked`, with extensions and trailers skipped."""

    def __init__(self) -> None:
        self.ends_at_eof = False
        self._malformed: DecodeError | None = None
        self._missing = 0  # of the current chunk's data
        self._after_data = False  # the CRLF behind the data is still to come
        self._in_trailers = False
        self._trailers = 0  # bytes of them
        self._rest = b""  # the start of a header or CRLF cut by the end of the last input

    @property
    def finished(self) -> bool:
        if self._malformed is not None:
            raise self._malformed
        return self.ends_at_eof

    def feed(self, data: bytes) -> list[bytes]:
        if self._rest:
            data, self._rest = self._rest + data, b""
        pieces: list[bytes] = []
        try:
            self._take(data, pieces)
        except DecodeError as e:  # what came before it counts; `finished` raises it then
            if not pieces:
                raise
            self._malformed = e
        return pieces

    def _take(self, data: bytes, pieces: list[bytes]) -> None:
        at, end = self._whole_chunks(data, pieces), len(data)
        while at < end and not self.ends_at_eof:
            if self._missing:
                stop = at + self._missing
                if stop > end:
                    pieces.append(data[at:] if at else data)
                    self._missing = stop - end
                    return
                pieces.append(data[at:stop])
                self._missing, self._after_data, at = 0, True, stop
            elif self._after_data:
                if end - at < 2:
                    self._rest = data[at:]
                    return
                if data[at : at + 2] != b"\r\n":
                    raise DecodeError(
                        "the server's chunked body is malformed: a chunk is longer than it says"
                    )
                self._after_data, at = False, at + 2
            else:
                line_end = data.find(b"\r\n", at)
                if line_end < 0:
                    self._rest = data[at:]
                    if len(self._rest) > _LONGEST_CHUNK_HEADER:
                        raise DecodeError("the server's chunked body is malformed: a chunk header has no end")
                    return
                self._header(data[at:line_end])
                at = line_end + 2

    def _whole_chunks(self, data: bytes, pieces: list[bytes]) -> int:
        """The hot path: take the plain chunks that lie in `data` as a whole; returns where the rest
        begins.
        """
        at = 0
        if self._missing or self._after_data or self._in_trailers:
            return at
        end = len(data) - 2
        find, append = data.find, pieces.append
        while (start := find(b"\r\n", at, at + 10)) > 0:
            try:
                stop = (start := start + 2) + int(data[at : start - 2], 16)
            except ValueError:
                return at
            if not start < stop <= end or data[stop : stop + 2] != b"\r\n":
                return at
            append(data[start:stop])
            at = stop + 2
        return at

    def _header(self, line: bytes) -> None:
        if self._in_trailers:
            self.ends_at_eof = not line
            self._trailers += len(line) + 2
            if self._trailers > _MOST_TRAILERS:
                raise DecodeError("the server's chunked body is malformed: its trailers have no end")
            return
        try:
            size = int(line.split(b";", 1)[0], 16)
        except ValueError:
            size = -1
        if size < 0:
            raise DecodeError("the server's chunked body is malformed: a chunk has no size")
        self._missing = size
        self._in_trailers = size == 0


class GzipBody:
    """`Content-Encoding: gzip` around another framing. What comes out is up to a thousand times what goes in: feed
    little at once.
    """

    def __init__(self, inner: Framing) -> None:
        self._inner = inner
        self._inflate = zlib.decompressobj(31)
        self._started = False

    @property
    def finished(self) -> bool:
        if self._inner.finished and self._started and not self._inflate.eof:
            raise DecodeError("the server's compressed answer is cut short")
        return self._inner.finished

    @property
    def ends_at_eof(self) -> bool:
        return self._inner.ends_at_eof and (self._inflate.eof or not self._started)

    def feed(self, data: bytes) -> list[bytes]:
        pieces = []
        for piece in self._inner.feed(data):
            while piece:
                if self._inflate.eof:  # a further gzip member
                    self._inflate = zlib.decompressobj(31)
                self._started = True
                try:
                    plain = self._inflate.decompress(piece, _LARGEST_PIECE)
                except zlib.error:
                    raise DecodeError(
                        "the server's compressed answer is damaged: it is no gzip data"
                    ) from None
                if plain:
                    pieces.append(plain)
                piece = self._inflate.unconsumed_tail or self._inflate.unused_data
        return pieces
