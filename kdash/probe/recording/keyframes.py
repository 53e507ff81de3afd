"""States of a replayed recorder, kept in memory so that going back does not begin at the start.

Contract: nothing of this ever leaves the process. Contents of objects are shared, everything else is copied. Of many
keyframes the even ones go, so that they stay spread over the whole recording.
"""

from __future__ import annotations

import copyreg
import gc
import io
import pickle
import threading
from bisect import insort
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import zstandard

__all__ = ["Keyframe", "Keyframes"]

_KEPT_MAX = 64
_BYTES_MAX = 192 << 20
_restoring = threading.Lock()  # guards _shared
_shared: list[Any] = []

_NEW = {type(make()): lambda _, make=make: (make, ()) for make in (threading.Lock, threading.RLock)}
"""What cannot be copied is made anew."""

Newest = Mapping[tuple[str, str], tuple[int, Any]]


class Keyframe(NamedTuple):
    """What is known of one instant."""

    at: float
    packed: bytes
    shared: list[Any]
    newest: Newest
    present: Mapping[tuple[str, str], Any]

    def restore(self) -> Any:
        """A fresh copy of the state."""
        state = zstandard.ZstdDecompressor().decompress(self.packed)
        with _restoring:
            _shared[:] = self.shared
            try:
                with _no_collection():
                    return pickle.loads(state)
            finally:
                _shared.clear()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Whoever makes a hundred thousand objects that all stay has the collector look through everything again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _shared_at(number: int) -> Any:
    return _shared[number]


class Keyframes:
    """Keyframes in the order of their instants."""

    def __init__(self, shared: type) -> None:
        """Objects of the type `shared` never change."""
        self._shared = shared
        self._kept: list[Keyframe] = []

    def clear(self) -> None:
        """Forget them all."""
        self._kept.clear()

    def find(self, at: float) -> Keyframe | None:
        """The newest that is not after `at`."""
        return next((each for each in reversed(self._kept) if each.at <= at), None)

    def keep(self, at: float, state: Any, newest: Newest, present: Mapping[tuple[str, str], Any]) -> None:
        """Keep a copy of `state`, unless there is one of this instant."""
        before = self.find(at)
        if before is not None and before.at == at:
            return
        shared: list[Any] = []

        def share(content: Any) -> Any:
            shared.append(content)
            return _shared_at, (len(shared) - 1,)

        out = io.BytesIO()
        writer = pickle.Pickler(out, 5)
        writer.dispatch_table = {**copyreg.dispatch_table, **_NEW, self._shared: share}
        with _no_collection():
            writer.dump(state)
        packed = zstandard.ZstdCompressor(level=1).compress(out.getbuffer())
        insort(self._kept, Keyframe(at, packed, shared, dict(newest), dict(present)), key=lambda each: each.at)
        while len(self._kept) > _KEPT_MAX or sum(len(each.packed) for each in self._kept) > _BYTES_MAX:
            del self._kept[0 if len(self._kept) < 3 else slice(1, None, 2)]
