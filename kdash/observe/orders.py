"""The orders of the door: each does its work on the informers and says in one sentence what became of it.

Contract: no order raises for what a user can cause, and none blocks longer than a few milliseconds: over
`_MANY` cached objects the work goes to a thread of its own and the sentence tells what will happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kdash.informer.errors import InformerError
from kdash.observe.door import Outcome
from kdash.observe.handlers import HandlerSpec
from kdash.probe.build import ENGINES
from kdash.probe.text import clean, duration, plural

if TYPE_CHECKING:
    from kdash.informer.registration import HandlerRegistration
    from kdash.informer.shared_informer import SharedIndexInformer
    from kdash.observe.live import LiveObservation

__all__ = ["Orders"]

_MANY = 2000
_ANSWER_S = 0.05
_NOT_YET = Outcome(False, "not connected yet: there is no informer to order")


class Orders:
    """Carries out orders on the informers of one observation."""

    def __init__(self, observation: LiveObservation) -> None:
        self._observation = observation

    def log(self, outcome: Outcome, category: str = "APP") -> Outcome:
        """Tell the event log; returns the outcome."""
        mark = " (kdash extension)" if outcome.extension else ""
        self._observation.recorder.note(outcome.text + mark, category if outcome.ok else "APP")
        return outcome

    def _informers(self) -> list[SharedIndexInformer]:
        return list(self._observation.informers().values())

    def soon(self, work: Callable[[], Outcome], meanwhile: str, category: str = "APP") -> Outcome:
        """Do what may block (a disk, a user's code) on a thread of its own; the event log tells what became of it.

        The answer is its outcome if that is there at once, else `meanwhile`.
        """
        done: list[Outcome] = []
        thread = self._observation.in_background(lambda: done.append(self.log(work(), category)), "kdash-order")
        thread.join(_ANSWER_S)
        return done[0] if done else Outcome(True, f"{meanwhile}; the event log tells how it goes")

    def _do(self, work: Callable[[], object], informer: SharedIndexInformer) -> None:
        """Now if the cache is small, else on a thread."""
        if _size(informer) > _MANY:
            self._observation.in_background(work, "kdash-order")
        else:
            work()

    # resync, relist, rewatch -----------------------------------------------------------------------------

    def resync_now(self, handler: str | None) -> Outcome:
        informers = self._informers()
        if not informers:
            return _NOT_YET
        if handler is not None:
            refusal = self._refusal(informers, handler)
            if refusal:
                return self.log(Outcome(False, refusal, True))
        sentences, reached_any = [], False
        for informer in informers:
            reached = [each.name for each in informer.registrations() if each.effective_period_s > 0]
            skipped = [each for each in informer.registrations() if each.effective_period_s <= 0]
            self._do(informer.resync_now, informer)
            reached_any = reached_any or bool(reached)
            sentences.append(_replay_sentence(informer, reached, skipped, len(informers) > 1))
        return self.log(Outcome(reached_any, "; ".join(sentences) + "; 0 requests", True), "RESYNC")

    def _refusal(self, informers: list[SharedIndexInformer], handler: str) -> str:
        named = _registrations(informers, handler)
        if not named:
            return self._no_such_handler(informers, handler)
        if all(each.effective_period_s <= 0 for each in named):
            return f"{handler} {_why_skipped(named[0])}: give it a period first"
        return ""

    def relist(self) -> Outcome:
        return self._tell_reflectors(
            lambda informer: informer.force_relist(),
            "relist of {}: the whole state is fetched anew, with requests to the server",
        )

    def rewatch(self) -> Outcome:
        return self._tell_reflectors(
            lambda informer: informer.rewatch(),
            "rewatch of {}: the watch is closed and opened again from the last version, no LIST",
        )

    def _tell_reflectors(self, order: Callable[[SharedIndexInformer], bool], words: str) -> Outcome:
        informers = self._informers()
        if not informers:
            return _NOT_YET
        told = [informer.name for informer in informers if order(informer)]
        if not told:
            return self.log(Outcome(False, self._why_not(informers[0].name), True))
        return self.log(Outcome(True, words.format(", ".join(told)), True), "REFLECT")

    def _why_not(self, name: str) -> str:
        """Why the reflector takes no order now."""
        recorder = self._observation.recorder
        with recorder.lock:
            state = recorder.informers.of(name)
            doing, until, stopped = state.state, state.backoff_until, state.stopped
        if stopped:
            return f"the informer of {name} has stopped: nothing to order"
        if until is not None:
            return f"the watch is backing off; try again in {max(1, round(until - self._observation.now()))}s"
        if doing in ("listing", "watch-listing"):
            return "a list is under way: try again when it is done"
        return "the watch is being opened: try again in a moment"

    # handlers --------------------------------------------------------------------------------------------

    def set_resync_period(self, period_s: float, handler: str | None) -> Outcome:
        informers = self._informers()
        if not informers:
            return _NOT_YET
        if period_s < 0:
            return Outcome(False, "a resync period cannot be negative; 0 turns the resync off")
        if handler is not None and not _registrations(informers, handler):
            return self.log(Outcome(False, self._no_such_handler(informers, handler)))
        got: dict[str, float] = {}
        check_s = 0.0
        for informer in informers:
            for registration in _registrations([informer], handler) if handler else [None]:
                change = informer.set_resync_period(period_s, registration)
                got.update({name: effective for name, _, effective in change.handlers})
                check_s = max(check_s, change.check_period_s)
        if not got:
            why = "no handler ever asked for resync: name one to give it a period"
            return self.log(Outcome(False, why, True))
        words = ", ".join(f"{name} {'every ' + duration(s) if s else 'never'}" for name, s in got.items())
        tick = f"; this restarts the check tick: {duration(check_s)} from now" if check_s else ""
        return self.log(Outcome(True, f"resync period: {words}{tick}", True), "RESYNC")

    def add_handler(self, spec: HandlerSpec) -> Outcome:
        informers = self._informers()
        if not informers:
            return _NOT_YET
        if _registrations(informers, spec.name):
            return self.log(Outcome(False, f"there is a handler {spec.name} already: choose another name"))
        observation = self._observation
        replayed = sum(map(_size, informers))
        try:
            for informer in informers:
                self._do(lambda informer=informer: observation.register_handler(informer, spec), informer)  # type: ignore[misc]
        except InformerError as error:
            return self.log(Outcome(False, clean(str(error))))
        observation.handlers.append(spec)
        words = f"{spec.name} added: {plural(replayed, 'object')} replayed from the cache; 0 requests"
        return self.log(Outcome(True, words), "HANDLER")

    def remove_handler(self, name: str) -> Outcome:
        informers = self._informers()
        if not informers:
            return _NOT_YET
        found = _registrations(informers, name)
        if not found:
            return self.log(Outcome(False, self._no_such_handler(informers, name)))
        dropped = sum(registration.backlog() for registration in found)
        for registration in found:
            registration.remove()
        observation = self._observation
        observation.handlers = [spec for spec in observation.handlers if spec.name != name]
        backlog = "nothing was waiting"
        if dropped:
            backlog = f"{plural(dropped, 'waiting notification')} dropped"
        return self.log(Outcome(True, f"{name} removed: {backlog}"), "HANDLER")

    def register_again(self, name: str, period_s: float) -> Outcome:
        """As `set_resync_period`, without the extension: client-go can only remove a handler and add it again."""
        observation = self._observation
        spec = next((spec for spec in observation.handlers if spec.name == name), None)
        if spec is None:
            return self.log(Outcome(False, self._no_such_handler(self._informers(), name)))
        if period_s < 0:
            return Outcome(False, "a resync period cannot be negative; 0 turns the resync off")
        removed = self.remove_handler(name)
        if not removed.ok:
            return removed
        added = self.add_handler(replace(spec, period_s=period_s))
        if not added.ok:
            return added
        got = [each.effective_period_s for each in _registrations(self._informers(), name)]
        effective = duration(got[0]) if got and got[0] > 0 else "never"
        asked = duration(period_s) if period_s else "never"
        words = f"{name} left and joined again: asked {asked}, gets {effective}, as client-go would give it"
        return self.log(Outcome(True, words), "HANDLER")

    def set_slow_limit(self, limit_s: float, handler: str | None) -> Outcome:
        informers = self._informers()
        if handler is not None and not _registrations(informers, handler):
            return self.log(Outcome(False, self._no_such_handler(informers, handler)))
        if limit_s <= 0:
            return Outcome(False, "a slow limit is a time above 0, such as 100ms")
        observation = self._observation
        observation.recorder.set_slow_limit(limit_s, handler)
        observation.handlers = [
            replace(spec, slow_limit_s=limit_s) if handler in (None, spec.name) else spec
            for spec in observation.handlers
        ]
        return self.log(Outcome(True, f"{handler or 'every handler'}: slow from {duration(limit_s)} on"), "HANDLER")

    def reset_figures(self, which: str) -> Outcome:
        recorder = self._observation.recorder
        if which == "latency":
            recorder.reset_latency()
            return self.log(Outcome(True, "the handlers' latencies are counted anew"), "HANDLER")
        if which == "peak":
            recorder.reset_peak()
            return self.log(Outcome(True, "the queue's peak is counted anew"), "QUEUE")
        return Outcome(False, f"there are no figures {clean(which)}: choose latency or peak")

    def _no_such_handler(self, informers: list[SharedIndexInformer], name: str) -> str:
        names = dict.fromkeys(each.name for informer in informers for each in informer.registrations())
        return f"there is no handler {clean(name)}; handlers: {', '.join(names) or 'none'}"

    # queue -----------------------------------------------------------------------------------------------

    def set_queue(self, engine: str) -> Outcome:
        if engine not in ENGINES:
            return Outcome(False, f"there is no queue {clean(engine)}; queues: {', '.join(ENGINES)}")
        observation = self._observation
        if observation.client is None:
            return _NOT_YET
        title, client_go = ENGINES[engine]
        if observation.session.intended().queue == engine:
            return Outcome(False, f"the queue is {title} already")
        return observation.session.change(f"{title} ({client_go}): informers restarted", {"queue": engine})


def _registrations(informers: list[SharedIndexInformer], name: str) -> list[HandlerRegistration]:
    return [each for informer in informers for each in informer.registrations() if each.name == name]


def _size(informer: SharedIndexInformer) -> int:
    return len(informer.indexer.list_keys())


def _why_skipped(registration: HandlerRegistration) -> str:
    if registration.requested_period_s > 0:
        return "skipped: this informer does no resync"
    return "skipped: it asked for no resync"


def _replay_sentence(
    informer: SharedIndexInformer, reached: list[str], skipped: list[HandlerRegistration], named: bool
) -> str:
    prefix = f"{informer.name}: " if named else ""
    parts = []
    if reached:
        verb = "replays" if len(reached) == 1 else "replay"
        parts.append(f"{', '.join(reached)} {verb} {plural(_size(informer), 'object')}")
    else:
        parts.append("nothing is replayed")
    parts += [f"{each.name} {_why_skipped(each)}" for each in skipped]
    return prefix + "; ".join(parts)
