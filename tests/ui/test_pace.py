"""How often the screen is drawn: what happens is seen at once, and nothing costs next to nothing."""

from __future__ import annotations

from kdash.ui.pace import Pace

HZ = 10


def frames(pace: Pace, seconds: float, start: float = 100.0, activity: int = 1) -> int:
    return sum(pace.due(start + tick / HZ, activity) for tick in range(round(seconds * HZ)))


def test_at_rest_a_few_frames_a_second_move_the_countdown() -> None:
    pace = Pace()
    frames(pace, 2.0, 100.0)
    assert 18 <= frames(pace, 10.0, 102.0) <= 25


def test_an_event_is_drawn_at_the_next_tick_and_all_ticks_of_a_second_after_it() -> None:
    pace = Pace()
    frames(pace, 5.0, 100.0)
    assert frames(pace, 1.0, 105.05, activity=2) == HZ


def test_a_key_is_as_good_as_an_event() -> None:
    pace = Pace()
    frames(pace, 5.0, 100.0)
    pace.stir(105.05)
    assert frames(pace, 1.0, 105.05) == HZ


def test_a_terminal_without_focus_is_drawn_once_a_second_at_rest_and_fully_when_something_happens() -> None:
    pace = Pace()
    pace.focused = False
    frames(pace, 2.0, 100.0)
    assert frames(pace, 10.0, 102.0) <= 11
    assert frames(pace, 1.0, 112.05, activity=2) == HZ
