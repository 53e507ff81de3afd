"""Advice: what is wrong with these informers and handlers, the figures that say so, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from kdash.probe.snapshot import AdviceView
from kdash.probe.text import clean
from kdash.ui.spans import Line, line, wrap

__all__ = ["advice_lines"]


def advice_lines(advice: Sequence[AdviceView], width: int) -> list[Line]:
    """Problems first."""
    if not advice:
        return [line(("nothing is wrong that kdash could see", "ok"))]
    out: list[Line] = []
    for each in advice:
        style = "bad" if each.severity == "problem" else "warn"
        out.append(
            line((f"{each.severity.upper():<8} ", style), (clean(each.subject), "bold"), (f"  [{each.rule}]", "dim"))
        )
        for text, look in ((each.title, ""), (each.figures, "accent"), (each.todo, "")):
            mark = "  do: " if text is each.todo else "  "
            for index, words in enumerate(wrap(clean(text), max(20, width - len(mark)))):
                out.append(line((mark if not index else " " * len(mark), "key"), (words, look)))
        out.append(line(""))
    return out
