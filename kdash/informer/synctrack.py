"""Whether everything that belongs to a first sync has been handled (client-go `synctrack`; SY-1, SY-2).

Contract: both trackers are "synced" once the upstream reported its sync and nothing that was started before
is unfinished. Callers start an item before they report the upstream's sync. All methods are thread-safe;
callbacks run once, without a lock, in the thread that brought the sync about.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from kdash.informer.latch import Latch

__all__ = ["AsyncTracker", "SingleFileTracker"]

Key = TypeVar("Key", bound=Hashable)


class SingleFileTracker:
    """Counts items handled one after another (client-go `SingleFileTracker`). Latched once synced."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _count and _upstream_synced
        self._count = 0
        self._upstream_synced = False
        self._latch = Latch()

    def start(self) -> None:
        """One more item is on its way."""
        with self._lock:
            self._count += 1

    def finished(self) -> None:
        """One item is done. Raises RuntimeError when more finish than started; it stays synced then."""
        with self._lock:
            self._count -= 1
            count = self._count
            synced = self._upstream_synced and count == 0
        if count < 0:
            raise RuntimeError(f"negative counter ({count}): more items finished than started")
        if synced:
            self._latch.turn()

    def upstream_has_synced(self) -> None:
        """The source has started all of its initial items. May be called again."""
        with self._lock:
            self._upstream_synced = True
            synced = self._count == 0
        if synced:
            self._latch.turn()

    def has_synced(self) -> bool:
        """Whether the upstream has synced and every started item was finished; never turns back."""
        return self._latch.turned

    def on_synced(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when it is synced, at once if it is."""
        self._latch.on_turned(callback)


class AsyncTracker(Generic[Key]):
    """Tracks items by key, in any order and number of threads (client-go `AsyncTracker`). Not latched."""

    def __init__(self, upstream_has_synced: Callable[[], bool]) -> None:
        self._upstream_has_synced = upstream_has_synced
        self._lock = threading.Lock()  # guards _waiting
        self._waiting: set[Key] = set()

    def start(self, key: Key) -> None:
        """`key` must be finished before this is synced."""
        with self._lock:
            self._waiting.add(key)

    def finished(self, key: Key) -> None:
        """`key` is done; harmless without `start`."""
        with self._lock:
            self._waiting.discard(key)

    def has_synced(self) -> bool:
        """Whether the upstream has synced and no key waits. Asks the upstream first, without the lock."""
        if not self._upstream_has_synced():
            return False
        with self._lock:
            return not self._waiting
