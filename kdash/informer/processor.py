"""Distribution of notifications to the listeners of one informer (client-go `sharedProcessor`; PL-1 to PL-5,
PL-14).

Contract:
- `distribute` is called under the informer's blockDeltas lock, so no listener comes or goes meanwhile, and in
  the order of processing. It only appends to buffers: it waits for no handler and for no start (client-go's
  version waits for the start because its channels are unbuffered; here the buffers hold what comes early).
- A sync notification reaches only listeners whose `syncing` flag is up. Flags start up and are set anew by
  every tick: up for the listeners that were due then. They stay until the next tick, also for other syncs
  (S9, S10).
- `should_resync` is called once per tick by the reflector's resync timer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident
from typing import Any

from kdash.informer.clock import Clock
from kdash.informer.listener import ADD, DELETE, UPDATE, Notification, ProcessorListener, version_of
from kdash.informer.mutation_detector import MutationDetector
from kdash.informer.objects import KubeObject
from kdash.informer.resync_periods import ResyncOutcome, effective_period
from kdash.informer.tap import Tap

__all__ = ["DistributingSink", "SharedProcessor"]

_NOBODY: tuple[str, ...] = ()


class SharedProcessor:
    """The listeners of one informer."""

    def __init__(self, *, clock: Clock, tap: Tap | None = None, informer: str = "") -> None:
        self._clock = clock
        self._now = clock.monotonic
        self._tap = tap
        self._informer = informer
        # guards the membership, _started, holds_handlers, and the listeners' periods and flags
        self._lock = threading.Lock()
        self._listeners: tuple[ProcessorListener, ...] = ()
        self._names: tuple[str, ...] = ()
        self._started = False
        self._upstream_synced = False
        self._departed: list[ProcessorListener] = []
        self._stopping: list[ProcessorListener] = []
        self.holds_handlers = False
        self.tick = 0
        """Number of the last resync tick."""

    @property
    def listeners(self) -> tuple[ProcessorListener, ...]:
        """The present listeners, oldest first."""
        return self._listeners

    # membership ----------------------------------------------------------------------------------------

    def add_listener(self, listener: ProcessorListener) -> None:
        """Take a listener in; its thread starts now if the processor has started."""
        with self._lock:
            if self.holds_handlers:
                listener.hold()
            self._set_listeners((*self._listeners, listener))
            if self._started:
                listener.start()

    def remove_listener(self, listener: ProcessorListener) -> bool:
        """Let a listener go and drop its backlog; False when it is none of this processor's."""
        with self._lock:
            if listener not in self._listeners:
                return False
            self._set_listeners(tuple(each for each in self._listeners if each is not listener))
            self._departed = [each for each in self._departed if not each.join(0)]
            self._departed.append(listener)
        running = listener.running
        dropped = listener.close()
        if self._tap is not None:
            self._tap.emit("listener.removed", self._informer, listener.name, dropped, running)
        return True

    def hold(self) -> None:
        """Hold every listener, those that join later too (kdash extension)."""
        with self._lock:
            self.holds_handlers = True
            for listener in self._listeners:
                listener.hold()

    def release(self) -> None:
        """Let every listener go on."""
        with self._lock:
            self.holds_handlers = False
            for listener in self._listeners:
                listener.release()

    def _set_listeners(self, listeners: tuple[ProcessorListener, ...]) -> None:
        self._listeners = listeners
        self._names = tuple(listener.name for listener in listeners)

    def start(self) -> None:
        """Start the threads of all listeners."""
        with self._lock:
            if self._started:
                return
            self._started = True
            for listener in self._listeners:
                listener.start()

    def is_own_thread(self) -> bool:
        """Whether the caller is one of the handlers."""
        return any(listener.is_own_thread() for listener in (*self._listeners, *self._departed, *self._stopping))

    def stop(self) -> list[ProcessorListener]:
        """Close every listener and drop the membership; the answer's threads are still to be joined."""
        with self._lock:
            listeners = [*self._listeners, *self._departed]
            self._set_listeners(())
            self._departed, self._stopping = [], listeners
            self._started = False
        for listener in listeners:
            listener.close()
        return listeners

    # delivery ------------------------------------------------------------------------------------------

    def distribute(
        self, kind: str, obj: Any, old: Any, is_sync: bool, is_in_initial_list: bool, cause: int
    ) -> None:
        """Append one notification to the buffers of those it concerns."""
        listeners = self._listeners
        if is_sync:
            for listener in listeners:
                if not listener.syncing:
                    listeners = tuple([listener for listener in listeners if listener.syncing])
                    break
        now = self._now()
        tap = self._tap
        if tap is not None:
            delivered, skipped = self._names, _NOBODY
            if listeners is not self._listeners:
                delivered = tuple([listener.name for listener in listeners])
                skipped = tuple([each.name for each in self._listeners if each not in listeners])
            if type(obj) is KubeObject:
                key, version = obj.key, obj.resource_version
            else:
                key, version = getattr(obj, "key", ""), version_of(obj)
            led_here, cause = cause, tap.next_seq()
            tap.append((
                cause, now, "notify.distribute", self._informer, get_ident(), kind, key, version, is_sync,
                delivered, skipped, led_here,
            ))  # fmt: skip
        notification: Notification = (kind, obj, old, is_sync, is_in_initial_list, now, cause)
        for listener in listeners:
            listener.add(notification)

    def upstream_has_synced(self) -> None:
        """The informer has synced: every listener's tracker learns of it."""
        with self._lock:
            self._upstream_synced = True
            listeners = [listener for listener in self._listeners if listener.watches_upstream]
        for listener in listeners:
            listener.tracker.upstream_has_synced()

    def watch_upstream(self, listener: ProcessorListener) -> None:
        """From now on, i.e. once its replay is queued, the listener learns that the informer has synced."""
        with self._lock:
            listener.watches_upstream = True
            synced = self._upstream_synced
        if synced:
            listener.tracker.upstream_has_synced()

    # resync --------------------------------------------------------------------------------------------

    def should_resync(self, lateness_s: float = 0.0) -> bool:
        """One tick: set every flag, move the due times of those that are due, tell whether any is (PL-3)."""

        def due(listener: ProcessorListener, now: float) -> bool:
            return listener.effective_s > 0 and now >= listener.next_resync_at

        return self._tick(due, lateness_s, forced=False)

    def force_resync(self) -> ResyncOutcome:
        """A tick on demand that treats every listener with an effective period as due (kdash extension)."""
        listeners = self._listeners
        queued = self._tick(lambda listener, _: listener.effective_s > 0, 0.0, forced=True)
        reached = tuple(listener.name for listener in listeners if listener.effective_s > 0)
        skipped = tuple(
            (listener.name, "its period is ignored: this informer does no resync" if listener.asked_s > 0
             else "it asked for no resync")
            for listener in listeners if listener.effective_s <= 0
        )  # fmt: skip
        return ResyncOutcome(reached, skipped, queued)

    def _tick(
        self, due: Callable[[ProcessorListener, float], bool], lateness_s: float, *, forced: bool
    ) -> bool:
        decisions = []
        needed = False
        with self._lock:
            self.tick += 1
            now = self._now()
            for listener in self._listeners:
                before = listener.next_resync_at
                listener.syncing = due(listener, now)
                if listener.syncing:
                    needed = True
                    listener.next_resync_at = now + listener.effective_s
                if self._tap is not None:
                    decisions.append((
                        listener.name, listener.asked_s, listener.effective_s, before, listener.syncing,
                        listener.next_resync_at,
                    ))  # fmt: skip
        if self._tap is not None:
            self._tap.emit(
                "resync.tick", self._informer, self.tick, lateness_s, tuple(decisions), needed, forced
            )
        return needed

    def resync_check_period_changed(self, check_period_s: float) -> None:
        """Recompute every effective period; due times stay as they are (PL-4)."""
        with self._lock:
            for listener in self._listeners:
                listener.effective_s = effective_period(listener.requested_s, check_period_s)

    def set_period(self, listener: ProcessorListener, period_s: float) -> None:
        """Give a listener a period and a due time one period from now (kdash extension)."""
        with self._lock:
            listener.requested_s = listener.effective_s = period_s
            listener.asked_s = period_s
            listener.wants_resync = listener.wants_resync or period_s > 0
            listener.next_resync_at = self._now() + period_s


class DistributingSink:
    """Turns processed deltas into notifications (client-go's `OnAdd`, `OnUpdate`, `OnDelete` of the
    informer).

    An update is a sync when both versions are equal, two empty ones included (SI-15).
    """

    def __init__(self, processor: SharedProcessor, detector: MutationDetector | None = None) -> None:
        self._distribute = processor.distribute
        self._detector = detector

    def added(self, obj: Any, is_in_initial_list: bool, cause: int) -> None:
        if self._detector is not None:
            self._detector.add_object(obj)
        self._distribute(ADD, obj, None, False, is_in_initial_list, cause)

    def updated(self, old: Any, new: Any, cause: int) -> None:
        if self._detector is not None:
            self._detector.add_object(new)
        try:
            is_sync = old.resource_version == new.resource_version
        except AttributeError:
            is_sync = False
        self._distribute(UPDATE, new, old, is_sync, False, cause)

    def deleted(self, obj: Any, cause: int) -> None:
        self._distribute(DELETE, obj, None, False, False, cause)
