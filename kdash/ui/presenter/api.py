"""Pane 6: what was asked of the server, and what the cache answered in its place."""

from __future__ import annotations

import time

from kdash.probe.snapshot import RequestRow
from kdash.probe.text import clean, duration, plural
from kdash.ui.presenter.context import Context, ago, amount, count, first_that_fits, whole
from kdash.ui.spans import Line, Span, columns, line, line_width, pad_middle, sparkline, width_of

__all__ = ["api_lines", "api_title"]


def api_title(context: Context) -> list[Span]:
    """`API traffic  requests 2  in 1.2 MB`, with `+1` for a few seconds after a request."""
    api = context.snapshot.api
    title: list[Span] = [("API traffic  ", ""), (f"requests {api.requests}", "bold")]
    if context.requests_moved:
        title.append((f" +{context.requests_moved}", "warn"))
    size = f"  in {amount(api.bytes)}"
    if line_width(tuple(title)) + len(size) + 4 <= context.width:
        title.append((size, ""))
    return title


def api_lines(context: Context) -> list[Line]:
    """The newest requests, the open watch with its age, and the balance: requests against the cache's answers."""
    foot = _foot(context)
    api = context.snapshot.api
    room = context.height - len(foot)
    if not api.rows:
        return [line(("no request yet", "dim")), *[line("")] * max(0, room - 1), *foot][: context.height]
    body: list[Line] = []
    head = room >= 4
    rows = list(api.rows)
    lines_of = [_request(context, row) for row in rows]
    budget = room - (1 if head else 0)
    while lines_of and sum(map(len, lines_of)) > budget:
        if len(lines_of) > 1 and not rows[0].open:
            lines_of.pop(0)
            rows.pop(0)
        elif len(lines_of) > 1:
            closed = next((i for i, row in enumerate(rows) if not row.open), None)
            drop = 0 if closed is None else closed
            lines_of.pop(drop)
            rows.pop(drop)
        else:
            lines_of[0] = lines_of[0][: max(budget, 1)]
            break
    if head:
        body.append(_cells(context, ("time", "verb", "path", "code", "took", "size"), "dim"))
    for group in lines_of:
        body += group
    filler = [line("")] * max(0, room - len(body))
    return [*body, *filler, *foot][: context.height]


def _foot(context: Context) -> list[Line]:
    """Backoff, the answer to the last order, kdash's own cost, what the cache saved, bytes and errors."""
    snapshot, glyphs, width = context.snapshot, context.glyphs, context.width
    api = snapshot.api
    notified, read = count(api.served_notifications), count(api.served_reads)
    saved = (f"from the cache, 0 requests: {notified} notifications, {read} reads",
             f"cache: {notified} notifications, {read} reads", f"cache gave {notified} + {read}")
    ends = (f"  errors {count(api.errors)}", "bad" if api.errors else "dim"), (
        f"  429s {count(api.throttled)}", "warn" if api.throttled else "dim")
    taken = 8 + sum(len(text) for text, _ in ends)
    spark = sparkline(api.bytes_history, max(4, min(40, width - taken)), glyphs.blocks)
    out: list[Line] = []
    waiting = [each for each in snapshot.informers if each.backoff_until is not None]
    if waiting and waiting[0].backoff_until is not None:
        left = whole(waiting[0].backoff_until - snapshot.mono)
        out.append(line((f"backoff: {left} until the next try (step {waiting[0].backoff_step})", "bad")))
    if any(each.silence == "unproven" for each in snapshot.informers):
        words = ("a dead connection cannot be told from a quiet one on this server: no byte, no bookmarks",
                 "dead or quiet: cannot be told on this server")
        out.append(line((first_that_fits(words, width), "warn")))
    if api.faults:
        out.append(_faults(context))
    if context.last_order:
        out.append(_last_answer(context))
    if context.height >= 8:
        watches = plural(api.open_watches, "open watch")
        cost = (f"kdash costs this server: {plural(api.requests, 'request')}, {amount(api.bytes)}, {watches}, 0 writes",
                f"kdash's cost: {plural(api.requests, 'request')}, {watches}, 0 writes",
                f"cost: {plural(api.requests, 'request')}, 0 writes")
        out.append(line((first_that_fits(cost, width), "dim")))
    out.append(line((first_that_fits(saved, width), "resync")))
    if context.height >= 5:
        out.append(line(("bytes/s ", "dim"), (spark, "spark"), *ends))
    return out


def _faults(context: Context) -> Line:
    """`armed: 410 waits for the next LIST of pods, struck 0x`; the newest, and how many there are besides."""
    faults = context.snapshot.api.faults
    newest, more = faults[-1], f"; {len(faults) - 1} more in :chaos" if len(faults) > 1 else ""
    texts = (f"armed: {newest.kind} waits for {newest.waits_for}, struck {newest.struck}x{more}",
             f"armed: {newest.kind}, {newest.waits_for}, struck {newest.struck}x",
             f"armed: {newest.kind}, struck {newest.struck}x")
    return line((first_that_fits(texts, context.width), "warn"))


def _last_answer(context: Context) -> Line:
    if context.last_order == "resync":
        return line(("your resync: ", ""), ("0 requests", "ok"), (": the cache was replayed", ""))
    words = {"relist": "the whole state is fetched anew", "rewatch": "the watch is opened again from the last version"}
    plus = f"+{context.requests_moved} requests" if context.requests_moved != 1 else "+1 request"
    return line((f"your {context.last_order}: ", ""), (plus, "warn"), (f": {words.get(context.last_order, '')}", ""))


def short_path(path: str, width: int) -> str:
    """The path with what tells requests apart: the version, the limit, the page."""
    place, _, query = path.partition("?")
    given = dict(part.partition("=")[::2] for part in query.split("&") if part)
    told = [f"{short}={given[name]}" for name, short in _TOLD if given.get(name)]
    told += ["continue=…"] if given.get("continue") else []
    whole = f"{place}?{'&'.join(told)}" if told else place
    if width_of(whole) <= width or width_of(place) > width:
        return pad_middle(whole, width, max(6, width // 2)).rstrip()
    return f"{whole[: width - 1]}…" if width_of(place) < width - 4 else place


_TOLD = (("resourceVersion", "rv"), ("limit", "limit"), ("labelSelector", "l"), ("fieldSelector", "f"))


def _cells(context: Context, values: tuple[str, str, str, str, str, str], style: str) -> Line:
    when, verb, path, code, took, size = values
    wide, sized = context.width >= 50, context.width >= 42
    path_width = max(8, context.width - (9 if wide else 0) - 10 - 5 - 6 - (7 if sized else 0))
    code_style = style or ("bad" if code[:1] in ("4", "5") else "ok")
    cells = [(when, "dim", 8, False)] if wide else []
    cells += [
        (verb, style or "accent", 9, False), (short_path(path, path_width), style, path_width, False),
        (code, code_style, 4, True), (took, style, 5, True),
    ]
    return columns([*cells, (size, style, 6, True)] if sized else cells)


def _request(context: Context, row: RequestRow) -> list[Line]:
    snapshot = context.snapshot
    now = snapshot.mono
    took = duration(row.took_s) if row.took_s is not None else whole(now - row.at)
    code = str(row.code) if row.code else ("..." if row.open else "-")
    wall = time.strftime("%H:%M:%S", time.localtime(snapshot.wall - (now - row.at)))
    out = [_cells(context, (wall, row.verb, clean(row.path), code, took, amount(row.bytes)), "")]
    if row.error:
        out.append(line((f"  {context.glyphs.last} {clean(row.error)}", "bad")))
    elif row.open and row.verb.startswith("WATCH"):
        ends = ""
        if row.timeout_s is not None:
            ends = f"  ends in {whole(row.at + row.timeout_s - now)}"
        idle = f"  idle {ago(now, row.last_byte_at)}" if row.last_byte_at is not None else ""
        events, bookmarks, last = count(row.events), count(row.bookmarks), context.glyphs.last
        texts = (f"  {last} open  {events} events  {bookmarks} bookmarks{idle}{ends}",
                 f"  {last} {events} events  {bookmarks} bookmarks{ends}", f"  {last} {events} events{ends}",
                 f"  {last} {events} events")
        out.append(line((first_that_fits(texts, context.width), "dim")))
    return out
