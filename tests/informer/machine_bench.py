"""The reflector's machine on the bench: driven by hand, its answers checked and kept."""

from __future__ import annotations

import random
from typing import Any

from kdash.informer import reflector_effects as fx
from kdash.informer import reflector_states as at
from kdash.informer.errors import (
    ApiStatusError,
)
from kdash.informer.event_filter import EventFilter
from kdash.informer.list_watch import WatchEvent
from kdash.informer.reflector_machine import ReflectorMachine
from kdash.informer.reflector_requests import RequestRules
from kdash.informer.tap import FIELDS
from tests.informer.fake_source import API_VERSION, KIND
from tests.informer.reflector_doubles import page


class Bench:
    """A machine with its time; `give` checks what holds for every answer."""

    def __init__(self, *, watch_list: bool = False, page_size: int = 0, **settings: Any) -> None:
        self.now = 1000.0
        settings.setdefault("event_filter", EventFilter(API_VERSION, KIND))
        self.machine = ReflectorMachine(
            name="test", now=self.now, rng=random.Random(3), rules=RequestRules(page_size),
            use_watch_list=watch_list, **settings,
        )  # fmt: skip
        self.effects: list[fx.Effect] = []
        self.told: list[dict[str, Any]] = []

    def give(self, given: fx.Input, after_s: float = 0.0) -> fx.Effect:
        self.now += after_s
        self.effects = self.machine.handle(self.now, given)
        requests = [effect for effect in self.effects if isinstance(effect, fx.REQUESTS)]
        assert len(requests) == 1, "an answer has exactly one request"
        assert self.effects[-1] is requests[0], "and that is its last effect"
        for effect in self.effects:
            if isinstance(effect, fx.Tell):
                self.told.append(
                    {"kind": effect.kind, **dict(zip(FIELDS[effect.kind], effect.fields, strict=True))}
                )
        return requests[0]

    def of(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def last_told(self, kind: str) -> dict[str, Any]:
        return [told for told in self.told if told["kind"] == kind][-1]

    @property
    def version(self) -> str:
        return self.machine.version.last

    # ways into the states ------------------------------------------------------------------------------

    def to_watching(self, version: int | str = 100) -> Bench:
        self.give(fx.Start())
        self.give(fx.PageArrived(page(version, "a")))
        self.give(fx.Replaced())
        self.give(fx.WatchOpened())
        assert isinstance(self.machine.state, at.Watching)
        return self

    def to_watch_listing(self) -> Bench:
        self.give(fx.Start())
        self.give(fx.WatchOpened())
        assert isinstance(self.machine.state, at.WatchListing)
        return self


def error_arrived(error: ApiStatusError) -> fx.EventsArrived:
    return fx.EventsArrived([WatchEvent("ERROR", None, error)])


def arrived(*events: WatchEvent) -> fx.EventsArrived:
    return fx.EventsArrived(events)


def after(bench: Bench, *inputs: fx.Input) -> Bench:
    for given in inputs:
        bench.give(given)
    return bench
