"""Pane 3."""

from __future__ import annotations

from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.queue import queue_lines, queue_title

__all__ = ["QueuePane"]


class QueuePane(Pane):
    """See `presenter.queue` for what it shows."""

    def __init__(self) -> None:
        super().__init__("queue", 3)

    def update(self, context: Context) -> None:
        """Draw the snapshot."""
        self.frame(queue_title(context), queue_lines(context))
