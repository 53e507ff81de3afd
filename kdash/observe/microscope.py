"""Orders about handlers and time: reload, hold, step, release, history, advice.

Contract: as `orders`: nothing raises for what a user can cause, nothing blocks for long. Any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kdash.informer.errors import InformerError
from kdash.observe.door import Outcome
from kdash.observe.memory import MemoryWatch
from kdash.observe.parse import BadValue
from kdash.observe.versions import (
    VersionFeed,
    VersionPacker,
    as_versions,
    changes_between,
    history_of,
    left_out,
    version_content,
)
from kdash.observe.watched_handler import StackSampler
from kdash.probe.advice import advise
from kdash.probe.objects import ObjectRef
from kdash.probe.snapshot import AdviceView, ChangeView, VersionView
from kdash.probe.text import clean, plural

if TYPE_CHECKING:
    from kdash.informer.listener import ProcessorListener
    from kdash.informer.shared_informer import SharedIndexInformer
    from kdash.observe.live import LiveObservation

__all__ = ["Microscope"]

_NOT_YET = Outcome(False, "not connected yet: there is nothing to hold")
_NOT_HELD = Outcome(False, "nothing is held: hold the pipeline first")
_STAGES = ("all", "queue", "handlers")


class Microscope:
    """What one live observation does besides observing."""

    def __init__(self, observation: LiveObservation) -> None:
        self._observation = observation
        self._lock = threading.Lock()  # guards _stage, _walk and _idle_before
        self._stage = ""
        self._walk = False
        self._idle_before: list[ProcessorListener] = []
        self.versions = VersionFeed()
        self.sampler = StackSampler(observation.tap)
        self.memory = MemoryWatch()
        observation.recorder.history.pack = VersionPacker().pack

    # the probe's thread ----------------------------------------------------------------------------------

    def take_versions(self, taken: list[tuple[Any, ...]]) -> None:
        """Keep what the caches changed; its records have been taken."""
        recorder = self._observation.recorder
        recorder.take_versions(as_versions(taken, recorder.paths, recorder.clock.monotonic()))
        if recorder.journal is not None:
            recorder.cached(left_out(taken))

    def sample(self) -> None:
        """Look at the handlers that are in a long call or busy, and at the memory."""
        recorder = self._observation.recorder
        with recorder.lock:
            worth = recorder.handlers.worth_a_look(recorder.clock.monotonic())
        self.sampler.sample(worth)
        self.memory.tick(recorder.clock.monotonic(), recorder.objects.objects)

    # handlers --------------------------------------------------------------------------------------------

    def reload_handler(self, name: str) -> Outcome:
        observation = self._observation
        spec = next((spec for spec in observation.handlers if spec.name == name), None)
        if spec is None or not spec.code:
            own = ", ".join(spec.name for spec in observation.handlers if spec.code)
            why = f"handlers of your own: {own}" if own else "there are none: start with --handler NAME=module:callable"
            return Outcome(False, f"{clean(name)} is no handler of your own; {why}")
        if not observation.informers():
            return Outcome(False, "not connected yet: there is no handler to load anew")
        return observation.orders.soon(lambda: self._reload(name), f"{name} is being reloaded", "HANDLER")

    def _reload(self, name: str) -> Outcome:
        observation = self._observation
        spec = next((spec for spec in observation.handlers if spec.name == name), None)
        if spec is None:
            return Outcome(False, f"{clean(name)} has been removed")
        try:
            code = spec.load()
            assert code is not None
            code.reload()
        except BadValue as error:
            return Outcome(False, f"{error}; the old code goes on")
        replayed = dropped = 0
        try:
            for informer in observation.informers().values():
                for registration in informer.registrations():
                    if registration.name == name:
                        dropped += registration.backlog()
                        registration.remove()
                replayed += len(informer.indexer.list_keys())
                observation.register_handler(informer, spec)
        except (BadValue, InformerError) as error:
            return Outcome(False, clean(str(error)))
        words = f"{name} loaded anew: it left ({dropped} waiting dropped) and joined again, "
        words += f"{plural(replayed, 'object')} replayed from the cache; 0 requests"
        return Outcome(True, words)

    # hold and step ---------------------------------------------------------------------------------------

    def hold(self, stage: str) -> Outcome:
        informers = self._informers()
        if stage not in _STAGES:
            return Outcome(False, f"there is no stage {clean(stage)} to hold; stages: {', '.join(_STAGES)}")
        if not informers:
            return _NOT_YET
        with self._lock:
            if self._stage == stage:
                return Outcome(False, "held already: step, or release", True)
            if self._stage:
                self._let_go(informers)
            self._stage, self._walk = stage, False
            for informer in informers:
                informer.gate.tell("hold", stage)
                self.apply(informer)
        where = {"all": "before the queue's pop and before the handlers", "queue": "before the queue's pop",
                 "handlers": "before the handlers"}[stage]  # fmt: skip
        return self._observation.orders.log(Outcome(True, f"held {where}; the API side goes on", True))

    def apply(self, informer: SharedIndexInformer) -> None:
        """Hold a new informer if the others are held."""
        if self._stage:
            informer.hold(entries=self._stage != "handlers", handlers=self._stage != "queue")

    def release(self) -> Outcome:
        informers = self._informers()
        with self._lock:
            if not self._stage:
                return _NOT_HELD
            waiting = sum(_entries(each) for each in informers)
            notifications = sum(listener.waiting() for listener in self._listeners(informers))
            self._let_go(informers)
        words = f"released: {plural(waiting, 'entry')} and {plural(notifications, 'notification')} go on"
        return self._observation.orders.log(Outcome(True, words, True))

    def _let_go(self, informers: list[SharedIndexInformer]) -> None:
        self._stage, self._walk, self._idle_before = "", False, []
        for informer in informers:
            informer.gate.tell("release", "all")
            informer.release()

    def step(self, stage: str, handler: str | None) -> Outcome:
        informers = self._informers()
        if stage not in ("auto", "queue", "handler"):
            return Outcome(False, f"there is no step {clean(stage)}; steps: auto, queue, handler")
        with self._lock:
            if not self._stage:
                return _NOT_HELD
            if stage == "handler" or handler is not None:
                return self._step_handler(informers, handler)
            if stage == "queue":
                return self._step_queue(informers)
            return self._step_on(informers)

    def _step_on(self, informers: list[SharedIndexInformer]) -> Outcome:
        """The walk: the entry's notifications first, then the next entry, then whatever still waits."""
        if any(informer.gate.permits() for informer in informers):
            return Outcome(True, "the entry is still on its way through the queue", True)
        if self._walk:
            for listener in self._idle_before:
                if listener.held and listener.waiting():
                    self._idle_before.remove(listener)
                    return self._let_through(informers, listener)
            self._walk = False
        outcome = self._step_queue(informers)
        return outcome if outcome.ok else self._step_handler(informers, None)

    def _step_queue(self, informers: list[SharedIndexInformer]) -> Outcome:
        waiting = [(each.queue.peek(1), each) for each in informers if each.queue is not None and each.gate.held]
        heads = [(peeked[0].waiting_since, at) for at, (peeked, _) in enumerate(waiting) if peeked]
        if not heads:
            why = "no entry waits in the queue" if waiting else "the queue is not held"
            return Outcome(False, why, True)
        peeked, informer = waiting[min(heads)[1]]
        self._walk = True
        self._idle_before = [each for each in self._listeners([informer]) if each.held and not each.waiting()]
        informer.gate.tell("step", "queue")
        informer.gate.let_entry_through()
        what = clean(peeked[0].key) or "the whole cache"
        return Outcome(True, f"step: {what} ({clean(' '.join(peeked[0].types))}) goes through the queue", True)

    def _step_handler(self, informers: list[SharedIndexInformer], name: str | None) -> Outcome:
        listeners = [each for each in self._listeners(informers) if name is None or each.name == name]
        if name is not None and not listeners:
            return Outcome(False, f"there is no handler {clean(name)}")
        for listener in listeners:
            if listener.held and listener.waiting():
                return self._let_through(informers, listener)
        why = "handlers are not held"
        if any(each.held for each in listeners):
            why = f"no notification waits for {clean(name or 'any handler')}"
        return Outcome(False, why, True)

    def _let_through(self, informers: list[SharedIndexInformer], listener: ProcessorListener) -> Outcome:
        for informer in informers:
            if any(each.listener is listener for each in informer.registrations()):
                informer.gate.tell("step", "handler", listener.name)
        listener.let_through()
        return Outcome(True, f"step: handler {listener.name} gets one notification", True)

    def _informers(self) -> list[SharedIndexInformer]:
        return list(self._observation.informers().values())

    @staticmethod
    def _listeners(informers: list[SharedIndexInformer]) -> list[ProcessorListener]:
        return [each.listener for informer in informers for each in informer.registrations()]

    # history and advice ----------------------------------------------------------------------------------

    def history(self, ref: ObjectRef) -> tuple[VersionView, ...]:
        return history_of(self._observation.recorder, ref)

    def version(self, ref: ObjectRef, number: int) -> Mapping[str, Any] | None:
        return version_content(self._observation.recorder, ref, number, self._observation.read_object)

    def changes(self, ref: ObjectRef, old: int, new: int) -> tuple[ChangeView, ...]:
        before, after = self.version(ref, old), self.version(ref, new)
        return () if before is None or after is None else changes_between(before, after)

    def advice(self) -> tuple[AdviceView, ...]:
        return advise(self._observation.snapshot())


def _entries(informer: SharedIndexInformer) -> int:
    return informer.queue.depth()[0] if informer.queue is not None else 0
