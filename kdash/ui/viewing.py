"""The actions that change how things are shown, and those that move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kdash.observe.door import replay_of
from kdash.probe.objects import ORDERS
from kdash.probe.snapshot import HandlerView, Snapshot
from kdash.probe.text import clean
from kdash.ui.help_text import help_lines
from kdash.ui.layout import PANES
from kdash.ui.screens.jump import JumpScreen
from kdash.ui.screens.prompt import Question
from kdash.ui.screens.reader import Reader
from kdash.ui.themes import THEMES, theme_names

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["HANDLER_ORDERS", "OBJECT_ORDERS", "Viewing", "in_order"]

OBJECT_ORDERS = ("name", *ORDERS)
HANDLER_ORDERS = ("joined", "pending", "p99", "max", "calls", "busy")
_RATES = ("1", "4", "10")
_HANDS = ("handlers", "resync")


def in_order(snapshot: Snapshot, order: str) -> Snapshot:
    """The snapshot with its handlers in one of `HANDLER_ORDERS`; the largest first, ties as they joined."""
    if order == "joined":
        return snapshot

    def weight(handler: HandlerView) -> float:
        return {"pending": handler.pending, "p99": handler.p99_s, "max": handler.max_s, "calls": handler.calls,
                "busy": handler.busy}[order]

    return replace(snapshot, handlers=tuple(sorted(snapshot.handlers, key=weight, reverse=True)))


class Viewing:
    """How one app shows things."""

    def __init__(self, app: KdashApp) -> None:
        self._app = app

    def pause(self) -> None:
        app = self._app
        replay = replay_of(app.observation)
        if replay is not None:
            app.tell(replay.play())
            return
        if app.frozen is None:
            app.frozen = app.observation.freeze()
        else:
            app.observation.objects.look_like(app.frozen.objects, app.observation.labels)
            app.frozen = None
        app.arrange()
        app.draw(everything=True)

    def zoom(self) -> None:
        self._app.zoomed = not self._app.zoomed
        self._app.arrange()

    def help(self) -> None:
        app = self._app
        width = min(140, app.size.width * 9 // 10) - 4
        lines = help_lines(app.glyphs, app.chosen, app.actions, width)
        app.push_screen(Reader("Help: keys", lines, app.palette, app.glyphs))

    def redraw(self) -> None:
        self._app.refresh(repaint=True, layout=True)
        self._app.draw(everything=True)

    # order, columns, times -------------------------------------------------------------------------------

    def sort(self, arguments: Sequence[str] = ()) -> None:
        """The next order of the focused pane, or the one that is named."""
        app = self._app
        of_handlers = app.chosen in ("handlers", "resync")
        orders = HANDLER_ORDERS if of_handlers else OBJECT_ORDERS
        now = app.handler_order if of_handlers else app.look.objects.order
        wanted = arguments[0] if arguments else orders[(orders.index(now) + 1) % len(orders)]
        if wanted not in orders:
            app.say(f"there is no order {clean(wanted)!r} here: choose {', '.join(orders)}", ok=False)
            return
        chip = "" if wanted == orders[0] else f"by {wanted}"
        if of_handlers:
            app.handler_order = wanted
            app.panes["handlers"].chip = chip
        else:
            app.look.objects.set_order(wanted)
            app.objects.chip, app.objects.stirred = chip, True
        app.say(f"{'handlers' if of_handlers else 'objects'} by {wanted}")

    def wide(self) -> None:
        app = self._app
        app.wide = not app.wide
        app.say("more columns: size and version of objects, resource of events" if app.wide else "the usual columns")
        app.draw(everything=True)

    def time(self) -> None:
        pane = self._app.events_pane
        pane.relative, pane.stirred = not pane.relative, True

    def header(self) -> None:
        self._app.header_hidden = not self._app.header_hidden
        self._app.arrange()

    def mouse(self) -> None:
        on = self._app.set_mouse(not self._app.mouse)
        self._app.say("the mouse is kdash's: click, double click and wheel" if on
                      else "the mouse is the terminal's: select and copy text with it; M takes it back")

    def tick(self, arguments: Sequence[str]) -> None:
        if arguments[:1] and arguments[0] in _RATES:
            self._app.set_rate(float(arguments[0]))
            self._app.say(f"the screen is drawn {arguments[0]} times a second at most")
        else:
            self._app.say(f"say: tick {', '.join(_RATES)}", ok=False)

    def theme(self, arguments: Sequence[str] = ()) -> None:
        app = self._app
        if not arguments:
            app.set_theme(app.next_theme())
            app.say(f"theme {app.palette.name}")
        elif arguments[0] in THEMES:
            app.set_theme(arguments[0])
        else:
            app.say(f"there is no theme {clean(arguments[0])!r}: choose {', '.join(theme_names())}", ok=False)

    # panes and movement ----------------------------------------------------------------------------------

    def jump(self) -> None:
        app = self._app
        places = {name: rect for name, rect in app.laid_out.rects.items() if name in PANES}

        def chosen(name: str | None) -> None:
            if name:
                app.choose_pane(name)

        app.push_screen(JumpScreen(places), chosen)

    def move(self, rows: int) -> None:
        app = self._app
        if app.chosen not in _HANDS:
            app.commands.looking.pane().move(rows)
        elif names := self._handlers():
            at = names.index(app.handler) + rows if app.handler in names else (0 if rows > 0 else -1)
            app.handler = names[at % len(names)]

    def _handlers(self) -> list[str]:
        """The handlers as the focused pane lists them."""
        app = self._app
        if app.chosen == "handlers":
            return list(dict.fromkeys(each.name for each in in_order(app.snapshot, app.handler_order).handlers))
        return list(dict.fromkeys(hand.handler for hand in app.snapshot.resync.hands))

    def page(self, pages: int) -> None:
        if self._app.chosen in _HANDS:
            self.go(pages > 0)
        else:
            pane = self._app.commands.looking.pane()
            pane.move(pages * pane.page())

    def go(self, bottom: bool) -> None:
        app = self._app
        if app.chosen not in _HANDS:
            app.commands.looking.pane().go(bottom)
        elif names := self._handlers():
            app.handler = names[-1 if bottom else 0]

    def back(self, quits: bool) -> None:
        """One step back: the zoom, the filter, the selected handler; then, with `quits`, out."""
        app = self._app
        if app.zoomed:
            app.zoomed = False
            app.arrange()
        elif app.look.objects.filter_text and app.chosen != "events":
            app.objects.set_filter("")
        elif app.events_pane.filter_text and app.chosen == "events":
            app.events_pane.set_filter("")
        elif app.handler and not quits:
            app.handler = ""
        elif quits and app.newest.recording is not None:
            self._app.push_screen(Question("kdash is recording: end the recording and quit?"), self._leave)
        elif quits:
            app.exit(0)

    def _leave(self, yes: bool | None) -> None:
        if yes:
            self._app.exit(0)
