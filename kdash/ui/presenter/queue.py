"""Pane 3: the delta queue: its depth in three numbers, its rate and history, and who is next."""

from __future__ import annotations

from kdash.probe.text import clean
from kdash.ui.presenter.context import Context, ago, count, first_that_fits, latency, rate
from kdash.ui.spans import Line, columns, line, pad_middle, sparkline

__all__ = ["queue_lines", "queue_title"]


def queue_title(context: Context) -> str:
    """`Queue  DeltaFIFO (client-go ≤ 1.32)  depth 3  peak 42`, with as much of it as fits."""
    queue = context.snapshot.queue
    depth = f"depth {count(queue.keys)}  peak {count(queue.peak)}"
    held = "  HELD" if _held(context) else ""
    return first_that_fits(
        (
            f"Queue  {queue.title} ({queue.client_go})  {depth}{held}",
            f"Queue  {queue.title}  {depth}{held}",
            f"Queue  {queue.title}  depth {count(queue.keys)}{held}",
            f"Queue  {queue.title}",
        ),
        context.width - 4,
    )


def queue_lines(context: Context) -> list[Line]:
    """Depth and waves first, then the head of the queue, then rates, sparkline and the word on health."""
    queue, glyphs, width = context.snapshot.queue, context.glyphs, context.width
    depth = line(("keys ", "dim"), (count(queue.keys), "bold"), ("  deltas ", "dim"), (count(queue.deltas), "bold"),
                 ("  objects ", "dim"), (count(queue.objects), "bold"))
    p50, p99 = (latency(value, queue.last_pop_at is not None) for value in (queue.waited_p50_s, queue.waited_p99_s))
    wait = f"   wait p50 {p50}  p99 {p99}"
    if sum(len(text) for text, _ in depth) + len(wait) <= width:
        depth = (*depth, (wait, "dim"))
    last = clean(queue.last_wave)
    words = first_that_fits((f"last wave: {last}", last, last.partition(", ")[0]), width)
    wave = line((words, "resync")) if last else line(("no wave yet", "dim"))
    flows = f"in {rate(queue.in_rate)}  out {rate(queue.out_rate)} "
    spark = sparkline(queue.history, max(8, min(60, width - len(flows) - 4)), glyphs.blocks)
    foot = line((flows, ""), (spark, "spark"), (" 60s", "dim"))
    room = context.height - 3
    body: list[Line] = [_held_line(context)] if _held(context) and room > 0 else []
    if queue.head:
        body += _head(context, max(0, room - len(body)))
    elif not body:
        body.append(line((_nothing(context), "dim")))
    if not queue.head and len(body) < room:
        body.append(line((first_that_fits(_HEALTHY, width), "dim")))
    if len(body) < room and queue.client_go not in queue_title(context):
        body.append(line((f"engine: {queue.client_go}", "dim")))
    return [depth, wave, *body[: max(room, 0)], *([line("")] * max(0, room - len(body))), foot][: context.height]


_HEALTHY = (
    "near 0 is healthy: a slow handler's backlog shows up per handler in pane 5",
    "near 0 is healthy: a handler's backlog is in pane 5",
    "near 0 is healthy; backlog: pane 5",
    "near 0 is healthy",
)


def _held(context: Context) -> bool:
    gate = context.snapshot.gate
    return gate.held and gate.stage != "handlers"


def _held_line(context: Context) -> Line:
    gate = context.snapshot.gate
    last = f"  last: {clean(gate.last_step)}" if gate.last_step else ""
    return line((f"HELD {count(gate.waiting_entries)} before pop, press n", "warn"), (last, "dim"))


def _head(context: Context, room: int) -> list[Line]:
    """The next entries; the first is marked."""
    glyphs, rows = context.glyphs, context.snapshot.queue.head
    deltas_width = max(8, min(20, context.width // 4))
    key_width = max(12, context.width - deltas_width - 3 - 15 - 2)
    out: list[Line] = []
    for number, row in enumerate(rows[:room], 1):
        mark = f" {glyphs.next} next" if number == 1 else " " * 7
        key = pad_middle(clean(row.key), key_width)
        out.append(columns([(f"{number}", "dim", 2, True), (key, "", key_width, False),
                            (glyphs.plain(clean(row.deltas)), "accent", deltas_width, False),
                            (f"{latency(row.waited_s)}{mark}", "dim", 14, True)]))
    return out


def _nothing(context: Context) -> str:
    snapshot = context.snapshot
    queue, informers, width = snapshot.queue, snapshot.informers, context.width
    if informers and not all(informer.synced for informer in informers):
        received = sum(informer.received for informer in informers)
        return f"filling from the first full state: {count(received)} received"
    if snapshot.state.word in ("RETRY", "DENIED", "STALE", "STOPPED"):
        return "drained, waiting for the watch" if snapshot.state.word != "STOPPED" else "drained, stopped"
    if queue.last_pop_at is None:
        return "empty, nothing popped yet"
    when = f"last pop {ago(snapshot.mono, queue.last_pop_at)} ago"
    return first_that_fits((f"empty, {when}, peak {count(queue.peak)}", f"empty, {when}"), width)
