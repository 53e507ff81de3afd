"""When a silent watch is opened a second time: the policy in virtual time, against scripted servers."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from kdash.informer.watch_silence import Phase, SilenceRules, Step, WatchSilence, silence_rules

MINUTES_30 = 1800.0
SEEDS = range(20)


class World:
    """A watch on a virtual clock. `byte`, `bookmark`, `hold` and `release` happen at given moments; a second
    watch is answered as `second` says: seconds until its headers (None: it cannot be opened), and seconds after
    them until its first event (None: it brings nothing)."""

    def __init__(
        self, seed: int, *, second: Callable[[float], tuple[float | None, float | None]] = lambda _: (0.05, None)
    ) -> None:
        self.now = 0.0
        self.policy = WatchSilence(SilenceRules(), random.Random(seed))
        self.since: float | None = 0.0
        self.second = second
        self.opened: list[float] = []
        self.replaced: list[float] = []
        self._next_look = 0.0
        self._headers_at: float | None = None
        self._event_at: float | None = None

    def happens(self, what: str) -> None:
        if what == "hold":
            self.since = None
            return
        if self.since is not None or what == "release":
            self.since = self.now
            if what == "bookmark":
                self.policy.bookmark(self.now)

    def run(self, until: float, script: list[tuple[float, str]]) -> World:
        waiting = sorted((at, what) for at, what in script if at > self.now)
        while self.now < until:
            self.now = round(self.now + 0.25, 2)
            while waiting and waiting[0][0] <= self.now:
                self.happens(waiting.pop(0)[1])
            self._look()
        return self

    def _look(self) -> None:
        policy = self.policy
        if policy.phase is Phase.OPENING:
            if self._headers_at is not None and self.now >= self._headers_at:
                self._do(policy.opened(self.now, self.since))
            elif self.now - self.opened[-1] >= policy.rules.open_within_s:
                policy.open_failed(self.now)
            return
        if policy.phase is Phase.READING and self.now < self._next_look:
            return  # as the driver: every five seconds, and when something is due
        if policy.phase is Phase.PROVING and self._event_at is not None and self.now >= self._event_at:
            policy.brought(self.now)
        self._do(policy.look(self.now, self.since))
        self._next_look = min(policy.due_at(self.now, self.since), self.now + 5.0)

    def _do(self, step: Step) -> None:
        if step is Step.OPEN:
            self.opened.append(self.now)
            headers_s, event_s = self.second(self.now)
            self._headers_at = None if headers_s is None else self.now + headers_s
            self._event_at = None if headers_s is None or event_s is None else self.now + headers_s + event_s
        elif step is Step.REPLACE:
            self.replaced.append(self.now)
            self.since = self.now
            self.policy.replaced(self.now)

    def most_in_a_minute(self) -> int:
        return max((sum(at <= each < at + 60 for each in self.opened) for at in self.opened), default=0)


def bookmarks(
    until: float, *, first: float = 30.0, gaps: tuple[float, ...] = (60.0, 62.5, 61.0)
) -> list[tuple[float, str]]:
    out, at, turn = [], first, 0
    while at < until:
        out.append((at, "bookmark"))
        at, turn = at + gaps[turn % len(gaps)], turn + 1
    return out


def every(period: float, until: float, what: str = "byte") -> list[tuple[float, str]]:
    return [(n * period, what) for n in range(1, int(until / period))]


HEALTHY: dict[str, list[tuple[float, str]]] = {
    "idle, with bookmarks": bookmarks(MINUTES_30),
    "idle, without bookmarks": [],
    "filtered: an event in five minutes": every(300.0, MINUTES_30),
    "a byte a second": every(1.0, MINUTES_30),
    "busy, then quiet": every(0.5, 600.0),
    "held for ten minutes, bookmarks before": [
        *bookmarks(250.0), (250.0, "hold"), (850.0, "release"), *bookmarks(MINUTES_30, first=860.0)],
    "held and released each minute": [
        (at, "hold" if n % 2 else "release") for n, (at, _) in enumerate(every(60.0, MINUTES_30), 1)],
    "bookmarks that stop after a restart of the server": bookmarks(400.0),
}  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_stream_is_not_reopened_in_thirty_minutes(name: str, seed: int) -> None:
    world = World(seed).run(MINUTES_30, HEALTHY[name])
    # where bookmarks were the rule and stop, the connection looks dead: once, then they are the rule no more
    assert len(world.replaced) <= name.startswith("bookmarks that stop")
    assert world.most_in_a_minute() <= 2
    if name in ("idle, with bookmarks", "a byte a second", "held and released each minute"):
        assert not world.opened


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dead_connection_to_a_bookmarking_server_is_replaced_within_ninety_seconds(seed: int) -> None:
    died_at = 630.0 + seed * 3
    world = World(seed, second=lambda _: (2.0, None)).run(900.0, bookmarks(died_at))
    assert world.replaced[0] - died_at <= 90
    assert world.most_in_a_minute() <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dead_connection_of_a_busy_collection_is_replaced_within_ninety_seconds(seed: int) -> None:
    world = World(seed, second=lambda _: (2.0, 0.1)).run(800.0, every(0.5, 600.0))
    assert world.replaced[0] - 600.0 <= 90
    assert len(world.replaced) == len(world.opened)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("second", [(None, None), (0.1, None), (9.0, None)], ids=["refused", "silent", "slow"])
def test_an_outage_costs_at_most_two_requests_a_minute(seed: int, second: tuple[float | None, float | None]) -> None:
    world = World(seed, second=lambda _: second).run(MINUTES_30, bookmarks(300.0))
    assert world.opened
    assert world.most_in_a_minute() <= 2


def test_without_proof_the_wait_doubles_up_to_ten_minutes_and_a_byte_makes_it_short_again() -> None:
    world = World(1).run(7200.0, [])
    waits = [b - a for a, b in zip(world.opened, world.opened[1:], strict=False)]
    assert [round(wait / 75) for wait in waits[:3]] == [2, 4, 8]
    assert all(565 <= wait <= 645 for wait in waits[4:])
    world.happens("byte")
    woken_at = world.now
    world.run(woken_at + 100, [])
    assert 70 <= world.opened[-1] - woken_at <= 80


@pytest.mark.parametrize("seed", SEEDS)
def test_a_collection_that_was_quiet_for_an_hour_and_then_busy_recovers_within_ninety_seconds(seed: int) -> None:
    busy = [(at, "byte") for at, _ in every(0.5, 4000.0) if at > 3600.0]
    world = World(seed, second=lambda now: (2.0, 0.1 if now > 4000 else None)).run(4200.0, busy)
    assert len(world.replaced) >= 1
    assert world.replaced[0] - 4000.0 <= 90


def test_a_regular_new_watch_is_no_byte_that_makes_the_wait_short() -> None:
    world = World(1).run(1200.0, [])
    waits = world.policy.wait_s
    world.policy.new_stream()
    world.since = world.now
    world.run(world.now + 6, [])
    assert waits >= 565
    assert world.policy.wait_s == waits


def test_an_event_that_the_old_watch_brings_too_is_no_proof() -> None:
    world = World(1, second=lambda _: (0.1, 0.2))
    world.run(70.0, [])
    while not world.opened:
        world.run(world.now + 0.25, [])
    world.run(200.0, [(world.now + 1.0, "byte")])
    assert world.opened[0] < 80
    assert not [at for at in world.replaced if at < world.opened[0] + 10]


def test_an_error_on_the_second_watch_is_no_proof() -> None:
    policy = WatchSilence(SilenceRules(jitter=0), random.Random(1))
    assert policy.look(0.0, 0.0) is Step.WAIT
    assert policy.look(75.0, 0.0) is Step.OPEN
    assert policy.opened(75.1, 0.0) is Step.WAIT
    policy.ended(75.2)
    assert policy.look(75.2, 0.0) is Step.CLOSE
    assert policy.wait_s == 150


def test_silence_while_the_process_stood_still_is_void() -> None:
    policy = WatchSilence(SilenceRules(jitter=0), random.Random(1))
    assert policy.look(0.0, 0.0) is Step.WAIT
    assert policy.look(600.0, 0.0) is Step.WAIT, "suspended for ten minutes: what came meanwhile is not read yet"
    assert policy.look(674.0, 0.0) is Step.WAIT
    assert policy.look(675.0, 0.0) is Step.OPEN


def test_two_gaps_in_a_row_make_a_bookmarking_server_and_one_does_not() -> None:
    policy = WatchSilence(SilenceRules(), random.Random(1))
    for at in (0.0, 60.0):
        policy.bookmark(at)
    policy.new_stream()
    for at in (100.0, 160.0):
        policy.bookmark(at)
    assert not policy.is_bookmarking
    policy.bookmark(222.5)
    assert policy.is_bookmarking
    assert policy.wait_s == pytest.approx(1.25 * 62.5, rel=0.06)


def test_zero_turns_it_off() -> None:
    assert silence_rules(0.0) is None
    with pytest.raises(ValueError, match="must not be negative"):
        silence_rules(-1.0)
