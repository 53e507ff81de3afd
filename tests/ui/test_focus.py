"""Keys act on the pane that has the focus, or say why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kdash.probe.objects import ObjectIndex
from kdash.probe.snapshot import ChangeView, VersionView
from kdash.ui.glyphs import ASCII, UNICODE
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.inspect import history_lines
from kdash.ui.presenter.resync import resync_lines, resync_title
from tests.ui.showing import screen_text
from tests.ui.spying import Spy, dashboard, footer, press
from tests.ui.states import LIVE


@pytest.mark.parametrize("pane", ["1", "3", "4", "5", "6"])
async def test_keys_of_the_tree_leave_it_alone_while_another_pane_has_the_focus(pane: str) -> None:
    async with dashboard(Spy()) as (app, pilot):
        before, rows = app.objects.selected, app.observation.objects.total
        await press(app, pilot, pane)
        for key in ("G", "g", "h", "l", "space", "pagedown"):
            said = await press(app, pilot, key)
            assert (app.objects.selected, app.observation.objects.total) == (before, rows)
            if pane not in "45" or key in ("h", "l", "space"):
                assert f"does nothing in pane {pane}" in said and "press 2 (objects)" in said


async def test_an_order_of_rows_names_its_pane_and_is_taken_from_anywhere() -> None:
    async with dashboard(Spy()) as (app, pilot):
        assert "does nothing in pane 1 (pipeline)" in await press(app, pilot, "1", "o")
        app.commands.command("sort updates")
        assert app.observation.objects.order == "updates"


async def test_resync_comes_back_when_the_focus_leaves_the_pane_that_was_swapped_in() -> None:
    async with dashboard(Spy(), size=(80, 24)) as (app, pilot):
        await press(app, pilot, "3")
        assert "queue" in app.laid_out.rects and "resync" not in app.laid_out.rects
        await press(app, pilot, "6")
        assert {"queue", "api"} <= app.laid_out.rects.keys()
        await press(app, pilot, "1")
        assert {"resync", "handlers"} <= app.laid_out.rects.keys()


def test_a_filter_shows_matches_in_a_folded_group_and_the_folds_come_back_after_it() -> None:
    index = ObjectIndex()
    for key in ("default/api-0", "default/web-0", "shop/web-1"):
        index.put("pods", key, "1", 0.0, 10)
    index.fold("pods", "default", True)
    index.set_filter("web")
    assert [(row.level, row.name) for row in index.rows(0, 9)] == [(1, ""), (2, "web-0"), (1, ""), (2, "web-1")]
    index.fold("pods", "shop", True)
    assert [row.name for row in index.rows(0, 9)] == ["", "web-0", ""]
    index.set_filter("")
    assert [(row.folded, row.name) for row in index.rows(0, 9)] == [(True, ""), (False, ""), (False, "web-1")]


def test_ascii_keeps_what_an_inequality_says() -> None:
    assert ASCII.plain("client-go ≤ 1.32, ≥ 1.36") == "client-go <=1.32, >=1.36"
    assert len(ASCII.plain("client-go ≤ 1.32")) == len("client-go ≤ 1.32")
    assert ASCII.plain("≤1") == "?1"


async def test_diff_after_a_resync_is_that_of_the_last_update() -> None:
    versions = (VersionView(1, "100", "Replaced", "list", 1.0, 9, True),
                VersionView(2, "105", "Updated", "watch", 2.0, 9, True),
                VersionView(3, "105", "Sync", "resync", 3.0, 0, False, 2))  # fmt: skip

    class Synced(Spy):
        def history(self, ref: object) -> tuple[VersionView, ...]:
            return versions

        def changes(self, ref: object, old: int, new: int) -> tuple[ChangeView, ...]:
            return (ChangeView("~", "status.phase", '"Pending"', '"Running"'),) if (old, new) == (1, 2) else ()

    async with dashboard(Synced()) as (app, pilot):
        await press(app, pilot, "d")
        await pilot.pause()
        text = screen_text(app)
        assert "status.phase" in text and "100 → 105" in text
        assert "Sync ×2 by resync" in text and "one resource version (105)" in text
    lines = ["".join(span[0] for span in row) for row in history_lines(Context(LIVE, UNICODE, 120, 20), versions, 0)]
    assert "old and new are the same object at one resource version" in " ".join(lines)


async def test_a_changed_period_tells_that_the_tick_starts_anew_and_offers_the_faithful_way() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        await press(app, pilot, "4", "equals_sign")
        text = " ".join(screen_text(app).split())
        assert "restarts the check tick (kdash extension)" in text and "faithful 30s" in text
        await pilot.press(*["space" if each == " " else each for each in "faithful 7s audit"], "enter")
        await pilot.pause()
        assert spy.orders == [("register_again", "audit", 7.0)]
        app.draw()
        assert "register_again done" in footer(app)
    restarted = replace(LIVE, resync=replace(LIVE.resync, restarted_at=LIVE.mono - 3))
    for width, height in ((33, 9), (56, 9)):
        context = Context(restarted, UNICODE, width, height)
        assert "restarted" in resync_title(context)
        assert any("3s ago" in span[0] for row in resync_lines(context) for span in row)


def test_when_a_handler_fires_is_never_cut() -> None:
    hands = tuple(replace(hand, fires_at=LIVE.mono + 5400, ticks_until=540) for hand in LIVE.resync.hands)
    rows = resync_lines(Context(replace(LIVE, resync=replace(LIVE.resync, hands=hands)), UNICODE, 56, 12))
    text = "\n".join("".join(span[0] for span in row) for row in rows)
    assert "1h30m" in text and "(540 tic…" not in text and "…" not in text
