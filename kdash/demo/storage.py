"""The server's storage: objects as encoded bytes under one global resource version, with a history a resource.

Contract
- Every committed change takes the next version; the versions of all resources come from one counter. A write that
  changes nothing takes none, makes no event and returns the stored object.
- A resource's history is its watch window: the newest `window` events. Older ones are gone, and a watch or an
  exact list from before them is expired. `expire_history` drops the window at once (a server restart, a compaction).
- An exact list is rebuilt from the present state by undoing the history back to its version.
- Subscribers are told of each event after it is committed, in order, under the lock: they must only take note.
- Any thread may call anything; one lock guards it all.
"""

from __future__ import annotations

import builtins
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sortedcontainers import SortedDict

from kdash.demo.http_types import json_bytes
from kdash.demo.resources import Registry, ResourceType

__all__ = [
    "AlreadyExists",
    "Change",
    "Conflict",
    "Expired",
    "NotFound",
    "Storage",
    "StorageError",
    "Stored",
    "StoredEvent",
]

FIRST_VERSION = 1000


class StorageError(Exception):
    """Base of what the storage refuses."""


class NotFound(StorageError):
    """No object of that name."""


class AlreadyExists(StorageError):
    """There is an object of that name."""


class Conflict(StorageError):
    """The object has changed since the version that the writer read."""


class Expired(StorageError):
    """The version lies before the window; `oldest` is the newest version that is still too old."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"version {oldest} and older are gone")
        self.oldest = oldest


class Stored(NamedTuple):
    """One object: `raw` is its JSON as an item of a list carries it."""

    key: str
    version: int
    raw: bytes


class StoredEvent(NamedTuple):
    """One change of a resource: ADDED, MODIFIED or DELETED. `raw` is the state after it (the last one for DELETED,
    with the version of the deletion), `previous` the state before."""

    version: int
    type: str
    key: str
    raw: bytes
    previous: bytes | None


class Change(NamedTuple):
    """An entry of the log of truth."""

    version: int
    resource: str
    key: str
    type: str


Subscriber = Callable[[StoredEvent], None]


class _Collection:
    """One resource's objects and window."""

    __slots__ = ("expired_to", "history", "items", "subscribers", "type")

    def __init__(self, resource_type: ResourceType, window: int, version: int) -> None:
        self.type = resource_type
        self.items: Any = SortedDict()  # key → Stored
        self.history: deque[StoredEvent] = deque(maxlen=window)
        self.expired_to = version
        self.subscribers: list[Subscriber] = []


def _key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


class Storage:
    """All resources of one server."""

    def __init__(self, registry: Registry | None = None, *, window: int = 10_000, log: int = 200_000) -> None:
        """`window`: events kept per resource; `log`: entries of the log of truth kept."""
        self.registry = registry or Registry()
        self.window = window
        self.lock = threading.RLock()  # guards everything below
        self._version = FIRST_VERSION
        self._collections: dict[str, _Collection] = {}
        self._log: deque[Change] = deque(maxlen=log)
        self._withhold: set[str] = set()
        self._committed = threading.Condition(self.lock)

    # versions ------------------------------------------------------------------------------------------

    @property
    def current_version(self) -> int:
        return self._version

    def changes(self) -> builtins.list[Change]:
        """The log of truth: every committed change, oldest first."""
        with self.lock:
            return list(self._log)

    def wait_for_version(self, version: int, timeout_s: float) -> bool:
        """Block until the storage is at `version`."""
        with self.lock:
            return self._committed.wait_for(lambda: self._version >= version, timeout_s)

    # reads ---------------------------------------------------------------------------------------------

    def _collection(self, resource: str) -> _Collection:
        found = self._collections.get(resource)
        if found is None:
            for each in self.registry:
                if each.qualified == resource:
                    found = self._collections[resource] = _Collection(each, self.window, FIRST_VERSION)
                    return found
            raise NotFound(f"no such resource: {resource}")
        return found

    def get_raw(self, resource: str, namespace: str, name: str) -> Stored | None:
        with self.lock:
            return self._collection(resource).items.get(_key(namespace, name))  # type: ignore[no-any-return]

    def get(self, resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        """A decoded copy with apiVersion and kind, or None."""
        with self.lock:
            collection = self._collection(resource)
            stored = collection.items.get(_key(namespace, name))
        return None if stored is None else self.decode(collection.type, stored.raw)

    def list(self, resource: str, namespace: str = "") -> builtins.list[dict[str, Any]]:
        """Decoded copies of all objects, by key."""
        with self.lock:
            collection = self._collection(resource)
            stored = self._slice(collection, namespace)
        return [self.decode(collection.type, each.raw) for each in stored]

    def count(self, resource: str) -> int:
        with self.lock:
            return len(self._collection(resource).items)

    def list_stored(self, resource: str, namespace: str = "") -> tuple[builtins.list[Stored], int]:
        """The state now and its version."""
        with self.lock:
            return self._slice(self._collection(resource), namespace), self._version

    @staticmethod
    def _slice(collection: _Collection, namespace: str) -> builtins.list[Stored]:
        if not namespace:
            return list(collection.items.values())
        keys = collection.items.irange(f"{namespace}/", f"{namespace}0", inclusive=(True, False))
        items = collection.items
        return [items[key] for key in keys]

    def list_at(self, resource: str, namespace: str, version: int) -> builtins.list[Stored]:
        """The state at an exact version. Raises `Expired`."""
        with self.lock:
            collection = self._collection(resource)
            if version < collection.expired_to:
                raise Expired(collection.expired_to)
            state = {each.key: each for each in self._slice(collection, namespace)}
            for event in reversed(collection.history):
                if event.version <= version:
                    break
                if namespace and not event.key.startswith(f"{namespace}/"):
                    continue
                if event.previous is None:
                    state.pop(event.key, None)
                else:
                    state[event.key] = Stored(event.key, 0, event.previous)
        return [state[key] for key in sorted(state)]

    def decode(self, resource_type: ResourceType, raw: bytes) -> dict[str, Any]:
        """A stored object with its apiVersion and kind."""
        data = msgspec.json.decode(raw)
        return {"apiVersion": resource_type.group_version, "kind": resource_type.kind, **data}

    # watching ------------------------------------------------------------------------------------------

    def subscribe(self, resource: str, since: int, subscriber: Subscriber) -> builtins.list[StoredEvent]:
        """Tell `subscriber` every event from now on; returns those after `since`. Raises `Expired`."""
        with self.lock:
            collection = self._collection(resource)
            if since < collection.expired_to:
                raise Expired(collection.expired_to)
            missed: list[StoredEvent] = []
            for event in reversed(collection.history):
                if event.version <= since:
                    break
                missed.append(event)
            collection.subscribers = [*collection.subscribers, subscriber]
            return missed[::-1]

    def unsubscribe(self, resource: str, subscriber: Subscriber) -> None:
        with self.lock:
            collection = self._collections.get(resource)
            if collection is not None:
                collection.subscribers = [each for each in collection.subscribers if each is not subscriber]

    # writes --------------------------------------------------------------------------------------------

    def create(self, resource: str, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Store a new object as it is but for its version; returns it. Raises `AlreadyExists`."""
        with self.lock:
            collection = self._collection(resource)
            meta = obj["metadata"]
            key = _key(meta.get("namespace") or "", meta["name"])
            if key in collection.items:
                raise AlreadyExists(key)
            return self._commit(collection, "ADDED", key, obj, None)

    def update(self, resource: str, obj: Mapping[str, Any], *, check_version: bool = True) -> dict[str, Any]:
        """Replace an object; returns what is stored then. Raises `NotFound`, and `Conflict` when the object names a
        version that is not the stored one (unless `check_version` is off)."""
        with self.lock:
            collection = self._collection(resource)
            meta = obj["metadata"]
            key = _key(meta.get("namespace") or "", meta["name"])
            stored = collection.items.get(key)
            if stored is None:
                raise NotFound(key)
            named = meta.get("resourceVersion")
            if check_version and named and named != str(stored.version):
                raise Conflict(key)
            if self._encode(collection.type, obj, stored.version) == stored.raw:
                return self.decode(collection.type, stored.raw)
            return self._commit(collection, "MODIFIED", key, obj, stored.raw)

    def delete(self, resource: str, namespace: str, name: str) -> dict[str, Any]:
        """Remove an object; returns its last state with the version of the deletion. Raises `NotFound`."""
        with self.lock:
            collection = self._collection(resource)
            key = _key(namespace, name)
            stored = collection.items.get(key)
            if stored is None:
                raise NotFound(key)
            return self._commit(collection, "DELETED", key, self.decode(collection.type, stored.raw), stored.raw)

    def load(self, resource: str, objects: Sequence[Mapping[str, Any]]) -> None:
        """Store many new objects at once, without events in the window: the state a server starts with."""
        with self.lock:
            collection = self._collection(resource)
            fresh = {}
            for obj in objects:
                self._version += 1
                meta = obj["metadata"]
                key = _key(meta.get("namespace") or "", meta["name"])
                fresh[key] = Stored(key, self._version, self._encode(collection.type, obj, self._version))
            collection.items.update(fresh)
            self._expire_all()

    def _commit(
        self, collection: _Collection, type_: str, key: str, obj: Mapping[str, Any], previous: bytes | None
    ) -> dict[str, Any]:
        self._version += 1
        version = self._version
        raw = self._encode(collection.type, obj, version)
        if type_ == "DELETED":
            del collection.items[key]
        else:
            collection.items[key] = Stored(key, version, raw)
        history = collection.history
        if len(history) == history.maxlen:
            collection.expired_to = history[0].version
        event = StoredEvent(version, type_, key, raw, previous)
        history.append(event)
        resource = collection.type.qualified
        self._log.append(Change(version, resource, key, type_))
        if resource in self._withhold:
            self._withhold.discard(resource)
        else:
            for subscriber in collection.subscribers:
                subscriber(event)
        self._committed.notify_all()
        return self.decode(collection.type, raw)

    @staticmethod
    def _encode(resource_type: ResourceType, obj: Mapping[str, Any], version: int) -> bytes:
        """As an item of a list carries it: built-in kinds without apiVersion and kind, custom ones with both."""
        meta = {**obj["metadata"], "resourceVersion": str(version)}
        rest = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
        if resource_type.custom:
            whole = {"apiVersion": resource_type.group_version, "kind": resource_type.kind, "metadata": meta, **rest}
            return json_bytes(dict(sorted(whole.items())))
        return json_bytes({"metadata": meta, **rest})

    # faults and tests ----------------------------------------------------------------------------------

    def lose_next_event(self, resource: str) -> None:
        """The next event of a resource reaches no open watch (it stays in the window)."""
        with self.lock:
            self._withhold.add(resource)

    def expire_history(self, resource: str | None = None) -> None:
        """Empty the window: everything before now is expired."""
        with self.lock:
            for name, collection in self._collections.items():
                if resource in (None, name):
                    collection.history.clear()
                    collection.expired_to = self._version

    def _expire_all(self) -> None:
        for collection in self._collections.values():
            if not collection.history:
                collection.expired_to = self._version

    def drop_collection(self, resource: str) -> builtins.list[str]:
        """Forget a resource that is served no more: DELETED for every object; returns their keys."""
        with self.lock:
            collection = self._collections.get(resource)
            if collection is None:
                return []
            keys = list(islice(collection.items, None))
            for key in keys:
                stored = collection.items[key]
                self._commit(collection, "DELETED", key, self.decode(collection.type, stored.raw), stored.raw)
            del self._collections[resource]
            return keys
