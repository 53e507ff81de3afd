"""The handlers an observation registers: one that only counts, one that takes its time, the user's own.

Contract: the core calls a handler from one thread of its own; what it did is told by the tap, so a handler
keeps nothing. `SleepingHandler` wakes at once when the observation stops. The user's code is in `user_code`.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kdash.informer.handlers import ResourceEventHandlerFuncs
from kdash.observe.parse import BadValue, parse_duration
from kdash.observe.user_code import UserCode, is_target, load
from kdash.probe.handlers import BY_DESIGN, SLEEPS
from kdash.probe.text import duration

__all__ = [
    "CountingHandler",
    "HandlerSpec",
    "SleepingHandler",
    "default_handlers",
    "make_handler",
    "parse_handler",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_WRITE = "write NAME, NAME=sleep:300ms, NAME=sleep:300ms±100ms or NAME=package.module:callable"


@dataclass(frozen=True, slots=True)
class HandlerSpec:
    """A handler to register. `period_s` None: the observation's resync period; 0: no resync."""

    name: str
    delay_s: float = 0.0
    jitter_s: float = 0.0
    period_s: float | None = None
    code: str = ""
    """`package.module:callable` of the user's own handler."""
    slow_limit_s: float | None = None
    """From which run time its calls count as slow; None: the observation's limit."""
    catch_up_at: int = 0
    """A sleeping handler does not sleep from so many waiting notifications on, until none waits; 0: it always does."""

    @property
    def design(self) -> str:
        """What its code is, in words: the user's target, or how long kdash's own sleeps; "" for one that counts."""
        if self.code or self.delay_s <= 0:
            return self.code
        low, high = duration(self.delay_s - self.jitter_s), duration(self.delay_s + self.jitter_s)
        return f"{SLEEPS}{high}{BY_DESIGN}" if low == high else f"{SLEEPS}{low} to {high}{BY_DESIGN}"

    def load(self) -> UserCode | None:
        """Its code, loaded; None for a handler of kdash's. Raises `BadValue`; runs the user's code."""
        if not self.code:
            return None
        try:
            return load(self.code)
        except BadValue as error:
            raise BadValue(f"handler {self.name}: {error}") from None


def default_handlers(*, demo: bool = False) -> tuple[HandlerSpec, ...]:
    """`audit` counts and resyncs; in the demo there is also `slow`, so that a backlog can be seen growing.

    `slow` sleeps 100 to 340 ms a call by design, which is too long for the demo's rate, and asks for no resync. What
    waits for a handler is memory without a bound: once 400 notifications wait it catches up.
    """
    slow = HandlerSpec("slow", 0.22, 0.12, 0.0, catch_up_at=400)
    return (HandlerSpec("audit"), slow) if demo else (HandlerSpec("audit"),)


def parse_handler(text: str) -> HandlerSpec:
    """`audit`, `audit=sleep:300ms`, `audit=sleep:300ms±100ms` (or `+-100ms`), `mine=package.module:callable`.

    Each may be followed by `,resync=30s` and `,slow=100ms`. Loads no code. Raises `BadValue`.
    """
    text, *settings = text.split(",")
    spec = _parse_work(text)
    for setting in settings:
        spec = _with_setting(spec, setting)
    return spec


def _with_setting(spec: HandlerSpec, setting: str) -> HandlerSpec:
    key, _, value = setting.partition("=")
    key = key.strip()
    if key not in ("resync", "slow"):
        raise BadValue(f'handler {spec.name}: "{setting.strip()}" is no setting; write resync=30s or slow=100ms')
    try:
        seconds = parse_duration(value)
    except BadValue as error:
        raise BadValue(f"handler {spec.name}: {key}: {error}") from None
    return replace(spec, period_s=seconds) if key == "resync" else replace(spec, slow_limit_s=seconds)


def _parse_work(text: str) -> HandlerSpec:
    name, equals, work = text.partition("=")
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise BadValue(f'"{name}" is no handler name (letters, digits, . _ -, at most 40); {_WRITE}')
    if not equals:
        return HandlerSpec(name)
    kind, colon, value = work.partition(":")
    if kind.strip() != "sleep" and is_target(work.strip()):
        return HandlerSpec(name, code=work.strip())
    if kind.strip() != "sleep" or not colon:
        raise BadValue(f'handler {name}: "{work}" is no work; {_WRITE}')
    delay, _, jitter = value.replace("+-", "±").partition("±")
    try:
        delay_s = parse_duration(delay)
        jitter_s = parse_duration(jitter) if jitter else 0.0
    except BadValue as error:
        raise BadValue(f"handler {name}: {error}") from None
    if jitter_s > delay_s:
        raise BadValue(f"handler {name}: the variation {jitter} is greater than the delay {delay}")
    return HandlerSpec(name, delay_s, jitter_s)


def make_handler(
    spec: HandlerSpec, stopping: threading.Event, seed: int | None = None
) -> CountingHandler | ResourceEventHandlerFuncs:
    """The handler that `spec` describes. Raises `BadValue` when the user's code does not make one."""
    code = spec.load()
    if code is not None:
        return code.make()
    if spec.delay_s <= 0:
        return CountingHandler()
    return SleepingHandler(spec.delay_s, spec.jitter_s, stopping, random.Random(seed), spec.catch_up_at)


class CountingHandler:
    """Does nothing: the tap counts."""

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        return None

    def on_update(self, old: Any, new: Any) -> None:
        return None

    def on_delete(self, obj: Any) -> None:
        return None


class SleepingHandler(CountingHandler):
    """Takes `delay_s` ± `jitter_s` a call, as a handler that talks to somebody would; see `HandlerSpec.catch_up_at`."""

    def __init__(
        self, delay_s: float, jitter_s: float, stopping: threading.Event, rng: random.Random, catch_up_at: int = 0
    ) -> None:
        self._delay_s = delay_s
        self._jitter_s = jitter_s
        self._stopping = stopping
        self._rng = rng
        self._catch_up_at = catch_up_at
        self._catching_up = False
        self.backlog: Callable[[], int] = int
        """How many notifications wait for it, with the one that it is called for; its registration knows."""

    def _work(self) -> None:
        if self._catch_up_at:
            self._catching_up = self.backlog() >= (2 if self._catching_up else self._catch_up_at)
            if self._catching_up:
                return
        self._stopping.wait(self._delay_s + self._rng.uniform(-self._jitter_s, self._jitter_s))

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self._work()

    def on_update(self, old: Any, new: Any) -> None:
        self._work()

    def on_delete(self, obj: Any) -> None:
        self._work()
