"""A live observation: client, informers, handlers and recorder put together.

Contract: the `Observation` of `door`. `start` returns at once: connecting, discovery and the heavy imports
happen on the session's thread (see `session`), which tries again with growing pauses until it works, the observation
stops or the configuration proves wrong. The thread `kdash-probe` takes the tap's records 20 times a second.
Failures are states, never exceptions; what the caches hold stays visible meanwhile. Orders are in `orders`.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kdash.informer.clock import Clock, SystemClock
from kdash.informer.patience import STALL_AFTER_S, SYNC_PATIENCE_S
from kdash.informer.tap import RingTap, Tap
from kdash.observe.door import Look
from kdash.observe.frozen import Frozen
from kdash.observe.handlers import HandlerSpec, SleepingHandler, default_handlers, make_handler
from kdash.observe.microscope import Microscope
from kdash.observe.order_door import OrderDoor
from kdash.observe.orders import Orders
from kdash.observe.recording import Recordings
from kdash.observe.redact import decoded
from kdash.observe.scope import Contexts, Scoping, selecting, target_of
from kdash.observe.session import Session
from kdash.observe.summary import summary_of
from kdash.observe.versions import VersionFeed
from kdash.observe.watched_handler import WatchedHandler
from kdash.probe.build import Source, build
from kdash.probe.events import EventLog
from kdash.probe.objects import ObjectIndex, ObjectRef
from kdash.probe.recorder import Recorder
from kdash.probe.snapshot import AdviceView, ChangeView, Snapshot, StateView, VersionView

if TYPE_CHECKING:
    from kdash.cluster.client import ClusterClient
    from kdash.informer.factory import SharedInformerFactory
    from kdash.informer.handlers import ResourceEventHandler
    from kdash.informer.objects import KubeObject
    from kdash.informer.resources import ResourceInfo
    from kdash.informer.shared_informer import SharedIndexInformer
    from kdash.observe.demo_server import DemoHost
    from kdash.observe.metrics import MetricsServer

__all__ = ["Connector", "LiveObservation", "Wanted"]

Connector = Callable[[Tap], "ClusterClient"]
"""Makes the client; runs on the connecting thread, may raise `InformerError`s."""

_DRAIN_S = 0.05
_WRITE_OUT_S = 0.3
_HEAD = 12
_SUMMARIES_MAX = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to observe, and how."""

    resources: tuple[str, ...] = ("pods",)
    namespace: str | None = None
    """None: what the context says."""
    all_namespaces: bool = False
    label_selector: str = ""
    field_selector: str = ""
    resync_s: float = 30.0
    handlers: tuple[HandlerSpec, ...] = field(default_factory=default_handlers)
    queue: str = "delta"
    watch_list: bool = True
    metadata_only: bool = False
    page_size: int = 0
    stall_after_s: float = STALL_AFTER_S
    sync_patience_s: float = SYNC_PATIENCE_S
    max_cache: int = 0
    """Bytes that a full state may take, compressed; 0: no such bound."""
    slow_limit_s: float = 0.1
    seed: int | None = None
    transform: Callable[[KubeObject], Any] | None = None
    """Changes every object before it is queued."""


class LiveObservation(OrderDoor):
    """Observes resources of one API server."""

    def __init__(
        self, connect: Connector, wanted: Wanted, *, name: str = "", demo: DemoHost | None = None,
        banner: str = "", clock: Clock | None = None, contexts: Contexts | None = None,
    ) -> None:
        self.is_demo = demo is not None
        self.demo = demo
        self.recorder = Recorder(clock or SystemClock(), slow_limit_s=wanted.slow_limit_s)
        self.tap = RingTap(clock=self.recorder.clock)
        self.stopping = threading.Event()
        self.handlers: list[HandlerSpec] = list(wanted.handlers)
        self._connect = connect
        self._name = name
        self._banner = banner
        self._draining = threading.Lock()  # held while records are taken
        self._summaries: dict[ObjectRef, tuple[str, str]] = {}
        self._threads: list[threading.Thread] = []
        self._rng = random.Random(wanted.seed)
        self.session = Session(self, wanted, self.recorder.clock, self._rng)
        self.orders = Orders(self)
        self.scoping = Scoping(self, contexts)
        self.microscope = Microscope(self)
        self.recordings = Recordings(self)
        self._metrics: MetricsServer | None = None

    # the door --------------------------------------------------------------------------------------------

    @property
    def objects(self) -> ObjectIndex:
        return self.recorder.objects

    @property
    def events(self) -> EventLog:
        return self.recorder.events

    @property
    def wanted(self) -> Wanted:
        """What is observed."""
        return self.session.wanted

    @property
    def client(self) -> ClusterClient | None:
        """None before the connection stands."""
        return self.session.client

    def now(self) -> float:
        return self.recorder.clock.monotonic()

    @property
    def failure(self) -> StateView | None:
        """Why connecting was given up for good; None when it was not."""
        state = self.session.state
        return state if state is not None and state.word == "STOPPED" and state.exit_code else None

    def start(self) -> None:
        self.in_background(self._drain, "kdash-probe")
        self._threads.append(self.session.start())

    def stop(self, timeout_s: float = 1.0) -> None:
        until = self.now() + timeout_s
        self.stopping.set()
        client, factory = self.session.stop()
        if client is not None:
            client.close()
        if factory is not None:
            factory.shutdown(timeout=max(0.0, until - self.now()) * 0.7)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - self.now()))
        if self.demo is not None:
            self.demo.stop()
        if self._metrics is not None:
            self._metrics.stop()
        if self.recordings.view() is not None:
            self.recordings.end(max(_WRITE_OUT_S, until - self.now()))

    def activity(self) -> int:
        return self.recorder.taken

    def snapshot(self) -> Snapshot:
        picture, recordings = build(self.recorder, self.source()), self.recordings
        if self.demo is not None and (faults := self.demo.faults()):
            picture = replace(picture, api=replace(picture.api, faults=faults))
        recording, memory = recordings.view(), self.microscope.memory.view()
        if recording is None and not recordings.failure:
            return replace(picture, memory=memory)
        return replace(picture, memory=memory, recording=recording, recording_failure=recordings.failure)

    def freeze(self) -> Look:
        with self._draining:
            self._take()
            caches = {name: informer.indexer.items() for name, informer in self.informers().items()}
            return Frozen(self.snapshot(), self.recorder, caches, decoded)

    def source(self) -> Source:
        """What the tap does not tell."""
        connection = self.session.state
        if connection is None and self.stopping.is_set():
            connection = StateView("STOPPED", "stopped")
        return Source(self._name, self.is_demo, self._banner, connection, self._queue_head(), self._behind())

    def read_object(self, ref: ObjectRef) -> Mapping[str, Any] | None:
        obj = self._cached(ref)
        if obj is None:
            return None
        self.tap.emit("cache.read", ref.informer, "object", 1)
        return decoded(ref.informer, obj)

    def labels(self, ref: ObjectRef) -> Mapping[str, str]:
        return {} if (obj := self._cached(ref)) is None else obj.labels

    def summary(self, ref: ObjectRef) -> str:
        known = self._summaries.get(ref)
        row = self.objects.get(ref)
        if row is None:
            return ""
        if known is not None and known[0] == row.resource_version:
            return known[1]
        obj = self._cached(ref)
        if obj is None:
            return known[1] if known is not None else ""
        words = summary_of(decoded(ref.informer, obj))
        if len(self._summaries) >= _SUMMARIES_MAX:
            self._summaries.clear()
        self._summaries[ref] = (obj.resource_version, words)
        return words

    def history(self, ref: ObjectRef) -> tuple[VersionView, ...]:
        return self.microscope.history(ref)

    def version(self, ref: ObjectRef, number: int) -> Mapping[str, Any] | None:
        return self.microscope.version(ref, number)

    def changes(self, ref: ObjectRef, old: int, new: int) -> tuple[ChangeView, ...]:
        return self.microscope.changes(ref, old, new)

    def advice(self) -> tuple[AdviceView, ...]:
        return self.microscope.advice()

    def serve_metrics(self, port: int = 0) -> str:
        """Serve Prometheus metrics on 127.0.0.1 until the stop; returns the URL. Raises `BadValue`."""
        from kdash.observe.metrics import MetricsServer

        self._metrics = MetricsServer(self.snapshot, port)
        self.recorder.note(f"metrics at {self._metrics.url}")
        return self._metrics.url

    # what the orders need --------------------------------------------------------------------------------

    def informers(self) -> dict[str, SharedIndexInformer]:
        """The running informers by name; empty before the connection stands."""
        factory = self.session.factory
        return {} if factory is None else factory.informers()

    def register_handler(self, informer: SharedIndexInformer, spec: HandlerSpec) -> None:
        """Let a handler join an informer. Raises `BadValue` when the user's code does not make one."""
        seed = None if self.wanted.seed is None else self._rng.randrange(1 << 30)
        period_s = self.wanted.resync_s if spec.period_s is None else spec.period_s
        made = make_handler(spec, self.stopping, seed)
        handler: ResourceEventHandler = made
        if spec.code or spec.delay_s > 0:
            handler = WatchedHandler(handler, spec.name, informer.name, self.tap, self.microscope.sampler)
        self.recorder.describe_handler(informer.name, spec.name, spec.design, spec.slow_limit_s)
        registration = informer.add_event_handler(handler=handler, resync_period=period_s, name=spec.name)
        if isinstance(made, SleepingHandler):
            made.backlog = registration.backlog

    def in_background(self, work: Callable[[], object], name: str) -> threading.Thread:
        """Do what takes longer than an order may."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    # what the session asks (see `session.Builder`) --------------------------------------------------------

    def connect(self) -> ClusterClient:
        """A client of the server that is wanted now."""
        client = self._connect(self.tap)
        self._name = self._name or client.context or client.server
        self.tell(f"connected to {'the demo API server' if self.is_demo else self._name}", "APP")
        return client

    def ended(self, gone: list[ResourceInfo]) -> None:
        """Take the last records of informers that have ended; those that do not come back are forgotten."""
        self._drain_once()
        self.microscope.versions = VersionFeed()  # what a thread that is late still brings belongs to nobody
        for info in gone:
            self.recorder.forget(info.name)
        self._summaries.clear()

    def leave(self) -> None:
        """Another server comes."""
        if self.demo is not None:
            self.demo.stop()
        self.demo, self.is_demo, self._banner = None, False, ""

    def go_to(self, connect: Connector, name: str) -> None:
        """Connect in another way from now on; on the session's thread."""
        self._connect, self._name = connect, name

    def tell(self, text: str, category: str, fold: bool = False) -> None:
        """A line for the event log."""
        self.recorder.note(text, category, fold=fold)

    # threads ---------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        while not self.stopping.wait(_DRAIN_S):
            self._drain_once()
        records = self.tap.drain()
        self.recorder.guarded(self.recorder.take, records, what="the last records", records=len(records))

    def _drain_once(self) -> None:
        """Take what the tap holds; a step that fails costs only itself."""
        with self._draining:
            self._take()

    def _take(self) -> None:
        recorder, tap, microscope = self.recorder, self.tap, self.microscope
        versions = microscope.versions.take()  # before the records: then theirs are among them
        records = tap.drain()
        recorder.guarded(recorder.lost, tap.dropped)
        if records:
            recorder.guarded(recorder.take, records, what="the records", records=len(records))
        if versions:
            recorder.guarded(microscope.take_versions, versions, what="histories")
        recorder.guarded(recorder.tick)
        recorder.guarded(microscope.sample, what="handler samples")

    def build(self, client: ClusterClient, wanted: Wanted, infos: list[ResourceInfo]) -> SharedInformerFactory:
        """Make the informers and their handlers."""
        from kdash.informer.factory import SharedInformerFactory

        namespace = "" if wanted.all_namespaces else client.namespace
        if wanted.namespace is not None and not wanted.all_namespaces:
            namespace = wanted.namespace
        factory = SharedInformerFactory(
            client, wanted.resync_s, namespace, selecting(wanted), queue=wanted.queue,
            watch_list=wanted.watch_list, page_size=wanted.page_size, metadata_only=wanted.metadata_only,
            max_cache=wanted.max_cache, tap=self.tap, clock=self.recorder.clock, versions=self.microscope.versions.put,
            transform=wanted.transform, stall_after=wanted.stall_after_s, sync_patience=wanted.sync_patience_s,
        )  # fmt: skip
        for info in infos:
            self.recorder.register(target_of(info, namespace, wanted))
            informer = factory.for_resource(info).informer()
            for spec in self.handlers:
                self.register_handler(informer, spec)
            self.microscope.apply(informer)
        return factory

    # reading ---------------------------------------------------------------------------------------------

    def _cached(self, ref: ObjectRef) -> Any:
        informer = self.informers().get(ref.informer)
        return None if informer is None else informer.indexer.get_by_key(ref.key)

    def _behind(self) -> dict[str, int]:
        selects = bool(self.wanted.label_selector or self.wanted.field_selector)
        return {} if self.demo is None or selects else self.demo.behind(list(self.recorder.informers.states.values()))

    def _queue_head(self) -> list[tuple[str, tuple[str, ...], float]]:
        head: list[tuple[str, tuple[str, ...], float]] = []
        for informer in self.informers().values():
            queue = informer.queue
            if queue is not None and len(head) < _HEAD:
                with contextlib.suppress(RuntimeError):  # the queue changed while it was looked at
                    head += [(entry.key, entry.types, entry.waiting_since) for entry in queue.peek(_HEAD)]
        return head[:_HEAD]

