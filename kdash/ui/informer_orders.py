"""The actions that give orders to informers, handlers and the demo server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kdash.observe.door import Outcome
from kdash.observe.parse import BadValue, parse_duration
from kdash.probe.text import clean, plural
from kdash.ui.screens.prompt import Entry, Palette, Prompt, Question

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["ENGINES", "InformerOrders"]

ENGINES = ("delta", "real", "real-atomic")
_MANY = 2000
"""Objects from which a relist asks first."""


class InformerOrders:
    """Orders of one app to its observation; each tells what became of it."""

    def __init__(self, app: KdashApp) -> None:
        self._app = app

    def _order(self, name: str, outcome: Outcome) -> None:
        if outcome.ok:
            self._app.flash.begin(name, self._app.newest)
        self._app.tell(outcome)

    # resync, rewatch, relist -----------------------------------------------------------------------------

    def resync(self, arguments: Sequence[str] = ()) -> None:
        """Now; or `resync 30s` sets the period, as the fingers expect it."""
        if not arguments:
            self._order("resync", self._app.observation.resync_now())
        elif arguments[0][:1].isdigit():
            self.set_period(arguments)
        else:
            self._order("resync", self._app.observation.resync_now(arguments[0]))

    def rewatch(self) -> None:
        if self._app.options.gentle:
            self._ask("open the watch again: 1 request", self._rewatch)
        else:
            self._rewatch()

    def _rewatch(self) -> None:
        self._order("rewatch", self._app.observation.rewatch())

    def relist(self) -> None:
        """Large states are not fetched anew by a slip of the finger."""
        objects = self._app.newest.objects
        if objects > _MANY or self._app.options.gentle:
            self._ask(f"relist: fetch all {plural(objects, 'object')} anew from the server", self._relist)
        else:
            self._relist()

    def _relist(self) -> None:
        self._order("relist", self._app.observation.relist())

    def _ask(self, question: str, work: Callable[[], None]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                work()
            else:
                self._app.say("nothing was asked of the server")

        self._app.push_screen(Question(f"{question}?"), answered)

    # the resync period -----------------------------------------------------------------------------------

    def _period(self) -> tuple[float, str | None]:
        """The period to start from and the handler it belongs to; None: every handler that resyncs."""
        hands = self._app.newest.resync.hands
        if self._app.handler:
            hand = next((hand for hand in hands if hand.handler == self._app.handler), None)
            if hand is not None:
                return hand.effective_s or 5.0, hand.handler
        periods = [hand.effective_s for hand in hands if hand.effective_s > 0]
        return (min(periods) if periods else 30.0), None

    def scale_period(self, by: float) -> None:
        period_s, handler = self._period()
        self._app.tell(self._app.observation.set_resync_period(max(1.0, period_s * by), handler))

    def ask_period(self) -> None:
        _, handler = self._period()
        whose = handler or "every handler that resyncs"

        def done(text: str | None) -> None:
            words = (text or "").split()
            if words[:1] == ["faithful"]:
                self.period_faithful(words[1:])
            elif words:
                self.set_period(words)

        self._app.push_screen(Prompt(
            f"resync period of {whose}: 30s, 5m, 0 for never; restarts the check tick (kdash extension). "
            "As client-go would: faithful 30s, the handler leaves and joins again."
        ), done)  # fmt: skip

    def set_period(self, arguments: Sequence[str]) -> None:
        """PERIOD [HANDLER]"""
        if not arguments:
            self.ask_period()
            return
        try:
            period_s = parse_duration(arguments[0])
        except BadValue as error:
            self._app.say(str(error), ok=False)
            return
        handler = arguments[1] if len(arguments) > 1 else self._period()[1]
        self._app.tell(self._app.observation.set_resync_period(period_s, handler))

    def period_off(self) -> None:
        self._app.tell(self._app.observation.set_resync_period(0.0, self._period()[1]))

    def period_faithful(self, arguments: Sequence[str]) -> None:
        """PERIOD [HANDLER]"""
        hands = self._app.newest.resync.hands
        handler = arguments[1] if len(arguments) > 1 else self._app.handler
        handlers = [handler] if handler else list(dict.fromkeys(each.handler for each in hands if each.effective_s > 0))
        if not arguments or not handlers:
            self._app.say("say: resync faithful PERIOD HANDLER, for example: resync faithful 7s audit", ok=False)
            return
        try:
            period_s = parse_duration(arguments[0])
        except BadValue as error:
            self._app.say(str(error), ok=False)
            return
        outcomes = [self._app.observation.register_again(each, period_s) for each in handlers]
        self._app.tell(Outcome(all(each.ok for each in outcomes), "; ".join(each.text for each in outcomes)))

    # queue -----------------------------------------------------------------------------------------------

    def engine(self, arguments: Sequence[str] = ()) -> None:
        if arguments:
            if arguments[0] in ENGINES:
                self._app.tell(self._app.observation.set_queue(arguments[0]))
            else:
                self._app.say(f"there is no queue {clean(arguments[0])!r}: choose {', '.join(ENGINES)}", ok=False)
            return
        engine = self._app.newest.queue.engine
        following = ENGINES[(ENGINES.index(engine) + 1) % len(ENGINES)] if engine in ENGINES else ENGINES[0]
        self._app.tell(self._app.observation.set_queue(following))

    def hold(self) -> None:
        observation = self._app.observation
        self._app.tell(observation.release() if self._app.newest.gate.held else observation.hold())

    # handlers --------------------------------------------------------------------------------------------

    def add_handler(self, arguments: Sequence[str]) -> None:
        """NAME [DELAY] [PERIOD]"""
        if not arguments or len(arguments) > 3:
            self._app.say("say: handler add NAME [DELAY] [PERIOD], for example: handler add late 50ms 30s", ok=False)
            return
        try:
            delay_s = parse_duration(arguments[1]) if len(arguments) > 1 else 0.0
            period_s = parse_duration(arguments[2]) if len(arguments) > 2 else None
        except BadValue as error:
            self._app.say(str(error), ok=False)
            return
        self._app.tell(self._app.observation.add_handler(arguments[0], delay_s, period_s))

    def _named(self, arguments: Sequence[str]) -> str:
        """The handler that is named, or else the selected one."""
        return arguments[0] if arguments else self._app.handler

    def remove_handler(self, arguments: Sequence[str]) -> None:
        name = self._named(arguments)
        if not name:
            self._app.say("say: handler remove NAME, or select a handler in pane 5 first", ok=False)
            return
        self._app.tell(self._app.observation.remove_handler(name))
        if self._app.handler == name:
            self._app.handler = ""

    def reload_handler(self, arguments: Sequence[str]) -> None:
        self._app.tell(self._app.observation.reload_handler(self._named(arguments)))

    def slow_limit(self, arguments: Sequence[str]) -> None:
        """LIMIT [HANDLER]"""
        if not arguments:
            self._app.say("say: slow LIMIT [HANDLER], for example: slow 50ms audit", ok=False)
            return
        try:
            limit_s = parse_duration(arguments[0])
        except BadValue as error:
            self._app.say(str(error), ok=False)
            return
        handler = arguments[1] if len(arguments) > 1 else self._app.handler or None
        self._app.tell(self._app.observation.set_slow_limit(limit_s, handler))

    def reset(self, which: str) -> None:
        self._app.tell(self._app.observation.reset_figures(which))

    # the demo server -------------------------------------------------------------------------------------

    def change(self) -> None:
        self._app.tell(self._app.observation.demo_change(self._app.current_ref))

    def chaos(self, arguments: Sequence[str] = ()) -> None:
        app = self._app
        if arguments:
            app.tell(app.observation.demo_fault(" ".join(arguments)))
            return

        def chosen(text: str | None) -> None:
            if text:
                app.tell(app.observation.demo_fault(text))

        entries = [Entry(name, text) for name, text in app.observation.demo_menu().items()]
        app.push_screen(Palette(entries, "fault of the demo server, e.g. 503:verb=LIST,times=3"), chosen)

    def expire(self) -> None:
        self._app.tell(self._app.observation.demo_fault("expire-watches"))
