"""One handler's own buffer and thread (client-go `processorListener`; PL-4 to PL-13).

Contract:
- `add` never waits for the handler: the buffer has no bound. It is called under the informer's blockDeltas
  lock.
- The handler is called from one daemon thread, one notification at a time, in the order of `add`.
- A callback that raises, SystemExit and KeyboardInterrupt included, is logged and counted; the thread goes on,
  after 1 s, with the next notification (client-go with ReallyCrash off). With `on_crash` the exception ends the
  thread instead, and `on_crash` is told.
- `close` drops what is buffered; the running callback, if any, finishes later (`join` waits for it).
- The handler counts as synced when the informer is and all its initial adds have returned normally; one that
  raised in an initial add never is (PL-11).

A notification is the tuple `(kind, obj, old, is_sync, is_in_initial_list, at, cause)`: kind is ADD, UPDATE or
DELETE; obj the new or the deleted object; at the monotonic instant of its distribution.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Any

from kdash.informer.clock import Clock
from kdash.informer.handlers import ResourceEventHandler
from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from kdash.informer.synctrack import SingleFileTracker
from kdash.informer.tap import Tap

__all__ = ["ADD", "CRASH_PAUSE_S", "DELETE", "UPDATE", "Notification", "ProcessorListener"]

ADD = "add"
UPDATE = "update"
DELETE = "delete"

CRASH_PAUSE_S = 1.0
_SLOW_CALL_S = 0.1
_SLOW_BACKLOG = 1024

Notification = tuple[str, Any, Any, bool, bool, float, int]

_logger = logging.getLogger(__name__)


def version_of(obj: Any) -> str:
    """The resource version of an object, or of the object inside a tombstone; "" when there is none."""
    if type(obj) is KubeObject:
        return obj.resource_version
    if type(obj) is DeletedFinalStateUnknown:
        obj = obj.obj
    return getattr(obj, "resource_version", "")


class ProcessorListener:
    """Delivers notifications to one handler.

    `asked_s` is what the user asked for, `requested_s` what that became after floor and clamp, `effective_s`
    what the check period allows; `wants_resync` remembers that it asked once. These, `next_resync_at` and
    `syncing` are changed by the processor under its lock.
    """

    def __init__(
        self,
        handler: ResourceEventHandler,
        *,
        name: str,
        clock: Clock,
        informer: str = "",
        requested_s: float = 0.0,
        effective_s: float = 0.0,
        asked_s: float | None = None,
        tap: Tap | None = None,
        on_crash: Callable[[BaseException], None] | None = None,
    ) -> None:
        """`on_crash`: told what the handler raised, which then ends this listener; None: it goes on."""
        self.handler = handler
        self.name = name
        self.requested_s = requested_s
        self.effective_s = effective_s
        self.asked_s = requested_s if asked_s is None else asked_s
        self.wants_resync = self.asked_s > 0
        self.next_resync_at = clock.monotonic() + effective_s
        self.syncing = True
        self.crashes = 0
        self.running = False
        self.initial_total = 0
        self.watches_upstream = False
        self._added_at = clock.monotonic()
        self._informer = informer
        self._clock = clock
        self._tap = tap
        self._on_crash = on_crash
        self._pause_before_next = False
        self.tracker = SingleFileTracker()
        self.tracker.on_synced(self._synced)
        self._buffer: deque[Notification] = deque()
        self._append = self._buffer.append
        self._take = self._buffer.popleft  # while held: `_take_if_allowed`
        self._held = False
        self._permits = 0
        self._wakeup = threading.Condition(threading.Lock())  # guards _waiting, _closed, _held, _permits and _take
        self._waiting = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._call: Callable[[Notification], None] = self._call_plain if tap is None else self._call_tapped

    # called by the processor ---------------------------------------------------------------------------

    def add(self, notification: Notification) -> None:
        """Put one notification into the buffer; wakes the thread only when it waits."""
        if notification[4]:
            self.initial_total += 1
            self.tracker.start()
        self._append(notification)
        if self._waiting:
            with self._wakeup:
                self._waiting = False
                self._wakeup.notify()

    def start(self) -> None:
        """Start the thread; once."""
        self._thread = threading.Thread(target=self._run, name=f"handler {self.name}", daemon=True)
        self._thread.start()

    def close(self) -> int:
        """Drop the buffer and end the thread after the running callback; returns how many were dropped."""
        with self._wakeup:
            if self._closed:
                return 0
            self._closed = True
            dropped = len(self._buffer)
            self._buffer.clear()
            self._wakeup.notify_all()
        return dropped

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread to end; True when it has (at once when it never started)."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_own_thread(self) -> bool:
        """Whether the caller is this listener's thread, i.e. its own handler."""
        return self._thread is threading.current_thread()

    def backlog(self) -> int:
        """Notifications not yet returned from the handler: those waiting and the running one (PL-8)."""
        return len(self._buffer) + self.running

    # gate (kdash extension) ----------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        """Whether notifications wait until they are let through one by one."""
        return self._held

    def hold(self) -> None:
        """Call the handler no more; the running callback finishes, the buffer grows."""
        with self._wakeup:
            if not self._held:
                self._held, self._permits, self._take = True, 0, self._take_if_allowed

    def release(self) -> None:
        """Go on."""
        with self._wakeup:
            self._held, self._permits, self._take = False, 0, self._buffer.popleft
            self._waiting = False
            self._wakeup.notify_all()

    def let_through(self) -> bool:
        """While held, deliver one notification more; False when none waits that was not let through before."""
        with self._wakeup:
            if not self._held or self._permits >= len(self._buffer):
                return False
            self._permits += 1
            self._wakeup.notify_all()
            return True

    def waiting(self) -> int:
        """Notifications in the buffer."""
        return len(self._buffer)

    def _take_if_allowed(self) -> Notification:
        with self._wakeup:
            if self._permits <= 0:
                raise IndexError("held")
            notification = self._buffer.popleft()
            self._permits -= 1
            return notification

    # the thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._closed:
                if self._pause_before_next and self._buffer:
                    self._pause()
                elif not self.deliver_next():
                    self._wait_for_work()
        except BaseException as error:
            assert self._on_crash is not None, "only then does `deliver_next` raise"
            self._on_crash(error)

    def deliver_next(self) -> bool:
        """Call the handler with the oldest notification; False when there is none.

        The listener's own thread does this; without a thread (simulation) the caller takes its place.
        """
        try:
            notification = self._take()
        except IndexError:
            return False
        self.running = True
        try:
            self._call(notification)
        except BaseException:  # SystemExit too: a handler must not end its thread unseen
            self._crashed(notification)
            if self._on_crash is not None:
                self.running = False
                raise
        self.running = False
        return True

    def _wait_for_work(self) -> None:
        with self._wakeup:
            while not self._closed:
                self._waiting = not self._held  # before the buffer is looked at: `add` looks at it afterwards
                if self._permits > 0 if self._held else self._buffer:
                    break
                self._clock.wait(self._wakeup)
            self._waiting = False

    def _pause(self) -> None:
        self._pause_before_next = False
        until = self._clock.monotonic() + CRASH_PAUSE_S
        with self._wakeup:
            while not self._closed and (left := until - self._clock.monotonic()) > 0:
                self._clock.wait(self._wakeup, left)

    def _crashed(self, notification: Notification) -> None:
        self.crashes += 1
        self._pause_before_next = True
        _logger.exception(
            "handler %s raised in its %s callback for %s; that notification is skipped",
            self.name, notification[0], getattr(notification[1], "key", "") or "an object without a key",
        )

    def _call_plain(self, notification: Notification) -> None:
        kind, obj, old, _, is_initial, _, _ = notification
        if len(self._buffer) > _SLOW_BACKLOG:  # slow calls are traced then (PL-12)
            began = self._clock.monotonic()
            self._call_handler(kind, obj, old, is_initial)
            took = self._clock.monotonic() - began
            if took > _SLOW_CALL_S:
                self._trace_slow_call(took)
        else:
            self._call_handler(kind, obj, old, is_initial)
        if is_initial:
            self.tracker.finished()

    def _call_handler(self, kind: str, obj: Any, old: Any, is_initial: bool) -> None:
        if kind is UPDATE:
            self.handler.on_update(old, obj)
        elif kind is ADD:
            self.handler.on_add(obj, is_initial)
        else:
            self.handler.on_delete(obj)

    def _trace_slow_call(self, took: float) -> None:
        _logger.info(
            "handler %s took %.3f s in a callback while %d notifications wait", self.name, took, len(self._buffer)
        )

    def _call_tapped(self, notification: Notification) -> None:
        tap, now, informer, name = self._tap, self._clock.monotonic, self._informer, self.name
        assert tap is not None
        kind, obj, old, is_sync, is_initial, at, cause = notification
        if type(obj) is KubeObject:
            key, rv = obj.key, obj.resource_version
        else:
            key, rv = getattr(obj, "key", ""), version_of(obj)
        thread, backlog = get_ident(), len(self._buffer)
        began = now()
        waited = began - at
        tap.append((
            tap.next_seq(), began, "handler.start", informer, thread, name, kind, key, rv, is_sync, is_initial,
            waited, backlog, cause,
        ))  # fmt: skip
        error = ""
        try:
            self._call_handler(kind, obj, old, is_initial)
            if is_initial:
                self.tracker.finished()
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            ended = now()
            if not error and ended - began > _SLOW_CALL_S and backlog > _SLOW_BACKLOG:
                self._trace_slow_call(ended - began)
            tap.append((
                tap.next_seq(), ended, "handler.end", informer, thread, name, kind, key, rv,
                version_of(old) if kind is UPDATE else "", is_sync, is_initial,
                type(obj) is DeletedFinalStateUnknown, waited, ended - began, error, len(self._buffer), cause,
            ))  # fmt: skip

    def _synced(self) -> None:
        if self._tap is not None:
            took = self._clock.monotonic() - self._added_at
            self._tap.emit("listener.synced", self._informer, self.name, self.initial_total, took)
