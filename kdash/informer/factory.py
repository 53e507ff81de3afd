"""One shared informer per resource (client-go `SharedInformerFactory`; FA-1 to FA-6).

Contract:
- Asking twice for a resource gives the same informer; its period and transform are those of the first time.
- `start` may be called again and again: it starts what is not running yet, and nothing after `shutdown`.
- `wait_for_cache_sync` covers the informers that were started, and no others.
- `shutdown` waits for every informer and its handlers. It ends those that were started without a stop token
  of the caller's; the others end when their token is cancelled.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from kdash.informer.builtin_resources import GROUP_ALIASES, attributes, lookup, versions
from kdash.informer.clock import Clock, SystemClock
from kdash.informer.errors import InformerError, StopRequested
from kdash.informer.identity import InformerName
from kdash.informer.indexer import NAMESPACE_INDEX, meta_namespace_index_func
from kdash.informer.informer_options import SharedIndexInformerOptions
from kdash.informer.list_watch import CancelToken, ListOptions, TweakedListerWatcher
from kdash.informer.listers import Lister
from kdash.informer.metrics import InformerMetricsProvider
from kdash.informer.objects import KubeObject
from kdash.informer.patience import STALL_AFTER_S, SYNC_PATIENCE_S
from kdash.informer.resources import Client, ResourceInfo
from kdash.informer.resync_periods import seconds
from kdash.informer.shared_informer import SharedIndexInformer
from kdash.informer.tap import Tap
from kdash.informer.wait import SyncResult, wait_for

__all__ = ["ResourceInformer", "SharedInformerFactory"]


class SharedInformerFactory:
    """Makes, starts and stops the informers of one client.

    `default_resync`: resync period of every informer whose resource is not in `custom_resync` (keys as
    kubectl writes them: `pods`, `deployments.apps`); 0: no resync. `namespace`: "" for all.
    `tweak_list_options` sees every list and watch. `transform` changes every object before it is cached.
    `metadata_only` asks the server for metadata alone. `max_cache` (kdash extension) bounds the bytes that a full state
    may take. `versions`: see `SharedIndexInformerOptions`.
    `relist_period` fetches the whole state from the server that often (0, as in client-go: never); a resync only
    replays the cache and asks the server nothing. `stall_after` is the shortest silence of a watch after which a second
    one is opened beside it, to find out whether the connection is dead (an extension; 0, as in client-go: never).
    `sync_patience` gives a streaming watch up for a list when neither an object nor the end marker came for so long
    (an extension; 0, as in client-go: never). `queue`: `delta`, `real` or `real-atomic`. Methods may be called
    from any thread.

    >>> from datetime import timedelta
    >>> from datetime import timedelta
    >>> from kdash.cluster import connect_url
    >>> factory = SharedInformerFactory(connect_url(SERVER), default_resync=timedelta(seconds=30))
    >>> pods = factory.core.v1.pods().informer()
    >>> seen = []
    >>> audit = pods.add_event_handler(
    ...     on_add=lambda pod: seen.append(pod.name),
    ...     on_update=lambda old, new: None,
    ...     on_delete=lambda pod: None,
    ...     resync_period=timedelta(minutes=5),
    ... )
    >>> deployments = factory.for_resource("deployments.apps").informer()
    >>> factory.start()
    >>> bool(factory.wait_for_cache_sync(timeout=timedelta(seconds=60)))
    True
    >>> len(pods.lister().list()) == len(pods.indexer.list_keys()) > 0
    True
    >>> factory.shutdown()
    True
    """

    def __init__(
        self,
        client: Client,
        default_resync: timedelta | float = 0.0,
        namespace: str = "",
        tweak_list_options: Callable[[ListOptions], ListOptions] | None = None,
        transform: Callable[[KubeObject], Any] | None = None,
        custom_resync: Mapping[str, timedelta | float] | None = None,
        *,
        queue: str = "delta",
        watch_list: bool = True,
        page_size: int = 0,
        max_cache: int = 0,
        metadata_only: bool = False,
        packed: bool = True,
        relist_period: timedelta | float = 0.0,
        crash_through: bool = False,
        stall_after: timedelta | float = STALL_AFTER_S,
        sync_patience: timedelta | float = SYNC_PATIENCE_S,
        name: InformerName | None = None,
        metrics: InformerMetricsProvider | None = None,
        tap: Tap | None = None,
        versions: Callable[[tuple[Any, ...]], None] | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.client = client
        self.namespace = namespace
        self._default_resync_s = seconds(default_resync) or 0.0
        self._custom_resync_s = {key: seconds(period) or 0.0 for key, period in (custom_resync or {}).items()}
        self._tweak_list_options = tweak_list_options
        self._transform = transform
        self._metadata_only = metadata_only
        self._name = name
        self._metrics = metrics
        self._clock: Clock = clock or SystemClock()
        self._common: dict[str, Any] = {
            "queue": queue, "watch_list": watch_list, "page_size": page_size, "packed": packed, "tap": tap,
            "max_cache": max_cache, "versions": versions,
            "relist_period_s": seconds(relist_period) or 0.0, "crash_through": crash_through, "rng": rng,
            "stall_after_s": seconds(stall_after) or 0.0, "sync_patience_s": seconds(sync_patience) or 0.0,
            "clock": self._clock,
        }  # fmt: skip
        self._lock = threading.Lock()  # guards _informers, _started and _shutting_down
        self._informers: dict[tuple[str, str, str], SharedIndexInformer] = {}
        self._started: dict[tuple[str, str, str], SharedIndexInformer] = {}
        self._shutting_down = False
        self._stop = CancelToken()

    def __getattr__(self, alias: str) -> _Group:
        if alias in GROUP_ALIASES:
            return _Group(self, alias)
        raise AttributeError(
            f"a SharedInformerFactory has no attribute or API group {alias!r}; "
            f"groups: {', '.join(GROUP_ALIASES)}"
        )

    def for_resource(self, resource: str | ResourceInfo) -> ResourceInformer:
        """The informer of whatever kubectl understands: `po`, `deployments.apps`, a CRD (client-go
        `ForResource`).

        A name is looked up at the server; raises `InformerError` when there is no such resource.
        """
        info = resource if isinstance(resource, ResourceInfo) else self.client.resolve(resource)
        return ResourceInformer(self, info)

    def informer_for(self, resource: ResourceInfo) -> SharedIndexInformer:
        """The informer of `resource`, made on first use (client-go `InformerFor`)."""
        identity = (resource.group, resource.version, resource.resource)
        with self._lock:
            informer = self._informers.get(identity)
            if informer is None:
                informer = self._informers[identity] = self._make(resource)
            return informer

    def _make(self, resource: ResourceInfo) -> SharedIndexInformer:
        lister_watcher = self.client.lister_watcher(
            resource, self.namespace, metadata_only=self._metadata_only
        )
        if self._tweak_list_options is not None:
            lister_watcher = TweakedListerWatcher(lister_watcher, self._tweak_list_options)
        metrics = None
        if self._name is not None and self._metrics is not None:
            identity = self._name.with_resource(resource)
            metrics = self._metrics.informer_metrics(identity) if identity.reserved else None
        informer = SharedIndexInformer(
            lister_watcher,
            SharedIndexInformerOptions(
                resource=resource,
                name=self._label(resource),
                resync_period_s=self._custom_resync_s.get(resource.name, self._default_resync_s),
                indexers={NAMESPACE_INDEX: meta_namespace_index_func},
                metrics=metrics,
                **self._common,
            ),
        )
        if self._transform is not None:
            informer.set_transform(self._transform)
        return informer

    def _label(self, resource: ResourceInfo) -> str:
        """`pods`; with the version when another version of the same resource is here already."""
        taken = {informer.name for informer in self._informers.values()}
        if resource.name not in taken:
            return resource.name
        return ".".join(part for part in (resource.resource, resource.version, resource.group) if part)

    def informers(self) -> dict[str, SharedIndexInformer]:
        """Every informer made so far, by name."""
        with self._lock:
            return {informer.name: informer for informer in self._informers.values()}

    @property
    def was_started(self) -> bool:
        """Whether `start` has started an informer."""
        return bool(self._started)

    def start(self, stop: CancelToken | None = None) -> None:
        """Start every informer that is not running yet; returns at once. After `shutdown` it does nothing.

        Without `stop` the informers run until `shutdown`.
        """
        with self._lock:
            if self._shutting_down:
                return
            for identity, informer in self._informers.items():
                if identity not in self._started:
                    self._started[identity] = informer
                    informer.start(stop or self._stop)

    def wait_for_cache_sync(
        self, timeout: timedelta | float | None = None, stop: CancelToken | None = None
    ) -> SyncResult:
        """Wait until every started informer has synced (client-go `WaitForCacheSync`).

        The result is true when all have; it maps their names to bool, and `as_error()` says what went wrong. Raises
        `InformerError` when none was started (client-go returns an empty map, which reads as synced).
        """
        with self._lock:
            started = list(self._started.values())
        if not started:
            raise InformerError("no informer was started: call start() before wait_for_cache_sync()")
        stop = stop or self._stop
        done = wait_for(stop, *started, timeout_s=seconds(timeout), clock=self._clock)
        error: InformerError | None = None
        if not done:
            error = StopRequested("stopped") if stop.cancelled else InformerError("the time is over")
        return SyncResult({informer.name: informer.has_synced() for informer in started}, error)

    def shutdown(self, timeout: timedelta | float | None = None) -> bool:
        """Stop and wait for every informer and handler; False when `timeout` passed first. May be repeated.

        With `crash_through` it raises what a handler raised, after everything has ended.
        """
        ended, crash = self._shut_down(timeout)
        if crash is not None:
            raise crash
        return ended

    def _shut_down(self, timeout: timedelta | float | None) -> tuple[bool, BaseException | None]:
        with self._lock:
            self._shutting_down = True
            started = list(self._started.values())
        self._stop.cancel()
        timeout_s = seconds(timeout)
        until = None if timeout_s is None else self._clock.monotonic() + timeout_s
        ended, crash = True, None
        for informer in started:
            left = None if until is None else max(0.0, until - self._clock.monotonic())
            try:
                ended = informer.join(left) and ended
            except BaseException as error:
                crash = crash or error
        if self._name is not None:
            self._name.release()
        return ended, crash

    def __enter__(self) -> SharedInformerFactory:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        _, crash = self._shut_down(None)
        if crash is not None and error is None:
            raise crash


class ResourceInformer:
    """One resource of a factory, e.g. `factory.core.v1.pods()` (client-go `PodInformer`, `GenericInformer`).
    """

    def __init__(self, factory: SharedInformerFactory, resource: ResourceInfo) -> None:
        self._factory = factory
        self.resource = resource

    def informer(self) -> SharedIndexInformer:
        """The shared informer; the factory starts it from now on."""
        return self._factory.informer_for(self.resource)

    def lister(self) -> Lister:
        """Reads the informer's cache; makes the informer if there is none yet.

        When the factory was started before, that informer is not running: reading raises `InformerError` until `start`
        was called again (client-go's lister finds nothing then, without a word).
        """
        informer = self.informer()
        return informer.lister() if not self._factory.was_started else informer.lister(once_started=True)


class _Group:
    """An API group of the built-in table."""

    def __init__(self, factory: SharedInformerFactory, alias: str) -> None:
        self._factory = factory
        self._alias = alias

    def __getattr__(self, version: str) -> _Version:
        known = versions(self._alias)
        if version in known:
            return _Version(self._factory, self._alias, version)
        raise AttributeError(
            f"API group {self._alias} has no version {version!r} here; known: {', '.join(known)}"
        )


class _Version:
    """A version of an API group; its attributes are the resources."""

    def __init__(self, factory: SharedInformerFactory, alias: str, version: str) -> None:
        self._factory = factory
        self._alias = alias
        self._version = version

    def __getattr__(self, plural: str) -> Callable[[], ResourceInformer]:
        resource = lookup(self._alias, self._version, plural)
        if resource is None:
            known = ", ".join(attributes(self._alias, self._version))
            raise AttributeError(
                f"{self._alias}/{self._version} has no resource {plural!r} here; known: {known}"
            )
        return lambda: ResourceInformer(self._factory, resource)
