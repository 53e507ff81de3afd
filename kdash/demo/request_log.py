"""The log of truth, half one: every request that was answered (half two is `Storage.changes`). Thread-safe."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

__all__ = ["RequestLog", "RequestRecord"]


class RequestRecord(NamedTuple):
    """One request. `at` is wall time, `duration_s` until the last byte; `code` 0: no answer was sent."""

    at: float
    verb: str
    """LIST, WATCH, GET, POST, PUT, PATCH or DELETE."""
    path: str
    query: str
    code: int
    bytes: int
    duration_s: float
    fault: str = ""
    """The fault that answered in the server's place."""


class RequestLog:
    """The newest `size` requests, and how many there were in all."""

    def __init__(self, size: int = 100_000) -> None:
        self._lock = threading.Lock()  # guards _records and _count
        self._records: deque[RequestRecord] = deque(maxlen=size)
        self._started = 0

    def started(self) -> None:
        """A request has arrived."""
        with self._lock:
            self._started += 1

    def add(self, record: RequestRecord) -> None:
        """A request has ended."""
        with self._lock:
            self._records.append(record)

    def count(self) -> int:
        """Requests that have arrived, open watches included."""
        return self._started

    def records(self) -> list[RequestRecord]:
        """Requests that have ended, oldest first."""
        with self._lock:
            return list(self._records)
