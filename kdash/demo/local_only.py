"""Who is answered: programs on this machine, and no web page that a browser on it shows.

Contract: pure. A page can make a browser send requests to 127.0.0.1. One whose name was made to lead there (DNS
rebinding) gives itself away by `Host`, any other one by `Origin` or `Sec-Fetch-Site`, which pages cannot choose; a
form needs no permission for a `POST` of the three types that forms have. A client that is no browser sends neither.
"""

from __future__ import annotations

import re

__all__ = ["FORM_TYPES", "refusal_of"]

FORM_TYPES = frozenset({"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""What a page may send without asking; no Kubernetes client sends an object as one of them."""

_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_SAFE = ("GET", "HEAD", "OPTIONS")


def refusal_of(method: str, host: str, origin: str | None, fetch_site: str | None = None) -> str:
    """Why a request with these headers is refused, in a sentence; "" when it is answered."""
    if not _HOST.fullmatch(host):
        return "this server answers on 127.0.0.1, localhost and [::1] only: the Host header names another one"
    if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
        return "requests of web pages of another origin are refused"
    if method not in _SAFE and fetch_site not in (None, "same-origin", "none"):
        return "writes of web pages of another site are refused"
    return ""
