"""Pane 1."""

from __future__ import annotations

from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.pipeline import pipeline_lines, pipeline_note, pipeline_strip

__all__ = ["PipelinePane"]


class PipelinePane(Pane):
    """See `presenter.pipeline` for what it shows."""

    def __init__(self) -> None:
        super().__init__("pipeline", 1)

    def update(self, context: Context) -> None:
        """Draw the snapshot."""
        if self.size.height == 1:
            self.show([pipeline_strip(context)])
        else:
            note, style = pipeline_note(context)
            self.frame("Pipeline", pipeline_lines(context), note, style)
