"""Pane 5."""

from __future__ import annotations

from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.handler_detail import detail_lines
from kdash.ui.presenter.handlers import handlers_lines, handlers_title

__all__ = ["HandlersPane"]

ROOM_FOR_DETAIL = 16
"""Lines inside the pane from which one handler is shown in detail: when it is zoomed."""


class HandlersPane(Pane):
    """See `presenter.handlers` for what it shows."""

    def __init__(self) -> None:
        super().__init__("handlers", 5)

    def update(self, context: Context) -> None:
        """Draw the snapshot."""
        lines = handlers_lines(context)
        if context.height >= ROOM_FOR_DETAIL and context.snapshot.handlers:
            table = min(len(context.snapshot.handlers) + 1, context.height // 3)
            lines = [*lines[:table], *detail_lines(context)]
        self.frame(handlers_title(context), lines)
