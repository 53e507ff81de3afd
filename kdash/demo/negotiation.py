"""What form an answer takes, by the Accept header, `pretty` and the client's name (wire facts 8, 13, 16, 78 to 82).

Contract: `form_of` settles what a list, watch or object is written as, or refuses with 406; `finish` gives every JSON
answer its last form: indented, or YAML. Protobuf is not spoken: a client that also takes JSON gets JSON.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import yaml

from kdash.demo import status
from kdash.demo.defaults import in_api_order
from kdash.demo.http_types import Request, Response
from kdash.demo.resources import ResourceType

__all__ = ["Form", "check_include_object", "finish", "form_of", "shown", "wants_pretty", "wants_yaml"]

Form = Literal["json", "table", "partial", "partial list"]

_JSON = ("application/json", "*/*", "application/*")
_STREAMS = "application/json;stream=watch"
_AVAILABLE = f"application/json, application/yaml, {_STREAMS}"
_PRETTY_AGENTS = ("curl", "Wget", "Mozilla/5.0")


def _entries(request: Request) -> list[tuple[str, dict[str, str]]]:
    """The media types of Accept with their parameters, in order."""
    found = []
    for entry in request.accept.split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        named = dict(part.split("=", 1) for part in parameters if "=" in part)
        found.append((media, named))
    return found


def form_of(request: Request, *, watching: bool = False) -> Form:
    """What the first type in Accept that this server can make asks for; 406 when there is none."""
    if not request.accept:
        return "json"
    for media, named in _entries(request):
        if media not in _JSON and (media != "application/yaml" or watching):
            continue
        wanted = named.get("as", "")
        if not wanted:
            return "json"
        if named.get("g") != "meta.k8s.io" or named.get("v") not in ("v1", "v1beta1"):
            continue
        if wanted == "Table":
            return "table"
        if wanted == "PartialObjectMetadata":
            return "partial"
        if wanted == "PartialObjectMetadataList":
            return "partial list"
    if watching and wants_yaml(request):
        raise status.only_media_types(_STREAMS)
    raise status.not_acceptable(_AVAILABLE)


_MANAGED = ("manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource")


def shown(resource_type: ResourceType, raw: bytes) -> dict[str, Any]:
    """A stored object for a Table or for PartialObjectMetadata, in which even a custom resource's metadata has the
    order of the built-in kinds."""
    obj: dict[str, Any] = msgspec.json.decode(raw)
    if not resource_type.custom:
        return {"kind": resource_type.kind, "apiVersion": resource_type.group_version, **obj}
    obj = in_api_order(obj, custom=False)
    managed = obj["metadata"].get("managedFields")
    if managed:
        obj["metadata"]["managedFields"] = [
            {name: entry[name] for name in _MANAGED if name in entry} for entry in managed
        ]
    return obj


def check_include_object(request: Request) -> str:
    """`includeObject` of a Table request; 400 for an unknown value."""
    value = request.param("includeObject") or "Metadata"
    if value not in ("Metadata", "Object", "None"):
        raise status.bad_include_object(value)
    return value


def wants_yaml(request: Request) -> bool:
    """True if YAML is the first type of Accept that this server speaks."""
    for media, _ in _entries(request):
        if media == "application/yaml":
            return True
        if media in _JSON:
            return False
    return False


def wants_pretty(request: Request) -> bool:
    """True if JSON is to be indented: as asked for, and else for clients that people read with."""
    if "pretty" in request.query:
        return request.flag("pretty")
    return request.headers.get("user-agent", "").startswith(_PRETTY_AGENTS)


def finish(request: Request, response: Response) -> Response:
    """The answer in the form that the client wants; leaves streams and text alone."""
    if response.stream is not None or not response.body:
        return response
    if response.headers.get("Content-Type") != "application/json":
        return response
    if response.yaml_allowed and wants_yaml(request):
        response.body = _yaml(msgspec.json.decode(response.body))
        response.headers["Content-Type"] = "application/yaml"
    elif wants_pretty(request):
        response.body = indented(response.body)
    return response


def indented(body: bytes) -> bytes:
    """JSON with two spaces a level and no new line at its end."""
    return msgspec.json.format(body.rstrip(b"\n"), indent=2)


def _yaml(data: Any) -> bytes:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True).encode()


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
