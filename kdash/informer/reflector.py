"""The reflector: keeps a store equal to a collection on an API server (client-go `Reflector`).

Contract:
- All decisions are `reflector_machine.ReflectorMachine`'s; read there what happens when. This module
  carries its effects out: one thread, `kdash-reflector-NAME` (or the caller of `run`), does every request
  and every write to the store but `resync`, which the timer's thread does.
- Every wait and every request ends at once on `stop`, `force_relist` and `rewatch` where these apply.
- No lock is held during a request, a store call or the watch-error handler. Public methods may be called
  from any thread and do not block, but for `run` and `join`.
- The version that `last_sync_resource_version` tells is that of the last event handed to the store: it
  runs ahead of what the store's readers see (RF-47).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any, cast

from kdash.informer import reflector_effects as fx
from kdash.informer.backoff import Backoff
from kdash.informer.clock import Clock, SystemClock, new_random
from kdash.informer.errors import ApiStatusError
from kdash.informer.event_filter import EventFilter
from kdash.informer.list_watch import (
    CancelToken,
    ListerWatcher,
    RewatchingListerWatcher,
    WatchEvent,
    WatchStream,
    asks_for_metadata_only,
    can_watch_anew,
)
from kdash.informer.objects import KubeObject
from kdash.informer.patience import SYNC_PATIENCE_S
from kdash.informer.reflector_machine import ReflectorMachine
from kdash.informer.reflector_requests import MINIMUM_WATCH_TIMEOUT_S, RequestRules, supports_watch_list
from kdash.informer.reflector_states import Watching
from kdash.informer.reflector_writer import (
    ReflectorStore,
    ReflectorWriter,
    WatchErrorHandler,
    default_watch_error_handler,
)
from kdash.informer.resync_timer import ResyncTimer
from kdash.informer.tap import Tap
from kdash.informer.watch_guard import WatchGuard
from kdash.informer.watch_silence import SilenceRules

__all__ = ["Reflector", "ReflectorStore", "WatchErrorHandler", "default_watch_error_handler"]


class Reflector:
    """Lists and watches through `lister_watcher` and writes what it sees to `store`."""

    def __init__(
        self,
        lister_watcher: ListerWatcher,
        store: ReflectorStore,
        *,
        name: str,
        expected_api_version: str = "",
        expected_kind: str = "",
        resync_period_s: float = 0.0,
        should_resync: Callable[[float], bool] | None = None,
        tick_number: Callable[[], int] | None = None,
        use_watch_list: bool = True,
        page_size: int = 0,
        max_cache: int = 0,
        min_watch_timeout_s: float = MINIMUM_WATCH_TIMEOUT_S,
        watch_error_handler: WatchErrorHandler | None = None,
        transform: Callable[[KubeObject], KubeObject] | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        tap: Tap | None = None,
        backoff: Backoff | None = None,
        max_internal_error_retry_s: float = 0.0,
        sync_patience_s: float = SYNC_PATIENCE_S,
        silence: SilenceRules | None = None,
    ) -> None:
        """Nothing happens before `run` or `start`.

        `should_resync` is asked with the tick's lateness in seconds and emits the `resync.tick` record
        itself; None resyncs at every tick. `tick_number` tells that record's number. `transform` is
        the store's own, for the temporary store of a
        watch-list (RF-22). `page_size` 0 leaves the choice to client-go's rules (RF-14). `use_watch_list`
        is ignored when the lister-watcher declares that it has no watch-list semantics (RF-4).

        Extensions: `sync_patience_s` without a further initial object or the end marker give a watch-list
        up for a list (0: never, as client-go). `silence` says when a silent watch is opened a second time
        (None: never, as client-go); it needs a lister-watcher with `watch_anew`.
        """
        self.name = name
        self._lister_watcher = lister_watcher
        self._store = store
        self._clock = clock or SystemClock()
        rng = rng or new_random()
        self._tap = tap
        self._should_resync = should_resync
        self._tick_number = tick_number
        self._writer = ReflectorWriter(
            store, name=name, tap=tap, handle_error=watch_error_handler or default_watch_error_handler,
            stopping=lambda: self._stopping,
        )  # fmt: skip
        self._rules = RequestRules(page_size, min_watch_timeout_s, max_cache)
        self._machine = ReflectorMachine(
            name=name,
            event_filter=EventFilter(expected_api_version, expected_kind, asks_for_metadata_only(lister_watcher)),
            transform=transform,
            now=self._clock.monotonic(),
            rng=rng,
            rules=self._rules,
            use_watch_list=use_watch_list and supports_watch_list(lister_watcher),
            backoff=backoff,
            max_internal_error_retry_s=max_internal_error_retry_s,
            sync_patience_s=sync_patience_s,
        )
        self._rng = rng
        self._guard = self._new_guard(silence)
        if self._guard is not None:
            self._writer.on_bookmark = self._guard.bookmark
        self._timer = ResyncTimer(
            name=name, period_s=resync_period_s, tick=self._tick, on_error=self._resync_failed,
            on_alarm=self._end_bookmark_alarm, clock=self._clock, tap=tap,
        )  # fmt: skip
        self._condition = threading.Condition()  # guards the six attributes that follow
        self._orders: list[fx.Input] = []
        self._resync_error: tuple[int, Exception] | None = None
        self._interrupt: Callable[[], None] | None = None
        self._started = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._ticks = 0
        self._awaited = (0.0, fx.AwaitEndBookmark(0.0, 0.0, 0))  # since when, and what; replaced as one
        self._stream: WatchStream | None = None  # only the reflector's thread
        self._carry: dict[type, Callable[[Any], None]] = {
            fx.StartResync: lambda effect: self._timer.start_session(effect.session),
            fx.StopResync: lambda effect: self._timer.stop_session(effect.why),
            fx.AwaitEndBookmark: self._await_end_bookmark,
            fx.CloseStream: lambda _: self._close_stream(),
        }
        self._fulfil: dict[type, Callable[[Any], fx.Input | None]] = {
            fx.SendList: self._send_list,
            fx.OpenWatch: self._open_watch,
            fx.ReadEvents: self._read_events,
            fx.Replace: self._writer.replace,
            fx.Sleep: self._sleep,
        }

    # life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run in a thread of its own. Raises RuntimeError when called twice."""
        with self._condition:
            if self._thread is not None:
                raise RuntimeError(f"reflector {self.name} was started already")
            self._thread = threading.Thread(target=self.run, name=f"kdash-reflector-{self.name}", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """List and watch until `stop`. Blocks; can be called once (RuntimeError)."""
        with self._condition:
            if self._started:
                raise RuntimeError(f"reflector {self.name} was started already")
            self._started = True
        try:
            request = self._step(self._take_order() or fx.Start())
            while type(request) is not fx.Finished:
                request = self._step(self._await(request))
        finally:
            self._timer.stop()
            if self._guard is not None:
                self._guard.stop()
            self._close_stream()

    def _step(self, given: fx.Input) -> fx.Effect:
        """Give the machine one input and carry its answer out, up to the request, which is returned."""
        machine, writer = self._machine, self._writer
        effects = machine.handle(self._clock.monotonic(), given)
        writer.session = machine.session
        request = effects.pop()
        for effect in effects:
            if not writer.write(effect):
                self._carry[type(effect)](effect)
        effects.clear()  # so that nobody keeps the batch alive while the next one is awaited
        writer.version = machine.version.last
        return request

    def stop(self) -> None:
        """Ask it to end; returns at once, see `join`. Any number of times, also before `start`."""
        with self._condition:
            self._stopping = True
            interrupt = self._interrupt
            self._condition.notify_all()
        self._timer.stop()
        if self._guard is not None:
            self._guard.stop()
        if interrupt is not None:
            interrupt()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for its threads; False when `timeout_s` (each) passed first."""
        thread = self._thread
        ended = True
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
            ended = not thread.is_alive()
        if self._guard is not None:
            ended = self._guard.join(timeout_s) and ended
        return self._timer.join(timeout_s) and ended

    def last_sync_resource_version(self) -> str:
        """The version of the last event, list or bookmark handed to the store; "" before the first."""
        return self._writer.version

    # orders (kdash extensions) -------------------------------------------------------------------------

    def force_relist(self, *, direct: bool = False, quorum: bool = False) -> bool:
        """Fetch the full state again; False when that is under way already or the reflector has ended.

        By default it goes the way of an injected 410: close, back off, list at the last version. `direct`
        leaves the delay out, also while backing off. `quorum` asks for the newest state instead of the
        last version.
        """
        return self._order(fx.ForceRelist(direct, quorum))

    def rewatch(self) -> bool:
        """End the stream as a server's time-out would; False when no watch is open."""
        return self._order(fx.EndWatch())

    def resync_now(self) -> bool:
        """Put the cache through the queue once, now, without asking `should_resync`; False after `stop`.

        The timer's own schedule stays. Callers that keep flags per listener set them before.
        """
        return self._timer.tick_now()

    def set_resync_period(self, seconds: float) -> None:
        """Change the period of the ticks; the timer starts anew from zero. 0: no more ticks."""
        self._timer.set_period(seconds)

    @property
    def resync_period_s(self) -> float:
        """Seconds between ticks; 0: never."""
        return self._timer.period_s

    @property
    def resync_due_at(self) -> float | None:
        """Monotonic instant of the next tick; None while there is no timer (no session, or period 0)."""
        return self._timer.due_at

    def _order(self, order: fx.Input) -> bool:
        with self._condition:
            if self._stopping or not self._machine.accepts(order):
                return False
            self._orders.append(order)
            interrupt = self._interrupt
            self._condition.notify_all()
        if interrupt is not None:
            interrupt()
        return True

    def _take_order(self) -> fx.Input | None:
        """The order that the machine is to get next; orders that have no meaning any more are dropped."""
        with self._condition:
            if self._stopping:
                return fx.Stop()
            while self._orders:
                order = self._orders.pop(0)
                if self._machine.accepts(order):
                    return order
            failed = self._resync_failure()
            if failed is not None:
                self._resync_error = None
            return failed

    def _resync_failure(self) -> fx.ResyncFailed | None:
        """A failed resync of this session, once the machine can take it: while the watch is read (RF-43)."""
        if self._resync_error is None:
            return None
        session, error = self._resync_error
        failed = fx.ResyncFailed(error)
        if session != self._machine.session:
            self._resync_error = None
            return None
        return failed if self._machine.accepts(failed) else None

    # requests ------------------------------------------------------------------------------------------

    def _await(self, request: fx.Effect) -> fx.Input:
        """Do what the machine asks for; the answer is the outcome, or an order that came before it."""
        while True:
            answer = self._take_order() or self._fulfil[type(request)](request)
            with self._condition:
                self._interrupt = None
            answer = self._take_order() or answer
            if answer is not None:
                return answer

    def _arm(self, interrupt: Callable[[], None]) -> bool:
        """Say how to interrupt what comes now; False when an order is waiting."""
        with self._condition:
            if self._stopping or self._orders or self._resync_failure() is not None:
                return False
            self._interrupt = interrupt
            return True

    def _send_list(self, request: fx.SendList) -> fx.Input | None:
        cancel = CancelToken()
        if not self._arm(cancel.cancel):
            return None
        try:
            return fx.PageArrived(self._lister_watcher.list(request.options, cancel))
        except Exception as error:
            return fx.ListFailed(error)

    def _open_watch(self, request: fx.OpenWatch) -> fx.Input | None:
        cancel = CancelToken()
        if not self._arm(cancel.cancel):
            return None
        try:
            stream = self._lister_watcher.watch(request.options, cancel)
        except Exception as error:
            return fx.WatchOpenFailed(error)
        self._stream = stream if self._guard is None else self._guard.guard(stream)
        return fx.WatchOpened()

    def _read_events(self, _: fx.ReadEvents) -> fx.Input | None:
        stream = self._stream
        if stream is None:
            return fx.StreamEnded()
        if not self._arm(stream.stop):
            return None
        try:
            events = stream.next_batch()
        except Exception as error:
            status = ApiStatusError(500, "InternalError", f"unable to read the watch stream: {error}")
            return fx.EventsArrived((WatchEvent("ERROR", None, status),))
        return fx.EventsArrived(events) if events else fx.StreamEnded()

    def _sleep(self, request: fx.Sleep) -> fx.Input:
        until = self._clock.monotonic() + request.delay.seconds
        with self._condition:
            while (order := self._take_order()) is None:
                left_s = until - self._clock.monotonic()
                if left_s <= 0 or not self._clock.wait(self._condition, left_s):
                    return fx.TimerFired()
            return order

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()

    # a silent watch (the guard's thread) ---------------------------------------------------------------

    def _new_guard(self, silence: SilenceRules | None) -> WatchGuard | None:
        if silence is None or not can_watch_anew(self._lister_watcher):
            return None
        return WatchGuard(
            name=self.name, open_second=self._open_second, clock=self._clock, rng=self._rng, tap=self._tap,
            is_watching=lambda: type(self._machine.state) is Watching and self._writer.version not in ("", "0"),
            session=lambda: self._writer.session, rules=silence,
        )  # fmt: skip

    def _open_second(self, cancel: CancelToken, within_s: float) -> WatchStream:
        rules, version = self._rules, self._writer.version
        lister_watcher = cast("RewatchingListerWatcher", self._lister_watcher)
        return lister_watcher.watch_anew(rules.watch(version, rules.timeout_s(self._rng)), cancel, within_s)

    # the end of a watch-list (the timer's thread) -----------------------------------------------------------

    def _await_end_bookmark(self, effect: fx.AwaitEndBookmark) -> None:
        self._awaited = (self._clock.monotonic(), effect)
        self._timer.set_alarm(effect.tell_s)

    def _end_bookmark_alarm(self) -> None:
        if not self._machine.accepts(fx.EndBookmarkMissing()):
            return
        since, awaited = self._awaited
        silent_s, patience_s = self._clock.monotonic() - since, awaited.patience_s
        if patience_s and silent_s >= patience_s:
            self._order(fx.EndBookmarkMissing())
            return
        if silent_s >= awaited.tell_s and self._tap is not None:
            self._tap.emit("watchlist.waiting", self.name, self._writer.session, awaited.objects, silent_s)
        left_s = patience_s - silent_s if patience_s else awaited.tell_s
        self._timer.set_alarm(min(awaited.tell_s, left_s))

    # resync (the timer's thread) -----------------------------------------------------------------------

    def _tick(self, lateness_s: float, forced: bool) -> None:
        self._ticks += 1
        needed = True
        if self._should_resync is None:
            if self._tap is not None:
                self._tap.emit("resync.tick", self.name, self._ticks, lateness_s, (), True, forced)
        elif not forced:
            needed = self._should_resync(lateness_s)
        if needed:
            self._store.resync(self._ticks if self._tick_number is None else self._tick_number())

    def _resync_failed(self, session: int, error: Exception) -> None:
        if not session:
            self._writer.report(fx.ReportError("resync", error, False))
            return
        with self._condition:
            self._resync_error = (session, error)
            interrupt = self._interrupt if self._machine.accepts(fx.ResyncFailed(error)) else None
        if interrupt is not None:
            interrupt()
