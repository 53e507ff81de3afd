"""The parameters of list and watch requests, validated as a kube-apiserver does."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

import msgspec

from kdash.demo import status
from kdash.demo.http_types import Request

__all__ = ["ContinueToken", "ListParameters", "parse_list", "parse_watch"]


class ContinueToken(msgspec.Struct):
    """Where the next page begins, and at which version (-1: at the newest)."""

    v: str
    rv: int
    start: str

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> ContinueToken:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            token = msgspec.json.decode(raw, type=cls)
        except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
            raise status.bad_request(f"invalid continue token: continue key is not valid: {error}") from None
        if token.v != "meta.k8s.io/v1" or not token.start:
            raise status.bad_request(
                f"invalid continue token: continue key is not valid: server does not recognize {token.v!r}"
            )
        return token


@dataclass(slots=True)
class ListParameters:
    """What a list or watch asks for. `version` is None where none was given."""

    version: int | None = None
    match: str = ""
    limit: int = 0
    token: ContinueToken | None = None
    timeout_s: float | None = None
    bookmarks: bool = False
    initial_events: bool | None = None


def _number(request: Request, name: str) -> int | None:
    text = request.param(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|s|m|h)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def _duration(text: str) -> float | None:
    if not text:
        return None
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise status.bad_request(f'invalid query parameter timeout="{text}": time: invalid duration "{text}"')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _version(request: Request, watching: bool) -> int | None:
    text = request.param("resourceVersion")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        wrong = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        if watching:
            raise status.ApiError(status.failure(500, wrong))
        raise status.bad_request(f"invalid resource version: {wrong}")
    return int(text)


def _refuse(field: str, message: str, reason: str = "FieldValueForbidden") -> None:
    raise status.invalid_list_options([(reason, message, field)])


def _check_match(match: str, given: str, watching: bool) -> None:
    if match and match not in ("Exact", "NotOlderThan"):
        supported = (
            'supported values: "Exact", "NotOlderThan", ""' if not watching else 'supported values: "NotOlderThan"'
        )
        _refuse("resourceVersionMatch", f'Unsupported value: "{match}": {supported}', "FieldValueNotSupported")
    if match == "Exact" and given == "0":
        _refuse("resourceVersionMatch",
                'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"')


def parse_list(request: Request) -> ListParameters:
    """The parameters of a list. Raises `ApiError`."""
    match, given = request.param("resourceVersionMatch"), request.param("resourceVersion")
    if match and not given:
        _refuse(
            "resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    if "sendInitialEvents" in request.query:
        _refuse("sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")
    _check_match(match, given, watching=False)
    limit = _number(request, "limit") or 0
    _number(request, "timeoutSeconds")
    version = _version(request, watching=False)
    text = request.param("continue")
    token = None
    if text:
        if version:
            raise status.bad_request("specifying resource version is not allowed when using continue")
        if match:
            _refuse("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden when continue is provided")
        token = ContinueToken.decode(text)
    return ListParameters(version, match, max(limit, 0), token, _duration(request.param("timeout")))


def parse_watch(request: Request) -> ListParameters:
    """The parameters of a watch. Raises `ApiError`."""
    match = request.param("resourceVersionMatch")
    initial = request.flag("sendInitialEvents") if "sendInitialEvents" in request.query else None
    if request.param("continue"):
        _refuse("continue", "Forbidden: continue is forbidden for watch")
    if initial is not None and not match:
        _refuse(
            "resourceVersionMatch", "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        )
    if match and initial is None:
        _refuse("resourceVersionMatch",
                "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    if match and match != "NotOlderThan":
        _refuse("resourceVersionMatch", f'Unsupported value: "{match}": supported values: "NotOlderThan"',
                "FieldValueNotSupported")
    timeout_s = _number(request, "timeoutSeconds")
    return ListParameters(
        _version(request, watching=True), match, 0, None, None if not timeout_s else float(timeout_s),
        request.flag("allowWatchBookmarks"), initial,
    )  # fmt: skip
