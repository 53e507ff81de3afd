"""Where the cursor stays, when the log is followed, what the mouse does, what a pause holds back."""

from __future__ import annotations

from dataclasses import replace

from kdash.probe.objects import ObjectRef
from tests.ui.showing import screen_text, showing
from tests.ui.states import LIVE, NOW, Still


async def test_the_selection_follows_the_object_when_rows_appear_above() -> None:
    still = Still()
    async with showing(still) as (app, pilot):
        app.objects.move(3)
        app.draw()
        chosen = app.objects.selected_ref
        for number in range(30):
            still.objects.put("pods", f"aaa/new-{number:02}", "1", NOW, 100)
        app.draw()
        await pilot.pause()
        assert chosen is not None and app.objects.selected_ref == chosen
        assert chosen.key.partition("/")[2] in screen_text(app)


async def test_following_stops_at_the_first_move_up_and_resumes_at_the_end() -> None:
    still = Still()
    async with showing(still) as (app, pilot):
        app.events_pane.move(-1)
        app.draw()
        chosen = app.events_pane.selected_line
        assert not app.events_pane.following and chosen is not None and chosen.number == still.events.total - 1
        for number in range(40):
            still.events.append(NOW, "APP", f"line {number}")
        app.draw()
        await pilot.pause()
        assert app.events_pane.selected_line == chosen
        assert "line 39" not in screen_text(app) and "40 new below" in screen_text(app)
        app.events_pane.move(100)
        app.draw()
        await pilot.pause()
        assert app.events_pane.following and "line 39" in screen_text(app)


async def test_a_click_chooses_the_pane_and_the_row() -> None:
    async with showing(Still()) as (app, pilot):
        rect = app.laid_out.rects["objects"]
        await pilot.click(offset=(rect.x + 8, rect.y + 4))
        await pilot.pause()
        assert app.objects.selected_ref == ObjectRef("pods", "default/web-6d1b-aa0")
        rect = app.laid_out.rects["events"]
        await pilot.click(offset=(rect.x + 8, rect.y + 5))
        await pilot.pause()
        chosen = app.events_pane.selected_ref
        assert app.chosen == "events" and chosen == ObjectRef("pods", "default/web-7f9c-x2p")


async def test_marks_stay_on_their_lines_and_can_be_visited() -> None:
    still = Still()
    async with showing(still) as (app, pilot):
        app.events_pane.mark()
        marked = still.events.total - 1
        for number in range(40):
            still.events.append(NOW, "APP", f"line {number}")
        app.draw()
        app.events_pane.next_mark(-1)
        app.draw()
        await pilot.pause()
        chosen = app.events_pane.selected_line
        assert chosen is not None and chosen.number == marked
        assert "*WATCH" in screen_text(app)


async def test_a_pause_freezes_the_whole_screen_and_counts_what_it_holds_back() -> None:
    still = Still()
    async with showing(still) as (app, pilot):
        app.commands.run("pause")
        await pilot.pause()
        before = screen_text(app).split("\n")[1:-1]
        still.objects.put("pods", "aaa/newcomer", "1", NOW, 100)
        handlers = (LIVE.handlers[0], replace(LIVE.handlers[1], pending=4321), *LIVE.handlers[2:])
        still.picture = replace(LIVE, mono=LIVE.mono + 2.0, handlers=handlers, api=replace(LIVE.api, requests=777),
                                events_total=LIVE.events_total + 231)
        for key in ("down", "up"):
            await pilot.press(key)
            app.draw()
            await pilot.pause()
        assert screen_text(app).split("\n")[1:-1] == before
        assert "[PAUSED 14:13:20 · +231 events]" in screen_text(app)
        app.commands.command("filter cart")
        assert (app.look.objects.filter_text, still.objects.filter_text) == ("cart", "")
        assert 0 < app.look.objects.matches < app.look.objects.objects
        app.commands.run("pause")
        await pilot.pause()
        text = screen_text(app)
        assert "+4321" in text and "requests 777" in text and "PAUSED" not in text
        assert still.objects.filter_text == "cart", "what was chosen meanwhile stays"


async def test_a_filter_that_matches_nothing_says_so() -> None:
    async with showing(Still()) as (app, pilot):
        app.objects.set_filter("nowhere")
        app.draw()
        await pilot.pause()
        assert "0 of 42 match /nowhere" in screen_text(app)


async def test_a_resize_lays_out_for_the_new_size() -> None:
    async with showing(Still(), (200, 60)) as (app, pilot):
        for size, mode in (((80, 24), "compact"), ((40, 10), "tiny"), ((60, 20), "single"), ((200, 60), "large")):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert app.laid_out.mode == mode
            assert len(screen_text(app).split("\n")) == size[1]


async def test_a_failing_pane_leaves_the_others_running() -> None:
    still = Still()
    async with showing(still) as (app, pilot):
        still.picture = replace(LIVE, queue=None)  # type: ignore[arg-type]
        app.draw()
        await pilot.pause()
        text = screen_text(app)
        assert "pane error" in text and "2 Objects" in text
