"""What each action and each palette command does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kdash.observe.door import Outcome
from kdash.observe.parse import BadValue, parse_duration
from kdash.probe.text import clean
from kdash.ui.actions import ACTIONS
from kdash.ui.help_text import help_lines
from kdash.ui.layout import PANES
from kdash.ui.panes.events import EventsPane
from kdash.ui.panes.objects import ObjectsPane
from kdash.ui.presenter.advice import advice_lines
from kdash.ui.screens.inspect import InspectScreen
from kdash.ui.screens.prompt import Palette, Prompt
from kdash.ui.screens.reader import Reader
from kdash.ui.themes import THEMES, theme_names

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["Commands"]

_ENGINES = ("delta", "real", "real-atomic")
_LONGEST_COPY = 60_000


class Commands:
    """Carries out actions for one app."""

    def __init__(self, app: KdashApp) -> None:
        self._app = app
        self._interrupted = False
        self._table: dict[str, Callable[[], None]] = {
            "resync": lambda: self._order("resync", app.observation.resync_now()),
            "rewatch": lambda: self._order("rewatch", app.observation.rewatch()),
            "relist": lambda: self._order("relist", app.observation.relist()),
            "period_double": lambda: self._scale_period(2.0),
            "period_halve": lambda: self._scale_period(0.5),
            "period_set": self._ask_period,
            "queue": self._next_engine,
            "hold": self._hold,
            "step": self._step,
            "release": lambda: self._tell(app.observation.release()),
            "advice": self._advice,
            "change": lambda: self._tell(app.observation.demo_change(app.objects.selected_ref)),
            "chaos": self._chaos,
            "mark": app.events_pane.mark,
            "next_mark": app.events_pane.next_mark,
            "drill": self._drill,
            "yaml": lambda: self._inspect("YAML"),
            "diff": lambda: self._inspect("Diff"),
            "history": lambda: self._inspect("History"),
            "older": lambda: app.inspect_pane.scrub(app.observation, -1),
            "newer": lambda: app.inspect_pane.scrub(app.observation, 1),
            "filter": self._ask_filter,
            "pause": self._pause,
            "copy": self._copy,
            "time": self._toggle_time,
            "theme": lambda: app.set_theme(app.next_theme()),
            "up": lambda: self._move(-1),
            "down": lambda: self._move(1),
            "page_up": lambda: self._page(-1),
            "page_down": lambda: self._page(1),
            "top": lambda: self._go(False),
            "bottom": lambda: self._go(True),
            "fold": app.objects.fold,
            "unfold": lambda: app.objects.fold(False),
            **{f"pane_{number}": lambda name=name: app.choose(name) for number, name in enumerate(PANES, 1)},  # type: ignore[misc]
            "next_pane": lambda: app.step_pane(1),
            "previous_pane": lambda: app.step_pane(-1),
            "zoom": self._zoom,
            "help": self._help,
            "palette": self._palette,
            "redraw": self._redraw,
            "back": lambda: self._back(False),
            "quit": lambda: self._back(True),
            "quit_now": lambda: app.exit(0),
            "interrupt": self._interrupt,
        }

    def run(self, action_id: str) -> None:
        """Carry out an action of the table."""
        if action_id != "interrupt":
            self._interrupted = False
        self._table[action_id]()
        if (
            self._app.is_running
            and len(self._app.screen_stack) == 1
            and action_id not in ("quit", "quit_now", "interrupt")
        ):
            self._app.draw()

    # the informer --------------------------------------------------------------------------------------

    def _order(self, name: str, outcome: Outcome) -> None:
        if outcome.ok:
            self._app.flash.begin(name, self._app.snapshot)
        self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        mark = " (kdash extension)" if outcome.extension and outcome.ok else ""
        self.say(outcome.text + mark, ok=outcome.ok)

    def say(self, text: str, ok: bool = True) -> None:
        """Told at the bottom; orders are repeated in the event log by the observation."""
        self._app.say(text, ok)

    def _hold(self) -> None:
        observation = self._app.observation
        self._tell(observation.release() if self._app.snapshot.gate.held else observation.hold())

    def _step(self) -> None:
        if not self._app.snapshot.gate.held:
            self.say("nothing is held: press s first, then n lets one entry through", ok=False)
            return
        self._tell(self._app.observation.step())

    def _advice(self) -> None:
        app = self._app
        width = min(140, app.size.width * 9 // 10) - 6
        app.push_screen(
            Reader("Advice", lambda: advice_lines(app.observation.advice(), width), app.palette, app.glyphs)
        )

    def _chaos(self) -> None:
        app = self._app
        faults = app.observation.demo_menu()
        if not faults:
            self.say("the fault menu disturbs the demo server only, never a cluster", ok=False)
            return

        def chosen(text: str | None) -> None:
            if text:
                self._tell(app.observation.demo_fault(text))

        app.push_screen(Palette(list(faults.items()), "fault of the demo server, e.g. 503:verb=LIST,times=3"), chosen)

    def _period(self) -> tuple[float, str | None]:
        """The period to start from and the handler it belongs to; None: every handler that resyncs."""
        hands = self._app.snapshot.resync.hands
        if self._app.handler:
            hand = next((hand for hand in hands if hand.handler == self._app.handler), None)
            if hand is not None:
                return hand.effective_s or 5.0, hand.handler
        periods = [hand.effective_s for hand in hands if hand.effective_s > 0]
        return (min(periods) if periods else 30.0), None

    def _scale_period(self, by: float) -> None:
        period_s, handler = self._period()
        self._tell(self._app.observation.set_resync_period(max(1.0, period_s * by), handler))

    def _ask_period(self) -> None:
        _, handler = self._period()
        whose = handler or "every handler that resyncs"

        def done(text: str | None) -> None:
            if text:
                self._set_period(text, handler)

        self._app.push_screen(Prompt(f"resync period of {whose}: 30s, 5m, 0 for never (enter sets, esc leaves)"), done)

    def _set_period(self, text: str, handler: str | None) -> None:
        try:
            period_s = parse_duration(text)
        except BadValue as error:
            self.say(str(error), ok=False)
            return
        self._tell(self._app.observation.set_resync_period(period_s, handler))

    def _next_engine(self) -> None:
        engine = self._app.snapshot.queue.engine
        following = _ENGINES[(_ENGINES.index(engine) + 1) % len(_ENGINES)] if engine in _ENGINES else _ENGINES[0]
        self._tell(self._app.observation.set_queue(following))

    # looking -------------------------------------------------------------------------------------------

    def _drill(self) -> None:
        app = self._app
        if app.chosen == "objects" and app.objects.selected_ref is None:
            app.objects.fold()
        elif app.chosen in ("objects", "inspect"):
            self._inspect("YAML")
        elif app.chosen == "events":
            ref = app.events_pane.selected_ref
            if ref is None:
                self.say("this line names no object: choose one with the arrows", ok=False)
            else:
                app.push_screen(InspectScreen(app, ref, "Path"))

    def _inspect(self, tab: str) -> None:
        """One object over the dashboard; in the large layout a tab of the Inspect pane, unless it is shown already."""
        app = self._app
        ref = app.objects.selected_ref
        if ref is None:
            self.say("select an object in pane 2 first", ok=False)
        elif "inspect" in app.laid_out.rects and app.inspect_pane.tab != tab:
            app.inspect_pane.choose_tab(tab)
        else:
            app.push_screen(InspectScreen(app, ref, tab))

    def _filtered_pane(self) -> ObjectsPane | EventsPane:
        return self._app.events_pane if self._app.chosen == "events" else self._app.objects

    def _ask_filter(self) -> None:
        pane = self._filtered_pane()
        before = (
            self._app.observation.objects.filter_text
            if pane is self._app.objects
            else self._app.events_pane.filter_text
        )

        def change(text: str) -> None:
            pane.set_filter(text)
            self._app.draw()

        def done(text: str | None) -> None:
            change(before if text is None else text)

        hint = "text, !not, ns:dev" if pane is self._app.objects else "text, !not, ns:dev, ev:watch, h:audit, rv>118"
        self._app.push_screen(Prompt(f"filter {pane.id}: {hint} (enter keeps, esc leaves)", before, change), done)

    def _pause(self) -> None:
        app = self._app
        app.frozen = app.snapshot if app.frozen is None else None
        app.draw(everything=True)

    def _copy(self) -> None:
        ref = self._app.objects.selected_ref
        if ref is None:
            self.say("select an object in pane 2 first", ok=False)
            return
        key = clean(ref.key)[:_LONGEST_COPY]
        self._app.copy_to_clipboard(key)
        self.say(f"copied {key}")

    def _toggle_time(self) -> None:
        self._app.events_pane.relative = not self._app.events_pane.relative

    # moving --------------------------------------------------------------------------------------------

    def _move(self, rows: int) -> None:
        app = self._app
        if app.chosen in ("handlers", "resync"):
            names = list(dict.fromkeys(handler.handler for handler in app.snapshot.resync.hands))
            if names:
                at = names.index(app.handler) + rows if app.handler in names else (0 if rows > 0 else -1)
                app.handler = names[at % len(names)]
        elif app.chosen == "events":
            app.events_pane.move(rows)
        else:
            app.objects.move(rows)

    def _page(self, pages: int) -> None:
        pane = self._filtered_pane()
        pane.move(pages * pane.page())

    def _go(self, bottom: bool) -> None:
        self._filtered_pane().go(bottom)

    # kdash ---------------------------------------------------------------------------------------------

    def _zoom(self) -> None:
        self._app.zoomed = not self._app.zoomed
        self._app.arrange()

    def _help(self) -> None:
        app = self._app
        app.push_screen(Reader("Help: keys", help_lines(app.glyphs, app.chosen), app.palette, app.glyphs))

    def _redraw(self) -> None:
        self._app.refresh(repaint=True, layout=True)
        self._app.draw(everything=True)

    def _back(self, quits: bool) -> None:
        app = self._app
        if app.zoomed:
            app.zoomed = False
            app.arrange()
        elif app.observation.objects.filter_text and app.chosen != "events":
            app.objects.set_filter("")
        elif app.events_pane.filter_text and app.chosen == "events":
            app.events_pane.set_filter("")
        elif app.handler and not quits:
            app.handler = ""
        elif quits:
            app.exit(0)

    def _interrupt(self) -> None:
        if self._interrupted:
            self._app.exit(130)
        else:
            self._interrupted = True
            self.say("press ctrl+c again to quit", ok=False)

    # palette -------------------------------------------------------------------------------------------

    def _palette(self) -> None:
        entries = [(action.command, action.help) for action in ACTIONS if action.command]
        entries += [
            ("resync 30s", "set the resync period of the selected handler, or of all that resync"),
            ("queue real", "queue engine: delta, real or real-atomic"),
            ("handler add", "handler add NAME [DELAY]: let a handler join late"),
            ("handler remove", "handler remove NAME"),
            (f"theme {theme_names()[1]}", f"theme: {', '.join(theme_names())}"),
            ("q", "quit"),
        ]
        self._app.push_screen(Palette(entries), self._command)

    def _command(self, typed: str | None) -> None:
        words = (typed or "").split()
        if not words:
            return
        name, arguments = words[0], words[1:]
        if name in ("q", "quit", "q!"):
            self._app.exit(0)
        elif name == "resync" and arguments:
            self._set_period(arguments[0], self._app.handler or None)
        elif name == "queue" and arguments:
            self._set_engine(arguments[0])
        elif name == "theme" and arguments:
            self._set_theme(arguments[0])
        elif name == "handler":
            self._handler(arguments)
        else:
            action = next((action for action in ACTIONS if action.command == name), None)
            if action is None:
                self.say(f"there is no command {clean(name)!r}: press : to see all", ok=False)
            else:
                self.run(action.id)

    def _set_engine(self, engine: str) -> None:
        if engine in _ENGINES:
            self._tell(self._app.observation.set_queue(engine))
        else:
            self.say(f"there is no queue {clean(engine)!r}: choose {', '.join(_ENGINES)}", ok=False)

    def _set_theme(self, name: str) -> None:
        if name in THEMES:
            self._app.set_theme(name)
        else:
            self.say(f"there is no theme {clean(name)!r}: choose {', '.join(THEMES)}", ok=False)

    def _handler(self, arguments: list[str]) -> None:
        observation = self._app.observation
        try:
            if arguments[:1] == ["add"] and len(arguments) >= 2:
                delay_s = parse_duration(arguments[2]) if len(arguments) > 2 else 0.0
                self._tell(observation.add_handler(arguments[1], delay_s))
            elif arguments[:1] == ["remove"] and len(arguments) == 2:
                self._tell(observation.remove_handler(arguments[1]))
            else:
                self.say("say: handler add NAME [DELAY], or handler remove NAME", ok=False)
        except BadValue as error:
            self.say(str(error), ok=False)
