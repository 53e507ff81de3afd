"""Pane 4."""

from __future__ import annotations

from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.resync import resync_lines, resync_title

__all__ = ["ResyncPane"]


class ResyncPane(Pane):
    """See `presenter.resync` for what it shows."""

    def __init__(self) -> None:
        super().__init__("resync", 4)

    def update(self, context: Context) -> None:
        """Draw the snapshot."""
        self.frame(resync_title(context), resync_lines(context))
