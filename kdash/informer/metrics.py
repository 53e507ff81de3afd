"""Hooks for the three metrics that client-go has for an informer (`informer_metrics.go`, ME-1).

Contract: the core calls a provider's methods with plain numbers, from its own threads and possibly under the
queue's lock: they must be quick and must not raise. Without a provider nothing is measured. The names under
which Kubernetes components publish them are in `METRIC_NAMES`; labels are name, group, version, resource.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kdash.informer.clock import Clock
from kdash.informer.identity import InformerNameAndResource
from kdash.informer.queue.protocol import Delta

__all__ = [
    "LATENCY_BUCKETS_S",
    "METRIC_NAMES",
    "InformerMetrics",
    "InformerMetricsProvider",
    "metered",
    "store_version_number",
]

METRIC_NAMES = {
    "queued_items": "informer_queued_items",
    "processing_latency": "informer_processing_latency_seconds",
    "store_resource_version": "informer_store_resource_version",
}

LATENCY_BUCKETS_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


class InformerMetrics(Protocol):
    """The metrics of one informer."""

    def queued_items(self, count: int) -> None:
        """Gauge: deltas waiting in the queue; set on each addition and each pop, under the queue's lock."""

    def processing_latency(self, seconds: float) -> None:
        """Histogram: how long one pop's processing took."""

    def store_resource_version(self, number: int) -> None:
        """Gauge: the store's resource version, its last 15 digits."""


class InformerMetricsProvider(Protocol):
    """Makes the metrics of an informer; called once for each reserved identity."""

    def informer_metrics(self, identity: InformerNameAndResource) -> InformerMetrics: ...


def store_version_number(resource_version: str) -> int | None:
    """The last 15 digits of a version, exact in a float; None when it is no number (client-go ts:542-552)."""
    return int(resource_version[-15:]) if resource_version.isascii() and resource_version.isdigit() else None


def metered(
    process: Callable[[Sequence[Delta], bool], None],
    metrics: InformerMetrics,
    store_version: Callable[[], str],
    clock: Clock,
) -> Callable[[Sequence[Delta], bool], None]:
    """`process` with its metrics: latency, and the store's version afterwards."""

    def process_and_measure(deltas: Sequence[Delta], is_in_initial_list: bool) -> None:
        began = clock.monotonic()
        try:
            process(deltas, is_in_initial_list)
        finally:
            metrics.processing_latency(clock.monotonic() - began)
            number = store_version_number(store_version())
            if number is not None:
                metrics.store_resource_version(number)

    return process_and_measure
