"""The one table of actions: it makes the bindings, the footer, the help screen, the palette and README's key table.

`python -m kdash.ui.actions` prints the table in Markdown.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACTIONS", "GROUPS", "Action", "markdown_table"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a user can do. `id` is the name that code and configuration use."""

    id: str
    keys: tuple[str, ...]
    """Textual's key names; the first is the one that is shown."""
    label: str
    """For the footer; "" is not shown there."""
    help: str
    group: str
    command: str = ""
    """How the palette calls it, e.g. `resync`; "" is not in the palette."""
    extension: bool = False
    """client-go has no such thing."""
    panes: tuple[str, ...] = ()
    """Where it has a meaning; () is everywhere."""


GROUPS = ("informer", "look", "move", "panes", "kdash")

ACTIONS: tuple[Action, ...] = (
    Action(
        "resync",
        ("r",),
        "resync",
        "replay the cache to the handlers that resync: 0 requests",
        "informer",
        "resync",
        True,
    ),
    Action(
        "rewatch",
        ("W",),
        "rewatch",
        "close the watch and open it again from the last version: 1 request",
        "informer",
        "rewatch",
        True,
    ),
    Action(
        "relist", ("R", "ctrl+r"), "relist", "fetch the whole state anew from the server", "informer", "relist", True
    ),
    Action(
        "hold",
        ("s",),
        "hold",
        "hold the pipeline at a gate before pop and before the handlers; the API side goes on",
        "informer",
        "hold",
        True,
    ),
    Action("step", ("n",), "", "held: let one entry through, stage by stage", "informer", "step", True),
    Action("release", ("full_stop",), "", "let everything go on", "informer", "release", True),
    Action("advice", ("a",), "", "advice: what is wrong with this informer, and what to do", "look", "advice"),
    Action("change", ("x",), "", "demo: change the selected pod, or anything", "informer", "change"),
    Action("chaos", ("X",), "", "demo: the fault menu: 410, resets, slow pages, lost events, …", "informer", "chaos"),
    Action(
        "period_double", ("plus",), "period", "double the resync period (of the selected handler)", "informer", "", True
    ),
    Action("period_halve", ("minus",), "", "halve the resync period (of the selected handler)", "informer", "", True),
    Action("period_set", ("equals_sign",), "", "type a resync period: 30s, 5m, 0 for never", "informer", "", True),
    Action(
        "queue",
        ("Q",),
        "",
        "next queue engine: DeltaFIFO, RealFIFO, atomic RealFIFO (restarts the informer)",
        "informer",
        "queue",
    ),
    Action(
        "drill",
        ("enter",),
        "",
        "YAML of the cached object, from the cache; on a header: fold",
        "look",
        panes=("objects",),
    ),
    Action("yaml", ("y",), "", "YAML of the cached object", "look", "yaml"),
    Action("diff", ("d",), "", "what its last update changed, path by path", "look", "diff"),
    Action(
        "history",
        ("v",),
        "",
        "the object's last versions: when, by which event, through which handlers",
        "look",
        "history",
    ),
    Action("older", ("left_square_bracket",), "", "Inspect: an older version", "look"),
    Action("newer", ("right_square_bracket",), "", "Inspect: a newer version", "look"),
    Action(
        "filter",
        ("slash",),
        "filter",
        "filter the focused pane: text, !not, ns:dev; events also ev:watch h:audit rv>118",
        "look",
        "filter",
    ),
    Action("pause", ("p",), "pause", "freeze the display; data is still collected", "look", "pause"),
    Action("copy", ("c",), "", "copy the selected object's key", "look", "copy"),
    Action("time", ("t",), "", "times or ages in the event log", "look", "time", panes=("events",)),
    Action("theme", ("T",), "", "next theme", "look", "theme"),
    Action("mark", ("m",), "", "mark or unmark an event", "look", panes=("events",)),
    Action("next_mark", ("b",), "", "to the next marked event", "look", panes=("events",)),
    Action("up", ("up", "k"), "", "up", "move"),
    Action("down", ("down", "j"), "", "down", "move"),
    Action("page_up", ("pageup",), "", "a page up", "move"),
    Action("page_down", ("pagedown",), "", "a page down", "move"),
    Action("top", ("g", "home"), "", "to the top", "move"),
    Action("bottom", ("G", "end"), "", "to the bottom; in the event log: follow again", "move"),
    Action("fold", ("left", "h", "space"), "", "fold or unfold the group", "move", panes=("objects",)),
    Action("unfold", ("right", "l"), "", "unfold the group", "move", panes=("objects",)),
    *(
        Action(f"pane_{number}", (str(number),), "", f"pane {number}: {name} (again: zoom)", "panes", name)
        for number, name in enumerate(("pipeline", "objects", "queue", "resync", "handlers", "api", "events"), 1)
    ),
    Action("next_pane", ("tab",), "", "next pane", "panes"),
    Action("previous_pane", ("shift+tab",), "", "previous pane", "panes"),
    Action("zoom", ("f",), "full", "the focused pane alone, and back", "panes", "zoom"),
    Action("help", ("question_mark", "f1"), "help", "all keys", "kdash", "help"),
    Action("palette", ("colon", "ctrl+p"), "cmd", "command palette", "kdash"),
    Action("redraw", ("ctrl+l",), "", "draw the screen again", "kdash", "redraw"),
    Action("back", ("escape",), "", "back: leave the zoom, drop the filter", "kdash"),
    Action("quit", ("q",), "quit", "back; at the root: quit", "kdash", "quit"),
    Action("quit_now", ("ctrl+q",), "", "quit", "kdash"),
    Action("interrupt", ("ctrl+c",), "", "twice: quit", "kdash"),
)

_NAMES = {
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "escape": "esc",
    "full_stop": ".",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def key_name(key: str) -> str:
    """A key as a person writes it."""
    return _NAMES.get(key, key)


def markdown_table() -> str:
    """README's key table."""
    out = ["| key | does |", "|---|---|"]
    for group in GROUPS:
        for action in ACTIONS:
            if action.group != group or (action.id.startswith("pane_") and action.id != "pane_1"):
                continue
            keys = " ".join(f"`{key_name(key)}`" for key in action.keys)
            text = action.help
            if action.id == "pane_1":
                keys, text = (
                    "`1` … `7`",
                    "focus a pane: Pipeline, Objects, Queue, Resync, Handlers, API, Events (again: zoom)",
                )
            mark = " (kdash extension)" if action.extension else ""
            out.append(f"| {keys} | {text}{mark} |")
    return "\n".join(out)


if __name__ == "__main__":
    print(markdown_table())  # noqa: T201
