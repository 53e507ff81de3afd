"""Every decision of the reflector, as one state machine (client-go `Reflector`, informer.md §1.6).

Theory of operation
===================
A reflector keeps a store equal to a collection on a server. It lives in *sessions* (client-go's
`ListAndWatch`): fetch the full state once, then follow its changes until something breaks; wait; next
session.

    Start ─► session ─► full state ─► Replacing ─► watch ─► … ─► BackingOff(outer) ─► session ─► …

*Full state* comes by a watch-list (`OpeningWatchList` → `WatchListing`: one stream that first sends every
object and then an end bookmark) or by a paged list (`Listing`). If a watch-list fails, the same session
falls back to the list. Nothing reaches the store before the state is complete; then it is replaced in one
go.

*Watch* (`OpeningWatch` → `Watching`): events go to the store in runs. Which end of a stream leads where:

    end without error           at once a new watch from the last version; no list, no delay      RF-30
    … within 1 s, no event      "very short": next session                                        RF-38
    429, in stream or at open   delay, then a new watch; no list                                  RF-28, RF-31
    refused, at open            the same                                                          RF-28
    internal error              a new watch while the retry budget lasts, else next session       RF-32
    other error in the stream   next session; the watch-error handler is *not* told               RF-31
    other error at open         next session; the handler is told                                 RF-28

*Next session* always waits one delay first, even after a clean end. There is one sequence of delays for
all waits (`BackoffDelays`), and the first fetch of the next session asks for the last version seen: an
expired watch alone never asks for the newest state (version ""); a list that is refused as expired or too
large does (RF-13).

How to read this file
=====================
`handle(now, input)` looks up (type of state, type of input) in `_TRANSITIONS` at the end: that table *is*
the machine; a pair that is not in it is a mistake of the caller. A transition changes `state` and returns
effects; the last effect is always a request whose outcome is the next input (see `reflector_effects`).
The watch's transitions stand here, those of the full state in `reflector_full_state`, the session's frame
and its delays in `reflector_session`, what requests ask for in `reflector_requests`.
The machine reads no clock, opens nothing, starts no thread; its randomness is the generator it was given.
It is not thread-safe.

On the hot path a batch of plain events costs one scan and one `Apply`, not an effect an event. The machine's
`version.last` is the version *after* the batch; a driver publishes it once the batch is in the store (RF-47).

Four deliberate differences from client-go: the delay in a watch-list can be cancelled (RF-24: there it
cannot); repeats that client-go makes at once pass the `RepeatPacer` (ten free, then two a second) unless
the stream before had lived for a second; a watch-list that brings no further object and no end bookmark
for `sync_patience_s` is given up for a list (RF-26: there it warns and waits on); `ForceRelist` and
`EndWatch` are kdash extensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kdash.informer import reflector_effects as fx
from kdash.informer import reflector_states as at
from kdash.informer.errors import (
    ApiStatusError,
    VeryShortWatchError,
    is_connection_refused,
    is_internal_error,
    is_too_many_requests,
)
from kdash.informer.event_filter import CHANGES
from kdash.informer.list_watch import WatchEvent
from kdash.informer.reflector_full_state import FullStateTransitions, status_of
from kdash.informer.reflector_session import VERY_SHORT_S, error_class, reason_of

__all__ = ["ReflectorMachine", "UnexpectedInput"]

_READ = fx.ReadEvents()
_CLOSE = fx.CloseStream()


class UnexpectedInput(RuntimeError):
    """An input that cannot happen in the machine's state: a mistake of the driver."""


class ReflectorMachine(FullStateTransitions):
    """The machine; see the top of this file. `now` is the monotonic instant of the input."""

    def accepts(self, given: fx.Input) -> bool:
        """Whether `given` has a meaning in the present state. Orders that have none are to be dropped."""
        state = self.state
        if isinstance(given, fx.ForceRelist) and isinstance(state, at.BackingOff):
            return given.direct or state.then is at.AfterDelay.WATCH
        return (type(state), type(given)) in _TRANSITIONS

    def handle(self, now: float, given: fx.Input) -> list[fx.Effect]:
        """Take one input, change the state, and tell what is to be done about it, in order."""
        transition = _TRANSITIONS.get((type(self.state), type(given)))
        if transition is None:
            raise UnexpectedInput(f"{type(given).__name__} in state {type(self.state).__name__}")
        self._now = now
        out: list[fx.Effect] = []
        self._out = out
        transition(self, self.state, given)
        return out

    def _start(self, _: at.NotStarted, __: fx.Start) -> None:
        self._begin_session()

    def _timer_fired(self, state: at.BackingOff, _: fx.TimerFired) -> None:
        self._wake(state, interrupted=False)
        self._go(state.then)

    # watch: opening ------------------------------------------------------------------------------------

    def _open_watch(self) -> None:
        version = self.version.last
        timeout_s = self._rules.timeout_s(self._rng)
        self._enter(at.OpeningWatch(self._now, version, timeout_s))
        self._out.append(fx.OpenWatch(self._rules.watch(version, timeout_s)))

    def _watch_opened(self, state: at.OpeningWatch, _: fx.WatchOpened) -> None:
        self._tell_opened(state, None)
        self._enter(at.Watching(state.started_at, moves_version=state.resource_version not in ("", "0")))
        self._out.append(_READ)

    def _watch_open_failed(self, state: at.OpeningWatch, failed: fx.WatchOpenFailed) -> None:
        error = failed.error
        self._tell_opened(state, error)
        if is_connection_refused(error) or is_too_many_requests(error):
            self._report("watch-open", error)
            self._sleep("watch_open", at.AfterDelay.WATCH)
        else:
            self._end_session(error, "watch-open")

    def _tell_opened(self, state: at.OpeningWatch, error: Exception | None) -> None:
        latency_s, version = self._now - state.started_at, state.resource_version
        what = error_class(error)
        self._tell("watch.open", version, state.timeout_s, True, error is None, what, latency_s, False)

    def _take_over(self, state: at.Replacing) -> None:
        """A watch-list's stream goes on as the watch; its clock and its count begin anew (RF-23)."""
        self._tell("watch.open", state.resource_version, state.timeout_s, True, True, "", 0.0, True)
        watching = at.Watching(self._now, moves_version=True)
        self._enter(watching)
        if state.leftover:
            self._mixed_events(watching, state.leftover)
        else:
            self._out.append(_READ)

    # watch: events -------------------------------------------------------------------------------------

    def _events_arrived(self, state: at.Watching, arrived: fx.EventsArrived) -> None:
        events = arrived.events
        if state.moves_version and self._filter.all_plain(events):
            state.events += len(events)
            self.version.last = events[-1].object.resource_version  # type: ignore[union-attr]
            self._out += (fx.Apply(events, True), _READ)
        else:
            self._mixed_events(state, events)

    def _mixed_events(self, state: at.Watching, events: Sequence[WatchEvent]) -> None:
        """One event after the other (RF-33 to RF-36), cut into runs where something else comes between."""
        run: list[WatchEvent] = []
        for event in events:
            type_, obj = event.type, event.object
            if type_ == "ERROR":
                self._apply(run, state)
                self._stream_failed(state, status_of(event))
                return
            rejection = self._filter.rejection(obj)
            if rejection or obj is None:
                run = self._apply(run, state)
                self._out.append(fx.Reject(event, rejection))
                continue
            if type_ != "ADDED" and not state.moves_version:
                run = self._apply(run, state)
                state.moves_version = True
            if type_ in CHANGES:
                run.append(event)
            else:
                run = self._apply(run, state)
                if type_ == "BOOKMARK":
                    self._out.append(fx.ApplyBookmark(event))
                else:
                    self._out.append(fx.Reject(event, "unknown event type", counted=True))
            state.events += 1
            if state.moves_version:
                self.version.last = obj.resource_version
        self._apply(run, state)
        self._out.append(_READ)

    def _apply(self, run: list[WatchEvent], state: at.Watching) -> list[WatchEvent]:
        """Hand over a run, if there is one, and begin the next."""
        if run:
            self._out.append(fx.Apply(run, state.moves_version))
        return []

    # watch: ends ---------------------------------------------------------------------------------------

    def _tell_closed(self, state: at.Watching, reason: str, then: str) -> float:
        """Close the stream and tell why; returns how long it lived."""
        lived_s = self._now - state.started_at
        self._out.append(_CLOSE)
        self._tell("watch.close", lived_s, state.events, reason, then, False)
        return lived_s

    def _stream_failed(self, state: at.Watching, error: Exception) -> None:
        """An ERROR event; the watch-error handler does not hear of it (RF-31)."""
        self._report("watch", error)
        self._retry.after(self._now, error)
        reason = f"error:{reason_of(error)}"
        if is_too_many_requests(error):
            self._tell_closed(state, reason, "backoff+rewatch")
            self._sleep("watch_429", at.AfterDelay.WATCH)
        elif is_internal_error(error) and self._retry.should_retry(self._now):
            self._repeat(at.AfterDelay.WATCH, self._tell_closed(state, reason, "rewatch"))
        else:
            self._tell_closed(state, reason, "relist")
            self._end_session()

    def _stream_ended(self, state: at.Watching, _: fx.StreamEnded) -> None:
        if self._now - state.started_at < VERY_SHORT_S and state.events == 0:
            self._report("watch", VeryShortWatchError(self._name))
            self._tell_closed(state, "very_short", "relist")
            self._end_session()
        else:
            self._repeat(at.AfterDelay.WATCH, self._tell_closed(state, "eof", "rewatch"))

    def _resync_failed(self, state: at.Watching, failed: fx.ResyncFailed) -> None:
        self._report("resync", failed.error)
        self._tell_closed(state, "resync_error", "relist")
        self._end_session()

    # orders --------------------------------------------------------------------------------------------

    def _end_watch(self, state: at.Watching, _: fx.EndWatch) -> None:
        self._repeat(at.AfterDelay.WATCH, self._tell_closed(state, "ordered", "rewatch"))

    def _relist_watching(self, state: at.Watching, order: fx.ForceRelist) -> None:
        self._note_quorum(order)
        if order.direct:
            self._tell_closed(state, "ordered", "relist")
            self._restart()
        else:
            self._stream_failed(state, ApiStatusError(410, "Expired", "injected: a relist was ordered"))

    def _relist_opening(self, _: at.OpeningWatch, order: fx.ForceRelist) -> None:
        self._note_quorum(order)
        self._out.append(_CLOSE)
        self._leave_session(order)

    def _relist_backing_off(self, state: at.BackingOff, order: fx.ForceRelist) -> None:
        self._note_quorum(order)
        self._wake(state, interrupted=True)
        if state.then is at.AfterDelay.WATCH:
            self._leave_session(order)
        else:
            self._repeat(state.then)

    def _note_quorum(self, order: fx.ForceRelist) -> None:
        if order.quorum:
            self.version.unavailable = True

    def _leave_session(self, order: fx.ForceRelist) -> None:
        if order.direct:
            self._restart()
        else:
            self._end_session()

    def _stop(self, state: at.State, _: fx.Stop) -> None:
        if isinstance(state, at.BackingOff):
            self._wake(state, interrupted=True)
        if isinstance(state, at.Watching):
            self._tell_closed(state, "stop", "stop")
        else:
            self._out.append(_CLOSE)
        self._finish()


_M = ReflectorMachine

_TRANSITIONS: dict[tuple[type, type], Callable[[ReflectorMachine, Any, Any], None]] = {
    (at.NotStarted, fx.Start): _M._start,
    (at.Listing, fx.PageArrived): _M._page_arrived,
    (at.Listing, fx.ListFailed): _M._list_failed,
    (at.OpeningWatchList, fx.WatchOpened): _M._watch_list_opened,
    (at.OpeningWatchList, fx.WatchOpenFailed): _M._watch_list_open_failed,
    (at.WatchListing, fx.EventsArrived): _M._initial_events,
    (at.WatchListing, fx.StreamEnded): _M._initial_stream_ended,
    (at.WatchListing, fx.EndBookmarkMissing): _M._end_bookmark_missing,
    (at.Replacing, fx.Replaced): _M._replaced,
    (at.Replacing, fx.ReplaceFailed): _M._replace_failed,
    (at.OpeningWatch, fx.WatchOpened): _M._watch_opened,
    (at.OpeningWatch, fx.WatchOpenFailed): _M._watch_open_failed,
    (at.OpeningWatch, fx.ForceRelist): _M._relist_opening,
    (at.Watching, fx.EventsArrived): _M._events_arrived,
    (at.Watching, fx.StreamEnded): _M._stream_ended,
    (at.Watching, fx.ResyncFailed): _M._resync_failed,
    (at.Watching, fx.ForceRelist): _M._relist_watching,
    (at.Watching, fx.EndWatch): _M._end_watch,
    (at.BackingOff, fx.TimerFired): _M._timer_fired,
    (at.BackingOff, fx.ForceRelist): _M._relist_backing_off,
    **{
        (state, fx.Stop): _M._stop
        for state in (
            at.NotStarted,
            at.Listing,
            at.OpeningWatchList,
            at.WatchListing,
            at.Replacing,
            at.OpeningWatch,
            at.Watching,
            at.BackingOff,
        )
    },
}
