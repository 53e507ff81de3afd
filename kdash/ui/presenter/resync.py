"""Pane 4: the resync clock with its two hands: the informer's tick, and each handler's due time."""

from __future__ import annotations

from kdash.probe.snapshot import ResyncHand
from kdash.probe.text import clean, duration
from kdash.ui.glyphs import Glyphs
from kdash.ui.presenter.context import Context
from kdash.ui.spans import Line, Span, columns, line

__all__ = ["countdown_bar", "resync_lines", "resync_title"]


def resync_title(context: Context) -> str:
    period_s = context.snapshot.resync.check_period_s
    return f"Resync  check tick {duration(period_s)}" if period_s else "Resync  no tick"


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
    name_width = 8 if narrow else max(9, min(22, context.width - 42))
    if not resync.hands:
        return [*out, line(("no handler asked for resync", "dim"))]
    heads = ("handler", "asked", "eff." if narrow else "effective", "due in", "fires" if narrow else "fires in")
    widths = (name_width, 6, 5, 6, 6) if narrow else (name_width, 6, 10, 8, 14)
    out.append(
        columns(
            [
                (head, "dim", width, index > 0 and narrow)
                for index, (head, width) in enumerate(zip(heads, widths, strict=True))
            ]
        )
    )
    shown = resync.hands[: max(0, context.height - 2 - (0 if narrow else 1))]
    out += [_hand(context, hand, widths, several, narrow) for hand in shown]
    if context.height > len(out):
        drift = f"drift {resync.drift_s:+.2f}s  " if resync.ticks else ""
        out.append(line((f"{drift}ticks {resync.ticks}  waves {resync.waves}  0 API requests", "dim")))
    if context.height > len(out) + 1 and not narrow:
        out.append(line(("a relist restarts this timer, a plain watch time-out does not", "dim")))
    return out[: context.height]


def _clock(context: Context) -> Line:
    snapshot, glyphs = context.snapshot, context.glyphs
    resync, now = snapshot.resync, snapshot.mono
    if resync.next_tick_at is None:
        why = clean(resync.why_stopped) or "starts when the watch opens"
        return line(("no timer: ", "warn"), (why, "dim"))
    left = max(0.0, resync.next_tick_at - now)
    done = 1 - left / resync.check_period_s if resync.check_period_s else 0.0
    width = max(8, min(24, context.width - 26))
    bar = countdown_bar(done, width, glyphs)
    text = f"{left:.1f}s" if left < 10 else duration(float(int(left)))
    return line(("next tick in ", ""), (f"{text:>6} ", "bold"), (bar, "bar"), ("" if left else " now", "warn"))


def _hand(context: Context, hand: ResyncHand, widths: tuple[int, ...], several: bool, narrow: bool) -> Line:
    now = context.snapshot.mono
    name = clean(hand.handler) + (f" ({clean(hand.informer)})" if several and not narrow else "")
    asked = duration(hand.asked_s) if hand.asked_s else "off"
    effective: Span = (duration(hand.effective_s), "") if hand.effective_s else ("off", "dim")
    due = "never" if hand.due_at is None else duration(max(0.0, float(round(hand.due_at - now))))
    fires = "never"
    if hand.fires_at is not None:
        fires = duration(max(0.0, float(round(hand.fires_at - now))))
        if not narrow and hand.ticks_until and hand.ticks_until > 1:
            fires += f" ({hand.ticks_until} ticks)"
    if hand.due_at is not None and hand.due_at <= now and not narrow:
        due = "waiting"
    badge = f" {clean(hand.badge)}" if hand.badge else ""
    style = "cursor" if context.selected_handler == hand.handler else "bold"
    right = narrow
    cells = [
        (name, style, widths[0], False),
        (asked, "", widths[1], right),
        (effective[0] + ("" if narrow else badge), "warn" if badge else effective[1], widths[2], right),
        (due, "dim" if due == "never" else "", widths[3], right),
        (fires, "dim" if fires == "never" else "", widths[4], right),
    ]
    row = columns(cells)
    return (*row, (badge, "warn")) if narrow and badge else row
