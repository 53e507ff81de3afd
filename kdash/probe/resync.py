"""Topic: the resync clock (records resync.*, listener.added, listener.period): one check tick, many hands.

A handler fires at the first tick at or after its own due time. The tick's timer runs only while a watch is
open; a relist starts it anew. Nothing here talks to the server: `requests` counts what the resync thread
itself sent between a tick and the end of its wave, which is what "(0 API requests)" on the screen rests on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kdash.informer.tap import Record
from kdash.probe.snapshot import ResyncHand

__all__ = ["PERIOD_CHANGED", "Hand", "ResyncClock", "ResyncTopic"]

PERIOD_CHANGED = "period changed"
"""Why a timer was armed: somebody gave a handler another period; the tick starts anew."""


@dataclass(slots=True)
class Hand:
    """One handler's hand."""

    informer: str
    name: str
    asked_s: float
    effective_s: float
    due_at: float | None
    fires: int = 0


class ResyncClock:
    """One informer's clock."""

    def __init__(self) -> None:
        self.period_s = 0.0
        self.next_tick_at: float | None = None
        self.why_stopped = "starts when the watch opens"
        self.restarted_at: float | None = None
        self.lateness_s = 0.0
        self.ticks = 0
        self.waves = 0
        self.last_tick_at: float | None = None
        self.last_wave = 0
        self.skipped_pending = 0
        self.hands: dict[str, Hand] = {}
        self.tick: Record | None = None
        self.requests = 0

    def due_names(self) -> tuple[str, ...]:
        """Who was due at the last tick."""
        if self.tick is None:
            return ()
        return tuple(decision[0] for decision in self.tick[7] if decision[4])

    def view(self, hand: Hand, now: float) -> ResyncHand:
        """The hand as the pane shows it."""
        fires_at, ticks = None, None
        due_at = hand.due_at if hand.effective_s > 0 else None
        if due_at is not None and self.next_tick_at is not None and self.period_s > 0:
            # a microsecond of grace: a due time set by a tick lies exactly on a later one
            late = math.ceil((due_at - self.next_tick_at) / self.period_s - 1e-6)
            ticks = max(late, 0) + 1
            fires_at = self.next_tick_at + (ticks - 1) * self.period_s
        return ResyncHand(hand.name, hand.informer, hand.asked_s, hand.effective_s, due_at, fires_at, ticks,
                          _badge(hand), hand.fires, self.period_s)


def _badge(hand: Hand) -> str:
    if hand.asked_s <= 0 or hand.effective_s == hand.asked_s:
        return ""
    if hand.effective_s <= 0:
        return "ignored"
    return "1s floor" if hand.asked_s < 1 and hand.effective_s == 1 else "^min"


class ResyncTopic:
    """The clocks of all informers."""

    def __init__(self) -> None:
        self.clocks: dict[str, ResyncClock] = {}
        self.replayed = 0
        """Notifications that resyncs and late joins gave to handlers without a request."""
        self._threads: set[int] = set()

    def of(self, informer: str) -> ResyncClock:
        clock = self.clocks.get(informer)
        if clock is None:
            clock = self.clocks[informer] = ResyncClock()
        return clock

    def timer_armed(self, record: Record) -> None:
        clock = self.of(record[3])
        clock.period_s, clock.next_tick_at, clock.why_stopped = record[6], record[7], ""
        clock.restarted_at = record[1] if record[8] == PERIOD_CHANGED else None

    def timer_stopped(self, record: Record) -> None:
        clock = self.of(record[3])
        clock.next_tick_at, clock.why_stopped = None, record[6]

    def ticked(self, record: Record) -> None:
        clock = self.of(record[3])
        _, at, _, _, thread, _, lateness, decisions, needed, forced = record
        clock.ticks += 1
        clock.last_tick_at, clock.tick, clock.requests = at, record, 0
        if not forced:
            clock.lateness_s = lateness
            self._threads.add(thread)
        clock.waves += bool(needed)
        for name, asked_s, effective_s, _, due, next_at in decisions:
            hand = clock.hands.get(name)
            if hand is None:
                hand = clock.hands[name] = Hand(record[3], name, asked_s, effective_s, next_at)
            hand.asked_s, hand.effective_s, hand.due_at = asked_s, effective_s, next_at
            hand.fires += bool(due)

    def enqueued(self, record: Record) -> int:
        """A wave is in the queue; returns how many notifications come of it."""
        clock = self.of(record[3])
        known, queued, skipped = record[7], record[8], record[9]
        objects = known if record[6] == "real-atomic" else queued
        clock.last_wave, clock.skipped_pending = objects, skipped
        notifications: int = objects * len(clock.due_names())
        self.replayed += notifications
        return notifications

    def handler_added(self, record: Record) -> None:
        _, at, _, informer, _, name, requested_s, effective_s, _, late, replayed = record
        due_at = at + effective_s if effective_s else None
        clock = self.of(informer)
        clock.hands[name] = Hand(informer, name, requested_s, effective_s, due_at)
        if late:
            self.replayed += replayed

    def handler_removed(self, record: Record) -> None:
        self.of(record[3]).hands.pop(record[5], None)

    def period_changed(self, record: Record) -> None:
        _, _, _, informer, _, name, requested_s, effective_s, next_at, _ = record
        clock = self.of(informer)
        hand = clock.hands.setdefault(name, Hand(informer, name, requested_s, effective_s, next_at))
        hand.asked_s, hand.effective_s = requested_s, effective_s
        hand.due_at = next_at if effective_s else None

    def check_period(self, record: Record) -> None:
        clock = self.of(record[3])
        clock.period_s = record[6]
        if not record[6]:
            clock.next_tick_at = None

    def request_sent(self, record: Record) -> None:
        """A request left: does a resync thread send it? (It never does; this is the proof.)"""
        if record[4] in self._threads:
            self.of(record[3]).requests += 1
