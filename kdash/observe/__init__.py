"""One observation, live or replayed: the door between the screen and the informer.

The public surface: `Observation` and `Outcome` (see `door`), `open_demo`, `open_cluster`, and
`open_cluster_or_demo` for a command that names no cluster. Names are imported when first used; none of them
loads the kubernetes package before `start`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdash.observe.door import Observation, Outcome
    from kdash.observe.live import LiveObservation
    from kdash.observe.opening import open_cluster, open_cluster_or_demo, open_demo

__all__ = ["LiveObservation", "Observation", "Outcome", "open_cluster", "open_cluster_or_demo", "open_demo"]

_HOMES = {
    "Observation": "door",
    "Outcome": "door",
    "LiveObservation": "live",
    "open_cluster": "opening",
    "open_cluster_or_demo": "opening",
    "open_demo": "opening",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
