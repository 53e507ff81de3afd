"""Pane 1: the way of an object from the server to the handlers, with what flows and what holds it up."""

from __future__ import annotations

import math

from kdash.probe.snapshot import HandlerView, InformerView, Snapshot
from kdash.probe.text import clean, duration, plural
from kdash.ui.presenter.context import Context, count, first_that_fits, latency, rate, whole
from kdash.ui.spans import Line, Span, line, line_width, pad, width_of

__all__ = ["pipeline_lines", "pipeline_note", "pipeline_strip", "pulses"]

_STATES = {"watching": "streaming", "listing": "LIST", "watch-listing": "watch-list", "rewatch-open": "re-watching",
           "backoff": "backing off", "stopped": "stopped", "": "starting"}


def _handler_state(handler: HandlerView) -> tuple[str, str]:
    if handler.hung_s:
        return "HANG", "bad"
    if handler.last_error:
        return "ERR", "bad"
    if handler.slow:
        return "SLOW", "warn"
    if not handler.synced:
        return "syncing", "dim"
    return "ok", "ok"


def _pending(handler: HandlerView) -> str:
    return f"+{count(handler.pending)}" if handler.pending else "0"


def _broken(snapshot: Snapshot) -> bool:
    return snapshot.state.word in ("RETRY", "DENIED", "STALE", "STOPPED")


def _held_at(snapshot: Snapshot) -> tuple[bool, bool]:
    """Whether the gate holds before pop, and before the handlers."""
    gate = snapshot.gate
    return gate.held and gate.stage != "handlers", gate.held and gate.stage != "queue"


def pipeline_strip(context: Context) -> Line:
    """The pipeline in one line, for small terminals."""
    snapshot, glyphs = context.snapshot, context.glyphs
    arrow = f" {glyphs.line}{glyphs.arrow} "
    if _broken(snapshot):
        way: Span = (f" {glyphs.broken}{glyphs.line * 2}{glyphs.broken} ", "bad")
    else:
        way = (f" {glyphs.watch}watch{glyphs.watch}{glyphs.arrow} ", "stage")
    pop, notify = ((" || ", "warn") if held else (arrow, "stage") for held in _held_at(snapshot))
    spans: list[Span] = [(" API", "bold"), way, ("REFL", "bold"), (arrow, "stage")]
    spans += [("QUEUE ", "bold"), (count(snapshot.queue.keys), ""), pop]
    spans += [("CACHE ", "bold"), (count(snapshot.objects), ""), notify]
    return (*spans, *_strip_handlers(context, context.width - line_width(tuple(spans))))


def _strip_handlers(context: Context, room: int) -> list[Span]:
    """As many handlers as fit, those with trouble first; the others are counted."""
    handlers, names = context.snapshot.handlers, context.handler_names()
    joint = f" {context.glyphs.box.vertical} "
    order = sorted(range(len(handlers)), key=lambda at: (_handler_state(handlers[at])[0] == "ok", at))
    texts: dict[int, Span] = {}
    for at in order:
        state, style = _handler_state(handlers[at])
        behind = f" {_pending(handlers[at])}" if handlers[at].pending else ""
        span = (f"{names[at]}{behind} {state}", style)
        spare = 9 if len(texts) + 1 < len(handlers) else 0
        if width_of(span[0]) + (len(joint) if texts else 0) + spare > room:
            break
        room -= width_of(span[0]) + (len(joint) if texts else 0)
        texts[at] = span
    out: list[Span] = []
    for at in sorted(texts):
        out += [(joint, "dim")] * bool(out) + [texts[at]]
    if handlers and len(texts) < len(handlers):
        out.append((f"{joint if texts else ''}{len(handlers) - len(texts)} more", "dim"))
    return out


def pipeline_lines(context: Context) -> list[Line]:
    """The pipeline as boxes, with a row a stage and the sentence of the reflector's life below."""
    snapshot = context.snapshot
    resync, informers = snapshot.resync, snapshot.informers
    drawn = _boxes(context, _Stages(context))
    drawn.append(_life(context, informers[0] if informers else None))
    if context.height > len(drawn):
        said = _urgent(snapshot)
        drawn += [line((f" {said[0]}", said[1]))] if said[0] else []
    if resync.next_tick_at is not None and context.height > len(drawn):
        left = whole(resync.next_tick_at - snapshot.mono)
        texts = (f" resync: the next tick is in {left}; it re-queues the cache and sends no API request",
                 f" resync: next tick in {left}, 0 API requests")
        drawn.append(line((first_that_fits(texts, context.width), "dim")))
    return drawn


def pipeline_note(context: Context) -> Span:
    """What is urgent, for the pane's border, when there is no room for it inside."""
    return ("", "dim") if context.height > 6 else _urgent(context.snapshot)


def _urgent(snapshot: Snapshot) -> Span:
    """The one thing worth saying aloud: a recording that failed, the banner, the gate, or what holds things up."""
    gate = snapshot.gate
    if snapshot.recording_failure:
        return clean(snapshot.recording_failure), "banner"
    if snapshot.banner:
        return clean(snapshot.banner), "banner"
    if gate.held:
        words = (f"|| HELD: {plural(gate.waiting_entries, 'entry')} before pop, "
                 f"{plural(gate.waiting_notifications, 'notification')} before the handlers")
        came = f"{plural(gate.arrived, 'event')} came since"
        last = f"last step: {clean(gate.last_step)}" if gate.last_step else came
        return f"{words}; {last}", "warn"
    if snapshot.pipeline.held_by and not _broken(snapshot):
        return f"!! {clean(snapshot.pipeline.held_by)}", "warn"
    return "", "dim"


class _Stages:
    """What stands in the four boxes and on the four arrows, and how wide they are."""

    WIDTHS = (9, 12, 15, 10)

    def __init__(self, context: Context) -> None:
        snapshot = context.snapshot
        api, queue, flow, informers = snapshot.api, snapshot.queue, snapshot.pipeline, snapshot.informers
        state = informers[0].state if informers else ""
        roomy = context.width >= 150
        self.gap = 11 if roomy else 6
        self.tail = 58 if roomy else 30
        spare = context.width - self.tail - sum(self.WIDTHS) - 4 * (self.gap + 2) - 1
        self.inner = [width + max(0, min(10, spare // 4)) for width in self.WIDTHS]
        watches = plural(api.open_watches, "watch")
        objects = plural(snapshot.objects, "object") if self.inner[3] > 13 else f"{count(snapshot.objects)} obj"
        self.boxes = [
            ("API server", plural(api.lists, "list"), f"{watches} open" if self.inner[0] > 14 else watches),
            ("Reflector", f"rv {clean(snapshot.resource_version) or '-'}", _STATES.get(state, state)),
            (f"Queue ({queue.title})" if self.inner[2] > 14 else "Queue",
             f"{queue.keys} waiting", f"peak {queue.peak}"),
            ("Indexer", objects, plural(len(informers), "informer") if self.inner[3] > 11 else "cached"),
        ]
        self.links = [
            ("watch", flow.watch_rate),
            ("deltas" if roomy else "delta", flow.delta_rate),
            ("pop", flow.pop_rate),
            ("notify" if roomy else "notif", flow.notify_rate),
        ]


def _boxes(context: Context, stages: _Stages) -> list[Line]:
    snapshot, glyphs = context.snapshot, context.glyphs
    gap, border = stages.gap, glyphs.box
    titles: list[Span] = [(" ", "")]
    rows: list[list[Span]] = [[(" ", "")] for _ in range(4)]
    for index, (title, first, second) in enumerate(stages.boxes):
        inner = stages.inner[index]
        name, flowing = stages.links[index]
        titles.append((pad(f" {title}", inner + 2 + gap), "title"))
        broken = index == 0 and _broken(snapshot)
        held = index in (2, 3) and _held_at(snapshot)[index - 2]
        edge = border.horizontal * inner
        rows[0] += [(border.top_left + edge + border.top_right, "border"), (pad(f" {name}", gap), "dim")]
        arrow = _arrow(context, index, gap, flowing, broken, held)
        rows[1] += [*_side(border.vertical, pad(f" {first}", inner)), arrow]
        rows[2] += [*_side(border.vertical, pad(f" {second}", inner)), (pad(f" {rate(flowing)}", gap), "dim")]
        rows[3] += [(border.bottom_left + edge + border.bottom_right, "border"), (" " * gap, "")]
    head, tail = _handlers(context, stages.tail)
    titles.append((head, "title"))
    for row, spans in enumerate(tail):
        rows[row] += spans
    return [tuple(titles), *(tuple(row) for row in rows)]


def pulses(flowing: float, length: int) -> int:
    """How many pulses an arrow carries at a rate: one from the first event on, one more per tenfold; the number
    beside the arrow tells the exact rate."""
    if flowing <= 0 or length <= 0:
        return 0
    return max(1, min((length + 1) // 2, 1 + int(math.log10(max(flowing, 1.0)))))


def _arrow(context: Context, stage: int, gap: int, flowing: float, broken: bool, held: bool) -> Span:
    """The way to the next stage; pulses run along it at the pace of what flows."""
    glyphs = context.glyphs
    length = gap - 2
    if broken:
        return pad(f"{glyphs.broken}{glyphs.line * (length - 1)}{glyphs.broken}", gap), "bad"
    if held:
        return pad(f"{glyphs.line * ((length - 1) // 2)}||{glyphs.line * (length // 2)}", gap), "warn"
    shaft = list((glyphs.watch if stage == 0 else glyphs.line) * length)
    if context.motion:
        number = pulses(flowing, length)
        pace = min(8.0, 1.0 + flowing)
        for index in range(number):
            at = int(context.snapshot.mono * pace + stage * 2 + index * length / number)
            shaft[at % length] = glyphs.pulse
    return pad("".join(shaft) + glyphs.arrow, gap), "stage" if flowing > 0 else "dim"


def _side(edge: str, text: str) -> list[Span]:
    return [(edge, "border"), (text, ""), (edge, "border")]


def _handlers(context: Context, width: int) -> tuple[str, list[list[Span]]]:
    """The heading, and a row a handler: pending, p99 and a word on its state."""
    glyphs, handlers = context.glyphs, context.snapshot.handlers
    if not handlers:
        stopped = _broken(context.snapshot)
        return "Handlers", [[(" none: not started" if stopped else " waiting for sync", "dim")]]
    shown, names = handlers[:4], context.handler_names()[:4]
    name_width = min(width - 22, max(8, *map(width_of, names)))
    several = f"Handlers ({len(handlers)})"
    head = f"{pad(several if len(several) <= name_width + 3 else 'Handlers', name_width + 3)}  pend    p99"
    most = max(handler.pending for handler in handlers)
    gauge = width - name_width - 26
    out: list[list[Span]] = []
    for index, handler in enumerate(shown):
        mark = glyphs.branch if index < len(shown) - 1 else glyphs.last
        if index == 3 and len(handlers) > 4:
            out.append([(f"{mark}{glyphs.line} {len(handlers) - 3} more", "dim")])
            break
        state, style = _handler_state(handler)
        p99 = f">{duration(handler.hung_s)}" if handler.hung_s else latency(handler.p99_s, handler.calls)
        row: list[Span] = [(f"{mark}{glyphs.line} ", "stage"), (pad(names[index], name_width), "bold"),
                           (f"{_pending(handler):>6} {p99:>6} ", ""), (f"{state:<5}", style)]
        if gauge >= 10 and most:
            filled = round(handler.pending / most * (gauge - 2))
            row.append((f" [{glyphs.full * filled}{' ' * (gauge - 2 - filled)}]", "warn" if filled else "dim"))
        out.append(row)
    return head, out


def _life(context: Context, informer: InformerView | None) -> Line:
    """`watching 3m54s · relists 1 (ordered) · reconnects 0 · last full state 38ms, 42 items · bookmarks 4`."""
    snapshot, dot = context.snapshot, context.glyphs.dot
    state = snapshot.state
    if informer is None or (state.detail and state.word != "LIVE"):
        detail = clean(state.detail) or "starting"
        if _broken(snapshot):
            detail = f"!! {detail}"
        if state.retry_at is not None:
            detail += f" (retry {state.retry_no} in {max(0, round(state.retry_at - snapshot.mono))}s)"
        return line((f" {detail}", "bad" if _broken(snapshot) else "dim"))
    parts = []
    if informer.watching_since is not None:
        parts.append(f"watching {duration(max(0.0, float(int(snapshot.mono - informer.watching_since))))}")
    elif informer.state in ("listing", "watch-listing"):
        page = f" page {informer.pages}" if informer.pages > 1 else ""
        parts.append(f"{_STATES[informer.state]}{page}: {informer.received} received so far")
    if informer.backoff_until is not None:
        parts.append(f"backoff {max(0, round(informer.backoff_until - snapshot.mono))}s (step {informer.backoff_step})")
    if informer.behind is not None:
        parts.append(f"behind {informer.behind}")
    reason = f" ({clean(informer.last_relist_reason)})" if informer.relists and informer.last_relist_reason else ""
    parts += [f"relists {informer.relists}{reason}", f"reconnects {informer.reconnects}"]
    if informer.last_list_s is not None:
        parts.append(f"last full state {duration(informer.last_list_s)}, {plural(informer.last_list_items, 'item')}")
    parts.append(f"bookmarks {informer.bookmarks}")
    if snapshot.memory is not None:
        parts.append(f"memory {snapshot.memory.resident / 1e6:.0f} MB")
    return line((" " + f" {dot} ".join(parts), "dim"))
