"""The scrub bar of a replay: where the playhead, the lists and the resyncs are, and where a click goes."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from kdash.probe.snapshot import ReplayView
from kdash.ui.glyphs import ASCII, UNICODE, Glyphs
from kdash.ui.layout import lay_out
from kdash.ui.presenter.scrub import instant_at, scrub_line
from kdash.ui.spans import line_width
from tests.ui.showing import SIZES, screen_text
from tests.ui.spying import Spy, dashboard
from tests.ui.states import LIVE, WALL

VIEW = ReplayView(WALL, WALL - 100, WALL + 300)


def bar(view: ReplayView, width: int = 80, glyphs: Glyphs = ASCII) -> str:
    """The cells between the two clocks."""
    made = scrub_line(view, glyphs, width)
    assert line_width(made) == width
    text = "".join(text for text, _ in made)
    first, last = (time.strftime("%H:%M:%S", time.localtime(at)) for at in (view.first_at, view.last_at))
    assert text.startswith(f" {first} {glyphs.next}") and f"{glyphs.arrow} {last} " in text
    return text.partition(glyphs.next)[2].rpartition(f"{glyphs.arrow} {last}")[0]


def places(view: ReplayView, mark: str, width: int = 80) -> list[int]:
    return [at for at, cell in enumerate(bar(view, width)) if cell == mark]


@pytest.mark.parametrize("width", [50, 80, 120, 200])
@pytest.mark.parametrize(("at", "share"), [(-100, 0.0), (0, 0.25), (300, 1.0), (-999, 0.0), (999, 1.0)])
def test_the_playhead_stands_where_it_is_in_time(width: int, at: float, share: float) -> None:
    view = replace(VIEW, at=WALL + at)
    assert places(view, "o", width) == [round(share * (len(bar(view, width)) - 1))]


def test_lists_are_marked_and_resyncs_unless_they_would_fill_it() -> None:
    view = replace(VIEW, at=WALL - 50, relists=(WALL - 100, WALL + 300), resyncs=(WALL, WALL + 100))
    last = len(bar(view)) - 1
    assert places(view, "R") == [0, last]
    assert places(view, "r") == [round(0.25 * last), round(0.5 * last)]
    dense = replace(view, resyncs=tuple(WALL + number for number in range(-100, 300)))
    assert places(dense, "r") == [] and places(dense, "R") == [0, last]


def test_where_it_is_on_its_way_to_is_marked() -> None:
    view = replace(VIEW, goes_to=WALL + 200)
    assert places(view, ">") == [round(0.75 * (len(bar(view)) - 1))]


def test_a_recording_of_one_instant_has_a_bar() -> None:
    assert bar(ReplayView(WALL, WALL, WALL)).endswith("o")
    assert instant_at(ReplayView(WALL, WALL, WALL), ASCII, 80, 30) == WALL


def test_a_cell_is_the_instant_that_it_marks() -> None:
    start = len(" 00:00:00 <")
    length = len(bar(VIEW))
    for cell in (0, 7, length // 2, length - 1):
        at = instant_at(VIEW, UNICODE, 80, start + cell)
        assert at is not None
        assert places(replace(VIEW, at=at), "o") == [cell]
    assert instant_at(VIEW, UNICODE, 80, start - 1) is None
    assert instant_at(VIEW, UNICODE, 80, start + length) is None


@pytest.mark.parametrize("size", [(50, 12), (79, 23), (80, 24), (112, 36), (120, 40), (180, 48), (200, 60), (80, 60)])
@pytest.mark.parametrize("zoomed", [False, True])
def test_it_has_a_line_of_its_own_in_every_layout(size: tuple[int, int], zoomed: bool) -> None:
    width, height = size
    plain, scrubbed = (lay_out(width, height, zoomed=zoomed, scrub=scrub) for scrub in (False, True))
    assert plain.mode == scrubbed.mode and "scrub" not in plain.rects
    taken = [0] * height
    for rect in scrubbed.rects.values():
        assert rect.height > 0
        for y in range(rect.y, rect.y + rect.height):
            taken[y] += rect.width
    assert taken == [width] * height


@pytest.mark.parametrize("size", SIZES)
async def test_a_click_goes_there(size: str) -> None:
    spy = Spy(replace(LIVE, replay=VIEW), is_demo=False, is_replay=True)
    async with dashboard(spy, SIZES[size]) as (app, pilot):
        app.draw()
        await pilot.pause()
        row = screen_text(app).splitlines()[-2]
        x = row.index("●")
        await pilot.click("#scrub", offset=(x, 0))
        await pilot.click("#scrub", offset=(2, 0))  # the clock is no part of it
        await pilot.pause()
        ((order, at),) = spy.orders
        assert order == "go" and at == pytest.approx(WALL, abs=400 / len(row))


async def test_a_live_observation_has_none() -> None:
    async with dashboard(Spy(LIVE)) as (app, _):
        assert not app.scrub.display
