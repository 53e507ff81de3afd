"""What changes objects: POST, PUT, PATCH, DELETE and the subresources, as the API server answers them.

Contract: `handle` is called in a worker thread, once a request, after the router has found the resource; it
never blocks but for the storage's lock. It answers or raises `status.ApiError`. Every write is one commit (a
pod that is deleted at once: two), checked against the version that was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import create, delete, reviews, scale, status, update
from .api_call import Call, answer
from .http_types import Request, Response

if TYPE_CHECKING:
    from .server import ApiServer

__all__ = ["handle", "review"]

_SAY_LOG = "This pod is part of the kdash demo: no container runs behind it, so it has no log.\n"
_NO_CONTAINER = frozenset({"exec", "attach", "portforward"})


def handle(request: Request, server: ApiServer) -> Response:
    """Answer a request that is not a plain read. Raises `status.ApiError`."""
    call = _call_of(request, server)
    if call.subresource:
        return _subresource(call)
    if not call.name:
        if request.method == "POST":
            return create.create(call)
        if request.method == "DELETE":
            return delete.delete_collection(call)
        raise status.method_not_allowed()
    if request.method == "PUT":
        return update.replace(call)
    if request.method == "PATCH":
        return update.patch(call)
    if request.method == "DELETE":
        return delete.delete(call)
    raise status.method_not_allowed()


def review(request: Request, server: ApiServer, group: str, plural: str) -> Response | None:
    """Answer an access review (the demo allows everything); None if the path is not one."""
    return reviews.review(request, group, plural)


def _call_of(request: Request, server: ApiServer) -> Call:
    from .router import target_of  # the router imports this module

    target = target_of(request.path)
    found = server.storage.registry.find(target.group, target.version, target.plural) if target else None
    if target is None or found is None:
        raise status.unknown_resource()
    if target.namespace and not found.namespaced:
        raise status.unknown_resource()
    return Call(request, server, found, target.namespace, target.name, target.subresource)


def _subresource(call: Call) -> Response:
    method, name = call.request.method, call.subresource
    if name == "eviction" and call.resource == "pods":
        if method != "POST":
            raise status.method_not_allowed()
        return delete.evict(call)
    if name == "log" and call.resource == "pods" and method == "GET":
        call.stored()
        return Response.text(_SAY_LOG)
    if name in _NO_CONTAINER and call.resource == "pods":
        call.stored()
        raise status.bad_request(f"no container runs behind the pods of the kdash demo: {name} is not possible")
    if name == "finalize" and call.resource == "namespaces" and method == "PUT":
        return update.replace(call)
    if name not in call.type.subresources:
        raise status.unknown_resource()
    if name == "scale":
        return scale.handle(call)
    if method == "GET":
        return answer(call.stored())
    if method == "PUT":
        return update.replace(call)
    if method == "PATCH":
        return update.patch(call)
    raise status.method_not_allowed()
