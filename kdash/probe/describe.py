"""What a tap record says in one line of the event log. Pure functions: record in, words out.

Not every record is a line: those of the hot path (queueing, store, handler calls) show up as figures, and
as what is added to the line of the watch event that caused them. All strings that come from a server are
cleaned here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kdash.informer.tap import Record
from kdash.probe.handlers import CALLBACK_NAMES, HandlerState
from kdash.probe.informers import is_ordered
from kdash.probe.resync import PERIOD_CHANGED
from kdash.probe.text import clean, duration, plural, shorten

__all__ = ["Line", "describe", "describe_hang", "describe_slow_call", "describe_wave"]


class Line(NamedTuple):
    """A line to be; `fold`: equal lines in a row become one with a count."""

    category: str
    detail: str
    verb: str = ""
    key: str = ""
    fold: bool = False


def describe(record: Record) -> Line | None:
    """The line of `record`, or None when it is none."""
    words = _WORDS.get(record[2])
    return None if words is None else words(record)


def describe_wave(tick: Record, wave: Record, due: Sequence[str], notifications: int, requests: int) -> Line:
    """A tick and the wave it made: `audit due → 42 Sync deltas → 42 notifications (0 API requests)`."""
    _, _, _, _, _, _, engine, known, queued, skipped, _, _, _ = wave
    if engine == "real-atomic":
        deltas = f"1 SyncAll of {plural(known, 'object')}"
    else:
        deltas = plural(queued, "Sync delta")
    why = "asked for" if tick[9] else "due"
    names = ",".join(map(clean, due)) or "nobody"
    words = f"{names} {why} → {deltas} → {plural(notifications, 'notification')}"
    if skipped:
        words += f", {skipped} skipped: already queued"
    return Line("RESYNC", f"{words} ({plural(requests, 'API request')})", "now:" if tick[9] else "tick:")


def describe_slow_call(record: Record, limit_s: float) -> Line:
    """A handler.end record that took longer than the limit."""
    took = f"{duration(record[14])} (limit {duration(limit_s)})  pending {record[16]}"
    callback = CALLBACK_NAMES.get(record[6], record[6])
    return Line("HANDLER", took, f"{clean(record[5])} {callback}", record[7])


def describe_hang(state: HandlerState, now: float) -> Line:
    """A call that does not return."""
    _, stack, _ = state.stuck.now(state.running_since or now)
    callback = CALLBACK_NAMES.get(state.running_kind, state.running_kind)
    own = [frame for frame in stack if frame.own] or stack
    at = f" at {own[-1].file}:{own[-1].line}: {own[-1].text}" if own else ""
    words = f"hangs: it has not returned for {duration(state.running_s(now))}{at}"
    return Line("ERROR", words, f"{clean(state.name)} {callback}", state.running)


def describe_failed_call(record: Record) -> Line:
    """A handler.end record whose callback raised."""
    callback = CALLBACK_NAMES.get(record[6], record[6])
    what = f"raised {shorten(str(record[15]), 120)}: skipped, resumes in 1s"
    return Line("ERROR", what, f"{clean(record[5])} {callback}", record[7], fold=True)


def _list_start(record: Record) -> Line | None:
    _, _, _, _, _, _, version, why, limit, _, attempt = record
    words = f'from rv "{clean(version)}" ({clean(why)})' if why else f'from rv "{clean(version)}"'
    if limit:
        words += f", limit {limit}"
    return Line("REFLECT", words + (f", attempt {attempt}" if attempt > 1 else ""), "LIST")


def _list_page(record: Record) -> Line | None:
    _, _, _, _, _, _, page, items, _, more, remaining, _, latency_s = record
    if page <= 1 and not more:
        return None
    left = f", {remaining} remain" if remaining else ""
    return Line("REFLECT", f"page {page}: {plural(items, 'object')} in {duration(latency_s)}{left}", "LIST")


def _list_end(record: Record) -> Line | None:
    _, _, _, _, _, _, ok, error_class, items, pages, _, version, took_s = record
    if not ok:
        return Line("ERROR", f"failed after {duration(took_s)}: {clean(error_class)}", "LIST", fold=True)
    in_pages = f" in {plural(pages, 'page')}" if pages > 1 else ""
    words = f"done {duration(took_s)}: {plural(items, 'object')}{in_pages}, rv {clean(version)}"
    return Line("REFLECT", words, "LIST")


def _watchlist_end(record: Record) -> Line | None:
    _, _, _, _, _, _, version, items, took_s = record
    words = f"done {duration(took_s)}: {plural(items, 'object')}, rv {clean(version)}"
    return Line("REFLECT", words, "WATCHLIST")


def _watch_open(record: Record) -> Line | None:
    _, _, _, _, _, _, version, timeout_s, _, ok, error_class, _, reused = record
    if not ok:
        words = f"could not be opened at rv {clean(version)}: {clean(error_class)}"
        return Line("ERROR", words, "WATCH", fold=True)
    how = ", goes on with the watch-list's stream" if reused else ""
    until = f" for {duration(timeout_s)}" if timeout_s else ""
    return Line("REFLECT", f"opened at rv {clean(version)}{until}{how}", "WATCH")


def _watch_close(record: Record) -> Line | None:
    _, _, _, _, _, _, lifetime_s, events, reason, then, _ = record
    why = _CLOSED.get(reason) or clean(str(reason))
    what_next = _NEXT.get(then) or clean(str(then))
    words = f"over after {duration(lifetime_s)}, {plural(events, 'event')}: {why}; {what_next}"
    return Line("REFLECT", words, "WATCH", fold=True)


_CLOSED = {
    "eof": "closed by the server",
    "very_short": "closed at once and empty",
    "stop": "stopped by kdash",
    "ordered": "ordered",
    "resync_error": "the resync failed",
}
_NEXT = {
    "rewatch": "reopens at the last rv, no LIST",
    "backoff+rewatch": "waits, then reopens at the last rv",
    "relist": "fetches the state anew",
    "stop": "the end",
}


def _bookmark(record: Record) -> Line | None:
    end = "  end of the initial events" if record[7] else ""
    return Line("WATCH", f"rv {clean(record[6])}{end}", "BOOKMARK")


def _backoff(record: Record) -> Line | None:
    _, _, _, _, _, _, site, _, _, jittered_s, cap_hit, _, _ = record
    cap = " (the longest)" if cap_hit else ""
    words = f"{duration(jittered_s)}{cap} before the next attempt ({clean(str(site))})"
    return Line("REFLECT", words, "backoff", fold=True)


def _error(record: Record) -> Line | None:
    _, _, _, _, _, _, stage, error_class, code, reason, message, _ = record
    if is_ordered(record):
        return Line("REFLECT", "410 Expired, injected: the watch ends as if the server had said so", "relist")
    what = " ".join(str(part) for part in (code or "", reason or "") if part) or error_class
    text = shorten(str(message or ""), 240)
    words = clean(str(what))
    return Line("ERROR", f"{words}: {text}" if text else words, clean(str(stage)), fold=True)


def _timer_armed(record: Record) -> Line | None:
    if "tick" in str(record[8]):
        return None
    if record[8] == PERIOD_CHANGED:
        period = duration(record[6])
        return Line("RESYNC", f"restarted by a changed period: {period} to the next tick (kdash extension)", "timer")
    return Line("RESYNC", f"started, every {duration(record[6])}", "timer")


def _timer_stopped(record: Record) -> Line | None:
    return Line("RESYNC", f"stopped: {clean(str(record[6]))}", "timer")


def _replace(record: Record) -> Line | None:
    _, _, _, _, _, _, items, from_queue, from_store, atomic, _ = record
    deltas = f"1 ReplacedAll of {plural(items, 'object')}" if atomic else plural(items, "Replaced delta")
    gone = from_queue + from_store
    return Line("QUEUE", f"{deltas}" + (f", {plural(gone, 'tombstone')}" if gone else ""), "replace")


def _transform(record: Record) -> Line | None:
    if record[6]:
        return None
    return Line("ERROR", shorten(str(record[7]), 200), "transform", record[5], fold=True)


def _processed(record: Record) -> Line | None:
    if record[6]:
        return None
    words = f"{shorten(str(record[7]), 200)}: these deltas are lost"
    return Line("ERROR", words, "pop", record[5], fold=True)


def _deduped(record: Record) -> Line | None:
    words = f"two {clean(record[7])} in a row: kept the {clean(str(record[6]))} one"
    return Line("QUEUE", words, "dedup", record[5])


def _handler_added(record: Record) -> Line | None:
    _, _, _, _, _, name, requested_s, effective_s, warning, late, replayed = record
    words = f"resync every {duration(effective_s)}" if effective_s else "no resync"
    if requested_s and requested_s != effective_s:
        words += f" (asked {duration(requested_s)})"
    if late:
        words += f"; late: {plural(replayed, 'object')} replayed from the cache (0 API requests)"
    return Line("HANDLER", words + (f"; {clean(warning)}" if warning else ""), f"{clean(name)} added:")


def _handler_removed(record: Record) -> Line | None:
    dropped = f"{plural(record[6], 'notification')} dropped" if record[6] else "nothing was waiting"
    running = ", its last call goes on" if record[7] else ""
    return Line("HANDLER", dropped + running, f"{clean(record[5])} removed:")


def _handler_synced(record: Record) -> Line | None:
    words = f"has seen the initial {plural(record[6], 'object')} after {duration(record[7])}"
    return Line("HANDLER", words, f"{clean(record[5])} synced:")


def _period(record: Record) -> Line | None:
    _, _, _, _, _, name, requested_s, effective_s, _, how = record
    words = f"every {duration(effective_s)}" if effective_s else "off"
    asked = f" (asked {duration(requested_s)})" if requested_s != effective_s else ""
    return Line("RESYNC", f"{words}{asked}, {clean(str(how))} (kdash extension)", f"period of {clean(name)}:")


def _lifecycle(record: Record) -> Line | None:
    what = str(record[5])
    if what == "created":
        return None
    words = _LIFECYCLE.get(what) or f"informer {clean(what)}"
    return Line("APP", words + (f": {clean(record[6])}" if record[6] else ""))


_LIFECYCLE = {"synced": "cache synced", "second_run_warning": "started twice: the second call does nothing"}


def _engine(record: Record) -> Line | None:
    _, _, _, _, _, engine, client_go, watch_list, why = record
    streaming = "on" if watch_list else "off"
    reason = f" ({clean(str(why))})" if why else ""
    return Line("APP", f"queue engine {clean(engine)} ({clean(client_go)}), watch-list {streaming}{reason}")


def _request_end(record: Record) -> Line | None:
    _, _, _, _, _, number, outcome, code, _, took_s, error = record
    if (code or 0) < 400 and outcome in ("ok", "closed", "stopped"):
        return None
    what = f"{code} " if code else ""
    text = f": {shorten(str(error), 160)}" if error else ""
    return Line("API", f"{what}{clean(str(outcome))} after {duration(took_s)}{text}", f"request {number}")


_SILENCE = {
    "suspect": "no byte for {}: a second watch is tried",
    "reopened": "stalled {}, reopened on a new connection, without a list",
    "kept": "no byte for {}, then it spoke: kept",
    "unproven": "no byte for {}, nor on a second watch: kept; a dead connection cannot be told from a quiet one here",
    "failed": "no byte for {}, and a second watch could not be opened: kept",
}


def _watch_silence(record: Record) -> Line | None:
    _, _, _, _, _, _, what, silent_s, _, detail = record
    words = _SILENCE.get(what)
    if words is None:
        return None
    text = words.format(duration(silent_s)) + (f" ({shorten(str(detail), 160)})" if detail else "")
    return Line("REFLECT", text, "WATCH", fold=True)


_WORDS: dict[str, Callable[[Record], Line | None]] = {
    "list.start": _list_start,
    "list.page": _list_page,
    "list.fallback_full": lambda record: Line("REFLECT", "a page had expired: one full list instead", "LIST"),
    "list.end": _list_end,
    "watchlist.start": lambda record: Line("REFLECT", f'from rv "{clean(record[6])}"', "WATCHLIST"),
    "watchlist.bookmark": _watchlist_end,
    "watchlist.retry": lambda record: Line(
        "REFLECT", f"again in {duration(record[7])}: {clean(str(record[6]))}", "WATCHLIST", fold=True),
    "watchlist.fallback": lambda record: Line(
        "REFLECT", f"not possible, falls back to LIST: {shorten(str(record[6]), 160)}", "WATCHLIST"),
    "watchlist.waiting": lambda record: Line(
        "REFLECT", f"{plural(record[6], 'object')} came, the end marker has not for {duration(record[7])}",
        "WATCHLIST", fold=True),
    "watch.silence": _watch_silence,
    "watch.open": _watch_open,
    "watch.bookmark": _bookmark,
    "watch.close": _watch_close,
    "backoff.sleep": _backoff,
    "error": _error,
    "resync.timer_armed": _timer_armed,
    "resync.timer_stopped": _timer_stopped,
    "queue.replace": _replace,
    "queue.transform": _transform,
    "queue.processed": _processed,
    "queue.deduped": _deduped,
    "queue.synced": lambda record: Line(
        "QUEUE", f"{plural(record[5], 'initial entry')} processed", "synced"),
    "listener.added": _handler_added,
    "listener.removed": _handler_removed,
    "listener.synced": _handler_synced,
    "listener.period": _period,
    "informer.lifecycle": _lifecycle,
    "config.engine": _engine,
    "api.end": _request_end,
}
