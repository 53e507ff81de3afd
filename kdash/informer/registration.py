"""The handle of one registered handler (client-go `ResourceEventHandlerRegistration`; SI-2, SI-16).

Contract: one registration for every call of `add_event_handler`, also when the same handler is registered
twice. All methods may be called from any thread; `shut_down` not from the handler itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kdash.informer.errors import InformerError
from kdash.informer.handlers import ResourceEventHandler
from kdash.informer.listener import ProcessorListener

if TYPE_CHECKING:
    from kdash.informer.handler_registry import HandlerRegistry

__all__ = ["HandlerRegistration"]


class HandlerRegistration:
    """What `add_event_handler` returns."""

    def __init__(self, registry: HandlerRegistry, listener: ProcessorListener, warning: str = "") -> None:
        self._registry = registry
        self.listener = listener
        """The buffer and thread behind the handle; the core's own."""
        self.warning = warning
        """Why the handler gets another resync period than it asked for; "" when it gets what it asked for."""

    def __repr__(self) -> str:
        return f"HandlerRegistration({self.name!r})"

    @property
    def name(self) -> str:
        """The handler's name, unique within its informer."""
        return self.listener.name

    @property
    def handler(self) -> ResourceEventHandler:
        return self.listener.handler

    @property
    def requested_period_s(self) -> float:
        """The resync period that was asked for, in seconds; 0: none."""
        return self.listener.asked_s

    @property
    def effective_period_s(self) -> float:
        """The resync period that the handler gets; 0: none."""
        return self.listener.effective_s

    @property
    def next_resync_at(self) -> float | None:
        """Monotonic instant from which the next tick reaches the handler; None when it gets no resync."""
        return self.listener.next_resync_at if self.listener.effective_s > 0 else None

    @property
    def crashes(self) -> int:
        """How many callbacks raised."""
        return self.listener.crashes

    def backlog(self) -> int:
        """Notifications that have not yet returned from the handler, the running one included."""
        return self.listener.backlog()

    def has_synced(self) -> bool:
        """The informer has synced and every initial add has returned from the handler (SY-3)."""
        return self.listener.tracker.has_synced()

    def is_done(self) -> bool:
        """`has_synced`, in the words of a `DoneChecker` for `wait_for`."""
        return self.has_synced()

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the handler has synced, at once if it has."""
        self.listener.tracker.on_synced(callback)

    def remove(self) -> None:
        """Take the handler off: its backlog is dropped, a running callback finishes by itself."""
        self._registry.remove(self)

    def shut_down(self, timeout_s: float | None = None) -> bool:
        """`remove`, then wait for the running callback; False when `timeout_s` passed first.

        Raises `InformerError` in the handler's own callback, where client-go would wait for ever.
        """
        if self.listener.is_own_thread():
            raise InformerError(f"handler {self.name} cannot wait for its own end: call remove() instead")
        self._registry.remove(self)
        return self.listener.join(timeout_s)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the handler's thread to end after `remove`."""
        return self.listener.join(timeout_s)
