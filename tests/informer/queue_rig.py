"""What the queue tests share: taking deltas out, and the steps of random histories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import DeletedFinalStateUnknown, Delta, DeltaType

__all__ = [
    "ADDED", "BOOKMARK", "DELETED", "REPLACED", "REPLACED_ALL", "SYNC", "SYNC_ALL", "UPDATED",
    "Popped", "drain", "events", "failing", "gone", "newest", "pop", "step",
]  # fmt: skip

ADDED, UPDATED, DELETED, SYNC, REPLACED = (
    DeltaType.ADDED, DeltaType.UPDATED, DeltaType.DELETED, DeltaType.SYNC, DeltaType.REPLACED,
)  # fmt: skip
REPLACED_ALL, SYNC_ALL, BOOKMARK = DeltaType.REPLACED_ALL, DeltaType.SYNC_ALL, DeltaType.BOOKMARK


def gone(key: str, obj: KubeObject | None = None) -> DeletedFinalStateUnknown:
    return DeletedFinalStateUnknown(key, obj)


class Popped:
    """Collects what a queue gives."""

    def __init__(self) -> None:
        self.entries: list[tuple[list[tuple[DeltaType, Any]], bool]] = []

    def __call__(self, deltas: Sequence[Delta], is_in_initial_list: bool) -> None:
        self.entries.append(([(delta.type, delta.object) for delta in deltas], is_in_initial_list))


def pop(queue: Any) -> list[tuple[DeltaType, Any]]:
    """The deltas of the next entry; [] when the queue is empty."""
    popped = Popped()
    return popped.entries[0][0] if queue.pop(popped, block=False) else []


def drain(queue: Any) -> list[list[tuple[DeltaType, Any]]]:
    popped = Popped()
    while queue.pop(popped, block=False):
        pass
    return [deltas for deltas, _ in popped.entries]


def newest(queue: Any) -> Any:
    return pop(queue)[-1][1]


def failing(obj: KubeObject) -> KubeObject:
    """A transform that refuses one object."""
    if obj.name == "bad":
        raise ValueError("no")
    return obj


events = st.lists(
    st.tuples(st.sampled_from(["add", "update", "delete", "pop", "replace", "resync"]), st.integers(0, 3)),
    max_size=40,
)


def step(queue: Any, action: str, obj: KubeObject, process: Any, process_batch: Any = None) -> None:
    """One step of a random history."""
    if action == "pop":
        queue.pop(process, process_batch, block=False)
    elif action == "resync":
        queue.resync()
    elif action == "replace":
        queue.replace([obj], obj.resource_version)
    else:
        getattr(queue, action)(obj)
