"""OpenAPI v3: an index and one document a group version, enough for `kubectl apply` and `explain`.

Each document has, for every kind, its schema (see `schemas`) and the path whose PATCH takes `fieldValidation`, which
is what kubectl looks for before it sends an object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from kdash.demo import status
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.resources import Registry, ResourceType
from kdash.demo.schemas import name_of, schemas_of

__all__ = ["answer", "document", "index"]

SchemaOf = Callable[[ResourceType], dict[str, Any] | None]
"""What the definition of a custom kind says of its objects; None for the others."""


def _prefix(each: ResourceType) -> str:
    return each.path_prefix.removeprefix("/")


def answer(request: Request, registry: Registry, path: str, schema_of: SchemaOf) -> Response | None:
    """The answer to a path under /openapi/v3; None for other paths."""
    if path == "/openapi/v3":
        found = index(registry, schema_of)
    elif path.startswith("/openapi/v3/"):
        document_ = document(registry, path.removeprefix("/openapi/v3/"), schema_of)
        if document_ is None:
            return None
        found = document_
    else:
        return None
    if request.method not in ("GET", "HEAD"):
        raise status.method_not_allowed()
    if found.headers.get("Etag") and request.headers.get("if-none-match") == found.headers["Etag"]:
        return Response(304, b"", {"Etag": found.headers["Etag"]})
    return found


def index(registry: Registry, schema_of: SchemaOf) -> Response:
    """GET /openapi/v3: JSON sent as text/plain, each URL with a hash (wire fact 20)."""
    paths = {}
    for prefix in dict.fromkeys(_prefix(each) for each in registry):
        digest = hashlib.sha512(json_bytes(_document(registry, prefix, schema_of))).hexdigest().upper()
        paths[prefix] = {"serverRelativeURL": f"/openapi/v3/{prefix}?hash={digest}"}
    body = json_bytes({"paths": paths})
    etag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    return Response(200, body, {"Content-Type": "text/plain; charset=utf-8", "Etag": etag})


def document(registry: Registry, prefix: str, schema_of: SchemaOf) -> Response | None:
    """GET /openapi/v3/PREFIX; None when nothing is served there."""
    content = _document(registry, prefix, schema_of)
    return Response.json(content) if content["paths"] else None


def _document(registry: Registry, prefix: str, schema_of: SchemaOf) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for each in registry:
        if _prefix(each) != prefix:
            continue
        gvk = {"group": each.group, "version": each.version, "kind": each.kind}
        name = name_of(each)
        schemas |= schemas_of(each, schema_of(each))
        scope = "/namespaces/{namespace}" if each.namespaced else ""
        paths[f"{each.path_prefix}{scope}/{each.plural}/{{name}}"] = {"patch": _patch(gvk, name)}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": paths,
            "components": {"schemas": schemas}}  # fmt: skip


def _patch(gvk: dict[str, str], schema: str) -> dict[str, Any]:
    parameters = [{"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
                  for name in ("dryRun", "fieldManager", "fieldValidation", "force")]  # fmt: skip
    media = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
             "application/strategic-merge-patch+json")  # fmt: skip
    ok = {"description": "OK", "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
    body = {"content": {name: {"schema": {"type": "object"}} for name in media}}
    return {"parameters": parameters, "requestBody": body, "responses": {"200": ok}, "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": gvk}  # fmt: skip
