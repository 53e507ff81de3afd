"""The informer's own parts, wired as `SharedIndexInformer` wires them, without a thread.

The queue, the delta processing, the processor, the listeners, the registry and the reflector's machine are the real
ones; only the three loops that threads run (reflector driver, process loop, listener) are turned into steps.
"""

from __future__ import annotations

import math
import random
import threading
from typing import Any

from kdash.informer import reflector_effects as fx
from kdash.informer.clock import VirtualClock
from kdash.informer.event_filter import EventFilter
from kdash.informer.gate import Gate
from kdash.informer.handler_registry import HandlerRegistry
from kdash.informer.indexer import new_indexer
from kdash.informer.process_deltas import DeltaProcessor
from kdash.informer.processor import DistributingSink, SharedProcessor
from kdash.informer.queue.engines import new_queue
from kdash.informer.reflector_machine import ReflectorMachine
from kdash.informer.reflector_requests import MINIMUM_WATCH_TIMEOUT_S, RequestRules
from kdash.informer.reflector_writer import ReflectorWriter
from tests.simulation.server import API_VERSION, KIND, Server, Stream

_STALL_S = 600.0


class SteppedInformer:
    """One informer whose every step is a method call."""

    def __init__(self, server: Server, clock: VirtualClock, rng: random.Random, engine: str, resync_s: float,
                 watch_list: bool) -> None:  # fmt: skip
        self._server = server
        self._clock = clock
        self.check_period_s = resync_s
        self.indexer = new_indexer(packed=False)
        self.queue = new_queue(engine, name="sim", known_objects=self.indexer, clock=clock)
        self.gate = Gate(clock=clock, informer="sim")
        self.processor = SharedProcessor(clock=clock, informer="sim")
        block_deltas = threading.Lock()
        self.registry = HandlerRegistry(
            self.processor, block_deltas, self.indexer.list, informer="sim", default_period_s=resync_s, clock=clock,
            tap=None, on_crash=None,
        )  # fmt: skip
        self._deltas = DeltaProcessor(
            self.indexer, DistributingSink(self.processor, None), block_deltas, informer="sim"
        )
        self.queue.on_synced(self.processor.upstream_has_synced)
        self._writer = ReflectorWriter(
            self.queue, name="sim", tap=None, handle_error=lambda error: None, stopping=lambda: False
        )
        self.machine = ReflectorMachine(
            name="sim", event_filter=EventFilter(API_VERSION, KIND), now=clock.monotonic(), rng=rng,
            rules=RequestRules(0, MINIMUM_WATCH_TIMEOUT_S), use_watch_list=watch_list,
        )  # fmt: skip
        self.stream: Stream | None = None
        self.tick_due_at: float | None = None
        self.replaces = 0
        self.ticks = 0
        self._sleep_until = 0.0
        self._patience_until = 0.0
        self._silent_since = 0.0
        self.request: fx.Effect = fx.Finished()

    # the reflector -------------------------------------------------------------------------------------

    def start(self) -> None:
        self.registry.started = True
        self._give(fx.Start())

    @property
    def finished(self) -> bool:
        return type(self.request) is fx.Finished

    def order(self, order: fx.Input) -> None:
        """An order to the reflector, if it has a meaning now."""
        if self.machine.accepts(order):
            self._give(order)

    def wakes_at(self) -> float | None:
        """When the reflector's wait is over, if it waits for time alone."""
        if type(self.request) is fx.Sleep:
            return self._sleep_until
        if type(self.request) is fx.ReadEvents and self.stream is not None and self.stream.silent:
            return self._silent_since + _STALL_S
        if self._waits_for_end_bookmark:
            return self._patience_until
        return None

    @property
    def _waits_for_end_bookmark(self) -> bool:
        return type(self.request) is fx.ReadEvents and self.machine.accepts(fx.EndBookmarkMissing())

    def step_reflector(self) -> bool:
        """Carry the pending request out if it can be answered now."""
        answer = self._answer(self.request)
        if answer is None:
            return False
        self._give(answer)
        return True

    def _answer(self, request: fx.Effect) -> fx.Input | None:
        now = self._clock.monotonic()
        if isinstance(request, fx.SendList):
            if self._server.dawdles():
                return None
            try:
                return fx.PageArrived(self._server.list(request.options))
            except Exception as error:
                return fx.ListFailed(error)
        if isinstance(request, fx.OpenWatch):
            try:
                self.stream = self._server.watch(request.options)
            except Exception as error:
                return fx.WatchOpenFailed(error)
            self._silent_since = now
            return fx.WatchOpened()
        if isinstance(request, fx.ReadEvents):
            return self._read(now)
        if isinstance(request, fx.Sleep):
            return fx.TimerFired() if now >= self._sleep_until else None
        if isinstance(request, fx.Replace):
            self.replaces += 1
            return self._writer.replace(request)
        return None

    def _read(self, now: float) -> fx.Input | None:
        stream = self.stream
        if stream is None or (stream.silent and now >= self._silent_since + _STALL_S):
            return fx.StreamEnded()
        events = self._server.read(stream)
        if events is None:
            late = self._waits_for_end_bookmark and now >= self._patience_until
            return fx.EndBookmarkMissing() if late else None
        self._silent_since = now
        return fx.EventsArrived(events) if events else fx.StreamEnded()

    def _give(self, given: fx.Input) -> None:
        effects = self.machine.handle(self._clock.monotonic(), given)
        self._writer.session = self.machine.session
        self.request = effects.pop()
        for effect in effects:
            if not self._writer.write(effect):
                self._carry(effect)
        self._writer.version = self.machine.version.last
        if isinstance(self.request, fx.Sleep):
            self._sleep_until = self._clock.monotonic() + self.request.delay.seconds

    def _carry(self, effect: fx.Effect) -> None:
        if isinstance(effect, fx.StartResync):
            self._arm()
        elif isinstance(effect, fx.StopResync):
            self.tick_due_at = None
        elif isinstance(effect, fx.AwaitEndBookmark):
            patience_s = effect.patience_s or math.inf
            self._patience_until = self._clock.monotonic() + patience_s
        elif isinstance(effect, fx.CloseStream):
            self.stream = None

    # resync --------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        period_s = self.registry.check_period_s
        self.tick_due_at = self._clock.monotonic() + period_s if period_s > 0 else None

    def tick(self) -> None:
        """The resync timer fires."""
        self.ticks += 1
        if self.processor.should_resync():
            self.queue.resync(self.ticks)
        self._arm()

    # process loop and listeners ------------------------------------------------------------------------

    def step_queue(self) -> bool:
        """Pop and process one entry, as the gate allows."""
        if self.gate.held:
            if not self.gate.take_permit(lambda: self.queue.depth()[1] > 0):
                return False
            return self.queue.pop(self._deltas.process, block=False)
        return self.queue.pop(self._deltas.process, self._deltas.process_batch, block=False)

    # gate ----------------------------------------------------------------------------------------------

    def hold(self) -> None:
        self.gate.hold()
        self.processor.hold()

    def release(self) -> None:
        self.gate.release()
        self.processor.release()

    def step_listeners(self) -> bool:
        """Let every listener deliver what it holds."""
        delivered = False
        for listener in self.processor.listeners:
            while listener.deliver_next():
                delivered = True
        return delivered

    def cached(self) -> dict[str, Any]:
        return {obj.key: obj for obj in self.indexer.list()}
