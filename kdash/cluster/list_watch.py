"""`HttpListerWatcher`: one resource of one server, listed and watched over HTTP.

Contract: `kdash.informer.list_watch.ListerWatcher`. A list page is cut into its objects' bytes while it arrives (any
order of keys; each object's bytes are its own copy, and those of a large page are compressed on the way), so that the
body never lies in memory as a whole; a watch is opened with the options as they are. client-go's REST retries happen
here, below the reflector. Thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing

from kdash.cluster.errors import clean_text
from kdash.cluster.list_splitter import ListSplitter
from kdash.cluster.rest_retry import is_empty_watch, repeat
from kdash.cluster.transport import Answer, Request, Transport
from kdash.cluster.watch_stream import EmptyWatchStream, HttpWatchStream
from kdash.informer.errors import DecodeError, InformerError, StopRequested, TransportError
from kdash.informer.list_watch import CancelToken, ListOptions, ListPage, WatchStream
from kdash.informer.objects import KubeObject
from kdash.informer.packing_arrivals import ArrivalPacker
from kdash.informer.resources import ResourceInfo

__all__ = ["HttpListerWatcher", "decode_list", "query_of"]

_JSON = "application/json"
_PARTIAL = "application/json;as=%s;v=v1;g=meta.k8s.io,application/json"
_SERVER_PICKS_UP_TO_S = 3600  # an API server's own longest choice when it is not told timeoutSeconds
WATCH_MARGIN_S = 15.0


class _PageMaker:
    """Bytes of one page in, a `ListPage` out."""

    def __init__(self, most: int = 0) -> None:
        self._splitter = ListSplitter()
        self._packer = ArrivalPacker(most)
        self._items: list[KubeObject] = []
        self._kind = self._api_version = ""
        self._is_list = False

    def feed(self, pieces: Iterable[bytes]) -> None:
        self._take(self._splitter.feed(pieces))

    def _take(self, raws: Sequence[bytes]) -> None:
        if not self._is_list and self._splitter.kind:
            self._check(self._splitter.kind)
        kind, api_version, make = self._kind, self._api_version, KubeObject.from_bytes
        objects = [make(raw, api_version, kind) for raw in raws]
        self._items += objects
        self._packer.add(objects)

    def _check(self, kind: str) -> None:
        """A list of another kind, or what is no list, is refused; items get their kind from it."""
        if not (kind.endswith("List") or kind == "Table"):
            raise DecodeError(f"the server answered the list with a {clean_text(kind, 60)}")
        self._is_list = True
        if kind != "List":
            self._kind, self._api_version = kind.removesuffix("List"), self._splitter.api_version

    def end(self) -> ListPage:
        splitter = self._splitter
        self._take(splitter.end())
        if not splitter.kind and not splitter.has_items:  # with items, as typed clients, for what was asked for
            raise DecodeError("the server answered the list with an object without kind")
        if splitter.kind not in ("", "List"):
            self._api_version = splitter.api_version
        if self._kind and any(not obj.kind or not obj.api_version for obj in self._items):
            self._items = [self._complete(obj) for obj in self._items]  # the kind came behind the items
        meta = splitter.meta
        return ListPage(
            self._items, meta.resource_version, meta.continue_token, meta.remaining, splitter.size, splitter.kind,
            splitter.api_version, (meta.shard_info or {}).get("selector", ""),
        )  # fmt: skip

    def drop(self) -> None:
        """Let go of everything: the traceback of an error would keep it."""
        self._splitter, self._packer = ListSplitter(), ArrivalPacker()
        self._items.clear()

    def _complete(self, obj: KubeObject) -> KubeObject:
        if obj.kind and obj.api_version:
            return obj
        return KubeObject.from_bytes(obj.to_json(), self._api_version, self._kind)


def decode_list(body: bytes) -> ListPage:
    """One page from the body of a LIST. Raises `DecodeError` when it is no list."""
    page = _PageMaker()
    page.feed([body])
    return page.end()


def query_of(options: ListOptions, watching: bool) -> list[tuple[str, str]]:
    """The options as a query, in the order client-go writes them; empty values are left out."""
    given: dict[str, str] = {
        "allowWatchBookmarks": "true" if options.allow_watch_bookmarks else "",
        "continue": options.continue_token,
        "fieldSelector": options.field_selector,
        "labelSelector": options.label_selector,
        "limit": str(options.limit) if options.limit else "",
        "resourceVersion": options.resource_version,
        "resourceVersionMatch": options.resource_version_match,
        "sendInitialEvents": "true" if options.send_initial_events else "",
        "timeoutSeconds": "" if options.timeout_seconds is None else str(options.timeout_seconds),
        "watch": "true" if watching else "",
    }
    return [(name, value) for name, value in given.items() if value]


class HttpListerWatcher:
    """Lists and watches `resource` in `namespace` ("" = all).

    `metadata_only` asks for PartialObjectMetadata. `informer` labels the tap's records (default: the
    resource's name). `stall_s` ends a watch that brought no byte for so long; without it a silent watch ends
    `WATCH_MARGIN_S` after the server should have ended it.
    """

    def __init__(
        self,
        transport: Transport,
        resource: ResourceInfo,
        namespace: str = "",
        *,
        metadata_only: bool = False,
        informer: str = "",
        stall_s: float | None = None,
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.metadata_only = metadata_only
        self._transport = transport
        self._path = resource.path(namespace)
        self._informer = informer or resource.name
        self._list_accept = _PARTIAL % "PartialObjectMetadataList" if metadata_only else _JSON
        self._watch_accept = _PARTIAL % "PartialObjectMetadata" if metadata_only else _JSON
        self._stall_s = stall_s

    def list(self, options: ListOptions, cancel: CancelToken) -> ListPage:
        request = Request(
            self._path, query_of(options, False), self._list_accept, "list", self._informer, compress=True
        )
        answer = self._send(request, cancel, watching=False)
        if answer.code != 200:
            raise answer.error()
        self._check_json(answer, "list")
        page = _PageMaker(options.max_bytes)
        try:
            with closing(answer.pieces()) as body:
                for pieces in body:
                    page.feed(pieces)
            return page.end()
        except InformerError:
            page.drop()
            raise

    def watch(self, options: ListOptions, cancel: CancelToken) -> WatchStream:
        try:
            answer = self._send(self._watch_request(options), cancel, watching=True)
        except TransportError as e:
            if is_empty_watch(e):
                return EmptyWatchStream()
            raise
        return self._stream(answer, options, cancel)

    def watch_anew(self, options: ListOptions, cancel: CancelToken, within_s: float) -> WatchStream:
        """See `RewatchingListerWatcher` (kdash extension)."""
        self._transport.retire_idle()
        answer = self._transport.get(self._watch_request(options), cancel, within_s=within_s)
        return self._stream(answer, options, cancel)

    def _watch_request(self, options: ListOptions) -> Request:
        purpose = "watch-list" if options.send_initial_events else "watch"
        return Request(self._path, query_of(options, True), self._watch_accept, purpose, self._informer)

    def _stream(self, answer: Answer, options: ListOptions, cancel: CancelToken) -> WatchStream:
        if answer.code != 200:
            raise answer.error()
        self._check_json(answer, "watch")
        lasts_s = options.timeout_seconds or _SERVER_PICKS_UP_TO_S
        stream = HttpWatchStream(answer, self._transport.clock, lasts_s + WATCH_MARGIN_S, self._stall_s)
        if cancel.cancelled:
            stream.stop()
            raise StopRequested("the watch was cancelled")
        return stream

    def _send(self, request: Request, cancel: CancelToken, *, watching: bool) -> Answer:
        transport = self._transport
        return repeat(
            lambda attempt: transport.get(request, cancel, attempt),
            transport.clock,
            cancel,
            watching=watching,
        )

    @staticmethod
    def _check_json(answer: Answer, verb: str) -> None:
        media_type = answer.content_type.split(";", 1)[0].strip().lower()
        if media_type not in ("", _JSON, "application/octet-stream"):  # the last says nothing about the content
            what = clean_text(media_type, 60)
            answer.close("error", what)
            raise DecodeError(
                f"the server answered the {verb} with {what} in place of JSON; "
                "is there a proxy or login page between?"
            )
