"""The dashboard's application: one timer pulls a snapshot and hands it to the panes; keys become orders.

Contract: informer threads never call anything here, and nothing here waits for them. Every frame each visible pane
compares what it would draw with what is on the screen and repaints what differs. A pane that fails shows so in its own
place; the others go on.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys

from textual.app import ComposeResult
from textual.binding import Binding, BindingsMap
from textual.events import AppBlur, AppFocus, Event, InputEvent, Resize
from textual.geometry import Size
from textual.timer import Timer

from kdash.observe.door import Look, Observation, Outcome, UiOptions
from kdash.probe.objects import ObjectRef
from kdash.probe.snapshot import Snapshot
from kdash.probe.text import clean
from kdash.ui.actions import actions_for
from kdash.ui.commands import Commands
from kdash.ui.glyphs import ASCII, UNICODE
from kdash.ui.help_text import footer_line
from kdash.ui.layout import PANES, Layout, Rect, lay_out
from kdash.ui.life import run_in_terminal, terminal_is_gone
from kdash.ui.orders import Flash
from kdash.ui.pace import Pace
from kdash.ui.panes.api import ApiPane
from kdash.ui.panes.events import EventsPane
from kdash.ui.panes.handlers import HandlersPane
from kdash.ui.panes.inspect import InspectPane
from kdash.ui.panes.objects import ObjectsPane
from kdash.ui.panes.pane import Bar, Lines, Pane, ScrubBar
from kdash.ui.panes.pipeline import PipelinePane
from kdash.ui.panes.queue import QueuePane
from kdash.ui.panes.resync import ResyncPane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.header import header_line
from kdash.ui.presenter.scrub import scrub_line
from kdash.ui.presenter.tabs import tabs_line
from kdash.ui.screens.inspect import InspectScreen
from kdash.ui.spans import Line, line
from kdash.ui.terminal_app import TerminalApp
from kdash.ui.themes import THEMES, theme_names
from kdash.ui.theming import ThemeFolder, textual_theme
from kdash.ui.viewing import in_order

__all__ = ["KdashApp"]

_logger = logging.getLogger(__name__)
_RIGHT = ("resync", "handlers")
_SLOTS = {"queue": 0, "resync": 0, "handlers": 1, "api": 1}


class KdashApp(TerminalApp):
    """The dashboard on one observation."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layers: base; overflow: hidden; }
    """
    def __init__(self, observation: Observation, options: UiOptions, *, ticking: bool = True) -> None:
        """`ticking=False`: no timer and no start of the observation; tests call `frame` themselves."""
        super().__init__()
        self.animation_level = "none"
        self.observation = observation
        self.options = options
        self.ticking = ticking
        ascii_only = options.ascii if options.ascii is not None else not _utf8()
        self.glyphs = ASCII if ascii_only else UNICODE
        self._own_themes = ThemeFolder(options.themes)
        self._own_themes.reload()
        plain = "mono" if os.environ.get("NO_COLOR") else "kdash-dark"
        self.palette = THEMES.get(options.theme or plain, THEMES[plain])
        self.bind_keys()
        self.chosen = "objects"
        self.zoomed = False
        self.right = list(_RIGHT)
        self.handler = ""
        self.frozen: Look | None = None
        """The instant on the screen while the display is paused."""
        self.snapshot = self.newest = Snapshot()
        self.flash = Flash()
        self.laid_out = Layout("tiny")
        self._terminal_size: Size | None = None
        self.lag_s: float | None = None
        self.wide = False
        self.header_hidden = False
        self.handler_order = "joined"
        self.mouse = options.mouse
        self._timer: Timer | None = None
        self._rate_hz = options.refresh_hz
        self._was_demo = observation.is_demo
        self._slowly_at = 0.0
        self._message: Line = ()
        self._message_until = 0.0
        self._due_at = 0.0
        self.pace = Pace()
        self.header = Bar("header")
        self.tabs = Bar("tabs")
        self.scrub = ScrubBar("scrub")
        self.footer = Bar("footer")
        self._bars: dict[str, Lines] = {
            "header": self.header, "tabs": self.tabs, "scrub": self.scrub, "footer": self.footer,
        }
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
        return run_in_terminal(self)

    def bind_keys(self) -> None:
        """Bind the keys of the actions that exist here: on a cluster, none of the demo's."""
        self.actions = actions_for(self.observation.is_demo, self.options.keys, self.observation.is_replay)
        self._bindings = BindingsMap(
            Binding(",".join(action.keys), f"run('{action.id}')", action.help, show=False,
                    priority=action.id in ("interrupt", "quit_now"))
            for action in self.actions if action.keys
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        yield self.header
        yield from self.panes.values()
        yield from (self.tabs, self.scrub, self.footer)

    def on_mount(self) -> None:
        for name in THEMES:
            self.register_theme(textual_theme(name))
        self._paint_with(self.palette.name)
        if not self.ticking:
            return
        self.set_rate(self.options.refresh_hz)
        self.call_after_refresh(self.set_timer, 0.03, self._begin)
        if self.ending is not None and self.ending.code is not None:
            self.exit(self.ending.code)

    def set_rate(self, hz: float) -> None:
        """Draw `hz` times a second."""
        if self._timer is not None:
            self._timer.stop()
        self._rate_hz, self._due_at = hz, 0.0
        self._timer = self.set_interval(1 / hz, self.frame) if self.ticking else None

    def _begin(self) -> None:
        """After the first paint: now the heavy things may load."""
        gc.freeze()
        gc.enable()
        gc.set_threshold(50_000, 20, 100)
        self.observation.start()

    async def on_event(self, event: Event) -> None:
        if isinstance(event, InputEvent):
            self.pace.stir(self.observation.now())
        elif isinstance(event, AppFocus | AppBlur):
            self.pace.focused = isinstance(event, AppFocus)
        await super().on_event(event)

    def on_resize(self, event: Resize) -> None:
        self._terminal_size = event.size  # `self.size` still is the old one here
        self.arrange()

    # drawing -------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Give every pane its place for the present size and focus."""
        width, height = self._terminal_size or self.size
        hidden = 1 if self.header_hidden and self.frozen is None else 0  # that it is paused must be seen
        self._settle_right()
        self.laid_out = lay_out(width, height + hidden, self.chosen, self.zoomed, (self.right[0], self.right[1]),
                                self.observation.is_replay)
        if hidden and self.laid_out.mode != "tiny":
            moved = {name: rect._replace(y=rect.y - 1) for name, rect in self.laid_out.rects.items()
                     if name != "header"}
            self.laid_out = Layout(self.laid_out.mode, moved, self.laid_out.tabs)
        if self.chosen not in self.laid_out.rects and self.laid_out.mode not in ("tiny", "zoomed", "single"):
            self.chosen = "objects"
        for name, widget in {**self.panes, **self._bars}.items():
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
        self._due_at = now + 1 / self._rate_hz
        if now >= self._slowly_at:
            self._slowly_at = now + 1.0
            self._every_second()
        if self.is_attached and len(self.screen_stack) >= 1 and self.pace.due(now, self.observation.activity()):
            self.draw()
            if isinstance(self.screen, InspectScreen):
                self.screen.redraw()

    def _every_second(self) -> None:
        if self._driver is not None and not self.is_headless and terminal_is_gone():
            self.leave(129)
        if self.observation.is_demo != self._was_demo:
            self._was_demo = self.observation.is_demo
            self.bind_keys()
        changed = self._own_themes.reload()
        for name in changed:
            self.register_theme(textual_theme(name))
        if self.palette.name in changed:
            self.set_theme(self.palette.name)
        if self._own_themes.problems:
            self.say(self._own_themes.problems.pop(), ok=False)
        if self.observation.objects.is_live:
            self.run_worker(asyncio.to_thread(self.observation.objects.arrange), group="arrange", exclusive=True)

    def draw(self, everything: bool = False) -> None:
        """Draw every visible pane; `everything`: also what has not changed."""
        self.newest = self.observation.snapshot()
        self.snapshot = self.frozen.snapshot() if self.frozen is not None else self.newest
        self.flash.look(self.newest)
        if everything:
            for widget in (*self._bars.values(), *self.panes.values()):
                widget.repaint()
        width = (self._terminal_size or self.size).width
        if self.laid_out.mode == "tiny":
            self.header.show([line(("make me bigger (need 50x12)", "warn"))])
            return
        held = None if self.frozen is None else max(0, self.newest.events_total - self.snapshot.events_total)
        lag = self.lag_s if self.lag_s is not None and (self.lag_s > 0.02 or width >= 150) else None
        context = Context(self.snapshot, self.glyphs, width, 1)
        if "header" in self.laid_out.rects:
            self.header.show([header_line(context, self.snapshot.mono, held, lag)])
        replay = self.snapshot.replay
        playing = replay is not None and replay.playing
        hints = footer_line(self.glyphs, width, self.actions, self.newest.gate.held, playing)
        self.footer.show([self._said(self.observation.now()) or hints])
        if "tabs" in self.laid_out.rects:
            self.tabs.show([tabs_line(self.laid_out, self.chosen, self.snapshot, self.flash)])
        if replay is not None:
            self.scrub.show([scrub_line(replay, self.glyphs, width)])
        for name in self.laid_out.rects:
            if name in self.panes:
                self._draw_pane(name)

    def say(self, text: str, ok: bool = True) -> None:
        """One sentence in the place of the key hints, for some seconds: it hides no figures."""
        self._message = ((f" {clean(text)}", "ok" if ok else "warn"),)
        self._message_until = self.observation.now() + 5.0

    def tell_dropped(self, sentence: str) -> None:
        self.say(sentence, ok=False)

    def tell(self, outcome: Outcome) -> None:
        """What became of an order; the observation has put it into the event log, too."""
        mark = " (kdash extension)" if outcome.extension and outcome.ok else ""
        self.say(outcome.text + mark, ok=outcome.ok)

    def _said(self, now: float) -> Line | None:
        return self._message if now < self._message_until else None

    def _draw_pane(self, name: str) -> None:
        pane = self.panes[name]
        width, height = pane.inner if pane.size.height > 1 else (pane.size.width, 1)
        context = Context(
            in_order(self.snapshot, self.handler_order), self.glyphs, width, height, self.wide, self.handler,
            self.flash.requests, self.flash.order,
            motion=not self.options.reduced_motion,
        )
        try:
            if name in self._figures:
                self._figures[name].update(context)
            elif pane is self.objects:
                self.objects.update(context, self.look)
            elif pane is self.events_pane:
                self.events_pane.update(context, self.look)
            else:
                self.inspect_pane.update(context, self.look, self.objects.selected_ref)
        except Exception:
            _logger.exception("pane %s failed", name)
            pane.frame(name, [line(("pane error: the rest goes on", "bad"))])

    # themes --------------------------------------------------------------------------------------------

    def _paint_with(self, name: str) -> None:
        self.palette = THEMES[name]
        self.theme = name
        for widget in (*self._bars.values(), *self.panes.values()):
            widget.palette, widget.glyphs = self.palette, self.glyphs

    def set_theme(self, name: str) -> None:
        """Change the theme and draw everything; nothing else changes."""
        if name != self.palette.name or THEMES[name] is not self.palette:
            self._paint_with(name)
            self.draw(everything=True)

    def next_theme(self) -> str:
        names = theme_names()
        return names[(names.index(self.palette.name) + 1) % len(names)] if self.palette.name in names else names[0]

    # panes ---------------------------------------------------------------------------------------------

    def choose(self, name: str) -> None:
        """Focus a pane; the one that is focused already is zoomed."""
        if name == self.chosen and (self.laid_out.mode != "compact" or name in self.laid_out.rects):
            self.zoomed = not self.zoomed
        self.chosen = name
        if self.laid_out.mode == "compact" and name in _SLOTS:
            self.right[_SLOTS[name]] = name
        self.arrange()

    def _settle_right(self) -> None:
        """Panes that were swapped in leave when the focus goes to another column."""
        if self.chosen in PANES and self.chosen not in _SLOTS:
            self.right = list(_RIGHT)

    def choose_pane(self, name: str) -> None:
        """Focus a pane and show it; never zooms."""
        if name != self.chosen or name not in self.laid_out.rects:
            zoomed, self.zoomed = self.zoomed, False
            self.chosen = ""
            self.choose(name)
            if zoomed:
                self.zoomed = True
                self.arrange()

    @property
    def look(self) -> Look:
        """What is on the screen: now, or the instant of the pause."""
        return self.frozen or self.observation

    @property
    def is_inspecting(self) -> bool:
        """Whether one object stands over the dashboard."""
        return isinstance(self.screen, InspectScreen)

    @property
    def current_ref(self) -> ObjectRef | None:
        """The object that an action is about: the inspected one, that of the event under the cursor, the selected."""
        if isinstance(self.screen, InspectScreen):
            return self.screen.ref
        if self.chosen == "events" and not self.events_pane.following:
            return self.events_pane.selected_ref
        return self.objects.selected_ref

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

    def on_scrub_bar_sought(self, message: ScrubBar.Sought) -> None:
        self.commands.replaying.seek(message.x)

    def action_run(self, action_id: str) -> None:
        """A key of the table of actions."""
        self.commands.run(action_id)

    def describe_itself(self) -> dict[str, str]:
        """Facts for a report; nothing of the cluster's."""
        return {
            "terminal": f"{os.environ.get('TERM', '')} {self.size.width}x{self.size.height}",
            "shown": f"{self.laid_out.mode} pane {self.chosen} theme {self.palette.name}",
            "state": self.snapshot.state.word, "demo": str(self.observation.is_demo),
            "objects": str(self.snapshot.objects), "informers": str(len(self.snapshot.informers)),
        }


def _utf8() -> bool:
    import locale

    return "utf" in (sys.stdout.encoding or locale.getpreferredencoding(False)).lower()
