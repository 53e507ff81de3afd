"""Discovery: /, /api and /apis, aggregated or legacy, the resources of a group version, /version and the health paths.

Contract: pure functions of the registry; aggregated documents carry an ETag and answer 304 to a match. `answer`
finds the document of a path.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from kdash.demo import status
from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.resources import Registry, ResourceType

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["VERSION", "answer", "api_groups", "api_versions", "resource_list", "version"]

VERSION = {
    "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35", "gitVersion": "v1.36.0+kdash-demo", "gitCommit": "0" * 40, "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none", "compiler": "cpython", "platform": "python",
}  # fmt: skip
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_SUBRESOURCE_VERBS = {"eviction": ("create",)}
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
_EVICTION = {"group": "policy", "version": "v1", "kind": "Eviction"}
_REVIEWS: dict[str, tuple[tuple[str, str], ...]] = {
    "authorization.k8s.io": (("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
                             ("selfsubjectrulesreviews", "SelfSubjectRulesReview")),
    "authentication.k8s.io": (("selfsubjectreviews", "SelfSubjectReview"),),
}  # fmt: skip
"""Groups whose resources can only be created."""


_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
_JSON = ("application/json", "application/*", "*/*", "")


def answer(request: Request, server: ApiServer, path: str) -> Response | None:
    """The answer to a path without its trailing slash; None if it is no path of discovery or of health."""
    registry = server.storage.registry
    if path in _HEALTH or path.startswith(tuple(f"{each}/" for each in _HEALTH)):
        return _health(path, request)
    if path == "/version":
        return version()
    if path == "/":
        return _paths(registry)
    if path == "/api":
        return api_versions(request, registry, f"127.0.0.1:{server.port}")
    if path == "/apis":
        return api_groups(request, registry)
    if path == "/api/v1":
        return resource_list(registry, "", "v1")
    parts = path.split("/")
    if len(parts) == 3 and parts[1] == "apis":
        return api_groups(request, registry, parts[2])
    if len(parts) == 4 and parts[1] == "apis":
        return resource_list(registry, parts[2], parts[3])
    return None


def _health(path: str, request: Request) -> Response | None:
    name, *check = path.strip("/").split("/")
    if check not in ([], ["ping"], ["etcd"]):
        return None
    if "verbose" in request.query and not check:
        return Response.text(f"[+]ping ok\n[+]log ok\n[+]etcd ok\n{name} check passed\n")
    return Response.text("ok")


def _paths(registry: Registry) -> Response:
    """GET /: every served path."""
    paths = {"/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"}
    for group, each in _group_versions(registry):
        paths |= {f"/apis/{group}", f"/apis/{group}/{each}"}
    body = msgspec.json.format(json_bytes({"paths": sorted(paths)}), indent=2)
    return Response(200, body, {"Content-Type": "application/json"})


def version() -> Response:
    """GET /version, which is always indented."""
    return Response(200, msgspec.json.format(msgspec.json.encode(VERSION), indent=2),
                    {"Content-Type": "application/json"})  # fmt: skip


def _wants_aggregated(request: Request) -> bool:
    """By the first type of Accept that is known; 406 if none is (wire fact 16)."""
    for entry in request.accept.split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        if "as=APIGroupDiscoveryList" in parameters:
            if media in _JSON and "v=v2" in parameters:
                return True
        elif media in (*_JSON, "application/yaml"):
            return False
    raise status.only_media_types("application/json, application/yaml")


def _group_versions(registry: Registry) -> list[tuple[str, str]]:
    """(group, version) pairs of the named groups, in order."""
    pairs = [(each.group, each.version) for each in registry if each.group]
    return list(dict.fromkeys([*pairs, *((group, "v1") for group in _REVIEWS)]))


def api_versions(request: Request, registry: Registry, address: str) -> Response:
    """GET /api."""
    if _wants_aggregated(request):
        return _aggregated(request, registry, [("", "v1")])
    cidr = {"clientCIDR": "0.0.0.0/0", "serverAddress": address}
    return Response.json({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [cidr]})


def api_groups(request: Request, registry: Registry, group: str | None = None) -> Response | None:
    """GET /apis, or GET /apis/GROUP; None when there is no such group."""
    pairs = _group_versions(registry)
    if group is None and _wants_aggregated(request):
        return _aggregated(request, registry, pairs)
    groups = []
    for name in dict.fromkeys(name for name, _ in pairs):
        versions = [{"groupVersion": f"{name}/{each}", "version": each} for group_, each in pairs if group_ == name]
        groups.append({"name": name, "versions": versions, "preferredVersion": versions[0]})
    if group is None:
        return Response.json({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    found = next((each for each in groups if each["name"] == group), None)
    return None if found is None else Response.json({"kind": "APIGroup", "apiVersion": "v1", **found})


def resource_list(registry: Registry, group: str, version: str) -> Response | None:
    """GET /api/v1 or /apis/GROUP/VERSION; None when that is not served."""
    types = [each for each in registry if each.group == group and each.version == version]
    if not types and group not in _REVIEWS:
        return None
    resources: list[dict[str, Any]] = []
    for each in sorted(types, key=lambda each: each.plural):
        resources.append(_legacy_entry(each))
        resources += [_legacy_subresource(each, sub) for sub in _subresources(each)]
    for plural, kind in _REVIEWS.get(group, ()):
        resources.append(
            {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
        )
    head = {"kind": "APIResourceList", **({"apiVersion": "v1"} if group else {})}
    group_version = f"{group}/{version}" if group else version
    return Response.json({**head, "groupVersion": group_version, "resources": resources})


def _legacy_entry(each: ResourceType) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": each.plural, "singularName": each.singular, "namespaced": each.namespaced,
                             "kind": each.kind, "verbs": _verbs(each)}  # fmt: skip
    if each.short_names:
        entry["shortNames"] = list(each.short_names)
    if each.categories:
        entry["categories"] = list(each.categories)
    entry["storageVersionHash"] = hashlib.sha256(each.qualified.encode()).hexdigest()[:11] + "="
    return entry


def _verbs(each: ResourceType) -> list[str]:
    if each.custom:
        return list(_CUSTOM_VERBS)
    return [verb for verb in _VERBS if verb != "deletecollection" or each.qualified != "namespaces"]


def _subresources(each: ResourceType) -> list[str]:
    """In the order of a kube-apiserver: by the alphabet, but for custom resources."""
    return sorted(each.subresources, reverse=each.custom)


def _legacy_subresource(each: ResourceType, sub: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": f"{each.plural}/{sub}", "singularName": "", "namespaced": each.namespaced}
    if sub == "scale":
        return {**entry, **_SCALE, "verbs": ["get", "patch", "update"]}
    if sub == "eviction":
        return {**entry, **_EVICTION, "verbs": ["create"]}
    return {**entry, "kind": each.kind, "verbs": ["get", "patch", "update"]}


def _aggregated(request: Request, registry: Registry, pairs: list[tuple[str, str]]) -> Response:
    items = []
    for group in dict.fromkeys(name for name, _ in pairs):
        versions = [
            {"version": each, "resources": _aggregated_resources(registry, group, each), "freshness": "Current"}
            for name, each in pairs if name == group
        ]  # fmt: skip
        items.append({"metadata": {"name": group} if group else {}, "versions": versions})
    body = json_bytes(
        {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
    )
    body += b"\n"
    etag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    headers = {"Content-Type": _AGGREGATED, "Etag": etag, "Vary": "Accept", "Cache-Control": "public"}
    if request.headers.get("if-none-match") == etag:
        del headers["Content-Type"]
        return Response(304, b"", headers)
    return Response(200, body, headers)


def _aggregated_resources(registry: Registry, group: str, version: str) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    types = [each for each in registry if each.group == group and each.version == version]
    for each in sorted(types, key=lambda each: each.plural):
        own = {"group": group, "version": version} if each.custom else {"group": "", "version": ""}
        entry: dict[str, Any] = {
            "resource": each.plural, "responseKind": {**own, "kind": each.kind},
            "scope": "Namespaced" if each.namespaced else "Cluster", "singularResource": each.singular,
            "verbs": _verbs(each),
        }  # fmt: skip
        if each.short_names:
            entry["shortNames"] = list(each.short_names)
        if each.categories:
            entry["categories"] = list(each.categories)
        if each.subresources:
            kinds = {"scale": _SCALE, "eviction": _EVICTION}
            entry["subresources"] = [
                {"subresource": sub, "responseKind": kinds.get(sub, {**own, "kind": each.kind}),
                 "verbs": list(_SUBRESOURCE_VERBS.get(sub, ("get", "patch", "update")))}
                for sub in _subresources(each)
            ]  # fmt: skip
        out.append(entry)
    for plural, kind in _REVIEWS.get(group, ()):
        out.append({"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": "Cluster",
                    "singularResource": kind.lower(), "verbs": ["create"]})  # fmt: skip
    return out
