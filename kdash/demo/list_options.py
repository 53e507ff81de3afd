"""The parameters of list and watch requests, validated as a kube-apiserver does."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

import msgspec

from kdash.demo import status
from kdash.demo.http_types import Request

__all__ = ["ContinueToken", "ListParameters", "parse_get", "parse_list", "parse_watch"]


class ContinueToken(msgspec.Struct):
    """Where the next page begins, and at which version (-1: at the newest)."""

    v: str
    rv: int
    start: str

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> ContinueToken:
        invalid = "invalid continue token: continue key is not valid"
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            token = msgspec.json.decode(raw, type=cls)
        except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
            raise status.bad_request(f"{invalid}: {error}") from None
        if token.v != "meta.k8s.io/v1":
            raise status.bad_request(f"{invalid}: server does not recognize this encoded version {token.v!r}")
        if not token.start or token.rv < -1 or token.rv >= 1 << 63:
            raise status.bad_request(f"{invalid}: incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
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


_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def _number(request: Request, name: str) -> int | None:
    text = request.param(name)
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > 20 or not -(1 << 63) <= int(text) < 1 << 63:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|us|µs|ns|s|m|h)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def _duration(text: str) -> float | None:
    if not text:
        return None
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise status.bad_request(f'invalid timeout specified in the request URL - time: invalid duration "{text}"')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _version(request: Request, watching: bool) -> int | None:
    text = request.param("resourceVersion")
    if not text:
        return None
    digits = text.isascii() and text.isdigit()
    if not digits or len(text) > 20 or int(text) >= 1 << 64:
        why = "value out of range" if digits else "invalid syntax"
        wrong = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": {why}'
        if watching:
            raise status.ApiError(status.failure(500, wrong))
        raise status.bad_request(f"invalid resource version: {wrong}")
    return int(text)


def _refuse(field: str, message: str, reason: str = "FieldValueForbidden") -> None:
    raise status.invalid_list_options([(reason, message, field)])


_MATCH = "resourceVersionMatch"
_INITIAL = "sendInitialEvents"


def _check_match(match: str, given: str) -> None:
    if match and match not in ("Exact", "NotOlderThan"):
        supported = 'supported values: "Exact", "NotOlderThan", ""'
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
    _check_match(match, given)
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


def parse_get(request: Request) -> ListParameters:
    """The parameters of a read of one object. Raises `ApiError`."""
    return ListParameters(_version(request, watching=False), timeout_s=_duration(request.param("timeout")))


def _check_watch(request: Request, watch_list: bool) -> None:
    match, initial = request.param(_MATCH), _INITIAL in request.query
    if request.param("continue"):
        _refuse(_MATCH, "Forbidden: resourceVersionMatch is forbidden when continue is provided")
    if initial and not watch_list:
        _refuse(_INITIAL, "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is "
                          "enabled")
    if match and not initial:
        _refuse(_MATCH, "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    if not initial or match == "NotOlderThan":
        return
    causes = [("FieldValueForbidden",
               "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan", _MATCH)]
    if match:
        causes.append(
            ("FieldValueNotSupported", f'Unsupported value: "{match}": supported values: "NotOlderThan"', _MATCH)
        )
    raise status.invalid_list_options(causes)


def parse_watch(request: Request, *, watch_list: bool = True) -> ListParameters:
    """The parameters of a watch; `watch_list`: streaming lists are served. Raises `ApiError`."""
    match = request.param(_MATCH)
    initial = request.flag(_INITIAL) if _INITIAL in request.query else None
    _number(request, "limit")
    _check_watch(request, watch_list)
    timeout_s = _number(request, "timeoutSeconds")
    return ListParameters(
        _version(request, watching=True), match, 0, None, None if not timeout_s else float(timeout_s),
        request.flag("allowWatchBookmarks"), initial,
    )  # fmt: skip
