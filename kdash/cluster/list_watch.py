"""`HttpListerWatcher`: one resource of one server, listed and watched over HTTP.

Contract: `kdash.informer.list_watch.ListerWatcher`. A list page is cut into its objects' bytes without
decoding them (any order of keys; each object's bytes are its own copy, so the page can be freed); a watch is
opened with the options as they are. client-go's REST retries happen here, below the reflector. Thread-safe.
"""

from __future__ import annotations

import msgspec

from kdash.cluster.errors import clean_text
from kdash.cluster.rest_retry import is_empty_watch, repeat
from kdash.cluster.transport import Answer, Request, Transport
from kdash.cluster.watch_stream import EmptyWatchStream, HttpWatchStream
from kdash.informer.errors import DecodeError, StopRequested, TransportError
from kdash.informer.list_watch import CancelToken, ListOptions, ListPage, WatchStream
from kdash.informer.object_decoding import DECODING_ERRORS, repaired_text
from kdash.informer.objects import KubeObject
from kdash.informer.resources import ResourceInfo

__all__ = ["HttpListerWatcher", "decode_list", "query_of"]

_JSON = "application/json"
_PARTIAL = "application/json;as=%s;v=v1;g=meta.k8s.io,application/json"
_SERVER_PICKS_UP_TO_S = 3600  # an API server's own longest choice when it is not told timeoutSeconds
WATCH_MARGIN_S = 15.0


class _ListMeta(msgspec.Struct):
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    continue_token: str = msgspec.field(default="", name="continue")
    remaining: int | None = msgspec.field(default=None, name="remainingItemCount")
    shard_info: dict[str, str] | None = msgspec.field(default=None, name="shardInfo")


class _List(msgspec.Struct):
    kind: str = ""
    api_version: str = msgspec.field(default="", name="apiVersion")
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


_list_decoder = msgspec.json.Decoder(_List)


def _decode_repaired(body: bytes, error: Exception) -> _List:
    try:
        return _list_decoder.decode(repaired_text(body, error))
    except (DecodeError, *DECODING_ERRORS) as e:
        raise DecodeError(
            f"the server's answer to the list is not a Kubernetes list: {clean_text(str(e))}"
        ) from None


def decode_list(body: bytes) -> ListPage:
    """One page from the body of a LIST. Raises `DecodeError` when it is no list."""
    try:
        page = _list_decoder.decode(body)
    except DECODING_ERRORS as e:
        page = _decode_repaired(body, e)
    unnamed_list = not page.kind and page.items is not None  # as typed clients, take it for what was asked for
    if not (page.kind.endswith("List") or page.kind == "Table" or unnamed_list):
        what = f"a {clean_text(page.kind, 60)}" if page.kind else "an object without kind"
        raise DecodeError(f"the server answered the list with {what}")
    kind, api_version = page.kind.removesuffix("List"), page.api_version if page.kind != "List" else ""
    make = KubeObject.from_bytes
    items = [make(bytes(raw), api_version, kind) for raw in page.items or ()]
    meta = page.metadata
    shard_selector = (meta.shard_info or {}).get("selector", "")
    return ListPage(
        items, meta.resource_version, meta.continue_token, meta.remaining, len(body), page.kind,
        page.api_version, shard_selector,
    )  # fmt: skip


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
        return decode_list(answer.read_all())

    def watch(self, options: ListOptions, cancel: CancelToken) -> WatchStream:
        purpose = "watch-list" if options.send_initial_events else "watch"
        request = Request(self._path, query_of(options, True), self._watch_accept, purpose, self._informer)
        try:
            answer = self._send(request, cancel, watching=True)
        except TransportError as e:
            if is_empty_watch(e):
                return EmptyWatchStream()
            raise
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
