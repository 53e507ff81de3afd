"""Pane 1: the way of an object from the server to the handlers, with what flows and what holds it up."""

from __future__ import annotations

from kdash.probe.snapshot import HandlerView, InformerView, Snapshot
from kdash.probe.text import clean, duration, plural
from kdash.ui.presenter.context import Context, rate
from kdash.ui.spans import Line, Span, line, pad, width_of

__all__ = ["pipeline_lines", "pipeline_strip"]

_STATES = {"watching": "streaming", "listing": "LIST", "watch-listing": "watch-list", "rewatch-open": "opening watch",
           "backoff": "backing off", "stopped": "stopped", "": "starting"}  # fmt: skip


def _handler_state(handler: HandlerView) -> tuple[str, str]:
    if handler.errors and handler.last_error:
        return "ERR", "bad"
    if handler.slow:
        return "SLOW", "warn"
    if not handler.synced:
        return "syncing", "dim"
    return "ok", "ok"


def _pending(handler: HandlerView) -> str:
    return f"+{handler.pending}" if handler.pending else "0"


def _broken(snapshot: Snapshot) -> bool:
    return snapshot.state.word in ("RETRY", "DENIED", "STALE", "STOPPED")


def pipeline_strip(context: Context) -> Line:
    """The pipeline in one line, for small terminals."""
    snapshot, glyphs = context.snapshot, context.glyphs
    arrow = f" {glyphs.line}{glyphs.arrow} "
    if _broken(snapshot):
        way: Span = (f" {glyphs.broken}{glyphs.line * 2}{glyphs.broken} ", "bad")
    else:
        way = (f" {glyphs.watch}watch{glyphs.watch}{glyphs.arrow} ", "stage")
    queue, handlers = snapshot.queue, []
    for handler in snapshot.handlers[:4]:
        state, style = _handler_state(handler)
        count = f" {_pending(handler)}" if handler.pending else ""
        handlers.append((f"{clean(handler.name)}{count} {state}", style))
    spans: list[Span] = [(" API", "bold"), way, ("REFL", "bold"), (arrow, "stage"), ("QUEUE ", "bold"), (str(queue.keys), ""),
                         (arrow, "stage"), ("CACHE ", "bold"), (str(snapshot.objects), ""), (arrow, "stage")]  # fmt: skip
    for index, span in enumerate(handlers):
        spans += [("  ", "")] * bool(index) + [span]
    return tuple(spans)


def pipeline_lines(context: Context) -> list[Line]:
    """The pipeline as boxes, with a row a stage and the sentence of the reflector's life below."""
    snapshot, glyphs = context.snapshot, context.glyphs
    queue, resync = snapshot.queue, snapshot.resync
    informers = snapshot.informers
    state = informers[0].state if informers else ""
    api = snapshot.api
    boxes = [
        ("API server", [plural(api.lists, "list"), f"{plural(api.open_watches, 'watch')} open"]),
        ("Reflector", [f"rv {clean(snapshot.resource_version) or '-'}", _STATES.get(state, state)]),
        (f"Queue ({queue.title})", [f"{queue.keys} waiting", f"peak {queue.peak}"]),
        ("Indexer", [plural(snapshot.objects, "object"), f"{plural(len(informers), 'informer')}"]),
    ]
    flow = snapshot.pipeline
    links = [
        ("watch", flow.watch_rate),
        ("deltas", flow.delta_rate),
        ("pop", flow.pop_rate),
        ("notify", flow.notify_rate),
    ]
    drawn = _boxes(context, boxes, links)
    drawn.append(_life(context, informers[0] if informers else None))
    if snapshot.banner:
        drawn.append(line((f" {clean(snapshot.banner)}", "banner")))
    elif flow.held_by:
        drawn.append(line((f" !! held up by {clean(flow.held_by)}", "warn")))
    elif resync.next_tick_at is not None and context.height > 6:
        left = duration(max(0.0, round(resync.next_tick_at - snapshot.mono)))
        drawn.append(
            line((f" resync: the next tick is in {left}; it re-queues the cache and sends no API request", "dim"))
        )
    return drawn


def _boxes(context: Context, boxes: list[tuple[str, list[str]]], links: list[tuple[str, float]]) -> list[Line]:
    snapshot, glyphs = context.snapshot, context.glyphs
    tail = 34 if context.width < 150 else 52
    gap = 9
    inner = (context.width - tail - 4 * gap - 8) // 4
    inner = max(11, min(inner, 24))
    border = glyphs.box
    titles: list[Span] = [(" ", "")]
    rows: list[list[Span]] = [[(" ", "")] for _ in range(4)]
    for index, (title, content) in enumerate(boxes):
        titles += [(pad(title, inner + 2), "title"), (" " * gap, "")]
        name, flowing = links[index]
        moving = flowing > 0
        style = "stage" if moving else "dim"
        broken = index == 0 and _broken(snapshot)
        arrow = f"{glyphs.broken}{glyphs.line * 5}{glyphs.broken}" if broken else (
            (glyphs.watch if index == 0 else glyphs.line) * 6 + glyphs.arrow)  # fmt: skip
        rows[0] += [
            (border.top_left + border.horizontal * inner + border.top_right, "border"),
            (pad(f" {name}", gap), "dim"),
        ]
        rows[1] += _side(border.vertical, pad(f" {content[0]}", inner)) + [(f" {arrow} ", "bad" if broken else style)]
        rows[2] += _side(border.vertical, pad(f" {content[1]}", inner)) + [(pad(f" {rate(flowing)}", gap), "dim")]
        rows[3] += [(border.bottom_left + border.horizontal * inner + border.bottom_right, "border"), (" " * gap, "")]
    titles.append((f"Handlers ({len(snapshot.handlers)})", "title"))
    for row, spans in enumerate(_handlers(context, tail)):
        rows[row] += spans
    return [tuple(titles), *(tuple(row) for row in rows)]


def _side(edge: str, text: str) -> list[Span]:
    return [(edge, "border"), (text, ""), (edge, "border")]


def _handlers(context: Context, width: int) -> list[list[Span]]:
    glyphs = context.glyphs
    handlers = context.snapshot.handlers
    if not handlers:
        return [[("waiting for sync", "dim")]]
    shown = handlers[:4]
    out: list[list[Span]] = []
    name_width = min(12, max(width_of(clean(handler.name)) for handler in shown))
    for index, handler in enumerate(shown):
        mark = glyphs.branch if index < len(shown) - 1 else glyphs.last
        state, style = _handler_state(handler)
        if index == 3 and len(handlers) > 4:
            out.append([(f"{mark}{glyphs.line} {len(handlers) - 3} more", "dim")])
            break
        out.append([(f"{mark}{glyphs.line} ", "stage"), (pad(clean(handler.name), name_width), "bold"),
                    (f" {_pending(handler):>5} pend {duration(handler.p99_s):>6} ", ""), (state, style)])  # fmt: skip
    return out


def _life(context: Context, informer: InformerView | None) -> Line:
    """`watching 3m54s since LIST #1 (38ms, 42 items) · bookmarks 4 · relists 0 · reconnects 0 · backoff none`."""
    snapshot, dot = context.snapshot, context.glyphs.dot
    state = snapshot.state
    if informer is None or (state.detail and state.word != "LIVE"):
        detail = clean(state.detail) or "starting"
        if state.retry_at is not None:
            detail += f" (retry {state.retry_no} in {max(0, round(state.retry_at - snapshot.mono))}s)"
        return line((f" {detail}", "bad" if _broken(snapshot) else "dim"))
    parts = []
    if informer.watching_since is not None:
        parts.append(f"watching {duration(max(0.0, float(int(snapshot.mono - informer.watching_since))))}")
    elif informer.state in ("listing", "watch-listing"):
        parts.append(f"{_STATES[informer.state]}: {informer.received} received so far")
    if informer.last_list_s is not None:
        parts.append(f"last full state {duration(informer.last_list_s)}, {plural(informer.last_list_items, 'item')}")
    parts += [f"bookmarks {informer.bookmarks}", f"relists {informer.relists}", f"reconnects {informer.reconnects}"]
    if informer.backoff_until is not None:
        parts.append(f"backoff {max(0, round(informer.backoff_until - snapshot.mono))}s (step {informer.backoff_step})")
    else:
        parts.append("backoff none")
    return line((" " + f" {dot} ".join(parts), "dim"))
