"""A slow process loop does not keep writers out: RF-41, DF-9, S7 (and the golden resync-busy-keys)."""

from __future__ import annotations

import threading

import pytest

from kdash.informer.indexer import new_indexer
from kdash.informer.queue.engines import new_queue
from tests.informer.fake_source import make_object
from tests.informer.informer_rig import PATIENCE_S, settle


@pytest.mark.parametrize("engine", ["delta", "real"])
def test_a_resync_gets_in_after_two_pops_at_most(engine: str) -> None:
    store = new_indexer()
    queue = new_queue(engine, known_objects=store)
    names = [f"o{number}" for number in range(6)]
    for name in names:
        store.add(make_object(name))
        queue.add(make_object(name))
    steps = threading.Semaphore(0)
    popped: list[str] = []
    began = threading.Semaphore(0)

    def process(deltas, is_in_initial_list):  # type: ignore[no-untyped-def]
        popped.append(deltas[0].object.name)
        began.release()
        assert steps.acquire(timeout=PATIENCE_S)

    def pop_all() -> None:
        for _ in names:
            queue.pop(process)

    popper = threading.Thread(target=pop_all, daemon=True)
    popper.start()
    assert began.acquire(timeout=PATIENCE_S)
    resync = threading.Thread(target=queue.resync, daemon=True)
    resync.start()
    settle(queue._writing._turnstile.locked)
    for _ in range(2):
        steps.release()
        settle(lambda: began.acquire(blocking=False) or not resync.is_alive())
    resync.join(PATIENCE_S)
    assert not resync.is_alive()
    assert len(popped) <= 3
    for _ in names:
        steps.release()
    popper.join(PATIENCE_S)
