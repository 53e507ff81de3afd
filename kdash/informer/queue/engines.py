"""The queue engines by name, and the one way to make a queue.

Contract: `delta` groups by key, `real` keeps every event in order, `real-atomic` also takes whole states and
resyncs as one event. Handlers see the same final state with each of them, by different ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kdash.informer.clock import Clock
from kdash.informer.keys import KeyFunc
from kdash.informer.queue.delta_fifo import DeltaFIFO
from kdash.informer.queue.protocol import KnownObjects
from kdash.informer.queue.real_fifo import RealFIFO
from kdash.informer.tap import Tap
from kdash.informer.transforms import Transform

__all__ = ["ENGINES", "Engine", "new_queue"]


class Engine(NamedTuple):
    """One engine as users meet it."""

    name: str
    title: str
    client_go: str
    """The client-go releases that run it by default."""


ENGINES: dict[str, Engine] = {
    "delta": Engine("delta", "DeltaFIFO", "≤ 1.32"),
    "real": Engine("real", "RealFIFO", "1.33 to 1.35"),
    "real-atomic": Engine("real-atomic", "RealFIFO atomic", "1.36 on"),
}


def new_queue(
    engine: str,
    *,
    name: str = "",
    known_objects: KnownObjects,
    transform: Transform | None = None,
    tap: Tap | None = None,
    clock: Clock | None = None,
    key_func: KeyFunc | None = None,
    on_idle: Callable[[], bool] | None = None,
) -> DeltaFIFO | RealFIFO:
    """A queue over the store `known_objects`. Raises ValueError for an unknown engine.

    `on_idle` is called by the popping thread when there is nothing to process, again at once while it returns
    True; by default it is the store's `pack_pending`, if the store has one.
    """
    if on_idle is None:
        on_idle = getattr(known_objects, "pack_pending", None)
    options: dict[str, Any] = {
        "name": name, "transform": transform, "tap": tap, "clock": clock, "key_func": key_func,
        "on_idle": on_idle,
    }  # fmt: skip
    if engine == "delta":
        return DeltaFIFO(known_objects=known_objects, **options)
    if engine == "real":
        return RealFIFO(known_objects=known_objects, **options)
    if engine == "real-atomic":
        return RealFIFO(
            atomic=True, unlock_while_processing=True, emit_bookmarks=True,
            count_known=getattr(known_objects, "__len__", None),  # takes no lock: a store may be busy
            **options,
        )  # fmt: skip
    raise ValueError(f"there is no queue engine {engine!r}; the engines are {', '.join(ENGINES)}")
