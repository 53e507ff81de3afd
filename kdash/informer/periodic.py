"""A call repeated by a thread of its own, on the injected clock (the relist period, a kdash extension).

Contract: nothing starts when the period is 0. The pause is counted from the end of a call to the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kdash.informer.clock import Clock

__all__ = ["PeriodicCall"]


class PeriodicCall:
    """Calls `action` every `period_s` seconds between `start` and `stop`."""

    def __init__(self, action: Callable[[], object], period_s: float, clock: Clock, name: str) -> None:
        self._action = action
        self._period_s = period_s
        self._clock = clock
        self._wakeup = threading.Condition()  # guards _stopped
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, unless the period is 0."""
        if self._period_s > 0:
            self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for a call that is under way."""
        with self._wakeup:
            self._stopped = True
            self._wakeup.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            until = self._clock.monotonic() + self._period_s
            with self._wakeup:
                while not self._stopped and (left := until - self._clock.monotonic()) > 0:
                    self._clock.wait(self._wakeup, left)
                if self._stopped:
                    return
            self._action()
