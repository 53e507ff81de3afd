"""When is a silent watch opened a second time? The policy, as one state machine (kdash extension).

Theory of operation
===================
A proxy may keep a client's connection, acknowledge everything and forward nothing. To the client that is the
same as a resource on which nothing happens. client-go notices by a ping of HTTP/2; a watch over HTTP/1.1 has
none. So a *second* watch is opened from the last version on a new connection, and decides.

*Silence* is time inside a pending read in which no byte came. While nobody reads (the pipeline is held or
slow) there is no silence; a single byte ends it.

    READING ─ silent for long ─► OPENING ─ headers ─► replace                     bookmarking server
                                    │           └──► PROVING ─ event ─► PROVED ─► replace    other server
                                    └ fails: keep the old        └ nothing: keep, wait twice as long

*Bookmarking server*: two gaps in a row between bookmarks were measured on this resource. The wait is 1.25
times the longest gap of late, at least `least_s`. An open second watch is enough to replace the old one. If
the second one then brings no bookmark either, the server may have stopped to send them: it counts as an
*other* server until one comes.

*Other server*: silence proves nothing, so the second watch must bring an event that the old one does not
bring within `grace_s`. Without that it is closed after `proof_within_s`, and the wait is doubled up to
`longest_wait_s`; a byte on the watch makes it short again. An ERROR is no proof: the last version of a quiet
watch may be too old for the server although the watch lives.

Contract: `now` and `silent_since` are monotonic seconds; `silent_since` is None while no read is pending, and
changes with every byte and every new read. No clock, no sockets, no threads of its own; its randomness is the
generator it was given. Not thread-safe.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from kdash.informer.patience import STALL_AFTER_S

__all__ = ["Phase", "SilenceRules", "Step", "WatchSilence", "silence_rules"]

_GAPS_KEPT = 8


@dataclass(frozen=True, slots=True)
class SilenceRules:
    """The constants of the policy, in seconds."""

    least_s: float = STALL_AFTER_S
    gap_factor: float = 1.25
    jitter: float = 0.05
    """Share of the wait by which it is lengthened or shortened at random."""
    open_within_s: float = 10.0
    """A second watch whose headers take longer could not be opened."""
    proof_within_s: float = 10.0
    grace_s: float = 1.0
    longest_wait_s: float = 600.0
    apart_s: float = 30.0
    """Between two second watches, whatever `least_s` is: at most two requests a minute."""
    late_s: float = 5.0
    """A look that comes so late means that the process stood still: nobody read, so the silence is void."""


def silence_rules(stall_after_s: float) -> SilenceRules | None:
    """The rules for a shortest silence of so many seconds; None for 0. ValueError when it is negative."""
    if stall_after_s < 0:
        raise ValueError(f"stall_after must not be negative, but is {stall_after_s:g} s")
    return SilenceRules(least_s=stall_after_s) if stall_after_s else None


class Phase(StrEnum):
    """Where the policy is; see the top of this file."""

    READING = "reading"
    OPENING = "opening"
    PROVING = "proving"
    PROVED = "proved"


class Step(StrEnum):
    """What the driver is to do now."""

    WAIT = "wait"
    OPEN = "open"
    """Open a second watch; answer with `opened` or `open_failed`."""
    REPLACE = "replace"
    """Put the second watch in the place of the old one; answer with `replaced` or, if it refused, `kept`."""
    CLOSE = "close"
    """Close the second watch and keep the old one; the policy has gone on already."""


class WatchSilence:
    """The policy of one resource; it outlives the single watch."""

    def __init__(self, rules: SilenceRules, rng: random.Random) -> None:
        self.rules = rules
        self.phase = Phase.READING
        self._rng = rng
        self._gaps: deque[float] = deque(maxlen=_GAPS_KEPT)
        self._gaps_in_a_row = 0
        self._measured = False
        self._unconfirmed = False  # replaced, and no bookmark came since
        self._bookmark_at: float | None = None
        self._doublings = 0
        self._since: float | None = None  # of the silence that is looked at
        self._unread = False  # nobody read at the last look
        self._not_before = float("-inf")  # silence counts from here
        self._may_open_at = float("-inf")
        self._phase_ends_at = 0.0
        self._stretch = self._draw()

    @property
    def is_bookmarking(self) -> bool:
        """Whether silence on this resource tells that the connection is dead."""
        return self._measured and not self._unconfirmed

    @property
    def wait_s(self) -> float:
        """The silence after which the watch is suspect."""
        rules = self.rules
        if self.is_bookmarking:
            wait_s = max(rules.least_s, rules.gap_factor * max(self._gaps))
        else:
            wait_s = min(rules.least_s * 2.0**self._doublings, max(rules.longest_wait_s, rules.least_s))
        return wait_s * self._stretch

    def due_at(self, now: float, silent_since: float | None) -> float:
        """The instant of the next look that can change something."""
        if self.phase is not Phase.READING:
            return self._phase_ends_at
        if silent_since is None:
            return now + self.wait_s
        return max(max(silent_since, self._not_before) + self.wait_s, self._may_open_at)

    # what the watch does -------------------------------------------------------------------------------

    def new_stream(self) -> None:
        """A watch was opened in the regular way: its first bookmark ends no gap, and it is as quiet as before."""
        if self.phase is Phase.READING:
            self._since = None
        self._bookmark_at = None
        self._gaps_in_a_row = 0

    def bookmark(self, now: float) -> None:
        """A bookmark came on the watch."""
        before, self._bookmark_at = self._bookmark_at, now
        self._unconfirmed = False
        if before is None:
            return
        self._gaps.append(now - before)
        self._gaps_in_a_row += 1
        self._measured = self._measured or self._gaps_in_a_row >= 2

    def look(self, now: float, silent_since: float | None) -> Step:
        """What to do at this instant."""
        if self.phase is Phase.READING:
            return self._look_reading(now, silent_since)
        if silent_since != self._since:  # a byte came, or nobody reads: the old watch lives, or cannot be judged
            self._keep(now)
            return Step.CLOSE
        if now < self._phase_ends_at:
            return Step.WAIT
        if self.phase is Phase.PROVED:
            return Step.REPLACE
        self._doublings += self.phase is Phase.PROVING and self._room_to_double()
        self._keep(now)
        return Step.CLOSE

    def _look_reading(self, now: float, silent_since: float | None) -> Step:
        if silent_since is None:
            if self._unread:
                self._bookmark_at = None  # a gap in which nobody read for a while measures nothing
            self._unread = True
            return Step.WAIT
        self._unread = False
        if silent_since != self._since:
            if self._since is not None:
                self._doublings = 0
            self._since = silent_since
        due_at = self.due_at(now, silent_since)
        if now < due_at:
            return Step.WAIT
        if now - due_at > self.rules.late_s:
            self._not_before = now
            return Step.WAIT
        self._may_open_at = now + self.rules.apart_s
        self._enter(Phase.OPENING, now + self.rules.open_within_s)
        return Step.OPEN

    def _room_to_double(self) -> bool:
        return self.rules.least_s * 2.0**self._doublings < self.rules.longest_wait_s

    # what the second watch does ------------------------------------------------------------------------

    def opened(self, now: float, silent_since: float | None) -> Step:
        """The second watch's headers are in."""
        if silent_since != self._since:
            self._keep(now)
            return Step.CLOSE
        if self.is_bookmarking:
            self._enter(Phase.PROVED, now)
            return Step.REPLACE
        self._enter(Phase.PROVING, now + self.rules.proof_within_s)
        return Step.WAIT

    def open_failed(self, now: float) -> None:
        """The second watch could not be opened: the old one stays, and the wait begins again."""
        self._keep(now)

    def brought(self, now: float) -> None:
        """The second watch brought an event that is no ERROR and no bookmark."""
        if self.phase is Phase.PROVING:
            self._enter(Phase.PROVED, now + self.rules.grace_s)

    def ended(self, now: float) -> None:
        """The second watch ended, or brought an ERROR: no proof."""
        if self.phase is Phase.PROVING:
            self._phase_ends_at = now

    def replaced(self, now: float) -> None:
        """The second watch is the watch now."""
        self._unconfirmed = True
        self._doublings = 0
        self._keep(now)
        self.new_stream()

    def kept(self, now: float) -> None:
        """The old watch could not be replaced any more: bytes came, or it is over."""
        self._keep(now)

    def _enter(self, phase: Phase, ends_at: float) -> None:
        self.phase, self._phase_ends_at = phase, ends_at

    def _keep(self, now: float) -> None:
        self.phase = Phase.READING
        self._not_before = now
        self._stretch = self._draw()

    def _draw(self) -> float:
        return 1.0 + self.rules.jitter * (2.0 * self._rng.random() - 1.0)
