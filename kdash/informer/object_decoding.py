"""What `KubeObject` decodes, and how: typed msgspec decoders that build no more than was asked for.

Contract: pure functions from JSON bytes. Null where the API has a string, a map or a list means "absent", as
in Go. `DECODING_ERRORS` is all that the header decoder can raise.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from kdash.informer.errors import DecodeError
from kdash.informer.limits import LONGEST_NAME, MOST_VALUES

__all__ = ["DECODING_ERRORS", "NO_METADATA", "header_decoder", "malformed"]

DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_field = msgspec.field


class Metadata(msgspec.Struct, gc=False):
    """The header's part of `metadata`."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = _field(default=None, name="resourceVersion")


class Header(msgspec.Struct, gc=False):
    """What is decoded of every object."""

    api_version: str | None = _field(default=None, name="apiVersion")
    kind: str | None = None
    metadata: Metadata | None = None


class _RawMetadata(msgspec.Struct, gc=False):
    name: msgspec.Raw = msgspec.Raw()
    namespace: msgspec.Raw = msgspec.Raw()
    uid: msgspec.Raw = msgspec.Raw()
    version: msgspec.Raw = _field(default=msgspec.Raw(), name="resourceVersion")


class _RawHeader(msgspec.Struct, gc=False):
    api_version: msgspec.Raw = _field(default=msgspec.Raw(), name="apiVersion")
    kind: msgspec.Raw = msgspec.Raw()
    metadata: _RawMetadata | None = None


class _Labels(msgspec.Struct):
    strings: dict[str, str] | None = _field(default=None, name="labels")


class _Annotations(msgspec.Struct):
    strings: dict[str, str] | None = _field(default=None, name="annotations")


class _Details(msgspec.Struct):
    owner_references: list[dict[str, Any]] | None = _field(default=None, name="ownerReferences")
    creation_timestamp: str | None = _field(default=None, name="creationTimestamp")
    deletion_timestamp: str | None = _field(default=None, name="deletionTimestamp")
    generation: int | None = None


class WithLabels(msgspec.Struct):
    """An object of which only the labels are wanted."""

    metadata: _Labels | None = None


class WithAnnotations(msgspec.Struct):
    """An object of which only the annotations are wanted."""

    metadata: _Annotations | None = None


class _WithDetails(msgspec.Struct):
    metadata: _Details | None = None


StringsDecoder = msgspec.json.Decoder[WithLabels] | msgspec.json.Decoder[WithAnnotations]

NO_METADATA = Metadata()
header_decoder = msgspec.json.Decoder(Header)
_raw_header_decoder = msgspec.json.Decoder(_RawHeader)
labels_decoder = msgspec.json.Decoder(WithLabels)
annotations_decoder = msgspec.json.Decoder(WithAnnotations)
_details_decoder = msgspec.json.Decoder(_WithDetails)
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_object_decoder = msgspec.json.Decoder(dict[str, Any])
_value_decoder = msgspec.json.Decoder()


def malformed(error: Exception) -> DecodeError:
    """The `DecodeError` for one of `DECODING_ERRORS`: what is wrong and where, never what the values are."""
    if isinstance(error, RecursionError):
        return DecodeError("malformed object: its JSON is nested too deeply to be read")
    if isinstance(error, UnicodeDecodeError):
        return DecodeError(f"malformed object: its JSON is no valid UTF-8 at byte {error.start}")
    if isinstance(error, msgspec.ValidationError):
        return DecodeError(f"malformed object: {str(error)[:200]}")
    return DecodeError(f"malformed object: this is no JSON object ({str(error)[:200]})")


@lru_cache(maxsize=256)
def _type_fields(api_version: str, kind: str) -> bytes:
    fields = {name: value for name, value in (("kind", kind), ("apiVersion", api_version)) if value}
    return msgspec.json.encode(fields)[:-1]


def with_type(raw: bytes | msgspec.Raw, api_version: str, kind: str) -> bytes:
    """The JSON of an object with apiVersion and kind put in front; "" leaves one out."""
    body = bytes(raw).lstrip()[1:]
    separator = b"" if body.lstrip()[:1] == b"}" else b","
    return b"".join((_type_fields(api_version, kind), separator, body))


def decode_object(raw: bytes) -> dict[str, Any]:
    """The whole object. Bad UTF-8 in it is repaired, as Go does. Raises `DecodeError` when it is too much."""
    check_values(raw)
    try:
        return _object_decoder.decode(raw)
    except DECODING_ERRORS as error:
        return dict(_repaired(raw, error))


def check_names(raw: bytes | msgspec.Raw) -> None:
    """For a large object, before its header becomes text: raises `DecodeError` when one of its names is no name."""
    try:
        header = _raw_header_decoder.decode(raw)
    except DECODING_ERRORS:
        return  # the header's own decoder says what is wrong
    meta = header.metadata or _RawMetadata()
    parts = {"apiVersion": header.api_version, "kind": header.kind, "metadata.name": meta.name,
             "metadata.namespace": meta.namespace, "metadata.uid": meta.uid,
             "metadata.resourceVersion": meta.version}  # fmt: skip
    for field, value in parts.items():
        if len(value) > LONGEST_NAME:
            raise DecodeError(f"malformed object: its {field} takes more than {LONGEST_NAME >> 10} KiB")


def check_values(raw: bytes | bytearray) -> None:
    """Raises `DecodeError` for JSON that would become too many objects when it is decoded as a whole."""
    if len(raw) > MOST_VALUES and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MOST_VALUES:
        raise DecodeError(f"it holds more than {MOST_VALUES:,} values")


def decode_fields(raw: bytes) -> dict[str, msgspec.Raw]:
    """The top-level fields, their values undecoded."""
    try:
        return _fields_decoder.decode(raw)
    except DECODING_ERRORS as error:
        text = repaired_text(raw, error)
    try:
        return _fields_decoder.decode(text)
    except DECODING_ERRORS as error:
        raise malformed(error) from None


def decode_value(raw: msgspec.Raw) -> Any:
    """One value that `decode_fields` left undecoded."""
    try:
        return _value_decoder.decode(raw)
    except DECODING_ERRORS as error:
        return _repaired(bytes(raw), error)


_ESCAPES = re.compile(
    rb"(?s)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # a whole surrogate pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half a pair
    rb"|\\."  # any other escape, a backslash that is itself escaped among them
)


def repaired_text(raw: bytes | msgspec.Raw, error: Exception) -> bytes:
    """`raw`, whose decoding raised `error`, with U+FFFD for whatever is not Unicode text, as Go puts there.

    Raises the `DecodeError` for `error` when that is not what is wrong.
    """
    before = bytes(raw)
    text = _ESCAPES.sub(_mended, before.decode("utf-8", "replace").encode())
    if isinstance(error, RecursionError) or text == before:
        raise malformed(error) from None
    return text


def _mended(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match[2] else match[0]


def _repaired(raw: bytes, error: Exception) -> Any:
    try:
        return _value_decoder.decode(repaired_text(raw, error))
    except DECODING_ERRORS as e:
        raise malformed(e) from None


def decode_strings(raw: bytes, decoder: StringsDecoder) -> dict[str, str]:
    """Labels or annotations; empty when they are malformed, as in Go's unstructured objects."""
    try:
        metadata = decoder.decode(raw).metadata
    except DECODING_ERRORS:
        return {}
    return (metadata.strings if metadata else None) or {}


def decode_metadata(raw: bytes) -> _Details:
    """The rarely used metadata fields; all absent when one of them is malformed."""
    try:
        return _details_decoder.decode(raw).metadata or _Details()
    except DECODING_ERRORS:
        return _Details()


def timestamp(text: str | None) -> datetime | None:
    """RFC 3339 to an aware datetime; None for an absent or unreadable one."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def without_managed_fields(raw: bytes) -> bytes:
    """The same JSON without metadata.managedFields; everything else is copied, not decoded."""
    fields = decode_fields(raw)
    try:
        metadata = _fields_decoder.decode(fields["metadata"])
    except (KeyError, *DECODING_ERRORS):
        return raw
    metadata.pop("managedFields", None)
    return msgspec.json.encode({**fields, "metadata": metadata})
