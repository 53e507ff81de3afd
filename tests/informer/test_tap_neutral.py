"""X10: with and without a tap the core does the same; and what it tells has the declared fields."""

from __future__ import annotations

from typing import Any

import pytest

from kdash.informer.clock import VirtualClock
from kdash.informer.tap import FIELDS, RingTap
from tests.informer.informer_rig import ENGINES, Recorder, Rig, settle_armed


def history(engine: str, tap: RingTap | None) -> tuple[list[Any], list[Any], list[str]]:
    """One busy life: list, changes, a tick, a forced relist, a late handler, a removal."""
    clock = VirtualClock()
    it = Rig(engine, clock=clock, resync_period_s=5.0, tap=tap)
    for name in ("a", "b", "c"):
        it.source.add(name)
    early, late = Recorder(), Recorder()
    registration = it.informer.add_event_handler(handler=early, name="early")
    it.informer.add_event_handler(on_add=lambda obj: 1 / 0, name="failing")
    it.start()
    it.source.modify("a")
    it.source.delete("b")
    early.wait(5)
    settle_armed(it.informer.reflector, clock)
    clock.advance(5)
    early.wait(7)
    it.source.delete("c", drop=True)
    it.informer.force_relist(direct=True)
    early.wait(9)
    it.informer.add_event_handler(handler=late, name="late")
    late.wait(1)
    registration.remove()
    it.source.add("d")
    late.wait(2)
    it.stop()
    return early.details, late.details, it.keys()


@pytest.mark.parametrize("engine", ENGINES)
def test_x10_callbacks_are_the_same_with_and_without_a_tap(engine: str) -> None:
    assert history(engine, RingTap()) == history(engine, None)


@pytest.mark.parametrize("engine", ENGINES)
def test_x10_every_record_has_its_declared_fields_and_holds_scalars_only(engine: str) -> None:
    tap = RingTap()
    history(engine, tap)
    kinds = set()
    for _, _, kind, informer, _, *fields in tap.drain():
        kinds.add(kind)
        assert informer == "test"
        assert len(fields) == len(FIELDS[kind]), kind
        assert all(is_scalar(field) for field in fields), (kind, fields)
    mine = (
        "store.mutation notify.distribute handler.start handler.end listener.added listener.removed "
        "listener.synced resync.tick informer.lifecycle config.engine"
    )
    assert set(mine.split()) <= kinds


def is_scalar(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(is_scalar(each) for each in value)
    return value is None or isinstance(value, str | int | float | bool)


@pytest.mark.parametrize("engine", ENGINES)
def test_causes_lead_from_the_handler_back_to_the_watch_event(engine: str) -> None:
    tap = RingTap()
    it = Rig(engine, tap=tap).start()
    recorder = Recorder()
    it.informer.add_event_handler(handler=recorder)
    it.source.add("a")
    recorder.wait(1)
    it.stop()
    records = tap.drain()
    by_seq = {record[0]: record for record in records}
    (record,) = (record for record in records if record[2] == "handler.end")
    kinds = []
    while "cause" in FIELDS[record[2]]:
        cause = dict(zip(FIELDS[record[2]], record[5:], strict=True))["cause"]
        record = by_seq[cause]
        kinds.append(record[2])
    assert kinds[:2] == ["notify.distribute", "store.mutation"]
    assert kinds[-1] == "watch.event"
