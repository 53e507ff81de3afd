"""Lets writers into a queue whose popper takes its lock again and again (as Go's mutexes do after 1 ms).

A Python lock promises no order: a process loop that holds the queue's lock while it processes would keep the
reflector and the resync timer out until the queue is empty. Here a writer that has waited for
`STARVING_AFTER_S` may see one more pop go before it, as in Go, and then it is its turn. Undisturbed writers
and poppers pay next to nothing.

Contract: writers hold the lock by `with entrance`, or take it when it is free and call `enter` when it is not;
poppers call `give_way`, if `awaited()` or `passed_over`, before they take the lock itself.
"""

from __future__ import annotations

import threading

__all__ = ["STARVING_AFTER_S", "WriterEntrance"]

STARVING_AFTER_S = 0.001


class WriterEntrance:
    """The writers' way to a lock."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._acquire = lock.acquire
        self._release = lock.release
        self._turnstile = threading.Lock()  # held by the one writer that goes next
        self.awaited = self._turnstile.locked
        """Whether a writer starves."""
        self.passed_over = False
        """Whether a pop has gone before that writer; only the popper's."""

    def enter(self) -> None:
        """Take the lock as a writer that did not get it at once."""
        if not self._acquire(True, STARVING_AFTER_S):
            with self._turnstile:
                self._acquire()

    def __enter__(self) -> None:
        if not self._acquire(False):
            self.enter()

    def __exit__(self, *exc_info: object) -> None:
        self._release()

    def give_way(self) -> None:
        """Let a starving writer in that was passed over once. Not to be called with the lock held."""
        if self.awaited():
            if self.passed_over:
                with self._turnstile:
                    self.passed_over = False
            else:
                self.passed_over = True
        elif self.passed_over:
            self.passed_over = False
