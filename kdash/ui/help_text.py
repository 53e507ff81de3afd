"""The help page, made from the table of actions."""

from __future__ import annotations

from kdash.ui.actions import ACTIONS, GROUPS, Action, key_name
from kdash.ui.glyphs import Glyphs
from kdash.ui.spans import Line, Span, line

__all__ = ["footer_line", "help_lines"]

_HEADS = {
    "informer": "Work the informer",
    "look": "Look closer",
    "move": "Move",
    "panes": "Panes",
    "kdash": "kdash",
}


def help_lines(glyphs: Glyphs, focused: str = "") -> list[Line]:
    """All keys by group; those of the focused pane first."""
    out: list[Line] = [
        line(("resync replays the cache to the handlers and asks the server nothing;", "bold")),
        line(("relist fetches the whole state anew; rewatch only opens the stream again.", "bold")),
        line(""),
    ]
    for group in GROUPS:
        out.append(line((_HEADS[group], "title")))
        for action in sorted(
            (each for each in ACTIONS if each.group == group), key=lambda each: focused not in each.panes
        ):
            keys = " ".join(key_name(key) for key in action.keys)
            mark = "  (kdash extension)" if action.extension else ""
            only = f"  [{', '.join(action.panes)}]" if action.panes else ""
            out.append(line(("  " + f"{glyphs.plain(keys):<16}", "key"), action.help, (only + mark, "dim")))
        out.append(line(""))
    out.append(line(("kdash sends GET requests only: list, watch and discovery. It is not kdash-rs.", "dim")))
    return out


def footer_line(glyphs: Glyphs, width: int) -> Line:
    """The hints at the bottom; on small terminals without the last ones."""
    hints = [action for action in ACTIONS if action.label]
    while hints and sum(len(_hint(action)) + 2 for action in hints) > width:
        hints.remove(next((each for each in hints if each.id in _FIRST_TO_GO), hints[-1]))
    out: list[Span] = []
    for action in hints:
        out += [(f" {glyphs.plain(_key(action))}", "key"), (f" {action.label}{' ' * (width >= 100)}", "dim")]
    return tuple(out)


_FIRST_TO_GO = ("zoom", "rewatch", "pause")


def _key(action: Action) -> str:
    return "+/-" if action.id == "period_double" else key_name(action.keys[0])


def _hint(action: Action) -> str:
    return f"{_key(action)}{action.label}"
