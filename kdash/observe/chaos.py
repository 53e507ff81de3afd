"""Orders to the demo server: change an object, or make the server misbehave. Refused on a real cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kdash.observe.door import Outcome

if TYPE_CHECKING:
    from kdash.demo import ApiServer
    from kdash.observe.demo_server import DemoHost

__all__ = ["CHAOS", "cause", "change_something"]

CHAOS: dict[str, tuple[str, Callable[[ApiServer], object]]] = {
    "expire": (
        "the history is expired: every watch ends with 410, the state is fetched anew",
        lambda server: server.faults.expire_watches(),
    ),
    "drop": ("every connection is reset", lambda server: server.faults.drop_connections()),
    "close": ("every watch is closed, as by its time-out", lambda server: server.faults.close_watches()),
    "lose": (
        "the next pod event reaches nobody: the cache misses it until a relist",
        lambda server: server.faults.lose_next_event("pods"),
    ),
    "garbage": (
        "a line that is no JSON is written into every watch",
        lambda server: server.faults.send_garbage(),
    ),
}
"""What can be done to the demo server: name → what it means, how."""


def cause(host: DemoHost | None, name: str) -> Outcome:
    """Make the demo server misbehave once; `name` is one of `CHAOS`."""
    server = None if host is None else host.server
    if server is None:
        return Outcome(False, "only the demo server can be made to misbehave")
    if name not in CHAOS:
        return Outcome(False, f"there is no such fault; faults: {', '.join(CHAOS)}")
    words, act = CHAOS[name]
    act(server)
    return Outcome(True, words)


def change_something(host: DemoHost | None, namespace: str = "", name: str = "") -> Outcome:
    """Change one pod of the demo: the named one, or any."""
    server = None if host is None else host.server
    if server is None or server.workload is None:
        return Outcome(False, "kdash changes objects of the demo only, never of a cluster")
    return Outcome(True, f"changed {server.workload.change_something(namespace, name)}")
