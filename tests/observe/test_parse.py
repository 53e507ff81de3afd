"""Durations, resources and handlers as users write them."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.observe.handlers import HandlerSpec, SleepingHandler, default_handlers, make_handler, parse_handler
from kdash.observe.live import Wanted
from kdash.observe.parse import BadValue, parse_duration, parse_resources


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30), ("5m", 300), ("1h30m", 5400), ("0", 0), ("0s", 0), ("300ms", 0.3), ("1.5h", 5400),
        (".5s", 0.5), ("100us", 1e-4), ("100µs", 1e-4), ("+2s", 2), (" 2s ", 2),
    ],
)  # fmt: skip
def test_go_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("30", "30s"), ("", "such as"), ("abc", "such as"), ("5 m", "such as"), ("-3s", "negative"),
        ("1d", "such as"), ("s", "such as"), ("1e9s", "such as"), ("999999h", "ten years"),
        ("3sx", "such as"),
    ],
)  # fmt: skip
def test_a_bad_duration_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(BadValue, match=hint):
        parse_duration(text)


@given(st.text(alphabet="0123456789.+-smhuµn \n\x1b", max_size=20))
def test_any_text_is_a_duration_or_a_bad_value(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except BadValue as error:
        assert "\n" not in str(error) or "\n" in text


def test_resources_come_with_commas_or_spaces_and_once() -> None:
    assert parse_resources(("pods,svc", "deploy", "pods")) == ("pods", "svc", "deploy")
    assert parse_resources(()) == ("pods",)


@pytest.mark.parametrize("words", [("pods,,svc",), ("",), (",",)])
def test_an_empty_resource_name_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(BadValue, match="empty"):
        parse_resources(words)


def test_one_object_is_refused_with_its_resource() -> None:
    with pytest.raises(BadValue, match="write pods"):
        parse_resources(("pods/web",))


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("audit", HandlerSpec("audit")),
        ("audit=sleep:300ms", HandlerSpec("audit", 0.3)),
        ("audit=sleep:300ms±100ms", HandlerSpec("audit", 0.3, 0.1)),
        ("audit=sleep:300ms+-100ms", HandlerSpec("audit", 0.3, 0.1)),
    ],
)
def test_handlers(text: str, spec: HandlerSpec) -> None:
    assert parse_handler(text) == spec


@pytest.mark.parametrize(
    "text",
    ["", "=sleep:1s", "a b", "x=nap:1s", "x=sleep", "x=sleep:", "x=sleep:1", "x=sleep:1s±2s",
     "\x1b=sleep:1s"],
)
def test_a_bad_handler_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_handler(text)


def test_nothing_artificial_runs_on_ones_own_cluster() -> None:
    assert [(spec.name, spec.delay_s, spec.period_s) for spec in default_handlers()] == [("audit", 0.0, None)]
    assert [spec.name for spec in Wanted().handlers] == ["audit"]
    audit, slow = default_handlers(demo=True)
    assert (audit.name, slow.name, slow.period_s) == ("audit", "slow", 0.0)
    assert slow.design == "sleeps 100ms to 340ms by design"
    assert (HandlerSpec("a").design, parse_handler("a=sleep:1s").design) == ("", "sleeps 1s by design")


def test_a_sleeping_handler_wakes_when_the_observation_stops() -> None:
    stopping = threading.Event()
    handler = make_handler(HandlerSpec("slow", 3600.0), stopping)
    assert isinstance(handler, SleepingHandler)
    thread = threading.Thread(target=handler.on_add, args=(None, False))
    thread.start()
    stopping.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_sleeping_handler_sleeps_within_its_variation() -> None:
    waits: list[float] = []

    class Noted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return False

    handler = SleepingHandler(0.3, 0.1, Noted(), random.Random(1))
    for _ in range(200):
        handler.on_update(None, None)
    assert 0.2 <= min(waits) < 0.25 and 0.35 < max(waits) <= 0.4


def test_the_demos_slow_handler_catches_up_before_its_backlog_fills_the_memory() -> None:
    naps: list[int] = []
    waiting = [0]

    class Noted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            naps.append(waiting[0])
            return False

    handler = make_handler(default_handlers(demo=True)[1], Noted(), seed=1)
    assert isinstance(handler, SleepingHandler)
    handler.backlog = lambda: waiting[0]
    for count in (*range(1, 500), *range(500, 0, -1), 1, 2, 3):
        waiting[0] = count
        handler.on_update(None, None)
    assert naps == [*range(1, 400), 1, 1, 2, 3]
    always = make_handler(parse_handler("mine=sleep:1s"), Noted())
    assert isinstance(always, SleepingHandler)
    naps.clear()
    waiting[0] = 10_000
    always.on_update(None, None)
    assert naps == [10_000]
