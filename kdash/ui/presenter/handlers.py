"""Pane 5: each handler's calls, latency, backlog, and whether it will ever catch up."""

from __future__ import annotations

from kdash.probe.snapshot import HandlerView
from kdash.probe.text import clean, duration
from kdash.ui.presenter.context import Context, count
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
        self.counts = width >= 50
        self.busy = width >= 60
        self.p95 = width >= 80
        self.run = 6 if self.counts else 5
        fixed = 5 + 2 * self.run + 5 + 4 + 5 + 17 * self.counts + 6 * self.busy + 16 * self.p95
        self.name = max(5, min(24, width - fixed))

    def head(self) -> Line:
        titles = ("calls", "add/upd/del/sync", "p50", "p95", "p99", "max", "pend", "busy", "")
        return self._cells("name", titles, "dim", "dim")

    def row(self, handler: HandlerView, name: str, selected: bool) -> Line:
        seen = (handler.adds, handler.updates, handler.deletes, handler.syncs)
        pending = f"+{count(handler.pending)}" if handler.pending else "0"
        mark = "ERR" if handler.errors else "SLOW" if handler.slow else ""
        values = (
            count(handler.calls), "/".join(map(count, seen)), duration(handler.p50_s), duration(handler.p95_s),
            duration(handler.p99_s), duration(handler.max_s), pending, f"{handler.busy:.0%}", mark,
        )
        held_up = "warn" if handler.slow or handler.pending else ""
        return self._cells(name, values, "cursor" if selected else "bold", held_up)

    def _cells(self, name: str, values: tuple[str, ...], name_style: str, style: str) -> Line:
        calls, counts, p50, p95, p99, top, pending, busy, mark = values
        dim = "dim" if style == "dim" else ""
        cells = [
            (name, name_style, self.name, False, True),
            (calls, dim, 5, True, True), (counts, dim, 16, True, self.counts),
            (p50, dim, self.run, True, True), (p95, dim, 7, True, self.p95), (p99, style, self.run, True, True),
            (top, dim, 7, True, self.p95), (pending, style, 5, True, True), (busy, dim, 5, True, self.busy),
            (mark, "bad" if mark == "ERR" else "warn", 4, False, True),
        ]
        return columns([(text, look, width, right) for text, look, width, right, shown in cells if shown])


def _history(context: Context, handler: HandlerView, room: int) -> list[Line]:
    glyphs, name = context.glyphs, clean(handler.name)
    out: list[Line] = []
    if room > 0:
        width = max(8, min(60, context.width - len(name) - 22))
        spark = sparkline(handler.p99_history, width, glyphs.blocks)
        word = "  SLOW, over limit" if handler.slow and context.width >= 70 else ""
        out.append(line((f"{name} p99 ", "dim"), (spark, "spark"), (f" {duration(handler.p99_s)}", ""), (word, "warn")))
    if room > 1 and handler.pending:
        narrow = context.width < 50
        out.append(line((f"{name} {'' if narrow else 'backlog '}{_outlook(handler, narrow)}", "warn")))
    elif room > 1:
        out.append(line(("no backlog: every handler keeps up", "dim")))
    if room > 2 and handler.worst:
        out.append(line((f"worst call: {clean(handler.worst)}", "dim")))
    if room > 3 and handler.last_error:
        out.append(line((f"last error: {clean(handler.last_error)}", "bad")))
    return out[:room]


def _outlook(handler: HandlerView, narrow: bool) -> str:
    never = "never drains" if narrow else "never drains at this rate"
    if handler.growth_per_s > 0.05:
        return f"grows {handler.growth_per_s:.1f}/s, {never}"
    if handler.drains_in_s is not None:
        return f"drains in {duration(handler.drains_in_s)}"
    return f"+{handler.pending}, steady: {never}"
