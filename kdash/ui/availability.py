"""Whether an action makes sense now, and if not, why: the toast says so instead of nothing happening."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdash.ui.actions import Action

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["why_not"]


def why_not(app: KdashApp, action: Action) -> str:
    """One sentence; "" when the action is available."""
    snapshot = app.snapshot
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
