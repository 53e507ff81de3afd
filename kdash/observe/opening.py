"""Opening an observation: of a cluster, of the embedded demo server, or of the demo for want of a cluster.

Contract: nothing here connects or imports anything heavy; that happens on the observation's own threads after
`start`. The demo server runs in threads of its own and stops when the observation stops.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdash.informer.tap import Tap
from kdash.observe.demo_server import DemoHost
from kdash.observe.handlers import default_handlers
from kdash.observe.live import Connector, LiveObservation, Wanted

if TYPE_CHECKING:
    from kdash.cluster.client import ClusterClient

__all__ = [
    "DEMO_RESYNC_S",
    "NO_CLUSTER_BANNER",
    "KubeContexts",
    "open_cluster",
    "open_cluster_or_demo",
    "open_demo",
    "open_url",
]

DEMO_RESYNC_S = 10.0
"""The demo's resync period: short, so that something happens soon."""

NO_CLUSTER_BANNER = "no cluster found: demo server; set KUBECONFIG or give --kubeconfig to observe a real one"


def open_cluster(
    wanted: Wanted,
    *,
    kubeconfig: str | Path | None = None,
    context: str | None = None,
    impersonate: str = "",
    impersonate_groups: Sequence[str] = (),
    request_timeout_s: float | None = None,
) -> LiveObservation:
    """Observe the cluster that kubectl would use with the same options."""

    contexts = KubeContexts(kubeconfig, impersonate, impersonate_groups, request_timeout_s)

    def connect(tap: Tap) -> ClusterClient:
        return contexts.connect(tap, context, wanted.namespace)

    return LiveObservation(connect, wanted, name=context or "", contexts=contexts)


class KubeContexts:
    """The contexts of the kubeconfig that kubectl would use (see `scope.Contexts`)."""

    def __init__(
        self, kubeconfig: str | Path | None = None, impersonate: str = "", impersonate_groups: Sequence[str] = (),
        request_timeout_s: float | None = None,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._impersonate = impersonate
        self._impersonate_groups = impersonate_groups
        self._request_timeout_s = request_timeout_s

    def names(self) -> tuple[str, ...]:
        from kdash.cluster.kubeconfig import load

        explicit = None if self._kubeconfig is None else str(self._kubeconfig)
        config = load(explicit, os.environ, Path.home())
        current = config.current_context
        return (*([current] if current in config.contexts else []), *(n for n in config.contexts if n != current))

    def connector(self, name: str) -> Connector:
        return lambda tap: self.connect(tap, name)

    def connect(self, tap: Tap, context: str | None, namespace: str | None = None) -> ClusterClient:
        """Raises `InformerError`s."""
        from kdash.cluster import connect

        return connect(
            self._kubeconfig, context, namespace=namespace, impersonate=self._impersonate,
            impersonate_groups=self._impersonate_groups, tap=tap, request_timeout_s=self._request_timeout_s,
        )  # fmt: skip


def open_url(url: str, wanted: Wanted, *, name: str = "") -> LiveObservation:
    """Observe a server that needs no credentials, by its URL."""

    def connect(tap: Tap) -> ClusterClient:
        from kdash.cluster import connect_url

        return connect_url(url, tap=tap)

    return LiveObservation(connect, wanted, name=name or url)


def open_cluster_or_demo(wanted: Wanted, demo_wanted: Wanted, **connection: Any) -> LiveObservation:
    """`open_cluster`; the demo with a banner when nothing on this machine names a cluster."""
    from kdash.cluster.errors import ConfigError, NoClusterConfig
    from kdash.cluster.kubeconfig import choose

    try:
        choose(connection.get("kubeconfig"), connection.get("context"), os.environ, Path.home())
    except NoClusterConfig:
        return open_demo(demo_wanted, banner=NO_CLUSTER_BANNER)
    except ConfigError:  # told by the observation itself, as a state with an exit code
        pass
    return open_cluster(wanted, **connection)


def open_demo(
    wanted: Wanted | None = None,
    *,
    objects: int | None = None,
    rate: float | None = None,
    seed: int | None = None,
    scenario: str | None = None,
    port: int = 0,
    faults: Sequence[str] = (),
    banner: str = "",
) -> LiveObservation:
    """Observe the embedded API server, which runs in this process and stops with the observation.

    A server that was asked for something special starts here, so that a wrong wish is an error at once:
    raises `BadValue` for an unknown scenario or fault and OSError for a port that is taken.
    """
    host = DemoHost(objects=objects, rate=rate, seed=seed, scenario=scenario, port=port, faults=faults)
    if scenario is not None or port or faults:
        host.start()
    wanted = wanted or Wanted(
        resync_s=DEMO_RESYNC_S, all_namespaces=True, seed=seed, handlers=default_handlers(demo=True)
    )

    def connect(tap: Tap) -> ClusterClient:
        from kdash.cluster import connect_url

        return connect_url(host.start().url, tap=tap)

    return LiveObservation(connect, wanted, name="demo", demo=host, banner=banner, contexts=KubeContexts())
