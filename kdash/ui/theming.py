"""Themes of the user's own, and what Textual's own widgets get of a theme.

A theme is a TOML file in the folder `themes` beside `config.toml`; its file name is its name:

    base = "kdash-dark"          # what is not said here is taken from there
    background = "#101010"
    foreground = "#e0e0e0"
    dark = true
    [styles]
    focus = "bold #ffaa00"       # names and meanings: see `themes.STYLES`
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from rich.errors import StyleSyntaxError
from rich.style import Style
from textual.theme import Theme

from kdash.probe.text import shorten
from kdash.ui.themes import BUILT_IN, STYLES, THEMES, Palette, contrast, forget_styles

__all__ = ["BadTheme", "ThemeFolder", "own_theme", "textual_theme"]

_KEYS = ("base", "background", "foreground", "dark", "styles")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}|default")
_READABLE = 4.5


class BadTheme(ValueError):
    """The file is no theme; the message is a sentence for the user."""


def own_theme(name: str, text: str) -> tuple[Palette, str]:
    """The theme that a file describes, and a warning about what is hard to read in it. Raises `BadTheme`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadTheme(f"theme {name}: no valid TOML: {shorten(str(error), 120)}") from None
    _known(name, document, _KEYS, "key")
    base = THEMES.get(str(document.get("base", "kdash-dark")))
    if base is None:
        raise BadTheme(f'theme {name}: there is no theme "{shorten(str(document["base"]), 40)}" to base it on')
    styles = document.get("styles", {})
    if not isinstance(styles, dict):
        raise BadTheme(f"theme {name}: [styles] is a table of names and styles")
    _known(name, styles, STYLES[1:], "style")
    for key in ("background", "foreground"):
        if key in document and not (isinstance(document[key], str) and _COLOUR.fullmatch(document[key])):
            raise BadTheme(f'theme {name}: {key} is a colour such as "#11151c", or "default"')
    for key, value in styles.items():
        try:
            Style.parse(value if isinstance(value, str) else "?")
        except (StyleSyntaxError, ValueError):
            raise BadTheme(f'theme {name}: {key} = "{shorten(str(value), 40)}" is no style; write for example '
                           '"bold #ffd479" or "#11151c on #ffc45c"') from None
    palette = Palette(name, document.get("background", base.background), document.get("foreground", base.foreground),
                      {**base.styles, **styles}, bool(document.get("dark", base.dark)))
    return palette, _hard_to_read(palette)


def _known(name: str, given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise BadTheme(f'theme {name}: there is no {what} "{shorten(key, 40)}"{hint}')


def _hard_to_read(palette: Palette) -> str:
    base = Style.parse(f"{palette.foreground} on {palette.background}")
    weak = []
    for key in STYLES:
        ratio = contrast(base + Style.parse(palette.styles.get(key, "")))
        if ratio is not None and ratio < _READABLE and key != "border":
            weak.append(f"{key or 'plain text'} {ratio:.1f}")
    return f"theme {palette.name}: hard to read (contrast below {_READABLE}): {', '.join(weak)}" if weak else ""


class ThemeFolder:
    """The user's themes, read again when a file changes."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}
        self.problems: list[str] = []

    def reload(self) -> list[str]:
        """Read what is new or has changed; returns the names. `problems` tells of files that are no themes."""
        if self._folder is None:
            return []
        try:
            entries = {entry.name[:-5]: entry for entry in os.scandir(self._folder) if entry.name.endswith(".toml")}
        except OSError:
            entries = {}
        changed: list[str] = []
        for name in [name for name in self._seen if name not in entries]:
            del self._seen[name]
            THEMES.pop(name, None)
        for name, entry in sorted(entries.items()):
            try:
                status = entry.stat()
                if self._seen.get(name) == (status.st_mtime_ns, status.st_size):
                    continue
                self._seen[name] = (status.st_mtime_ns, status.st_size)
                if name in BUILT_IN:
                    raise BadTheme(f"theme {name}: that name is taken by a theme of kdash's; rename the file")
                palette, warning = own_theme(name, Path(entry.path).read_text("utf-8"))
            except (OSError, UnicodeDecodeError, BadTheme) as error:
                self.problems.append(shorten(str(error)))
                continue
            THEMES[name] = palette
            changed.append(name)
            self.problems += [warning] if warning else []
        if changed:
            forget_styles()
        return changed


def textual_theme(name: str) -> Theme:
    """The theme for Textual's own widgets: prompts and lists."""
    palette = THEMES[name]
    plain = palette.background == "default"
    return Theme(
        name=name,
        primary=_colour(palette.styles["accent"], "#6fd3e8"),
        accent=_colour(palette.styles["focus"], "#ffd479"),
        background="#000000" if plain else palette.background,
        surface="#000000" if plain else palette.background,
        foreground="#ffffff" if plain else palette.foreground,
        dark=palette.dark,
    )


def _colour(definition: str, otherwise: str) -> str:
    return next((word for word in definition.split() if word.startswith("#")), otherwise)
