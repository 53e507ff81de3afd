"""Which cached objects wait to be packed, and when it is their turn.

zstd releases the interpreter lock, so packing an object while another thread is busy costs a thread switch on
top. Therefore objects are packed when the process loop has nothing else to do, many at once, the longest unchanged
first: what changes all the time is never packed in vain. Only when more than `budget` bytes wait does a further
change pack some itself, so that memory stays bounded under a lasting storm.

Contract: `changed`, `forget` and `reset` are called by the store under its lock; `pack_some` takes that lock
itself for moments only and packs outside it. One caller of `pack_some` at a time works; others return.
"""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from kdash.informer.objects import KubeObject, pack_together
from kdash.informer.packing import Packer

__all__ = ["PackingBacklog"]

_MAX_SAMPLES = 200
_LEARN_FROM_OBJECTS = 200
_LEARN_FROM_BYTES = 1 << 20
_RELEASE_AFTER_BYTES = 16 << 20
_BYTES_AT_ONCE = 256 << 10


def _find_malloc_trim() -> Callable[[int], Any] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


_malloc_trim = _find_malloc_trim()
"""glibc's; None where the C library has none."""


class PackingBacklog:
    """Keys of unpacked objects of one store, the longest unchanged first."""

    def __init__(
        self,
        packer: Packer,
        lock: threading.Lock,
        items: Callable[[], Mapping[str, Any]],
        budget: int = 32 << 20,
    ) -> None:
        """`items` gives what the store holds at that moment."""
        self.packer = packer
        self._budget = budget
        self._items = items
        self._lock = lock  # the store's; guards _sizes and _bytes
        self._working = threading.Lock()  # held by the one thread that packs
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0
        self._freed = 0  # bytes that packing has freed since the system got memory back; guarded by _working

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def is_over_budget(self) -> bool:
        """More bytes wait than may."""
        return self._bytes > self._budget

    @property
    def has_work(self) -> bool:
        """Whether `pack_some` would pack or learn something."""
        return bool(self._sizes) and (self.packer.codec is not None or self._can_learn())

    def changed(self, key: str, obj: Any) -> None:
        """`obj` is cached under `key` from now on."""
        if type(obj) is not KubeObject:
            return
        sizes = self._sizes
        size = obj.size
        before = sizes.get(key)
        if before is None:
            self._bytes += size
        else:
            self._bytes += size - before
            sizes.move_to_end(key)
        sizes[key] = size

    def forget(self, key: str) -> None:
        """Nothing is cached under `key` any more."""
        self._bytes -= self._sizes.pop(key, 0)

    def reset(self, items: Mapping[str, Any]) -> None:
        """The cache holds `items` and nothing else."""
        self._sizes = OrderedDict(
            (key, obj.size) for key, obj in items.items() if type(obj) is KubeObject and not obj.is_packed
        )
        self._bytes = sum(self._sizes.values())

    def pack_some(self, limit: int) -> bool:
        """Pack up to `limit` objects, learning first; True when there is more to do."""
        if not self.has_work or not self._working.acquire(blocking=False):
            return False
        try:
            if self.packer.codec is None:
                with self._lock:
                    samples = self._samples()
                self.packer.learn([obj.to_json() for obj in samples])
            with self._lock:
                objects = self._take(limit)
            pack_together(objects, self.packer)
            self._freed += sum(obj.size for obj in objects if obj.is_packed)
            if self._sizes:
                return True
            self._release_memory()
            return False
        finally:
            self._working.release()

    def _take(self, limit: int) -> list[KubeObject]:
        """The longest unchanged: up to `limit`, and beyond the second no more than `_BYTES_AT_ONCE`."""
        items = self._items()
        taken: list[KubeObject] = []
        size = 0
        while self._sizes and len(taken) < limit and (size < _BYTES_AT_ONCE or len(taken) < 2):
            key, bytes_ = self._sizes.popitem(last=False)
            size += bytes_
            if key in items:
                taken.append(items[key])
        self._bytes -= size
        return taken

    def _release_memory(self) -> None:
        """After much packing, give the freed memory back to the system: glibc keeps it otherwise."""
        if self._freed > _RELEASE_AFTER_BYTES:
            self._freed = 0
            if _malloc_trim is not None:
                _malloc_trim(0)

    def _can_learn(self) -> bool:
        return len(self._sizes) >= _LEARN_FROM_OBJECTS or self._bytes >= _LEARN_FROM_BYTES

    def _samples(self) -> list[KubeObject]:
        """Waiting objects, evenly spread over the collection."""
        items, keys = self._items(), list(self._sizes)
        step = max(1, len(keys) // _MAX_SAMPLES)
        return [items[key] for key in keys[::step] if key in items]
