"""An API server in miniature: a `ListerWatcher` without sockets, for tests of the informer core.

After client-go's `FakeControllerSource`: one version counter, a history that watches replay, changes that
skip the open watches (`drop=True`), and a reset after which old versions are expired. On top of that it
pages, sends bookmarks, answers watch-lists, knows the meaning of versions, and fails on demand.
Thread-safe; streams end when the test ends them. `requests` lists every request in order.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdash.informer.errors import ApiStatusError, StatusCause, StopRequested
from kdash.informer.list_watch import CancelToken, ListOptions, ListPage, WatchEvent
from kdash.informer.objects import KubeObject

API_VERSION, KIND = "v1", "ConfigMap"


def make_object(
    name: str, version: int | str = 1, *, namespace: str = "default", uid: str = "", kind: str = KIND,
    api_version: str = API_VERSION, **content: Any,
) -> KubeObject:  # fmt: skip
    """A small object; `content` are further top-level fields."""
    metadata = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    if namespace:
        metadata["namespace"] = namespace
    document = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
    return KubeObject.from_bytes(json.dumps(document).encode(), api_version, kind)


def bookmark(version: int | str, *, end: bool = False, kind: str = KIND) -> WatchEvent:
    """A BOOKMARK event; `end` marks the end of the initial events."""
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"resourceVersion": str(version)}}
    obj = KubeObject.from_bytes(json.dumps(document).encode(), API_VERSION, kind)
    return WatchEvent("BOOKMARK", obj, None, obj.size, end)


def expired(message: str = "too old resource version") -> ApiStatusError:
    return ApiStatusError(410, "Expired", message)


def too_large() -> ApiStatusError:
    cause = StatusCause("ResourceVersionTooLarge", "Too large resource version")
    return ApiStatusError(504, "Timeout", "Too large resource version: 9, current: 1", (cause,), 1)


class FakeStream:
    """A watch that tests write to. `next_batch` gives everything that is there, or waits."""

    def __init__(self) -> None:
        self._condition = threading.Condition()  # guards everything below
        self._events: deque[WatchEvent] = deque()
        self._ended = False
        self.stops = 0

    def send(self, *events: WatchEvent) -> None:
        with self._condition:
            if not self._ended:
                self._events.extend(events)
                self._condition.notify_all()

    def end(self) -> None:
        """The server closes the stream; what was sent before is still delivered."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    @property
    def ended(self) -> bool:
        with self._condition:
            return self._ended

    def next_batch(self) -> Sequence[WatchEvent]:
        with self._condition:
            while not self._events and not self._ended:
                self._condition.wait()
            batch = list(self._events)
            self._events.clear()
            return batch

    def stop(self) -> None:
        with self._condition:
            self.stops += 1
            self._ended = True
            self._events.clear()
            self._condition.notify_all()


@dataclass(slots=True)
class _Continuation:
    items: list[KubeObject]
    version: int


@dataclass(slots=True)
class Request:
    """One request: `verb` is LIST, WATCH or WATCHLIST."""

    verb: str
    options: ListOptions


@dataclass(slots=True)
class _Faults:
    lists: deque[Exception] = field(default_factory=deque)
    watches: deque[Exception] = field(default_factory=deque)


class FakeSource:
    """The collection, its history and its open watches."""

    def __init__(self, *, watch_list: bool = True, watch_cache: bool = True) -> None:
        """`watch_cache`: a list at version "0" ignores its limit, as real servers do. `watch_list=False`: the
        server refuses sendInitialEvents with 422."""
        self._condition = threading.Condition()  # guards everything below
        self._watch_list = watch_list
        self._watch_cache = watch_cache
        self._version = 0
        self._compacted = 0
        self._items: dict[str, KubeObject] = {}
        self._history: list[tuple[int, WatchEvent]] = []
        self._streams: list[FakeStream] = []
        self._continuations: dict[str, _Continuation] = {}
        self._faults = _Faults()
        self._held: threading.Event | None = None
        self.requests: list[Request] = []
        self.on_request: Callable[[Request], None] | None = None
        """Called before a request is answered, in the asking thread."""

    # the collection ------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        with self._condition:
            return self._version

    def add(self, name: str, *, drop: bool = False, **content: Any) -> KubeObject:
        return self._change("ADDED", name, drop, content)

    def modify(self, name: str, *, drop: bool = False, **content: Any) -> KubeObject:
        return self._change("MODIFIED", name, drop, content)

    def delete(self, name: str, *, drop: bool = False, namespace: str = "default") -> KubeObject:
        return self._change("DELETED", name, drop, {"namespace": namespace})

    def _change(self, type_: str, name: str, drop: bool, content: dict[str, Any]) -> KubeObject:
        with self._condition:
            self._version += 1
            obj = make_object(name, self._version, **content)
            if type_ == "DELETED":
                self._items.pop(obj.key, None)
            else:
                self._items[obj.key] = obj
            event = WatchEvent(type_, obj, None, obj.size)
            self._history.append((self._version, event))
            if not drop:
                for stream in self._open_streams():
                    stream.send(event)
            return obj

    def keys(self) -> list[str]:
        with self._condition:
            return sorted(self._items)

    # what a server does to its watches -----------------------------------------------------------------

    def _open_streams(self) -> list[FakeStream]:
        self._streams = [stream for stream in self._streams if not stream.ended]
        return self._streams

    def bookmark(self) -> None:
        """Send a bookmark of the present version to every open watch."""
        self.send(bookmark(self.version))

    def send(self, *events: WatchEvent) -> None:
        """Send events to the open watches without touching the collection."""
        with self._condition:
            for stream in self._open_streams():
                stream.send(*events)

    def send_error(self, error: ApiStatusError) -> None:
        self.send(WatchEvent("ERROR", None, error))

    def end_watches(self) -> None:
        """Close every open watch, as a server's time-out does."""
        with self._condition:
            for stream in self._open_streams():
                stream.end()
            self._condition.notify_all()

    def reset_watch(self) -> None:
        """Close every watch and forget the history: watches from older versions are expired."""
        with self._condition:
            self._version += 1
            self._compacted = self._version
            self._history.clear()
        self.end_watches()

    def expire_continue_tokens(self) -> None:
        with self._condition:
            self._continuations.clear()

    def fail_lists(self, *errors: Exception) -> None:
        """The next lists (pages too) fail so."""
        with self._condition:
            self._faults.lists.extend(errors)

    def fail_watches(self, *errors: Exception) -> None:
        """The next watches and watch-lists fail so."""
        with self._condition:
            self._faults.watches.extend(errors)

    def hold(self) -> Callable[[], None]:
        """Answer nothing until the returned function is called; cancelled requests end at once."""
        held = threading.Event()
        with self._condition:
            self._held = held
        return held.set

    # waiting for what a client did ----------------------------------------------------------------------

    def wait_for_requests(self, count: int, timeout_s: float = 10.0) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: len(self.requests) >= count, timeout_s)

    def wait_for_watch(self, timeout_s: float = 10.0) -> bool:
        """Until a watch is open."""
        with self._condition:
            return self._condition.wait_for(lambda: bool(self._open_streams()), timeout_s)

    def verbs(self) -> list[str]:
        with self._condition:
            return [request.verb for request in self.requests]

    # ListerWatcher -------------------------------------------------------------------------------------

    def list(self, options: ListOptions, cancel: CancelToken) -> ListPage:
        self._arrived(Request("LIST", options), cancel)
        with self._condition:
            if self._faults.lists:
                raise self._faults.lists.popleft()
            if options.continue_token:
                return self._continue(options)
            self._check_version(options.resource_version)
            limit = 0 if self._watch_cache and options.resource_version == "0" else options.limit
            return self._page(list(self._items.values()), limit, self._version)

    def _continue(self, options: ListOptions) -> ListPage:
        rest = self._continuations.pop(options.continue_token, None)
        if rest is None:
            raise expired("The provided continue parameter is too old")
        return self._page(rest.items, options.limit, rest.version)

    def _page(self, items: list[KubeObject], limit: int, version: int) -> ListPage:
        token = ""
        if limit and len(items) > limit:
            token = f"token-{len(self._continuations) + 1}-{version}"
            items, rest = items[:limit], items[limit:]
            self._continuations[token] = _Continuation(rest, version)
            remaining: int | None = len(rest)
        else:
            remaining = None
        size = sum(item.size for item in items)
        return ListPage(items, str(version), token, remaining, size, f"{KIND}List", API_VERSION)

    def watch(self, options: ListOptions, cancel: CancelToken) -> FakeStream:
        self._arrived(Request("WATCHLIST" if options.send_initial_events else "WATCH", options), cancel)
        with self._condition:
            if self._faults.watches:
                raise self._faults.watches.popleft()
            if options.send_initial_events and not self._watch_list:
                raise ApiStatusError(422, "Invalid", "sendInitialEvents is forbidden for watch")
            self._check_version(options.resource_version)
            stream = FakeStream()
            stream.send(*self._first_events(options))
            self._streams.append(stream)
            self._condition.notify_all()
            return stream

    def _first_events(self, options: ListOptions) -> list[WatchEvent]:
        if options.send_initial_events or options.resource_version in ("", "0"):
            state = [WatchEvent("ADDED", item, None, item.size) for item in self._items.values()]
            return [*state, bookmark(self._version, end=True)] if options.send_initial_events else state
        since = int(options.resource_version)
        if since < self._compacted:
            raise expired(f"too old resource version: {since} ({self._compacted})")
        return [event for version, event in self._history if version > since]

    def _check_version(self, version: str) -> None:
        if version and int(version) > self._version:
            raise too_large()

    def _arrived(self, request: Request, cancel: CancelToken) -> None:
        with self._condition:
            self.requests.append(request)
            self._condition.notify_all()
            held = self._held
        if self.on_request is not None:
            self.on_request(request)
        if held is not None:
            forget = cancel.on_cancel(held.set)
            held.wait()
            forget()
        if cancel.cancelled:
            raise StopRequested("the request was cancelled")
