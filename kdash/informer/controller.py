"""The process loop between a queue and a store, with the reflector that fills the queue (client-go
`Controller`).

Contract (CT-1 to CT-4, CT-15):
- `run` takes the calling thread for the process loop and returns after `stop` was cancelled, the queue
  drained and the reflector's thread ended. It can be called once.
- An error of the store (`InformerError`) abandons its entry and is logged; the loop goes on.
- Anything else that processing raises, i.e. an exception of a handler of a non-shared informer, leaves `run`
  with `crash_through`; without it, it is logged and the loop goes on after one second.
- No lock of its own; `has_synced` and `last_sync_resource_version` may be called from any thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from kdash.informer.clock import Clock
from kdash.informer.errors import InformerError
from kdash.informer.gate import Gate
from kdash.informer.list_watch import CancelToken
from kdash.informer.queue.protocol import ProcessBatchFunc, ProcessFunc, Queue, QueueClosed
from kdash.informer.reflector import Reflector

__all__ = ["Controller", "ControllerConfig"]

_LOOP_PAUSE_S = 1.0

_logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class ControllerConfig:
    """What a controller is made of (client-go `Config`)."""

    name: str
    queue: Queue
    make_reflector: Callable[[], Reflector]
    """Called once, at the start of `run`, so that it sees the settings as they are then."""
    process: ProcessFunc
    process_batch: ProcessBatchFunc | None = None
    """Processes several deltas of different keys at once, where the queue can (CT-3)."""
    clock: Clock
    crash_through: bool = False
    gate: Gate | None = None
    """Holds and steps the process loop."""


class Controller:
    """Runs a reflector and processes what its queue holds."""

    def __init__(self, config: ControllerConfig) -> None:
        self.config = config
        self.gate = config.gate or Gate(clock=config.clock, informer=config.name)
        self._reflector: Reflector | None = None
        self._thread: threading.Thread | None = None

    @property
    def reflector(self) -> Reflector | None:
        """The reflector; None before `run`."""
        return self._reflector

    def has_synced(self) -> bool:
        """The queue's first content was processed."""
        return self.config.queue.has_synced()

    def on_synced(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when `has_synced` turns true, at once if it is."""
        self.config.queue.on_synced(callback)

    def is_own_thread(self) -> bool:
        """Whether the caller is the process loop."""
        return self._thread is threading.current_thread()

    def last_sync_resource_version(self) -> str:
        """The version of the newest event the reflector has put into the queue; "" before `run`."""
        return "" if self._reflector is None else self._reflector.last_sync_resource_version()

    def run(self, stop: CancelToken) -> None:
        """Reflect and process until `stop`."""
        queue = self.config.queue
        self._thread = threading.current_thread()
        reflector = self._reflector = self.config.make_reflector()
        queue.gate = self.gate
        forget = stop.on_cancel(queue.close)
        forget_gate = stop.on_cancel(self.gate.open)
        forget_reflector = stop.on_cancel(reflector.stop)
        if not stop.cancelled:
            reflector.start()
        try:
            self._process_until_closed(stop)
        finally:
            forget()
            forget_gate()
            forget_reflector()
            queue.close()
            reflector.stop()
            reflector.join()

    def _process_until_closed(self, stop: CancelToken) -> None:
        config = self.config
        pop, process, process_batch = config.queue.pop, config.process, config.process_batch
        gate, waits = self.gate, self._entry_waits
        while True:
            try:
                while True:
                    while not gate.held:
                        pop(process, process_batch)
                    if gate.await_permit(waits):
                        pop(process, block=False)
            except QueueClosed:
                return
            except InformerError as error:
                _logger.error("informer %s: an entry was abandoned: %s", config.name, error)
            except Exception:
                if config.crash_through:
                    raise
                _logger.exception(
                    "informer %s: processing raised; going on in %g s", config.name, _LOOP_PAUSE_S
                )
                self._pause(stop)

    def _entry_waits(self) -> bool:
        return self.config.queue.depth()[1] > 0

    def _pause(self, stop: CancelToken) -> None:
        condition = threading.Condition()

        def wake() -> None:
            with condition:
                condition.notify_all()

        clock = self.config.clock
        until = clock.monotonic() + _LOOP_PAUSE_S
        forget = stop.on_cancel(wake)
        with condition:
            while not stop.cancelled and (left := until - clock.monotonic()) > 0:
                clock.wait(condition, left)
        forget()
