"""The actions that look closer: inspect, explain, filter, go, copy, export."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kdash.probe.filters import BadFilter, line_filter, object_filter
from kdash.probe.objects import ObjectRef
from kdash.probe.text import clean, plural
from kdash.ui.clipboard import copy_text
from kdash.ui.export import FORMATS, as_csv, as_json, rows_of
from kdash.ui.files import state_folder, write_new, write_whole
from kdash.ui.glossary import Card, card_lines, cards_of, find_card
from kdash.ui.panes.events import EventsPane
from kdash.ui.panes.objects import ObjectsPane
from kdash.ui.presenter.advice import advice_lines
from kdash.ui.presenter.yaml_text import yaml_lines
from kdash.ui.rules import role_wanted
from kdash.ui.screens.inspect import InspectScreen
from kdash.ui.screens.prompt import Entry, Palette, Prompt
from kdash.ui.screens.reader import Reader

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["Looking"]

_LONGEST_KEY = 60_000
_AT_ONCE = 3000
"""Objects whose labels are looked at without a thread."""
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


class Looking:
    """What one app shows on request."""

    def __init__(self, app: KdashApp) -> None:
        self._app = app

    def _width(self) -> int:
        return min(140, self._app.size.width * 9 // 10) - 6

    # inspect, advice, explain ----------------------------------------------------------------------------

    def drill(self) -> None:
        app = self._app
        if app.chosen == "objects" and app.objects.selected_ref is None:
            app.objects.fold()
        elif app.chosen in ("objects", "inspect"):
            self.inspect("YAML")
        elif app.chosen == "handlers":
            self.worst()
        elif app.chosen == "events":
            ref = app.events_pane.selected_ref
            if ref is None:
                app.say("this line names no object: choose one with the arrows", ok=False)
            else:
                app.push_screen(InspectScreen(app, ref, "Path"))

    def inspect(self, tab: str) -> None:
        """One object over the dashboard; in the large layout a tab of the Inspect pane, unless it is shown already."""
        app = self._app
        ref = app.current_ref
        if ref is None:
            return
        if "inspect" in app.laid_out.rects and app.inspect_pane.tab != tab and app.chosen != "events":
            app.inspect_pane.choose_tab(tab)
        else:
            app.push_screen(InspectScreen(app, ref, tab))

    def advice(self) -> None:
        app, width = self._app, self._width()
        app.push_screen(
            Reader("Advice", lambda: advice_lines(app.look.advice(), width), app.palette, app.glyphs)
        )

    def explain(self, arguments: Sequence[str] = ()) -> None:
        app = self._app
        if not arguments:
            self._show_cards(app.chosen.title(), [*self._selected_cards(), *cards_of(app.chosen)])
            return
        card, near = find_card(" ".join(arguments))
        if card is None:
            hint = f"; perhaps {', '.join(near)}" if near else "; i explains the words of the focused pane"
            app.say(f"there is no card for {clean(' '.join(arguments))!r}{hint}", ok=False)
        else:
            self._show_cards(card.term, [card])

    def _selected_cards(self) -> list[Card]:
        """The card for what stands under the cursor: the mark of an object, the kind of an event."""
        app = self._app
        words: list[str] = []
        if app.chosen == "objects" and app.objects.selected_ref is not None:
            row = app.look.objects.get(app.objects.selected_ref)
            words = [row.mark] if row is not None else []
        elif app.chosen == "events" and app.events_pane.selected_line is not None:
            chosen = app.events_pane.selected_line
            words = [chosen.verb, chosen.category]
        return [card for word in words if word and (card := find_card(word)[0]) is not None]

    def _show_cards(self, title: str, cards: Sequence[Card]) -> None:
        app = self._app
        shown = list(dict.fromkeys(cards))
        app.push_screen(Reader(f"Explain: {title}", card_lines(shown, self._width()), app.palette, app.glyphs))

    # filters ---------------------------------------------------------------------------------------------

    def pane(self) -> ObjectsPane | EventsPane:
        """The pane that a filter or a movement is for."""
        return self._app.events_pane if self._app.chosen == "events" else self._app.objects

    def _labels_of(self, key: str) -> dict[str, str]:
        observation = self._app.look
        for informer in self._app.snapshot.informers:
            labels = observation.labels(ObjectRef(informer.name, key))
            if labels:
                return dict(labels)
        return {}

    def _problem(self, pane: ObjectsPane | EventsPane, text: str) -> str:
        try:
            if pane is self._app.objects:
                object_filter(text)
            else:
                line_filter(text, self._labels_of)
        except BadFilter as error:
            return str(error)
        return ""

    def ask_filter(self, arguments: Sequence[str] = ()) -> None:
        pane, app = self.pane(), self._app
        if arguments:
            self.filter_now(" ".join(arguments))
            return
        before = app.look.objects.filter_text if pane is app.objects else app.events_pane.filter_text

        def check(text: str) -> str:
            problem = self._problem(pane, text)
            if not problem:
                self._filter(pane, text)
            return problem

        def done(text: str | None) -> None:
            self.filter_now(before if text is None else text, pane)

        words = "text, !not, -l app=web, -f fuzzy, ns:dev, rv>118"
        words += ", ev:changed" if pane is app.objects else ", ev:watch, h:audit"
        app.push_screen(Prompt(f"filter {pane.id}: {words} (enter keeps, esc leaves)", before, check), done)

    def filter_now(self, text: str, pane: ObjectsPane | EventsPane | None = None) -> None:
        """Filter, or say what is wrong and keep the filter that was."""
        pane = pane or self.pane()
        problem = self._problem(pane, text)
        if problem:
            self._app.say(problem, ok=False)
        else:
            self._filter(pane, text)

    def _filter(self, pane: ObjectsPane | EventsPane, text: str) -> None:
        app = self._app
        if isinstance(pane, EventsPane):
            pane.set_filter(text, line_filter(text, self._labels_of))
        else:
            labels = object_filter(text)
            many = labels is not None and labels.labels is not None and app.look.objects.objects > _AT_ONCE
            work = partial(app.look.objects.set_filter, text, app.look.labels)
            if many:
                app.run_worker(asyncio.to_thread(work), group="filter", exclusive=True)
            else:
                work()
            pane.filtered()
        app.draw()

    def bookmarks(self) -> None:
        app = self._app
        app.choose_pane("events")
        self.filter_now("ev:bookmark", app.events_pane)

    # go --------------------------------------------------------------------------------------------------

    def go_object(self, arguments: Sequence[str]) -> None:
        """Select an object by its key, or the first whose key contains the text."""
        app = self._app
        wanted = " ".join(arguments).strip().lower()
        if not wanted:
            app.say("say: go KEY, for example: go default/web-0", ok=False)
            return
        index = app.look.objects
        found: ObjectRef | None = None
        for informer in app.snapshot.informers:
            rows = index.rows_of(informer.name)
            if (exact := next((key for key in (wanted, " ".join(arguments)) if key in rows), None)) is not None:
                found = ObjectRef(informer.name, exact)
                break
            keys = sorted(key for key in list(rows) if wanted in key.lower())
            if keys and found is None:
                found = ObjectRef(informer.name, keys[0])
        if found is None:
            app.say(f"no object's key contains {clean(wanted)!r}", ok=False)
            return
        app.choose_pane("objects")
        if not app.objects.select(found):
            app.say(f"{clean(found.key)} is filtered out: esc drops the filter", ok=False)

    def go_event(self, arguments: Sequence[str]) -> None:
        found = _CLOCK.fullmatch(arguments[0]) if arguments else None
        if found is None:
            self._app.say("say: event HH:MM or HH:MM:SS, for example: event 12:07:55", ok=False)
            return
        now = time.localtime(self._app.snapshot.wall)
        wanted = time.mktime((*now[:3], int(found[1]), int(found[2]), int(found[3] or 0), 0, 0, -1))
        log = self._app.look.events
        number = next((each.number for each in log.lines(log.first, log.total) if each.wall >= wanted), None)
        if number is None:
            self._app.say(f"no event at or after {arguments[0]}", ok=False)
        else:
            self._go_line(number)

    def _go_line(self, number: int) -> None:
        self._app.choose_pane("events")
        self._app.events_pane.jump(number)

    def worst(self) -> None:
        """To the event of the slowest call, of the selected handler or of all."""
        app = self._app
        handlers = [each for each in app.snapshot.handlers if each.worst_at is not None]
        if app.handler:
            handlers = [each for each in handlers if each.name == app.handler]
        if not handlers:
            app.say("no call has ended yet", ok=False)
            return
        handler = max(handlers, key=lambda each: each.max_s)
        key = handler.worst_key
        log = app.look.events
        lines = [each for each in log.lines(log.first, log.total) if each.key == key]
        at = handler.worst_at or 0.0
        own = [each for each in lines if each.category == "HANDLER" and handler.name in each.verb] or lines
        if not own:
            app.say(f"worst call: {clean(handler.worst)}; its event has left the log", ok=False)
            return
        self._go_line(min(own, key=lambda each: abs(each.at - at)).number)
        app.say(f"worst call of {clean(handler.name)}: {clean(handler.worst)}")

    def last_relist(self) -> None:
        log = self._app.look.events
        found = [each.number for each in log.lines(log.first, log.total)
                 if each.category == "REFLECT" and each.verb in ("LIST", "WATCHLIST", "relist")]
        if found:
            self._go_line(found[-1])
        else:
            self._app.say("the log holds no list", ok=False)

    # copy and export -------------------------------------------------------------------------------------

    def copy(self) -> None:
        """What is selected: a key, a line, a request, or the role that is missing."""
        app = self._app
        ref, chosen = app.current_ref, app.events_pane.selected_line
        if app.chosen == "events" and chosen is not None and not app.is_inspecting:
            clock = time.strftime("%H:%M:%S", time.localtime(chosen.wall))
            self._copied(f"{clock} {chosen.category} {chosen.text}", "the event")
        elif app.chosen == "api" and app.snapshot.api.rows:
            self._copied(f"kubectl get --raw '{app.snapshot.api.rows[-1].path}'", "the newest request")
        elif app.snapshot.state.word == "DENIED" and not app.snapshot.objects:
            self._copied(role_wanted(app.snapshot), "the role to ask for")
        elif ref is not None:
            self._copied(clean(ref.key)[:_LONGEST_KEY], clean(ref.key)[:80])
        else:
            app.say("select an object in pane 2 first", ok=False)

    def copy_all(self) -> None:
        """The object's YAML, or the text of the focused pane."""
        app = self._app
        ref = app.current_ref if app.chosen in ("objects", "inspect") or app.is_inspecting else None
        if ref is not None:
            obj = app.look.read_object(ref)
            if obj is None:
                app.say("it is no longer in the cache, or has changed since this instant", ok=False)
                return
            text = "\n".join("".join(part for part, _ in line) for line in yaml_lines(obj))
            self._copied(text + "\n", f"the YAML of {clean(ref.key)[:80]}")
        else:
            self._copied(app.panes[app.chosen].text(), f"the text of pane {app.chosen}")

    def _copied(self, text: str, what: str) -> None:
        ok, sentence = copy_text(text, what, self._app.copy_to_clipboard)
        self._app.say(sentence, ok)

    def export(self, arguments: Sequence[str] = ()) -> None:
        if arguments:
            self._export(arguments[0], Path(" ".join(arguments[1:])) if len(arguments) > 1 else None)
            return
        pane = self._app.chosen
        entries = [Entry("json", f"the figures of pane {pane}"), Entry("csv", f"the rows of pane {pane}"),
                   Entry("svg", "a picture of the screen")]

        def chosen(kind: str | None) -> None:
            if kind:
                self._app.call_after_refresh(self._export, kind.split()[0], None)

        self._app.push_screen(Palette(entries, "export as", free=False), chosen)

    def _export(self, kind: str, path: Path | None) -> None:
        app = self._app
        if kind not in FORMATS:
            app.say(f"there is no format {clean(kind)!r}: choose {', '.join(FORMATS)}", ok=False)
            return
        pane = "screen" if kind == "svg" else app.chosen
        rows = rows_of(pane, app.snapshot, app.look, [each.name for each in app.snapshot.handlers])
        if kind == "svg":
            content = app.export_screenshot(title="kdash")
        else:
            content = as_csv(rows) if kind == "csv" else as_json(pane, app.snapshot, rows)
        try:
            if path is not None:
                write_whole(path.expanduser(), content)
            else:
                folder = Path.cwd() if os.access(Path.cwd(), os.W_OK) else state_folder() / "exports"
                path = write_new(folder, f"kdash-{pane}", kind, content)
        except OSError as error:
            app.say(f"cannot write {path or 'the export'}: {error.strerror or error}", ok=False)
            return
        app.say(f"{'the screen' if kind == 'svg' else plural(len(rows), 'row')} written to {path}")
