"""RealFIFO, not atomic (the_real_fifo_test.go). Objects carry their value as resource version."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from kdash.informer.errors import KeyFunctionError
from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import DeletedFinalStateUnknown, Delta, QueueClosed
from kdash.informer.queue.real_fifo import RealFIFO
from tests.informer.builders import Known, make
from tests.informer.queue_rig import ADDED, DELETED, REPLACED, SYNC, UPDATED, Popped, drain, gone, pop


def real(*known: KubeObject, **options: Any) -> RealFIFO:
    return RealFIFO(known_objects=Known(*known), **options)


def flat(queue: RealFIFO) -> list[tuple[Any, Any]]:
    """All deltas, each of which must come alone."""
    entries = drain(queue)
    assert all(len(deltas) == 1 for deltas in entries)
    return [deltas[0] for deltas in entries]


def versions(queue: RealFIFO) -> list[int]:
    return [int(obj.resource_version) for _, obj in flat(queue)]


def numbered(producer: str) -> list[KubeObject]:
    return [make(f"{producer}{i}", i + 1) for i in range(500)]


def test_real_fifo_basic():
    """Two producers at once: the items of each come out in its own order."""
    queue = real()
    producers = [
        threading.Thread(daemon=True, target=lambda p=p: [queue.add(obj) for obj in numbered(p)]) for p in "ab"
    ]
    for producer in producers:
        producer.start()
    seen: dict[str, list[int]] = {"a": [], "b": []}

    def take(deltas: Sequence[Delta], _: bool) -> None:
        seen[deltas[0].object.name[0]].append(int(deltas[0].object.resource_version))

    for _ in range(1000):
        queue.pop(take)
    assert seen == {"a": list(range(1, 501)), "b": list(range(1, 501))}


def test_real_fifo_replace_with_delete_delta_in():
    old, new = make("foo", 1), make("foo", 2)
    queue = real(old)
    queue.delete(old)
    queue.replace([new], "")
    assert flat(queue) == [(DELETED, old), (REPLACED, new)]


def only_queued(queue: RealFIFO, steps: str) -> None:
    for each in steps.split():
        if each.startswith("add"):
            queue.add(make("foo", each[3:]))
        elif each.startswith("delete"):
            queue.delete(make("foo", each[6:]))
        elif each.startswith("replace"):
            queue.replace([make("foo", each[7:])] if each[7:] else [], "0")
        else:
            queue.bookmark("5")


FOO1, FOO2 = make("foo", 1), make("foo", 2)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("add1 replace", [(ADDED, FOO1), (DELETED, gone("foo", FOO1))]),
        ("replace1 replace", [(REPLACED, FOO1), (DELETED, gone("foo", FOO1))]),
        ("add1 delete1 replace", [(ADDED, FOO1), (DELETED, FOO1)]),
        ("replace1 replace1 replace", [(REPLACED, FOO1), (REPLACED, FOO1), (DELETED, gone("foo", FOO1))]),
        ("add1 replace replace", [(ADDED, FOO1), (DELETED, gone("foo", FOO1))]),
        (
            "add1 bookmark delete1 add2 replace",
            [(ADDED, FOO1), (DELETED, FOO1), (ADDED, FOO2), (DELETED, gone("foo", FOO2))],
        ),
    ],
)
def test_real_fifo_w_replace_makes_deletions_for_objects_only_in_queue(steps: str, expected: list[Any]):
    queue = real()
    only_queued(queue, steps)
    assert flat(queue) == expected


def test_real_fifo_add_update():
    queue = real()
    queue.add(make("foo", 10))
    queue.update(make("foo", 12))
    queue.delete(make("foo", 15))
    assert flat(queue) == [(ADDED, make("foo", 10)), (UPDATED, make("foo", 12)), (DELETED, make("foo", 15))]
    assert pop(queue) == []


def test_real_fifo_transformer():
    """Each object goes through once; tombstones hold what has been through."""
    seen: list[str] = []

    def transform(obj: KubeObject) -> KubeObject:
        seen.append(f"{obj.name}{obj.resource_version}")
        return make(obj.name, obj.resource_version, changed=True)

    queue = real(transform=transform)
    queue.add(make("foo", 1))
    queue.update(make("foo", 2))
    queue.delete(make("foo", 3))
    queue.add(make("bar", 1))
    queue.replace([make("foo", 4)], "")
    queue.delete(gone("bar", make("bar", 9)))
    assert seen == ["foo1", "foo2", "foo3", "bar1", "foo4"]
    deltas = flat(queue)
    assert [(type_, obj.key) for type_, obj in deltas] == [
        (ADDED, "foo"), (UPDATED, "foo"), (DELETED, "foo"), (ADDED, "bar"), (DELETED, "bar"),
        (REPLACED, "foo"), (DELETED, "bar"),
    ]  # fmt: skip
    assert deltas[4][1].obj["changed"]
    assert all(obj["changed"] for _, obj in deltas if not isinstance(obj, DeletedFinalStateUnknown))


def test_real_fifo_enqueueing_no_lister():
    """RQ-2: a deletion of something unknown is queued."""
    queue = real()
    queue.add(make("foo", 10))
    queue.update(make("bar", 15))
    queue.add(make("qux", 17))
    queue.delete(make("qux", 18))
    queue.delete(make("baz", 20))
    assert versions(queue) == [10, 15, 17, 18, 20]


def test_real_fifo_enqueueing_with_lister():
    queue = real(make("foo", 5), make("bar", 6), make("baz", 7))
    queue.add(make("foo", 10))
    queue.update(make("bar", 15))
    queue.delete(make("baz", 20))
    assert versions(queue) == [10, 15, 20]


def test_real_fifo_add_replace():
    queue = real()
    queue.add(make("foo", 10))
    queue.replace([make("foo", 15)], "0")
    assert flat(queue) == [(ADDED, make("foo", 10)), (REPLACED, make("foo", 15))]


def test_real_fifo_resync_non_existing():
    queue = real(make("foo", 5))
    queue.delete(make("foo", 10))
    queue.resync()
    assert flat(queue) == [(DELETED, make("foo", 10))]


def test_real_fifo_resync():
    foo = make("foo", 5)
    queue = real(foo)
    queue.resync()
    ((type_, obj),) = flat(queue)
    assert type_ is SYNC
    assert obj is foo


def test_real_fifo_delete_existing_non_propagated():
    queue = real()
    queue.add(make("foo", 5))
    queue.delete(make("foo", 6))
    assert flat(queue) == [(ADDED, make("foo", 5)), (DELETED, make("foo", 6))]


FOO5, BAR6, BAZ7 = make("foo", 5), make("bar", 6), make("baz", 7)


def test_real_fifo_replace_makes_deletions():
    """RQ-6: tombstones of queued keys, tombstones of stored keys, then the list."""
    queue = real(FOO5, BAR6, BAZ7)  # a deletion that waits is kept
    queue.delete(make("baz", 10))
    queue.replace([FOO5], "0")
    assert flat(queue) == [(DELETED, make("baz", 10)), (DELETED, gone("bar", BAR6)), (REPLACED, FOO5)]

    queue = real(FOO5, BAR6, BAZ7)  # an addition that waits gives the newest state
    queue.add(make("baz", 10))
    queue.replace([FOO5], "0")
    assert flat(queue) == [
        (ADDED, make("baz", 10)), (DELETED, gone("baz", make("baz", 10))), (DELETED, gone("bar", BAR6)),
        (REPLACED, FOO5),
    ]  # fmt: skip

    queue = real(FOO5, BAR6, BAZ7)  # one that only the queue knows
    queue.add(make("qux", 1))
    queue.replace([FOO5], "0")
    assert flat(queue) == [
        (ADDED, make("qux", 1)), (DELETED, gone("qux", make("qux", 1))), (DELETED, gone("bar", BAR6)),
        (DELETED, gone("baz", BAZ7)), (REPLACED, FOO5),
    ]  # fmt: skip

    queue = real(FOO5, BAR6, BAZ7)  # tombstones that wait are not repeated
    queue.replace([FOO5], "0")
    queue.replace([make("foo", 6)], "0")
    assert flat(queue) == [
        (DELETED, gone("bar", BAR6)), (DELETED, gone("baz", BAZ7)), (REPLACED, FOO5),
        (REPLACED, make("foo", 6)),
    ]  # fmt: skip

    queue = real()  # deleted, then added again
    queue.delete(make("baz", 10))
    queue.add(make("baz", 11))
    queue.replace([FOO5], "0")
    assert flat(queue) == [
        (DELETED, make("baz", 10)), (ADDED, make("baz", 11)), (DELETED, gone("baz", make("baz", 11))),
        (REPLACED, FOO5),
    ]  # fmt: skip


def test_real_fifo_replace_makes_deletions_replaced():
    queue = real(FOO5, BAR6, BAZ7)
    queue.delete(make("baz", 10))
    queue.replace([make("foo", 6)], "0")
    assert flat(queue) == [
        (DELETED, make("baz", 10)), (DELETED, gone("bar", BAR6)), (REPLACED, make("foo", 6)),
    ]  # fmt: skip


def test_real_fifo_update_resync_race():
    queue = real(make("foo", 5))
    queue.update(make("foo", 6))
    queue.resync()
    assert flat(queue) == [(UPDATED, make("foo", 6))]


def test_real_fifo_has_synced_correct_on_deletion():
    """RQ-5: tombstones first, all of them initial, synced after the last was processed."""
    queue = real(FOO5, BAR6, BAZ7)
    queue.replace([FOO5], "0")
    seen: list[tuple[Any, bool, bool]] = []

    def process(deltas: Sequence[Delta], is_initial: bool) -> None:
        seen.append(((deltas[0].type, deltas[0].object), is_initial, queue.has_synced()))

    for _ in range(3):
        assert not queue.has_synced()
        queue.pop(process)
    assert queue.has_synced()
    assert seen == [
        ((DELETED, gone("bar", BAR6)), True, False), ((DELETED, gone("baz", BAZ7)), True, False),
        ((REPLACED, FOO5), True, False),
    ]  # fmt: skip


def test_real_fifo_detect_line_jumpers():
    queue = real()
    for name, value in (("foo", 10), ("bar", 1), ("foo", 11), ("foo", 13), ("zab", 30)):
        queue.add(make(name, value))
    assert pop(queue) == [(ADDED, make("foo", 10))]
    queue.add(make("foo", 14))
    assert versions(queue) == [1, 11, 13, 30, 14]


def test_real_fifo_key_of():
    queue = real()
    assert queue.key_of(FOO5) == "foo"
    assert queue.key_of(gone("baz", FOO5)) == "baz"
    assert queue.key_of([Delta(ADDED, BAR6), Delta(UPDATED, FOO5)]) == "foo"
    assert queue.key_of([Delta(DELETED, gone("baz"))]) == "baz"
    with pytest.raises(KeyFunctionError):
        queue.key_of([])


def pop_times(queue: RealFIFO, times: int) -> None:
    for _ in range(times):
        assert pop(queue)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (lambda queue: None, False),
        (lambda queue: queue.add(make("a")), True),
        (lambda queue: queue.delete(make("a")), True),
        (lambda queue: queue.replace([], "0"), True),
        (lambda queue: queue.replace([make("a"), make("b")], "0"), False),
        (lambda queue: (queue.replace([make("a"), make("b")], "0"), pop_times(queue, 1)), False),
        (lambda queue: (queue.replace([make("a"), make("b")], "0"), pop_times(queue, 2)), True),
        (lambda queue: (queue.replace([make("a"), make("a")], "0"), pop_times(queue, 1)), False),
        (lambda queue: (queue.replace([make("a"), make("a")], "0"), pop_times(queue, 2)), True),
    ],
)
def test_real_fifo_has_synced(steps: Any, expected: bool):
    queue = real()
    steps(queue)
    assert queue.has_synced() is expected


def test_real_fifo_pop_should_unblock_when_closed():
    queue = real()
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
