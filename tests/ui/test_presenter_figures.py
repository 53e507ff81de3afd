"""How figures read: never cut, never zero where something is, never a bar where nothing is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kdash.probe.events import EventLog
from kdash.probe.snapshot import FaultView, StateView, TrendView
from kdash.ui.glyphs import ASCII, UNICODE
from kdash.ui.layout import lay_out
from kdash.ui.presenter.api import api_lines, api_title, short_path
from kdash.ui.presenter.context import Context, count, first_that_fits, latency, whole
from kdash.ui.presenter.events import event_row
from kdash.ui.presenter.handlers import handlers_lines
from kdash.ui.presenter.header import header_line, state_word
from kdash.ui.presenter.pipeline import pipeline_lines, pipeline_strip, pulses
from kdash.ui.presenter.queue import queue_lines, queue_title
from kdash.ui.presenter.resync import resync_lines
from kdash.ui.spans import Line, line_width, sparkline
from tests.ui.showing import SIZES, screen_text, showing
from tests.ui.states import LIVE, MANY, NOW, SLOW, STATES, Still


def text_of(lines: list[Line] | Line) -> str:
    rows = lines if isinstance(lines, list) else [lines]
    return "\n".join("".join(text for text, _ in row) for row in rows)


def context(state: str = "live", width: int = 57, height: int = 7, **more: object) -> Context:
    return Context(STATES[state], UNICODE, width, height, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds,text", [(0.0, "<0.1ms"), (0.00006, "0.1ms"), (0.22, "220ms"), (1.2, "1.2s")])
def test_a_latency_is_never_zero(seconds: float, text: str) -> None:
    assert latency(seconds) == text


def test_what_was_never_counted_is_a_dash() -> None:
    assert latency(0.0, 0) == "-"


@pytest.mark.parametrize("seconds,text", [(-3, "0s"), (0.2, "0s"), (0.6, "1s"), (234, "3m54s")])
def test_countdowns_are_whole_seconds(seconds: float, text: str) -> None:
    assert whole(seconds) == text


@pytest.mark.parametrize("number,text", [(9999, "9999"), (12_345, "12.3k"), (123_456, "123k"), (1_234_567, "1.2M"),
                                         (123_456_789, "123M")])
def test_a_count_takes_five_cells_at_most(number: int, text: str) -> None:
    assert count(number) == text
    assert len(text) <= 5


def test_the_longest_wording_that_fits_is_taken() -> None:
    assert first_that_fits(("three words here", "two words", "one"), 9) == "two words"
    assert first_that_fits(("three words here", "two words"), 3) == "two words"


@pytest.mark.parametrize("rate,length,expected", [(0, 9, 0), (0.1, 9, 1), (9, 9, 1), (50, 9, 2), (5_000, 9, 4),
                                                  (1e9, 9, 5), (1e9, 4, 2)])
def test_pulses_grow_with_the_rate_and_leave_gaps(rate: float, length: int, expected: int) -> None:
    assert pulses(rate, length) == expected


def test_reduced_motion_draws_no_pulse_and_no_bar() -> None:
    moving = text_of(pipeline_lines(context(width=117)))
    still = text_of(pipeline_lines(context(width=117, motion=False)))
    assert "●" in moving and "●" not in still
    assert "4.6/s" in still
    assert "█" not in text_of(resync_lines(context(motion=False)))


def test_a_pipeline_in_which_nothing_flows_has_no_pulse() -> None:
    assert "●" not in text_of(pipeline_lines(context("quiet", width=117)))


def test_a_broken_stream_is_drawn_and_said() -> None:
    text = text_of(pipeline_lines(context("retry", width=117)))
    assert "x───x" in text
    assert "!! connection refused: 127.0.0.1:6443 (retry 3 in 8s)" in text


def test_the_gate_is_drawn_where_it_holds() -> None:
    assert text_of(pipeline_strip(context("held", width=80))).count("||") == 2
    only_queue = replace(STATES["held"], gate=replace(STATES["held"].gate, stage="queue"))
    strip = text_of(pipeline_strip(Context(only_queue, UNICODE, 80, 1)))
    assert strip.index("||") < strip.index("CACHE") and strip.count("||") == 1


def test_the_strip_names_handlers_in_trouble_before_the_others() -> None:
    strip = text_of(pipeline_strip(context(width=70)))
    assert "slow +118 SLOW" in strip and "2 more" in strip
    assert all(line_width(pipeline_strip(context(width=width))) <= width for width in range(60, 100))


def test_handlers_of_several_informers_are_told_apart_everywhere() -> None:
    others = tuple(replace(handler, informer="secrets") for handler in LIVE.handlers[:1])
    two = replace(LIVE, handlers=(LIVE.handlers[0], *others))
    for lines in (
        handlers_lines(Context(two, UNICODE, 90, 12)), pipeline_lines(Context(two, UNICODE, 196, 8)),
        pipeline_strip(Context(two, UNICODE, 120, 1)),
    ):  # fmt: skip
        assert "audit/pods" in text_of(lines) and "audit/secrets" in text_of(lines)


@pytest.mark.parametrize("width", range(34, 130, 5))
def test_no_figure_of_a_handler_is_ever_cut(width: int) -> None:
    lines = handlers_lines(Context(MANY, UNICODE, width, 12))
    assert all(line_width(row) <= width for row in lines[:10])
    assert all("…" not in "".join(text for text, _ in row[1:]) for row in lines[1:10])
    assert "1.2M" in text_of(lines)
    assert "+123k" in text_of(lines)


def test_a_backlog_that_grows_never_drains() -> None:
    assert "slow falls behind: +0.5/s over 60s, 118 waiting" in text_of(handlers_lines(context()))


def test_a_backlog_that_shrinks_says_when_it_is_gone() -> None:
    shrinking = replace(LIVE, handlers=(replace(SLOW, trend=TrendView("shrinks", 60, -2.0, 200)),))
    assert "catches up in about 1m" in text_of(handlers_lines(Context(shrinking, UNICODE, 57, 7)))


def test_an_error_of_a_handler_comes_before_everything_else() -> None:
    lines = handlers_lines(context("failing", width=97, height=8))
    assert "KeyError: 'app'" in text_of(lines[4])
    assert " ERR" in text_of(lines[2])


def test_a_raised_resync_period_is_marked_and_explained() -> None:
    assert "10s ^min" in text_of(resync_lines(context(height=9)))
    assert "raised to the informer's check tick" in text_of(resync_lines(context(height=9)))
    assert "10s^" in text_of(resync_lines(context(width=34, height=4)))


def test_a_handler_fires_at_the_first_tick_after_it_is_due() -> None:
    assert "12s      14s (2 ticks)" in text_of(resync_lines(context()))


def test_the_queue_names_its_engine_and_versions() -> None:
    assert queue_title(context(width=50)) == "Queue  DeltaFIFO  depth 3  peak 42"
    assert "DeltaFIFO (client-go ≤ 1.32)" in queue_title(context(width=70))
    assert "engine: client-go ≤ 1.32" in text_of(queue_lines(context("quiet", width=40, height=10)))


@pytest.mark.parametrize("state,words", [("syncing", "filling from the first full state: 1500 received"),
                                         ("retry", "drained, waiting for the watch"), ("held", "HELD 12"),
                                         ("empty", "empty, last pop 0s ago")])
def test_the_queue_says_its_state(state: str, words: str) -> None:
    assert words in text_of(queue_lines(context(state)))


def test_a_path_keeps_what_tells_requests_apart() -> None:
    path = "/api/v1/pods?allowWatchBookmarks=true&resourceVersion=10790&timeoutSeconds=480&watch=true"
    assert short_path(path, 40) == "/api/v1/pods?rv=10790"


def test_the_open_watch_shows_its_age_and_its_end() -> None:
    text = text_of(api_lines(context()))
    assert "3m54s" in text and "ends in 4m06s" in text


def test_the_api_pane_says_what_kdash_costs_and_what_the_cache_saved() -> None:
    text = text_of(api_lines(context(width=97, height=9)))
    assert "kdash costs this server: 2 requests, 1.2 MB, 1 open watch, 0 writes" in text
    assert "from the cache, 0 requests: 1260 notifications, 3 reads" in text


def test_a_narrow_title_drops_a_figure_as_a_whole() -> None:
    assert "MB" not in text_of(tuple(api_title(context(width=33))))


@pytest.mark.parametrize("state,word", [("live", "[LIVE]"), ("syncing", "[SYNCING 1500]"), ("retry", "[RETRY 8s]"),
                                        ("stale", "[STALE 45s]"), ("held", "[HELD 15]"), ("denied", "[DENIED]"),
                                        ("stopped", "[STOPPED]"), ("starting", "[STARTING]")])
def test_the_state_word(state: str, word: str) -> None:
    assert state_word(STATES[state], NOW)[0] == word
    assert state_word(STATES[state], NOW, 231)[0] == "[PAUSED 14:13:20 · +231 events]"


def test_a_quiet_resource_is_not_stale() -> None:
    assert "quiet 5m" in text_of(header_line(context("quiet", width=120), NOW, None, None))


def test_the_header_tells_a_quiet_watch_from_a_stalled_one() -> None:
    quiet = replace(STATES["quiet"], last_event_at=NOW - 61, resource_version="")

    def header(**watch: Any) -> str:
        view = replace(quiet.informers[0], **watch)
        shown = replace(context("quiet", width=160), snapshot=replace(quiet, informers=(view,)))
        return text_of(header_line(shown, NOW, None, None))

    assert "quiet 61s" in header(last_bookmark_at=None)
    assert "last bookmark 40s ago" in header(last_bookmark_at=NOW - 40)
    assert "stalled 80s, reopened" in header(silence="reopened", silence_at=NOW - 5, silent_s=80.0)
    assert "stalled" not in header(silence="reopened", silence_at=NOW - 70, silent_s=80.0)
    assert state_word(replace(quiet, state=StateView("SUSPECT", "no byte")), NOW)[0] == "[SUSPECT]"


def test_pane_6_says_where_a_dead_connection_cannot_be_told_from_a_quiet_one() -> None:
    live = STATES["live"]
    shown = replace(context("live", width=100, height=14), snapshot=replace(
        live, informers=tuple(replace(each, silence="unproven") for each in live.informers)))
    assert "a dead connection cannot be told from a quiet one on this server" in text_of(api_lines(shown))


def test_the_header_drops_whole_parts_from_the_right() -> None:
    for width in range(50, 121):
        assert line_width(header_line(context(width=width), NOW, None, 0.003)) <= width


def test_an_event_that_is_too_long_loses_whole_parts() -> None:
    log = EventLog()
    log.append(1.0, "HANDLER", "812ms (limit 100ms)  pending 115", verb="slow OnUpdate", key="default/web-7f9c-q8k")
    found = log.line(0)
    assert found is not None
    for width in range(60, 100):
        text = text_of(event_row(found, 2.0, width, UNICODE, False, False)).rstrip()
        assert text.endswith(("115", "100ms) …", "812ms …", "812ms", "100ms)")), text


def test_equal_events_are_folded_into_one_line() -> None:
    log = EventLog()
    for _ in range(8):
        log.append(1.0, "API", "connection refused", fold=True)
    found = log.line(0)
    assert log.total == 1 and found is not None
    assert "×8" in text_of(event_row(found, 2.0, 80, UNICODE, False, False))


def test_wide_characters_keep_their_width_in_ascii() -> None:
    assert ASCII.plain("漢x") == "??x"


def test_a_sparkline_of_nothing_is_empty() -> None:
    assert sparkline((0, 0), 5, UNICODE.blocks) == "     "
    assert sparkline((0, 8), 4, UNICODE.blocks) == "   █"


@pytest.mark.parametrize("width", [50, 79, 80, 100, 111, 112, 150, 179, 180, 250])
@pytest.mark.parametrize("height", [12, 23, 24, 35, 36, 47, 48, 80])
def test_rectangles_fill_the_terminal_and_never_overlap(width: int, height: int) -> None:
    rects = lay_out(width, height).rects.values()
    assert sum(rect.width * rect.height for rect in rects) == width * height
    taken: set[tuple[int, int]] = set()
    for rect in rects:
        cells = {(x, y) for x in range(rect.x, rect.x + rect.width) for y in range(rect.y, rect.y + rect.height)}
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize("width,height,mode", [(49, 30, "tiny"), (90, 11, "tiny"), (79, 30, "single"),
                                               (80, 24, "compact"), (120, 40, "medium"), (200, 60, "large")])
def test_the_mode_follows_the_size(width: int, height: int, mode: str) -> None:
    assert lay_out(width, height).mode == mode


@pytest.mark.parametrize("size", SIZES)
async def test_the_reason_of_the_last_relist_is_on_the_screen_or_two_keys_away(size: str) -> None:
    again = replace(LIVE.informers[0], relists=2, last_relist_reason="410 Expired")
    async with showing(Still(replace(LIVE, informers=(again,))), SIZES[size]) as (app, pilot):
        if size == "80x24":
            await pilot.press("1", "1")
            app.draw()
            await pilot.pause()
        assert "relists 2 (410 Expired)" in screen_text(app)


async def test_armed_faults_stand_in_pane_6_with_what_they_wait_for_and_how_often_they_struck() -> None:
    faults = (FaultView("503", "every LIST", 7), FaultView("410", "the next LIST of pods", 2))
    async with showing(Still(replace(LIVE, api=replace(LIVE.api, faults=faults))), (200, 60)) as (app, _):
        assert "armed: 410 waits for the next LIST of pods, struck 2x; 1 more in :chaos" in screen_text(app)


async def test_records_that_the_probe_could_not_read_stand_beside_the_state() -> None:
    async with showing(Still(replace(LIVE, probe_failed=1))) as (app, _):
        assert "[LIVE] probe failed: 1 record" in screen_text(app)
