"""What a reflector asks for: which version, which limit, which time-out, and why.

Contract: pure functions of the reflector's memory; the machine decides *when*, this module *what*.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from kdash.informer.list_watch import ListerWatcher, ListOptions
from kdash.informer.pager import DEFAULT_PAGE_SIZE

__all__ = [
    "MINIMUM_WATCH_TIMEOUT_S",
    "RequestRules",
    "VersionMemory",
    "supports_watch_list",
]

MINIMUM_WATCH_TIMEOUT_S = 300
"""Watches ask the server for a time-out drawn from one to two times this (RF-1)."""


def supports_watch_list(lister_watcher: ListerWatcher) -> bool:
    """False when the lister-watcher, or one it wraps, says that it has no watch-list semantics (RF-4).

    It does so with a method `is_watch_list_semantics_unsupported` that returns True; having none means
    support.
    """
    layer: object | None = lister_watcher
    while layer is not None:
        declares = getattr(layer, "is_watch_list_semantics_unsupported", None)
        if declares is not None:
            return declares() is not True
        layer = getattr(layer, "inner", None)
    return True


@dataclass(slots=True)
class VersionMemory:
    """What a reflector remembers of versions between its sessions."""

    last: str = ""
    """The last version seen (client-go `lastSyncResourceVersion`)."""
    unavailable: bool = False
    """A list at `last` was refused as expired or too large; cleared by the next success (RF-13)."""
    paginated: bool = False
    """A list at version "0" came in pages, so the server has no watch cache; sticks (RF-17)."""


@dataclass(frozen=True, slots=True)
class RequestRules:
    """The fixed settings that shape requests."""

    page_size: int = 0
    min_watch_timeout_s: float = MINIMUM_WATCH_TIMEOUT_S
    max_cache: int = 0
    """kdash extension: bytes that a full state may take, compressed; 0: no such bound."""

    def list_version(self, memory: VersionMemory) -> tuple[str, str]:
        """Version of a list and the reason: unavailable, first or last (RF-11)."""
        if memory.unavailable:
            return "", "unavailable"
        if not memory.last:
            return "0", "first"
        return memory.last, "last"

    def watch_list_version(self, memory: VersionMemory) -> str:
        """Version of a watch-list; "" is a consistent read (RF-12)."""
        return "" if memory.unavailable else memory.last

    def page_limit(self, version: str, memory: VersionMemory) -> tuple[int, str]:
        """Limit of a list at `version` and the reason: page_size, paginated, exact_version or default
        (RF-14)."""
        if self.page_size:
            return self.page_size, "page_size"
        if memory.paginated:
            return DEFAULT_PAGE_SIZE, "paginated"
        if version not in ("", "0"):
            return 0, "exact_version"
        return DEFAULT_PAGE_SIZE, "default"

    def timeout_s(self, rng: random.Random) -> int:
        """A random time-out, so that the watches of many clients do not end together (RF-1, RF-27)."""
        shortest = max(self.min_watch_timeout_s, MINIMUM_WATCH_TIMEOUT_S)
        return int(shortest * (1 + rng.random()))

    def watch(self, version: str, timeout_s: int) -> ListOptions:
        """Options of a watch (RF-27)."""
        return ListOptions(resource_version=version, timeout_seconds=timeout_s, allow_watch_bookmarks=True)

    def watch_list(self, version: str, timeout_s: int) -> ListOptions:
        """Options of a watch-list (RF-21)."""
        return ListOptions(
            resource_version=version,
            resource_version_match="NotOlderThan",
            timeout_seconds=timeout_s,
            allow_watch_bookmarks=True,
            send_initial_events=True,
        )
