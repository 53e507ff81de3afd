"""The one place that owns client, factory and what is wanted: whatever rebuilds informers goes through it.

Contract: `change` may be called from any thread and waits a moment at most; the work is done by one thread,
`kdash-session`, one at a time. Changes that came meanwhile are merged: each applies to what the ones before it asked
for, and one that cannot be (an unknown resource) is refused alone. A failure to build is a state with the reason and a
retry; the next change tries at once. An answer tells what happened, or that it is still under way.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from kdash.observe.door import Outcome
from kdash.observe.failures import is_final, state_of_failure
from kdash.probe.snapshot import StateView
from kdash.probe.text import shorten

if TYPE_CHECKING:
    from kdash.cluster.client import ClusterClient
    from kdash.informer.clock import Clock
    from kdash.informer.factory import SharedInformerFactory
    from kdash.informer.resources import ResourceInfo
    from kdash.observe.live import Wanted

__all__ = ["Builder", "Session"]

_ANSWER_S = 0.02
_SHUTDOWN_S = 2.0
_OVERTAKEN = Outcome(False, "overtaken by a later order")


class Builder(Protocol):
    """What a session asks of its observation; all of it on the session's thread."""

    def connect(self) -> ClusterClient: ...

    def build(self, client: ClusterClient, wanted: Wanted, infos: list[ResourceInfo]) -> SharedInformerFactory:
        """A factory with its informers and handlers, not started. May raise whatever a user's code raises."""

    def ended(self, gone: list[ResourceInfo]) -> None:
        """The informers have ended; those of `gone` do not come back."""

    def leave(self) -> None:
        """Another server comes: stop what belongs to this one alone."""

    def tell(self, text: str, category: str, fold: bool = False) -> None:
        """A line for the event log."""


@dataclass(eq=False)
class _Change:
    fields: Mapping[str, Any]
    words: str
    switch: Callable[[], None] | None = None
    outcome: Outcome | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Session:
    """Connects, builds the informers, and builds them anew when something else is wanted."""

    def __init__(self, builder: Builder, wanted: Wanted, clock: Clock, rng: random.Random) -> None:
        self._builder, self._clock, self._rng = builder, clock, rng
        self._condition = threading.Condition()  # guards all that follows
        self.wanted = wanted
        """What is observed, or tried."""
        self.client: ClusterClient | None = None
        self.factory: SharedInformerFactory | None = None
        self.state: StateView | None = StateView("STARTING", "connecting…")
        """Why there are no informers; None while there are."""
        self._infos: list[ResourceInfo] = []
        self._changes: list[_Change] = []
        self._taken: list[_Change] = []  # under way, not in `wanted` yet
        self._stopping = False
        self._generation = 0  # a switch abandons the thread that hangs in the server before
        self._connecting = False
        self._opening: ClusterClient | None = None  # connected, its resources not resolved yet
        self._built_once = False
        self._attempts = 0
        self._retry_at: float | None = 0.0

    # from any thread -------------------------------------------------------------------------------------

    def start(self) -> threading.Thread:
        """Begin to connect."""
        thread = threading.Thread(target=self._run, args=(self._generation,), name="kdash-session", daemon=True)
        thread.start()
        return thread

    def stop(self) -> tuple[ClusterClient | None, SharedInformerFactory | None]:
        """Nothing is built any more; returns what is to be closed."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
            return self.client or self._opening, self.factory

    def change(self, words: str, fields: Mapping[str, Any], switch: Callable[[], None] | None = None) -> Outcome:
        """Want something else: `fields` of `Wanted`, and with `switch` on another server. `words` tell what then is.

        The answer is what became of it, or that it is under way.
        """
        change = _Change(fields, words, switch)
        with self._condition:
            if self._stopping:
                return Outcome(False, "the observation has ended")
            if switch is not None:
                for earlier in self._changes:
                    if earlier.switch is not None:
                        self._answer(earlier, _OVERTAKEN)
                self._changes = [each for each in self._changes if each.switch is None]
            self._changes.append(change)
            self._condition.notify_all()
            if switch is not None and self._connecting:
                self._generation += 1
                self._connecting = False
                abandoned, self._opening = self._opening, None
                if abandoned is not None:
                    abandoned.close()
                self.start()
        change.done.wait(_ANSWER_S)
        return change.outcome or Outcome(True, f"under way: {words}; the event log tells how it goes")

    def intended(self) -> Wanted:
        """What is wanted once all that is under way is done."""
        with self._condition:
            wanted = self.wanted
            for change in (*self._taken, *self._changes):
                wanted = replace(wanted, **change.fields)
            return wanted

    # the session's thread --------------------------------------------------------------------------------

    def _run(self, generation: int) -> None:
        while (changes := self._next(generation)) is not None:
            accepted = self._accept(changes) if changes else []
            if accepted or not changes:
                self._build(generation, accepted)

    def _next(self, generation: int) -> list[_Change] | None:
        """What to do now: changes, or none when it is time to try again; None at the end."""
        with self._condition:
            while True:
                if self._stopping or generation != self._generation:
                    return None
                if self._changes:
                    self._taken, self._changes = self._changes, []
                    return list(self._taken)
                left_s = None if self._retry_at is None else self._retry_at - self._clock.monotonic()
                if left_s is not None and left_s <= 0:
                    return []
                self._clock.wait(self._condition, left_s)

    def _accept(self, changes: list[_Change]) -> list[_Change]:
        """Merge what can be done, refuse the rest; then the old informers end."""
        wanted, infos, accepted = self.wanted, self._infos, []
        switch: Callable[[], None] | None = None
        for change in changes:
            candidate = replace(wanted, **change.fields)
            if change.switch is not None:
                switch = change.switch
            elif switch is None and self.client is not None and candidate.resources != wanted.resources:
                try:
                    infos = _resolved(self.client, candidate.resources)
                except Exception as error:
                    with self._condition:
                        self._taken.remove(change)
                    self._tell(change, Outcome(False, f"{shorten(str(error))}; nothing was changed"))
                    continue
            wanted = candidate
            accepted.append(change)
        if accepted:
            kept = set() if switch is not None else {info.name for info in infos}
            self._end([info for info in self._infos if info.name not in kept])
            if switch is not None:
                self._leave()
                switch()
                infos = []
            with self._condition:
                self.wanted, self._infos, self._taken = wanted, infos, []
        return accepted

    def _end(self, gone: list[ResourceInfo]) -> None:
        with self._condition:
            factory, self.factory = self.factory, None
            self.state = StateView("STARTING", "restarting informers")
        if factory is not None:
            factory.shutdown(timeout=_SHUTDOWN_S)
        self._builder.ended(gone)

    def _leave(self) -> None:
        with self._condition:
            client, self.client = self.client, None
            self.state = StateView("STARTING", "connecting…")
            self._attempts = 0
        if client is not None:
            client.close()
        self._builder.leave()

    def _build(self, generation: int, changes: list[_Change]) -> None:
        """Connect if need be, make the informers, start them; tell what became of it."""
        try:
            if self.client is None and not self._connect(generation):
                for change in changes:
                    self._tell(change, _OVERTAKEN)
                return
            assert self.client is not None
            factory = self._builder.build(self.client, self.wanted, self._infos)
            with self._condition:
                if self._stopping:
                    return
                self.factory, self.state, self._retry_at = factory, None, None
                self._attempts, self._built_once = 0, True
                factory.start()
        except Exception as error:
            if generation == self._generation:
                self._failed(error, changes)
        else:
            for change in changes:
                self._tell(change, Outcome(True, change.words))

    def _connect(self, generation: int) -> bool:
        """False when a switch came meanwhile: then all of this is of no use any more."""
        with self._condition:
            self._connecting = True
        client = self._builder.connect()
        with self._condition:
            if not (given_up := self._stopping or generation != self._generation):
                self._opening = client
        if given_up:
            client.close()
            return False
        try:
            infos = _resolved(client, self.wanted.resources)
        except BaseException:
            client.close()
            raise
        with self._condition:
            if self._stopping or generation != self._generation:
                client.close()
                return False
            self._connecting, self._opening = False, None
            self.client, self._infos = client, infos
        return True

    def _failed(self, error: Exception, changes: list[_Change]) -> None:
        now = self._clock.monotonic()
        self._attempts += 1
        final = is_final(error) and not self._built_once
        pause_s = min(30.0, 0.8 * 2 ** (self._attempts - 1)) * self._rng.uniform(1.0, 1.5)
        retry_at = None if final else now + pause_s
        resources = ",".join(self.wanted.resources)
        state = state_of_failure(error, resources, now, retry_at, self._attempts)
        if not final and (state.word == "STOPPED" or self.client is not None):
            state = StateView("RETRY", state.detail, retry_at, self._attempts, state.exit_code)
        with self._condition:
            self._connecting = False
            self.state, self._retry_at = state, retry_at
        self._builder.tell(state.detail, "ERROR", fold=True)
        for change in changes:
            self._answer(change, Outcome(False, f"{state.detail}; trying again in {pause_s:.0f}s"))

    def _tell(self, change: _Change, outcome: Outcome) -> None:
        self._builder.tell(outcome.text, "APP")
        self._answer(change, outcome)

    @staticmethod
    def _answer(change: _Change, outcome: Outcome) -> None:
        change.outcome = outcome
        change.done.set()


def _resolved(client: ClusterClient, names: tuple[str, ...]) -> list[ResourceInfo]:
    infos: list[ResourceInfo] = []
    for name in names:
        infos += [info for info in client.resolve_all(name) if info not in infos]
    return infos
