"""Whatever is typed, and however quickly: nothing ends kdash, no key goes to the wrong place, floods are capped."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Input

from kdash.ui.app import KdashApp
from kdash.ui.intake import TYPED_MAX, WAITING_MAX, Intake, Typed, portions
from kdash.ui.screens.jump import JumpScreen
from kdash.ui.screens.prompt import Palette, Prompt, Question
from kdash.ui.screens.reader import Reader
from tests.ui.spying import Spy, dashboard, footer
from tests.ui.states import LIVE

_NAMES = {"\r": "enter", "\x1b": "escape", "\x0f": "ctrl+o"}


def keys(text: str) -> list[Key]:
    return [Key(_NAMES.get(each) or _character_to_key(each), None if each in "\x1b\x0f" else each) for each in text]


def typed_at_once(app: KdashApp, text: str) -> None:
    """As the driver hands it over: before anything of it could be obeyed."""
    for key in keys(text):
        app.receive(key)


async def obeyed(pilot: Pilot[int], app: KdashApp) -> None:
    while not app._intake.is_empty or (app._obeying is not None and not app._obeying.done()):
        await pilot.pause()
    await pilot.pause()


PROMPTS = {"filter": "/", "palette": ":", "period": "=", "explain": "e", "faults": "X", "jump": "\x0f", "help": "?"}


@pytest.mark.parametrize("opens", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("then", ["\r\r", "\x1b\x1b", "aa", "\rq", "z\r\r\r"])
async def test_a_screen_is_dismissed_once_whatever_is_typed(
    opens: str, then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All events are in the queues before the first is looked at: the second one finds a screen that was left."""
    monkeypatch.chdir(tmp_path)  # exports go here
    async with dashboard(Spy(LIVE)) as (app, pilot):
        for key in keys(opens):
            await pilot.press(key.key)
        for key in keys(then):
            app.post_message(key)
        for _ in range(4):
            await pilot.pause()
        assert app.crash is None and app.screen_stack


async def test_what_is_typed_behind_a_prompts_enter_is_meant_for_what_comes_after_it() -> None:
    async with dashboard(Spy(LIVE)) as (app, pilot):
        typed_at_once(app, "/web\r:pause\r?")
        await obeyed(pilot, app)
        assert isinstance(app.screen, Reader)
        assert app.observation.objects.filter_text == "web" and app.frozen is not None


async def test_a_prompt_that_is_not_drawn_yet_gets_its_keys_in_order() -> None:
    async with dashboard(Spy(LIVE)) as (app, pilot):
        typed_at_once(app, "/abc/def")
        app.receive(Typed("g" * 40))
        typed_at_once(app, "h")
        await obeyed(pilot, app)
        assert isinstance(app.screen, Prompt)
        assert app.screen.query_one(Input).value == "abc/def" + "g" * 40 + "h"


async def test_jump_takes_one_letter_and_leaves_the_next_to_the_dashboard() -> None:
    async with dashboard(Spy(LIVE)) as (app, pilot):
        typed_at_once(app, "\x0fa?")
        await obeyed(pilot, app)
        assert not isinstance(app.screen, JumpScreen) and isinstance(app.screen, Reader)


@pytest.mark.parametrize("opens", ["/", ":"])
async def test_a_prompt_takes_so_many_characters_and_says_so(opens: str) -> None:
    async with dashboard(Spy(LIVE)) as (app, pilot):
        typed_at_once(app, opens)
        await obeyed(pilot, app)
        app.receive(Typed("j" * 100_000))
        await obeyed(pilot, app)
        assert isinstance(app.screen, Prompt | Palette)
        assert len(app.screen.query_one(Input).value) == TYPED_MAX
        await pilot.press("escape")
        app.draw()
        assert "dropped" in footer(app)


def test_a_flood_is_capped_and_counted_and_what_ends_a_prompt_is_never_dropped() -> None:
    intake = Intake()
    for key in keys("j" * 9_000):
        intake.put(key)
    intake.put(Typed("k" * 100_000))
    intake.put(Key("enter", "\r"))
    taken = intake.take(whole=True)
    assert isinstance(taken, Typed) and taken == "j" * WAITING_MAX
    assert intake.dropped() == 9_000 - WAITING_MAX + 100_000 and intake.dropped() == 0
    last = intake.take(whole=True)
    assert isinstance(last, Key) and last.key == "enter" and intake.take(whole=True) is None
    intake.put(Typed("x" * 10))
    assert [intake.take(whole=False).key for _ in range(10)] == ["x"] * 10  # type: ignore[union-attr]
    assert intake.is_empty


def test_only_plain_runs_pass_by_the_parser() -> None:
    """Never a part of an escape sequence or of a bracketed paste, however the terminal's output is cut."""
    text = ("a" * 50 + "\x1b[<0;12;" + "3" * 40 + "M" + "b" * 40 + "\x1b[200~" + "c" * 90 + "\x1b[201~" + "ok" * 60
            + "\x1b[A" + "d" * 200)
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    for _ in range(300):
        cut, at, plain, whole = portions(), 0, "", ""
        while at < len(text):
            step = rng.randint(1, 120)
            for part, is_plain in cut(text[at : at + step]):
                whole += part
                plain += part if is_plain else ""
            at += step
        assert whole == text, seed
        assert not set(plain) & set("c3M\x1b"), seed


async def test_a_question_is_answered_once() -> None:
    async with dashboard(Spy(LIVE)) as (app, pilot):
        answers: list[bool | None] = []
        app.push_screen(Question("really?"), answers.append)
        await pilot.pause()
        for _ in range(3):
            app.post_message(Key("y", "y"))
        await pilot.pause()
        await pilot.pause()
        assert answers == [True]


