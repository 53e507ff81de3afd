"""What a reflector does to its store, its tap and its log: the effects that have no answer.

Contract: `write` is called by the reflector's thread alone and holds no lock. A run of events costs one
call of the store and one record of the tap an event. An error that the store raises for one event is
logged and told to the tap; the event is lost until the next relist and the version moves on (RF-34).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any, Protocol, cast

from kdash.informer import reflector_effects as fx
from kdash.informer.errors import ApiStatusError, UnexpectedEOF, is_expired
from kdash.informer.objects import KubeObject
from kdash.informer.tap import Tap

__all__ = ["ReflectorStore", "ReflectorWriter", "WatchErrorHandler", "default_watch_error_handler"]

_logger = logging.getLogger(__name__)


class ReflectorStore(Protocol):
    """Where a reflector writes; a delta queue as a rule (client-go `ReflectorStore`).

    A store that also has `update_resource_version(version)` is told every version the reflector takes
    over (RF-29).
    """

    def add(self, obj: KubeObject, cause: int = 0) -> None: ...

    def update(self, obj: KubeObject, cause: int = 0) -> None: ...

    def delete(self, obj: KubeObject, cause: int = 0) -> None: ...

    def replace(self, objects: Sequence[KubeObject], resource_version: str, cause: int = 0) -> None: ...

    def resync(self, tick: int = 0) -> None: ...

    def bookmark(self, resource_version: str, cause: int = 0) -> None: ...


WatchErrorHandler = Callable[[Exception], None]
"""Told of failed lists, failed replaces and watches that could not be opened, from the reflector's
thread; not of errors inside a stream, 429 or a refused connection on a watch, nor of a watch-list that
falls back (RF-46)."""


def default_watch_error_handler(error: Exception) -> None:
    """Log the error (client-go `DefaultWatchErrorHandler`)."""
    if is_expired(error):
        _logger.debug("watch closed with: %s", error)
    elif isinstance(error, UnexpectedEOF):
        _logger.info("watch closed with unexpected EOF: %s", error)
    else:
        _logger.error("failed to watch: %s", error)


class ReflectorWriter:
    """Carries out Apply, ApplyBookmark, Reject, ReportError, Tell and Replace."""

    def __init__(
        self,
        store: ReflectorStore,
        *,
        name: str,
        tap: Tap | None,
        handle_error: WatchErrorHandler,
        stopping: Callable[[], bool],
    ) -> None:
        self._name = name
        self._store = store
        self._tap = tap
        self._handle_error = handle_error
        self._stopping = stopping
        self._update_version: Callable[[str], None] | None = getattr(store, "update_resource_version", None)
        self._cause = 0  # seq of the last record told
        self.on_bookmark: Callable[[], None] | None = None
        self.session = 0
        self.version = ""
        """Of the last event, list or bookmark handed to the store."""
        self._carry: dict[type, Callable[[Any], None]] = {
            fx.Apply: self._apply,
            fx.ApplyBookmark: self._apply_bookmark,
            fx.Reject: self._reject,
            fx.ReportError: self.report,
            fx.Tell: self._tell,
        }

    def write(self, effect: fx.Effect) -> bool:
        """Carry out an effect; False when it is none of the writer's."""
        carry = self._carry.get(type(effect))
        if carry is None:
            return False
        carry(effect)
        return True

    def replace(self, request: fx.Replace) -> fx.Input:
        """Hand the full state to the store."""
        version = request.resource_version
        try:
            self._store.replace(request.objects, version, self._cause)
        except Exception as error:
            return fx.ReplaceFailed(error)
        self._move(version)
        return fx.Replaced()

    def _move(self, version: str) -> None:
        self.version = version
        if self._update_version is not None:
            self._update_version(version)

    def _apply(self, effect: fx.Apply) -> None:
        store, tap, update_version = self._store, self._tap, self._update_version
        add, update, delete = store.add, store.update, store.delete
        name, session, moves = self._name, self.session, effect.moves_version
        version, cause, stopping, thread = self.version, 0, self._stopping, get_ident()
        for type_, obj, _, size, _ in cast("Sequence[tuple[str, KubeObject, Any, int, bool]]", effect.events):
            if stopping():
                break
            if tap is not None:
                cause = tap.next_seq()
                tap.append((
                    cause, tap.now(), "watch.event", name, thread, session, type_, obj.key, obj.uid,
                    obj.resource_version, version, size, True, "",
                ))  # fmt: skip
            try:
                if type_ == "MODIFIED":
                    update(obj, cause)
                elif type_ == "ADDED":
                    add(obj, cause)
                else:
                    delete(obj, cause)
            except Exception as error:
                self.report(fx.ReportError("store", error, False))
            if moves:
                version = obj.resource_version
                if update_version is not None:
                    update_version(version)
        self.version = version

    def _apply_bookmark(self, effect: fx.ApplyBookmark) -> None:
        event = effect.event
        version = event.object.resource_version if event.object is not None else ""
        if self.on_bookmark is not None:
            self.on_bookmark()
        cause = self._emit("watch.bookmark", version, event.initial_events_end)
        try:
            self._store.bookmark(version, cause)
        except Exception as error:
            self.report(fx.ReportError("store", error, False))
        self._move(version)

    def _reject(self, effect: fx.Reject) -> None:
        type_, obj, _, size, _ = effect.event
        key, uid, version = ("", "", "") if obj is None else (obj.key, obj.uid, obj.resource_version)
        _logger.info("reflector %s: a %s event was skipped: %s", self._name, type_, effect.reason)
        self._emit("watch.event", type_, key, uid, version, self.version, size, effect.counted, effect.reason)

    def report(self, effect: fx.ReportError) -> None:
        error = effect.error
        code, reason = (error.code, error.reason) if isinstance(error, ApiStatusError) else (0, "")
        message = str(error)[:500]
        self._emit("error", effect.stage, type(error).__name__, code, reason, message, effect.to_handler)
        if not effect.to_handler:
            _logger.info("reflector %s: %s: %s", self._name, effect.stage, message)
            return
        try:
            self._handle_error(error)
        except Exception:
            _logger.exception("reflector %s: the watch-error handler raised", self._name)

    def _tell(self, effect: fx.Tell) -> None:
        if self._tap is not None:
            self._cause = self._tap.emit(effect.kind, self._name, *effect.fields)

    def _emit(self, kind: str, *fields: Any) -> int:
        return 0 if self._tap is None else self._tap.emit(kind, self._name, self.session, *fields)
