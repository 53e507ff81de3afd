"""How a shared informer is made (client-go `SharedIndexInformerOptions`, plus what kdash injects).

Contract: plain values, read when the informer is made; changing them later does nothing. Periods are seconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kdash.informer.clock import Clock
from kdash.informer.indexer import Indexers
from kdash.informer.metrics import InformerMetrics
from kdash.informer.patience import STALL_AFTER_S, SYNC_PATIENCE_S
from kdash.informer.resources import ResourceInfo
from kdash.informer.tap import Tap

__all__ = ["CLIENT_GO_VERSIONS", "SharedIndexInformerOptions"]

CLIENT_GO_VERSIONS = {"delta": "≤ 1.32", "real": "1.33 to 1.35", "real-atomic": "1.36 on"}
"""Which releases of client-go run each queue engine by default."""


@dataclass(slots=True, kw_only=True)
class SharedIndexInformerOptions:
    """Everything optional about a `SharedIndexInformer`."""

    name: str = ""
    """What tap records and logs call the informer; the resource's name by default."""
    resource: ResourceInfo | None = None
    """What is listed: events of another kind are skipped. None: no such filter."""
    resync_period_s: float = 0.0
    """Default resync period of the handlers and first value of the check period; 0: no resync, ever."""
    relist_period_s: float = 0.0
    """kdash extension: fetch the whole state from the server this often; 0, as in client-go: never.

    This costs the server a list each time and finds what the watch has missed. A resync does neither: it
    replays what the cache holds to the handlers that asked for it."""
    indexers: Indexers = field(default_factory=dict)
    """Index functions by name, e.g. `{"namespace": meta_namespace_index_func}`."""
    queue: str = "delta"
    """`delta`, `real` or `real-atomic`."""
    watch_list: bool = True
    """Fetch the state by a streaming watch where the server can (client-go gate WatchListClient)."""
    page_size: int = 0
    """Objects per page of a list; 0: what client-go chooses."""
    max_cache: int = 0
    """kdash extension: a list or watch-list whose objects take more bytes than this, compressed, is given up with
    `CacheTooLarge` and tried again with growing pauses; 0: no such bound. What is cached already stays."""
    min_watch_timeout_s: float = 300.0
    """Lower end of the time-out asked for a watch."""
    stall_after_s: float = STALL_AFTER_S
    """kdash extension: the shortest silence of a watch after which a second one is opened beside it, to find
    out whether the connection is dead (see `watch_silence`); 0, as in client-go: never."""
    sync_patience_s: float = SYNC_PATIENCE_S
    """kdash extension: so long without a further object or the end marker, and a streaming watch that
    fetches the state is given up for a list; 0, as in client-go: never."""
    key_func: Callable[[Any], str] | None = None
    """Key of an object, if not `namespace/name`."""
    packed: bool = True
    """Keep the cached objects compressed."""
    crash_through: bool = False
    """A handler that raises ends its thread with the exception, instead of being logged and paused for 1 s.
    """
    versions: Callable[[tuple[Any, ...]], None] | None = None
    """Gets (seq, informer, delta type, key, new, old) of each change of the cache; needs a tap. Called under
    the locks of processing: it may only append. `new` may be a tombstone."""
    tap: Tap | None = None
    clock: Clock | None = None
    rng: random.Random | None = None
    metrics: InformerMetrics | None = None
