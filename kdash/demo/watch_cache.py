"""One resource's objects, the window of its newest events, and who is told of the next ones.

Contract: no locks and no threads of its own; `Storage` calls everything under its lock.
- The window is a ring of `capacity` events, bounded in bytes too (see `event_window`). It slides: the oldest event goes
  when a new one needs its room, and `expired_to` is the newest version that can no longer be watched from.
- `state_at` gives an exact past state from a kept snapshot, or by undoing the window back to it. Compaction ends
  exact reads of the past and has no influence on the window (wire facts 37 to 40 and 61).
- Deliveries may be tampered with once (`tamper`): an event lost, sent twice, or held back until one of another key
  has been sent. The window and the objects are never wrong.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from sortedcontainers import SortedDict

from kdash.demo.event_window import EventWindow, StoredEvent
from kdash.demo.resources import ResourceType

__all__ = ["TAMPERINGS", "Expired", "StorageError", "Stored", "WatchCache", "Window"]

TAMPERINGS = ("lose", "duplicate", "reorder")
_SNAPSHOTS = 8


class StorageError(Exception):
    """Base of what the storage refuses."""


class Expired(StorageError):
    """The version lies before what is kept; `oldest` is the newest version that is still too old."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"version {oldest} and older are gone")
        self.oldest = oldest


class Stored(NamedTuple):
    """One object: `raw` is its JSON as an item of a list carries it."""

    key: str
    version: int
    raw: bytes


class Change(NamedTuple):
    """An entry of the log of truth."""

    version: int
    resource: str
    key: str
    type: str


class Window(NamedTuple):
    """What of a resource's past can be watched: `events` of at most `capacity`, from versions above `expired_to`."""

    events: int
    capacity: int
    expired_to: int


Subscriber = Callable[[StoredEvent], None]


class WatchCache:
    """One resource."""

    __slots__ = ("_held", "_latest", "_snapshots", "_tampering", "compacted_to", "expired_to", "history", "items",
                 "progress", "subscribers", "type")  # fmt: skip

    def __init__(self, resource_type: ResourceType, capacity: int, version: int) -> None:
        self.type = resource_type
        self.items: Any = SortedDict()  # key → Stored
        self.history = EventWindow(capacity)
        self.expired_to = version
        self.compacted_to = version
        self.progress = version
        """What is known to be its newest version: its bookmarks carry it (wire fact 76)."""
        self.subscribers: list[Subscriber] = []
        self._latest: list[Stored] | None = None
        self._snapshots: OrderedDict[int, list[Stored]] = OrderedDict()
        self._tampering: deque[str] = deque()
        self._held: StoredEvent | None = None

    # the state -----------------------------------------------------------------------------------------

    def state(self) -> list[Stored]:
        """All objects by key; the same list until something changes, never changed in place."""
        if self._latest is None:
            self._latest = list(map(self.items.__getitem__, self.items))
        return self._latest

    def keep_snapshot(self, version: int) -> None:
        """Keep the present state as that of `version`, for the pages of a list; the newest eight are kept."""
        self._snapshots[version] = self.state()
        self._snapshots.move_to_end(version)
        while len(self._snapshots) > _SNAPSHOTS:
            self._snapshots.popitem(last=False)

    def state_at(self, version: int) -> list[Stored]:
        """The state at an exact version, by key. Raises `Expired`."""
        if version < self.compacted_to:
            raise Expired(self.compacted_to)
        kept = self._snapshots.get(version)
        if kept is not None:
            return kept
        if version < self.expired_to:
            raise Expired(self.expired_to)
        if self.history.newest_version <= version:
            return self.state()
        state = {each.key: each for each in self.state()}
        for event in reversed(self.history):
            if event.version <= version:
                break
            if event.previous is None:
                state.pop(event.key, None)
            else:
                state[event.key] = Stored(event.key, 0, event.previous)
        return [state[key] for key in sorted(state)]

    # changes -------------------------------------------------------------------------------------------

    def put(self, stored: Stored) -> None:
        """Store an object without an event."""
        self.items[stored.key] = stored
        self._latest = None

    def apply(self, event: StoredEvent, pack: bool = True) -> None:
        """Carry a change out, remember it in the window and tell the subscribers. `pack`: see `event_window`."""
        if event.type == "DELETED":
            del self.items[event.key]
        else:
            self.items[event.key] = Stored(event.key, event.version, event.raw)
        self._latest = None
        self.progress = event.version
        self.expired_to = self.history.append(event, pack) or self.expired_to
        if self._tampering or self._held is not None:
            self._deliver_tampered(event)
        else:
            for subscriber in self.subscribers:
                subscriber(event)

    def tamper(self, how: str) -> None:
        """Do one of `TAMPERINGS` to the delivery of the next event."""
        self._tampering.append(how)

    def _deliver_tampered(self, event: StoredEvent) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            order = [held, event] if held.key == event.key else [event, held]
        else:
            how = self._tampering.popleft()
            if how == "reorder":
                self._held = event
                return
            order = [] if how == "lose" else [event, event]
        for each in order:
            for subscriber in self.subscribers:
                subscriber(each)

    # the past ------------------------------------------------------------------------------------------

    def since(self, version: int) -> list[StoredEvent]:
        """The events after `version`. Raises `Expired`."""
        if version < self.expired_to:
            raise Expired(self.expired_to)
        missed: list[StoredEvent] = []
        for event in reversed(self.history):
            if event.version <= version:
                break
            missed.append(event)
        return missed[::-1]

    def resize(self, capacity: int) -> None:
        """Another size of the window; the oldest events go when it shrinks."""
        self.expired_to = self.history.resize(capacity) or self.expired_to

    def expire(self, version: int) -> None:
        """Empty the window: everything before `version` is expired."""
        self.history.clear()
        self.expired_to = version

    def compact(self, version: int) -> None:
        """End exact reads from before `version`."""
        self.compacted_to = max(self.compacted_to, version)
        for each in [each for each in self._snapshots if each < version]:
            del self._snapshots[each]

    def window(self) -> Window:
        return Window(len(self.history), self.history.capacity, self.expired_to)
