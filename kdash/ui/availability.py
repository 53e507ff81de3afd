"""Whether an action makes sense now, and if not, why: the toast says so instead of nothing happening."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdash.ui.actions import Action
from kdash.ui.help_text import keys_of
from kdash.ui.layout import PANES

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["why_not"]

_WHERE_THE_FOCUS_IS = frozenset({
    "drill", "filter", "mark", "next_mark", "sort", "up", "down", "page_up", "page_down", "top", "bottom", "fold",
    "unfold",
})
"""Actions on the rows of the focused pane; the others are orders, or about the selected object."""


def why_not(app: KdashApp, action: Action, named: bool = False) -> str:
    """One sentence; "" when the action is available. `named`: its arguments say what it is about."""
    snapshot = app.newest
    if action.id in _WHERE_THE_FOCUS_IS and not named and app.chosen in PANES and app.chosen not in action.panes:
        return _elsewhere(app, action)
    if action.needs == "demo" and not app.observation.is_demo:
        return "this changes or disturbs the demo server only, never a cluster"
    if app.observation.is_replay and action.needs in ("informer", "handlers", "held"):
        return ""  # the recording itself says why not
    if action.needs in ("informer", "handlers") and not snapshot.informers:
        detail = snapshot.state.detail
        return f"there is no informer yet: {detail}" if detail else "there is no informer yet: still connecting"
    if action.needs == "handlers" and not snapshot.handlers:
        return "there is no handler: `:handler add NAME` lets one join"
    if action.needs == "held" and not snapshot.gate.held:
        return "nothing is held: press s first, then n lets one entry through and . everything"
    if action.needs == "object" and app.current_ref is None:
        where = "this line names no object" if app.chosen == "events" else "select an object in pane 2 first"
        return f"{where}: the arrows move"
    return ""


def _elsewhere(app: KdashApp, action: Action) -> str:
    there = " or ".join(f"{PANES.index(name) + 1} ({name})" for name in PANES if name in action.panes)
    here = f"pane {PANES.index(app.chosen) + 1} ({app.chosen})"
    return f"{keys_of(action)} does nothing in {here}: press {there} first"
