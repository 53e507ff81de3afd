"""One cache and one watch for many handlers (client-go `sharedIndexInformer`; SI-1 to SI-17).

Contract:
- Every handler gets, in order and in a thread of its own: one add per object that is in the cache when it
  joins, then each change exactly once. Slow handlers hold nobody up; their backlog grows instead.
- The cache is ahead of the handlers: it may be newer than the event a handler looks at.
- Locks, always in this order: the registry's → `_block_deltas` → the processor's → a listener's buffer. The
  queue's own lock comes before `_block_deltas`; it is never taken while that is held. No lock is held while a
  handler runs.
- `run` takes the calling thread until `stop`; `start` runs it in a thread.
- `resync_now`, `force_relist`, `rewatch`, `set_resync_period` and the relist period are kdash extensions:
  client-go has none of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kdash.informer.clock import Clock, SystemClock, new_random
from kdash.informer.controller import Controller, ControllerConfig
from kdash.informer.errors import InformerError
from kdash.informer.gate import Gate
from kdash.informer.handler_registry import HandlerRegistry
from kdash.informer.handlers import ResourceEventHandler, ResourceEventHandlerFuncs
from kdash.informer.indexer import Indexer, Indexers, new_indexer
from kdash.informer.informer_options import CLIENT_GO_VERSIONS, SharedIndexInformerOptions
from kdash.informer.list_watch import CancelToken, ListerWatcher
from kdash.informer.listers import Lister
from kdash.informer.metrics import metered
from kdash.informer.mutation_detector import MutationDetector
from kdash.informer.objects import KubeObject
from kdash.informer.periodic import PeriodicCall
from kdash.informer.process_deltas import DeltaProcessor
from kdash.informer.processor import DistributingSink, SharedProcessor
from kdash.informer.queue.engines import new_queue
from kdash.informer.queue.protocol import ProcessBatchFunc, ProcessFunc, Queue
from kdash.informer.reflector import Reflector, WatchErrorHandler
from kdash.informer.reflector_requests import supports_watch_list
from kdash.informer.registration import HandlerRegistration
from kdash.informer.resync_periods import PeriodChange, ResyncOutcome, seconds
from kdash.informer.wait import DoneFlag
from kdash.informer.watch_silence import silence_rules

__all__ = ["SharedIndexInformer"]

_logger = logging.getLogger(__name__)


class SharedIndexInformer:
    """A cache with handlers. All methods may be called from any thread unless they say otherwise."""

    def __init__(self, lister_watcher: ListerWatcher, options: SharedIndexInformerOptions | None = None) -> None:
        options = options or SharedIndexInformerOptions()
        self.options = options
        self.name = options.name or (options.resource.name if options.resource else "informer")
        self.indexer: Indexer = new_indexer(options.key_func, options.indexers, packed=options.packed)
        self.indexer.tracks_resource_version = options.queue == "real-atomic"
        self._lister_watcher = lister_watcher
        self._clock: Clock = options.clock or SystemClock()
        self._rng = options.rng or new_random()
        self._tap = options.tap
        self._block_deltas = threading.Lock()  # held while deltas are processed and while handlers join or leave
        self._processor = SharedProcessor(clock=self._clock, tap=self._tap, informer=self.name)
        self._registry = HandlerRegistry(
            self._processor, self._block_deltas, self.indexer.list, informer=self.name,
            default_period_s=options.resync_period_s, clock=self._clock, tap=self._tap,
            on_crash=self._crashed if options.crash_through else None,
        )  # fmt: skip
        self._detector = MutationDetector.from_environment(self.name, self._clock)
        self._deltas = DeltaProcessor(
            self.indexer, DistributingSink(self._processor, self._detector), self._block_deltas,
            key_func=options.key_func, tap=self._tap, informer=self.name, versions=options.versions,
        )  # fmt: skip
        self._transform: Callable[[KubeObject], Any] | None = None
        self._watch_error_handler: WatchErrorHandler | None = None
        self._synced = DoneFlag(self.name)
        self._stop = CancelToken()
        self._ending = CancelToken()  # of the present run: the caller's stop, or a crash
        self._crash: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._controller: Controller | None = None
        self.gate = Gate(clock=self._clock, tap=self._tap, informer=self.name)
        self._emit("created", "")

    # before the start ----------------------------------------------------------------------------------

    def set_transform(self, transform: Callable[[KubeObject], Any] | None) -> None:
        """Change every object before it is queued (client-go `SetTransform`).

        Raises `InformerError` once started. A transform that raises loses that change until the next relist.
        """
        with self._registry.started_lock:
            self._refuse_once_started()
            self._transform = transform

    def set_watch_error_handler(self, handler: WatchErrorHandler | None) -> None:
        """Who is told when a list, the opening of a watch or a replace failed (client-go
        `SetWatchErrorHandler`).

        Errors inside a stream never reach it. Raises `InformerError` once started.
        """
        with self._registry.started_lock:
            self._refuse_once_started()
            self._watch_error_handler = handler

    def _refuse_once_started(self) -> None:
        if self._registry.started:
            raise InformerError(f"informer {self.name} has already started")

    def add_indexers(self, indexers: Indexers) -> None:
        """Add indexes, also while running. Raises `InformerError` after the stop or on a name that is taken.
        """
        with self._registry.started_lock:
            if self._registry.stopped:
                raise InformerError(f"informer {self.name} has stopped already: no index can be added")
            self.indexer.add_indexers(indexers)

    # running -------------------------------------------------------------------------------------------

    def start(self, stop: CancelToken | None = None) -> None:
        """Run in a thread of its own until `stop`, or until the method `stop`, whichever comes first."""
        if stop is not None:
            stop.on_cancel(self._stop.cancel)
        thread = threading.Thread(target=self._run_in_thread, name=f"informer {self.name}", daemon=True)
        with self._registry.started_lock:
            if self._thread is None:
                self._thread = thread
        thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Stop what `start` started and wait for its end; False when a request or a handler outlasts
        `timeout_s`. From a handler or a callback of this informer: see `join`.
        """
        self._stop.cancel()
        return self.join(timeout_s)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of what `start` started; True when it has ended.

        In a thread of the informer's own (a handler, an `on_done` callback) there is nothing to wait for: False at
        once. With `crash_through` it raises what ended the informer.
        """
        thread = self._thread
        if thread is None:
            return True
        if thread is threading.current_thread() or self._processor.is_own_thread():
            return False
        thread.join(timeout_s)
        if thread.is_alive():
            return False
        if self._crash is not None:
            raise self._crash
        return True

    def _run_in_thread(self) -> None:
        try:
            self.run(self._stop)
        except BaseException as error:
            if not self.options.crash_through:
                raise
            self._crash = error  # `join` raises it

    def _crashed(self, error: BaseException) -> None:
        """A handler raised, and `crash_through` is on: the informer ends, and `run` raises it."""
        self._crash = self._crash or error
        self._ending.cancel()

    def run(self, stop: CancelToken) -> None:
        """List, watch and process in this thread until `stop`; then end the handlers' threads and return.

        A second call logs a warning and returns at once (client-go `Run`). With `crash_through`, the first exception of
        a handler ends the run and is raised here (client-go re-panics, which ends the program).
        """
        with self._registry.started_lock:
            if self._registry.started:
                _logger.warning("informer %s has started already: run called again", self.name)
                self._emit("second_run_warning", "")
                return
            self._controller = self._new_controller()
            self._registry.started = True
        ending = self._ending
        forget_stop = stop.on_cancel(ending.cancel)
        forget = ending.on_cancel(lambda: self._emit("stopping", ""))
        self._emit("started", "")
        self._emit_engine()
        if self._detector is not None:
            self._detector.start()
        self._controller.config.queue.on_synced(self._queue_synced)
        self._processor.start()
        relists = PeriodicCall(self.force_relist, self.options.relist_period_s, self._clock, f"relist {self.name}")
        relists.start()
        try:
            self._controller.run(ending)
        finally:
            forget_stop()
            forget()
            relists.stop()
            self._wind_up()
        if self._crash is not None:
            raise self._crash

    def _wind_up(self) -> None:
        self._registry.close()
        for listener in self._processor.stop():
            listener.join()
        if self._detector is not None:
            self._detector.stop()
        self._emit("stopped", "")

    def _new_controller(self) -> Controller:
        options = self.options
        queue = new_queue(
            options.queue, name=self.name, known_objects=self.indexer, transform=self._transform,
            tap=self._tap, clock=self._clock, key_func=options.key_func, on_idle=self.indexer.pack_pending,
        )  # fmt: skip
        process: ProcessFunc = self._deltas.process
        process_batch: ProcessBatchFunc = self._deltas.process_batch
        if options.metrics is not None:
            version = self.indexer.last_store_sync_resource_version
            queue.on_depth = options.metrics.queued_items
            process = metered(process, options.metrics, version, self._clock)
            process_batch = metered(process_batch, options.metrics, version, self._clock)
        return Controller(
            ControllerConfig(
                name=self.name, queue=queue, make_reflector=lambda: self._new_reflector(queue),
                process=process, process_batch=process_batch, clock=self._clock,
                crash_through=options.crash_through, gate=self.gate,
            )
        )  # fmt: skip

    def _new_reflector(self, queue: Queue) -> Reflector:
        options = self.options
        resource = options.resource
        return Reflector(
            self._lister_watcher, queue, name=self.name,
            expected_api_version=resource.api_version if resource else "",
            expected_kind=resource.kind if resource else "",
            resync_period_s=self._registry.check_period_s, should_resync=self._processor.should_resync,
            tick_number=lambda: self._processor.tick,
            use_watch_list=options.watch_list, page_size=options.page_size, max_cache=options.max_cache,
            min_watch_timeout_s=options.min_watch_timeout_s, watch_error_handler=self._watch_error_handler,
            transform=self._transform, clock=self._clock, rng=self._rng, tap=self._tap,
            sync_patience_s=options.sync_patience_s, silence=silence_rules(options.stall_after_s),
        )  # fmt: skip

    def _queue_synced(self) -> None:
        """The queue's latch has turned.

        DeltaFIFO turns it before its last initial entry is processed. Who waits for the informer shall find
        that entry in the cache, so the news is passed on after it.
        """
        if self.options.queue == "delta" and self._controller and self._controller.is_own_thread():
            self._deltas.afterwards = self._announce_sync
        else:
            self._announce_sync()

    def _announce_sync(self) -> None:
        self._emit("synced", "")
        self._synced.set()
        self._processor.upstream_has_synced()

    # state ---------------------------------------------------------------------------------------------

    def has_synced(self) -> bool:
        """The first list is in the cache. Says nothing about handlers: see `HandlerRegistration.has_synced`.
        """
        return self._synced.is_done()

    def is_done(self) -> bool:
        """`has_synced`, in the words of a `DoneChecker` for `wait_for`."""
        return self._synced.is_done()

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the informer has synced, at once if it has."""
        self._synced.on_done(callback)

    def is_started(self) -> bool:
        """Whether `run` was called; stays true after the stop."""
        return self._registry.started

    def is_stopped(self) -> bool:
        """Whether the reflector and the process loop have ended."""
        return self._registry.stopped

    def last_sync_resource_version(self) -> str:
        """Version of the newest event that was queued, "" before the start. It runs ahead of the cache."""
        return "" if self._controller is None else self._controller.last_sync_resource_version()

    @property
    def check_period_s(self) -> float:
        """How often the informer looks for handlers that are due (client-go `resyncCheckPeriod`); 0: never.
        """
        return self._registry.check_period_s

    @property
    def queue(self) -> Queue | None:
        """The delta queue; None before the start."""
        return None if self._controller is None else self._controller.config.queue

    @property
    def reflector(self) -> Reflector | None:
        """The reflector; None before the start."""
        return None if self._controller is None else self._controller.reflector

    def lister(self, *, once_started: bool = False) -> Lister:
        """Reads the cache, never the server. `once_started`: reading raises `InformerError` before the start."""
        name = self.options.resource.name if self.options.resource else self.name
        return Lister(self.indexer, name, self.is_started if once_started else None)

    # handlers ------------------------------------------------------------------------------------------

    def add_event_handler(
        self,
        on_add: Callable[..., None] | None = None,
        on_update: Callable[[KubeObject, KubeObject], None] | None = None,
        on_delete: Callable[[Any], None] | None = None,
        *,
        on_add_detailed: Callable[[KubeObject, bool], None] | None = None,
        handler: ResourceEventHandler | None = None,
        resync_period: timedelta | float | None = None,
        name: str | None = None,
    ) -> HandlerRegistration:
        """Register functions, or a `handler` object; before or after the start (client-go
        `AddEventHandler…`).

        `resync_period`: None takes the informer's default, 0 means none; wishes under 1 s become 1 s, and
        after the start no wish goes below the check period. `on_add` may take `(obj)` or `(obj,
        is_in_initial_list)`. Raises `InformerError` after the stop.
        """
        if handler is None:
            handler = ResourceEventHandlerFuncs(on_add, on_update, on_delete, on_add_detailed)
        elif on_add or on_update or on_delete or on_add_detailed:
            raise TypeError("give either functions or a handler object, not both")
        return self._registry.add(handler, seconds(resync_period), name)

    def remove_event_handler(self, registration: HandlerRegistration) -> None:
        """Take a handler off; its backlog is dropped, its running callback ends by itself (SI-16).

        Nothing happens for one that is removed already, belongs to another informer, or after the stop.
        """
        self._registry.remove(registration)

    def shut_down_event_handler(
        self, registration: HandlerRegistration, timeout_s: float | None = None
    ) -> bool:
        """`remove_event_handler`, then wait for the running callback; False when `timeout_s` passed first.

        Raises `InformerError` when called by that handler itself (client-go would wait for ever).
        """
        return registration.shut_down(timeout_s)

    def registrations(self) -> list[HandlerRegistration]:
        """The present handlers, oldest first."""
        return self._registry.registrations()

    # kdash extensions ----------------------------------------------------------------------------------

    def resync_now(self) -> ResyncOutcome:
        """Replay the cache now to every handler with an effective resync period; no request is made.

        Their due times move on as after a regular tick. When no handler asks for resync nothing is queued.
        """
        reflector = self.reflector
        if reflector is None or self._registry.stopped:
            why = "the informer has stopped" if self._registry.stopped else "the informer has not started"
            return ResyncOutcome((), tuple((each.name, why) for each in self.registrations()), False)
        outcome = self._processor.force_resync()
        if outcome.queued:
            reflector.resync_now()
        return outcome

    def force_relist(self, *, direct: bool = False, quorum: bool = False) -> bool:
        """Fetch the whole state anew, by list or streaming watch; False when that is under way or nothing
        runs.

        By default it goes the way of an expired version: close the watch, back off, ask for the last version.
        `direct` leaves the delay out, `quorum` asks for the newest state.
        """
        return self._order(lambda reflector: reflector.force_relist(direct=direct, quorum=quorum))

    def rewatch(self) -> bool:
        """Close the watch and open a new one from the last version; False when no watch is open."""
        return self._order(lambda reflector: reflector.rewatch())

    def _order(self, order: Callable[[Reflector], bool]) -> bool:
        reflector = self.reflector
        return reflector is not None and not self._registry.stopped and order(reflector)

    def hold(self, *, entries: bool = True, handlers: bool = True) -> None:
        """Hold the queue before pop, the handlers before a call, or both (see `gate`)."""
        if entries:
            self.gate.hold()
        if handlers:
            self._processor.hold()

    def release(self) -> None:
        """Let everything go on."""
        self.gate.release()
        self._processor.release()

    def set_resync_period(
        self, period: timedelta | float, registration: HandlerRegistration | None = None, how: str = "direct"
    ) -> PeriodChange:
        """Give a handler, or every handler that once asked for resync, another period while running; 0: none.

        `direct` changes the check period and the due times in place and re-arms the timer. `faithful` does
        what client-go allows: remove the handler and add it again, with a replay of the cache and never below
        the check period that was frozen at the start. The answer says what each handler has got.
        """
        period_s = seconds(period) or 0.0
        if how == "faithful":
            return self._registry.readd_with_period(period_s, registration)
        if how != "direct":
            raise ValueError(f'how is "direct" or "faithful", not "{how}"')
        change = self._registry.set_period(period_s, registration)
        if (reflector := self.reflector) is not None:
            reflector.set_resync_period(change.check_period_s)
        return change

    def _emit_engine(self) -> None:
        if self._tap is not None:
            wanted = self.options.watch_list
            supported = supports_watch_list(self._lister_watcher)
            why = "" if wanted and supported else "turned off" if not wanted else "the lister-watcher has none"
            engine = self.options.queue
            self._tap.emit(
                "config.engine", self.name, engine, CLIENT_GO_VERSIONS[engine], wanted and supported, why
            )

    def _emit(self, what: str, detail: str) -> None:
        if self._tap is not None:
            self._tap.emit("informer.lifecycle", self.name, what, detail)
