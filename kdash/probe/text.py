"""The one function through which text from a cluster passes before anybody sees it, and how figures read.

Everything a server sends is hostile: a name or a message may hold escape sequences, bidirectional overrides,
line breaks or glyphs that terminals disagree on. `clean` is called once per string, at the boundary; what it
returns is one printable line. It says nothing about markup: whoever displays must show text as text.
"""

from __future__ import annotations

__all__ = ["clean", "duration", "plural", "shorten"]

# Emoji modifiers, variation selectors and keycaps: terminals disagree on how wide they are.
_AMBIGUOUS = dict.fromkeys([0xFE0F, 0xFE0E, 0x20E3, *range(0x1F3FB, 0x1F400)])
_SPACES: dict[int, str | None] = {ord("\n"): " ", ord("\r"): " ", ord("\t"): " ", 0xA0: " "}
_TABLE: dict[int, str | None] = {**_AMBIGUOUS, **_SPACES}


def clean(text: str) -> str:
    """`text` as one printable line: control, format and unassigned characters turn into U+FFFD, line breaks
    into spaces, and what makes emoji differently wide from terminal to terminal goes away."""
    if text.isascii() and text.isprintable():
        return text
    return "".join([c if c.isprintable() else "\ufffd" for c in text.translate(_TABLE)])


def shorten(text: str, limit: int = 300) -> str:
    """`text` cleaned and cut to `limit` characters; a cut is marked with `…`."""
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def duration(seconds: float) -> str:
    """`0.2ms`, `38ms`, `812ms`, `1.2s`, `42s`, `3m54s`, `2h05m`, `3d4h`."""
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f}ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 9.95:
        text = f"{seconds:.1f}"
        return (text[:-2] if text.endswith(".0") else text) + "s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02}m" if minutes else f"{hours}h"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours}h" if hours else f"{days}d"


def plural(count: int, noun: str) -> str:
    """`1 object`, `42 objects`, `3 watches`, `2 queries`."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{count} {noun[:-1]}ies"
    return f"{count} {noun}{'es' if noun.endswith(('ch', 's', 'x')) else 's'}"
