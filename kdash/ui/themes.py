"""Colours by meaning. Panes name a style of `STYLES`; a theme says what it looks like.

A theme is a background, a foreground and a table from style names to rich style definitions; `mono` uses no colour at
all, `ansi` the terminal's own sixteen. Nothing outside this module names a colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style

__all__ = ["BUILT_IN", "STYLES", "THEMES", "Palette", "contrast", "forget_styles", "theme_names"]

STYLES = (
    "", "dim", "bold", "title", "border", "focus", "stage", "ok", "warn", "bad", "new", "changed", "gone", "resync",
    "accent", "key", "bar", "spark", "cursor", "word", "banner", "code.key", "code.text", "code.number",
)


@dataclass(frozen=True, slots=True)
class Palette:
    """One theme."""

    name: str
    background: str
    foreground: str
    styles: dict[str, str]
    dark: bool = True

    def style(self, name: str) -> Style:
        """The rich style of a semantic name, with the background."""
        return _style(self.name, name)


def _colours(**by_meaning: str) -> dict[str, str]:
    return {name.replace("_", "."): value for name, value in by_meaning.items()}


THEMES: dict[str, Palette] = {
    palette.name: palette
    for palette in (
        Palette("kdash-dark", "#11151c", "#d5dbe5", _colours(
            dim="#8893a5", bold="bold #eef2f8", title="bold #9ecbff", border="#5b6b80", focus="bold #ffd479",
            stage="#9ecbff",
            ok="#7fd88f", warn="bold #ffc45c", bad="bold #ff8787", new="#7fd88f", changed="#ffc45c", gone="#ff8787",
            resync="#c7a6ff", accent="#6fd3e8", key="bold #6fd3e8", bar="#6fd3e8", spark="#6fd3e8",
            cursor="bold #11151c on #9ecbff", word="bold #11151c on #7fd88f", banner="#11151c on #ffc45c",
            code_key="#9ecbff", code_text="#b9d9a8", code_number="#ffc45c")),
        Palette("kdash-light", "#fbfbf8", "#22272e", _colours(
            dim="#5c6570", bold="bold #0d1117", title="bold #0b5394", border="#76818d", focus="bold #8a4b00",
            stage="#0b5394",
            ok="#1a6e2e", warn="bold #8a4b00", bad="bold #b3261e", new="#1a6e2e", changed="#8a4b00", gone="#b3261e",
            resync="#6a3fb5", accent="#0a6579", key="bold #0a6579", bar="#0a6579", spark="#0a6579",
            cursor="bold #ffffff on #0b5394", word="bold #ffffff on #1a6e2e", banner="#ffffff on #8a4b00",
            code_key="#0b5394", code_text="#1a6e2e", code_number="#8a4b00"), dark=False),
        Palette("high-contrast", "#000000", "#ffffff", _colours(
            dim="#d0d0d0", bold="bold #ffffff", title="bold #ffff66", border="#ffffff", focus="bold #ffff00",
            stage="#66e0ff",
            ok="#66ff66", warn="bold #ffd700", bad="bold #ff9999", new="#66ff66", changed="#ffd700", gone="#ff9999",
            resync="#e0b3ff", accent="#66e0ff", key="bold #66e0ff", bar="#ffffff", spark="#ffffff",
            cursor="bold #000000 on #ffff00", word="bold #000000 on #66ff66", banner="#000000 on #ffd700",
            code_key="#66e0ff", code_text="#66ff66", code_number="#ffd700")),
        Palette("deuteranopia", "#11151c", "#d5dbe5", _colours(
            dim="#8893a5", bold="bold #eef2f8", title="bold #9ecbff", border="#5b6b80", focus="bold #ffd479",
            stage="#9ecbff",
            ok="#7fb8ff", warn="bold #ffc45c", bad="bold #ff9d5c", new="#7fb8ff", changed="#ffe08a", gone="#ff9d5c",
            resync="#d6b3ff", accent="#9ecbff", key="bold #9ecbff", bar="#7fb8ff", spark="#7fb8ff",
            cursor="bold #11151c on #9ecbff", word="bold #11151c on #7fb8ff", banner="#11151c on #ffc45c",
            code_key="#9ecbff", code_text="#ffe08a", code_number="#ffc45c")),
        Palette("tritanopia", "#11151c", "#d5dbe5", _colours(
            dim="#8893a5", bold="bold #eef2f8", title="bold #7fe0d8", border="#5b6b80", focus="bold #ffb0b0",
            stage="#7fe0d8",
            ok="#7fe0d8", warn="bold #ffb0b0", bad="bold #ff7b7b", new="#7fe0d8", changed="#ffb0b0", gone="#ff7b7b",
            resync="#e6b8d8", accent="#7fe0d8", key="bold #7fe0d8", bar="#7fe0d8", spark="#7fe0d8",
            cursor="bold #11151c on #7fe0d8", word="bold #11151c on #7fe0d8", banner="#11151c on #ffb0b0",
            code_key="#7fe0d8", code_text="#d5dbe5", code_number="#ffb0b0")),
        Palette("mono", "default", "default", _colours(
            dim="dim", bold="bold", title="bold", border="dim", focus="bold", stage="bold", ok="", warn="bold",
            bad="bold reverse",
            new="bold", changed="underline", gone="dim strike", resync="italic", accent="bold", key="bold", bar="",
            spark="",
            cursor="reverse", word="bold reverse", banner="reverse", code_key="bold", code_text="", code_number="")),
        Palette("ansi", "default", "default", _colours(
            dim="bright_black", bold="bold", title="bold blue", border="bright_black", focus="bold yellow",
            stage="blue",
            ok="green", warn="bold yellow", bad="bold red", new="green", changed="yellow", gone="red",
            resync="magenta",
            accent="cyan", key="bold cyan", bar="cyan", spark="cyan", cursor="reverse", word="bold reverse green",
            banner="reverse yellow", code_key="blue", code_text="green", code_number="yellow")),
    )
}


BUILT_IN = tuple(THEMES)
"""The names of kdash's own themes; the user's come after them in `THEMES`."""


@lru_cache(maxsize=1024)
def _style(theme: str, name: str) -> Style:
    palette = THEMES[theme]
    base = Style.parse(f"{palette.foreground} on {palette.background}")
    definition = palette.styles.get(name, "")
    return base + Style.parse(definition) if definition else base


def forget_styles() -> None:
    """A theme has changed: make its styles anew."""
    _style.cache_clear()


def theme_names() -> list[str]:
    """All themes, the default first."""
    return list(THEMES)


def contrast(style: Style) -> float | None:
    """The contrast of text and background as WCAG 2 defines it, 1 to 21; None where the terminal chooses a colour."""
    if style.color is None or style.bgcolor is None or not style.color.triplet or not style.bgcolor.triplet:
        return None
    light, dark = sorted((_luminance(*style.color.triplet), _luminance(*style.bgcolor.triplet)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(*channels: int) -> float:
    parts = [part / 255 for part in channels]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
