"""Themes of the user's own: read from a folder, checked, reloaded when the file changes, previewed in the palette."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdash.ui.themes import BUILT_IN, THEMES
from kdash.ui.theming import BadTheme, own_theme
from tests.ui.showing import screen_text
from tests.ui.spying import Spy, dashboard, footer, press

GOOD = 'base = "kdash-light"\nforeground = "#101010"\n[styles]\nfocus = "bold #7a0000"\n'


@pytest.fixture(autouse=True)
def only_built_in_after() -> Iterator[None]:
    yield
    for name in [name for name in THEMES if name not in BUILT_IN]:
        del THEMES[name]


def write(folder: Path, text: str, name: str = "mine", later: int = 0) -> None:
    path = folder / f"{name}.toml"
    path.write_text(text)
    os.utime(path, ns=(later, later))


@pytest.mark.parametrize(("text", "words"), [
    ("base = [", "no valid TOML"), ('base = "neon"', 'there is no theme "neon"'),
    ('bakground = "#000000"', "background"),
    ('background = "red"', "is a colour such as"), ('[styles]\nfocsu = "bold"', "did you mean focus"),
    ('[styles]\nfocus = "bold of brightness"', "is no style"), ("styles = 3", "is a table"),
])
def test_a_file_that_is_no_theme_says_why(text: str, words: str) -> None:
    with pytest.raises(BadTheme, match=words):
        own_theme("mine", text)


def test_a_theme_that_is_hard_to_read_is_taken_with_a_warning() -> None:
    palette, warning = own_theme("mine", 'background = "#777777"\nforeground = "#888888"\n')
    assert palette.background == "#777777" and "plain text 1.3" in warning
    assert own_theme("mine", GOOD)[1] == ""


async def test_a_theme_in_the_folder_can_be_chosen_and_follows_its_file(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    spy = Spy()
    async with dashboard(spy, themes=tmp_path, theme="mine") as (app, pilot):
        assert app.palette.name == "mine" and app.palette.style("focus").color.name == "#7a0000"  # type: ignore[union-attr]
        spy.picture = spy.picture.__class__(mono=spy.picture.mono + 5)
        write(tmp_path, GOOD.replace("#7a0000", "#003377"), later=10)
        app._slowly_at = 0.0
        app.frame()
        await pilot.pause()
        assert app.objects.palette.style("focus").color.name == "#003377"  # type: ignore[union-attr]


async def test_a_bad_file_is_told_once_and_the_theme_stays(tmp_path: Path) -> None:
    write(tmp_path, "base = 3")
    write(tmp_path, GOOD, name="mono")
    async with dashboard(Spy(), themes=tmp_path) as (app, pilot):
        told = []
        for _ in range(3):
            app._slowly_at = 0.0
            app.frame()
            await pilot.pause()
            told.append(footer(app))
        assert any("there is no theme" in words for words in told) and any("is taken by" in words for words in told)
        assert "mine" not in THEMES and app.palette.name == "kdash-dark"


async def test_no_color_means_mono_unless_a_theme_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with dashboard(Spy(), theme=None) as (app, _):
        assert app.palette.name == "mono"


async def test_the_palette_previews_a_theme_and_escape_takes_it_back() -> None:
    async with dashboard(Spy()) as (app, pilot):
        await press(app, pilot, "colon", *"theme", "space", "m")
        assert app.palette.name == "mono"
        await press(app, pilot, "escape")
        assert app.palette.name == "kdash-dark"
        await press(app, pilot, "colon", *"theme", "space", "m", "enter")
        assert app.palette.name == "mono"


async def test_a_theme_changes_nothing_but_colours() -> None:
    async with dashboard(Spy()) as (app, pilot):
        app.objects.set_filter("web")
        await press(app, pilot, "7", "k", "m")
        before = screen_text(app)
        await press(app, pilot, "T")
        app.say("")
        app._message_until = 0.0
        app.draw(everything=True)
        await pilot.pause()
        assert screen_text(app) == before
