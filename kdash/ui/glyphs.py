"""The marks kdash draws with, in Unicode and in ASCII. Every mark is one cell; meaning never rests on colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

__all__ = ["ASCII", "UNICODE", "Border", "Glyphs"]


@dataclass(frozen=True, slots=True)
class Border:
    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    horizontal: str
    vertical: str


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of marks."""

    border: Border
    focused: Border
    box: Border
    same: str
    changed: str
    new: str
    gone: str
    resync: str
    opened: str
    folded: str
    arrow: str
    watch: str
    line: str
    pulse: str
    broken: str
    branch: str
    last: str
    fork: str
    blocks: str
    eighths: str
    full: str
    empty: str
    times: str
    dot: str
    next: str
    into: str
    ellipsis: str

    def plain(self, text: str) -> str:
        """Text for this set: without the marks that an ASCII terminal lacks."""
        if self.times == "×" or text.isascii():
            return text
        for mark, instead in _INSTEAD:
            text = text.replace(mark, instead)
        if text.isascii():
            return text
        instead = "".join(mark if mark.isascii() else "?" * cell_len(mark) for mark in text)
        return set_cell_size(instead, cell_len(text))


_INSTEAD = (
    ("×", "x"), ("→", ">"), ("·", "-"), ("…", "~"), ("▸", ">"), ("≤ ", "<="), ("≥ ", ">="), ("‹", "<"), ("›", ">"),
    ("—", "-"),
    ("±", "~"), ("◀", "<"), ("↑", "^"), ("↓", "v"), ("←", "<"), ("µ", "u"),
)
"""As many cells as before, so that a line keeps its width; a mark without its space becomes `?`, never another one."""

UNICODE = Glyphs(
    border=Border("╭", "╮", "╰", "╯", "─", "│"),
    focused=Border("┏", "┓", "┗", "┛", "━", "┃"),
    box=Border("┌", "┐", "└", "┘", "─", "│"),
    same="●", changed="~", new="+", gone="✕", resync="R", opened="▼", folded="▶", arrow="▶", watch="═", line="─",
    pulse="●",
    broken="x", branch="├", last="└", fork="┬", blocks=" ▁▂▃▄▅▆▇█", eighths=" ▏▎▍▌▋▊▉", full="█", empty="░", times="×",
    dot="·", next="◀", into="→", ellipsis="…",
)
ASCII = Glyphs(
    border=Border("+", "+", "+", "+", "-", "|"),
    focused=Border("#", "#", "#", "#", "=", "#"),
    box=Border("+", "+", "+", "+", "-", "|"),
    same="*", changed="~", new="+", gone="x", resync="R", opened="v", folded=">", arrow=">", watch="=", line="-",
    pulse="o",
    broken="x", branch="|", last="`", fork="+", blocks=" .:-=+*#%", eighths="        ", full="#", empty=".", times="x",
    dot="-", next="<", into="->", ellipsis="~",
)
