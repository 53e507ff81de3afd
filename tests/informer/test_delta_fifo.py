"""DeltaFIFO (delta_fifo_test.go). Objects carry their value as resource version."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from kdash.informer.errors import KeyFunctionError
from kdash.informer.objects import KubeObject
from kdash.informer.queue.delta_fifo import DeltaFIFO
from kdash.informer.queue.protocol import DeletedFinalStateUnknown, Delta, DeltaType, QueueClosed
from tests.informer.builders import Known, make
from tests.informer.queue_rig import (
    ADDED,
    DELETED,
    REPLACED,
    SYNC,
    UPDATED,
    Popped,
    drain,
    gone,
    newest,
    pop,
)


def numbered(producer: str) -> list[KubeObject]:
    return [make(f"{producer}{i}", i + 1) for i in range(500)]


def test_delta_fifo_basic():
    """Two producers at once: the items of each come out in its own order."""
    queue = DeltaFIFO()
    producers = [
        threading.Thread(daemon=True, target=lambda p=p: [queue.add(obj) for obj in numbered(p)]) for p in "ab"
    ]
    for producer in producers:
        producer.start()
    seen: dict[str, list[int]] = {"a": [], "b": []}

    def take(deltas: Sequence[Delta], _: bool) -> None:
        seen[deltas[-1].object.name[0]].append(int(deltas[-1].object.resource_version))

    for _ in range(1000):
        queue.pop(take)
    assert seen == {"a": list(range(1, 501)), "b": list(range(1, 501))}
    assert queue.depth() == (0, 0, 0)


def test_delta_fifo_replace_with_delete_delta_in():
    old, new = make("foo", 1), make("foo", 2)
    queue = DeltaFIFO(known_objects=Known(old), emit_replaced=False)
    queue.delete(old)
    queue.replace([new], "")
    assert pop(queue) == [(DELETED, old), (SYNC, new)]


def added_then_emptied(queue: DeltaFIFO) -> list[tuple[DeltaType, Any]]:
    queue.add(make("foo", 1))
    queue.replace([], "0")
    return [(ADDED, make("foo", 1)), (DELETED, gone("foo", make("foo", 1)))]


def replaced_then_emptied(queue: DeltaFIFO) -> list[tuple[DeltaType, Any]]:
    queue.replace([make("foo", 1)], "0")
    queue.replace([], "0")
    return [(REPLACED, make("foo", 1)), (DELETED, gone("foo", make("foo", 1)))]


def deleted_then_emptied(queue: DeltaFIFO) -> list[tuple[DeltaType, Any]]:
    queue.add(make("foo", 1))
    queue.delete(make("foo", 1))
    queue.replace([], "0")
    return [(ADDED, make("foo", 1)), (DELETED, make("foo", 1))]


def synced_twice_then_emptied(queue: DeltaFIFO) -> list[tuple[DeltaType, Any]]:
    queue.replace([make("foo", 1)], "0")
    queue.replace([make("foo", 1)], "0")
    queue.replace([], "0")
    return [(REPLACED, make("foo", 1))] * 2 + [(DELETED, gone("foo", make("foo", 1)))]


def emptied_twice(queue: DeltaFIFO) -> list[tuple[DeltaType, Any]]:
    queue.add(make("foo", 1))
    queue.replace([], "0")
    queue.replace([], "0")
    return [(ADDED, make("foo", 1)), (DELETED, gone("foo", make("foo", 1)))]


def readded_then_emptied(queue: DeltaFIFO) -> list[tuple[DeltaType, Any]]:
    queue.add(make("foo", 1))
    queue.delete(make("foo", 1))
    queue.add(make("foo", 2))
    queue.replace([], "0")
    return [
        (ADDED, make("foo", 1)), (DELETED, make("foo", 1)), (ADDED, make("foo", 2)),
        (DELETED, gone("foo", make("foo", 2))),
    ]  # fmt: skip


@pytest.mark.parametrize("known", [None, Known()], ids=["no store", "empty store"])
@pytest.mark.parametrize(
    "steps",
    [
        added_then_emptied, replaced_then_emptied, deleted_then_emptied, synced_twice_then_emptied,
        emptied_twice, readded_then_emptied,
    ],
)  # fmt: skip
def test_delta_fifo_w_replace_makes_deletions_for_objects_only_in_queue(steps: Any, known: Known | None):
    queue = DeltaFIFO(known_objects=known)
    expected = steps(queue)
    assert pop(queue) == expected
    assert queue.depth() == (0, 0, 0)


def test_delta_fifo_add_update():
    queue = DeltaFIFO()
    queue.add(make("foo", 10))
    queue.update(make("foo", 12))
    queue.delete(make("foo", 15))
    assert pop(queue) == [(ADDED, make("foo", 10)), (UPDATED, make("foo", 12)), (DELETED, make("foo", 15))]
    assert pop(queue) == []
    assert queue.peek(5) == []


def test_delta_fifo_transformer():
    """Each object goes through once; tombstones hold what has been through."""
    seen: list[str] = []

    def transform(obj: KubeObject) -> KubeObject:
        seen.append(f"{obj.name}{obj.resource_version}")
        return make(obj.name, obj.resource_version, "", changed=True)

    queue = DeltaFIFO(known_objects=Known(), transform=transform)
    queue.add(make("foo", 1))
    queue.update(make("foo", 2))
    queue.delete(make("foo", 3))
    queue.add(make("bar", 1))
    queue.replace([make("foo", 4)], "")
    assert seen == ["foo1", "foo2", "foo3", "bar1", "foo4"]
    entries = drain(queue)
    assert [[type_ for type_, _ in deltas] for deltas in entries] == [
        [ADDED, UPDATED, DELETED, REPLACED], [ADDED, DELETED],
    ]  # fmt: skip
    objects = [obj.obj if isinstance(obj, DeletedFinalStateUnknown) else obj for d in entries for _, obj in d]
    assert all(obj["changed"] for obj in objects)


def test_delta_fifo_enqueueing_no_lister():
    queue = DeltaFIFO()
    queue.add(make("foo", 10))
    queue.update(make("bar", 15))
    queue.add(make("qux", 17))
    queue.delete(make("qux", 18))
    queue.delete(make("baz", 20))
    assert [newest(queue).resource_version for _ in range(3)] == ["10", "15", "18"]
    assert queue.depth() == (0, 0, 0)


def test_delta_fifo_enqueueing_with_lister():
    queue = DeltaFIFO(known_objects=Known(make("foo", 5), make("bar", 6), make("baz", 7)))
    queue.add(make("foo", 10))
    queue.update(make("bar", 15))
    queue.delete(make("baz", 20))
    assert [newest(queue).resource_version for _ in range(3)] == ["10", "15", "20"]


def test_delta_fifo_add_replace():
    queue = DeltaFIFO()
    queue.add(make("foo", 10))
    queue.replace([make("foo", 15)], "0")
    assert newest(queue) == make("foo", 15)
    assert pop(queue) == []


def test_delta_fifo_resync_non_existing():
    foo = make("foo", 5)
    queue = DeltaFIFO(known_objects=Known(foo))
    queue.delete(make("foo", 10))
    queue.resync()
    assert pop(queue) == [(DELETED, make("foo", 10))]


def test_delta_fifo_resync():
    foo = make("foo", 5)
    queue = DeltaFIFO(known_objects=Known(foo))
    queue.resync()
    assert pop(queue) == [(SYNC, foo)]


def test_delta_fifo_delete_existing_non_propagated():
    queue = DeltaFIFO(known_objects=Known())
    queue.add(make("foo", 5))
    queue.delete(make("foo", 6))
    assert pop(queue) == [(ADDED, make("foo", 5)), (DELETED, make("foo", 6))]


def test_delta_fifo_replace_makes_deletions():
    foo5, bar6, baz7 = make("foo", 5), make("bar", 6), make("baz", 7)
    known = Known(foo5, bar6, baz7)

    queue = DeltaFIFO(known_objects=known)  # a deletion that waits is kept
    queue.delete(make("baz", 10))
    queue.replace([make("foo", 5)], "0")
    assert drain(queue) == [[(DELETED, make("baz", 10))], [(REPLACED, foo5)], [(DELETED, gone("bar", bar6))]]

    queue = DeltaFIFO(known_objects=known)  # an addition that waits gives the newest state
    queue.add(make("baz", 10))
    queue.replace([make("foo", 5)], "0")
    assert drain(queue) == [
        [(ADDED, make("baz", 10)), (DELETED, gone("baz", make("baz", 10)))], [(REPLACED, foo5)],
        [(DELETED, gone("bar", bar6))],
    ]  # fmt: skip

    queue = DeltaFIFO(known_objects=known)  # one that only the queue knows
    queue.add(make("qux", 1))
    queue.replace([make("foo", 5)], "0")
    assert drain(queue) == [
        [(ADDED, make("qux", 1)), (DELETED, gone("qux", make("qux", 1)))], [(REPLACED, foo5)],
        [(DELETED, gone("bar", bar6))], [(DELETED, gone("baz", baz7))],
    ]  # fmt: skip

    queue = DeltaFIFO(known_objects=known)  # a tombstone that waits is not nested
    queue.replace([make("foo", 5)], "0")
    queue.replace([make("foo", 6)], "0")
    assert drain(queue) == [
        [(REPLACED, foo5), (REPLACED, make("foo", 6))], [(DELETED, gone("bar", bar6))],
        [(DELETED, gone("baz", baz7))],
    ]  # fmt: skip

    queue = DeltaFIFO()  # without a store only the queue's own are missed
    queue.delete(make("baz", 10))
    queue.add(make("baz", 10))
    queue.replace([make("foo", 5)], "0")
    assert drain(queue) == [
        [(ADDED, make("baz", 10)), (DELETED, gone("baz", make("baz", 10)))], [(REPLACED, foo5)],
    ]  # fmt: skip


def test_delta_fifo_replace_makes_deletions_replaced():
    foo5, bar6, baz7 = make("foo", 5), make("bar", 6), make("baz", 7)
    queue = DeltaFIFO(known_objects=Known(foo5, bar6, baz7), emit_replaced=True)
    queue.delete(make("baz", 10))
    queue.replace([make("foo", 6)], "0")
    assert drain(queue) == [
        [(DELETED, make("baz", 10))], [(REPLACED, make("foo", 6))], [(DELETED, gone("bar", bar6))],
    ]  # fmt: skip


@pytest.mark.parametrize(("emit_replaced", "type_"), [(True, REPLACED), (False, SYNC)])
def test_delta_fifo_replace_delta_type(emit_replaced: bool, type_: DeltaType):
    queue = DeltaFIFO(known_objects=Known(make("foo", 5)), emit_replaced=emit_replaced)
    queue.replace([make("foo", 5)], "0")
    assert pop(queue) == [(type_, make("foo", 5))]


def test_delta_fifo_update_resync_race():
    queue = DeltaFIFO(known_objects=Known(make("foo", 5)))
    queue.update(make("foo", 6))
    queue.resync()
    assert pop(queue) == [(UPDATED, make("foo", 6))]


def test_delta_fifo_has_synced_correct_on_deletion():
    """0a: the latch turns when the last initial entry is taken out, before it is processed."""
    queue = DeltaFIFO(known_objects=Known(make("foo", 5), make("bar", 6), make("baz", 7)))
    queue.replace([make("foo", 5)], "0")
    expected = [[(REPLACED, make("foo", 5))], [(DELETED, gone("bar", make("bar", 6)))],
                [(DELETED, gone("baz", make("baz", 7)))]]  # fmt: skip
    for i, deltas in enumerate(expected):
        assert not queue.has_synced()
        popped = Popped()
        queue.pop(popped)
        assert popped.entries == [(deltas, True)]
        assert queue.has_synced() == (i == 2)


def test_delta_fifo_detect_line_jumpers():
    queue = DeltaFIFO()
    for name, value in (("foo", 10), ("bar", 1), ("foo", 11), ("foo", 13), ("zab", 30)):
        queue.add(make(name, value))
    assert newest(queue) == make("foo", 13)
    queue.add(make("foo", 14))
    assert [newest(queue) for _ in range(3)] == [make("bar", 1), make("zab", 30), make("foo", 14)]


def test_delta_fifo_key_of():
    queue = DeltaFIFO()
    obj = make("foo", 1)
    assert queue.key_of(obj) == "foo"
    assert queue.key_of(gone("baz", obj)) == "baz"
    assert queue.key_of([Delta(ADDED, make("old")), Delta(UPDATED, obj)]) == "foo"
    assert queue.key_of([Delta(DELETED, gone("baz", obj))]) == "baz"
    with pytest.raises(KeyFunctionError, match="0 length Deltas"):
        queue.key_of([])


def pop_times(queue: DeltaFIFO, times: int) -> None:
    for _ in range(times):
        assert pop(queue)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (lambda queue: None, False),
        (lambda queue: queue.add(make("a")), True),
        (lambda queue: queue.replace([], "0"), True),
        (lambda queue: queue.replace([make("a"), make("b")], "0"), False),
        (lambda queue: (queue.replace([make("a"), make("b")], "0"), pop_times(queue, 1)), False),
        (lambda queue: (queue.replace([make("a"), make("b")], "0"), pop_times(queue, 2)), True),
        (lambda queue: (queue.replace([make("a"), make("a"), make("b")], "0"), pop_times(queue, 2)), True),
    ],
)
def test_delta_fifo_has_synced(steps: Any, expected: bool):
    queue = DeltaFIFO()
    steps(queue)
    assert queue.has_synced() is expected


def test_delta_fifo_pop_should_unblock_when_closed():
    queue = DeltaFIFO()
    closed: list[int] = []

    def wait(number: int) -> None:
        try:
            queue.pop(Popped())
        except QueueClosed:
            closed.append(number)

    threads = [threading.Thread(daemon=True, target=wait, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    queue.close()
    for thread in threads:
        thread.join(10)
    assert sorted(closed) == list(range(10))


