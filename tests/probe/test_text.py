"""clean(): whatever a cluster sends becomes one printable line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.probe.text import clean, duration, plural, shorten


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b]0;owned\x07",
        "\x1b[2J",
        "\x9b31m",
        "a\x08b",
        "a\rb",
        "safe\u202egnp.exe",
        "\u2066x\u2069",
        "zero\u200bwidth\u200djoiner",
        "line\nbreak\ttab",
        "\ud800",
        "\u2028",
        "\x00",
    ],
)
def test_clean_leaves_no_character_that_a_terminal_obeys(hostile: str) -> None:
    assert clean(hostile).isprintable()


@given(st.lists(st.integers(0, 0x10FFFF).map(chr), max_size=30).map("".join))
def test_clean_makes_any_text_one_printable_line(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.isprintable()
    assert clean(cleaned) == cleaned


def test_clean_leaves_markup_and_letters_of_any_script_alone() -> None:
    for text in ("[red]x[/]", "[@click=app.quit]x[/]", "web-7f9c", "漢字", "größe", "‹hidden›"):
        assert clean(text) == text


def test_clean_drops_what_makes_emoji_wide_on_some_terminals_only() -> None:
    assert clean("ok\ufe0f\u20e3\U0001f3fd") == "ok"


def test_shorten_cuts_after_cleaning() -> None:
    assert shorten("x" * 1000, 10) == "xxxxxxxxx…"
    assert shorten("a\nb", 10) == "a b"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0ms"), (0.0002, "0.2ms"), (0.038, "38ms"), (0.812, "812ms"), (0.9996, "1s"), (1.2, "1.2s"),
        (9.96, "10s"), (59.6, "1m"), (234, "3m54s"), (3600, "1h"), (7500, "2h05m"), (200_000, "2d7h"),
        (-2, "-2s"),
    ],
)  # fmt: skip
def test_durations_read_as_on_the_screen(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_plurals() -> None:
    assert [plural(n, noun) for n, noun in ((1, "object"), (2, "object"), (3, "watch"), (2, "entry"))] == [
        "1 object", "2 objects", "3 watches", "2 entries",
    ]  # fmt: skip
