"""The help page and the footer, made from the table of actions and the glossary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kdash.ui.actions import ACTIONS, GROUPS, Action
from kdash.ui.glossary import cards_of
from kdash.ui.glyphs import Glyphs
from kdash.ui.keys import key_name
from kdash.ui.spans import Line, Span, line, pad, width_of, wrap

__all__ = ["footer_line", "help_lines", "keys_of"]

_HEADS = {
    "resync": "Resync: replay the cache, ask the server nothing", "watch": "Watch and list",
    "queue": "Queue, hold and step", "handlers": "Handlers", "look": "Look closer", "go": "Go",
    "scope": "What is observed", "record": "Record", "replay": "Replay",
    "demo": "The demo server", "view": "View", "panes": "Panes", "move": "Move",
    "kdash": "kdash",
}
_FOOTER = ("resync", "rewatch", "relist", "hold", "period_double", "filter", "pause", "zoom", "explain", "help",
           "palette", "quit")
_FOOTER_HELD = ("step", "release", "resync", "rewatch", "relist", "filter", "pause", "zoom", "explain", "help",
                "palette", "quit")
_FOOTER_REPLAY = ("pause", "newer", "next_resync", "next_relist", "faster", "filter", "zoom", "explain", "help",
                  "palette", "quit")
_FIRST_TO_GO = ("explain", "zoom", "rewatch", "hold", "pause")
_FIRST_TO_GO_REPLAY = ("explain", "zoom", "filter", "next_relist")


def keys_of(action: Action) -> str:
    """Its keys as a person writes them."""
    return " ".join(key_name(key) for key in action.keys)


def help_lines(
    glyphs: Glyphs, focused: str = "", actions: Sequence[Action] = ACTIONS, width: int = 100
) -> list[Line]:
    """The focused pane and its keys first, then all actions by group."""
    out: list[Line] = []
    own = [action for action in actions if focused in action.panes]
    cards = cards_of(focused)
    if cards:
        out += [line((f"The focused pane: {cards[0].term}", "title"))]
        out += [line(f"  {words}") for words in wrap(cards[0].meaning, max(30, width - 4))]
        out += [line((f"  {words}", "dim")) for words in wrap(cards[0].todo, max(30, width - 4))]
        out += [_row(glyphs, action, width) for action in own]
        out.append(line(""))
    out += [
        line(("resync replays the cache to the handlers and asks the server nothing;", "bold")),
        line(("relist fetches the whole state anew; rewatch only opens the stream again.", "bold")),
        line(""),
    ]
    for group in GROUPS:
        members = [action for action in actions if action.group == group]
        if members:
            out.append(line((_HEADS[group], "title")))
            out += [_row(glyphs, action, width) for action in members]
            out.append(line(""))
    out.append(line(("kdash sends GET requests only: list, watch and discovery. It is not kdash-rs.", "dim")))
    return out


def _row(glyphs: Glyphs, action: Action, width: int) -> Line:
    keys = keys_of(action) or (f":{action.command}" if action.command else "")
    mark = "  (kdash extension)" if action.extension else ""
    also = f"  :{action.command} {action.usage}".rstrip() if action.command and action.keys and width >= 90 else ""
    usage = f"  {action.usage}" if action.usage and not action.keys else ""
    return line(("  " + pad(glyphs.plain(keys), max(16, width_of(keys))) + " ", "key"), glyphs.plain(action.help),
                (glyphs.plain(usage + also + mark), "dim"))


def footer_line(
    glyphs: Glyphs, width: int, actions: Sequence[Action] = ACTIONS, held: bool = False, playing: bool = False
) -> Line:
    """The hints at the bottom; on small terminals without the last ones. `held`: how to go on comes first; `playing`:
    a replay that a key would pause."""
    by_id = {action.id: action for action in actions}
    if playing:
        by_id["pause"] = replace(by_id["pause"], label="pause")
    names = _FOOTER_REPLAY if "faster" in by_id else _FOOTER_HELD if held else _FOOTER
    hints = [by_id[name] for name in names if name in by_id and by_id[name].keys]
    first_to_go = _FIRST_TO_GO_REPLAY if names is _FOOTER_REPLAY else _FIRST_TO_GO
    while hints and sum(len(_hint(action)) + 2 for action in hints) > width:
        hints.remove(next((each for name in first_to_go for each in hints if each.id == name), hints[-1]))
    out: list[Span] = []
    for action in hints:
        out += [(f" {glyphs.plain(_key(action))}", "key"), (f" {action.label}{' ' * (width >= 100)}", "dim")]
    return tuple(out)


def _key(action: Action) -> str:
    return "+/-" if action.id == "period_double" and action.keys == ("plus",) else key_name(action.keys[0])


def _hint(action: Action) -> str:
    return f"{_key(action)}{action.label}"
