"""What the reflector needs from a server: one list call, one watch call (client-go `ListerWatcher`).

Guarantees asked of an implementation:
- `list` returns one page and never follows `continue_token` itself; paging is the reflector's (`pager`).
- `watch` returns once the response headers are in; events are then read from the `WatchStream`.
- Errors are `kdash.informer.errors` and nothing else. Retries below the reflector (client-go's REST layer:
  429/5xx with Retry-After, resets of a GET) belong to the implementation.
- Both calls give up at once, raising `StopRequested`, when `cancel.cancelled` turns true: the implementation
  registers a callback on `cancel` that tears the request down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, cast

from kdash.informer.errors import ApiStatusError
from kdash.informer.latch import Latch
from kdash.informer.objects import KubeObject

__all__ = ["CancelToken", "ListOptions", "ListPage", "ListerWatcher", "RewatchingListerWatcher", "WatchEvent",
           "WatchStream", "asks_for_metadata_only", "can_watch_anew"]


class CancelToken:
    """A one-way switch with callbacks; the stop channel of Go's context. Thread-safe."""

    def __init__(self) -> None:
        self._latch = Latch()

    @property
    def cancelled(self) -> bool:
        return self._latch.turned

    def cancel(self) -> None:
        """Switch, then run the callbacks once in this thread. Further calls do nothing."""
        self._latch.turn()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run `callback` on cancel (at once if that has happened); returns the way to take it back."""
        return self._latch.on_turned(callback)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """metav1.ListOptions as far as an informer uses it; empty values are not sent."""

    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_token: str = ""
    label_selector: str = ""
    field_selector: str = ""
    timeout_seconds: int | None = None
    allow_watch_bookmarks: bool = False
    send_initial_events: bool = False
    max_bytes: int = 0
    """kdash extension, not sent: how much the objects of a list may take, compressed; 0: no such bound."""


@dataclass(slots=True)
class ListPage:
    """One page of a list. `items` carry apiVersion and kind of their own even where the wire omits them."""

    items: Sequence[KubeObject]
    resource_version: str = ""
    continue_token: str = ""
    remaining_item_count: int | None = None
    size: int = 0
    """Bytes of the body after decompression."""
    kind: str = ""
    """Kind of the list itself, e.g. `PodList` or `Table` (which a reflector rejects)."""
    api_version: str = ""
    shard_selector: str = ""


class WatchEvent(NamedTuple):
    """One event of a stream.

    `type` is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR. `object` is None only for ERROR, whose `status`
    tells what happened. A complete line that cannot be decoded arrives as ERROR with code 500, as client-go's
    stream watcher reports it; unknown event types do too.
    """

    type: str
    object: KubeObject | None
    status: ApiStatusError | None = None
    size: int = 0
    """Bytes of the event's line."""
    initial_events_end: bool = False
    """A BOOKMARK whose annotation k8s.io/initial-events-end is exactly "true"."""


class WatchStream(Protocol):
    """An open watch."""

    def next_batch(self) -> Sequence[WatchEvent]:
        """Block until at least one event is complete and return all complete ones, in order.

        An empty sequence means that the stream is over: EOF, server time-out, a cut line, a reset, a read
        time-out, or `stop`. After that every call returns an empty sequence. One reader thread only.
        """

    def stop(self) -> None:
        """End the stream; wakes a blocked `next_batch`. Any thread, any number of times."""


class ListerWatcher(Protocol):
    """client-go `ListerWatcher`. Methods may be called from any thread; one call at a time per informer."""

    def list(self, options: ListOptions, cancel: CancelToken) -> ListPage:
        """Fetch one page. Raises `InformerError`s."""

    def watch(self, options: ListOptions, cancel: CancelToken) -> WatchStream:
        """Open a watch. Raises `InformerError`s for anything that happens before the response headers."""


class RewatchingListerWatcher(ListerWatcher, Protocol):
    """A `ListerWatcher` that can open a watch beside a silent one (kdash extension)."""

    def watch_anew(self, options: ListOptions, cancel: CancelToken, within_s: float) -> WatchStream:
        """Open a watch on a new connection, in one request without repeats, within so many seconds.

        Idle connections to the server are given up. Raises `InformerError`s.
        """


def can_watch_anew(lister_watcher: ListerWatcher) -> bool:
    """Whether the lister-watcher, and every one that it wraps, has `watch_anew`."""
    layer: object | None = lister_watcher
    while layer is not None:
        if not hasattr(layer, "watch_anew"):
            return False
        layer = getattr(layer, "inner", None)
    return True


def asks_for_metadata_only(lister_watcher: ListerWatcher) -> bool:
    """Whether the lister-watcher, or one that it wraps, declares `metadata_only`: its objects are
    PartialObjectMetadata.
    """
    layer: object | None = lister_watcher
    while layer is not None:
        if getattr(layer, "metadata_only", False) is True:
            return True
        layer = getattr(layer, "inner", None)
    return False


@dataclass(slots=True)
class TweakedListerWatcher:
    """A `ListerWatcher` whose options pass through `tweak` on every call (client-go `tweakListOptions`, FA-6)."""

    inner: ListerWatcher
    tweak: Callable[[ListOptions], ListOptions] = field(default=lambda options: options)

    def list(self, options: ListOptions, cancel: CancelToken) -> ListPage:
        return self.inner.list(self.tweak(options), cancel)

    def watch(self, options: ListOptions, cancel: CancelToken) -> WatchStream:
        return self.inner.watch(self.tweak(options), cancel)

    def watch_anew(self, options: ListOptions, cancel: CancelToken, within_s: float) -> WatchStream:
        """See `RewatchingListerWatcher`; only where `inner` is one."""
        return cast("RewatchingListerWatcher", self.inner).watch_anew(self.tweak(options), cancel, within_s)
