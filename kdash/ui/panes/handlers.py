"""Pane 5."""

from __future__ import annotations

from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.handlers import handlers_lines, handlers_title

__all__ = ["HandlersPane"]


class HandlersPane(Pane):
    """See `presenter.handlers` for what it shows."""

    def __init__(self) -> None:
        super().__init__("handlers", 5)

    def update(self, context: Context) -> None:
        """Draw the snapshot."""
        self.frame(handlers_title(context), handlers_lines(context))
