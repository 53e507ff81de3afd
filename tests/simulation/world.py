"""One seeded history: a server, an informer and its handlers on one virtual clock, and what must hold after each step.

Invariants:
- per key, the cache goes through a subsequence of the server's states, in order;
- each handler sees add → update* → delete per key; the old state of an update is what it saw last; nothing comes
  after its removal;
- tombstones come only from a relist;
- a resync tick sends no request;
- while the gate is held, only as many entries and notifications go through as steps were allowed;
- after calm (no faults, no changes) the cache equals the server, and every handler's view equals the cache.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from kdash.informer import reflector_effects as fx
from kdash.informer.clock import VirtualClock
from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from kdash.informer.registration import HandlerRegistration
from tests.simulation.informer import SteppedInformer
from tests.simulation.server import Server

ENGINES = ("delta", "real", "real-atomic")


class Violation(AssertionError):
    """An invariant broke. The message names seed, engine and step, so that it can be replayed alone."""


@dataclass(frozen=True)
class Plan:
    """What makes one history: all that `replay` needs."""

    seed: int
    engine: str
    steps: int = 1000

    def __str__(self) -> str:
        return f"--seed {self.seed} --engine {self.engine} --steps {self.steps}"


class Handler:
    """Keeps the view that its notifications draw, and objects to those that make no sense."""

    def __init__(self, world: World, name: str, throws: float) -> None:
        self.name = name
        self.view: dict[str, KubeObject] = {}
        self.removed = False
        self._world = world
        self._throws = throws

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        self._world.delivered()
        self._expect(obj.key not in self.view, f"add of {obj!r}, which it has")
        self.view[obj.key] = obj
        self._maybe_throw()

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        self._world.delivered()
        seen = self.view.get(old.key)
        self._expect(seen is not None, f"update of {old!r}, which it never saw")
        self._expect(seen == old, f"update whose old is {old!r}, but it saw {seen!r} last")
        self.view[new.key] = new
        self._maybe_throw()

    def on_delete(self, obj: KubeObject | DeletedFinalStateUnknown) -> None:
        self._world.delivered()
        known = obj.key in self.view
        if isinstance(obj, DeletedFinalStateUnknown):
            self._expect(self._world.informer.replaces > 1, f"a tombstone of {obj.key} without a relist")
            self._expect(known, f"a tombstone of {obj.key}, which it never saw")
        elif not known:
            allowed = obj.key in self._world.server.lost_keys and self._world.plan.engine != "delta"
            self._expect(allowed, f"delete of {obj!r}, which it never saw")
        self.view.pop(obj.key, None)
        self._maybe_throw()

    def _expect(self, holds: bool, what: str) -> None:
        if self.removed:
            self._world.fail(f"handler {self.name} was called after its removal: {what}")
        if not holds:
            self._world.fail(f"handler {self.name}: {what}")

    def _maybe_throw(self) -> None:
        if self._world.rng.random() < self._throws:
            raise RuntimeError("a handler that throws now and then")


class World:
    """Server, informer and handlers of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng = random.Random(f"{plan.seed}-{plan.engine}")
        self.clock = VirtualClock()
        self.server = Server(self.rng)
        self.server.lossy = self.rng.random() < 0.3
        resync_s = self.rng.choice((0.0, 5.0, 30.0))
        self.informer = SteppedInformer(
            self.server, self.clock, self.rng, plan.engine, resync_s, watch_list=self.rng.random() < 0.5
        )
        self._allowed_entries = self._allowed_calls = 0
        self._handlers: list[tuple[Handler, HandlerRegistration]] = []
        self._positions = dict.fromkeys(self.server.states, 0)
        self._step = 0
        self._first_error: Violation | None = None
        for _ in range(2):
            self._join()

    def fail(self, what: str) -> None:
        """Remember the first violation: listeners swallow what handlers raise."""
        if self._first_error is None:
            self._first_error = Violation(
                f"{what}\n  at step {self._step}; replay: python -m tests.simulation {self.plan}"
            )

    # the history ---------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live through the plan. Raises `Violation`."""
        self.informer.start()
        actions: list[tuple[int, Callable[[], object]]] = [
            (25, self.server.change),
            (30, self.informer.step_reflector),
            (25, self._step_queue),
            (1, self._hold),
            (4, self._step_held),
            (1, self._release),
            (20, self.informer.step_listeners),
            (10, self._pass_time),
            (3, lambda: self.server.disturb(self.informer.stream)),
            (1, self.server.lose_history),
            (1, self.server.restart),
            (1, self._join),
            (1, self._leave),
            (1, self._change_period),
            (1, lambda: self.informer.order(fx.ForceRelist(self.rng.random() < 0.5, self.rng.random() < 0.5))),
            (1, lambda: self.informer.order(fx.EndWatch())),
        ]
        weights = [weight for weight, _ in actions]
        choices = self.rng.choices([action for _, action in actions], weights, k=self.plan.steps)
        stop_at = self.rng.randrange(self.plan.steps) if self.rng.random() < 0.1 else None
        for self._step, action in enumerate(choices):
            if self._step == stop_at:
                self._stop()
                return
            action()
            self._check()
        self._calm()

    def delivered(self) -> None:
        """A handler is called."""
        if self.informer.gate.held:
            self._allowed_calls -= 1
            if self._allowed_calls < 0:
                self.fail("a notification went past the held gate")

    def _step_queue(self) -> None:
        held, before = self.informer.gate.held, self.informer.queue.depth()
        popped = self.informer.step_queue()
        if held and popped:
            self._allowed_entries -= 1
            if self._allowed_entries < 0:
                self.fail("an entry went past the held gate")
        elif held and self.informer.queue.depth() != before:
            self.fail("the queue changed although nothing was popped")

    def _hold(self) -> None:
        if not self.informer.gate.held:
            self._allowed_entries = self._allowed_calls = 0
            self.informer.hold()

    def _step_held(self) -> None:
        """Let an entry through, or a notification to one of the handlers."""
        if not self.informer.gate.held:
            return
        if self.rng.random() < 0.4:
            self._allowed_entries += 1
            self.informer.gate.let_entry_through()
        else:
            self._allowed_calls += self.rng.choice(self._handlers)[1].listener.let_through()

    def _release(self) -> None:
        self.informer.release()

    def _pass_time(self) -> None:
        """Move on to the next thing that time alone brings, or a little."""
        now = self.clock.monotonic()
        due = [at for at in (self.informer.wakes_at(), self.informer.tick_due_at) if at is not None]
        self.clock.advance(max(min(due) - now, 0.0) if due and self.rng.random() < 0.7 else self.rng.random())
        self._tick_if_due()

    def _tick_if_due(self) -> None:
        due_at = self.informer.tick_due_at
        if due_at is None or self.clock.monotonic() < due_at:
            return
        before = self.server.requests
        self.informer.tick()
        if self.server.requests != before:
            self.fail("a resync tick sent a request")

    def _join(self) -> None:
        if len(self._handlers) >= 5:
            return
        throws = 0.05 if self.rng.random() < 0.2 else 0.0
        handler = Handler(self, f"h{self._step}-{len(self._handlers)}", throws)
        period_s = self.rng.choice((None, 0.0, 0.5, 7.0, 60.0))
        self._handlers.append((handler, self.informer.registry.add(handler, period_s, handler.name)))

    def _leave(self) -> None:
        if len(self._handlers) > 1:
            handler, registration = self._handlers.pop(self.rng.randrange(len(self._handlers)))
            registration.remove()
            handler.removed = True

    def _change_period(self) -> None:
        self.informer.registry.set_period(self.rng.choice((0.0, 2.0, 20.0)), None)

    def _stop(self) -> None:
        self.informer.order(fx.Stop())
        if not self.informer.finished:
            self.fail("the reflector did not stop")
        self._raise()

    # what must hold ------------------------------------------------------------------------------------

    def _check(self) -> None:
        for key, states in self.server.states.items():
            cached = self.informer.indexer.get_by_key(key)
            position = self._positions[key]
            while position < len(states) and states[position] != cached:
                position += 1
            if position == len(states):
                seen = states[self._positions[key]]
                self.fail(f"the cache shows {cached!r}, which is no state of {key} at or after {seen!r}")
                break
            self._positions[key] = position
        self._raise()

    def _raise(self) -> None:
        if self._first_error is not None:
            raise self._first_error

    def _calm(self) -> None:
        """No more faults and changes; a lost event is repaired by a relist and by nothing else."""
        self._release()
        self.server.faulty = False
        lossy, self.server.lossy = self.server.lossy, False
        for stream in self.server.streams:
            stream.ended, stream.silent = True, False
        if lossy:
            self._settle()
            self.informer.order(fx.ForceRelist(direct=True))
        self._settle()
        self._check()
        if self.informer.cached() != self.server.objects:
            self.fail(f"after calm the cache is {self.informer.cached()!r}, the server has {self.server.objects!r}")
        for handler, _ in self._handlers:
            if handler.view != self.informer.cached():
                self.fail(f"after calm {handler.name} sees {handler.view!r}, the cache is {self.informer.cached()!r}")
        self._raise()

    def _settle(self) -> None:
        for _ in range(2000):
            moved = self.informer.step_reflector() | self.informer.step_queue() | self.informer.step_listeners()
            if moved:
                continue
            wakes_at = self.informer.wakes_at()
            if wakes_at is None:
                return
            self.clock.advance(max(wakes_at - self.clock.monotonic(), 0.001))
        self.fail("the informer never came to rest")


def play(plan: Plan) -> None:
    """Live through one plan. Raises `Violation`."""
    World(plan).run()
