"""What a server serves: aggregated discovery (two requests, ETags kept in memory), legacy discovery as the
fallback.

Contract: `resources` is asked under the client's lock. Nothing is written to disk. A group that cannot be
described (a broken aggregated API) is left out and named in `errors`; only when nothing at all can be had is
an error raised. The order is the server's: the core group first, a group's preferred version first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from kdash.cluster.errors import clean_text
from kdash.cluster.rest_retry import repeat
from kdash.cluster.transport import Answer, Request, Transport
from kdash.informer.errors import ApiStatusError, DecodeError, InformerError, StopRequested
from kdash.informer.list_watch import CancelToken
from kdash.informer.resources import ResourceInfo

__all__ = ["Discovery", "aggregated_resources", "legacy_resources"]

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList"
ACCEPT = ",".join((_AGGREGATED % "v2", _AGGREGATED % "v2beta1", "application/json"))


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    """The dicts in a list that came from a server; anything else is skipped."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield item


def _words(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def aggregated_resources(document: dict[str, Any], errors: dict[str, str]) -> list[ResourceInfo]:
    """From an APIGroupDiscoveryList (v2 or v2beta1); groups marked stale are noted in `errors`."""
    found = []
    for group in _dicts(document.get("items")):
        group_name = str((group.get("metadata") or {}).get("name") or "")
        for version in _dicts(group.get("versions")):
            version_name = str(version.get("version") or "")
            if version.get("freshness") == "Stale":
                errors[f"{group_name}/{version_name}"] = (
                    "its API server does not answer; what it said last is used"
                )
            for entry in _dicts(version.get("resources")):
                kind = (entry.get("responseKind") or {}).get("kind")
                if kind and entry.get("resource"):
                    found.append(
                        ResourceInfo(
                            group_name, version_name, str(entry["resource"]), str(kind),
                            entry.get("scope") == "Namespaced", str(entry.get("singularResource") or ""),
                            _words(entry.get("shortNames")), _words(entry.get("categories")),
                            _words(entry.get("verbs")),
                        )
                    )  # fmt: skip
    return found


def legacy_resources(group: str, version: str, document: dict[str, Any]) -> list[ResourceInfo]:
    """From one APIResourceList; subresources (`pods/log`) are left out."""
    return [
        ResourceInfo(
            group, version, str(entry["name"]), str(entry.get("kind") or ""), bool(entry.get("namespaced")),
            str(entry.get("singularName") or ""), _words(entry.get("shortNames")),
            _words(entry.get("categories")), _words(entry.get("verbs")),
        )
        for entry in _dicts(document.get("resources"))
        if entry.get("name") and "/" not in str(entry["name"])
    ]  # fmt: skip


def _preferred_first(group: dict[str, Any]) -> list[str]:
    preferred = str((group.get("preferredVersion") or {}).get("version") or "")
    versions = [str(v.get("version") or "") for v in _dicts(group.get("versions"))]
    return sorted(versions, key=lambda version: version != preferred)


class Discovery:
    """The discovery documents of one server; see the module's contract."""

    def __init__(self, transport: Transport) -> None:
        self.errors: dict[str, str] = {}
        """Group/version (or path) → why it could not be described."""
        self._transport = transport
        self._found: list[ResourceInfo] | None = None
        self._etags: dict[str, tuple[str, dict[str, Any], bool]] = {}  # path → ETag, document, aggregated

    def resources(self, cancel: CancelToken, *, refresh: bool = False) -> list[ResourceInfo]:
        """Everything served, asked once; `refresh` asks again (304 when nothing changed)."""
        if self._found is None or refresh:
            self.errors = {}
            found, failures = [], []
            for path in ("/api", "/apis"):
                try:
                    found += list(self._root(path, cancel))
                except StopRequested:
                    raise
                except InformerError as e:
                    self.errors[path] = str(e)
                    failures.append(e)
            if failures and not found:
                raise failures[0]
            self._found = found
        return self._found

    def _root(self, path: str, cancel: CancelToken) -> Iterable[ResourceInfo]:
        document, aggregated = self._ask(path, cancel)
        if aggregated:
            return aggregated_resources(document, self.errors)
        if path == "/api":
            pairs = [("", version) for version in _words(document.get("versions"))]
        else:
            pairs = [
                (str(group.get("name") or ""), version)
                for group in _dicts(document.get("groups"))
                for version in _preferred_first(group)
            ]
        return self._legacy(pairs, cancel)

    def _legacy(self, pairs: list[tuple[str, str]], cancel: CancelToken) -> Iterator[ResourceInfo]:
        for group, version in pairs:
            name = f"{group}/{version}" if group else version
            try:
                document, _ = self._ask(f"/apis/{name}" if group else f"/api/{version}", cancel)
            except StopRequested:
                raise
            except InformerError as e:
                self.errors[name] = str(e)
            else:
                yield from legacy_resources(group, version, document)

    def _ask(self, path: str, cancel: CancelToken) -> tuple[dict[str, Any], bool]:
        """One document, and whether it is the aggregated form."""
        cached = self._etags.get(path)
        headers = {"If-None-Match": cached[0]} if cached else {}
        accept = ACCEPT if path in ("/api", "/apis") else "application/json"
        request = Request(path, (), accept, "discovery", compress=True, headers=headers)
        transport = self._transport
        answer = repeat(
            lambda attempt: transport.get(request, cancel, attempt), transport.clock, cancel, watching=False
        )
        if answer.code == 304 and cached:
            answer.close("ok")
            return cached[1], cached[2]
        if answer.code != 200:
            raise answer.error()
        return self._decode(path, answer)

    def _decode(self, path: str, answer: Answer) -> tuple[dict[str, Any], bool]:
        aggregated = "as=APIGroupDiscoveryList" in answer.content_type.replace(" ", "")
        etag = answer.headers.get("ETag", "")
        what = clean_text(answer.content_type, 60)
        try:
            document = msgspec.json.decode(answer.read_all(), type=dict[str, Any])
        except msgspec.DecodeError:
            raise DecodeError(
                f"{self._transport.address}{path} answered with {what or 'something'} that is no discovery; "
                "is this an API server's address?"
            ) from None
        if document.get("kind") == "Status":
            raise ApiStatusError.from_status(document, answer.code)
        if etag:
            self._etags[path] = (etag, document, aggregated)
        return document, aggregated
