"""The server's storage: objects as encoded bytes under one global resource version, with a window per resource.

Contract
- Every committed change takes the next version; the versions of all resources come from one counter. A write that
  changes nothing takes none, makes no event and returns the stored object.
- A resource's window is what can be watched from: its newest `window` events (see `watch_cache`). `expire_history`
  empties it, `compact` ends exact reads of the past, `restart` does what a server's restart does to both.
- Exact lists, and the later pages of a list, come from snapshots or by undoing the window.
- Subscribers are told of each event after it is committed, in order, under the lock: they must only take note.
- Any thread may call anything; one lock guards it all.
"""

from __future__ import annotations

import builtins
import threading
import time
import uuid
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, takewhile
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from kdash.demo import ages
from kdash.demo.defaults import in_api_order
from kdash.demo.event_window import StoredEvent
from kdash.demo.http_types import json_bytes
from kdash.demo.resources import Registry, ResourceType
from kdash.demo.watch_cache import (
    TAMPERINGS,
    Change,
    Expired,
    StorageError,
    Stored,
    Subscriber,
    WatchCache,
    Window,
)

__all__ = [
    "AlreadyExists",
    "Change",
    "Conflict",
    "Expired",
    "NotFound",
    "Prepared",
    "Storage",
    "StorageError",
    "Stored",
    "StoredEvent",
    "Window",
]

FIRST_VERSION = 1000
_BY_KEY = attrgetter("key")


class NotFound(StorageError):
    """No object of that name."""


class AlreadyExists(StorageError):
    """There is an object of that name."""


class Conflict(StorageError):
    """The object has changed since the version that the writer read."""


class Prepared(NamedTuple):
    """A change whose bytes are ready: the object's JSON is `head`, the version's digits, `tail`."""

    type: str
    key: str
    head: bytes
    tail: bytes


def _key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def key_of(obj: Mapping[str, Any]) -> str:
    """The storage key of an object: NAMESPACE/NAME, or NAME."""
    meta = obj["metadata"]
    return _key(meta.get("namespace") or "", meta["name"])


def _within(state: builtins.list[Stored], namespace: str) -> builtins.list[Stored]:
    """The part of a sorted state that lies in a namespace."""
    if not namespace:
        return state
    first = bisect_left(state, f"{namespace}/", key=_BY_KEY)
    return state[first : bisect_left(state, f"{namespace}0", first, key=_BY_KEY)]


def _is_identified(obj: Mapping[str, Any]) -> bool:
    meta = obj["metadata"]
    return bool(meta.get("uid") and meta.get("creationTimestamp"))


def _identified(obj: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """The object with a uid and a creationTimestamp: its own, else those from `before`, else new ones."""
    if _is_identified(obj):
        return obj
    meta, before = obj["metadata"], before or {}
    uid = meta.get("uid") or before.get("uid") or str(uuid.uuid4())
    created = meta.get("creationTimestamp") or before.get("creationTimestamp") or ages.rfc3339(time.time())
    return {**obj, "metadata": {**meta, "uid": uid, "creationTimestamp": created}}


class Storage:
    """All resources of one server."""

    def __init__(
        self, registry: Registry | None = None, *, window: int = 10_000, log: int = 20_000,
        first_version: int = FIRST_VERSION,
    ) -> None:  # fmt: skip
        """`window`: events kept per resource; `log`: entries of the log of truth kept; `first_version`: what the
        versions count from."""
        self.registry = registry or Registry()
        self.lock = threading.RLock()  # guards everything below
        self._window = window
        self._version = self._expired_to = self._compacted_to = first_version
        self._caches: dict[str, WatchCache] = {}
        self._log: deque[Change] = deque(maxlen=log)
        self._on_drop: builtins.list[Callable[[str], None]] = []
        self._on_event: builtins.list[Callable[[str, StoredEvent], None]] = []
        self._committed = threading.Condition(self.lock)

    # versions ------------------------------------------------------------------------------------------

    @property
    def current_version(self) -> int:
        return self._version

    def changes(self) -> builtins.list[Change]:
        """The log of truth: every committed change, oldest first."""
        with self.lock:
            return list(self._log)

    def changes_after(self, version: int, resource: str, namespace: str = "", limit: int = 1000) -> int:
        """How many of the last `limit` changes are of a resource (in a namespace) and newer than `version`."""
        within = f"{namespace}/" if namespace else ""
        with self.lock:
            newer = takewhile(lambda change: change.version > version, islice(reversed(self._log), limit))
            return sum(change.resource == resource and change.key.startswith(within) for change in newer)

    def wait_for_version(self, version: int, timeout_s: float) -> bool:
        """Block until the storage is at `version`."""
        with self.lock:
            return self._committed.wait_for(lambda: self._version >= version, timeout_s)

    def progress(self, resource: str) -> int:
        """The version that the resource is known to be at: it moves with its changes and with `note_progress`."""
        with self.lock:
            return self._cache(resource).progress

    def note_progress(self) -> int:
        """All resources are known to be at the current version now, which is returned: a consistent list does this,
        and the store's own notifications of progress (wire fact 76)."""
        with self.lock:
            for cache in self._caches.values():
                cache.progress = self._version
            return self._version

    # reads ---------------------------------------------------------------------------------------------

    def _cache(self, resource: str) -> WatchCache:
        found = self._caches.get(resource)
        if found is None:
            for each in self.registry:
                if each.qualified == resource:
                    found = self._caches[resource] = WatchCache(each, self._window, self._expired_to)
                    found.compacted_to, found.progress = self._compacted_to, self._version
                    return found
            raise NotFound(f"no such resource: {resource}")
        return found

    def get_raw(self, resource: str, namespace: str, name: str) -> Stored | None:
        with self.lock:
            return self._cache(resource).items.get(_key(namespace, name))  # type: ignore[no-any-return]

    def get(self, resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        """A decoded copy with apiVersion and kind, or None."""
        with self.lock:
            cache = self._cache(resource)
            stored = cache.items.get(_key(namespace, name))
        return None if stored is None else self.decode(cache.type, stored.raw)

    def list(self, resource: str, namespace: str = "") -> builtins.list[dict[str, Any]]:
        """Decoded copies of all objects, by key."""
        with self.lock:
            cache = self._cache(resource)
            stored = _within(cache.state(), namespace)
        return [self.decode(cache.type, each.raw) for each in stored]

    def count(self, resource: str) -> int:
        with self.lock:
            return len(self._cache(resource).items)

    def list_stored(
        self, resource: str, namespace: str = "", *, snapshot: bool = False
    ) -> tuple[builtins.list[Stored], int]:
        """The state now and its version; `snapshot` keeps it for the later pages. The list must not be changed."""
        with self.lock:
            cache = self._cache(resource)
            if snapshot:
                cache.keep_snapshot(self._version)
            return _within(cache.state(), namespace), self._version

    def list_at(self, resource: str, namespace: str, version: int) -> builtins.list[Stored]:
        """The state at an exact version. Raises `Expired`."""
        with self.lock:
            return _within(self._cache(resource).state_at(version), namespace)

    @staticmethod
    def tail(state: builtins.list[Stored], start: str) -> builtins.list[Stored]:
        """The part of a sorted state from the key `start` on."""
        return state[bisect_left(state, start, key=_BY_KEY) :]

    def decode(self, resource_type: ResourceType, raw: bytes) -> dict[str, Any]:
        """A stored object with its apiVersion and kind."""
        data = msgspec.json.decode(raw)
        return {"apiVersion": resource_type.group_version, "kind": resource_type.kind, **data}

    # watching ------------------------------------------------------------------------------------------

    def subscribe(self, resource: str, since: int, subscriber: Subscriber) -> builtins.list[StoredEvent]:
        """Tell `subscriber` every event from now on; returns those after `since`. Raises `Expired`."""
        with self.lock:
            cache = self._cache(resource)
            missed = cache.since(since)
            cache.subscribers = [*cache.subscribers, subscriber]
            return missed

    def unsubscribe(self, resource: str, subscriber: Subscriber) -> None:
        with self.lock:
            cache = self._caches.get(resource)
            if cache is not None:
                cache.subscribers = [each for each in cache.subscribers if each != subscriber]

    def window(self, resource: str) -> Window:
        """How much of a resource's past can be watched."""
        with self.lock:
            return self._cache(resource).window()

    def resize_window(self, events: int) -> None:
        """Keep so many events of every resource from now on."""
        with self.lock:
            self._window = events
            for cache in self._caches.values():
                cache.resize(events)

    # writes --------------------------------------------------------------------------------------------

    def create(self, resource: str, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Store a new object as it is but for its version, and for a uid and a creationTimestamp if it has none;
        returns it. Raises `AlreadyExists`."""
        with self.lock:
            cache, key = self._cache(resource), key_of(obj)
            if key in cache.items:
                raise AlreadyExists(key)
            return self._commit(cache, "ADDED", key, _identified(obj), None)

    def update(self, resource: str, obj: Mapping[str, Any], *, check_version: bool = True) -> dict[str, Any]:
        """Replace an object; returns what is stored then. Raises `NotFound`, and `Conflict` when the object names a
        version that is not the stored one (unless `check_version` is off)."""
        with self.lock:
            cache, key = self._cache(resource), key_of(obj)
            stored = cache.items.get(key)
            if stored is None:
                raise NotFound(key)
            named = obj["metadata"].get("resourceVersion")
            if check_version and named and named != str(stored.version):
                raise Conflict(key)
            if not _is_identified(obj):
                obj = _identified(obj, self.decode(cache.type, stored.raw)["metadata"])
            if self._encode(cache.type, obj, stored.version) == stored.raw:
                return self.decode(cache.type, stored.raw)
            return self._commit(cache, "MODIFIED", key, obj, stored.raw)

    def delete(self, resource: str, namespace: str, name: str) -> dict[str, Any]:
        """Remove an object; returns its last state with the version of the deletion. Raises `NotFound`."""
        with self.lock:
            cache, key = self._cache(resource), _key(namespace, name)
            stored = cache.items.get(key)
            if stored is None:
                raise NotFound(key)
            return self._commit(cache, "DELETED", key, self.decode(cache.type, stored.raw), stored.raw)

    def publish(self, resource: str, changes: Iterable[Prepared]) -> int:
        """Commit changes whose bytes are ready, without looking into them; returns the version then. For storms: who
        listens with `on_event` hears of the deletions only."""
        with self.lock:
            cache = self._cache(resource)
            for change in changes:
                raw = change.head + b"%d" % (self._version + 1) + change.tail
                stored = cache.items.get(change.key)
                self._apply(cache, change.type, change.key, raw, None if stored is None else stored.raw, pack=False)
            return self._version

    def load(self, resource: str, objects: Sequence[Mapping[str, Any]]) -> None:
        """Store many new objects at once, without events in the window: the state a server starts with."""
        with self.lock:
            cache = self._cache(resource)
            for obj in objects:
                self._version += 1
                key = key_of(obj)
                cache.put(Stored(key, self._version, self._encode(cache.type, _identified(obj), self._version)))
            self._expire_empty()

    def restore(self, resource: str, objects: Iterable[Mapping[str, Any]], version: int | None = None) -> None:
        """Store objects with the versions that they carry, without events, and go to `version` (the newest of the
        objects' if None); versions never go back."""
        with self.lock:
            cache = self._cache(resource)
            for obj in objects:
                own = int(obj["metadata"]["resourceVersion"])
                cache.put(Stored(key_of(obj), own, self._encode(cache.type, obj, own)))
                self._version = max(self._version, own)
            self._version = max(self._version, version or 0)
            self._expire_empty()

    def _expire_empty(self) -> None:
        for cache in self._caches.values():
            cache.progress = self._version
            if not cache.history:
                cache.expired_to = self._version

    def _commit(
        self, cache: WatchCache, type_: str, key: str, obj: Mapping[str, Any], previous: bytes | None
    ) -> dict[str, Any]:
        raw = self._encode(cache.type, obj, self._version + 1)
        self._apply(cache, type_, key, raw, previous)
        return self.decode(cache.type, raw)

    def _apply(
        self, cache: WatchCache, type_: str, key: str, raw: bytes, previous: bytes | None, pack: bool = True
    ) -> None:
        self._version += 1
        self._log.append(Change(self._version, cache.type.qualified, key, type_))
        event = StoredEvent(self._version, type_, key, raw, previous)
        cache.apply(event, pack)
        if pack or type_ == "DELETED":
            for listener in self._on_event:
                listener(cache.type.qualified, event)
        self._committed.notify_all()

    @staticmethod
    def _encode(resource_type: ResourceType, obj: Mapping[str, Any], version: int) -> bytes:
        """As an item of a list carries it: built-in kinds without apiVersion and kind, custom ones with both; fields in
        the API's order, maps by the alphabet."""
        meta = {**obj["metadata"], "resourceVersion": str(version)}
        whole = {**obj, "metadata": meta}
        for holder, names in ((meta, ("labels", "annotations")), (whole, ("data", "binaryData"))):
            for name in names:
                value = holder.get(name)
                if isinstance(value, dict) and len(value) > 1:
                    holder[name] = dict(sorted(value.items()))
        if resource_type.custom:
            whole |= {"apiVersion": resource_type.group_version, "kind": resource_type.kind}
            return json_bytes(in_api_order(whole, custom=True))
        whole.pop("apiVersion", None)
        whole.pop("kind", None)
        return json_bytes(in_api_order(whole, custom=False))

    # faults and tests ----------------------------------------------------------------------------------

    def tamper(self, resource: str, how: str) -> None:
        """Do one of `lose`, `duplicate`, `reorder` to the delivery of the resource's next event to open watches; the
        window stays right. `reorder` holds it back until an event of another key has been delivered."""
        if how not in TAMPERINGS:
            raise ValueError(f"no delivery is called {how!r}; there are {', '.join(TAMPERINGS)}")
        with self.lock:
            self._cache(resource).tamper(how)

    def lose_next_event(self, resource: str) -> None:
        """The next event of a resource reaches no open watch (it stays in the window)."""
        self.tamper(resource, "lose")

    def expire_history(self, resource: str | None = None) -> None:
        """Empty the window and compact: everything before now is expired."""
        with self.lock:
            for name, cache in self._caches.items():
                if resource in (None, name):
                    cache.expire(self._version)
                    cache.compact(self._version)
            if resource is None:
                self._expired_to = self._compacted_to = self._version

    def compact(self, version: int | None = None) -> None:
        """End exact reads from before `version` (now if None). What can be watched stays (wire fact 61)."""
        with self.lock:
            self._compacted_to = self._version if version is None else version
            for cache in self._caches.values():
                cache.compact(self._compacted_to)

    def restart(self) -> None:
        """What a server's restart does: every window begins at the current version, whatever the resource's last
        change was (wire fact 62). Exact reads of the past end with it: the window is what they are made of."""
        with self.lock:
            self._expired_to = self._version
            for cache in self._caches.values():
                cache.expire(self._version)

    def drop_collection(self, resource: str) -> builtins.list[str]:
        """Forget a resource that is served no more: DELETED for every object; returns their keys."""
        with self.lock:
            cache = self._caches.get(resource)
            if cache is None:
                return []
            keys = list(cache.items)
            for key in keys:
                stored = cache.items[key]
                self._commit(cache, "DELETED", key, self.decode(cache.type, stored.raw), stored.raw)
            del self._caches[resource]
        for listener in self._on_drop:
            listener(resource)
        return keys

    def on_event(self, listener: Callable[[str, StoredEvent], None]) -> None:
        """Call `listener` with the resource of every change and the change, under the lock: as a subscriber."""
        with self.lock:
            self._on_event = [*self._on_event, listener]

    def on_drop(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the name of every resource that is served no more. Before anything is dropped."""
        self._on_drop.append(listener)
