"""The part of the door that takes orders: each goes to the object that carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kdash.observe.chaos import cause, change_something, menu
from kdash.observe.door import Outcome, ScopeView
from kdash.observe.handlers import HandlerSpec

if TYPE_CHECKING:
    from kdash.observe.demo_server import DemoHost
    from kdash.observe.microscope import Microscope
    from kdash.observe.orders import Orders
    from kdash.observe.recording import Recordings
    from kdash.observe.scope import Scoping
    from kdash.probe.objects import ObjectRef

__all__ = ["OrderDoor"]


class OrderDoor:
    """The orders of `door.Observation`."""

    is_replay = False
    demo: DemoHost | None
    orders: Orders
    microscope: Microscope
    recordings: Recordings
    scoping: Scoping

    def resync_now(self, handler: str | None = None) -> Outcome:
        return self.orders.resync_now(handler)

    def relist(self) -> Outcome:
        return self.orders.relist()

    def rewatch(self) -> Outcome:
        return self.orders.rewatch()

    def set_resync_period(self, period_s: float, handler: str | None = None) -> Outcome:
        return self.orders.set_resync_period(period_s, handler)

    def register_again(self, handler: str, period_s: float) -> Outcome:
        return self.orders.register_again(handler, period_s)

    def add_handler(self, name: str, delay_s: float = 0.0, period_s: float | None = None) -> Outcome:
        return self.orders.add_handler(HandlerSpec(name, delay_s, period_s=period_s))

    def remove_handler(self, name: str) -> Outcome:
        return self.orders.remove_handler(name)

    def set_slow_limit(self, limit_s: float, handler: str | None = None) -> Outcome:
        return self.orders.set_slow_limit(limit_s, handler)

    def reset_figures(self, which: str) -> Outcome:
        return self.orders.reset_figures(which)

    def set_queue(self, engine: str) -> Outcome:
        return self.orders.set_queue(engine)

    def record(self, path: str | None) -> Outcome:
        return self.recordings.stop() if path is None else self.recordings.start(path)

    def reload_handler(self, name: str) -> Outcome:
        return self.microscope.reload_handler(name)

    def scope(self) -> ScopeView:
        return self.scoping.view()

    def set_scope(
        self, resources: tuple[str, ...] | None = None, namespace: str | None = None,
        all_namespaces: bool | None = None, label_selector: str | None = None, field_selector: str | None = None,
    ) -> Outcome:
        return self.scoping.change(resources, namespace, all_namespaces, label_selector, field_selector)

    def set_context(self, name: str) -> Outcome:
        return self.scoping.change_context(name)

    def hold(self, stage: str = "all") -> Outcome:
        return self.microscope.hold(stage)

    def step(self, stage: str = "auto", handler: str | None = None) -> Outcome:
        return self.microscope.step(stage, handler)

    def release(self) -> Outcome:
        return self.microscope.release()

    def demo_change(self, ref: ObjectRef | None = None) -> Outcome:
        return self.orders.log(change_something(self.demo, ref))

    def demo_fault(self, name: str) -> Outcome:
        return self.orders.log(cause(self.demo, name))

    def demo_menu(self) -> Mapping[str, str]:
        return menu(self.demo)
