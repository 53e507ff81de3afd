"""Pane 6."""

from __future__ import annotations

from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.api import api_lines, api_title
from kdash.ui.presenter.context import Context

__all__ = ["ApiPane"]


class ApiPane(Pane):
    """See `presenter.api` for what it shows."""

    def __init__(self) -> None:
        super().__init__("api", 6)

    def update(self, context: Context) -> None:
        """Draw the snapshot."""
        self.frame(api_title(context), api_lines(context))
