"""One write request, taken apart: what it is about, its options, its body. Refusals are `status.ApiError`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from . import ages, status
from .http_types import Request, Response, json_bytes
from .resources import ResourceType
from .storage import Storage

if TYPE_CHECKING:
    from .server import ApiServer

Item = dict[str, Any]
MAX_BODY = 3145728
_JSON = ("application/json", "")
_YAML = ("application/yaml", "text/yaml", "application/x-yaml")
PROTOBUF = "application/vnd.kubernetes.protobuf"
SAY_TYPES = ("the body of the request was in an unknown format - accepted media types include: "
              "application/json, application/yaml")


@dataclass(slots=True)
class Call:
    """A request to write one resource. `name` and `subresource` are empty for the collection and the object.
    """

    request: Request
    server: ApiServer
    type: ResourceType
    namespace: str
    name: str
    subresource: str
    duplicates: list[str] = field(default_factory=list)
    """The fields that the body gives twice (known once `body` was called)."""

    @property
    def storage(self) -> Storage:
        """The server's storage."""
        return self.server.storage

    @property
    def resource(self) -> str:
        """The resource's name in the storage."""
        return self.type.qualified

    @property
    def now(self) -> float:
        """The time of the request, in seconds since 1970."""
        return self.server.now()

    @property
    def timestamp(self) -> str:
        """The time of the request as objects carry it."""
        return ages.rfc3339(self.now)

    @property
    def dry_run(self) -> bool:
        """True if nothing is to be stored; 422 for an unknown value."""
        values = [
            value for each in self.request.query.get("dryRun", []) for value in each.split(",") if value
        ]
        if any(value != "All" for value in values):
            raise status.invalid(
                "meta.k8s.io",
                "CreateOptions",
                "",
                [
                    (
                        "FieldValueNotSupported",
                        f'Unsupported value: "{values[0]}": supported values: "All"',
                        "dryRun",
                    )
                ],
            )
        return bool(values)

    @property
    def manager(self) -> str:
        """Who writes: the fieldManager, or the client's name."""
        agent = self.request.headers.get("user-agent", "")
        return self.request.param("fieldManager") or agent.partition("/")[0] or "unknown"

    def stored(self) -> Item:
        """The object that the path names; 404 if there is none."""
        item = self.storage.get(self.resource, self.namespace, self.name)
        if item is None:
            raise self.not_found(self.name)
        return item

    def not_found(self, name: str) -> status.ApiError:
        """The 404 for an object."""
        return status.not_found(self.type.plural, name, self.type.group)

    def conflict(self, name: str) -> status.ApiError:
        """The 409 for an object that has changed."""
        return status.conflict(self.type.plural, name, self.type.group)

    def check_size(self) -> None:
        """413 for a body that is too large."""
        if len(self.request.body) > MAX_BODY:
            message = f"Request entity too large: limit is {MAX_BODY}"
            raise status.ApiError(status.failure(413, message, "RequestEntityTooLarge"))

    def body(self, kind: str = "", group_version: str = "") -> Item:
        """The object in the body; 415, 413 or 400 if it is none of the expected kind."""
        self.check_size()
        wanted, version = kind or self.type.kind, group_version or self.type.group_version
        content_type = self.request.content_type
        if content_type == PROTOBUF:
            raise status.ApiError(
                status.failure(
                    415,
                    "this demo server does not read protobuf, which kubectl create sends for this kind: "
                    "write the object to a file and use 'kubectl create -f FILE' or 'kubectl apply -f FILE' "
                    "(accepted media types: application/json, application/yaml)",
                    "UnsupportedMediaType",
                )
            )
        if content_type in _JSON:
            item = self._json(wanted)
        elif content_type in _YAML:
            item = parse_yaml(self.request.body)
        else:
            raise status.ApiError(status.failure(
                415, f"{SAY_TYPES}, application/vnd.kubernetes.protobuf", "UnsupportedMediaType"))
        if not isinstance(item, dict):
            raise status.bad_request(
                f"the object provided is unrecognized (must be of type {wanted}): it is no object"
            )
        check_kind(item, wanted, version)
        return item

    def _json(self, kind: str) -> Any:
        try:
            item = json.loads(self.request.body, object_pairs_hook=_Pairs)
            self.duplicates = list(_duplicates(item, ""))
            return item
        except ValueError as error:
            start = self.request.body[:60].decode("utf-8", "replace")
            raise status.bad_request(
                f"the object provided is unrecognized (must be of type {kind}): couldn't get "
                f"version/kind; json parse error: {error} ({start})"
            ) from None

    def patch_body(self) -> Any:
        """A patch in JSON; 413 or 400."""
        self.check_size()
        try:
            return json.loads(self.request.body)
        except ValueError as error:
            raise status.bad_request(f"error decoding patch: {error}") from None


class _Pairs(dict[str, Any]):
    """An object that remembers which of its keys came twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [key for key, _ in pairs]
        self.twice = [key for key in self if names.count(key) > 1] if len(names) > len(self) else []


def _duplicates(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        yield from (f"{path}{key}" for key in value.twice)
        for key, part in value.items():
            yield from _duplicates(part, f"{path}{key}.")
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _duplicates(part, f"{path.removesuffix('.')}[{at}].")


def parse_yaml(body: bytes) -> Any:
    """A YAML (or JSON) body; times and other fancy scalars stay the text that they are."""
    try:
        return yaml.load(body, Loader=_TextLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise status.bad_request(f"error decoding YAML: {first}") from None


class _TextLoader(yaml.SafeLoader):
    """YAML as JSON has it: no timestamps, and only true and false are booleans."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def _internal(group_version: str) -> str:
    """The name of a group's internal version in Go: core, apps, batch …"""
    group, slash, _ = group_version.partition("/")
    return group.partition(".")[0] if slash else "core"


def check_kind(item: Item, kind: str, group_version: str) -> None:
    """400 for a body of another kind or version than the path's; fills both in if they are missing."""
    has_kind, has_version = item.get("kind") or kind, item.get("apiVersion") or group_version
    if has_kind != kind:
        raise status.bad_request(
            f'{has_kind} in version "{has_version}" cannot be handled as a {kind}: converting '
            f"({has_version}.{has_kind}) to ({_internal(group_version)}.{kind}): unknown conversion"
        )
    if has_version != group_version:
        raise status.bad_request(
            f"the API version in the data ({has_version}) does not match the expected API "
            f"version ({group_version})"
        )
    item["kind"], item["apiVersion"] = kind, group_version
    if not isinstance(item.setdefault("metadata", {}), dict):
        raise status.bad_request(
            f'{kind} in version "{group_version}" cannot be handled as a {kind}: metadata is no object'
        )


def answer(item: Item, code: int = 200, warnings: tuple[str, ...] = ()) -> Response:
    """An object, with the new line that a server ends it with."""
    return Response(code, json_bytes(item) + b"\n", {"Content-Type": "application/json"}, warnings=warnings)
