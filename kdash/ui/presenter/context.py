"""What every presenter is given beside its view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdash.probe.snapshot import Snapshot
from kdash.probe.text import clean, duration
from kdash.ui.glyphs import Glyphs
from kdash.ui.spans import width_of

__all__ = ["Context", "ago", "amount", "count", "first_that_fits", "latency", "rate", "whole"]


@dataclass(frozen=True, slots=True)
class Context:
    """One frame: the snapshot, the marks, and the size inside the pane's border."""

    snapshot: Snapshot
    glyphs: Glyphs
    width: int
    height: int
    wide: bool = False
    """Room for extra columns."""
    selected_handler: str = ""
    requests_moved: int = 0
    """Requests that came since the last order: the API pane flashes them."""
    last_order: str = ""
    """`resync`, `relist` or `rewatch` for a few seconds after it was given."""
    motion: bool = True
    """False: nothing moves but numbers (`--reduced-motion`)."""

    def handler_names(self) -> list[str]:
        """The handlers' names, with their informer where there are several of them."""
        handlers = self.snapshot.handlers
        several = len({handler.informer for handler in handlers}) > 1
        return [clean(each.name) + (f"/{clean(each.informer)}" if several else "") for each in handlers]


def rate(value: float) -> str:
    """`0.3/s`, `14/s`, `1.6k/s`, `12k/s`: six characters at the most."""
    if value < 9.95:
        return f"{value:.1f}/s"
    if value < 999.5:
        return f"{value:.0f}/s"
    if value < 9_950:
        return f"{value / 1000:.1f}k/s"
    return f"{value / 1000:.0f}k/s"


def count(number: int) -> str:
    """At most five characters: `9999`, `12.3k`, `123k`, `1.2M`."""
    for limit, size, unit in ((10_000, 1, ""), (100_000, 1e3, "k"), (1_000_000, 1e3, "k"), (1e8, 1e6, "M")):
        if number < limit:
            digits = 1 if limit in (100_000, 1e8) else 0
            return f"{number / size:.{digits}f}{unit}" if unit else str(number)
    return f"{number / 1e6:.0f}M"


def amount(size: float) -> str:
    """Bytes as `980 B`, `41 kB`, `1.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5 or unit == "GB":
            return f"{size:.0f} {unit}" if size >= 9.95 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def ago(now: float, at: float | None) -> str:
    """Whole seconds since `at`, coarser with age."""
    if at is None:
        return "-"
    seconds = max(0, int(now - at))
    if seconds < 100:
        return f"{seconds}s"
    if seconds < 6000:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h"


def whole(seconds: float) -> str:
    """A span of time in whole seconds, `0s` at the least."""
    return duration(float(round(seconds))) if seconds >= 0.5 else "0s"


def latency(seconds: float, counted: int = 1) -> str:
    """A measured duration; `-` when nothing was counted, `<0.1ms` where digits would say 0."""
    if not counted:
        return "-"
    return "<0.1ms" if seconds < 0.00005 else duration(seconds)


def first_that_fits(texts: Sequence[str], width: int) -> str:
    """The first of several wordings, longest first, that needs no cut; the last one in any case."""
    return next((text for text in texts if width_of(text) <= width), texts[-1])
