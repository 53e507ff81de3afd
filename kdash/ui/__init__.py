"""The Textual dashboard. `run_dashboard` shows an observation until the user leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdash.observe.door import Observation, UiOptions

__all__ = ["run_dashboard"]


def run_dashboard(observation: Observation, options: UiOptions) -> int:
    """Run the dashboard in this terminal; starts the observation after the first paint. Returns the exit code.

    The caller stops the observation. Raises `RuntimeError` when there is no terminal.
    """
    import os

    os.environ.setdefault("TEXTUAL_FPS", "120")  # a key press waits for the next frame; see design of latency
    from kdash.ui.app import KdashApp

    return KdashApp(observation, options).show()
