"""An informer for one handler, which runs in the process loop (client-go `NewInformer`, CT-12).

Contract: the handler is called synchronously while the entry is processed: a slow one holds the queue up,
every resync tick reaches it, and updates with equal versions are no different from others. Use a shared
informer unless exactly this is wanted.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kdash.informer.clock import Clock, SystemClock, new_random
from kdash.informer.controller import Controller, ControllerConfig
from kdash.informer.handlers import ResourceEventHandler, check_handler
from kdash.informer.indexer import Indexer, Indexers, new_indexer
from kdash.informer.list_watch import ListerWatcher
from kdash.informer.objects import KubeObject
from kdash.informer.patience import STALL_AFTER_S
from kdash.informer.process_deltas import DeltaProcessor, HandlerSink
from kdash.informer.queue.engines import new_queue
from kdash.informer.reflector import Reflector, WatchErrorHandler
from kdash.informer.resources import ResourceInfo
from kdash.informer.resync_periods import seconds
from kdash.informer.tap import Tap
from kdash.informer.watch_silence import silence_rules

__all__ = ["new_informer"]


def new_informer(
    lister_watcher: ListerWatcher,
    handler: ResourceEventHandler,
    *,
    name: str = "",
    resource: ResourceInfo | None = None,
    resync_period: timedelta | float = 0.0,
    indexers: Indexers | None = None,
    transform: Callable[[KubeObject], Any] | None = None,
    watch_error_handler: WatchErrorHandler | None = None,
    key_func: Callable[[Any], str] | None = None,
    queue: str = "delta",
    watch_list: bool = True,
    packed: bool = True,
    crash_through: bool = False,
    stall_after: timedelta | float = STALL_AFTER_S,
    tap: Tap | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> tuple[Indexer, Controller]:
    """A cache and the controller that fills it and calls `handler`; start it with `controller.run(stop)`.

    `stall_after`: see `SharedInformerFactory`.
    With `crash_through` an exception of the handler leaves `run`; without, it is logged and the rest of that
    entry is lost. Raises TypeError for a handler that is async or takes other arguments.
    """
    check_handler(handler)
    clock = clock or SystemClock()
    name = name or (resource.name if resource else "informer")
    resync_s = seconds(resync_period) or 0.0
    indexer = new_indexer(key_func, indexers, packed=packed)
    indexer.tracks_resource_version = queue == "real-atomic"
    deltas = DeltaProcessor(
        indexer, HandlerSink(handler), threading.Lock(), key_func=key_func, tap=tap, informer=name
    )
    delta_queue = new_queue(
        queue, name=name, known_objects=indexer, transform=transform, tap=tap, clock=clock, key_func=key_func,
        on_idle=indexer.pack_pending,
    )  # fmt: skip

    def make_reflector() -> Reflector:
        return Reflector(
            lister_watcher, delta_queue, name=name,
            expected_api_version=resource.api_version if resource else "",
            expected_kind=resource.kind if resource else "", resync_period_s=resync_s,
            use_watch_list=watch_list, watch_error_handler=watch_error_handler, transform=transform,
            clock=clock, rng=rng or new_random(), tap=tap, silence=silence_rules(seconds(stall_after) or 0.0),
        )  # fmt: skip

    config = ControllerConfig(
        name=name, queue=delta_queue, make_reflector=make_reflector, process=deltas.process,
        process_batch=deltas.process_batch, clock=clock, crash_through=crash_through,
    )  # fmt: skip
    return indexer, Controller(config)
