"""Discovery: /api and /apis, aggregated or legacy, the resources of a group version, /version and the health paths.

Contract: pure functions of the registry; aggregated documents carry an ETag and answer 304 to a match.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from kdash.demo.http_types import Request, Response, json_bytes
from kdash.demo.resources import Registry, ResourceType

__all__ = ["VERSION", "api_groups", "api_versions", "resource_list", "version"]

VERSION = {
    "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35", "gitVersion": "v1.36.0+kdash-demo", "gitCommit": "0" * 40, "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none", "compiler": "cpython", "platform": "python",
}  # fmt: skip
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_SUBRESOURCE_VERBS = {"eviction": ("create",)}
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
_EVICTION = {"group": "policy", "version": "v1", "kind": "Eviction"}
_REVIEWS: dict[str, tuple[tuple[str, str], ...]] = {
    "authorization.k8s.io": (("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
                             ("selfsubjectrulesreviews", "SelfSubjectRulesReview")),
    "authentication.k8s.io": (("selfsubjectreviews", "SelfSubjectReview"),),
}  # fmt: skip
"""Groups whose resources can only be created."""


def version() -> Response:
    return Response(200, msgspec.json.format(msgspec.json.encode(VERSION), indent=2),
                    {"Content-Type": "application/json"})  # fmt: skip


def _wants_aggregated(request: Request) -> bool:
    for entry in request.accept.split(","):
        parts = [part.strip() for part in entry.split(";")]
        if "as=APIGroupDiscoveryList" in parts:
            if "v=v2" in parts or "v=v2beta1" in parts:
                return True
        elif parts[0] in ("application/json", "*/*"):
            return False
    return False


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
        resources += [_legacy_subresource(each, sub) for sub in sorted(each.subresources)]
    for plural, kind in _REVIEWS.get(group, ()):
        resources.append(
            {"name": plural, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
        )
    head = {"kind": "APIResourceList", **({"apiVersion": "v1"} if group else {})}
    group_version = f"{group}/{version}" if group else version
    return Response.json({**head, "groupVersion": group_version, "resources": resources})


def _legacy_entry(each: ResourceType) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": each.plural, "singularName": each.singular, "namespaced": each.namespaced,
                             "kind": each.kind, "verbs": list(_VERBS)}  # fmt: skip
    if each.short_names:
        entry["shortNames"] = list(each.short_names)
    if each.categories:
        entry["categories"] = list(each.categories)
    entry["storageVersionHash"] = hashlib.sha256(each.qualified.encode()).hexdigest()[:11] + "="
    return entry


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
            "verbs": list(_VERBS),
        }  # fmt: skip
        if each.short_names:
            entry["shortNames"] = list(each.short_names)
        if each.categories:
            entry["categories"] = list(each.categories)
        if each.subresources:
            entry["subresources"] = [
                {"subresource": sub, "responseKind": {"scale": _SCALE, "eviction": _EVICTION}.get(sub, {**own, "kind": each.kind}),
                 "verbs": list(_SUBRESOURCE_VERBS.get(sub, ("get", "patch", "update")))}
                for sub in sorted(each.subresources)
            ]  # fmt: skip
        out.append(entry)
    for plural, kind in _REVIEWS.get(group, ()):
        out.append({"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": "Cluster",
                    "singularResource": kind.lower(), "verbs": ["create"]})  # fmt: skip
    return out
