"""Pane 5 alone: one handler under the microscope: latency by callback, where it is stuck, its slowest calls, its last
exception."""

from __future__ import annotations

import math

from kdash.probe.snapshot import HandlerView, LatencyView
from kdash.probe.text import clean, duration
from kdash.ui.presenter.context import Context, count, latency
from kdash.ui.presenter.handlers import outlook
from kdash.ui.spans import Line, columns, line, pad

__all__ = ["chosen_handler", "detail_lines"]


def chosen_handler(context: Context) -> HandlerView:
    """The selected handler; the one that is worst off when none is selected."""
    handlers = context.snapshot.handlers
    found = [handler for handler in handlers if handler.name == context.selected_handler]
    if found:
        return found[0]
    return max(handlers, key=lambda each: (each.hung_s, bool(each.last_error), each.pending, each.p99_s))


def detail_lines(context: Context) -> list[Line]:
    """Everything that is known of the chosen handler; arrows choose another one."""
    handler = chosen_handler(context)
    code = f"  {clean(handler.code)}" if handler.code else ""
    out = [line(""), line((f"{clean(handler.name)} of {clean(handler.informer)}", "title"), (code, "dim"),
                          (f"   limit {duration(handler.slow_limit_s)}   arrows choose another handler", "dim"))]
    out += [*_latencies(handler), *_flow(context, handler), *_histogram(context, handler)]
    out += [*_stuck(context, handler), *_slowest(context, handler), *_exception(handler)]
    return out


def _latencies(handler: HandlerView) -> list[Line]:
    heads = ("", "calls", "p50", "p95", "p99", "max", "last minute p50", "p99")
    rows = [columns([(head, "dim", 18 if not at else 15 if at == 6 else 8, at > 0) for at, head in enumerate(heads)])]
    for each in handler.callbacks:
        rows.append(_latency_row(f"{clean(each.callback)} ran", each.run, each.run_minute))
        rows.append(_latency_row(f"{clean(each.callback)} waited", each.wait, each.wait_minute))
    if handler.end_to_end.count:
        rows.append(_latency_row("byte to return", handler.end_to_end, handler.end_to_end_minute))
    return rows


def _latency_row(name: str, whole: LatencyView, minute: LatencyView) -> Line:
    figures = [count(whole.count), *(latency(value, whole.count) for value in
                                     (whole.p50_s, whole.p95_s, whole.p99_s, whole.max_s)),
               latency(minute.p50_s, minute.count), latency(minute.p99_s, minute.count)]
    cells = [(name, "bold", 18, False)]
    cells += [(text, "", 15 if at == 5 else 8, True) for at, text in enumerate(figures)]
    return columns(cells)


def _flow(context: Context, handler: HandlerView) -> list[Line]:
    now = context.snapshot.mono
    oldest = (
        "" if handler.oldest_pending_at is None else f", the oldest for {duration(now - handler.oldest_pending_at)}"
    )
    cpu = "" if handler.cpu_share is None else f"   {handler.cpu_share:.0%} of its time it uses the CPU"
    text = (f"in {handler.arrival_rate:.1f}/s, done {handler.service_rate:.1f}/s, "
            f"{count(handler.pending)} pending{oldest}")
    memory = context.snapshot.memory
    told = "this replay" if context.snapshot.replay is not None else "this system"
    held = f"process memory {memory.resident / 1e6:.0f} MB" if memory else f"process memory: {told} does not tell"
    out = [line((text, ""), (cpu, "dim"), (f"   {held}", "dim"))]
    out.append(line((outlook(handler)[0], "bad" if handler.hung_s else "warn" if handler.pending else "dim")))
    return out


def _histogram(context: Context, handler: HandlerView) -> list[Line]:
    most = max((bucket.total for bucket in handler.buckets), default=0)
    if not most:
        return []
    out = [line(("run times", "dim"))]
    for bucket in handler.buckets:
        if bucket.total:
            limit = "longer" if math.isinf(bucket.below_s) else f"<{duration(bucket.below_s)}"
            bar = context.glyphs.full * max(1, round(bucket.total / most * 30))
            out.append(line((f"  {limit:>8} ", "dim"), (pad(bar, 31), "bar"), (count(bucket.total), ""),
                            (f"   {count(bucket.minute)} in the last minute" if bucket.minute else "", "dim")))
    return out


def _stuck(context: Context, handler: HandlerView) -> list[Line]:
    running, out = handler.running, []
    if running is not None and running.samples:
        for_s = duration(max(0.0, context.snapshot.mono - running.since))
        how = f": {clean(running.doing)}" if running.doing else ""
        out.append(line((f"now: {clean(running.callback)} {clean(running.key)} for {for_s}{how}", "warn")))
        out += [line((f"    {clean(frame.file)}:{frame.line} in {clean(frame.function)}: ", "dim"), clean(frame.text))
                for frame in running.stack[-6:]]
    if handler.hot_lines:
        out.append(line(("where is it stuck? its calls were found here during the last minute:", "dim")))
    for hot in handler.hot_lines[:8]:
        out.append(line((f"  {hot.share:4.0%}  ", "warn"), (f"{clean(hot.doing):<10} ", "accent"),
                        (f"{clean(hot.frame.file)}:{hot.frame.line} in {clean(hot.frame.function)}: ", ""),
                        (clean(hot.frame.text), "bold")))
    return out


def _slowest(context: Context, handler: HandlerView) -> list[Line]:
    if not handler.slowest:
        return []
    out = [line(("slowest calls: run, wait in its buffer, what it was doing", "dim"))]
    for call in handler.slowest[:8]:
        cpu = "" if call.cpu_s is None else f" cpu {duration(call.cpu_s)}"
        why = f"  {clean(call.error)}" if call.error else f"  {clean(call.doing)}" if call.doing else ""
        out.append(
            line(
                (f"  {latency(call.run_s):>7} {latency(call.wait_s):>8}  ", ""),
                (clean(call.callback), "accent"),
                (f" {clean(call.key)}{cpu}", ""),
                (why, "bad" if call.error else "dim"),
            )
        )
    return out


def _exception(handler: HandlerView) -> list[Line]:
    if not handler.traceback:
        return []
    key = f" on {clean(handler.last_error_key)}" if handler.last_error_key else ""
    head = line((f"last of {count(handler.errors)} exceptions{key}; the next notification followed:", "bad"))
    return [head, *(line((f"  {clean(each)}", "")) for each in handler.traceback)]
