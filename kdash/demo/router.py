"""From a path to the handler: discovery, collections, objects, subresources.

Contract: `classify` is pure and cheap (the faults and the log use it before anything is answered); `answer` never
raises: an `ApiError` becomes its Status, anything unexpected a 500 whose details go to the server's logger. Who sends
a request is settled before anything else: a user without permission cannot tell what exists (wire fact 93).
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kdash.demo import control, crud, discovery, openapi, status
from kdash.demo.access import Attempt, User, answer_review
from kdash.demo.custom_definitions import schema_of
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.list_handler import handle_list, wait_for_version
from kdash.demo.list_options import parse_get
from kdash.demo.negotiation import check_include_object, finish, form_of, shown
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
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


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
            response = await self._route(request)
        except status.ApiError as error:
            response = error.response()
        except asyncio.CancelledError:
            raise
        except RecursionError:
            response = status.bad_request("the body is nested too deeply: exceeded max depth").response()
        except Exception:
            _logger.exception("the demo server failed on %s %s", request.method, request.path)
            response = status.ApiError(
                status.failure(500, "Internal error occurred", "InternalError", {})).response()  # fmt: skip
        return finish(request, response)

    def attempt(self, request: Request) -> Attempt | None:
        """What a request tries to do to a resource; None if its path is none."""
        return self._attempt_on(target_of(request.path), request)

    def _attempt_on(self, target: Target | None, request: Request) -> Attempt | None:
        if target is None:
            return None
        verb, _ = self.classify(request)
        verb = _VERBS.get(verb, verb.lower())
        if verb == "delete" and not target.name:
            verb = "deletecollection"
        resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
        return Attempt(verb, resource, target.group, target.namespace, target.name)

    async def _route(self, request: Request) -> Response:
        if "//" in request.path:
            raise status.unknown_resource()
        path = request.path.rstrip("/") or "/"
        plain = discovery.answer(request, self._server, path)
        target = None if plain is not None else target_of(request.path)
        user = self._server.access.check(request, self._attempt_on(target, request))
        if plain is not None:
            return plain if request.method in ("GET", "HEAD") else status.method_not_allowed().response()
        if path.startswith(control.PREFIX):
            return await asyncio.to_thread(control.handle, request, self._server)
        if target is None:
            return self._openapi(request, path) or _not_found_text()
        return await self._resource(request, target, user)

    def _openapi(self, request: Request, path: str) -> Response | None:
        return openapi.answer(request, self._server.storage.registry, path, partial(schema_of, self._server))

    async def _resource(self, request: Request, target: Target, user: User) -> Response:
        registry = self._server.storage.registry
        found = registry.find(target.group, target.version, target.plural)
        if found is None:
            review = crud.review(request, self._server, target.group, target.plural)
            if review is not None:
                return answer_review(user, review, self._server.now())
            if not registry.has_group_version(target.group, target.version):
                return _not_found_text()
            raise status.unknown_resource()
        if target.namespace and not found.namespaced:
            raise status.unknown_resource()
        if request.method == "GET" and not target.subresource:
            return await self._read(request, found, target)
        whole_namespaces = request.method == "DELETE" and found.qualified == "namespaces" and not target.name
        if request.method in ("HEAD", "OPTIONS") or whole_namespaces:
            raise status.method_not_allowed()
        return await asyncio.to_thread(crud.handle, request, self._server)

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
        if form == "partial list":
            raise status.wrong_partial("PartialObjectMetadataList", "not a list", found.go_type)
        include = check_include_object(request) if form == "table" else ""
        parameters = parse_get(request)
        if parameters.version:
            await wait_for_version(self._server.storage, parameters.version, parameters.timeout_s)
        stored = self._server.storage.get_raw(found.qualified, target.namespace, target.name)
        if stored is None:
            raise status.not_found(found.plural, target.name, found.group)
        if form == "json":
            if found.custom:
                return Response(200, stored.raw + b"\n", {"Content-Type": "application/json"})
            head = b'{"kind":' + json_bytes(found.kind) + b',"apiVersion":' + json_bytes(found.group_version) + b","
            return Response(200, head + stored.raw[1:] + b"\n", {"Content-Type": "application/json"})
        obj = shown(found, stored.raw)
        if form == "partial":
            return Response.json(partial_metadata(obj))
        table = render_table(found, [obj], include, resource_version=str(stored.version),
                             printer_columns=found.printer_columns, now=self._server.now())  # fmt: skip
        return Response.json(table)


def _not_found_text() -> Response:
    return Response.text("404 page not found\n", 404)
