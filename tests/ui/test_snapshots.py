"""What the whole screen looks like in each state, at each size. New pictures: `--snapshot-update`, then look."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from kdash.ui.layout import PANES
from kdash.ui.themes import THEMES
from tests.ui.showing import SIZES, assert_whole, make_app, screen_text, showing
from tests.ui.states import HOSTILE, STATES, Still, hostile_snapshot

SCREENS = Path(__file__).parent / "screens"
UPDATE = "--snapshot-update" in sys.argv

def assert_as_stored(text: str, name: str) -> None:
    """The screen equals the stored one; with `--snapshot-update` it is stored."""
    path = SCREENS / f"{name}.txt"
    if UPDATE:
        SCREENS.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} looks different now"


async def drawn(state: str, size: str, theme: str = "kdash-dark", ascii_only: bool = False) -> str:
    async with showing(Still(STATES[state]), SIZES[size], theme, ascii_only) as (app, pilot):
        app.objects.move(3)
        app.draw(everything=True)
        await pilot.pause()
        assert_whole(app)
        return screen_text(app) + "\n"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", STATES)
async def test_the_screen_in_each_state(state: str, size: str) -> None:
    assert_as_stored(await drawn(state, size), f"{state}-{size}")


@pytest.mark.parametrize("size", ["80x24", "120x40"])
@pytest.mark.parametrize("state", ["live", "syncing", "retry", "denied", "held"])
async def test_the_screen_in_ascii(state: str, size: str) -> None:
    text = await drawn(state, size, ascii_only=True)
    assert text.isascii()
    assert_as_stored(text, f"{state}-{size}-ascii")


@pytest.mark.parametrize("theme", sorted(THEMES))
async def test_no_theme_changes_the_words(theme: str) -> None:
    still = Still()
    async with showing(still) as (app, pilot):
        for picture in STATES.values():
            still.picture = picture
            app.set_theme("kdash-dark")
            await pilot.pause()
            dark = screen_text(app)
            app.set_theme(theme)
            await pilot.pause()
            assert screen_text(app) == dark


@pytest.mark.parametrize("width,height", [(49, 12), (50, 11), (40, 10), (1, 1)])
async def test_a_terminal_that_is_too_small_says_what_it_needs(width: int, height: int) -> None:
    async with showing(Still(), (width, height)) as (app, _):
        assert screen_text(app).startswith("make me bigger (need 50x12)"[:width - 1])


@pytest.mark.parametrize("size", [(50, 12), (79, 24), (80, 24), (95, 30), (112, 36), (119, 60), (180, 48), (300, 80)])
@pytest.mark.parametrize("state", ["live", "many"])
async def test_every_size_is_filled_exactly(size: tuple[int, int], state: str) -> None:
    async with showing(Still(STATES[state]), size) as (app, _):
        assert_whole(app)
        assert "Objects" in screen_text(app) or "objects" in screen_text(app)


@pytest.mark.parametrize("size", [(50, 12), *SIZES.values()])
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_hostile_text_stays_text_in_every_pane(size: tuple[int, int], ascii_only: bool) -> None:
    async with showing(Still(hostile_snapshot(), HOSTILE), size, ascii_only=ascii_only) as (app, pilot):
        for name in PANES if app.laid_out.mode in ("single", "compact") else ("objects", "events"):
            if app.chosen != name:
                app.choose(name)
            app.objects.go(bottom=name != "objects")
            await pilot.pause()
            app.draw(everything=True)
            await pilot.pause()
            assert_whole(app)
            assert "pane error" not in screen_text(app)


@pytest.mark.parametrize("tab", ["History", "YAML", "Diff", "Path"])
async def test_hostile_text_stays_text_in_inspect(tab: str) -> None:
    async with showing(Still(hostile_snapshot(), HOSTILE), SIZES["200x60"]) as (app, pilot):
        app.inspect_pane.choose_tab(tab)
        seen = 0
        for _ in range(8):
            app.objects.move(1)
            app.draw()
            await pilot.pause()
            assert_whole(app)
            assert "pane error" not in screen_text(app)
            seen += f" {tab} " in screen_text(app)
        assert seen >= 4


@pytest.mark.parametrize("size,theme,ascii_only", [
    ("80x24", "kdash-dark", False), ("120x40", "kdash-dark", False), ("200x60", "kdash-dark", False),
    ("80x24", "kdash-light", False), ("80x24", "mono", False), ("80x24", "mono", True),
], ids=["80x24-dark", "120x40-dark", "200x60-dark", "80x24-light", "80x24-mono", "80x24-ascii"])
def test_picture_live(size: str, theme: str, ascii_only: bool, snap_compare: Any) -> None:
    app = make_app(Still(), theme, ascii_only)

    async def draw(pilot: Any) -> None:
        await pilot.pause()
        app.draw(everything=True)
        await pilot.pause()

    assert snap_compare(app, terminal_size=SIZES[size], run_before=draw)
