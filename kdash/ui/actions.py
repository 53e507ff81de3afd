"""The one table of actions: it makes the bindings, the footer, the help screen, the palette and README's key table.

`python -m kdash.ui.actions` prints the table in Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kdash.ui.keys import key_name

__all__ = ["ACTIONS", "GROUPS", "Action", "actions_for", "markdown_table"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a user can do. `id` is the name that code and configuration use."""

    id: str
    keys: tuple[str, ...]
    """Textual's key names; the first is the one that is shown. () is reached through the palette only."""
    help: str
    group: str
    label: str = ""
    """For the footer; "" is not shown there."""
    command: str = ""
    """How the palette calls it, e.g. `resync`; "" is not in the palette."""
    usage: str = ""
    """Arguments of the command; in brackets what may be left out."""
    extension: bool = False
    """client-go has no such thing."""
    panes: tuple[str, ...] = ()
    """Where it has a meaning; () is everywhere."""
    needs: str = ""
    """What it needs to be available: see `availability`."""


GROUPS = ("resync", "watch", "queue", "handlers", "look", "go", "scope", "record", "replay", "demo", "view", "panes",
          "move", "kdash")
_NAMES = ("pipeline", "objects", "queue", "resync", "handlers", "api", "events")
_HANDS = ("resync", "handlers")
_TREE = ("objects",)
_LOG = ("events",)
_ROWS = ("objects", "resync", "handlers", "events")
_SORTED = ("objects", "handlers", "resync")

ACTIONS: tuple[Action, ...] = (
    Action("resync", ("r",), "replay the cache to the handlers that resync: 0 requests", "resync", "resync", "resync",
           "[HANDLER]", True, needs="informer"),
    Action("period_double", ("plus",), "double the resync period (of the selected handler)", "resync", "period",
           extension=True, panes=_HANDS, needs="informer"),
    Action("period_halve", ("minus",), "halve the resync period (of the selected handler)", "resync",
           extension=True, panes=_HANDS, needs="informer"),
    Action("period_set", ("equals_sign",), "type a resync period: 30s, 5m, 0 for never", "resync",
           command="resync period", usage="30s", extension=True, panes=_HANDS, needs="informer"),
    Action("period_off", (), "no more resyncs (for the selected handler)", "resync", command="resync off",
           extension=True, needs="informer"),
    Action("period_faithful", (), "set a period as client-go would: the handler leaves and joins again", "resync",
           command="resync faithful", usage="30s [HANDLER]", needs="informer"),
    Action("rewatch", ("W",), "close the watch and open it again from the last version: 1 request", "watch", "rewatch",
           "rewatch", extension=True, needs="informer"),
    Action("relist", ("R", "ctrl+r"), "fetch the whole state anew from the server", "watch", "relist", "relist",
           extension=True, needs="informer"),
    Action("bookmarks", (), "show only the bookmarks in the event log", "watch", command="bookmarks"),
    Action("queue", ("Q",), "next queue engine: DeltaFIFO, RealFIFO, atomic RealFIFO (restarts the informer)", "queue",
           command="queue", usage="[delta|real|real-atomic]", needs="informer"),
    Action("hold", ("s",), "hold the pipeline at a gate before pop and before the handlers; the API side goes on",
           "queue", "hold", "hold", extension=True, needs="informer"),
    Action("step", ("n",), "held: let one entry through, stage by stage", "queue", "step", "step", extension=True,
           needs="held"),
    Action("release", ("full_stop",), "let everything go on", "queue", "release", "release", extension=True,
           needs="held"),
    Action("peak", (), "count the queue's peak anew", "queue", command="clear peak"),
    Action("handler_add", (), "let a handler join late; with DELAY it takes its time", "handlers",
           command="handler add", usage="NAME [DELAY] [PERIOD]", needs="informer"),
    Action("handler_remove", (), "let a handler leave", "handlers", command="handler remove", usage="NAME",
           needs="handlers"),
    Action("slow_limit", (), "from which run time calls count as slow", "handlers", command="slow",
           usage="100ms [HANDLER]", needs="handlers"),
    Action("reset_latency", (), "count the handlers' latencies anew", "handlers", command="reset latency",
           needs="handlers"),
    Action("handler_reload", (), "load a handler of your own anew", "handlers", command="handler reload", usage="NAME",
           needs="handlers"),
    Action("advice", ("a",), "advice: what is wrong with this informer, and what to do", "look", command="advice"),
    Action("drill", ("enter",), "closer: an object's YAML, an event's path, the worst call's event; on a header: fold",
           "look", panes=("objects", "events", "handlers")),
    Action("yaml", ("y",), "YAML of the cached object", "look", command="yaml", needs="object"),
    Action("diff", ("d",), "what its last update changed, path by path", "look", command="diff", needs="object"),
    Action("history", ("v",), "the object's last versions: when, by which event, through which handlers", "look",
           command="history", needs="object"),
    Action("older", ("left_square_bracket",), "Inspect: an older version", "look", needs="object"),
    Action("newer", ("right_square_bracket",), "Inspect: a newer version", "look", needs="object"),
    Action("explain", ("i",), "what the words in the focused pane mean, and what to do", "look", "explain", "explain",
           "[TERM]"),
    Action("filter", ("slash",), "filter the pane: text, !not, -l app=web, -f fuzzy, ns:dev, ev:, h:, rv>118", "look",
           "filter", "filter", "[TEXT]", panes=("objects", "events")),
    Action("copy", ("c",), "copy what is selected: a key, an event, a request as kubectl get --raw", "look",
           command="copy"),
    Action("copy_all", ("C",), "copy the object's YAML, or the text of the pane", "look", command="copy all"),
    Action("export", ("e",), "write the pane to a file: JSON, CSV, or a picture (SVG)", "look", command="export",
           usage="[json|csv|svg] [FILE]"),
    Action("mark", ("m",), "mark or unmark an event", "look", panes=_LOG),
    Action("next_mark", ("b",), "to the next marked event", "look", panes=_LOG),
    Action("go_object", (), "select an object by its key, or by a part of it", "go", command="go", usage="KEY"),
    Action("go_event", (), "to the first event at or after a time", "go", command="event", usage="12:07:55"),
    Action("go_worst", (), "to the event of the slowest call", "go", command="worst", needs="handlers"),
    Action("go_relist", (), "to the last list or relist", "go", command="last relist"),
    Action("jump", ("ctrl+o",), "jump: a letter on every pane", "go", command="jump"),
    Action("scope_resources", (), "observe other resources, e.g. `deploy,svc -n dev`; or type just `pods -A`", "scope",
           command="observe", usage="RESOURCE… [-n NS] [-A] [-l SELECTOR]", needs="informer"),
    Action("scope_namespace", (), "observe one namespace; without a name: choose", "scope", command="ns",
           usage="[NAMESPACE]", needs="informer"),
    Action("scope_all", (), "observe all namespaces", "scope", command="all namespaces", needs="informer"),
    Action("scope_selector", (), "observe what a label selector selects; without one: everything", "scope",
           command="selector", usage="[app=web]", needs="informer"),
    Action("scope_context", (), "observe another cluster of the kubeconfig; without a name: choose", "scope",
           command="context", usage="[CONTEXT]"),
    Action("record_start", (), "record all that happens from now on; without FILE: into this folder", "record",
           command="record start", usage="[FILE]", needs="live"),
    Action("record_stop", (), "end the recording", "record", command="record stop", needs="live"),
    Action("previous_resync", ("left_curly_bracket",), "replay: to the resync before", "replay",
           command="previous resync", needs="replay"),
    Action("next_resync", ("right_curly_bracket",), "replay: to the next resync", "replay", "resync",
           command="next resync", needs="replay"),
    Action("previous_relist", ("left_parenthesis",), "replay: to the list or relist before", "replay",
           command="previous relist", needs="replay"),
    Action("next_relist", ("right_parenthesis",), "replay: to the next relist", "replay", "relist",
           command="next relist", needs="replay"),
    Action("slower", ("less_than_sign",), "replay: slower, down to 0.1x", "replay", needs="replay"),
    Action("faster", ("greater_than_sign",), "replay: faster, up to 100x", "replay", "faster", needs="replay"),
    Action("speed", (), "replay: how many times as fast as it happened", "replay", command="speed", usage="10x",
           needs="replay"),
    Action("replay_at", (), "replay: to a time, or so far from the start, from here, or in percent", "replay",
           command="at", usage="12:07:55|1m30s|+10s|-10s|50%|start|end", needs="replay"),
    Action("find", (), "replay: to the next event of an object whose key has this in it", "replay", command="find",
           usage="TEXT", needs="replay"),
    Action("change", ("x",), "demo: change the selected pod, or anything", "demo", command="change", needs="demo"),
    Action("chaos", ("X",), "demo: the fault menu: 410, resets, slow pages, lost events, …", "demo", command="chaos",
           usage="[FAULT]", needs="demo"),
    Action("expire", (), "demo: end every watch with 410, so that the state is fetched anew", "demo",
           command="expire", needs="demo"),
    Action("pause", ("p",), "freeze the display; data is still collected", "view", "pause", "pause"),
    Action("zoom", ("f",), "the focused pane alone, and back", "view", "full", "zoom"),
    Action("sort", ("o",), "next order of the pane's rows", "view", command="sort", usage="[COLUMN]",
           panes=_SORTED),
    Action("wide", ("w",), "more columns, and back", "view", command="wide"),
    Action("time", ("t",), "times or ages in the event log", "view", command="time"),
    Action("header", ("H",), "hide the header, and back", "view", command="header"),
    Action("mouse", ("M",), "the mouse: for kdash, or for the terminal (to select text)", "view", command="mouse"),
    Action("tick", (), "how often the screen is drawn: 1, 4 or 10 times a second", "view", command="tick",
           usage="1|4|10"),
    Action("theme", ("T",), "next theme", "view", command="theme", usage="[NAME]"),
    Action("redraw", ("ctrl+l",), "draw the screen again", "view", command="redraw"),
    *(
        Action(f"pane_{number}", (str(number),), f"pane {number}: {name} (again: zoom)", "panes",
               command=f"pane {name}")
        for number, name in enumerate(_NAMES, 1)
    ),
    Action("next_pane", ("tab",), "next pane", "panes"),
    Action("previous_pane", ("shift+tab",), "previous pane", "panes"),
    Action("up", ("up", "k"), "up", "move", panes=_ROWS),
    Action("down", ("down", "j"), "down", "move", panes=_ROWS),
    Action("page_up", ("pageup",), "a page up", "move", panes=_ROWS),
    Action("page_down", ("pagedown",), "a page down", "move", panes=_ROWS),
    Action("top", ("g", "home"), "to the top", "move", panes=_ROWS),
    Action("bottom", ("G", "end"), "to the bottom; in the event log: follow again", "move",
           panes=_ROWS),
    Action("fold", ("left", "h", "space"), "fold or unfold the group", "move", panes=_TREE),
    Action("unfold", ("right", "l"), "unfold the group", "move", panes=_TREE),
    Action("help", ("question_mark", "f1"), "keys: those of the focused pane first", "kdash", "help", "help"),
    Action("palette", ("colon", "ctrl+p"), "command palette: every action, and those without a key", "kdash", "cmd"),
    Action("back", ("escape",), "back: leave the zoom, drop the filter", "kdash"),
    Action("quit", ("q",), "back; at the root: quit", "kdash", "quit", "quit"),
    Action("quit_now", ("ctrl+q",), "quit", "kdash"),
    Action("interrupt", ("ctrl+c",), "twice: quit", "kdash"),
    Action("suspend", ("ctrl+z",), "to the shell; `fg` comes back", "kdash"),
)


_OF_A_REPLAY = {
    "pause": {"help": "play or pause", "label": "play"},
    "older": {"help": "replay: one event back", "needs": "replay"},
    "newer": {"help": "replay: one event on", "needs": "replay", "label": "event"},
}
"""What some keys do on a recording."""


def actions_for(
    is_demo: bool, keys: Mapping[str, tuple[str, ...]] | None = None, is_replay: bool = False
) -> tuple[Action, ...]:
    """The actions of this observation, with the user's own keys: those of the demo do not exist on a cluster."""
    chosen = keys or {}
    gone = {"demo"} if not is_demo else set()
    gone.add("live" if is_replay else "replay")
    changes = _OF_A_REPLAY if is_replay else {}
    return tuple(
        replace(action, keys=chosen.get(action.id, action.keys), **changes.get(action.id, {}))  # type: ignore[arg-type]
        for action in ACTIONS if action.needs not in gone
    )  # fmt: skip


def markdown_table() -> str:
    """README's key table."""
    out = ["| key | does |", "|---|---|"]
    for group in GROUPS:
        for action in ACTIONS:
            if action.group != group or not action.keys or (action.id.startswith("pane_") and action.id != "pane_1"):
                continue
            keys = " ".join(f"`{key_name(key)}`" for key in action.keys)
            text = action.help.replace("|", "\\|")
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
