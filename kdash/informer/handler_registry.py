"""Who listens to an informer: joining before and after the start, leaving, and the resync periods (SI-8 to
SI-16).

Contract:
- The informer's state that joining depends on (started, stopped, check period, default period) lives here,
  under `started_lock`; `block_deltas` stops all delta processing while a handler joins late or leaves, so
  that each object reaches a late handler either in its replay or as a delta, never both and never neither.
- Lock order: `started_lock` → `block_deltas` → the processor's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from kdash.informer.clock import Clock
from kdash.informer.errors import InformerError
from kdash.informer.handlers import ResourceEventHandler, check_handler, name_for_handler
from kdash.informer.listener import ADD, ProcessorListener
from kdash.informer.objects import KubeObject
from kdash.informer.processor import SharedProcessor
from kdash.informer.registration import HandlerRegistration
from kdash.informer.resync_periods import PeriodChange, decide_period
from kdash.informer.tap import Tap

__all__ = ["HandlerRegistry"]

_logger = logging.getLogger(__name__)


class HandlerRegistry:
    """The registrations of one informer."""

    def __init__(
        self,
        processor: SharedProcessor,
        block_deltas: threading.Lock,
        list_cache: Callable[[], list[KubeObject]],
        *,
        informer: str,
        default_period_s: float,
        clock: Clock,
        tap: Tap | None,
        on_crash: Callable[[BaseException], None] | None,
    ) -> None:
        self.started_lock = (
            threading.Lock()
        )  # guards all attributes without an underscore, and the registrations
        self.started = False
        self.stopped = False
        self.check_period_s = default_period_s
        self.default_period_s = default_period_s
        self._processor = processor
        self._block_deltas = block_deltas
        self._list_cache = list_cache
        self._informer = informer
        self._clock = clock
        self._tap = tap
        self._on_crash = on_crash
        self._registrations: list[HandlerRegistration] = []

    def add(
        self, handler: ResourceEventHandler, asked_s: float | None, name: str | None
    ) -> HandlerRegistration:
        """Let a handler join; see `SharedIndexInformer.add_event_handler`."""
        check_handler(handler)
        with self.started_lock:
            if self.stopped:
                raise InformerError(
                    f"handler {name or name_for_handler(handler)} was not added to shared informer because "
                    "it has stopped already"
                )
            return self._add(handler, self.default_period_s if asked_s is None else asked_s, name)

    def _add(self, handler: ResourceEventHandler, asked_s: float, name: str | None) -> HandlerRegistration:
        unique = self._unique_name(name or name_for_handler(handler))
        decision = decide_period(asked_s, self.check_period_s, self.started)
        if decision.check_period_s != self.check_period_s:
            self._change_check_period(decision.check_period_s, unique)
            self._processor.resync_check_period_changed(decision.check_period_s)
        listener = ProcessorListener(
            handler, name=unique, clock=self._clock, informer=self._informer,
            requested_s=decision.requested_s, effective_s=decision.effective_s, asked_s=asked_s,
            tap=self._tap, on_crash=self._on_crash,
        )  # fmt: skip
        replayed = 0
        if self.started:
            with self._block_deltas:
                replayed = self._join_late(listener)
        else:
            self._processor.add_listener(listener)
            self._processor.watch_upstream(listener)
        if decision.warning:
            _logger.warning("handler %s of informer %s: %s", unique, self._informer, decision.warning)
        if self._tap is not None:
            self._tap.emit(
                "listener.added", self._informer, unique, asked_s, decision.effective_s, decision.warning,
                self.started, replayed,
            )  # fmt: skip
        registration = HandlerRegistration(self, listener, decision.warning)
        self._registrations.append(registration)
        return registration

    def _unique_name(self, name: str) -> str:
        taken = {registration.name for registration in self._registrations}
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}#{number}", number + 1
        return unique

    def _join_late(self, listener: ProcessorListener) -> int:
        """Replay the cache to a listener that comes after the start (SI-13)."""
        self._processor.add_listener(listener)
        now = self._clock.monotonic()
        objects = self._list_cache()
        for obj in objects:
            listener.add((ADD, obj, None, False, True, now, 0))
        self._processor.watch_upstream(listener)
        return len(objects)

    def remove(self, registration: HandlerRegistration) -> None:
        """Let a handler go; nothing happens for one that is not registered here."""
        with self.started_lock:
            if registration in self._registrations:
                self._registrations.remove(registration)
                with self._block_deltas:
                    self._processor.remove_listener(registration.listener)

    def registrations(self) -> list[HandlerRegistration]:
        """The present handlers, oldest first."""
        with self.started_lock:
            return list(self._registrations)

    def close(self) -> None:
        """The informer has stopped: nobody joins any more."""
        with self.started_lock:
            self.stopped = True
            self._registrations.clear()

    # periods while running (kdash extensions) ----------------------------------------------------------

    def set_period(self, period_s: float, registration: HandlerRegistration | None) -> PeriodChange:
        """Change periods in place: one handler, or all that once asked for resync."""
        with self.started_lock:
            concerned = self._concerned(registration)
            for each in concerned:
                self._processor.set_period(each.listener, period_s)
                self._emit_period(each, "direct")
            check_s = self.check_period_s
            if registration is None:
                check_s = period_s
            elif period_s > 0:
                check_s = min(check_s, period_s) if check_s > 0 else period_s
            if check_s != self.check_period_s:
                self._change_check_period(check_s, registration.name if registration else "")
            return self._change("direct", concerned)

    def readd_with_period(self, period_s: float, registration: HandlerRegistration | None) -> PeriodChange:
        """Change periods as client-go allows: remove each handler and add it again."""
        with self.started_lock:
            concerned = self._concerned(registration)
        added = []
        for each in concerned:
            self.remove(each)
            added.append(self.add(each.handler, period_s, each.name))
            self._emit_period(added[-1], "faithful")
        return self._change("faithful", added, tuple(added))

    def _concerned(self, registration: HandlerRegistration | None) -> list[HandlerRegistration]:
        if registration is None:
            return [each for each in self._registrations if each.listener.wants_resync]
        return [each for each in self._registrations if each is registration]

    def _change(
        self, how: str, changed: list[HandlerRegistration], added: tuple[HandlerRegistration, ...] = ()
    ) -> PeriodChange:
        handlers = tuple((each.name, each.requested_period_s, each.effective_period_s) for each in changed)
        return PeriodChange(how, self.check_period_s, handlers, added)

    def _change_check_period(self, check_period_s: float, by: str) -> None:
        if self._tap is not None:
            self._tap.emit("informer.check_period", self._informer, self.check_period_s, check_period_s, by)
        self.check_period_s = check_period_s

    def _emit_period(self, registration: HandlerRegistration, how: str) -> None:
        if self._tap is not None:
            listener = registration.listener
            due_at = listener.next_resync_at if listener.effective_s > 0 else None
            self._tap.emit(
                "listener.period",
                self._informer,
                listener.name,
                listener.asked_s,
                listener.effective_s,
                due_at,
                how,
            )
