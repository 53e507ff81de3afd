"""What can go wrong on the way to an API server, beyond the core's own errors, each as one clear sentence.

`ConfigError`s come before any request: they say what is wrong, where, and what to do, and carry the exit
code of the command line. `TransportError`s (the core's) come from requests. No sentence ever holds a
credential, and all text that a server or a plugin wrote passes `clean_text` first.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from kdash.informer.errors import InformerError, TransportError

__all__ = [
    "ConfigError",
    "CredentialError",
    "NoClusterConfig",
    "RequestTimeout",
    "TLSError",
    "UnknownResource",
    "clean_text",
    "nearest",
]

USAGE, NO_CONNECTION, DENIED = 2, 3, 4  # exit codes of the command line


class ConfigError(InformerError):
    """A kubeconfig, or what was asked of it, cannot be used. `exit_code` is for the command line."""

    def __init__(self, message: str, *, exit_code: int = USAGE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NoClusterConfig(ConfigError):
    """Nothing names a cluster: no kubeconfig anywhere and not inside a pod. The caller may start the demo."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=NO_CONNECTION)


class UnknownResource(InformerError):
    """No such resource on this server; `nearest` are the names that look most like it."""

    exit_code = USAGE

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class CredentialError(TransportError):
    """Credentials could not be had, so the request was not sent (kdash never falls back to anonymous)."""

    exit_code = DENIED


class RequestTimeout(TransportError):
    """Connecting, or waiting for an answer or the rest of one, took longer than allowed."""


class TLSError(TransportError):
    """The TLS handshake failed or the certificate could not be verified."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_SCRIPT = re.compile(r"(?is)<(script|style|head)\b.*?</\1\s*>")
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_TAG = re.compile(r"(?s)<[^<>]*>")


def clean_text(text: str | bytes, limit: int = 300) -> str:
    """One line of plain text: markup, control characters and repeated blanks taken out, cut at `limit`."""
    if isinstance(text, bytes):
        text = text[: limit * 20].decode("utf-8", "replace")
    text = text[: limit * 20]
    if text.lstrip()[:1] == "<":
        title = _TITLE.search(text)
        text = title.group(1) if title else _TAG.sub(" ", _SCRIPT.sub(" ", text))
    text = " ".join(_CONTROL.sub(" ", text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def nearest(name: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The known names most like `name`, best first; () when none is near."""
    return tuple(difflib.get_close_matches(name, list(known), n=count, cutoff=0.6))
