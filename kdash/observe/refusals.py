"""What cannot be done on a recording, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from kdash.observe.door import Outcome, ScopeView
from kdash.probe.objects import ObjectRef

__all__ = ["Refusals"]


def _no(why: str) -> Outcome:
    return Outcome(False, f"this is a recording: {why}")


class Refusals:
    """The orders of `door.Observation` that need something that lives."""

    def resync_now(self, handler: str | None = None) -> Outcome:
        return _no("its resyncs are over; } goes to the next one")

    def relist(self) -> Outcome:
        return _no("there is no server to ask; ) goes to the next relist")

    def rewatch(self) -> Outcome:
        return _no("there is no server to watch")

    def set_resync_period(self, period_s: float, handler: str | None = None) -> Outcome:
        return _no("its periods were what they were")

    def register_again(self, handler: str, period_s: float) -> Outcome:
        return _no("its periods were what they were")

    def add_handler(self, name: str, delay_s: float = 0.0, period_s: float | None = None) -> Outcome:
        return _no("no handler can join what is over")

    def remove_handler(self, name: str) -> Outcome:
        return _no("its handlers cannot leave it")

    def reload_handler(self, name: str) -> Outcome:
        return _no("no handler runs")

    def set_slow_limit(self, limit_s: float, handler: str | None = None) -> Outcome:
        return _no("the limit is the one it was recorded with")

    def reset_figures(self, which: str) -> Outcome:
        return _no("its figures are what they were")

    def set_queue(self, engine: str) -> Outcome:
        return _no("its queue cannot be another one")

    def scope(self) -> ScopeView:
        return ScopeView()

    def set_scope(
        self, resources: tuple[str, ...] | None = None, namespace: str | None = None,
        all_namespaces: bool | None = None, label_selector: str | None = None, field_selector: str | None = None,
    ) -> Outcome:  # fmt: skip
        return _no("it holds what was observed then; filter the panes with /")

    def set_context(self, name: str) -> Outcome:
        return _no("leave it with q, then start kdash on the cluster")

    def demo_change(self, ref: ObjectRef | None = None) -> Outcome:
        return _no("nothing in it can be changed")

    def demo_fault(self, name: str) -> Outcome:
        return _no("there is no server to misbehave")

    def demo_menu(self) -> Mapping[str, str]:
        return {}

    def hold(self, stage: str = "all") -> Outcome:
        return _no("p pauses it, ] goes on by one event")

    def step(self, stage: str = "auto", handler: str | None = None) -> Outcome:
        return _no("] goes on by one event")

    def release(self) -> Outcome:
        return _no("p plays it")

    def record(self, path: str | None) -> Outcome:
        return _no("copy the file to have it twice")
