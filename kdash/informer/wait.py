"""Waiting for caches (client-go `WaitForCacheSync`, `WaitFor`, `SyncResult`; WT-1 to WT-3).

Contract: nothing here starts or stops anything. `wait_for_cache_sync` polls, `wait_for` is told. Both may be
called from any thread that is not one of the core's own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from kdash.informer.clock import Clock, SystemClock
from kdash.informer.errors import InformerError, StopRequested
from kdash.informer.latch import Latch
from kdash.informer.list_watch import CancelToken

__all__ = [
    "SYNC_POLL_S",
    "CacheSyncError",
    "DoneChecker",
    "DoneFlag",
    "SyncResult",
    "wait_for",
    "wait_for_cache_sync",
]

SYNC_POLL_S = 0.1

_logger = logging.getLogger(__name__)


class DoneChecker(Protocol):
    """Something that gets done once (client-go `DoneChecker`)."""

    @property
    def name(self) -> str: ...

    def is_done(self) -> bool: ...

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when done, at once if it is."""


class DoneFlag:
    """A `DoneChecker` that `set` turns on, for good. Thread-safe."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._latch = Latch()

    @property
    def name(self) -> str:
        return self._name

    def is_done(self) -> bool:
        return self._latch.turned

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when done, at once if it is. One that raises is logged; it may stop the informer."""
        self._latch.on_turned(callback)

    def set(self) -> None:
        """Done; runs the callbacks in this thread."""
        self._latch.turn()


class _Timer:
    """A condition that `stop`, `wake` or time ends; the one way to sleep here."""

    def __init__(self, stop: CancelToken, clock: Clock, timeout_s: float | None) -> None:
        self._clock = clock
        self._condition = threading.Condition()  # guards nothing but the wake-ups
        self._stop = stop
        self._due_at = None if timeout_s is None else clock.monotonic() + timeout_s
        self._forget = stop.on_cancel(self.wake)

    def wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def close(self) -> None:
        self._forget()

    def expired(self) -> bool:
        return self._stop.cancelled or (self._due_at is not None and self._clock.monotonic() >= self._due_at)

    def sleep(self, at_most_s: float | None, until: Callable[[], bool]) -> None:
        """Return when `until()` holds, the timer has expired or `at_most_s` has passed."""
        wake_at = None if at_most_s is None else self._clock.monotonic() + at_most_s
        with self._condition:
            while not until() and not self.expired():
                limits = [limit for limit in (wake_at, self._due_at) if limit is not None]
                left = min(limits) - self._clock.monotonic() if limits else None
                if left is not None and left <= 0:
                    return
                self._clock.wait(self._condition, left)


def wait_for_cache_sync(
    stop: CancelToken,
    *has_synced: Callable[[], bool],
    timeout_s: float | None = None,
    clock: Clock | None = None,
) -> bool:
    """Whether all functions were true in one round before `stop` (or `timeout_s`) came.

    Looks at once, then every 100 ms (client-go `WaitForCacheSync`). True when there are no functions.
    """
    timer = _Timer(stop, clock or SystemClock(), timeout_s)
    try:
        while not all(synced() for synced in has_synced):
            if timer.expired():
                return False
            timer.sleep(SYNC_POLL_S, lambda: False)
    finally:
        timer.close()
    return True


def wait_for(
    stop: CancelToken,
    *checkers: DoneChecker,
    name: str = "",
    timeout_s: float | None = None,
    clock: Clock | None = None,
    cause: Callable[[], str] | None = None,
) -> bool:
    """Wait until every checker is done; False when `stop` or `timeout_s` came first (client-go `WaitFor`).

    What is done already counts even after `stop`. With a `name` the waiting, each completion and a time-out
    (with the sorted names of what is not done) are logged. `cause` tells why the wait was ended.
    """
    timer = _Timer(stop, clock or SystemClock(), timeout_s)
    if name:
        _logger.info("Waiting: %s", name)
    waiting = list(checkers)
    try:
        for checker in checkers:
            checker.on_done(timer.wake)
        while True:
            waiting = _still_waiting(waiting, name)
            if not waiting or timer.expired():
                break
            pending = list(waiting)
            timer.sleep(None, lambda pending=pending: any(checker.is_done() for checker in pending))  # type: ignore[misc]
        waiting = _still_waiting(waiting, name)
    finally:
        timer.close()
    if waiting and name:
        reason = cause() if cause else ("stopped" if stop.cancelled else "the time is over")
        unfinished = ", ".join(sorted(checker.name for checker in waiting))
        _logger.info("Timed out waiting: %s: not done: %s; cause: %s", name, unfinished, reason)
    return not waiting


def _still_waiting(checkers: list[DoneChecker], name: str) -> list[DoneChecker]:
    waiting = []
    for checker in checkers:
        if not checker.is_done():
            waiting.append(checker)
        elif name:
            _logger.info("Done waiting: %s: %s", name, checker.name)
    return waiting


class CacheSyncError(InformerError):
    """Some caches did not sync; `cause` (also `__cause__`) tells why the waiting ended."""

    def __init__(self, message: str, cause: BaseException | None) -> None:
        super().__init__(message)
        self.cause = cause
        self.__cause__ = cause


class SyncResult(Mapping[str, bool]):
    """Which caches have synced (client-go `SyncResult`): a mapping name → bool, true when all values are.

    Only informers that were started are in it.
    """

    def __init__(self, synced: Mapping[str, bool], error: BaseException | None = None) -> None:
        self._synced = dict(synced)
        self._error = error if error is not None or all(self._synced.values()) else StopRequested("stopped")

    def __getitem__(self, name: str) -> bool:
        return self._synced[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._synced)

    def __len__(self) -> int:
        return len(self._synced)

    def __bool__(self) -> bool:
        return self._error is None and all(self._synced.values())

    def __repr__(self) -> str:
        return f"SyncResult({self._synced!r}, error={self._error!r})"

    def as_error(self) -> CacheSyncError | None:
        """None when nothing went wrong, else an error with the sorted names and the cause."""
        if self._error is None:
            return None
        names = ", ".join(sorted(name for name, synced in self._synced.items() if not synced))
        return CacheSyncError(f"failed to sync all caches: {names}: {self._error}", self._error)
