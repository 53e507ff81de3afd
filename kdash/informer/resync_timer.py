"""The resync timer of one reflector (RF-40 to RF-44).

Contract:
- One thread, `kdash-resync-NAME`, started when it is first needed. Only this thread runs `tick`; no lock
  is held meanwhile. A tick makes no request to a server.
- Ticks come only inside a session: the first one a period after `start_session`, every further one a
  period after the work of the one before. `stop_session` returns once a tick that is under way has ended,
  or `stop` was called.
- A tick that fails ends the timer until the next session; the error is told to `on_error`.
- The thread keeps one alarm besides, for whoever waits for something that may not come (`set_alarm`).
- `set_period` and `tick_now` are kdash extensions and work at any time; a forced tick leaves the due time
  alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kdash.informer.clock import Clock
from kdash.informer.tap import Tap

__all__ = ["ResyncTimer"]


class ResyncTimer:
    """Calls `tick(lateness_s, forced)` in its own thread when a tick is due."""

    def __init__(
        self,
        *,
        name: str,
        period_s: float,
        tick: Callable[[float, bool], None],
        on_error: Callable[[int, Exception], None],
        on_alarm: Callable[[], object] = lambda: None,
        clock: Clock,
        tap: Tap | None = None,
    ) -> None:
        self._name = name
        self._tick = tick
        self._on_error = on_error
        self._on_alarm = on_alarm
        self._clock = clock
        self._tap = tap
        self._condition = threading.Condition()  # guards everything below
        self._period_s = period_s
        self._session = 0  # 0: no session, so no timer
        self._due_at: float | None = None
        self._alarm_at: float | None = None
        self._forced = False
        self._busy = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def period_s(self) -> float:
        """Seconds between ticks; 0: never."""
        return self._period_s

    @property
    def due_at(self) -> float | None:
        """Monotonic instant of the next tick; None while there is no timer."""
        return self._due_at

    def start_session(self, session: int) -> None:
        """The session's full state is in the store: the first tick is one period away."""
        with self._condition:
            self._session = session
            self._arm("session start")

    def stop_session(self, why: str) -> None:
        """No more ticks in this session."""
        with self._condition:
            session, self._session = self._session, 0
            if self._due_at is not None or self._busy:
                self._due_at = None
                self._emit("resync.timer_stopped", session, why)
            while self._busy and not self._stopping and threading.current_thread() is not self._thread:
                self._clock.wait(self._condition)

    def set_period(self, period_s: float) -> None:
        """Change the period now; inside a session the timer starts anew from zero (0: stops)."""
        if period_s < 0:
            raise ValueError(f"a resync period must not be negative, but is {period_s} s")
        with self._condition:
            self._period_s = period_s
            if not self._session or self._stopping:
                return
            if period_s > 0:
                self._arm("period changed")
            elif self._due_at is not None:
                self._due_at = None
                self._emit("resync.timer_stopped", self._session, "the period is 0")

    def set_alarm(self, after_s: float) -> None:
        """Call `on_alarm` in the timer's thread in so many seconds, instead of when it was set for before."""
        with self._condition:
            if not self._stopping:
                waits_shorter = self._alarm_at is not None
                self._alarm_at = self._clock.monotonic() + after_s
                if not waits_shorter:
                    self._wake()

    def tick_now(self) -> bool:
        """Run one tick as soon as the thread is free; False after `stop`."""
        with self._condition:
            if self._stopping:
                return False
            self._forced = True
            self._wake()
            return True

    def stop(self) -> None:
        """End the thread; returns at once, see `join`."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end; False when `timeout_s` passed first."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _emit(self, kind: str, *fields: object) -> None:
        if self._tap is not None:
            self._tap.emit(kind, self._name, *fields)

    def _arm(self, why: str) -> None:
        if self._period_s <= 0 or self._stopping:
            return
        self._due_at = self._clock.monotonic() + self._period_s
        self._emit("resync.timer_armed", self._session, self._period_s, self._due_at, why)
        self._wake()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"kdash-resync-{self._name}", daemon=True)
            self._thread.start()
        self._condition.notify_all()

    def _run(self) -> None:
        condition = self._condition
        with condition:
            while self._wait_for_work():
                forced, session = self._forced, self._session
                lateness_s = 0.0 if self._due_at is None else max(0.0, self._clock.monotonic() - self._due_at)
                if forced:
                    self._forced = False
                    lateness_s = 0.0
                else:
                    self._due_at = None
                self._busy = True
                condition.release()
                try:
                    error = self._run_tick(lateness_s, forced)
                    if error is not None:
                        self._on_error(session, error)
                finally:
                    condition.acquire()
                    self._busy = False
                    condition.notify_all()
                self._after_tick(session, forced, error)

    def _wait_for_work(self) -> bool:
        """Wait until a tick is due or forced, and ring the alarm meanwhile; False to end."""
        while not self._stopping:
            due_at, alarm_at = self._due_at, self._alarm_at
            if self._forced or (due_at is not None and due_at <= self._clock.monotonic()):
                return True
            wake_at = min((at for at in (due_at, alarm_at) if at is not None), default=None)
            left_s = None if wake_at is None else wake_at - self._clock.monotonic()
            timed_out = left_s is not None and (left_s <= 0 or not self._clock.wait(self._condition, left_s))
            if left_s is None:
                self._clock.wait(self._condition)
            elif timed_out and wake_at == alarm_at == self._alarm_at:
                self._ring()
            elif timed_out and wake_at == due_at == self._due_at:
                return not self._stopping
        return False

    def _ring(self) -> None:
        self._alarm_at = None
        self._condition.release()
        try:
            self._on_alarm()
        finally:
            self._condition.acquire()

    def _run_tick(self, lateness_s: float, forced: bool) -> Exception | None:
        try:
            self._tick(lateness_s, forced)
        except Exception as error:
            return error
        return None

    def _after_tick(self, session: int, forced: bool, error: Exception | None) -> None:
        if self._session != session or not session or self._stopping:
            return
        if error is not None:
            self._due_at = None
            self._emit("resync.timer_stopped", session, "the resync failed: restarts after relist")
        elif not forced and self._due_at is None:
            self._arm("after tick")
