"""Pane 3: the delta queue: its depth in three numbers, its rate and history, and who is next."""

from __future__ import annotations

from kdash.probe.text import clean, duration
from kdash.ui.presenter.context import Context, ago, rate
from kdash.ui.spans import Line, columns, line, sparkline

__all__ = ["queue_lines", "queue_title"]


def queue_title(context: Context) -> str:
    """`Queue  DeltaFIFO  depth 3  peak 42`."""
    queue = context.snapshot.queue
    version = f"  ({queue.client_go})" if context.width >= 68 else ""
    return f"Queue  {queue.title}{version}  depth {queue.keys}  peak {queue.peak}"


def queue_lines(context: Context) -> list[Line]:
    """Depth and waves first, then the head of the queue, then rates, sparkline and the word on health."""
    queue, glyphs = context.snapshot.queue, context.glyphs
    depth = line(("keys ", "dim"), (str(queue.keys), "bold"), ("  deltas ", "dim"), (str(queue.deltas), "bold"),
                 ("  objects ", "dim"), (str(queue.objects), "bold"),
                 (f"   wait p50 {duration(queue.waited_p50_s)} p99 {duration(queue.waited_p99_s)}", "dim"))
    wave = line((f"last wave: {clean(queue.last_wave)}", "resync")) if queue.last_wave else line(("no wave yet", "dim"))
    spark = sparkline(queue.history, max(8, min(60, context.width - 34)), glyphs.blocks)
    foot = line((f"in {rate(queue.in_rate)}  out {rate(queue.out_rate)} ", ""), (spark, "spark"), (" 60s", "dim"))
    room = context.height - 3
    body: list[Line] = []
    if queue.head and room > 0:
        key_width = max(16, context.width - 34)
        for number, row in enumerate(queue.head[:room], 1):
            mark = f" {glyphs.next} next" if number == 1 else ""
            body.append(columns([(f"{number}", "dim", 2, True), (clean(row.key), "", key_width, False),
                                 (glyphs.plain(row.deltas), "accent", 14, False),
                                 (f"{duration(row.waited_s)}{mark}", "dim", 14, True)]))
    elif room > 0:
        when = (
            f"last pop {ago(context.snapshot.mono, queue.last_pop_at)} ago"
            if queue.last_pop_at is not None
            else "nothing yet"
        )
        informers = context.snapshot.informers
        if informers and not all(informer.synced for informer in informers):
            body.append(line(("filling from the first full state", "dim")))
        else:
            body.append(line((f"empty, {when}, peak {queue.peak}", "dim")))
        if room > 1:
            body.append(line(("near 0 is healthy: a slow handler's backlog shows in pane 5", "dim")))
    return [depth, wave, *body[: max(room, 0)], *([line("")] * max(0, room - len(body))), foot][: context.height]
