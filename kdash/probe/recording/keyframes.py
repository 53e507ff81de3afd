"""States of a replayed recorder, kept in memory so that going back does not begin at the start.

Contract: nothing of this ever leaves the process. Contents of objects are shared, everything else is copied. Of many
keyframes those go that stand closest to their neighbours, so that the others stay spread over the whole part; the
latest one stays. Several players may keep and find at once.
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
from math import inf
from operator import itemgetter, sub
from typing import Any, NamedTuple

import zstandard

__all__ = ["Keyframe", "Keyframes"]

_KEPT_MAX = 64
_BYTES_MAX = 320 << 20
_CONTENT_BYTES = 1024  # of a packed content with what goes with it, about
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
    """Keyframes of one part, in the order of their instants."""

    def __init__(self, shared: type) -> None:
        """Objects of the type `shared` never change."""
        self._shared = shared
        self._lock = threading.Lock()  # guards what follows
        self._kept: list[Keyframe] = []
        self._part, self._start_at = 0, 0.0

    def begin(self, part: int, at: float) -> None:
        """Forget those of another part than this one, which starts at an instant."""
        with self._lock:
            self._start_at = at
            if part != self._part:
                self._part = part
                self._kept.clear()

    def find(self, part: int, at: float) -> Keyframe | None:
        """The newest of this part that is not after `at`."""
        with self._lock:
            known = self._kept if part == self._part else []
            return next((each for each in reversed(known) if each.at <= at), None)

    def keep(
        self, part: int, at: float, state: Any, newest: Newest, present: Mapping[tuple[str, str], Any]
    ) -> None:
        """Keep a copy of `state`, unless there is one of this instant, or the part is another one by now."""
        before = self.find(part, at)
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
        packed = bytes(memoryview(zstandard.ZstdCompressor(level=1).compress(out.getbuffer())))  # a copy of its size
        with self._lock:
            if part != self._part:
                return
            made = Keyframe(at, packed, shared, dict(newest), dict(present))
            insort(self._kept, made, key=lambda each: each.at)
            while len(self._kept) > _KEPT_MAX or (len(self._kept) > 1 and self._bytes() > _BYTES_MAX):
                least = self._least_of_all(made)
                self._kept = [each for each in self._kept if each is not least]

    def _bytes(self) -> int:
        """What they take in memory, about; many a content is in several of them."""
        contents = {id(content) for each in self._kept for content in each.shared}
        return sum(len(each.packed) for each in self._kept) + _CONTENT_BYTES * len(contents)

    def _least_of_all(self, but: Keyframe) -> Keyframe:
        """The one that costs the least to do without: whose neighbours are closest to one another."""
        at = [each.at for each in self._kept]
        befores, afters = [self._start_at, *at[:-1]], [*at[1:], inf]
        gaps = sorted(zip(map(sub, afters, befores), self._kept, strict=True), key=itemgetter(0))
        return next(each for _, each in gaps if each is not but)
