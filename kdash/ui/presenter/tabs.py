"""The line of tabs: the panes that a number swaps in; in trouble, what is wrong."""

from __future__ import annotations

from kdash.probe.snapshot import Snapshot
from kdash.probe.text import clean
from kdash.ui.layout import PANES, Layout
from kdash.ui.orders import Flash
from kdash.ui.spans import Line

__all__ = ["tabs_line"]

_TITLES = {"queue": "3 Queue", "resync": "4 Resync", "handlers": "5 Handlers", "api": "6 API"}


def tabs_line(laid_out: Layout, chosen: str, snapshot: Snapshot, flash: Flash) -> Line:
    """For the single pane: all panes; for the compact layout: those that are not shown, and the request counter."""
    if laid_out.mode == "single":
        return tuple((f" {number} {name} ", "cursor" if name == chosen else "dim")
                     for number, name in enumerate(PANES, 1))
    state = snapshot.state
    if state.detail and state.word in ("RETRY", "DENIED", "STALE", "STOPPED"):
        return ((f" !! {clean(state.detail)}", "bad"),)
    hidden = [_TITLES[name] for name in laid_out.tabs]
    numbers = " or ".join(name[0] for name in hidden)
    counter = [(f"   requests {snapshot.api.requests}", "bold")]
    if flash.order and flash.requests:
        counter.append((f" +{flash.requests}", "warn"))
    elif flash.order == "resync":
        counter.append((" +0: a resync asks nothing", "resync"))
    return ((f" {' and '.join(hidden)} are tabs here: press {numbers}", "dim"), *counter)
