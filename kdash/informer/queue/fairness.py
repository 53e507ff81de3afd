"""Lets writers into a queue whose popper takes its lock again and again (as Go's mutexes do after 1 ms).

A Python lock promises no order: a process loop that holds the queue's lock while it processes would keep the
reflector and the resync timer out until the queue is empty. Here a writer that has waited for
`STARVING_AFTER_S` may see one more pop go before it, as in Go, and then it is its turn. Undisturbed writers
and poppers pay next to nothing.

Contract: writers hold the lock by `with entrance`, poppers call `give_way` before they take the lock itself.
"""

from __future__ import annotations

import threading

__all__ = ["STARVING_AFTER_S", "WriterEntrance"]

STARVING_AFTER_S = 0.001


class WriterEntrance:
    """The writers' way to a lock."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._acquire = lock.acquire
        self._release = lock.release
        self._turnstile = threading.Lock()  # held by the one writer that goes next
        self._passed_over = False  # a pop has gone before that writer; only the popper's

    def __enter__(self) -> None:
        if not self._acquire(False) and not self._acquire(True, STARVING_AFTER_S):
            with self._turnstile:
                self._acquire()

    def __exit__(self, *exc_info: object) -> None:
        self._release()

    def give_way(self) -> None:
        """Let a starving writer in that was passed over once. Not to be called with the lock held."""
        if self._turnstile.locked():
            if self._passed_over:
                with self._turnstile:
                    self._passed_over = False
            else:
                self._passed_over = True
        elif self._passed_over:
            self._passed_over = False
