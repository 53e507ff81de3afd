"""The status bar: product, source, scope, state word, objects, version, age of the last event (screen.md §3)."""

from __future__ import annotations

import time

from humanize import naturalsize

from kdash.probe.snapshot import ReplayView, Snapshot
from kdash.probe.text import clean, plural
from kdash.ui.presenter.context import Context, ago, count, latency
from kdash.ui.spans import Line, Span, pad, width_of

__all__ = ["header_line", "state_word"]

_STYLE = {"LIVE": "word", "SYNCING": "warn", "STARTING": "warn", "RETRY": "bad", "DENIED": "bad", "STALE": "bad",
          "SUSPECT": "warn", "STOPPED": "bad", "PAUSED": "warn", "REPLAY": "word"}


_MUCH = 0.8
"""Of the speed that was asked for: below, both are shown."""
_QUIET_S = 60.0
_LAST_BOOKMARK = ", last bookmark "
"""Left out where it does not fit."""


def state_word(snapshot: Snapshot, now: float, paused_events: int | None = None, dot: str = "·") -> tuple[str, str]:
    """The word in brackets and its style: `[RETRY 8s]`, `[PAUSED 01:08:19 · +70 events]`."""
    if paused_events is not None:
        clock = time.strftime("%H:%M:%S", time.localtime(snapshot.wall))
        return f"[PAUSED {clock} {dot} +{plural(paused_events, 'event')}]", _STYLE["PAUSED"]
    if snapshot.replay is not None:
        return f"[REPLAY {replay_words(snapshot.replay)}]", _STYLE["REPLAY"]
    state = snapshot.state
    word = state.word
    gate = snapshot.gate
    if gate.held:
        waiting = gate.waiting_entries + gate.waiting_notifications
        return f"[HELD {count(waiting)}]", _STYLE["PAUSED"]
    if word == "RETRY" and state.retry_at is not None:
        word = f"RETRY {max(0, round(state.retry_at - now))}s"
    elif word == "SYNCING":
        received = sum(each.received for each in snapshot.informers)
        word = f"SYNCING {received}" if received else word
    elif word == "STALE" and snapshot.last_event_at is not None:
        word = f"STALE {round(now - snapshot.last_event_at)}s"
    return f"[{word}]", _STYLE.get(state.word, "warn")


def replay_words(replay: ReplayView) -> str:
    """`12:07:02 10x 42%`: where the playhead is, how fast it goes (`60x of 100x`, `paused`, `to 12:09:00`), how far."""
    clock = time.strftime("%H:%M:%S", time.localtime(replay.at))
    length = replay.last_at - replay.first_at
    share = 100 if length <= 0 else int(100 * min(1.0, (replay.at - replay.first_at) / length))
    pace = f"{replay.speed:g}x" if replay.playing else "paused"
    if replay.playing and replay.reached is not None and replay.reached < _MUCH * replay.speed:
        pace = f"{replay.reached:.2g}x of {pace}"
    if replay.goes_to is not None:
        pace = time.strftime("to %H:%M:%S", time.localtime(replay.goes_to))
    return f"{clock} {pace} {share}%"


def scope_of(snapshot: Snapshot) -> str:
    """`pods -A`, `pods, deployments.apps -n dev`."""
    names = ", ".join(informer.name for informer in snapshot.informers)
    scopes = {informer.scope for informer in snapshot.informers if informer.scope}
    return f"{names} {scopes.pop()}" if len(scopes) == 1 else names


def _freshness(snapshot: Snapshot, now: float) -> str:
    """`seen 4s`, `quiet 61s, last bookmark 40s ago`, `stalled 80s, reopened`.

    A live resource on which nothing happens is quiet, not stale.
    """
    for informer in snapshot.informers:
        if informer.silence == "reopened" and now - informer.silence_at < _QUIET_S:
            return f"stalled {ago(informer.silent_s, 0.0)}, reopened"
    age = ago(now, snapshot.last_event_at)
    live = snapshot.state.word in ("LIVE", "SUSPECT")
    if not live or snapshot.last_event_at is None or now - snapshot.last_event_at < _QUIET_S:
        return f"seen {age}"
    bookmarks = [each.last_bookmark_at for each in snapshot.informers if each.last_bookmark_at is not None]
    if not bookmarks:
        return f"quiet {age}"
    return f"quiet {age}{_LAST_BOOKMARK}{ago(now, max(bookmarks))} ago"


def header_line(
    context: Context, now: float, paused_events: int | None, lag_s: float | None, engine_note: str = ""
) -> Line:
    """The bar, with its parts dropped from the right until it fits."""
    snapshot, dot = context.snapshot, context.glyphs.dot
    word, style = state_word(snapshot, now, paused_events, dot)
    room = max(10, context.width - len(word) - 10)
    source = pad(clean(snapshot.source) or "connecting", room // 2).rstrip()
    scope = pad(clean(scope_of(snapshot)), room - width_of(source)).rstrip()
    head: list[Span] = [(" kdash ", "bold"), (source, "accent")]
    if scope:
        head.append((f" {dot} {scope}", ""))
    head += [("  ", ""), (word, style)]
    synced = bool(snapshot.informers) and all(informer.synced for informer in snapshot.informers)
    parts = [" synced" if synced else "", f"{snapshot.objects} obj"]
    if snapshot.resource_version:
        parts.append(f"rv {clean(snapshot.resource_version)}")
    if snapshot.last_event_at is not None:
        parts.append(_freshness(snapshot, now))
    if lag_s is not None:
        parts.append(f"lag {latency(lag_s)}")
    if snapshot.recording is not None:
        parts.insert(0, f"REC {naturalsize(snapshot.recording.bytes, format='%.1f')}")
    elif snapshot.recording_failure:
        parts.insert(0, "REC failed")
    if snapshot.replay is not None:
        parts[0] = f"was {snapshot.state.word}"
        if snapshot.replay.damage:
            parts.insert(0, "file damaged")
    if snapshot.probe_failed:
        parts.insert(0, f"probe failed: {plural(snapshot.probe_failed, 'record')}")
    if snapshot.tap_dropped:
        parts.append(f"dropped {snapshot.tap_dropped}")
    if engine_note:
        parts.append(engine_note)
    if context.width >= 110:
        parts.append(time.strftime("%H:%M:%S", time.localtime(snapshot.wall)))
    joint = f" {dot} " if context.width < 110 else "   "
    used = sum(width_of(text) for text, _ in head)
    for index, part in enumerate(part for part in parts if part):
        gap = " " if index == 0 else joint
        if used + width_of(gap + part.strip()) > context.width:
            part = part.partition(_LAST_BOOKMARK)[0]
        text = gap + part.strip()
        if used + width_of(text) > context.width:
            break
        head.append((text, "" if index < 2 else "dim"))
        used += width_of(text)
    return tuple(head)
