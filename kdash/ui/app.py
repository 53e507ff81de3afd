"""The dashboard's application: one timer pulls a snapshot and hands it to the panes; keys become orders.

Contract: informer threads never call anything here, and nothing here waits for them. Every frame each visible pane
compares what it would draw with what is on the screen and repaints what differs. A pane that fails shows so in its own
place; the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.theme import Theme

from kdash.observe.door import Observation, UiOptions
from kdash.probe.snapshot import Snapshot
from kdash.probe.text import clean
from kdash.ui.actions import ACTIONS
from kdash.ui.commands import Commands
from kdash.ui.glyphs import ASCII, UNICODE
from kdash.ui.help_text import footer_line
from kdash.ui.layout import PANES, Layout, Rect, lay_out
from kdash.ui.orders import Flash
from kdash.ui.panes.api import ApiPane
from kdash.ui.panes.events import EventsPane
from kdash.ui.panes.handlers import HandlersPane
from kdash.ui.panes.inspect import InspectPane
from kdash.ui.panes.objects import ObjectsPane
from kdash.ui.panes.pane import Bar, Lines, Pane
from kdash.ui.panes.pipeline import PipelinePane
from kdash.ui.panes.queue import QueuePane
from kdash.ui.panes.resync import ResyncPane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.header import header_line
from kdash.ui.screens.inspect import InspectScreen
from kdash.ui.spans import Line, line
from kdash.ui.themes import THEMES, theme_names

__all__ = ["KdashApp"]

_logger = logging.getLogger(__name__)
_SLOTS = {"queue": 0, "resync": 0, "handlers": 1, "api": 1}


class KdashApp(App[int]):
    """The dashboard on one observation."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layers: base; overflow: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            ",".join(action.keys),
            f"run('{action.id}')",
            action.help,
            show=False,
            priority=action.id in ("interrupt", "quit_now"),
        )
        for action in ACTIONS
    ]

    def __init__(self, observation: Observation, options: UiOptions, *, ticking: bool = True) -> None:
        """`ticking=False`: no timer and no start of the observation; tests call `frame` themselves."""
        super().__init__()
        self.animation_level = "none"
        self.observation = observation
        self.options = options
        self.ticking = ticking
        ascii_only = options.ascii if options.ascii is not None else not _utf8()
        self.glyphs = ASCII if ascii_only else UNICODE
        self.palette = THEMES[options.theme or "kdash-dark"]
        self.chosen = "objects"
        self.zoomed = False
        self.right = ["resync", "handlers"]
        self.handler = ""
        self.frozen: Snapshot | None = None
        self.snapshot = Snapshot()
        self.flash = Flash()
        self.laid_out = Layout("tiny")
        self._terminal_size: Size | None = None
        self.lag_s: float | None = None
        self._message: Line = ()
        self._message_until = 0.0
        self._due_at = 0.0
        self.header = Bar("header")
        self.tabs = Bar("tabs")
        self.footer = Bar("footer")
        self.objects = ObjectsPane()
        self.events_pane = EventsPane()
        self.inspect_pane = InspectPane()
        self._figures: dict[str, PipelinePane | QueuePane | ResyncPane | HandlersPane | ApiPane] = {
            "pipeline": PipelinePane(), "queue": QueuePane(), "resync": ResyncPane(),
            "handlers": HandlersPane(), "api": ApiPane(),
        }
        self.panes: dict[str, Pane] = {**self._figures, "objects": self.objects, "events": self.events_pane,
                                       "inspect": self.inspect_pane}
        self.commands = Commands(self)

    # life ----------------------------------------------------------------------------------------------

    def show(self) -> int:
        """Run in the terminal; returns the exit code."""
        if not sys.stdin.isatty() or not sys.stdout.isatty():
            raise RuntimeError("the dashboard needs a terminal: use kdash snapshot or kdash trace in a pipe")
        switch_s = sys.getswitchinterval()
        sys.setswitchinterval(0.0005)
        try:
            code = self.run(mouse=self.options.mouse)
        finally:
            sys.setswitchinterval(switch_s)
        if self.return_code and not code:
            return self.return_code
        return code or 0

    def compose(self) -> ComposeResult:
        yield self.header
        yield from self.panes.values()
        yield self.tabs
        yield self.footer

    def on_mount(self) -> None:
        for palette in THEMES.values():
            self.register_theme(_textual_theme(palette.name))
        self._paint_with(self.palette.name)
        if not self.ticking:
            return
        self.set_interval(1 / self.options.refresh_hz, self.frame)
        self.call_after_refresh(self.set_timer, 0.03, self._begin)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, self.exit, 128 + number)

    def _begin(self) -> None:
        """After the first paint: now the heavy things may load."""
        gc.freeze()
        gc.enable()
        gc.set_threshold(50_000, 20, 100)
        self.observation.start()

    def on_resize(self, event: Resize) -> None:
        self._terminal_size = event.size  # `self.size` still is the old one here
        self.arrange()

    # drawing -------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Give every pane its place for the present size and focus."""
        width, height = self._terminal_size or self.size
        self.laid_out = lay_out(width, height, self.chosen, self.zoomed, (self.right[0], self.right[1]))
        if self.chosen not in self.laid_out.rects and self.laid_out.mode not in ("tiny", "zoomed", "single"):
            self.chosen = "objects"
        bars: dict[str, Lines] = {"header": self.header, "tabs": self.tabs, "footer": self.footer}
        for name, widget in {**self.panes, **bars}.items():
            rect = self.laid_out.rects.get(name)
            if self.laid_out.mode == "tiny" and name == "header":
                rect = Rect(0, 0, width, max(1, height))
            widget.display = rect is not None
            if rect is not None:
                widget.styles.offset = (rect.x, rect.y)
                widget.styles.width, widget.styles.height = rect.width, rect.height
        for name, pane in self.panes.items():
            pane.is_chosen = name == self.chosen
        self.call_after_refresh(self.draw, True)

    def frame(self) -> None:
        """One tick: take the snapshot and draw."""
        now = self.observation.now()
        if self._due_at:
            self.lag_s = max(0.0, now - self._due_at)
        self._due_at = now + 1 / self.options.refresh_hz
        if self.is_attached and len(self.screen_stack) >= 1:
            self.draw()
            if isinstance(self.screen, InspectScreen):
                self.screen.redraw()

    def draw(self, everything: bool = False) -> None:
        """Draw every visible pane; `everything`: also what has not changed."""
        self.snapshot = self.observation.snapshot()
        shown = self.frozen or self.snapshot
        self.flash.look(self.snapshot)
        if everything:
            for widget in (self.header, self.tabs, self.footer, *self.panes.values()):
                widget.repaint()
        width = (self._terminal_size or self.size).width
        if self.laid_out.mode == "tiny":
            self.header.show([line(("make me bigger (need 50x12)", "warn"))])
            return
        held = self.snapshot.events_total - self.frozen.events_total if self.frozen is not None else None
        lag = self.lag_s if self.lag_s is not None and (self.lag_s > 0.02 or width >= 150) else None
        context = Context(shown, self.glyphs, width, 1)
        self.header.show([header_line(context, self.snapshot.mono, held, lag)])
        self.footer.show([self._said(self.snapshot.mono) or footer_line(self.glyphs, width)])
        if "tabs" in self.laid_out.rects:
            self.tabs.show([self._tabs_line()])
        for name in self.laid_out.rects:
            if name in self.panes and (self.frozen is None or everything or self.panes[name].stirred):
                self._draw_pane(name, shown, held)
            elif name == "objects" and held is not None:
                self.objects.tell_held_back(held)

    def say(self, text: str, ok: bool = True) -> None:
        """One sentence in the place of the key hints, for some seconds: it hides no figures."""
        self._message = ((f" {clean(text)}", "ok" if ok else "warn"),)
        self._message_until = self.observation.now() + 5.0

    def _said(self, now: float) -> Line | None:
        return self._message if now < self._message_until else None

    def _draw_pane(self, name: str, shown: Snapshot, held: int | None = None) -> None:
        pane = self.panes[name]
        width, height = pane.inner if pane.size.height > 1 else (pane.size.width, 1)
        context = Context(
            shown, self.glyphs, width, height, width >= 90, self.handler, self.flash.requests, self.flash.order,
            held_back=held, motion=not (self.options.reduced_motion or self.frozen),
        )
        try:
            if name in self._figures:
                self._figures[name].update(context)
            elif pane is self.objects:
                self.objects.update(context, self.observation)
            elif pane is self.events_pane:
                self.events_pane.update(context, self.observation)
            else:
                self.inspect_pane.update(context, self.observation, self.objects.selected_ref)
        except Exception:
            _logger.exception("pane %s failed", name)
            pane.frame(name, [line(("pane error: the rest goes on", "bad"))])

    def _tabs_line(self) -> tuple[tuple[str, str], ...]:
        if self.laid_out.mode == "single":
            tabs = [
                (f" {number} {name} ", "cursor" if name == self.chosen else "dim")
                for number, name in enumerate(PANES, 1)
            ]
            return tuple(tabs)
        state = self.snapshot.state
        if state.detail and state.word in ("RETRY", "DENIED", "STALE", "STOPPED"):
            return ((f" !! {clean(state.detail)}", "bad"),)
        names = {"queue": "3 Queue", "resync": "4 Resync", "handlers": "5 Handlers", "api": "6 API"}
        hidden = [names[name] for name in self.laid_out.tabs]
        numbers = " or ".join(name[0] for name in hidden)
        api = self.snapshot.api
        counter = [(f"   requests {api.requests}", "bold")]
        if self.flash.order and self.flash.requests:
            counter.append((f" +{self.flash.requests}", "warn"))
        elif self.flash.order == "resync":
            counter.append((" +0: a resync asks nothing", "resync"))
        return ((f" {' and '.join(hidden)} are tabs here: press {numbers}", "dim"), *counter)

    # themes --------------------------------------------------------------------------------------------

    def _paint_with(self, name: str) -> None:
        self.palette = THEMES[name]
        self.theme = name
        for widget in (self.header, self.tabs, self.footer, *self.panes.values()):
            widget.palette, widget.glyphs = self.palette, self.glyphs

    def set_theme(self, name: str) -> None:
        """Change the theme and draw everything."""
        self._paint_with(name)
        self.draw(everything=True)

    def next_theme(self) -> str:
        names = theme_names()
        return names[(names.index(self.palette.name) + 1) % len(names)]

    # panes ---------------------------------------------------------------------------------------------

    def choose(self, name: str) -> None:
        """Focus a pane; the one that is focused already is zoomed."""
        if name == self.chosen and (self.laid_out.mode != "compact" or name in self.laid_out.rects):
            self.zoomed = not self.zoomed
        self.chosen = name
        if self.laid_out.mode == "compact" and name in _SLOTS:
            self.right[_SLOTS[name]] = name
        self.arrange()

    def step_pane(self, by: int) -> None:
        """The next or previous pane that can be seen."""
        names = [name for name in PANES if name in self.laid_out.rects or self.laid_out.mode in ("single", "zoomed")]
        at = names.index(self.chosen) if self.chosen in names else 0
        self.chosen = names[(at + by) % len(names)]
        self.arrange()

    def on_pane_clicked(self, message: Pane.Clicked) -> None:
        if message.pane_id in PANES and message.pane_id != self.chosen:
            self.chosen = message.pane_id
            self.arrange()
        if message.pane_id == "events":
            self.events_pane.click(message.row)
        if message.pane_id == "objects":
            self.objects.click(message.row)
            if message.double:
                self.commands.run("drill")
        self.draw()

    def on_pane_wheeled(self, message: Pane.Wheeled) -> None:
        pane = self.panes.get(message.pane_id)
        if isinstance(pane, ObjectsPane | EventsPane):
            pane.move(message.lines)
            self.draw()

    def action_run(self, action_id: str) -> None:
        """A key of the table of actions."""
        self.commands.run(action_id)


def _utf8() -> bool:
    import locale

    return "utf" in (sys.stdout.encoding or locale.getpreferredencoding(False)).lower()


def _textual_theme(name: str) -> Theme:
    """The theme for Textual's own widgets: prompts, lists, toasts."""
    palette = THEMES[name]
    plain = palette.background == "default"
    return Theme(
        name=name,
        primary=_colour(palette.styles["accent"], "#6fd3e8"),
        accent=_colour(palette.styles["focus"], "#ffd479"),
        background="#000000" if plain else palette.background,
        surface="#000000" if plain else palette.background,
        foreground="#ffffff" if plain else palette.foreground,
        dark=palette.dark,
    )


def _colour(definition: str, otherwise: str) -> str:
    return next((word for word in definition.split() if word.startswith("#")), otherwise)


