"""An API server as a model: objects, one version counter, a history that can be lost, and faults on demand.

Nothing here blocks or reads a clock: the world asks, the model answers at once. `states[key]` is the truth that the
invariants are checked against: every state a key ever had, in order, None standing for its deletion.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from kdash.informer.errors import (
    ApiStatusError,
    ConnectionRefused,
    ConnectionReset,
    InformerError,
    StatusCause,
    UnexpectedEOF,
)
from kdash.informer.list_watch import ListOptions, ListPage, WatchEvent
from kdash.informer.objects import KubeObject

API_VERSION, KIND = "v1", "ConfigMap"


def make_object(key: str, version: int, incarnation: int) -> KubeObject:
    namespace, name = key.split("/")
    raw = (
        f'{{"apiVersion":"{API_VERSION}","kind":"{KIND}","metadata":{{"name":"{name}","namespace":"{namespace}",'
        f'"uid":"{name}-{incarnation}","resourceVersion":"{version}"}},"data":{{"rv":"{version}"}}}}'
    )
    return KubeObject.from_bytes(raw.encode(), API_VERSION, KIND)


def bookmark(version: int, end: bool = False) -> WatchEvent:
    raw = f'{{"kind":"{KIND}","apiVersion":"{API_VERSION}","metadata":{{"resourceVersion":"{version}"}}}}'
    return WatchEvent("BOOKMARK", KubeObject.from_bytes(raw.encode()), None, 0, end)


def expired(message: str = "too old resource version") -> ApiStatusError:
    return ApiStatusError(410, "Expired", message)


_FAILURES: tuple[InformerError, ...] = (
    ApiStatusError(500, "InternalError", "injected"),
    ApiStatusError(503, "ServiceUnavailable", "injected"),
    ApiStatusError(429, "TooManyRequests", "injected"),
    ApiStatusError(403, "Forbidden", "injected"),
    ConnectionRefused("injected"),
    ConnectionReset("injected"),
    UnexpectedEOF("injected"),
    ApiStatusError(504, "Timeout", "Too large resource version", (StatusCause("ResourceVersionTooLarge"),)),
    expired("injected"),
)


@dataclass
class Stream:
    """A watch: what it still has to deliver, and how it ends."""

    position: int
    """Index into the history of the next event to send."""
    pending: list[WatchEvent] = field(default_factory=list)
    ended: bool = False
    silent: bool = False
    """Half-open: delivers nothing until the client gives up."""


class Server:
    """The model. `lose` is how likely one event is to vanish from a stream without a trace."""

    def __init__(self, rng: random.Random, keys: int = 8) -> None:
        self._rng = rng
        self._keys = [f"ns{i % 2}/obj{i}" for i in range(keys)]
        self.version = 100
        self.objects: dict[str, KubeObject] = {}
        self.states: dict[str, list[KubeObject | None]] = {key: [None] for key in self._keys}
        self.history: list[tuple[int, WatchEvent]] = []
        self.window_start = self.version
        self.streams: list[Stream] = []
        self.requests = 0
        self.faulty = True
        self.lossy = False
        self.lost_keys: set[str] = set()
        self._incarnation = 0
        self._snapshots: dict[str, tuple[int, list[KubeObject]]] = {}
        for key in self._keys[: keys // 2]:
            self._put(key)

    # changes -------------------------------------------------------------------------------------------

    def change(self) -> None:
        """One random change, somewhere."""
        key = self._rng.choice(self._keys)
        if key in self.objects and self._rng.random() < 0.35:
            self._delete(key)
            if self._rng.random() < 0.3:
                self._put(key)
        else:
            self._put(key)

    def _put(self, key: str) -> None:
        self.version += self._rng.choice((1, 1, 1, 7))
        known = key in self.objects
        if not known:
            self._incarnation += 1
        incarnation = int(self.objects[key].uid.rsplit("-", 1)[1]) if known else self._incarnation
        obj = make_object(key, self.version, incarnation)
        self.objects[key] = obj
        self.states[key].append(obj)
        self.history.append((self.version, WatchEvent("MODIFIED" if known else "ADDED", obj, None, obj.size)))

    def _delete(self, key: str) -> None:
        self.version += 1
        last = self.objects.pop(key)
        gone = make_object(key, self.version, int(last.uid.rsplit("-", 1)[1]))
        self.states[key].append(None)
        self.history.append((self.version, WatchEvent("DELETED", gone, None, gone.size)))

    def lose_history(self) -> None:
        """Forget the past: older versions are expired from now on."""
        self.window_start = self.version
        self._snapshots.clear()

    def restart(self) -> None:
        """End every stream and forget the past, as a server does that comes back."""
        self.lose_history()
        for stream in self.streams:
            stream.ended = True

    # requests ------------------------------------------------------------------------------------------

    def list(self, options: ListOptions) -> ListPage:
        """Answer a list or raise; may be asked with any options the core sends."""
        self.requests += 1
        if self.faulty and self._rng.random() < 0.15:
            raise self._rng.choice(_FAILURES)
        if options.continue_token:
            if options.continue_token not in self._snapshots:
                raise expired("The provided continue parameter is too old")
            version, rest = self._snapshots.pop(options.continue_token)
        else:
            if options.resource_version not in ("", "0") and int(options.resource_version) > self.version:
                raise ApiStatusError(504, "Timeout", "Too large resource version")
            version, rest = self.version, [self.objects[key] for key in sorted(self.objects)]
        limit = self._rng.choice((0, 2, 3)) if self.faulty and options.limit else options.limit
        token = ""
        if limit and len(rest) > limit:
            token = f"token-{self.requests}"
            self._snapshots[token] = (version, rest[limit:])
            rest = rest[:limit]
        return ListPage(rest, str(version), token, None, 0, f"{KIND}List", API_VERSION)

    def watch(self, options: ListOptions) -> Stream:
        """Open a watch or raise."""
        self.requests += 1
        if self.faulty and self._rng.random() < 0.15:
            raise self._rng.choice(_FAILURES)
        stream = Stream(len(self.history))
        if options.send_initial_events:
            stream.pending = [WatchEvent("ADDED", obj, None, obj.size) for obj in self.objects.values()]
            if not self.faulty or self._rng.random() < 0.9:
                stream.pending.append(bookmark(self.version, end=True))
        else:
            since = int(options.resource_version)
            if since < self.window_start:
                stream.pending = [WatchEvent("ERROR", None, expired())]
                stream.ended = True
            else:
                stream.position = next(
                    (i for i, (version, _) in enumerate(self.history) if version > since), len(self.history)
                )
        if self.faulty and self._rng.random() < 0.05:
            stream.silent = True
        self.streams.append(stream)
        return stream

    def dawdles(self) -> bool:
        """Whether a page is not ready yet; its continue token may expire meanwhile."""
        return self.faulty and self._rng.random() < 0.3

    def read(self, stream: Stream) -> Sequence[WatchEvent] | None:
        """What the stream delivers now: events, () when it is over, None when there is nothing yet."""
        if stream.silent:
            return None
        batch, stream.pending = stream.pending, []
        fresh = self.history[stream.position :]
        if fresh and not stream.ended:
            take = self._rng.randint(1, len(fresh))
            stream.position += take
            for _, event in fresh[:take]:
                if self.lossy and self._rng.random() < 0.1:
                    assert event.object is not None
                    self.lost_keys.add(event.object.key)
                else:
                    batch.append(event)
        if batch:
            return batch
        return () if stream.ended else None

    def disturb(self, stream: Stream | None) -> None:
        """Do something to the open stream that real servers and networks do."""
        if stream is None:
            return
        what = self._rng.randrange(6)
        if what == 0:
            stream.ended = True  # a clean end, a cut line, a reset: all look alike above the transport
        elif what == 1:
            stream.pending.append(WatchEvent("ERROR", None, expired()))
        elif what == 2:
            stream.pending.append(WatchEvent("ERROR", None, ApiStatusError(500, "InternalError", "undecodable line")))
        elif what == 3:
            stream.pending.append(WatchEvent("ERROR", None, ApiStatusError(429, "TooManyRequests", "slow down")))
        elif what == 4 and stream.position == len(self.history) and not stream.pending:
            stream.pending.append(bookmark(self.version))
        else:
            stream.silent = True
