"""Pane 5: each handler's calls, latency, backlog, and whether it will ever catch up."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from kdash.probe.snapshot import HandlerView
from kdash.probe.text import clean, duration
from kdash.ui.presenter.context import Context, count, first_that_fits, latency
from kdash.ui.spans import Line, columns, line, sparkline, width_of

__all__ = ["handlers_lines", "handlers_title", "outlook"]


def handlers_title(context: Context) -> str:
    handlers = context.snapshot.handlers
    limit = duration(handlers[0].slow_limit_s) if handlers else "100ms"
    held = "  HELD" if context.snapshot.gate.held and context.snapshot.gate.stage != "queue" else ""
    return (f"Handlers  limit {limit}" if context.width >= 34 else "Handlers") + held


def handlers_lines(context: Context) -> list[Line]:
    """A row a handler, then the history of the one with the largest backlog."""
    snapshot = context.snapshot
    handlers = snapshot.handlers
    if not handlers:
        synced = snapshot.informers and all(informer.synced for informer in snapshot.informers)
        return [line(("no handlers" if synced else "waiting for sync", "dim"))]
    names = context.handler_names()
    layout = _Columns(context.width, handlers, names)
    out: list[Line] = [layout.head()]
    room = max(1, context.height - 2)
    shown = handlers[:room] if len(handlers) <= room else handlers[: room - 1]
    selected = clean(context.selected_handler)
    for handler, name in zip(shown, names, strict=False):
        out.append(layout.row(handler, name, selected == clean(handler.name)))
    if len(handlers) > len(shown):
        out.append(line((f"{len(handlers) - len(shown)} more: press 5 twice", "dim")))
    slowest = max(handlers, key=lambda each: (each.hung_s, bool(each.last_error), each.pending, each.p99_s))
    return [*out, *_history(context, slowest, context.height - len(out))][: context.height]


def _seen(handler: HandlerView) -> str:
    return "/".join(map(count, (handler.adds, handler.updates, handler.deletes, handler.syncs)))


def _pending(handler: HandlerView) -> str:
    return f"+{count(handler.pending)}" if handler.pending else "0"


class _Columns:
    """Which columns fit: numbers are never cut, so a column that lacks room goes as a whole."""

    def __init__(self, width: int, handlers: Sequence[HandlerView], names: Sequence[str]) -> None:
        self.name = max(5, *map(width_of, names))
        self.seen = max(16, *(len(_seen(handler)) for handler in handlers))
        self.pending = max(5, *(len(_pending(handler)) for handler in handlers))
        self.run = 6 if width >= 44 else 5
        left = width - (5 + 1 + 2 * (self.run + 1) + self.pending + 1 + 5) - min(self.name, 8)
        self.counts = left >= self.seen + 1
        left -= self.counts * (self.seen + 1)
        self.busy = left >= 5
        left -= self.busy * 5
        self.p95 = left >= 14
        left -= self.p95 * 14
        self.wait = left >= 24
        left -= self.wait * 8
        self.name = max(5, min(self.name, min(self.name, 8) + left))

    def head(self) -> Line:
        titles = ("calls", "add/upd/del/sync", "p50", "p95", "p99", "max", "wait", "pend", "busy", "")
        return self._cells("name", titles, "dim", "dim")

    def row(self, handler: HandlerView, name: str, selected: bool) -> Line:
        mark = "HANG" if handler.hung_s else "ERR" if handler.last_error else "SLOW" if handler.slow else ""
        hung = f">{duration(handler.hung_s)}" if handler.hung_s else ""
        values = (
            count(handler.calls), _seen(handler), self._time(handler.p50_s, handler.calls),
            self._time(handler.p95_s, handler.calls), hung or self._time(handler.p99_s, handler.calls),
            hung or self._time(handler.max_s, handler.calls), self._time(handler.wait_p99_s, handler.calls),
            _pending(handler), f"{min(handler.busy, 1):.0%}", mark,
        )
        held_up = "warn" if handler.slow or handler.pending else ""
        return self._cells(name, values, "cursor" if selected else "bold", held_up)

    def _time(self, seconds: float, counted: int) -> str:
        text = latency(seconds, counted)
        return "0ms" if self.run < 6 and text == "<0.1ms" else text

    def _cells(self, name: str, values: tuple[str, ...], name_style: str, style: str) -> Line:
        calls, counts, p50, p95, p99, top, wait, pending, busy, mark = values
        dim = "dim" if style == "dim" else ""
        cells = [
            (name, name_style, self.name, False, True),
            (calls, dim, 5, True, True), (counts, dim, self.seen, True, self.counts),
            (p50, dim, self.run, True, True), (p95, dim, 6, True, self.p95), (p99, style, self.run, True, True),
            (top, dim, 6, True, self.p95), (wait, dim, 7, True, self.wait), (pending, style, self.pending, True, True),
            (busy, dim, 4, True, self.busy), (mark, "bad" if mark in ("ERR", "HANG") else "warn", 4, False, True),
        ]
        return columns([(text, look, width, right) for text, look, width, right, shown in cells if shown])


def _history(context: Context, handler: HandlerView, room: int) -> list[Line]:
    """What there is to say of one handler, the most urgent first."""
    glyphs, name, width = context.glyphs, clean(handler.name), context.width
    spark_width = max(8, min(60, width - width_of(name) - 24))
    said: list[Line] = []
    if handler.last_error:
        said.append(line((f"{name} raised {count(handler.errors)}: {clean(handler.last_error)}", "bad")))
    sentences = [f"{name} {text}" for text in outlook(handler)]
    look = "bad" if handler.hung_s else "warn" if handler.pending else "dim"
    said.append(line((first_that_fits(sentences, width), look)))
    spark = sparkline(handler.p99_history, spark_width, glyphs.blocks)
    word = "  SLOW, over limit" if handler.slow and width >= 70 else ""
    said.append(line((f"{name} p99 ", "dim"), (spark, "spark"), (f" {latency(handler.p99_s, handler.calls)}", ""),
                     (word, "warn")))
    if handler.worst:
        at = ""
        if handler.worst_at is not None:
            wall = context.snapshot.wall - (context.snapshot.mono - handler.worst_at)
            at = time.strftime(" at %H:%M:%S", time.localtime(wall))
        texts = (f"worst call: {clean(handler.worst)}{at}", f"worst: {clean(handler.worst)}")
        said.append(line((first_that_fits(texts, width), "dim")))
    if handler.pending:
        spark = sparkline(handler.pending_history, spark_width, glyphs.blocks)
        said.append(line((f"{name} pending ", "dim"), (spark, "spark"), (f" {count(handler.pending)} now", "")))
    if handler.buckets:
        said.append(line((f"{name} calls that ran: {_buckets(handler)}", "dim")))
    for call in handler.slowest[: max(0, room - len(said))]:
        doing = f"  {clean(call.doing)}" if call.doing else ""
        said.append(line((f"  {latency(call.run_s):>6}  {clean(call.callback)} {clean(call.key)}{doing}", "dim")))
    return said[: max(0, room)]


def _buckets(handler: HandlerView) -> str:
    parts = []
    for bucket in handler.buckets:
        if bucket.total:
            limit = "longer" if math.isinf(bucket.below_s) else f"<{duration(bucket.below_s)}"
            parts.append(f"{limit} {count(bucket.total)}")
    return "  ".join(parts) or "none yet"


def outlook(handler: HandlerView) -> tuple[str, ...]:
    """One sentence on the handler and what it rests on, in several lengths, longest first."""
    trend, waits = handler.trend, f"{count(handler.pending)} waiting"
    if handler.hung_s:
        running, age = handler.running, duration(handler.hung_s)
        what = f"{clean(running.callback)} {clean(running.key)}" if running is not None else "a call"
        own = [] if running is None else [frame for frame in running.stack if frame.own] or list(running.stack)
        at = f" at {clean(own[-1].file)}:{own[-1].line}" if own else ""
        return (f"hangs: {what} has not returned for {age}{at}; {waits}", f"hangs for {age}: {what}{at}",
                f"hangs for {age}{at}", f"hangs for {age}")
    over = f"over {trend.over_s}s"
    if trend.word == "held":
        return (f"is held by kdash: {waits}", f"held: {waits}")
    if trend.word == "early":
        if not handler.pending:
            return ("has nothing waiting",)
        return (f"has {waits}; whether it catches up shows after 30s", f"has {waits}, too early to tell",
                f"has {waits}")
    if trend.word == "keeps-up":
        return (f"keeps up: at most {count(trend.most)} waiting {over}", "keeps up")
    if trend.word == "grows":
        grows = f"falls behind: {trend.per_s:+.1f}/s {over}"
        return (f"{grows}, {waits}; never drains at this rate", f"{grows}, {waits}", grows)
    if trend.word == "shrinks" and handler.pending:
        left = f"catches up in about {_about(handler.pending / -trend.per_s)}" if trend.per_s < 0 else "catches up"
        return (f"{left}: {trend.per_s:+.1f}/s {over}, {waits}", f"{left}, {waits}", left)
    return (f"has a steady backlog: {waits}, no more and no less {over}", f"steady backlog: {waits}")


def _about(seconds: float) -> str:
    """Coarse: a forecast has no digits to lose."""
    return duration(math.ceil(seconds / 60) * 60 if seconds > 60 else math.ceil(seconds / 10) * 10)
