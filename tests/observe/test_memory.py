"""The process's memory: compared over minutes, advised on when it grows, absent where nobody tells."""

from __future__ import annotations

from dataclasses import replace

from kdash.observe.memory import MemoryWatch, growth
from kdash.probe.advice import advise
from kdash.probe.snapshot import MemoryView, Snapshot
from kdash.ui.glyphs import UNICODE
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.handler_detail import detail_lines
from kdash.ui.presenter.pipeline import pipeline_lines
from tests.ui.states import LIVE, STATES

MB = 1_000_000


def text_of(rows: list[tuple[tuple[str, str], ...]]) -> str:
    return "\n".join("".join(text for text, _ in row) for row in rows)


def test_memory_that_grows_all_the_time_is_advised_on_with_the_objects() -> None:
    points = [(10.0 * each, 80 * MB + each * MB, 500) for each in range(60)]
    view = growth(points, 139 * MB)
    assert view.steady and view.before < 85 * MB and view.since_s == 590.0
    (advice,) = advise(Snapshot(memory=view))
    assert advice.rule == "memory-grows" and "83 MB 9m50s ago, 139 MB now" in advice.figures
    assert "500 then, 500 now" in advice.figures and "what handlers keep" in advice.todo
    (advice,) = advise(Snapshot(memory=replace(view, objects=5000)))
    assert "the caches hold more objects" in advice.todo


def test_memory_that_leapt_once_or_is_young_or_shrinks_is_not() -> None:
    leapt = [(10.0 * each, (80 if each < 15 else 180) * MB, 500) for each in range(60)]
    young = [(10.0 * each, 80 * MB + each * 5 * MB, 500) for each in range(20)]
    shrinks = [(10.0 * each, 200 * MB - each * MB, 500) for each in range(60)]
    for points in (leapt, young, shrinks, []):
        view = growth(points, 200 * MB)
        assert not view.steady and advise(Snapshot(memory=view)) == ()


def test_a_watch_keeps_a_point_every_ten_seconds_and_the_first_minute_does_not_count() -> None:
    watch = MemoryWatch()
    assert watch.view() is None
    for tenth in range(6000):
        watch.tick(tenth / 10, 42)
    view = watch.view()
    if view is not None:  # Linux
        assert view.resident > 10 * MB and view.before > 10 * MB and view.objects == 42
        assert 520 < view.since_s < 540


def test_memory_stands_on_the_screen_and_is_absent_with_a_sentence_in_a_replay() -> None:
    live = Context(replace(LIVE, memory=MemoryView(83 * MB)), UNICODE, 160, 40)
    assert "memory 83 MB" in text_of(pipeline_lines(live))
    assert "process memory 83 MB" in text_of(detail_lines(live))
    replay = Context(STATES["replay"], UNICODE, 160, 40)
    assert "memory" not in text_of(pipeline_lines(replay))
    assert "process memory: this replay does not tell" in text_of(detail_lines(replay))
