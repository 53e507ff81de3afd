"""One object over the dashboard: History, YAML, Diff and Path, alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kdash.probe.objects import ObjectRef
from kdash.ui.panes.inspect import InspectPane
from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.screens.overlay import Overlay

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["InspectScreen"]


class InspectScreen(Overlay[None]):
    """Shows one object until the user leaves it."""

    DEFAULT_CSS = """
    InspectScreen { align: center middle; }
    InspectScreen Pane { position: relative; width: 94%; height: 92%; max-width: 150; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("g,home", "move(-1000000)", show=False),
        Binding("G,end", "move(1000000)", show=False),
        Binding("tab,right,l", "tab(1)", show=False, priority=True),
        Binding("shift+tab,left,h", "tab(-1)", show=False, priority=True),
        Binding("left_square_bracket", "scrub(-1)", show=False),
        Binding("right_square_bracket", "scrub(1)", show=False),
        Binding("y", "choose('YAML')", show=False),
        Binding("d", "choose('Diff')", show=False),
        Binding("c", "app.run('copy')", show=False),
        Binding("C", "app.run('copy_all')", show=False),
        Binding("v", "choose('History')", show=False),
    ]

    def __init__(self, app: KdashApp, ref: ObjectRef, tab: str) -> None:
        super().__init__()
        self._dashboard = app
        self.ref = ref
        self.pane = InspectPane("inspect-alone", tab)
        self.pane.palette, self.pane.glyphs, self.pane.is_chosen = app.palette, app.glyphs, True

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.call_after_refresh(self.redraw)

    def on_resize(self) -> None:
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        """One frame; the dashboard's timer calls it."""
        width, height = self.pane.inner
        app = self._dashboard
        self.pane.update(Context(app.snapshot, app.glyphs, width, height), app.look, self.ref)

    def action_move(self, rows: int) -> None:
        self.pane.move(rows)
        self.redraw()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * self.pane.page())

    def action_tab(self, by: int) -> None:
        self.pane.next_tab(by)
        self.redraw()

    def action_choose(self, name: str) -> None:
        self.pane.choose_tab(name)
        self.redraw()

    def action_scrub(self, by: int) -> None:
        self.pane.scrub(self._dashboard.look, by)
        self.redraw()

    def on_pane_wheeled(self, message: Pane.Wheeled) -> None:
        self.action_move(message.lines)

    def action_leave(self) -> None:
        self.dismiss()
