"""What every presenter is given beside its view."""

from __future__ import annotations

from dataclasses import dataclass

from kdash.probe.snapshot import Snapshot
from kdash.ui.glyphs import Glyphs

__all__ = ["Context", "ago", "amount", "count", "rate"]


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


def rate(value: float) -> str:
    """`0.3/s`, `14/s`, `12k/s`."""
    if value < 9.95:
        return f"{value:.1f}/s"
    if value < 9_950:
        return f"{value:.0f}/s"
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
