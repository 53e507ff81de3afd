"""Pane 4: the resync clock with its two hands: the informer's tick, and each handler's due time."""

from __future__ import annotations

from kdash.probe.snapshot import ResyncHand
from kdash.probe.text import clean, duration
from kdash.ui.glyphs import Glyphs
from kdash.ui.presenter.context import Context, ago, first_that_fits, whole
from kdash.ui.spans import Line, columns, line, width_of

__all__ = ["countdown_bar", "resync_lines", "resync_title"]


def resync_title(context: Context) -> str:
    resync = context.snapshot.resync
    if not resync.check_period_s:
        return "Resync  no tick"
    title = f"Resync  check tick {duration(resync.check_period_s)}"
    if resync.restarted_at is None:
        return title
    return first_that_fits((f"{title}, restarted: period changed", f"{title}, restarted"), context.width - 4)


def countdown_bar(done: float, width: int, glyphs: Glyphs) -> str:
    """A bar that fills in eighths of a cell; `done` from 0 to 1."""
    cells = max(0.0, min(1.0, done)) * width
    whole = int(cells)
    part = glyphs.eighths[int((cells - whole) * 8)].strip() if whole < width else ""
    return glyphs.full * whole + part + glyphs.empty * (width - whole - (1 if part else 0))


def resync_lines(context: Context) -> list[Line]:
    """The countdown, then a row a handler: asked, effective, due in, fires in."""
    resync = context.snapshot.resync
    out: list[Line] = [_clock(context)]
    narrow = context.width < 52
    several = len({hand.informer for hand in resync.hands}) > 1
    if not resync.hands:
        nobody = "no handler asked for resync" if context.snapshot.handlers else "no handler yet"
        return [*out, line((nobody, "dim"))]
    widths = _widths(context, several, narrow)
    room = context.height - 1
    if len(resync.hands) + 1 <= room:
        heads = ("handler", "asked", "eff." if narrow else "effective", "due in", "fires" if narrow else "fires in")
        cells = zip(heads, widths, strict=True)
        out.append(columns([(head, "dim", width, index > 0 and narrow) for index, (head, width) in enumerate(cells)]))
        room -= 1
    shown = resync.hands[:room] if len(resync.hands) <= room else resync.hands[: max(0, room - 1)]
    out += [_hand(context, hand, widths, several, narrow) for hand in shown]
    if len(shown) < len(resync.hands):
        out.append(line((f"{len(resync.hands) - len(shown)} more: press 4 twice", "dim")))
    if context.height > len(out):
        drift = f"drift {resync.drift_s:+.2f}s  " if resync.ticks else ""
        counted = (f"{drift}ticks {resync.ticks}  waves {resync.waves}  0 API requests",
                   f"ticks {resync.ticks}  waves {resync.waves}  0 requests")
        out.append(line((first_that_fits(counted, context.width), "dim")))
    clamped = any(hand.badge for hand in resync.hands)
    notes = [_RESTARTS] if resync.restarted_at is None else [_restarted(context, resync.restarted_at)]
    if clamped:
        notes.insert(resync.restarted_at is not None, _CLAMPS)
    for texts in notes:
        if context.height > len(out):
            out.append(line((first_that_fits(texts, context.width), "dim")))
    return out[: context.height]


_CLAMPS: tuple[str, ...] = (
    "^min: raised to the informer's check tick, as client-go does",
    "^ raised to the informer's check tick",
    "^ raised to the tick",
)
_RESTARTS: tuple[str, ...] = (
    "a relist, an expired watch or a changed period restarts this timer, a watch timeout does not",
    "a relist or a changed period restarts this timer",
    "a relist or new period restarts it",
)


def _restarted(context: Context, at: float) -> tuple[str, ...]:
    """A period was changed: the tick that was near is a whole period away again."""
    since = ago(context.snapshot.mono, at)
    return (f"a changed period restarted this timer {since} ago; client-go's never changes: = offers the faithful way",
            f"restarted {since} ago: a period was changed", f"restarted {since} ago")


def _widths(context: Context, several: bool, narrow: bool) -> tuple[int, ...]:
    """name, asked, effective, due in, fires in."""
    hands = context.snapshot.resync.hands
    longest = max(width_of(_name(hand, several and not narrow)) for hand in hands)
    if narrow:
        return (max(7, min(longest, context.width - 27)), 5, 6, 6, 6)
    return (max(9, min(longest, context.width - 42)), 6, 10, 8, 14)


def _name(hand: ResyncHand, several: bool) -> str:
    return clean(hand.handler) + (f" ({clean(hand.informer)})" if several else "")


def _clock(context: Context) -> Line:
    snapshot, glyphs = context.snapshot, context.glyphs
    resync, now = snapshot.resync, snapshot.mono
    if resync.next_tick_at is None:
        why = clean(resync.why_stopped) or "starts when the watch opens"
        return line((first_that_fits((f"no timer: {why}", why), context.width), "warn"))
    left = max(0.0, resync.next_tick_at - now)
    done = 1 - left / resync.check_period_s if resync.check_period_s else 0.0
    text = f"{left:.1f}s" if left < 10 and context.motion else whole(left)
    if not left:
        text = "now"
    bar = countdown_bar(done, max(8, min(24, context.width - 26)), glyphs) if context.motion else ""
    return line(("next tick in " if left else "next tick ", ""), (f"{text:>6} ", "bold"), (bar, "bar"))


def _hand(context: Context, hand: ResyncHand, widths: tuple[int, ...], several: bool, narrow: bool) -> Line:
    now = context.snapshot.mono
    asked = duration(hand.asked_s) if hand.asked_s else "off"
    badge = clean(hand.badge)
    effective = duration(hand.effective_s) if hand.effective_s else "off"
    if badge:
        effective += badge[:1] if narrow and badge.startswith("^") else "!" if narrow else f" {badge}"
    due = "never" if hand.due_at is None else whole(hand.due_at - now)
    fires = "never"
    if hand.fires_at is not None:
        fires = whole(hand.fires_at - now)
        if not narrow and hand.ticks_until and hand.ticks_until > 1:
            fires = first_that_fits((f"{fires} ({hand.ticks_until} ticks)", fires), widths[4])
    if hand.due_at is not None and hand.due_at <= now:
        due = "now" if narrow else "waiting"
    style = "cursor" if context.selected_handler == hand.handler else "bold"
    return columns([
        (_name(hand, several and not narrow), style, widths[0], False),
        (asked, "", widths[1], narrow),
        (effective, "warn" if badge else "" if hand.effective_s else "dim", widths[2], narrow),
        (due, "dim" if due == "never" else "", widths[3], narrow),
        (fires, "dim" if fires == "never" else "", widths[4], narrow),
    ])
