"""Advice: what is wrong with an informer or a handler, with the figures that say so and what to do.

Contract: pure functions of a `Snapshot`; `advise` takes some 100 µs. A rule speaks only when its figures are
there; it has a short id that stays the same in every version. `Limits` are the figures from which a rule speaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from kdash.probe.snapshot import AdviceView, HandlerView, InformerView, ResyncHand, Snapshot
from kdash.probe.text import duration, plural

__all__ = ["Limits", "advise"]

PROBLEM, HINT = "problem", "hint"

_WORK_QUEUE = "put the key into a work queue and return; do the work with several workers"
_CATCH = "catch the exception in the handler, put the key into a work queue and try again from there"


@dataclass(frozen=True, slots=True)
class Limits:
    """From which figures the rules speak."""

    pending: int = 20
    """Waiting notifications."""
    growing_s: int = 5
    """Seconds over which they grow without a break."""
    busy: float = 0.5
    """Share of its time that a slow handler spends in calls."""
    late_s: float = 1.0
    """From an event's arrival to a slow handler's return, for one in a hundred of the last minute."""
    relists: int = 3
    """Relists within `relist_window_s`."""
    relist_window_s: float = 600.0
    cut_watches: int = 3
    """Watches that ended well before their time-out, at about the same age."""
    no_bookmark_s: float = 130.0
    """Age of a watch without a bookmark; a server sends one a minute."""
    backlog_bytes: int = 64 << 20
    drift: float = 3.0
    """The median of the last minute's calls over that of the first minute's, with so many calls in both."""
    drift_calls: int = 20
    drift_s: float = 0.001
    """By so much longer at least."""
    memory: float = 1.2
    """Resident memory over that of the second minute, and by so many bytes more."""
    memory_bytes: int = 20_000_000
    errors_s: float = 60.0
    """Age of an exception that still counts."""


def advise(picture: Snapshot, limits: Limits | None = None) -> tuple[AdviceView, ...]:
    """What is wrong, problems first."""
    limits = limits or Limits()
    found = [advice for rule in _RULES for advice in rule(picture, limits)]
    return tuple(sorted(found, key=lambda advice: advice.severity != PROBLEM))


def _who(handler: HandlerView) -> str:
    return f"handler {handler.name} of {handler.informer}"


def hangs(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """A call does not return."""
    for handler in picture.handlers:
        running = handler.running
        if not handler.hung_s or running is None or handler.by_design:
            continue
        own = [frame for frame in running.stack if frame.own] or list(running.stack)
        at = f", at {own[-1].file}:{own[-1].line} in {own[-1].function}: {own[-1].text}" if own else ""
        does = f"; {running.doing}" if running.doing else ""
        yield AdviceView(
            "hangs", PROBLEM, _who(handler), "a call of the handler does not return",
            f"{running.callback} {running.key} has run for {duration(handler.hung_s)}{at}{does}; "
            f"{plural(handler.pending, 'notification')} wait behind it",
            "give what it waits for a time limit, or end its loop; until it returns the handler gets nothing else",
        )


def gets_slower(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """Calls take longer in the last minute than in the first."""
    objects = {informer.name: informer.objects for informer in picture.informers}
    for handler in picture.handlers:
        for callback in handler.callbacks:
            first, last = callback.run_first, callback.run_minute
            if min(first.count, last.count) < limits.drift_calls or last.p50_s - first.p50_s < limits.drift_s:
                continue
            if last.p50_s < limits.drift * first.p50_s:
                continue
            before, now = callback.objects_first, objects.get(handler.informer, 0)
            grew = before > 0 and now >= 1.5 * before
            yield AdviceView(
                "gets-slower", PROBLEM, _who(handler), f"{callback.callback} gets slower with time",
                f"{duration(first.p50_s)} (p50) in its first minute, {duration(last.p50_s)} in the last; the cache "
                f"held {plural(before, 'object')} then and holds {now} now",
                ("its time grows with the cache: look objects up by key or index instead of walking through all"
                 if grew else "the cache has not grown like that: look for what the handler keeps and walks through, "
                 f"such as a list that is never emptied.{_where(handler)}"),
            )  # fmt: skip


def memory_grows(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """The process needs more and more memory."""
    memory = picture.memory
    if memory is None or not memory.steady or memory.resident - memory.before < limits.memory_bytes:
        return
    if memory.resident < limits.memory * memory.before:
        return
    waiting = sum(handler.pending for handler in picture.handlers)
    per_minute = (memory.resident - memory.before) / memory.since_s * 60
    grew = memory.objects > memory.objects_before * 1.1
    yield AdviceView(
        "memory-grows", PROBLEM, "this process", "its memory grows all the time",
        f"{memory.before / 1e6:.0f} MB {duration(memory.since_s)} ago, {memory.resident / 1e6:.0f} MB now "
        f"({per_minute / 1e6:+.1f} MB a minute); objects in the caches {memory.objects_before} then, {memory.objects} "
        f"now; {plural(waiting, 'notification')} wait",
        "the caches hold more objects: that takes memory" if grew
        else "a backlog keeps objects alive: let its handler catch up" if waiting >= limits.pending
        else "the caches have not grown: look for what handlers keep of the objects they are given",
    )


def never_drains(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """More comes in than the handler can do."""
    for handler in picture.handlers:
        if not _never_drains(handler, picture, limits):
            continue
        figures = (
            f"{handler.arrival_rate:.1f}/s come in, {handler.service_rate:.1f}/s are done (mean call "
            f"{duration(handler.mean_s)}); {plural(handler.pending, 'notification')} wait, "
            f"{handler.growth_per_s:+.1f}/s"
        )
        yield AdviceView(
            "never-drains", PROBLEM, _who(handler), "the handler does not keep up: its backlog grows", figures,
            "stop its exceptions first: it is not busy, it pauses after each"
            if _raises(handler, picture, limits) and handler.busy < limits.busy
            else _relief(handler),
        )


def slow_calls(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """It keeps up, but each slow call delays all that waits behind it."""
    for handler in picture.handlers:
        if not handler.slow or handler.hung_s or picture.gate.held or _never_drains(handler, picture, limits):
            continue
        whole = handler.end_to_end_minute
        if handler.busy < limits.busy and whole.p99_s < limits.late_s:
            continue
        yield AdviceView(
            "slow-calls", HINT, _who(handler), "slow calls delay every notification behind them",
            f"calls take {duration(handler.p50_s)} (p50) to {duration(handler.p99_s)} (p99), the limit is "
            f"{duration(handler.slow_limit_s)}; busy {handler.busy:.0%}; in the last minute {duration(whole.p50_s)} "
            f"(p50) to {duration(whole.p99_s)} (p99) from an event's arrival to the handler's return",
            _relief(handler),
        )


def _never_drains(handler: HandlerView, picture: Snapshot, limits: Limits) -> bool:
    if handler.hung_s or (handler.trend.word not in ("early", "grows")):  # pane 5 says so too
        return False
    return handler.pending >= limits.pending and not picture.gate.held and _grows(handler, limits.growing_s)


def _grows(handler: HandlerView, seconds: int) -> bool:
    """Whether more waits at the end of each of the last seconds than before, by and large."""
    history = [*handler.pending_history[-seconds:], handler.pending]
    if len(history) <= seconds or handler.growth_per_s <= 0:
        return False
    rises = sum(later >= earlier for earlier, later in pairwise(history))
    return history[-1] > history[0] and rises >= 0.8 * seconds


def _relief(handler: HandlerView) -> str:
    if handler.by_design:
        return f"nothing is wrong with it: it {handler.code}; give --handler to run others in its place"
    return f"{_WORK_QUEUE}.{_where(handler)}"


def _where(handler: HandlerView) -> str:
    if not handler.hot_lines:
        return ""
    line = handler.hot_lines[0]
    place = f"{line.frame.file}:{line.frame.line} ({line.share:.0%} of {line.samples} samples)"
    return f" Most of the time of slow calls goes into {place}."


def resync_longer_than_period(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """A wave of the resync is not done when the next one comes."""
    objects = {informer.name: informer.objects for informer in picture.informers}
    hands = {(hand.informer, hand.handler): hand for hand in picture.resync.hands}
    for handler in picture.handlers:
        hand = hands.get((handler.informer, handler.name))
        count = objects.get(handler.informer, 0)
        wave_s = count * handler.mean_s
        period_s = _rounded(hand) if hand is not None else 0.0
        if period_s <= 0 or wave_s <= period_s:
            continue
        yield AdviceView(
            "resync-too-long", PROBLEM, _who(handler), "a resync wave takes longer than the resync period",
            f"{plural(count, 'object')} × {duration(handler.mean_s)} = {duration(wave_s)} > {duration(period_s)}",
            "return at once for updates whose old and new version are equal, or ask for a period over "
            f"{duration(wave_s)}",
        )  # fmt: skip


def period_changed(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """The resync period is not what was asked for."""
    for hand in picture.resync.hands:
        subject = f"handler {hand.handler} of {hand.informer}"
        if hand.asked_s <= 0:
            continue
        if hand.effective_s <= 0:
            yield AdviceView(
                "resync-ignored", HINT, subject, "resync was asked for on an informer that does none",
                f"asked {duration(hand.asked_s)}, gets none: the informer has no check period",
                "give the informer (or its factory) a resync period before it starts, or ask for 0",
            )  # fmt: skip
        elif hand.effective_s != hand.asked_s:
            yield AdviceView(
                "period-clamped", HINT, subject, "the resync period was raised",
                f"asked {duration(hand.asked_s)}, gets {duration(hand.effective_s)} (check period "
                f"{duration(hand.check_s)})",
                "register the handler before the informer starts, or give the informer a shorter period",
            )  # fmt: skip
        elif _rounded(hand) > hand.effective_s * 1.001:
            yield AdviceView(
                "period-rounded", HINT, subject, "the resync period is rounded up to the informer's tick",
                f"asked {duration(hand.asked_s)}, but ticks come every {duration(hand.check_s)}: fires every "
                f"{duration(_rounded(hand))}",
                "ask for a multiple of the check period, or give the informer a period that divides yours",
            )  # fmt: skip


def _rounded(hand: ResyncHand) -> float:
    if hand.check_s <= 0:
        return hand.effective_s
    return math.ceil(hand.effective_s / hand.check_s - 1e-6) * hand.check_s


def raises(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """Each exception skips a notification, and the next one comes a second later."""
    for handler in picture.handlers:
        told_elsewhere = handler.initial_errors + handler.tombstone_errors
        if _raises(handler, picture, limits) and handler.errors > told_elsewhere:
            yield AdviceView(
                "handler-raises", PROBLEM, _who(handler), "the handler raises exceptions",
                f"{plural(handler.errors, 'exception')}; each skipped its notification, and the next one came a "
                f"second later; last: {handler.last_error}",
                _CATCH,
            )  # fmt: skip


def _raises(handler: HandlerView, picture: Snapshot, limits: Limits) -> bool:
    return handler.last_error_at is not None and picture.mono - handler.last_error_at < limits.errors_s


def never_syncs(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """An initial add raised: the handler never counts as synced."""
    for handler in picture.handlers:
        if handler.initial_errors and not handler.synced:
            yield AdviceView(
                "never-synced", PROBLEM, _who(handler), "the handler raised in initial adds: it never counts as synced",
                f"{plural(handler.initial_errors, 'initial add')} raised; last: {handler.last_error}",
                _CATCH,
            )  # fmt: skip


def tombstones(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """The handler takes a tombstone for an object."""
    for handler in picture.handlers:
        if handler.tombstone_errors:
            yield AdviceView(
                "tombstone", PROBLEM, _who(handler), "the handler takes tombstones for objects",
                f"{plural(handler.tombstone_errors, 'deletion')} that a relist inferred raised; last: "
                f"{handler.last_error}",
                "in on_delete expect a DeletedFinalStateUnknown: use its key, its obj is the last state known",
            )  # fmt: skip


def lost_versions(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """The transform strips the resource version."""
    for informer in picture.informers:
        if informer.lost_versions:
            yield AdviceView(
                "transform-strips-version", PROBLEM, informer.name, "the transform takes away resource versions",
                f"{plural(informer.lost_versions, 'object')} came out of it without one: every update counts as a sync",
                "leave metadata.resourceVersion alone: handlers without resync miss real updates otherwise",
            )  # fmt: skip


def relist_loop(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """The state is fetched anew again and again."""
    for informer in picture.informers:
        recent = [at for at in informer.relists_at if at >= picture.mono - limits.relist_window_s]
        if len(recent) < limits.relists:
            continue
        yield AdviceView(
            "relist-loop", PROBLEM, informer.name, "the state is fetched anew again and again",
            f"{len(recent)} relists in {duration(max(1.0, picture.mono - recent[0]))}, "
            f"{informer.last_list_items} objects each; last reason: {informer.last_relist_reason or 'unknown'}",
            _against_relists(informer),
        )  # fmt: skip


def _against_relists(informer: InformerView) -> str:
    if "410" in informer.last_relist_reason or "xpired" in informer.last_relist_reason:
        return "versions expire before they are used: do bookmarks arrive, is etcd compacted too often?"
    return "look at the event log's lines before each relist: broken streams and server restarts do this"


def cut_watches(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """Something in between ends watches before their time-out."""
    for informer in picture.informers:
        lifetimes = [lifetime for lifetime, asked in informer.watch_ends if lifetime < 0.8 * asked]
        if len(lifetimes) < limits.cut_watches or len(lifetimes) <= len(informer.watch_ends) / 2:
            continue
        middle = median(lifetimes)
        close = [lifetime for lifetime in lifetimes if abs(lifetime - middle) <= max(0.1 * middle, 0.05)]
        if len(close) < limits.cut_watches:
            continue
        asked = min(asked for _, asked in informer.watch_ends)
        yield AdviceView(
            "watch-cut", PROBLEM, informer.name, "something between kdash and the server ends watches early",
            f"{len(close)} of {len(informer.watch_ends)} watches ended after about {duration(middle)}; asked for were "
            f"{duration(asked)} and more",
            f"look for an idle or request time-out of {duration(middle)} in load balancers and proxies on the way",
        )  # fmt: skip


def no_bookmarks(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """A watch has been open for long and brought no bookmark."""
    for informer in picture.informers:
        if informer.watching_since is None or informer.open_bookmarks:
            continue
        age_s = picture.mono - informer.watching_since
        if age_s > limits.no_bookmark_s:
            yield AdviceView(
                "no-bookmarks", HINT, informer.name, "no bookmark arrives",
                f"the watch is open for {duration(age_s)} without one; a server sends one about every minute",
                "look for a proxy that filters or buffers the stream; without bookmarks a quiet watch ends in a relist",
            )  # fmt: skip


def backlog_memory(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """Handlers' buffers hold much memory."""
    sizes = {informer.name: informer.mean_size for informer in picture.informers}
    for handler in picture.handlers:
        held = handler.pending * sizes.get(handler.informer, 0)
        if held >= limits.backlog_bytes and handler.pending:
            yield AdviceView(
                "backlog-memory", PROBLEM, _who(handler), "the handler's backlog holds much memory",
                f"{plural(handler.pending, 'notification')} × {sizes[handler.informer]} B, up to {held / 1e6:.1f} MB; "
                "nothing bounds it",
                "keep keys, not objects: put the key into a work queue and read the cache when it is its turn",
            )  # fmt: skip


def matches_nothing(picture: Snapshot, limits: Limits) -> Iterator[AdviceView]:
    """A selector lets nothing through."""
    for informer in picture.informers:
        selects = bool(informer.label_selector or informer.field_selector)
        if informer.synced and not informer.objects and selects:
            yield AdviceView(
                "selector-matches-nothing", HINT, informer.name, "the selector matches nothing",
                f"synced, 0 objects with {informer.scope}",
                "compare it with the labels that kubectl get --show-labels prints; check the namespace too",
            )  # fmt: skip


_RULES: tuple[Callable[[Snapshot, Limits], Iterator[AdviceView]], ...] = (
    hangs, gets_slower, memory_grows, never_drains, slow_calls, raises, resync_longer_than_period, never_syncs,
    tombstones, lost_versions, relist_loop, cut_watches, backlog_memory, no_bookmarks, period_changed, matches_nothing,
)  # fmt: skip
