"""The gate: holds an informer before pop, or its handlers before a call, and lets single steps through.

Contract (a kdash extension; client-go has no such thing):
- While nothing is held the process loop makes one attribute test an entry, and a listener none.
- `hold` returns at once. What is on its way already finishes: the entry that is being processed, the callback
  that runs. Everything after it waits where it is; nothing is lost and no order changes.
- The reflector and the resync timer go on: the queue grows (and merges), ticks happen, buffers grow.
- `let_entry_through` lets the process loop take one entry (of a batching queue one delta), `release` everything.
- `open` releases for good: a stop drains the queue as if there was no gate.
- Thread-safe. No lock of the informer is taken while `_condition` is held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kdash.informer.clock import Clock
from kdash.informer.tap import Tap

__all__ = ["Gate"]


class Gate:
    """Before one informer's queue. Handlers are held by their listeners (`ProcessorListener.hold`)."""

    def __init__(self, *, clock: Clock, tap: Tap | None = None, informer: str = "") -> None:
        self.held = False
        """Whether entries wait; read without a lock by the process loop."""
        self._condition = threading.Condition(threading.Lock())  # guards _permits, _open and changes of held
        self._permits = 0
        self._open = False
        self._clock = clock
        self._tap = tap
        self._informer = informer

    def hold(self) -> bool:
        """Hold entries from now on; False when they are held already, or the informer stops."""
        with self._condition:
            if self.held or self._open:
                return False
            self.held, self._permits = True, 0
            return True

    def release(self) -> bool:
        """Let everything go on; False when nothing was held."""
        with self._condition:
            was_held, self.held = self.held, False
            self._permits = 0
            self._condition.notify_all()
            return was_held

    def open(self) -> None:
        """Release, and never hold again."""
        with self._condition:
            self._open = True
        self.release()

    def let_entry_through(self, count: int = 1) -> None:
        """Let the process loop take `count` entries; nothing happens when it is not held."""
        with self._condition:
            if self.held:
                self._permits += count
                self._condition.notify_all()

    def permits(self) -> int:
        """Steps that the process loop has not taken yet."""
        return self._permits

    def take_permit(self, waits: Callable[[], bool]) -> bool:
        """Use one permit if there is one and an entry `waits` for it."""
        with self._condition:
            return self._take(waits)

    def await_permit(self, waits: Callable[[], bool]) -> bool:
        """For the process loop: wait until a step was allowed (True) or everything was released (False)."""
        with self._condition:
            while self.held:
                if self._take(waits):
                    return True
                self._clock.wait(self._condition)
        return False

    def _take(self, waits: Callable[[], bool]) -> bool:
        if self._permits <= 0 or not waits():
            return False
        self._permits -= 1
        return True

    # what the tap is told --------------------------------------------------------------------------------

    def tell(self, what: str, stage: str, name: str = "") -> None:
        """Emit a `gate` record: `what` is hold, step or release; `name` the handler's, for a step."""
        if self._tap is not None:
            self._tap.emit("gate", self._informer, what, stage, name)
