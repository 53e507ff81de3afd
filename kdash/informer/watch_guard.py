"""Carries the policy of `watch_silence` out: a second watch beside a silent one (kdash extension).

Contract:
- One thread, `kdash-silence-NAME`, from the first watch until `stop`; beside it, while a second watch has to
  prove itself, `kdash-second-NAME`. Neither touches the store: events are delivered by `GuardedStream` to
  whoever reads it, the reflector's thread.
- A batch is either delivered before the replacement, which then does not happen, or dropped after it: the
  second watch was opened from the version of the last delivered event, so none is lost and none comes twice.
- To the reflector a replacement is invisible: the same stream goes on.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, cast, runtime_checkable

from kdash.informer.clock import Clock
from kdash.informer.list_watch import CancelToken, WatchEvent, WatchStream
from kdash.informer.tap import Tap
from kdash.informer.watch_silence import SilenceRules, Step, WatchSilence

__all__ = ["GuardedStream", "TimedWatchStream", "WatchGuard"]

_LOOK_S = 5.0


@runtime_checkable
class TimedWatchStream(WatchStream, Protocol):
    """A watch that knows how long it has been silent."""

    @property
    def silent_since(self) -> float | None:
        """Monotonic instant of the last byte, or of the pending read's begin if that is later; None: no
        read is pending. Any thread."""


class GuardedStream:
    """A watch whose connection can be exchanged between two batches."""

    def __init__(self, inner: TimedWatchStream) -> None:
        self._lock = threading.Lock()  # guards the four attributes that follow
        self._inner = inner
        self._first: Sequence[WatchEvent] = ()
        self._over = False
        self._stopped = False

    def next_batch(self) -> Sequence[WatchEvent]:
        while True:
            if self._first:
                with self._lock:
                    first, self._first = self._first, ()
                return first
            inner = self._inner
            events = inner.next_batch()
            with self._lock:
                if self._inner is inner:
                    self._over = not events
                    return events

    @property
    def silent_since(self) -> float | None:
        return self._inner.silent_since

    def replace(self, second: TimedWatchStream, first: Sequence[WatchEvent], silent_since: float) -> bool:
        """Go on with `second`, whose first events are given; False when this one brought a byte or ended."""
        with self._lock:
            if self._over or self._stopped or self._inner.silent_since != silent_since:
                return False
            old, self._inner, self._first = self._inner, second, first
        old.stop()
        return True

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            inner = self._inner
        inner.stop()


class WatchGuard:
    """Looks at the open watch of one reflector and opens a second one where the policy says so."""

    def __init__(
        self,
        *,
        name: str,
        open_second: Callable[[CancelToken, float], WatchStream],
        is_watching: Callable[[], bool],
        session: Callable[[], int],
        rules: SilenceRules,
        clock: Clock,
        rng: random.Random,
        tap: Tap | None,
    ) -> None:
        """`open_second(cancel, within_s)` opens a watch from the last version on a new connection.

        `is_watching`: whether the stream that is read is the watch, and not the start of a watch-list.
        """
        self._name = name
        self._open_second = open_second
        self._is_watching = is_watching
        self._session = session
        self._rules = rules
        self._clock = clock
        self._tap = tap
        self._condition = threading.Condition()  # guards everything below
        self._silence = WatchSilence(rules, rng)
        self._stream: GuardedStream | None = None
        self._cancel: CancelToken | None = None
        self._stopping = False
        self._thread: threading.Thread | None = None

    def guard(self, stream: WatchStream) -> WatchStream:
        """The stream to read in the place of a newly opened one."""
        if not isinstance(stream, TimedWatchStream):
            return stream
        guarded = GuardedStream(stream)
        with self._condition:
            self._stream = guarded
            self._silence.new_stream()
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(
                    target=self._run, name=f"kdash-silence-{self._name}", daemon=True
                )
                self._thread.start()
            self._condition.notify_all()
        return guarded

    def bookmark(self) -> None:
        """A bookmark came on the watch."""
        with self._condition:
            self._silence.bookmark(self._clock.monotonic())

    def stop(self) -> None:
        """End the thread and what it opened; returns at once, see `join`."""
        with self._condition:
            self._stopping = True
            cancel = self._cancel
            self._condition.notify_all()
        if cancel is not None:
            cancel.cancel()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end; False when `timeout_s` passed first."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    # the thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        poll_s = min(_LOOK_S, self._rules.least_s / 4)
        while True:
            with self._condition:
                if self._stopping:
                    return
                now, stream = self._clock.monotonic(), self._stream
                since = stream.silent_since if stream is not None and self._is_watching() else None
                step = self._silence.look(now, since)
                if step is not Step.OPEN:
                    wait_s = poll_s if since is None else self._silence.due_at(now, since) - now
                    self._clock.wait(self._condition, min(max(wait_s, poll_s / 100), poll_s))
                    continue
                cancel = self._cancel = CancelToken()
            if stream is not None and since is not None:
                self._try_second(stream, since, cancel)
            with self._condition:
                self._cancel = None

    def _try_second(self, stream: GuardedStream, since: float, cancel: CancelToken) -> None:
        clock, silence = self._clock, self._silence
        bookmarking = silence.is_bookmarking

        def tell(what: str, detail: str = "") -> None:
            if self._tap is not None:
                silent_s = clock.monotonic() - since
                self._tap.emit("watch.silence", self._name, self._session(), what, silent_s, bookmarking, detail)

        tell("suspect")
        try:
            opened = self._open_second(cancel, self._rules.open_within_s)
        except Exception as error:
            with self._condition:
                silence.open_failed(clock.monotonic())
            tell("failed", str(error)[:300])
            return
        second = cast("TimedWatchStream", opened)
        forget = cancel.on_cancel(second.stop)
        with self._condition:
            step = silence.opened(clock.monotonic(), stream.silent_since)
        had_to_prove = step is Step.WAIT
        first: list[WatchEvent] = []
        if had_to_prove:
            step = self._await_proof(stream, second, first)
        forget()
        replaced = step is Step.REPLACE and not cancel.cancelled and stream.replace(second, first, since)
        with self._condition:
            now, has_spoken = clock.monotonic(), stream.silent_since != since
            if replaced:
                silence.replaced(now)
            elif step is Step.REPLACE:
                silence.kept(now)
        if replaced:
            tell("reopened")
            return
        second.stop()
        tell("unproven" if had_to_prove and not has_spoken else "kept")

    def _await_proof(self, stream: GuardedStream, second: TimedWatchStream, first: list[WatchEvent]) -> Step:
        """Read the second watch until the policy decides; its events so far are in `first`."""
        condition, clock, silence = self._condition, self._clock, self._silence

        def read() -> None:
            while True:
                events = second.next_batch()
                with condition:
                    first.extend(events)
                    changes = [event for event in events if event.type != "BOOKMARK"]
                    if not events or (changes and changes[0].type == "ERROR"):
                        silence.ended(clock.monotonic())
                    elif changes:
                        silence.brought(clock.monotonic())
                    else:
                        continue
                    condition.notify_all()
                    return

        threading.Thread(target=read, name=f"kdash-second-{self._name}", daemon=True).start()
        with condition:
            while not self._stopping:
                now, since = clock.monotonic(), stream.silent_since
                step = silence.look(now, since)
                if step is not Step.WAIT:
                    return step
                clock.wait(condition, max(silence.due_at(now, since) - now, 0.001))
        return Step.CLOSE
