"""Prometheus metrics of an observation, for `--metrics PORT`: client-go's names, then kdash's own.

Contract: needs the extra `metrics` (prometheus-client); served on 127.0.0.1 only, and to no web page, from a thread of
its own. Every scrape takes one snapshot; nothing is counted twice and nothing is kept. Names that client-go registers
have its meaning; its reflector metrics, which its code defines and never feeds, are fed here from the tap.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from kdash.demo.local_only import refusal_of
from kdash.observe.parse import BadValue
from kdash.probe.snapshot import BucketView, HandlerView, InformerView, Snapshot
from kdash.probe.text import clean

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["MetricsServer"]


class MetricsServer:
    """Serves `/metrics` until `stop`. Raises `BadValue` when the extra is missing or the port is taken."""

    def __init__(self, snapshot: Callable[[], Snapshot], port: int = 0) -> None:
        try:
            from prometheus_client import CollectorRegistry, make_wsgi_app
        except ImportError:
            raise BadValue("--metrics needs prometheus-client: install kdash[metrics]") from None
        registry = CollectorRegistry()
        registry.register(_Collector(snapshot))
        try:
            self._server = make_server("127.0.0.1", port, _local_only(make_wsgi_app(registry)), _Server, _Quiet)
        except OSError as error:
            raise BadValue(f"--metrics: port {port} cannot be used: {error.strerror or error}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="kdash-metrics", daemon=True)
        self._thread.start()
        self.port = int(self._server.server_port)
        self.url = f"http://127.0.0.1:{self.port}/metrics"

    def stop(self) -> None:
        """End the server; any number of times."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1.0)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is written to the terminal."""


def _local_only(app: WSGIApplication) -> WSGIApplication:
    """Answers nobody but programs on this machine (see `kdash.demo.local_only`)."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        why = refusal_of(environ["REQUEST_METHOD"], environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN"))
        if why:
            start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{why}\n".encode()]
        return app(environ, start_response)

    return answer


class _Collector:
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> list[Any]:
        """Nothing is known before the first scrape."""
        return []

    def collect(self) -> Iterator[Any]:
        picture = self._snapshot()
        yield from _of_informers(picture)
        yield from _of_handlers(picture)
        yield from _of_kdash(picture)


_INFORMER_LABELS = ["name", "group", "version", "resource"]
_HANDLER_LABELS = ["handler", "informer"]


def _labels(informer: InformerView) -> list[str]:
    resource, _, group = informer.name.partition(".")
    return ["kdash", group, informer.version, resource]


def _gauge(name: str, text: str, labels: list[str], rows: list[tuple[list[str], float]]) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in rows:
        family.add_metric([clean(each) for each in values], value)
    return family


def _counter(name: str, text: str, labels: list[str], rows: list[tuple[list[str], float]]) -> Any:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, text, labels=labels)
    for values, value in rows:
        family.add_metric([clean(each) for each in values], value)
    return family


def _add_bars(family: Any, labels: list[str], bars: Sequence[BucketView], mean_s: float) -> None:
    below, buckets = 0, []
    for bar in bars:
        below += bar.total
        buckets.append(("+Inf" if math.isinf(bar.below_s) else str(bar.below_s), below))
    if buckets:
        family.add_metric([clean(each) for each in labels], buckets, mean_s * below)


def _of_informers(picture: Snapshot) -> Iterator[Any]:
    from prometheus_client.core import HistogramMetricFamily

    def rows(value: Callable[[InformerView], float]) -> list[tuple[list[str], float]]:
        return [(_labels(informer), value(informer)) for informer in picture.informers]

    yield _gauge("informer_queued_items", "Items in the informer's queue (client-go).", _INFORMER_LABELS,
                 rows(lambda informer: informer.queued))  # fmt: skip
    yield _gauge("informer_store_resource_version", "Version of the cache, its last 15 digits (client-go).",
                 _INFORMER_LABELS, rows(lambda informer: _version(informer.resource_version)))  # fmt: skip
    latency = HistogramMetricFamily(
        "informer_processing_latency_seconds", "How long the processing of one entry took (client-go).",
        labels=_INFORMER_LABELS,
    )  # fmt: skip
    for informer in picture.informers:
        _add_bars(latency, _labels(informer), informer.processing, informer.processing_mean_s)
    yield latency
    yield _counter("reflector_lists", "Full states fetched (client-go).", _INFORMER_LABELS,
                   rows(lambda informer: informer.lists))  # fmt: skip
    yield _counter("reflector_watches", "Watches opened (client-go).", _INFORMER_LABELS,
                   rows(lambda informer: informer.watches))  # fmt: skip
    yield _counter("reflector_short_watches", "Watches that ended at once and empty (client-go).", _INFORMER_LABELS,
                   rows(lambda informer: informer.short_watches))  # fmt: skip
    yield _gauge("reflector_watch_duration_seconds", "How long the last ended watch took (client-go: a summary).",
                 _INFORMER_LABELS, rows(lambda informer: informer.last_watch_s))  # fmt: skip
    yield _gauge("reflector_items_per_watch", "Events of the last ended watch (client-go: a summary).",
                 _INFORMER_LABELS, rows(lambda informer: informer.last_watch_events))  # fmt: skip
    yield _gauge("reflector_last_resource_version", "Version of the newest event (client-go).", _INFORMER_LABELS,
                 rows(lambda informer: _version(informer.resource_version)))  # fmt: skip
    yield _gauge("reflector_list_duration_seconds", "How long the last list took (client-go: a summary).",
                 _INFORMER_LABELS, rows(lambda informer: informer.last_list_s or 0.0))  # fmt: skip
    yield _gauge("reflector_items_per_list", "Items of the last list (client-go: a summary).", _INFORMER_LABELS,
                 rows(lambda informer: informer.last_list_items))  # fmt: skip
    yield _gauge("kdash_informer_objects", "Objects in the cache.", _INFORMER_LABELS,
                 rows(lambda informer: informer.objects))  # fmt: skip
    yield _gauge("kdash_informer_synced", "1 once the first state is in the cache.", _INFORMER_LABELS,
                 rows(lambda informer: informer.synced))  # fmt: skip
    yield _counter("kdash_informer_relists", "States fetched after the first.", _INFORMER_LABELS,
                   rows(lambda informer: informer.relists))  # fmt: skip
    yield _counter("kdash_informer_bookmarks", "Bookmarks received.", _INFORMER_LABELS,
                   rows(lambda informer: informer.bookmarks))  # fmt: skip


def _version(text: str) -> float:
    digits = text[-15:]
    return float(digits) if digits.isdigit() else 0.0


def _of_handlers(picture: Snapshot) -> Iterator[Any]:
    from prometheus_client.core import HistogramMetricFamily

    def rows(value: Callable[[HandlerView], float]) -> list[tuple[list[str], float]]:
        return [([handler.name, handler.informer], value(handler)) for handler in picture.handlers]

    calls = [
        ([handler.name, handler.informer, callback.callback], float(callback.run.count))
        for handler in picture.handlers for callback in handler.callbacks
    ]
    yield _counter("kdash_handler_calls", "Calls that ended.", [*_HANDLER_LABELS, "callback"], calls)
    yield _counter("kdash_handler_errors", "Calls that raised.", _HANDLER_LABELS, rows(lambda h: h.errors))
    yield _gauge("kdash_handler_pending", "Notifications that wait.", _HANDLER_LABELS, rows(lambda h: h.pending))
    yield _gauge("kdash_handler_oldest_pending_seconds", "Age of the oldest waiting notification.", _HANDLER_LABELS,
                 rows(lambda h: 0.0 if h.oldest_pending_at is None else max(0.0, picture.mono - h.oldest_pending_at)))
    yield _gauge("kdash_handler_busy_ratio", "Share of the last seconds spent in callbacks.", _HANDLER_LABELS,
                 rows(lambda h: h.busy))
    yield _gauge("kdash_handler_synced", "1 once every initial add has returned.", _HANDLER_LABELS,
                 rows(lambda h: h.synced))
    run = HistogramMetricFamily("kdash_handler_run_seconds", "Run time of callbacks.", labels=_HANDLER_LABELS)
    for handler in picture.handlers:
        _add_bars(run, [handler.name, handler.informer], handler.buckets, handler.mean_s)
    yield run
    quantiles = []
    for handler in picture.handlers:
        values = (("0.5", handler.end_to_end.p50_s), ("0.95", handler.end_to_end.p95_s),
                  ("0.99", handler.end_to_end.p99_s))  # fmt: skip
        quantiles += [([handler.name, handler.informer, quantile], value) for quantile, value in values]
    yield _gauge("kdash_handler_end_to_end_seconds", "From the event's arrival to the callback's return.",
                 [*_HANDLER_LABELS, "quantile"], quantiles)


def _of_kdash(picture: Snapshot) -> Iterator[Any]:
    api, pipeline = picture.api, picture.pipeline
    yield _counter("kdash_api_requests", "Requests to the API server.", [], [([], api.requests)])
    yield _counter("kdash_api_received_bytes", "Bytes received.", [], [([], api.bytes)])
    yield _counter("kdash_watch_events", "Watch events.", [], [([], pipeline.watch_total)])
    yield _counter("kdash_queue_pops", "Entries taken out of the queues.", [], [([], pipeline.pop_total)])
