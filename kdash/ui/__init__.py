"""The Textual dashboard. `run_dashboard` shows an observation until the user leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdash.observe.door import Observation, UiOptions

__all__ = ["run_dashboard", "theme_problem"]


def run_dashboard(observation: Observation, options: UiOptions) -> int:
    """Run the dashboard in this terminal; starts the observation after the first paint. Returns the exit code.

    The caller stops the observation. Raises `RuntimeError` when there is no terminal.
    """
    import os

    os.environ.setdefault("TEXTUAL_FPS", "120")  # a key press waits for the next frame; see design of latency
    from kdash.ui.app import KdashApp

    return KdashApp(observation, options).show()


def theme_problem(options: UiOptions) -> str:
    """What is wrong with the theme that was asked for; "" when there is such a theme."""
    import difflib

    from kdash.ui.themes import THEMES

    wanted = options.theme
    own = options.themes / f"{wanted}.toml" if options.themes is not None else None
    if wanted is None or wanted in THEMES or (own is not None and own.is_file()):
        return ""
    near = difflib.get_close_matches(wanted, THEMES, 1)
    hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(THEMES)}"
    return f'there is no theme "{wanted[:40]}"{hint}'
