"""What a server serves: aggregated discovery (two requests, ETags kept in memory), legacy discovery as the
fallback.

Contract: `resources` is asked under the client's lock. Nothing is written to disk. A group that cannot be
described (a broken aggregated API) is left out and named in `errors`; only when nothing at all can be had is
an error raised. The order is the server's: the core group first, a group's preferred version first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import msgspec

from kdash.cluster.errors import clean_text
from kdash.cluster.rest_retry import repeat
from kdash.cluster.transport import Answer, Request, Transport
from kdash.informer.errors import ApiStatusError, DecodeError, InformerError, StopRequested
from kdash.informer.list_watch import CancelToken
from kdash.informer.object_decoding import DECODING_ERRORS, check_values
from kdash.informer.resources import ResourceInfo

__all__ = ["Discovery", "aggregated_resources", "legacy_resources"]

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=%s;as=APIGroupDiscoveryList"
_WORDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
_T = TypeVar("_T", dict[str, Any], list[Any], str)
ACCEPT = ",".join((_AGGREGATED % "v2", _AGGREGATED % "v2beta1", "application/json"))


def _typed(value: object, type_: type[_T], field: str) -> _T:
    """`value`, or an empty one for null. Raises `DecodeError`, which names the field, for another type."""
    if value is None:
        return type_()
    if not isinstance(value, type_):
        there, belongs = _WORDS.get(type(value), "something else"), _WORDS[type_]
        raise DecodeError(f"{field} is {there} where {belongs} belongs")
    return value


def _dicts(value: object, field: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a list, with the name of its place."""
    for number, item in enumerate(_typed(value, list, field)):
        there = f"{field}[{number}]"
        yield there, _typed(item, dict, there)


def _text(holder: dict[str, Any], name: str, field: str) -> str:
    return _typed(holder.get(name), str, f"{field}.{name}".lstrip("."))


def _words(holder: dict[str, Any], name: str, field: str) -> tuple[str, ...]:
    there = f"{field}.{name}".lstrip(".")
    return tuple(_typed(word, str, f"{there}[{n}]") for n, word in enumerate(_typed(holder.get(name), list, there)))


def aggregated_resources(document: dict[str, Any], errors: dict[str, str]) -> list[ResourceInfo]:
    """From an APIGroupDiscoveryList (v2 or v2beta1); what is stale or malformed is noted in `errors`, by its group.

    Raises `DecodeError`, which names the field, when nothing is well-formed.
    """
    found: list[ResourceInfo] = []
    wrong: list[DecodeError] = []

    def whole(name: str, read: Callable[[], list[ResourceInfo]]) -> list[ResourceInfo]:
        try:
            return read()
        except DecodeError as e:
            wrong.append(e)
            errors[name] = str(e)
            return []

    for number, group in enumerate(_typed(document.get("items"), list, "items")):
        found += whole(f"items[{number}]", partial(_of_group, group, f"items[{number}]", errors, whole))
    if wrong and not found:
        raise wrong[0]
    return found


_Whole = Callable[[str, Callable[[], list[ResourceInfo]]], list[ResourceInfo]]


def _of_group(group: Any, field: str, errors: dict[str, str], whole: _Whole) -> list[ResourceInfo]:
    group = _typed(group, dict, field)
    name = _text(_typed(group.get("metadata"), dict, f"{field}.metadata"), "name", f"{field}.metadata")
    found = []
    for number, version in enumerate(_typed(group.get("versions"), list, f"{field}.versions")):
        read = partial(_of_version, version, f"{field}.versions[{number}]", name, errors)
        found += whole(name or field, read)
    return found


def _of_version(version: Any, field: str, group: str, errors: dict[str, str]) -> list[ResourceInfo]:
    version = _typed(version, dict, field)
    name = _text(version, "version", field)
    if version.get("freshness") == "Stale":
        errors[f"{group}/{name}"] = "its API server does not answer; what it said last is used"
    found = []
    for here, entry in _dicts(version.get("resources"), f"{field}.resources"):
        there = f"{here}.responseKind"
        kind = _text(_typed(entry.get("responseKind"), dict, there), "kind", there)
        if kind and (resource := _text(entry, "resource", here)):
            found.append(
                ResourceInfo(
                    group, name, resource, kind, entry.get("scope") == "Namespaced",
                    _text(entry, "singularResource", here), _words(entry, "shortNames", here),
                    _words(entry, "categories", here), _words(entry, "verbs", here),
                )
            )  # fmt: skip
    return found


def legacy_resources(group: str, version: str, document: dict[str, Any]) -> list[ResourceInfo]:
    """From one APIResourceList; subresources (`pods/log`) are left out. Raises `DecodeError`, which names the field."""
    return [
        ResourceInfo(
            group, version, name, _text(entry, "kind", at), bool(entry.get("namespaced")),
            _text(entry, "singularName", at), _words(entry, "shortNames", at), _words(entry, "categories", at),
            _words(entry, "verbs", at),
        )
        for at, entry in _dicts(document.get("resources"), "resources")
        if (name := _text(entry, "name", at)) and "/" not in name
    ]  # fmt: skip


def _preferred_first(group: dict[str, Any], field: str) -> list[str]:
    there = f"{field}.preferredVersion"
    preferred = _text(_typed(group.get("preferredVersion"), dict, there), "version", there)
    versions = [_text(version, "version", at) for at, version in _dicts(group.get("versions"), f"{field}.versions")]
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
        try:
            if aggregated:
                return aggregated_resources(document, self.errors)
            if path == "/api":
                pairs = [("", version) for version in _words(document, "versions", "")]
            else:
                pairs = [
                    (_text(group, "name", at), version)
                    for at, group in _dicts(document.get("groups"), "groups")
                    for version in _preferred_first(group, at)
                ]
        except DecodeError as e:
            raise self._malformed(path, e) from None
        return self._legacy(pairs, cancel)

    def _malformed(self, path: str, error: DecodeError) -> DecodeError:
        return DecodeError(f"{self._transport.address}{path} answered with a malformed discovery document: {error}")

    def _legacy(self, pairs: list[tuple[str, str]], cancel: CancelToken) -> Iterator[ResourceInfo]:
        for group, version in pairs:
            name = f"{group}/{version}" if group else version
            try:
                path = f"/apis/{name}" if group else f"/api/{version}"
                document, _ = self._ask(path, cancel)
                found = legacy_resources(group, version, document)
            except StopRequested:
                raise
            except InformerError as e:
                self.errors[name] = str(e)
            else:
                yield from found

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
        body = answer.read_all()
        try:
            check_values(body)
            document = msgspec.json.decode(body, type=dict[str, Any])
        except DecodeError as e:
            raise self._malformed(path, e) from None
        except RecursionError:
            raise self._malformed(path, DecodeError("it is nested too deeply to be read")) from None
        except DECODING_ERRORS:
            raise DecodeError(
                f"{self._transport.address}{path} answered with {what or 'something'} that is not discovery; "
                "is this an API server's address?"
            ) from None
        finally:
            body.clear()  # an error's traceback would keep it
        if document.get("kind") == "Status":
            raise ApiStatusError.from_status(document, answer.code)
        if etag:
            self._etags[path] = (etag, document, aggregated)
        return document, aggregated
