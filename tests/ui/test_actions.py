"""Every action of the table does what it says: by its key, or by the palette where it has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from kdash.ui.actions import ACTIONS, GROUPS, actions_for
from kdash.ui.app import KdashApp
from kdash.ui.screens.inspect import InspectScreen
from kdash.ui.screens.jump import JumpScreen
from kdash.ui.screens.prompt import Palette, Prompt, Question
from kdash.ui.screens.reader import Reader
from tests.ui.showing import screen_text
from tests.ui.spying import HELD, Spy, dashboard, footer, press
from tests.ui.states import LIVE, WALL

Check = Callable[[KdashApp, "Pilot[int]", Spy], Awaitable[None]]

ORDERS: dict[str, tuple[str, tuple[object, ...]]] = {
    "resync": ("r", ("resync_now",)),
    "period_double": ("+", ("set_resync_period", 20.0, None)),
    "period_halve": ("-", ("set_resync_period", 5.0, None)),
    "period_set": (":resync period 40s", ("set_resync_period", 40.0, None)),
    "period_off": (":resync off", ("set_resync_period", 0.0, None)),
    "period_faithful": (":resync faithful 7s audit", ("register_again", "audit", 7.0)),
    "rewatch": ("W", ("rewatch",)),
    "relist": ("R", ("relist",)),
    "queue": ("Q", ("set_queue", "real")),
    "hold": ("s", ("hold",)),
    "peak": (":clear peak", ("reset_figures", "peak")),
    "handler_add": (":handler add late 50ms 30s", ("add_handler", "late", 0.05, 30.0)),
    "handler_remove": (":handler remove audit", ("remove_handler", "audit")),
    "slow_limit": (":slow 50ms audit", ("set_slow_limit", 0.05, "audit")),
    "reset_latency": (":reset latency", ("reset_figures", "latency")),
    "handler_reload": (":handler reload mine", ("reload_handler", "mine")),
    "expire": (":expire", ("demo_fault", "expire-watches")),
    "scope_resources": (":observe deploy,svc -n dev -l app=web",
                        ("set_scope", ("deploy", "svc"), "dev", None, "app=web", None)),
    "scope_namespace": (":ns dev", ("set_scope", "dev", None)),
    "scope_all": (":all namespaces", ("set_scope", True)),
    "scope_selector": (":selector app=web", ("set_scope", "app=web")),
    "scope_context": (":context there", ("set_context", "there")),
}
"""Actions that are one order to the observation."""


async def typed(pilot: Pilot[int], line: str) -> None:
    """A key, or a line of the palette, as fast as a program types it."""
    names = {":": "colon", " ": "space", "/": "slash", ",": "comma", "-": "minus", "=": "equals_sign", "+": "plus",
             "|": "vertical_line", ".": "full_stop"}
    keys = [names.get(each, each) for each in line]
    await pilot.press(*keys, *(["enter"] if len(line) > 1 else []))
    await pilot.pause()


@pytest.mark.parametrize("action", ORDERS)
async def test_an_order_reaches_the_observation(action: str) -> None:
    line, order = ORDERS[action]
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        await typed(pilot, line)
        app.draw()
        assert spy.orders == [order]
        assert f"{order[0]} done" in footer(app)


async def test_step_and_release_reach_a_held_pipeline() -> None:
    spy = Spy(HELD)
    async with dashboard(spy) as (app, pilot):
        await press(app, pilot, "n", "full_stop", "s")
        assert spy.orders == [("step",), ("release",), ("release",)]


async def test_change_and_chaos_reach_the_demo_server() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        chosen = app.objects.selected_ref
        await press(app, pilot, "x", "X", "down", "enter")
        assert spy.orders == [("demo_change", chosen), ("demo_fault", "503")]


async def _advice(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "a")
    assert isinstance(app.screen, Reader) and "nothing is wrong" in screen_text(app)


async def _drill(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "enter")
    assert isinstance(app.screen, InspectScreen) and app.screen.pane.tab == "YAML"


def _inspect(key: str, tab: str) -> Check:
    async def check(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
        await press(app, pilot, key)
        assert isinstance(app.screen, InspectScreen)
        assert (app.screen.pane.tab, app.screen.ref) == (tab, app.objects.selected_ref)

    return check


async def _older(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    seen: list[int] = []
    app.inspect_pane.scrub = lambda observation, by: seen.append(by)  # type: ignore[method-assign,assignment]
    await press(app, pilot, "left_square_bracket", "right_square_bracket")
    assert seen == [-1, 1]


async def _explain(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "4", "i")
    assert isinstance(app.screen, Reader) and "The cache is replayed" in screen_text(app)


async def _filter(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await typed(pilot, "/web-7")
    assert spy.objects.filter_text == "web-7" and "/web-7" in screen_text(app)


async def _copy(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "c")
    assert app.clipboard == app.objects.selected_ref.key  # type: ignore[union-attr]


async def _copy_all(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "C")
    assert app.clipboard.startswith("apiVersion: v1\nkind: Pod")
    await press(app, pilot, "4", "C")
    assert "next tick in" in app.clipboard and "│" not in app.clipboard


async def _export(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "e")
    assert isinstance(app.screen, Palette)
    await press(app, pilot, "c", "s", "v", "enter")
    await pilot.pause()
    (path,) = Path.cwd().glob("kdash-objects-*.csv")
    assert path.read_text().startswith("resource,namespace,name,") and path.stat().st_mode & 0o077 == 0


async def _mark(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "7", "k", "k", "m")
    assert app.events_pane.marks == {spy.events.total - 2}
    await press(app, pilot, "G", "b")
    assert app.events_pane.selected_line.number == spy.events.total - 2  # type: ignore[union-attr]


async def _go(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    spy.objects.fold("pods", "kube-system", True)
    await typed(pilot, ":go coredns")
    assert app.objects.selected_ref.key == "kube-system/coredns-5d78-1"  # type: ignore[union-attr]


async def _go_event(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await pilot.press("colon", *"event", "space", "1", "4", "colon", "1", "3", "colon", "1", "3", "enter")
    await pilot.pause()
    chosen = app.events_pane.selected_line
    assert chosen is not None and chosen.verb == "DELETED" and int(chosen.wall) == int(WALL - 7)


async def _worst(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await typed(pilot, ":worst")
    assert app.chosen == "events" and app.events_pane.selected_line.verb == "slow OnUpdate"  # type: ignore[union-attr]


async def _relist(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await typed(pilot, ":last relist")
    assert app.events_pane.selected_line.verb == "LIST"  # type: ignore[union-attr]


async def _bookmarks(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await typed(pilot, ":bookmarks")
    assert app.chosen == "events" and app.events_pane.filter_text == "ev:bookmark"


async def _jump(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "ctrl+o")
    assert isinstance(app.screen, JumpScreen) and "[ a ]" in screen_text(app)
    await press(app, pilot, "f")
    assert app.chosen == "resync" and len(app.screen_stack) == 1 and not app.zoomed


async def _pause(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "p")
    assert "[PAUSED 14:13:20 · +0 events]" in screen_text(app)
    await press(app, pilot, "p")
    assert "PAUSED" not in screen_text(app)


async def _zoom(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "f")
    assert set(app.laid_out.rects) == {"header", "footer", "objects"}
    await press(app, pilot, "f")
    assert "api" in app.laid_out.rects


async def _sort(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "o", "o")
    assert spy.objects.order == "updates" and "by updates" in screen_text(app)
    rows = [row.name for row in spy.objects.rows(0, 6) if row.level == 2]
    assert rows[:2] == ["web-7f9c-x2p", "web-7f9c-q8k"]
    await press(app, pilot, "5", "o")
    shown = screen_text(app)
    assert "by pending" in shown and shown.index("slow   1002") < shown.index("audit  1414")


async def _wide(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "f", "w")
    assert "size" in screen_text(app).split("\n")[2] and "2.0 kB" in screen_text(app)


async def _time(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "t")
    assert "s ago WATCH" in screen_text(app)


async def _header(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "H")
    assert screen_text(app).startswith("╭─ 1 Pipeline") and len(screen_text(app).split("\n")) == 40
    await press(app, pilot, "H")
    assert screen_text(app).startswith(" kdash demo")


async def _mouse(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    assert "the terminal's" in await press(app, pilot, "M") and not app.mouse
    assert "kdash's" in await press(app, pilot, "M") and app.mouse


async def _tick(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await typed(pilot, ":tick 4")
    assert app._rate_hz == 4.0


async def _theme(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "T")
    assert app.palette.name == "kdash-light" and app.objects.palette is app.palette


async def _redraw(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    before = screen_text(app)
    await press(app, pilot, "ctrl+l")
    assert screen_text(app) == before


def _pane(number: int) -> Check:
    async def check(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
        await press(app, pilot, *(["3"] if number == 2 else []), str(number))
        names = ("pipeline", "objects", "queue", "resync", "handlers", "api", "events")
        assert app.chosen == names[number - 1] and not app.zoomed
        await press(app, pilot, str(number))
        assert app.zoomed

    return check


async def _next_pane(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "tab")
    assert app.chosen == "queue"
    await press(app, pilot, "shift+tab", "shift+tab")
    assert app.chosen == "pipeline"


async def _move(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "g")
    assert app.objects.selected.level == 1  # type: ignore[union-attr]
    await press(app, pilot, "j", "down")
    assert app.objects.selected_ref.key == "default/web-6d1b-aa0"  # type: ignore[union-attr]
    await press(app, pilot, "k")
    assert app.objects.selected_ref.key == "default/api-0"  # type: ignore[union-attr]
    await press(app, pilot, "pagedown")
    paged = app.objects.selected_ref
    assert paged is not None and paged.key != "default/api-0"
    await press(app, pilot, "pageup")
    assert app.objects.selected_ref.key == "default/api-0"  # type: ignore[union-attr]
    await press(app, pilot, "G")
    assert app.objects.selected_ref.key == "shop/cart-34"  # type: ignore[union-attr]


async def _fold(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    rows = spy.objects.total
    await press(app, pilot, "left")
    assert spy.objects.total == rows - 5
    await press(app, pilot, "right")
    assert spy.objects.total == rows


async def _help(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    await press(app, pilot, "5", "question_mark")
    shown = screen_text(app)
    assert isinstance(app.screen, Reader) and "The focused pane: handlers" in shown and "halve the resync" in shown


async def _palette(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    for key in ("colon", "ctrl+p"):
        await press(app, pilot, key)
        assert isinstance(app.screen, Palette)
        await press(app, pilot, "escape")
    assert len(app.screen_stack) == 1


async def _back(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    app.objects.set_filter("web")
    await press(app, pilot, "f", "escape")
    assert not app.zoomed and spy.objects.filter_text == "web"
    await press(app, pilot, "escape")
    assert spy.objects.filter_text == ""


def _leaves(*keys: str, code: int = 0) -> Check:
    async def check(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        assert app.return_value == code and not app.is_running

    return check


async def _suspend(app: KdashApp, pilot: Pilot[int], spy: Spy) -> None:
    asked: list[bool] = []
    app.action_suspend_process = lambda: asked.append(True)  # type: ignore[method-assign]
    await press(app, pilot, "ctrl+z")
    assert asked == [True]


CHECKS: dict[str, Check] = {
    "advice": _advice, "drill": _drill, "yaml": _inspect("y", "YAML"), "diff": _inspect("d", "Diff"),
    "history": _inspect("v", "History"), "older": _older, "newer": _older, "explain": _explain, "filter": _filter,
    "copy": _copy, "copy_all": _copy_all, "export": _export, "mark": _mark, "next_mark": _mark, "go_object": _go,
    "go_event": _go_event, "go_worst": _worst, "go_relist": _relist, "bookmarks": _bookmarks, "jump": _jump,
    "pause": _pause, "zoom": _zoom, "sort": _sort, "wide": _wide, "time": _time, "header": _header, "mouse": _mouse,
    "tick": _tick, "theme": _theme, "redraw": _redraw, **{f"pane_{number}": _pane(number) for number in range(1, 8)},
    "next_pane": _next_pane, "previous_pane": _next_pane, **dict.fromkeys(
        ("up", "down", "page_up", "page_down", "top", "bottom"), _move),
    "fold": _fold, "unfold": _fold, "help": _help, "palette": _palette, "back": _back, "quit": _leaves("q"),
    "quit_now": _leaves("f", "question_mark", "ctrl+q"), "interrupt": _leaves("ctrl+c", "ctrl+c", code=130),
    "suspend": _suspend,
}


@pytest.mark.parametrize("action", CHECKS)
async def test_an_action_of_the_screen(action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        await CHECKS[action](app, pilot, spy)


def test_every_action_has_a_test() -> None:
    from tests.ui.test_replay_keys import RECORD_ORDERS, REPLAY_ORDERS

    tested = {*ORDERS, *CHECKS, *REPLAY_ORDERS, *RECORD_ORDERS, "step", "release", "change", "chaos"}
    assert tested == {action.id for action in ACTIONS}


def test_every_action_can_be_reached_and_belongs_to_a_group() -> None:
    for action in ACTIONS:
        assert action.keys or action.command, action.id
        assert action.group in GROUPS and action.help


def test_no_key_has_two_actions() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))


def test_keys_that_terminals_and_multiplexers_need_are_never_bound() -> None:
    keys = {key for action in ACTIONS for key in action.keys}
    assert not keys & {"ctrl+d", "ctrl+k", "ctrl+a", "ctrl+b", "ctrl+s", "ctrl+m", "ctrl+h", "ctrl+j", "ctrl+i"}


async def test_the_demos_actions_do_not_exist_on_a_cluster() -> None:
    assert not {action.id for action in actions_for(False)} & {"change", "chaos", "expire"}
    spy = Spy(replace(LIVE, is_demo=False), is_demo=False)
    async with dashboard(spy) as (app, pilot):
        assert "x" not in app._bindings.key_to_bindings and "X" not in app._bindings.key_to_bindings
        await press(app, pilot, "x", "X")
        app.commands.run("change")
        app.commands.command("chaos reset")
        await pilot.pause()
        assert not [order for order in spy.orders if order[0].startswith("demo")]
        await press(app, pilot, "question_mark")
        assert "demo server" not in "\n".join(str(row) for row in app.screen._text)  # type: ignore[attr-defined]


async def test_leaving_the_demo_for_a_cluster_unbinds_its_keys() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        assert "x" in app._bindings.key_to_bindings
        spy.is_demo = False
        app.frame()
        await pilot.pause()
        assert "x" not in app._bindings.key_to_bindings and "r" in app._bindings.key_to_bindings


@pytest.mark.parametrize(("key", "snapshot", "words"), [
    ("n", LIVE, "nothing is held"), ("full_stop", LIVE, "nothing is held"),
    ("r", replace(LIVE, informers=()), "no informer yet"), ("y", LIVE, "select an object in pane 2"),
])
async def test_an_action_that_is_not_available_says_why(key: str, snapshot: object, words: str) -> None:
    spy = Spy(snapshot)  # type: ignore[arg-type]
    async with dashboard(spy) as (app, pilot):
        app.objects.go(False)
        assert words in await press(app, pilot, key)
        assert spy.orders == []


async def test_a_large_state_is_not_fetched_anew_by_a_slip_of_the_finger() -> None:
    spy = Spy(replace(LIVE, objects=2001))
    async with dashboard(spy) as (app, pilot):
        await press(app, pilot, "R")
        assert isinstance(app.screen, Question) and "2001 objects" in screen_text(app)
        await press(app, pilot, "n")
        assert spy.orders == []
        await press(app, pilot, "R", "y")
        assert spy.orders == [("relist",)]


async def test_gentle_asks_before_every_request() -> None:
    spy = Spy()
    async with dashboard(spy, gentle=True) as (app, pilot):
        await press(app, pilot, "W", "escape", "R", "escape")
        assert spy.orders == []
        await press(app, pilot, "W", "enter")
        assert spy.orders == [("rewatch",)]


async def test_the_palette_finds_by_words_and_shows_the_key() -> None:
    async with dashboard(Spy()) as (app, pilot):
        await press(app, pilot, "colon", *"wat", "space", *"watch")
        shown = screen_text(app)
        assert "rewatch" in shown and "W" in shown and "theme" not in shown


async def test_an_entry_that_needs_arguments_waits_for_them() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        await press(app, pilot, "colon", *"handler", "space", "a", "enter")
        assert isinstance(app.screen, Palette) and app.screen.query_one(Input).value == "handler add "
        await press(app, pilot, *"late", "enter")
        assert spy.orders == [("add_handler", "late", 0.0, None)]


async def test_what_is_typed_ahead_of_the_palette_is_not_lost() -> None:
    from textual.events import Key

    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        for character in ":ns dev\r":
            key = {":": "colon", " ": "space", "\r": "enter"}.get(character, character)
            app.post_message(Key(key, character))
        for _ in range(8):
            await pilot.pause()
        assert spy.orders == [("set_scope", "dev", None)]


@pytest.mark.parametrize(("line", "words"), [
    ("?!", "no command"), ("handler add", "say: handler add NAME"), ("queue fifo", "there is no queue 'fifo'"),
    ("theme neon", "there is no theme 'neon'"), ("sort colour", "there is no order 'colour'"),
    ("slow soon", "is no duration"), ("explain foo", "there is no card"), ("event noon", "say: event HH:MM"),
    ("go nowhere", "no object's key contains"), ("tick 60", "say: tick 1, 4, 10"), ("export pdf", "no format 'pdf'"),
    ("pods -x", "is no option here"), ("pods -n", "-n needs a value"), ("pods -A -n dev", "exclude each other"),
    ("resync faithful", "say: resync faithful"), ("pods/web", "no command"), ("/rv>x", "rv> needs a number"),
])
async def test_wrong_input_gets_one_sentence(line: str, words: str) -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        app.commands.command(line)
        app.draw()
        await pilot.pause()
        assert words in footer(app) and spy.orders == []


async def test_the_namespace_and_the_context_can_be_chosen_from_a_list() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        app.commands.command("ns")
        await press(app, pilot, *"sho", "enter")
        app.commands.command("ctx")
        await press(app, pilot, "down", "enter")
        assert spy.orders == [("set_scope", "shop", None), ("set_context", "there")]


async def test_a_bare_resource_is_a_command_as_in_k9s() -> None:
    spy = Spy()
    async with dashboard(spy) as (_, pilot):
        await typed(pilot, ":pods -n dev")
        assert spy.orders == [("set_scope", ("pods",), "dev", None, None, None)]


async def test_the_period_is_that_of_the_selected_handler() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        await press(app, pilot, "4", "j", "plus")
        assert spy.orders == [("set_resync_period", 60.0, "audit")]
        await press(app, pilot, "equals_sign")
        assert isinstance(app.screen, Prompt)
        await press(app, pilot, *"15s", "enter")
        assert spy.orders[-1] == ("set_resync_period", 15.0, "audit")


@pytest.mark.parametrize("action", ["palette", "filter", "help", "scope_namespace", "period_set"])
async def test_an_end_right_after_a_screen_was_asked_for_is_no_crash(action: str) -> None:
    async with dashboard(Spy()) as (app, pilot):
        app.action_run(action)
        app.exit(143)
        await pilot.pause()
    assert app.return_value == 143 and not app._exception
