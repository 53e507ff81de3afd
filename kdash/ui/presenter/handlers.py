"""Pane 5: each handler's calls, latency, backlog, and whether it will ever catch up."""

from __future__ import annotations

from kdash.probe.snapshot import HandlerView
from kdash.probe.text import clean, duration
from kdash.ui.presenter.context import Context
from kdash.ui.spans import Line, columns, line, sparkline

__all__ = ["handlers_lines", "handlers_title"]


def handlers_title(context: Context) -> str:
    handlers = context.snapshot.handlers
    limit = duration(handlers[0].slow_limit_s) if handlers else "100ms"
    return f"Handlers  limit {limit}" if context.width >= 44 else "Handlers"


def handlers_lines(context: Context) -> list[Line]:
    """A row a handler, then the history of the one with the largest backlog."""
    handlers = context.snapshot.handlers
    if not handlers:
        return [line(("waiting for sync", "dim"))]
    several = len({handler.informer for handler in handlers}) > 1
    layout = _Columns(context.width)
    out: list[Line] = [layout.head()]
    room = max(1, context.height - 3)
    for handler in handlers[:room]:
        name = clean(handler.name) + (f"/{clean(handler.informer)}" if several else "")
        out.append(layout.row(handler, name, clean(context.selected_handler) == clean(handler.name)))
    if len(handlers) > room:
        out.append(line((f"{len(handlers) - room} more: press 5 twice", "dim")))
    slowest = max(handlers, key=lambda handler: (handler.pending, handler.p99_s))
    return [*out, *_history(context, slowest, context.height - len(out))][: context.height]


class _Columns:
    """Which columns fit."""

    def __init__(self, width: int) -> None:
        self.counts = width >= 52
        self.p95 = width >= 80
        self.busy = width >= 56
        fixed = (
            7
            + (18 if self.counts else 0)
            + 7
            + (8 if self.p95 else 0)
            + 8
            + (16 if self.p95 else 0)
            + 7
            + (6 if self.busy else 0)
        )
        self.name = max(6, min(24, width - fixed - 6))

    def head(self) -> Line:
        return self._cells("name", "calls", "add/upd/del/sync", "p50", "p95", "p99", "max", "pending" if self.counts else "pend",
                           "busy", "", "dim", "dim")  # fmt: skip

    def row(self, handler: HandlerView, name: str, selected: bool) -> Line:
        counts = f"{handler.adds}/{handler.updates}/{handler.deletes}/{handler.syncs}"
        pending = f"+{handler.pending}" if handler.pending else "0"
        mark = "ERR" if handler.errors else "SLOW" if handler.slow else ""
        return self._cells(name, str(handler.calls), counts, duration(handler.p50_s), duration(handler.p95_s), duration(handler.p99_s),
                           duration(handler.max_s), pending, f"{handler.busy:.0%}", mark, "cursor" if selected else "bold",
                           "warn" if handler.slow or handler.pending else "")  # fmt: skip

    def _cells(self, name: str, calls: str, counts: str, p50: str, p95: str, p99: str, top: str, pending: str, busy: str,
               mark: str, name_style: str, style: str) -> Line:  # fmt: skip
        dim = "dim" if style == "dim" else ""
        cells = [(name, name_style, self.name, False), (calls, dim, 6, True)]
        if self.counts:
            cells.append((counts, dim, 16, True))
        cells.append((p50, dim, 6, True))
        if self.p95:
            cells.append((p95, dim, 7, True))
        cells.append((p99, style, 7, True))
        if self.p95:
            cells.append((top, dim, 7, True))
        cells.append((pending, style, 7 if self.counts else 6, True))
        if self.busy:
            cells.append((busy, dim, 5, True))
        cells.append((mark, "bad" if mark == "ERR" else "warn", 4, False))
        return columns(cells)


def _history(context: Context, handler: HandlerView, room: int) -> list[Line]:
    glyphs, name = context.glyphs, clean(handler.name)
    out: list[Line] = []
    if room > 0:
        width = max(8, min(60, context.width - len(name) - 22))
        spark = sparkline(handler.p99_history, width, glyphs.blocks)
        word = "  SLOW, over limit" if handler.slow and context.width >= 70 else ""
        out.append(line((f"{name} p99 ", "dim"), (spark, "spark"), (f" {duration(handler.p99_s)}", ""), (word, "warn")))
    if room > 1 and handler.pending:
        out.append(line((f"{name} backlog {_outlook(handler)}", "warn")))
    elif room > 1:
        out.append(line(("no backlog: every handler keeps up", "dim")))
    if room > 2 and handler.worst:
        out.append(line((f"worst call: {clean(handler.worst)}", "dim")))
    if room > 3 and handler.last_error:
        out.append(line((f"last error: {clean(handler.last_error)}", "bad")))
    return out[:room]


def _outlook(handler: HandlerView) -> str:
    if handler.growth_per_s > 0.05:
        return f"grows {handler.growth_per_s:.1f}/s, never drains at this rate"
    if handler.drains_in_s is not None:
        return f"drains in {duration(handler.drains_in_s)}"
    return f"+{handler.pending}, steady: never drains at this rate"
