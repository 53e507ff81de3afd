"""A switch that turns once, and callbacks that cannot break what calls them.

Contract: thread-safe. Callbacks run once, without a lock, in the thread that turned the latch, or at once in the
caller's when it has turned already. One that raises is logged; the others run all the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

__all__ = ["Latch", "call_each"]

_logger = logging.getLogger(__name__)


def call_each(callbacks: Iterable[Callable[[], None]]) -> None:
    """Call all of them, whatever some of them raise."""
    for callback in callbacks:
        try:
            callback()
        except Exception:
            _logger.exception("a callback raised: %s", getattr(callback, "__qualname__", type(callback).__name__))


class Latch:
    """Turns once, then calls back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _callbacks and the turn of `turned`
        self._callbacks: list[Callable[[], None]] = []
        self.turned = False

    def turn(self) -> bool:
        """Turn it and run the callbacks; False when it had turned before."""
        with self._lock:
            if self.turned:
                return False
            self.turned = True
            callbacks, self._callbacks = self._callbacks, []
        call_each(callbacks)
        return True

    def on_turned(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once it has turned, at once if it has; returns the way to take that back."""
        with self._lock:
            if not self.turned:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        call_each((callback,))
        return lambda: None

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
