"""Objects of a full state compressed while more of them arrive, so that the whole never lies there unpacked.

Contract: `add` takes the objects in the order of their arrival and compresses the oldest when more than `budget` bytes
lie there unpacked: a small state costs nothing, a large one its packed size. With `most` (kdash extension, 0: no such
bound) it raises `CacheTooLarge` once the objects take more than that, compressed. One thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain

from kdash.informer.errors import CacheTooLarge
from kdash.informer.objects import KubeObject, pack_together, stored_bytes
from kdash.informer.packing import Packer

__all__ = ["ArrivalPacker"]

_BUDGET = 32 << 20
_AT_ONCE = 1 << 20  # bytes
_MAX_SAMPLES = 200


class ArrivalPacker:
    """The objects of one full state, until it is complete."""

    def __init__(self, most: int = 0, budget: int = _BUDGET) -> None:
        self.most = most
        self.held = 0
        """Bytes that the objects take."""
        self._budget = min(budget, most) if most else budget
        self._packer = Packer()
        self._waiting: deque[tuple[Sequence[KubeObject], int]] = deque()  # with the bytes they take
        self._unpacked = 0

    def add(self, objects: Sequence[KubeObject]) -> None:
        """These are held from now on."""
        size = stored_bytes(objects)
        self._waiting.append((objects, size))
        self.held += size
        self._unpacked += size
        while self._unpacked > self._budget:
            self._pack_some()
        if self.most and self.held > self.most:
            while self._waiting:
                self._pack_some()
            if self.held > self.most:
                raise CacheTooLarge(self.most)

    def _pack_some(self) -> None:
        """The oldest batches, about `_AT_ONCE` bytes of them."""
        if self._packer.codec is None:
            waiting = list(chain.from_iterable(objects for objects, _ in self._waiting))
            self._packer.learn([obj.to_json() for obj in waiting[:: max(1, len(waiting) // _MAX_SAMPLES)]])
        some: list[KubeObject] = []
        size = 0
        while self._waiting and size < _AT_ONCE:
            objects, bytes_ = self._waiting.popleft()
            some += objects
            size += bytes_
        pack_together(some, self._packer)
        self._unpacked -= size
        self.held += stored_bytes(some) - size
