"""OpenAPI v3 in outline: an index and one document a group version, enough for `kubectl apply` and `explain`.

Each document has, for every kind, a schema that accepts anything and the path whose PATCH takes `fieldValidation`,
which is what kubectl looks for before it sends an object.
"""

from __future__ import annotations

import hashlib
from typing import Any

from kdash.demo import status
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.resources import Registry, ResourceType

__all__ = ["answer", "document", "index"]


def _prefix(each: ResourceType) -> str:
    return each.path_prefix.removeprefix("/")


def answer(request: Request, registry: Registry, path: str) -> Response | None:
    """The answer to a path under /openapi/v3; None for other paths."""
    if path == "/openapi/v3":
        found = index(registry)
    elif path.startswith("/openapi/v3/"):
        document_ = document(registry, path.removeprefix("/openapi/v3/"))
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


def index(registry: Registry) -> Response:
    """GET /openapi/v3: JSON sent as text/plain, each URL with a hash (wire fact 20)."""
    paths = {}
    for prefix in dict.fromkeys(_prefix(each) for each in registry):
        digest = hashlib.sha512(json_bytes(_document(registry, prefix))).hexdigest().upper()
        paths[prefix] = {"serverRelativeURL": f"/openapi/v3/{prefix}?hash={digest}"}
    body = json_bytes({"paths": paths})
    etag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    return Response(200, body, {"Content-Type": "text/plain; charset=utf-8", "Etag": etag})


def document(registry: Registry, prefix: str) -> Response | None:
    """GET /openapi/v3/PREFIX; None when nothing is served there."""
    content = _document(registry, prefix)
    return Response.json(content) if content["paths"] else None


def _document(registry: Registry, prefix: str) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for each in registry:
        if _prefix(each) != prefix:
            continue
        gvk = {"group": each.group, "version": each.version, "kind": each.kind}
        name = f"io.k8s.{each.group or 'core'}.{each.version}.{each.kind}"
        schemas[name] = _schema(each, gvk)
        scope = "/namespaces/{namespace}" if each.namespaced else ""
        paths[f"{each.path_prefix}{scope}/{each.plural}/{{name}}"] = {"patch": _patch(gvk, name)}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": paths,
            "components": {"schemas": schemas}}  # fmt: skip


def _schema(each: ResourceType, gvk: dict[str, str]) -> dict[str, Any]:
    text = {"type": "string"}
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties: dict[str, Any] = {
        "apiVersion": {**text, "description": "Version of the schema of this object."},
        "kind": {**text, "description": "The kind of this object."},
        "metadata": {**anything, "description": "Name, labels, annotations, owners and versions of the object."},
    }
    if each.kind in ("ConfigMap", "Secret"):
        strings = {"type": "object", "additionalProperties": text}
        properties["data"] = {**strings, "description": f"The content of the {each.kind}, by key."}
    else:
        properties["spec"] = {**anything, "description": f"What is wanted of the {each.kind}."}
        properties["status"] = {**anything, "description": f"What was last observed of the {each.kind}."}
    return {"type": "object", "description": f"{each.kind} as the demo server stores it: any field is accepted.",
            "properties": properties, "x-kubernetes-group-version-kind": [gvk],
            "x-kubernetes-preserve-unknown-fields": True}  # fmt: skip


def _patch(gvk: dict[str, str], schema: str) -> dict[str, Any]:
    parameters = [{"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
                  for name in ("dryRun", "fieldManager", "fieldValidation", "force")]  # fmt: skip
    media = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
             "application/strategic-merge-patch+json")  # fmt: skip
    ok = {"description": "OK", "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
    body = {"content": {name: {"schema": {"type": "object"}} for name in media}}
    return {"parameters": parameters, "requestBody": body, "responses": {"200": ok}, "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": gvk}  # fmt: skip
