"""Finds handlers that change cached objects (client-go `CacheMutationDetector`, MD-1).

Contract: off unless the environment says KUBE_CACHE_MUTATION_DETECTOR=true when an informer is made. When on,
every added or updated object is remembered with a copy of its content and compared once a second in a thread
of its own; a difference goes to `on_mutation`, by default an error in the log. Two generations are kept; the
older one is forgotten every two minutes. It keeps replaced objects alive for that long: a debugging aid.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from kdash.informer.clock import Clock

__all__ = ["COMPARE_PERIOD_S", "RETAIN_S", "MutationDetector"]

COMPARE_PERIOD_S = 1.0
RETAIN_S = 120.0

_logger = logging.getLogger(__name__)


def _content(obj: Any) -> tuple[Any, ...]:
    return (obj.namespace, obj.name, obj.uid, obj.resource_version, obj.to_json())


def _log(informer: str, key: str) -> None:
    _logger.error("informer %s: the cached object %s was changed in place", informer, key)


class MutationDetector:
    """Remembers objects and looks whether they are still what they were."""

    def __init__(self, informer: str, clock: Clock, on_mutation: Callable[[str, str], None] = _log) -> None:
        self._informer = informer
        self._clock = clock
        self._on_mutation = on_mutation
        self._wakeup = threading.Condition()  # guards the two generations, _stopped and _rotated_at
        self._current: list[tuple[Any, tuple[Any, ...]]] = []
        self._previous: list[tuple[Any, tuple[Any, ...]]] = []
        self._rotated_at = clock.monotonic()
        self._stopped = False
        self._thread: threading.Thread | None = None

    @classmethod
    def from_environment(cls, informer: str, clock: Clock) -> MutationDetector | None:
        """A detector when the environment asks for one, else None."""
        asked = os.environ.get("KUBE_CACHE_MUTATION_DETECTOR", "").lower() in ("1", "t", "true")
        return cls(informer, clock) if asked else None

    def add_object(self, obj: Any) -> None:
        """Remember an object that has just been put into the cache."""
        if hasattr(obj, "to_json"):
            content = _content(obj)
            with self._wakeup:
                self._current.append((obj, content))

    def compare(self) -> list[str]:
        """Look at everything remembered; report what has changed, once, and return the keys."""
        with self._wakeup:
            if self._clock.monotonic() - self._rotated_at > RETAIN_S:
                self._previous, self._current = self._current, []
                self._rotated_at = self._clock.monotonic()
            changed = [entry for entry in (*self._previous, *self._current) if _content(entry[0]) != entry[1]]
            if changed:  # each is reported once
                self._previous = [entry for entry in self._previous if entry not in changed]
                self._current = [entry for entry in self._current if entry not in changed]
        keys = [f"{content[0]}/{content[1]}".lstrip("/") for _, content in changed]
        for key in keys:
            self._on_mutation(self._informer, key)
        return keys

    def start(self) -> None:
        """Compare once a second until `stop`."""
        self._thread = threading.Thread(
            target=self._run, name=f"mutation detector {self._informer}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Compare for the last time and end the thread."""
        with self._wakeup:
            self._stopped = True
            self._wakeup.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            until = self._clock.monotonic() + COMPARE_PERIOD_S
            with self._wakeup:
                while not self._stopped and (left := until - self._clock.monotonic()) > 0:
                    self._clock.wait(self._wakeup, left)
            self.compare()
