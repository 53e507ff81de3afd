"""What each action and each palette command does: one entry of the table of actions, one call here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kdash.probe.text import clean
from kdash.ui.actions import Action
from kdash.ui.availability import why_not
from kdash.ui.help_text import keys_of
from kdash.ui.informer_orders import ENGINES, InformerOrders
from kdash.ui.layout import PANES
from kdash.ui.looking import Looking
from kdash.ui.replaying import Replaying
from kdash.ui.scope_orders import ScopeOrders
from kdash.ui.screens.prompt import Entry, Palette
from kdash.ui.themes import theme_names
from kdash.ui.viewing import HANDLER_ORDERS, OBJECT_ORDERS, Viewing

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["Commands"]

_ALIASES = {"q!": "quit", "q": "quit", "ctx": "context", "namespace": "ns", "all": "all namespaces", "?": "help",
            "h": "help", "faults": "chaos", "fault": "chaos", "410": "expire"}
_RESOURCES = ("namespaces",)
"""Resources whose name is a part of a command: typed whole, they are what to observe."""
_LEAVES = ("quit", "quit_now", "interrupt", "suspend")

Work = Callable[[Sequence[str]], object]


class Commands:
    """Carries out actions for one app."""

    def __init__(self, app: KdashApp) -> None:
        self._app = app
        self._interrupted = False
        self.orders = InformerOrders(app)
        self.looking = Looking(app)
        self.scope = ScopeOrders(app)
        self.viewing = Viewing(app)
        self.replaying = Replaying(app)
        self._table: dict[str, Work] = {**self._informer(), **self._look(), **self._view()}

    def _informer(self) -> dict[str, Work]:
        orders, scope, observation = self.orders, self.scope, self._app.observation
        return {
            "resync": orders.resync,
            "period_double": lambda _: orders.scale_period(2.0),
            "period_halve": lambda _: orders.scale_period(0.5),
            "period_set": orders.set_period,
            "period_off": lambda _: orders.period_off(),
            "period_faithful": orders.period_faithful,
            "rewatch": lambda _: orders.rewatch(),
            "relist": lambda _: orders.relist(),
            "queue": orders.engine,
            "hold": lambda _: orders.hold(),
            "step": lambda _: self._app.tell(observation.step()),
            "release": lambda _: self._app.tell(observation.release()),
            "peak": lambda _: orders.reset("peak"),
            "handler_add": orders.add_handler,
            "handler_remove": orders.remove_handler,
            "slow_limit": orders.slow_limit,
            "reset_latency": lambda _: orders.reset("latency"),
            "handler_reload": orders.reload_handler,
            "change": lambda _: orders.change(),
            "chaos": orders.chaos,
            "expire": lambda _: orders.expire(),
            "scope_resources": lambda words: scope.observe(" ".join(words)),
            "scope_namespace": scope.namespace,
            "scope_all": lambda _: scope.everywhere(),
            "scope_selector": scope.selector,
            "scope_context": scope.context,
        }

    def _look(self) -> dict[str, Work]:
        looking, app = self.looking, self._app
        return {
            "advice": lambda _: looking.advice(),
            "drill": lambda _: looking.drill(),
            "yaml": lambda _: looking.inspect("YAML"),
            "diff": lambda _: looking.inspect("Diff"),
            "history": lambda _: looking.inspect("History"),
            "older": lambda _: self.replaying.older(-1),
            "newer": lambda _: self.replaying.older(1),
            **self.replaying.table(),
            "explain": looking.explain,
            "filter": looking.ask_filter,
            "bookmarks": lambda _: looking.bookmarks(),
            "copy": lambda _: looking.copy(),
            "copy_all": lambda _: looking.copy_all(),
            "export": looking.export,
            "mark": lambda _: app.events_pane.mark(),
            "next_mark": lambda _: self._next_mark(),
            "go_object": looking.go_object,
            "go_event": looking.go_event,
            "go_worst": lambda _: looking.worst(),
            "go_relist": lambda _: looking.last_relist(),
        }

    def _view(self) -> dict[str, Work]:
        viewing, app = self.viewing, self._app
        panes: dict[str, Work] = {
            f"pane_{number}": lambda _, name=name: app.choose(name) for number, name in enumerate(PANES, 1)  # type: ignore[misc]
        }
        return {
            "pause": lambda _: viewing.pause(),
            "zoom": lambda _: viewing.zoom(),
            "sort": viewing.sort,
            "wide": lambda _: viewing.wide(),
            "time": lambda _: viewing.time(),
            "header": lambda _: viewing.header(),
            "mouse": lambda _: viewing.mouse(),
            "tick": viewing.tick,
            "theme": viewing.theme,
            "redraw": lambda _: viewing.redraw(),
            "jump": lambda _: viewing.jump(),
            **panes,
            "next_pane": lambda _: app.step_pane(1),
            "previous_pane": lambda _: app.step_pane(-1),
            "up": lambda _: viewing.move(-1),
            "down": lambda _: viewing.move(1),
            "page_up": lambda _: viewing.page(-1),
            "page_down": lambda _: viewing.page(1),
            "top": lambda _: viewing.go(False),
            "bottom": lambda _: viewing.go(True),
            "fold": lambda _: app.objects.fold(),
            "unfold": lambda _: app.objects.fold(False),
            "help": lambda _: viewing.help(),
            "palette": lambda _: self._palette(),
            "back": lambda _: viewing.back(False),
            "quit": lambda _: viewing.back(True),
            "quit_now": lambda _: app.exit(0),
            "interrupt": lambda _: self._interrupt(),
            "suspend": lambda _: app.action_suspend_process(),
        }

    def run(self, action_id: str, arguments: Sequence[str] = ()) -> None:
        """Carry out an action of the table, or say why that is not possible now."""
        app = self._app
        if action_id != "interrupt":
            self._interrupted = False
        action = next((each for each in app.actions if each.id == action_id), None)
        reason = "" if action is None else why_not(app, action, bool(arguments))
        if action is None or reason:
            app.say(reason or "there is no such action here", ok=False)
        else:
            self._table[action_id](arguments)
        if app.is_running and len(app.screen_stack) == 1 and action_id not in _LEAVES:
            app.draw()

    def _next_mark(self) -> None:
        pane = self._app.events_pane
        before = pane.selected_line
        pane.next_mark()
        if pane.selected_line == before:
            pane.next_mark(-sum(1 for _ in pane.marks) or -1)
        if not pane.marks:
            self._app.say("no event is marked: m marks one", ok=False)

    def _interrupt(self) -> None:
        if self._interrupted:
            self._app.exit(130)
        else:
            self._interrupted = True
            self._app.say("press ctrl+c again to quit", ok=False)

    # palette -------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """Every action that has a command, by group, with its key; then what can be chosen by name."""
        entries = [Entry(action.command, action.help, keys_of(action), action.group, action.usage)
                   for action in self._app.actions if action.command]
        entries += [Entry(f"queue {engine}", "this queue engine", "", "queue") for engine in ENGINES]
        entries += [Entry(f"theme {name}", "preview with the arrows, enter keeps", "", "theme")
                    for name in theme_names()]
        orders = HANDLER_ORDERS if self._app.chosen in ("handlers", "resync") else OBJECT_ORDERS
        entries += [Entry(f"sort {order}", f"order by {order}", "", "view") for order in orders]
        return entries

    def _palette(self) -> None:
        app, before = self._app, self._app.palette.name

        def preview(entry: Entry | None) -> None:
            name = entry.command.partition("theme ")[2] if entry is not None else ""
            app.set_theme(name if name in theme_names() else before)

        def done(typed: str | None) -> None:
            app.set_theme(before)
            self.command(typed or "")

        app.push_screen(Palette(self.entries(), on_highlight=preview, aliases=(*_ALIASES, *_RESOURCES)), done)

    def command(self, typed: str) -> None:
        """Carry out a line: a command with its arguments, or what to observe: `pods -n dev`."""
        words = typed.split()
        if not words:
            return
        aliased = _ALIASES.get(words[0])
        if aliased is not None and words[0] not in [each.command for each in self._app.actions]:
            words = [*aliased.split(), *words[1:]]
        if words == ["quit"]:
            self._app.exit(0)
            return
        action = self._named(words)
        if action is not None:
            self.run(action.id, words[len(action.command.split()):])
        elif words[0].startswith("/"):
            self.looking.filter_now(typed.strip()[1:])
        elif words[0].replace(",", "").replace(".", "").replace("-", "").isalnum() or words[0].startswith("-"):
            self.scope.observe(typed)
        else:
            self._app.say(f"there is no command {clean(words[0])!r}: press : to see all", ok=False)

    def _named(self, words: Sequence[str]) -> Action | None:
        """The action whose command the words begin with; the longest one."""
        found = [action for action in self._app.actions
                 if action.command and action.command.split() == list(words[: len(action.command.split())])]
        return max(found, key=lambda action: len(action.command), default=None)
