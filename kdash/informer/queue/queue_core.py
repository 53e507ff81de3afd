"""What all queue engines share: lock, waiting and closing, the sync latch, keys, transform, tap records.

Contract:
- `_lock` guards all state. `depth`, `peek`, `has_synced` and `is_closed` read without it and never wait.
- A popper is notified only when one waits, so that an addition costs no system call on a busy queue.
- Sync callbacks run once, under the queue's lock, in the thread that completed the sync: of the queue they may call
  `close` only. The same holds for `process` in the `delta` and `real` engines.
- `on_idle` is called by the popping thread, without the lock, once the queue has been empty for
  `IDLE_AFTER_S`; again at once as long as it returns True and the queue stays empty. Nothing that is queued
  ever waits for more than one such call.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any

from kdash.informer.clock import Clock, SystemClock
from kdash.informer.errors import InformerError, KeyFunctionError
from kdash.informer.gate import Gate
from kdash.informer.keys import KeyFunc, deletion_handling_key_func
from kdash.informer.latch import call_each
from kdash.informer.objects import KubeObject
from kdash.informer.queue.fairness import WriterEntrance
from kdash.informer.queue.protocol import (
    DeletedFinalStateUnknown,
    Delta,
    DeltaType,
    KnownObjects,
    QueueClosed,
    StoreObject,
)
from kdash.informer.tap import Tap
from kdash.informer.transforms import Transform, TransformError

__all__ = ["IDLE_AFTER_S", "QueueCore", "version_in"]

IDLE_AFTER_S = 0.02

_SLOW_PROCESS_S = 0.1
_SLOW_BATCH_LIMIT_S = 1.0
_SLOW_DEPTH = 10

_ADDED, _UPDATED = DeltaType.ADDED, DeltaType.UPDATED
_logger = logging.getLogger(__name__)


def version_in(obj: Any) -> str:
    """The resource version of an object, or of what a tombstone holds; "" when there is none."""
    if type(obj) is DeletedFinalStateUnknown:
        obj = obj.obj
    return getattr(obj, "resource_version", "")


class QueueCore(ABC):
    """Base of the engines."""

    engine = ""

    def __init__(
        self,
        *,
        name: str = "",
        transform: Transform | None = None,
        tap: Tap | None = None,
        clock: Clock | None = None,
        key_func: KeyFunc | None = None,
        on_idle: Callable[[], bool] | None = None,
    ) -> None:
        self.name = name
        self.gate: Gate | None = None
        self.on_depth: Callable[[int], None] | None = None
        """Told under the lock how many deltas wait, after each addition and each taking out; set before use."""
        self._tap = tap
        self._clock = clock or SystemClock()
        self._now = self._clock.monotonic
        self._transform = transform
        self._key_func = key_func or deletion_handling_key_func
        self._plain_keys = key_func is None
        # guards everything of this class and its engines; reentrant, because what it calls may `close`
        self._lock = threading.RLock()
        self._writing = WriterEntrance(self._lock)
        self._free, self._release, self._awaited = self._lock.acquire, self._lock.release, self._writing.awaited
        self._condition = threading.Condition(self._lock)
        self._waiting = 0
        self._closed = False
        self._populated = False
        self._initial_count = 0
        self._initial_total = 0
        self._synced = False
        self._sync_callbacks: list[Callable[[], None]] = []
        self._on_idle = on_idle

    # what the reflector calls --------------------------------------------------------------------------

    def add(self, obj: StoreObject, cause: int = 0) -> None:
        """Queue an addition. Raises `KeyFunctionError` or `TransformError`; nothing is queued then."""
        if not self._free(False):
            self._writing.enter()
        try:
            if not self._populated:
                self._populate()
            self._enqueue(_ADDED, obj, cause)
        finally:
            self._release()

    def update(self, obj: StoreObject, cause: int = 0) -> None:
        """Queue a change; raises like `add`."""
        if not self._free(False):
            self._writing.enter()
        try:
            if not self._populated:
                self._populate()
            self._enqueue(_UPDATED, obj, cause)
        finally:
            self._release()

    def delete(self, obj: StoreObject, cause: int = 0) -> None:
        """Queue a deletion; raises `KeyFunctionError` or `TransformError`."""
        with self._writing:
            self._delete(obj, cause)

    @abstractmethod
    def _enqueue(self, type_: DeltaType, obj: StoreObject, cause: int, transforms: bool = True) -> str:
        """With the lock held, queue one delta; returns its key."""

    @abstractmethod
    def _delete(self, obj: StoreObject, cause: int) -> None: ...

    @abstractmethod
    def _is_empty(self) -> bool: ...

    @abstractmethod
    def depth(self) -> tuple[int, int, int]:
        """(keys, deltas, objects) waiting; no lock."""

    def _look_up(self, known: KnownObjects, key: str) -> KubeObject | None:
        """The stored object; None when there is none or the store fails."""
        try:
            return known.get_by_key(key)
        except Exception as error:
            _logger.warning("queue %s: the store failed to look up %s: %s", self.name, key, error)
            return None

    # keys and transform --------------------------------------------------------------------------------

    def key_of(self, obj: Any) -> str:
        """The key of an object, a tombstone, or the newest of some deltas; raises `KeyFunctionError`."""
        kind = type(obj)
        if kind is KubeObject and self._plain_keys:
            return obj.key  # type: ignore[no-any-return]
        if kind is DeletedFinalStateUnknown:
            return obj.key  # type: ignore[no-any-return]
        if kind is list or kind is tuple:
            if not obj:
                raise KeyFunctionError(obj, InformerError("0 length Deltas object; can't get key"))
            return self.key_of(obj[-1].object)
        try:
            return self._key_func(obj)
        except Exception as error:
            raise KeyFunctionError(obj, error) from error

    def _transformed(self, key: str, obj: Any) -> Any:
        """`obj` as the transform changes it; tombstones stay as they are."""
        transform, tap = self._transform, self._tap
        if transform is None or type(obj) is DeletedFinalStateUnknown:
            return obj
        try:
            changed = transform(obj)
            if changed is None:
                raise InformerError("it returned None instead of an object")
        except Exception as error:
            if tap is not None:
                what = f"{type(error).__name__}: {error}"[:500]
                tap.emit("queue.transform", self.name, key, False, what, False)
            raise TransformError(key, error) from error
        if tap is not None:
            lost = bool(version_in(obj)) and not version_in(changed)
            tap.emit("queue.transform", self.name, key, True, "", lost)
        return changed

    # waiting and closing -------------------------------------------------------------------------------

    def _await_work(self, block: bool) -> bool:
        """With the lock held: wait until there is something to take. False when not blocking and empty, or held."""
        may_idle = self._on_idle is not None
        while self._is_empty():
            if self._closed:
                raise QueueClosed
            if not block:
                return False
            self._waiting += 1
            try:
                notified = self._clock.wait(self._condition, IDLE_AFTER_S if may_idle else None)
            finally:
                self._waiting -= 1
            if may_idle and not notified:
                may_idle = self._idle()
        return self.gate is None or not self.gate.held

    def _idle(self) -> bool:
        """With the lock held, let go of it for idle work; False once that is all done."""
        assert self._on_idle is not None
        while self._is_empty() and not self._closed:
            self._lock.release()
            try:
                more = self._on_idle()
            finally:
                self._lock.acquire()
            if not more:
                return False
        return True

    def _wake(self) -> None:
        """With the lock held, after something was queued."""
        if self._waiting:
            self._condition.notify_all()

    def close(self) -> None:
        """No more waiting: poppers drain what is left, then get `QueueClosed`. Additions are still taken."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._tap is not None:
                self._tap.emit("queue.closed", self.name, self.depth()[0])
            self._condition.notify_all()

    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    # sync ----------------------------------------------------------------------------------------------

    def has_synced(self) -> bool:
        """Whether the first replace, or any single change before it, was taken out; never turns back."""
        return self._synced

    def on_synced(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when `has_synced` turns true, at once if it is; see the contract above."""
        with self._lock:
            if not self._synced:
                self._sync_callbacks.append(callback)
                return
        call_each((callback,))

    def _populate(self, initial_count: int = 0) -> None:
        """The queue has got its first content, of which `initial_count` entries make the first sync."""
        self._populated = True
        self._initial_count = self._initial_total = initial_count
        self._check_synced()

    def _count_down(self, entries: int) -> None:
        if self._initial_count > 0:
            self._initial_count -= entries
            self._check_synced()

    def _check_synced(self) -> None:
        if self._synced or self._initial_count > 0:
            return
        self._synced = True
        if self._tap is not None:
            self._tap.emit("queue.synced", self.name, self._initial_total)
        callbacks, self._sync_callbacks = self._sync_callbacks, []
        call_each(callbacks)

    # processing ----------------------------------------------------------------------------------------

    def _run(
        self,
        process: Callable[[Any, bool], None],
        deltas: Sequence[Delta],
        is_initial: bool,
        key: str,
        depth: int,
    ) -> None:
        """Call `process`, tell the tap, and log when it was slow while `depth` other entries wait."""
        tap = self._tap
        if tap is None and depth <= _SLOW_DEPTH:
            process(deltas, is_initial)
            return
        began = self._now()
        try:
            process(deltas, is_initial)
        except BaseException as error:
            if tap is not None:
                what = f"{type(error).__name__}: {error}"[:500]
                tap.emit("queue.processed", self.name, key, False, what, self._now() - began)
            raise
        ended = self._now()
        took = ended - began
        if tap is not None:
            tap.append((tap.next_seq(), ended, "queue.processed", self.name, get_ident(), key, True, "", took))
        if depth <= _SLOW_DEPTH:
            return
        slow_s = _SLOW_PROCESS_S if self.engine == "delta" else _SLOW_PROCESS_S * len(deltas)
        if took > min(slow_s, _SLOW_BATCH_LIMIT_S):
            _logger.info(
                "queue %s: processing %s took %.3f s while %d entries wait", self.name, key, took, depth
            )
