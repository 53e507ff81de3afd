"""Recording from the screen, and the keys of a replay: each gives its order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from kdash.observe.door import Outcome
from kdash.probe.snapshot import RecordingView, ReplayView
from kdash.ui.actions import actions_for
from kdash.ui.screens.prompt import Question
from tests.ui.showing import screen_text
from tests.ui.spying import Spy, dashboard, footer, press
from tests.ui.states import LIVE, WALL
from tests.ui.test_actions import typed

REPLAY = replace(LIVE, replay=ReplayView(WALL, WALL - 100, WALL + 300, True, 10.0))
RECORDING = replace(LIVE, recording=RecordingView("a.rec", 0.0, 2_100_000))

REPLAY_ORDERS: dict[str, tuple[str, tuple[object, ...]]] = {
    "pause": ("p", ("play",)),
    "older": ("[", ("skip", "event", -1)),
    "newer": ("]", ("skip", "event", 1)),
    "previous_resync": ("{", ("skip", "resync", -1)),
    "next_resync": ("}", ("skip", "resync", 1)),
    "previous_relist": ("(", ("skip", "relist", -1)),
    "next_relist": (")", ("skip", "relist", 1)),
    "slower": ("<", ("faster", -1)),
    "faster": (">", ("faster", 1)),
    "speed": (":speed 10x", ("set_speed", 10.0)),
    "replay_at": (":at 25%", ("go", WALL)),
    "find": (":find web", ("find", "web")),
}
_NAMES = {"[": "left_square_bracket", "]": "right_square_bracket", "{": "left_curly_bracket",
          "}": "right_curly_bracket", "(": "left_parenthesis", ")": "right_parenthesis", "<": "less_than_sign",
          ">": "greater_than_sign", "%": "percent_sign"}
RECORD_ORDERS: dict[str, tuple[str, tuple[object, ...]]] = {
    "record_start": (":record start a.rec", ("record", "a.rec")),
    "record_stop": (":record stop", ("record", None)),
}


@pytest.mark.parametrize("action", REPLAY_ORDERS)
async def test_a_key_of_a_replay_reaches_the_recording(action: str) -> None:
    line, order = REPLAY_ORDERS[action]
    spy = Spy(REPLAY, is_demo=False, is_replay=True)
    async with dashboard(spy) as (app, pilot):
        if line in _NAMES:
            await press(app, pilot, _NAMES[line])
        elif line == "p":
            await press(app, pilot, line)
        else:
            app.commands.command(line[1:])
            await app.workers.wait_for_complete()
            await pilot.pause()
        app.draw()
        assert spy.orders == [order]
        assert f"{order[0]} done" in footer(app)


class Searching(Spy):
    """Whose searches never find anything."""

    def __init__(self) -> None:
        super().__init__(REPLAY, is_demo=False, is_replay=True)
        self.threads: dict[str, threading.Thread] = {}

    def find(self, text: str, given_up: Callable[[], bool]) -> Outcome:
        self.threads[text] = threading.current_thread()
        self.orders.append(("find", text))
        while not given_up():
            threading.Event().wait(0.001)
        self.orders.append(("given up", text))
        return Outcome(False, "given up")


async def test_a_search_leaves_the_screen_alone_and_ends_with_the_next_one_and_with_the_app() -> None:
    spy = Searching()
    async with dashboard(spy) as (app, pilot):
        for text in ("a", "b"):
            app.commands.command(f"find {text}")
            while ("find", text) not in spy.orders:
                await pilot.pause()
            assert f"looking for {text}" in footer(app)
        await press(app, pilot, "greater_than_sign")
        assert ("faster", 1) in spy.orders and threading.current_thread() not in spy.threads.values()
        while ("given up", "a") not in spy.orders:
            await pilot.pause()
        assert ("given up", "b") not in spy.orders
    while ("given up", "b") not in spy.orders:
        await asyncio.sleep(0)


@pytest.mark.parametrize("action", RECORD_ORDERS)
async def test_recording_is_an_order(action: str) -> None:
    line, order = RECORD_ORDERS[action]
    spy = Spy()
    async with dashboard(spy) as (_, pilot):
        await typed(pilot, line)
        assert spy.orders == [order]


async def test_a_recording_without_a_name_goes_into_this_folder() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, _):
        app.commands.command("record start")
        ((order, path),) = spy.orders
        assert order == "record" and str(path).startswith("kdash-") and "/" not in str(path)


async def test_the_header_tells_where_the_replay_is_and_what_it_was() -> None:
    spy = Spy(REPLAY, is_demo=False, is_replay=True)
    async with dashboard(spy, size=(120, 40)) as (app, _):
        head = screen_text(app).splitlines()[0]
        assert "[REPLAY " in head and " 10x 25%]" in head and "was LIVE" in head
        assert " ] event" in footer(app) and " p pause" in footer(app)
        spy.picture = replace(REPLAY, replay=ReplayView(WALL, WALL - 100, WALL + 300))
        app.draw()
        assert " p play" in footer(app)
    async with dashboard(spy, size=(60, 20)) as (app, _):
        assert " p play" in footer(app) and " q quit" in footer(app)


@pytest.mark.parametrize(("view", "words"), [
    (ReplayView(WALL, WALL, WALL + 10), "paused 0%]"), (ReplayView(WALL, WALL, WALL), "paused 100%]"),
    (ReplayView(WALL, WALL - 10, WALL + 10, goes_to=WALL + 5), "to "),
    (ReplayView(WALL, WALL - 10, WALL + 10, True, 100.0, reached=54.7), " 55x of 100x 50%]"),
    (ReplayView(WALL, WALL - 10, WALL + 10, True, 100.0, reached=97.0), " 100x 50%]"),
    (ReplayView(WALL, WALL - 10, WALL + 10, True, 0.1, reached=0.05), " 0.05x of 0.1x 50%]"),
    (ReplayView(WALL, WALL - 10, WALL + 10, damage="3 bytes"), "file damaged"),
])
async def test_the_header_of_a_replay(view: ReplayView, words: str) -> None:
    spy = Spy(replace(REPLAY, replay=view), is_demo=False, is_replay=True)
    async with dashboard(spy) as (app, _):
        assert words in screen_text(app).splitlines()[0]


@pytest.mark.parametrize(("line", "words"), [
    ("speed", "say how fast"), ("speed fast", "say how fast"), ("at", "is no time of a recording"),
    ("at 99:99", "is no time"), ("at 1h", "is not in this recording"), ("find", "say a part"),
])
async def test_a_wrong_argument_says_what_would_be_right(line: str, words: str) -> None:
    spy = Spy(REPLAY, is_demo=False, is_replay=True)
    async with dashboard(spy) as (app, pilot):
        app.commands.command(line)
        await pilot.pause()
        assert words in footer(app) and spy.orders == []


def test_what_exists_on_a_replay_only_and_what_elsewhere_only() -> None:
    live, replayed = ({action.id for action in actions_for(False, None, is_replay)} for is_replay in (False, True))
    assert replayed - live == set(REPLAY_ORDERS) - {"pause", "older", "newer"}
    assert live - replayed == set(RECORD_ORDERS)


async def test_a_running_recording_is_told_and_quitting_asks() -> None:
    spy = Spy(RECORDING)
    async with dashboard(spy) as (app, pilot):
        assert "REC 2.1 MB" in screen_text(app).splitlines()[0]
        await press(app, pilot, "q")
        assert isinstance(app.screen, Question) and "end the recording and quit" in screen_text(app)
        await press(app, pilot, "n")
        assert app.return_value is None and app.is_running
        await press(app, pilot, "q", "y")
    assert app.return_value == 0
