"""From a path to the handler: discovery, collections, objects, subresources.

Contract: `classify` is pure and cheap (the faults and the log use it before anything is answered); `answer` never
raises: an `ApiError` becomes its Status, anything unexpected a 500 whose details go to the server's logger.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdash.demo import crud, discovery, openapi, status
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.list_handler import handle_list
from kdash.demo.negotiation import form_of
from kdash.demo.resources import ResourceType
from kdash.demo.table import partial_metadata, render_table
from kdash.demo.watch_handler import handle_watch

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["Router", "Target"]

_logger = logging.getLogger(__name__)

_RESOURCE = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/(?P<watch>watch))?"
    r"(?:/namespaces/(?P<ns>[^/]+)(?=/[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?/?$"
)
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a resource path names."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    old_watch: bool = False


def target_of(path: str) -> Target | None:
    """The resource that a path names; None for other paths."""
    found = _RESOURCE.match(path)
    if not found:
        return None
    namespace, plural, name, sub = found["ns"] or "", found["plural"], found["name"] or "", found["sub"] or ""
    if namespace and plural in _NAMESPACE_SUBRESOURCES and not name:
        namespace, plural, name, sub = "", "namespaces", namespace, plural
    return Target(
        found["group"] or "", found["core"] or found["version"], plural, namespace, name, sub, bool(found["watch"])
    )


class Router:
    """Answers every request of one server."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def classify(self, request: Request) -> tuple[str, str]:
        """(verb, resource) for faults and the log: LIST and WATCH for collections, else the method."""
        target = target_of(request.path)
        if target is None:
            return request.method, ""
        if request.method == "GET" and (not target.name or target.old_watch):
            return ("WATCH" if request.flag("watch") or target.old_watch else "LIST"), target.plural
        return request.method, target.plural

    async def answer(self, request: Request) -> Response:
        """The answer to a request, whatever happens."""
        try:
            refused = self._server.authenticate(request)
            return refused or await self._route(request)
        except status.ApiError as error:
            return error.response()
        except asyncio.CancelledError:
            raise
        except Exception:
            _logger.exception("the demo server failed on %s %s", request.method, request.path)
            return status.ApiError(status.failure(500, "Internal error occurred", "InternalError", {})).response()

    async def _route(self, request: Request) -> Response:
        path = request.path.rstrip("/") or "/"
        if "//" in request.path:
            return _not_found_text()
        plain = self._discovery(request, path)
        if plain is not None:
            return plain if request.method in ("GET", "HEAD") else status.method_not_allowed().response()
        target = target_of(request.path)
        if target is None:
            return _not_found_text()
        registry = self._server.storage.registry
        found = registry.find(target.group, target.version, target.plural)
        if found is None:
            review = crud.review(request, self._server, target.group, target.plural)
            if review is not None:
                return review
            if not registry.has_group_version(target.group, target.version):
                return _not_found_text()
            raise status.unknown_resource()
        if request.method == "GET" and not target.subresource:
            return await self._read(request, found, target)
        if request.method in ("HEAD", "OPTIONS"):
            raise status.method_not_allowed()
        return await asyncio.to_thread(crud.handle, request, self._server)

    def _discovery(self, request: Request, path: str) -> Response | None:
        registry, server = self._server.storage.registry, self._server
        if path in _HEALTH or path.startswith("/healthz/"):
            return Response.text("ok")
        if path == "/version":
            return discovery.version()
        if path == "/api":
            return discovery.api_versions(request, registry, f"127.0.0.1:{server.port}")
        if path == "/apis":
            return discovery.api_groups(request, registry)
        if path == "/api/v1":
            return discovery.resource_list(registry, "", "v1")
        if path == "/openapi/v3":
            return openapi.index(registry)
        if path.startswith("/openapi/v3/"):
            return openapi.document(registry, path.removeprefix("/openapi/v3/")) or _not_found_text()
        parts = path.split("/")
        if len(parts) in (3, 4) and parts[1] == "apis":
            if len(parts) == 3:
                return discovery.api_groups(request, registry, parts[2]) or _not_found_text()
            return discovery.resource_list(registry, parts[2], parts[3]) or _not_found_text()
        return None

    async def _read(self, request: Request, found: ResourceType, target: Target) -> Response:
        if not target.name:
            if request.flag("watch") or target.old_watch:
                return await handle_watch(request, self._server, found, target.namespace)
            return await handle_list(request, self._server, found, target.namespace)
        if target.old_watch:
            request.query["fieldSelector"] = [f"metadata.name={target.name}"]
            return await handle_watch(request, self._server, found, target.namespace)
        return await self._get(request, found, target)

    async def _get(self, request: Request, found: ResourceType, target: Target) -> Response:
        form = form_of(request)
        stored = self._server.storage.get_raw(found.qualified, target.namespace, target.name)
        if stored is None:
            raise status.not_found(found.plural, target.name, found.group)
        if form == "json":
            if found.custom:
                return Response(200, stored.raw + b"\n", {"Content-Type": "application/json"})
            head = b'{"kind":' + json_bytes(found.kind) + b',"apiVersion":' + json_bytes(found.group_version) + b","
            return Response(200, head + stored.raw[1:] + b"\n", {"Content-Type": "application/json"})
        obj = self._server.storage.decode(found, stored.raw)
        if form == "partial":
            return Response.json(partial_metadata(obj))
        table = render_table(found, [obj], request.param("includeObject", "Metadata"),
                             resource_version=str(stored.version), printer_columns=found.printer_columns)  # fmt: skip
        return Response.json(table)


def _not_found_text() -> Response:
    return Response.text("404 page not found\n", 404)
