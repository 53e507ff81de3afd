"""From what urllib3, the socket or the server's error body say to the core's errors, each with one clear
sentence.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import msgspec
import urllib3

from kdash.cluster.errors import RequestTimeout, TLSError, clean_text
from kdash.informer.errors import (
    ApiStatusError,
    ConnectionRefused,
    ConnectionReset,
    DecodeError,
    InformerError,
    StopRequested,
    TransportError,
    UnexpectedEOF,
)
from kdash.informer.limits import LONGEST_RETRY_AFTER_S
from kdash.informer.object_decoding import DECODING_ERRORS

__all__ = ["error_from_answer", "outcome_of", "retry_after_s", "transport_error", "without_userinfo"]

_REASON_OF_CODE = {  # apimachinery `NewGenericServerResponse`, for a GET
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
    406: "NotAcceptable", 409: "Conflict", 410: "Gone", 413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError",
    503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")


def without_userinfo(url: str) -> str:
    """The URL without a user name and password in it."""
    return re.sub(r"//[^/@]*@", "//", url)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was made from: causes and exceptions among its arguments."""
    todo, seen = [error], set()
    while todo:
        one = todo.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [a for a in one.args if isinstance(a, BaseException)]
        todo += [e for e in (one.__cause__, one.__context__) if e is not None]


def _is_timeout(error: BaseException) -> bool:
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # a ConnectTimeoutError by inheritance only
        return False
    return isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError)


def _tls_sentence(errors: list[BaseException], url: str) -> str | None:
    for error in errors:
        if isinstance(error, ssl.SSLCertVerificationError):
            why = clean_text(error.verify_message or str(error))
            return (
                f"the certificate of {url} could not be verified ({why}); check certificate-authority and "
                "the server's name (tls-server-name) of this cluster in the kubeconfig"
            )
    for error in errors:
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            reason = clean_text((error.reason or str(error)).replace("_", " ").lower())
            return f"TLS with {url} failed ({reason}); is the server's address right, and is it https?"
    return None


def transport_error(error: BaseException, url: str) -> TransportError:
    """What `error`, raised by a request to `url`, is to the reflector."""
    chain = list(_chain(error))
    if any(isinstance(e, urllib3.exceptions.ProxyError) for e in chain):
        return TransportError(
            f"the proxy on the way to {url} failed: {clean_text(str(chain[-1]))}; check proxy-url"
        )
    if any(isinstance(e, ConnectionRefusedError) for e in chain):
        return ConnectionRefused(
            f"{url} refused the connection; is the API server running, and is the port right?"
        )
    tls = _tls_sentence(chain, url)
    if tls is not None:
        return TLSError(tls)
    if any(isinstance(e, socket.gaierror | urllib3.exceptions.NameResolutionError) for e in chain):
        return TransportError(
            f"the host name of {url} is not known; check the server address and the network"
        )
    if any(_is_timeout(e) for e in chain):
        connecting = any(isinstance(e, urllib3.exceptions.ConnectTimeoutError) for e in chain)
        return RequestTimeout(f"{url} did not {'accept a connection' if connecting else 'answer'} in time")
    ended = (http.client.RemoteDisconnected, http.client.IncompleteRead, ssl.SSLEOFError, EOFError)
    if any(isinstance(e, ended) for e in chain):
        return UnexpectedEOF(f"{url} closed the connection before it answered")
    if any(isinstance(e, ConnectionResetError | BrokenPipeError | ConnectionAbortedError) for e in chain):
        return ConnectionReset(f"the connection to {url} was reset")
    if any(isinstance(e, http.client.HTTPException) for e in chain):
        return TransportError(f"{url} does not speak HTTP: {clean_text(str(chain[-1]), 120)}")
    if any(isinstance(e, urllib3.exceptions.LocationValueError) for e in chain):
        return TransportError(f"the server address {clean_text(url)} is no valid URL")
    os_error = next((e for e in chain if isinstance(e, OSError) and e.strerror), None)
    why = os_error.strerror if os_error is not None else clean_text(str(chain[-1]), 160)
    return TransportError(f"no connection to {url}: {why}")


def outcome_of(error: InformerError) -> str:
    """The `outcome` of `api.end` for a request that ended with `error`."""
    kinds: tuple[tuple[type[InformerError], str], ...] = (
        (StopRequested, "stopped"), (ConnectionRefused, "refused"), (ConnectionReset, "reset"),
        (UnexpectedEOF, "cut"), (RequestTimeout, "timeout"), (DecodeError, "error"),
    )  # fmt: skip
    return next((outcome for kind, outcome in kinds if isinstance(error, kind)), "error")


def _as_status(body: bytes) -> dict[str, Any] | None:
    if body.lstrip()[:1] != b"{":
        return None
    try:
        status = msgspec.json.decode(body)
    except DECODING_ERRORS:
        return None
    # a Status that a time limit cut off comes without kind and apiVersion, as text/plain
    if isinstance(status, dict) and (
        status.get("kind") == "Status" or ("status" in status and "code" in status)
    ):
        return status
    return None


def error_from_answer(
    code: int, content_type: str, location: str | None, body: bytes, retry_after: str | None
) -> ApiStatusError:
    """The Status that the body holds, or one made from the code and the first words of a body that is
    none; `retry_after` is the header of that name.
    """
    pause_s = retry_after_s(retry_after)
    status = _as_status(body)
    if status is not None:
        error = ApiStatusError.from_status(status, code)
        error.message = clean_text(error.message, 1000)
        error.message += _unusable(retry_after)
        error.args = (error.message or error.reason or f"HTTP {error.code}",)
        if error.retry_after_s is None:
            error.retry_after_s = pause_s
        return error
    reason = _REASON_OF_CODE.get(code, "InternalError" if code >= 500 else "")
    phrase = http.client.responses.get(code, "")
    if 300 <= code < 400 and location:
        target = clean_text(without_userinfo(location))
        said = f"it redirects to {target}; is the server address right?"
    else:
        said = clean_text(body)
    sentence = f"the server answered {code} {phrase}".rstrip() + (f": {said}" if said else "")
    return ApiStatusError(code, reason, sentence + _unusable(retry_after), (), pause_s)


def retry_after_s(header: str | None) -> int | None:
    """The seconds in a Retry-After header; None for a date, and for what nobody can wait."""
    text = (header or "").strip()
    if not _WHOLE_NUMBER.fullmatch(text) or len(text) > 19:  # Go reads 64 bits
        return None
    seconds = int(text)
    return seconds if seconds <= LONGEST_RETRY_AFTER_S else None


def _unusable(retry_after: str | None) -> str:
    """What is said of a Retry-After header that is a number, but not one that can be obeyed."""
    text = (retry_after or "").strip()
    if not _WHOLE_NUMBER.fullmatch(text) or retry_after_s(text) is not None:
        return ""
    return f" (its Retry-After of {clean_text(text, 24)} seconds is not obeyed)"
