"""Text cut to cells: exactly as wide as asked, whatever a cluster sends."""

from __future__ import annotations

import pytest

from kdash.ui.spans import fit, line, line_width, pad, width_of

TEXTS = (
    "abcdef      uvwxyz", "漢字      漢字漢字", "plain", "", "漢字" * 40_000, "e\u0301" * 30_000, "x" * 65_536,
    "a" + "\u0301" * 65_536, " " * 500 + "end", "👩\u200d👩\u200d👧 family",
)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("width", [1, 2, 5, 7, 12, 33, 80])
def test_what_is_cut_is_exactly_as_wide_as_asked(text: str, width: int) -> None:
    assert width_of(pad(text, width)) == width
    assert line_width(fit(line((text, "bold"), (" tail", "dim")), width)) == width


def test_a_cut_after_blanks_is_padded_again() -> None:
    assert width_of(pad("漢字      漢字漢字", 9)) == 9
