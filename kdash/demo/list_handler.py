"""LIST: which state is asked for, which part of it, and how it is written (wire facts 2 to 5, 21 to 41).

Contract: `handle_list` answers a whole collection or one page of it. Objects are joined as the bytes that are
stored; they are decoded only for selectors, tables and partial metadata. It yields to the loop between slices, so
that a list of 100,000 objects holds nobody up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from kdash.demo import status
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.list_options import ContinueToken, ListParameters, parse_list
from kdash.demo.negotiation import Form, form_of
from kdash.demo.resources import ResourceType
from kdash.demo.selectors import Selection, parse_selection
from kdash.demo.storage import Expired, Storage, Stored
from kdash.demo.table import partial_metadata, render_table

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["handle_list", "wait_for_version"]

_SLICE = 500
_TOO_LARGE_WAIT_S = 3.0


async def handle_list(request: Request, server: ApiServer, resource_type: ResourceType, namespace: str) -> Response:
    """Answer a list. Raises `ApiError`."""
    form = form_of(request)
    parameters = parse_list(request)
    selection = parse_selection(request.param("labelSelector"), request.param("fieldSelector"), resource_type)
    if parameters.version:
        await wait_for_version(server.storage, parameters.version, parameters.timeout_s)
    state, version, start = _state(server.storage, resource_type, namespace, parameters)
    if start:
        state = [stored for stored in state if stored.key >= start]
    page, rest = await _page(state, parameters, selection)
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if rest:
        last = page[-1].key.removeprefix(f"{namespace}/") if namespace else page[-1].key
        metadata["continue"] = ContinueToken("meta.k8s.io/v1", version, f"/{last}\0").encode()
        if not selection:
            metadata["remainingItemCount"] = rest
    return await _write(request, server, resource_type, form, page, metadata)


async def wait_for_version(storage: Storage, version: int, timeout_s: float | None) -> None:
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
        return Response(504, json_bytes(body), {"Content-Type": "text/plain; charset=utf-8"})


def _state(
    storage: Storage, resource_type: ResourceType, namespace: str, parameters: ListParameters
) -> tuple[list[Stored], int, str]:
    """The objects of the version asked for, that version, and the key to begin at."""
    resource, token = resource_type.qualified, parameters.token
    if token is not None:
        start = token.start.removeprefix("/")
        start = f"{namespace}/{start}" if namespace else start
        if token.rv > 0:
            try:
                return storage.list_at(resource, namespace, token.rv), token.rv, start
            except Expired:
                fresh = ContinueToken(token.v, -1, token.start.removeprefix("/"))
                raise status.expired_continue(fresh.encode()) from None
        state, version = storage.list_stored(resource, namespace)
        return state, version, start
    asked = parameters.version
    if asked and (parameters.match == "Exact" or (not parameters.match and parameters.limit)):
        try:
            return storage.list_at(resource, namespace, asked), asked, ""
        except Expired:
            raise status.expired_exact() from None
    state, version = storage.list_stored(resource, namespace)
    return state, version, ""


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
    headers = {"Content-Type": "application/json"}
    if form == "json":
        pieces = _json_pieces(resource_type, page, metadata)
    else:
        decode = server.storage.decode
        objects = []
        for index, stored in enumerate(page):
            if index % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            objects.append(decode(resource_type, stored.raw))
        if form == "table":
            body: dict[str, Any] = render_table(
                resource_type, objects, request.param("includeObject", "Metadata"),
                resource_version=metadata["resourceVersion"], continue_token=metadata.get("continue", ""),
                remaining=metadata.get("remainingItemCount"), printer_columns=resource_type.printer_columns,
            )  # fmt: skip
        else:
            body = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                    "items": [partial_metadata(item) for item in objects]}  # fmt: skip
        pieces = [json_bytes(body) + b"\n"]
    size = sum(map(len, pieces))
    if size <= server.stream_above:
        return Response(200, b"".join(pieces), headers)
    return Response(200, headers=headers, stream=_stream(pieces))


def _json_pieces(resource_type: ResourceType, page: list[Stored], metadata: dict[str, Any]) -> list[bytes]:
    """The list as slices of joined items. Custom resources have their keys in alphabetical order (wire fact 3)."""
    kind, version = json_bytes(resource_type.kind_of_list), json_bytes(resource_type.group_version)
    meta = json_bytes(metadata)
    if resource_type.custom:
        head, tail = b'{"apiVersion":' + version + b',"items":[', b'],"kind":' + kind + b',"metadata":' + meta + b"}\n"
    else:
        head = b'{"kind":' + kind + b',"apiVersion":' + version + b',"metadata":' + meta + b',"items":['
        tail = b"]}\n"
    pieces = [head]
    for at in range(0, len(page), _SLICE):
        joined = b",".join([stored.raw for stored in page[at : at + _SLICE]])
        pieces.append(joined if at == 0 else b"," + joined)
    pieces.append(tail)
    return pieces


async def _stream(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
