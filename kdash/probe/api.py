"""Topic: requests to the server (records api.*): counted, and the newest kept as rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from kdash.informer.tap import Record
from kdash.probe.rates import PerSecond
from kdash.probe.snapshot import RequestRow
from kdash.probe.text import shorten

__all__ = ["ApiTopic", "Request"]

_VERBS = {"list": "LIST", "watch": "WATCH", "watch-list": "WATCHLIST", "watchlist": "WATCHLIST"}
_ROWS = 64


@dataclass(slots=True)
class Request:
    """One request, open or over."""

    number: int
    informer: str
    at: float
    verb: str
    path: str
    timeout_s: float | None = None
    code: int | None = None
    took_s: float | None = None
    bytes: int = 0
    open: bool = True
    events: int = 0
    bookmarks: int = 0
    error: str = ""
    last_byte_at: float | None = None

    @property
    def is_watch(self) -> bool:
        return self.verb in ("WATCH", "WATCHLIST")

    def row(self) -> RequestRow:
        return RequestRow(
            self.number, self.at, self.verb, self.path, self.code, self.took_s, self.bytes, self.open,
            self.events, self.bookmarks, self.timeout_s, self.error, self.last_byte_at,
        )  # fmt: skip


class ApiTopic:
    """All requests of all informers, discovery included."""

    def __init__(self) -> None:
        self.requests = self.lists = self.watches = 0
        self.errors = self.throttled = 0
        self.received = PerSecond()
        self.rows: deque[Request] = deque(maxlen=_ROWS)
        self.reads = 0
        self._open: dict[int, Request] = {}
        self._watch_of: dict[str, Request] = {}

    def started(self, record: Record) -> None:
        _, at, _, informer, _, number, verb, path, purpose, _ = record
        name = _VERBS.get(purpose) or shorten(str(verb or "GET"), 12)
        request = Request(number, informer, at, name, shorten(path, 500))
        if request.is_watch:
            request.timeout_s = _timeout(path)
        self.requests += 1
        self.lists += name == "LIST"
        self.watches += request.is_watch
        self.rows.append(request)
        self._open[number] = request
        if request.is_watch:
            self._watch_of[informer] = request

    def headers(self, record: Record) -> None:
        request = self._open.get(record[5])
        if request is not None:
            request.code, request.last_byte_at = record[6], record[1]
            self.throttled += record[6] == 429

    def bytes(self, records: Sequence[Record]) -> None:
        """A batch of api.bytes records."""
        for record in records:
            request = self._open.get(record[5])
            if request is not None:
                request.bytes += record[6]
                request.last_byte_at = record[1]
            self.received.add(int(record[1]), record[6])

    def ended(self, record: Record) -> None:
        _, at, _, _, _, number, outcome, code, size, took_s, error = record
        request = self._open.pop(number, None)
        if request is None:
            return
        if self._watch_of.get(request.informer) is request:  # a second watch beside it may live on, or the first one
            others = (each for each in self._open.values() if each.is_watch and each.informer == request.informer)
            self._watch_of[request.informer] = next(others, request)
        if size and size > request.bytes:
            self.received.add(int(at), size - request.bytes)
            request.bytes = size
        if code and request.code is None:
            self.throttled += code == 429
        request.open, request.took_s, request.code = False, took_s, code or request.code
        failed = outcome in ("error", "cut", "timeout", "refused", "reset") or (request.code or 0) >= 400
        if failed:
            self.errors += 1
            request.error = shorten(str(error or "") or outcome, 160)

    def watched(self, informer: str, events: int, bookmarks: int = 0) -> None:
        """Events came over the informer's open watch."""
        request = self._watch_of.get(informer)
        if request is not None and request.open:
            request.events += events
            request.bookmarks += bookmarks

    def read(self, record: Record) -> None:
        self.reads += record[6]

    @property
    def open_watches(self) -> int:
        return sum(request.is_watch for request in self._open.values())


def _timeout(path: str) -> float | None:
    try:
        return float(parse_qs(urlsplit(path).query)["timeoutSeconds"][0])
    except (KeyError, ValueError):
        return None
