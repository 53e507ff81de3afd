"""LIST: which state is asked for, which part of it, and how it is written (wire facts 2 to 5, 21 to 41).

Contract: `handle_list` answers a whole collection or one page of it. Objects are joined as the bytes that are
stored; they are decoded only for selectors, tables and partial metadata. A large body is made slice by slice while
it is sent, so that a list of 100,000 objects holds nobody up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from kdash.demo import status
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.list_options import ContinueToken, ListParameters, parse_list
from kdash.demo.negotiation import Form, check_include_object, form_of, shown, wants_pretty, wants_yaml
from kdash.demo.resources import ResourceType
from kdash.demo.selectors import Selection, parse_selection
from kdash.demo.storage import Expired, Storage, Stored
from kdash.demo.table import partial_metadata, render_table

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["handle_list", "wait_for_version"]

_SLICE = 250
_TOO_LARGE_WAIT_S = 3.0


async def handle_list(request: Request, server: ApiServer, resource_type: ResourceType, namespace: str) -> Response:
    """Answer a list. Raises `ApiError`."""
    form = form_of(request)
    if form == "partial":
        raise status.wrong_partial("PartialObjectMetadata", "a list", resource_type.go_type + "List")
    if form == "table":
        check_include_object(request)
    parameters = parse_list(request)
    selection = parse_selection(request.param("labelSelector"), request.param("fieldSelector"), resource_type)
    if parameters.version:
        await wait_for_version(server.storage, parameters.version, parameters.timeout_s)
    state, version = _state(server.storage, resource_type, namespace, parameters)
    await asyncio.sleep(0)
    page, rest = await _page(state, parameters, selection)
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if rest:
        last = page[-1].key.removeprefix(f"{namespace}/") if namespace else page[-1].key
        metadata["continue"] = ContinueToken("meta.k8s.io/v1", version, f"/{last}\0").encode()
        if not selection:
            metadata["remainingItemCount"] = rest
    return await _write(request, server, resource_type, form, page, metadata)


async def wait_for_version(storage: Storage, version: int, timeout_s: float | None = None) -> None:
    """Wait until the storage is at `version`; 504 after 3 s, or at the request's own limit."""
    if version <= storage.current_version:
        return
    limit_s = min(_TOO_LARGE_WAIT_S, timeout_s) if timeout_s else _TOO_LARGE_WAIT_S
    until = asyncio.get_running_loop().time() + limit_s
    while storage.current_version < version:
        if asyncio.get_running_loop().time() >= until:
            if timeout_s and timeout_s < _TOO_LARGE_WAIT_S:
                raise _OutOfTime()
            raise status.too_large_version(version, storage.current_version)
        await asyncio.sleep(0.02)


class _OutOfTime(status.ApiError):
    """The request's own `timeout` ran out: a Status without kind, sent as plain text (wire fact 9)."""

    def __init__(self) -> None:
        message = "Timeout: request did not complete within the allotted timeout"
        super().__init__(status.failure(504, message, "Timeout", {}))

    def response(self) -> Response:
        body = {name: value for name, value in self.status.items() if name not in ("kind", "apiVersion")}
        return Response(504, json_bytes(body) + b"\n", {"Content-Type": "text/plain; charset=utf-8"})


def _state(
    storage: Storage, resource_type: ResourceType, namespace: str, parameters: ListParameters
) -> tuple[list[Stored], int]:
    """The objects of the version asked for, from the continue token's key on, and that version."""
    resource, token, asked = resource_type.qualified, parameters.token, parameters.version
    if token is not None:
        start = token.start.removeprefix("/")
        start = f"{namespace}/{start}" if namespace else start
        if token.rv > 0:
            try:
                state, version = storage.list_at(resource, namespace, token.rv), token.rv
            except Expired:
                fresh = ContinueToken(token.v, -1, token.start.removeprefix("/"))
                raise status.expired_continue(fresh.encode()) from None
        else:
            state, version = storage.list_stored(resource, namespace, snapshot=True)
        return storage.tail(state, start), version
    if asked and (parameters.match == "Exact" or (not parameters.match and parameters.limit)):
        try:
            return storage.list_at(resource, namespace, asked), asked
        except Expired:
            raise status.expired_exact() from None
    if asked is None:
        storage.note_progress()
    return storage.list_stored(resource, namespace, snapshot=bool(parameters.limit and asked != 0))


async def _page(state: list[Stored], parameters: ListParameters, selection: Selection) -> tuple[list[Stored], int]:
    """The selected objects of the page, and how many stored ones come after it. Version "0" ignores the limit."""
    limit = 0 if parameters.version == 0 else parameters.limit
    if not selection:
        return (state[:limit], len(state) - limit) if limit and limit < len(state) else (state, 0)
    page: list[Stored] = []
    for index, stored in enumerate(state):
        if index % _SLICE == _SLICE - 1:
            await asyncio.sleep(0)
        if not selection.matches(msgspec.json.decode(stored.raw)):
            continue
        if limit and len(page) == limit:
            return page, len(state) - index
        page.append(stored)
    return page, 0


async def _write(
    request: Request, server: ApiServer, resource_type: ResourceType, form: Form, page: list[Stored],
    metadata: dict[str, Any],
) -> Response:  # fmt: skip
    if form == "json":
        head, tail = _frame(resource_type, metadata)
        items = [stored.raw for stored in page]
        await asyncio.sleep(0)
    elif form == "table":
        head, tail, items = await _table(request, server, resource_type, page, metadata)
    else:
        body = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": []}
        head, tail = json_bytes(body)[:-2], b"]}\n"
        items = []
        async for objects in _decoded(resource_type, page):
            items += [json_bytes(partial_metadata(item)) for item in objects]
    headers = {"Content-Type": "application/json"}
    size = len(head) + len(tail) + len(items) + sum(map(len, items))
    if size > server.stream_above and not wants_pretty(request) and not wants_yaml(request):
        return Response(200, headers=headers, stream=_stream(head, items, tail), size=size)
    return Response(200, head + b",".join(items) + tail, headers)


async def _decoded(resource_type: ResourceType, page: list[Stored]) -> AsyncIterator[list[dict[str, Any]]]:
    """The objects of a page, slice by slice, with pauses in between."""
    for at in range(0, len(page), _SLICE):
        yield [shown(resource_type, stored.raw) for stored in page[at : at + _SLICE]]
        await asyncio.sleep(0)


async def _table(
    request: Request, server: ApiServer, resource_type: ResourceType, page: list[Stored], metadata: dict[str, Any]
) -> tuple[bytes, bytes, list[bytes]]:
    """What stands before the rows of a Table, after them, and the rows."""

    def render(objects: list[dict[str, Any]]) -> dict[str, Any]:
        return render_table(
            resource_type, objects, include, resource_version=metadata["resourceVersion"],
            continue_token=metadata.get("continue", ""), remaining=metadata.get("remainingItemCount"),
            printer_columns=resource_type.printer_columns, now=server.now(),
        )  # fmt: skip

    include = check_include_object(request)
    rows: list[bytes] = []
    async for objects in _decoded(resource_type, page):
        rows += [json_bytes(row) for row in render(objects)["rows"]]
    return json_bytes(render([]))[:-2], b"]}\n", rows


def _frame(resource_type: ResourceType, metadata: dict[str, Any]) -> tuple[bytes, bytes]:
    """What stands before and after the items. Custom resources have their keys in alphabetical order (wire fact 3)."""
    kind, version = json_bytes(resource_type.kind_of_list), json_bytes(resource_type.group_version)
    if resource_type.custom:
        meta = json_bytes(dict(sorted({"continue": "", **metadata}.items())))
        head, tail = b'{"apiVersion":' + version + b',"items":[', b'],"kind":' + kind + b',"metadata":' + meta + b"}\n"
    else:
        meta = json_bytes(metadata)
        head = b'{"kind":' + kind + b',"apiVersion":' + version + b',"metadata":' + meta + b',"items":['
        tail = b"]}\n"
    return head, tail


async def _stream(head: bytes, items: list[bytes], tail: bytes) -> AsyncIterator[bytes]:
    yield head
    for at in range(0, len(items), _SLICE):
        joined = b",".join(items[at : at + _SLICE])
        yield joined if at == 0 else b"," + joined
        await asyncio.sleep(0)
    yield tail
