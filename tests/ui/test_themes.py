"""Every theme is readable: contrast is computed from the theme's own values (WCAG 2: relative luminance)."""

from __future__ import annotations

import pytest
from rich.color import Color
from rich.style import Style

from kdash.ui.themes import STYLES, THEMES

COLOURED = [name for name, palette in THEMES.items() if palette.background.startswith("#")]
MEANINGLESS = ("border",)  # frames carry no text; 3:1 is what WCAG asks of them


def luminance(colour: Color) -> float:
    triplet = colour.triplet
    assert triplet is not None
    parts = [part / 255 for part in triplet]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(style: Style) -> float:
    assert style.color is not None
    assert style.bgcolor is not None
    light, dark = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("theme", COLOURED)
def test_text_stands_out_from_its_background(theme: str, style: str) -> None:
    wanted = 3.0 if style in MEANINGLESS else 7.0 if theme == "high-contrast" else 4.5
    assert contrast(THEMES[theme].style(style)) >= wanted


@pytest.mark.parametrize("theme", THEMES)
def test_every_meaning_has_a_style_in_every_theme(theme: str) -> None:
    assert set(THEMES[theme].styles) == set(STYLES) - {""}


@pytest.mark.parametrize("style", STYLES)
def test_mono_uses_no_colour(style: str) -> None:
    made = THEMES["mono"].style(style)
    assert (made.color is None or made.color.is_default) and (made.bgcolor is None or made.bgcolor.is_default)
