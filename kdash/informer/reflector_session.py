"""What all transitions of the reflector's machine share: its memory, the session's frame, delays and telling.

Contract: base of `reflector_machine.ReflectorMachine`, whose header explains the whole. Methods append
effects to `_out`; each of `_go`, `_repeat`, `_sleep`, `_end_session`, `_restart` and `_finish` ends the
answer with a request.
"""

from __future__ import annotations

import random
from typing import Any

from kdash.informer import reflector_effects as fx
from kdash.informer import reflector_states as at
from kdash.informer.backoff import DEFAULT_BACKOFF, Backoff, BackoffDelays, Delay, RepeatPacer
from kdash.informer.errors import (
    ApiStatusError,
    is_connection_refused,
    is_expired,
    is_internal_error,
    is_too_large_resource_version,
    is_too_many_requests,
)
from kdash.informer.reflector_requests import RequestRules, VersionMemory
from kdash.informer.retry_with_deadline import RetryWithDeadline

__all__ = ["VERY_SHORT_S", "SessionFrame", "error_class", "reason_of"]

VERY_SHORT_S = 1.0
"""A stream that ended sooner without an event counts as failed (RF-38)."""

_STATE_NAMES: dict[type, str] = {
    at.Listing: "listing",
    at.OpeningWatchList: "watch-listing",
    at.OpeningWatch: "rewatch-open",
    at.Watching: "watching",
    at.BackingOff: "backoff",
    at.Stopped: "stopped",
}


def error_class(error: Exception | None) -> str:
    """The class by which a reflector decides: expired, too_large, too_many_requests, refused, internal or
    other."""
    if error is None:
        return ""
    for name, holds in (
        ("expired", is_expired),
        ("too_large", is_too_large_resource_version),
        ("too_many_requests", is_too_many_requests),
        ("refused", is_connection_refused),
        ("internal", is_internal_error),
    ):
        if holds(error):
            return name
    return "other"


def reason_of(error: Exception) -> str:
    """A word for an error: the Status's reason or code, else the error's class."""
    if isinstance(error, ApiStatusError):
        return error.reason or str(error.code)
    return type(error).__name__


class SessionFrame:
    """Memory, sessions and delays; knows nothing of lists and watches."""

    def __init__(
        self,
        *,
        now: float,
        rng: random.Random,
        rules: RequestRules,
        use_watch_list: bool,
        backoff: Backoff | None = None,
        max_internal_error_retry_s: float = 0.0,
    ) -> None:
        self.state: at.State = at.NotStarted()
        self.version = VersionMemory()
        self.session = 0
        self.use_watch_list = use_watch_list
        self._rules = rules
        self._rng = rng
        self._delays = BackoffDelays(rng, now, backoff or DEFAULT_BACKOFF)
        self._pacer = RepeatPacer(now)
        self._retry = RetryWithDeadline(max_internal_error_retry_s)
        self._now = now
        self._out: list[fx.Effect] = []
        self._session_began_at: float | None = None
        self._resync_armed = False

    # telling -------------------------------------------------------------------------------------------

    def _tell(self, kind: str, *fields: Any) -> None:
        self._out.append(fx.Tell(kind, (self.session, *fields)))

    def _report(self, stage: str, error: Exception, to_handler: bool = False) -> None:
        self._out.append(fx.ReportError(stage, error, to_handler))

    def _enter(self, state: at.State) -> None:
        self.state = state
        name = _STATE_NAMES.get(type(state))
        if name is not None:
            self._tell("reflector.state", name)

    # sessions ------------------------------------------------------------------------------------------

    def _begin_session(self) -> None:
        self.session += 1
        self._session_began_at = self._now
        version = self.version
        self._tell("reflector.session_start", self.use_watch_list, version.last, version.unavailable)
        if self.use_watch_list:
            self._open_watch_list()
        else:
            self._begin_list()

    def _close_session(self, why: str, error: Exception | None = None, stage: str = "") -> None:
        """End the session without a request; an error given here goes to the watch-error handler (RF-5)."""
        if self._resync_armed:
            self._resync_armed = False
            self._out.append(fx.StopResync(why))
        if self._session_began_at is None:
            return
        if error is not None:
            self._report(stage, error, to_handler=True)
        outcome = "error" if error is not None else "nil"
        lasted_s = self._now - self._session_began_at
        self._tell("reflector.session_end", outcome, error_class(error), lasted_s)
        self._session_began_at = None

    def _end_session(self, error: Exception | None = None, stage: str = "") -> None:
        """End the session, wait one delay, begin the next (RF-5: the delay comes after success too)."""
        self._close_session("restarts after relist", error, stage)
        self._sleep("outer", at.AfterDelay.SESSION)

    def _restart(self) -> None:
        """End the session and begin the next without the delay (kdash extension)."""
        self._close_session("restarts after relist")
        self._repeat(at.AfterDelay.SESSION)

    def _finish(self) -> None:
        self._close_session("stopped")
        self._enter(at.Stopped())
        self._out.append(fx.Finished())

    # delays --------------------------------------------------------------------------------------------

    def _sleep(self, site: str, then: at.AfterDelay, delay: Delay | None = None) -> None:
        now = self._now
        delay = delay or self._delays.next(now)
        self._enter(at.BackingOff(site, then, now))
        seconds = delay.seconds
        self._tell(
            "backoff.sleep", site, delay.step, delay.base_s, seconds, delay.cap_hit, True, now + seconds
        )
        self._out.append(fx.Sleep(delay))

    def _wake(self, state: at.BackingOff, interrupted: bool) -> None:
        self._tell("backoff.wake", state.site, self._now - state.since, interrupted)

    def _repeat(self, then: at.AfterDelay, lived_s: float = 0.0) -> None:
        """Go on without a delay of the reflector; paced unless the last stream lived for a while."""
        wait_s = self._pacer.delay_s(self._now) if lived_s < VERY_SHORT_S else 0.0
        if wait_s > 0:
            self._sleep("pacing", then, Delay(wait_s))
        else:
            self._go(then)

    def _go(self, then: at.AfterDelay) -> None:
        if then is at.AfterDelay.SESSION:
            self._begin_session()
        elif then is at.AfterDelay.WATCH:
            self._open_watch()
        else:
            self._open_watch_list()

    # what the transitions bring ------------------------------------------------------------------------

    def _begin_list(self) -> None:
        raise NotImplementedError

    def _open_watch_list(self) -> None:
        raise NotImplementedError

    def _open_watch(self) -> None:
        raise NotImplementedError
