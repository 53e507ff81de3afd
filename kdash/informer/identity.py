"""Names of informers for metrics: unique in the process until they are released (client-go `identity.go`,
ME-2).

Contract: metrics are published only for an informer with a reserved name and resource. The first registration
of a resource under a name wins; a second one is silently left without metrics. Thread-safe.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from kdash.informer.errors import InformerError
from kdash.informer.resources import ResourceInfo

__all__ = ["InformerName", "InformerNameAndResource"]

_names_lock = threading.Lock()  # guards _names
_names: set[str] = set()


@dataclass(frozen=True, slots=True)
class InformerNameAndResource:
    """The identity of one informer in the metrics (client-go `InformerNameAndResource`)."""

    name: str
    resource: ResourceInfo
    reserved: bool
    """False when the resource was registered under this name before: then no metrics are published."""


class InformerName:
    """A name that no other informer name of the process has (client-go `InformerName`).

    Raises `InformerError` when the name is empty or taken. `release` gives it back, with all resources.
    """

    def __init__(self, name: str) -> None:
        if not name:
            raise InformerError("an informer name must not be empty")
        with _names_lock:
            if name in _names:
                raise InformerError(
                    f'informer name "{name}" is taken: release it first or choose another one'
                )
            _names.add(name)
        self.name = name
        self._lock = threading.Lock()  # guards _resources and _released
        self._resources: set[tuple[str, str, str]] = set()
        self._released = False

    def with_resource(self, resource: ResourceInfo) -> InformerNameAndResource:
        """Reserve `resource` under this name; the answer says whether it was the first to do so."""
        identity = (resource.group, resource.version, resource.resource)
        with self._lock:
            reserved = not self._released and identity not in self._resources
            if reserved:
                self._resources.add(identity)
        return InformerNameAndResource(self.name, resource, reserved)

    def release(self) -> None:
        """Give the name and its resources back; further calls do nothing."""
        with self._lock:
            if self._released:
                return
            self._released = True
            self._resources.clear()
        with _names_lock:
            _names.discard(self.name)
