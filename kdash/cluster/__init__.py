"""The way to an API server: kubeconfig, credentials, HTTP, discovery.

    client = connect()                       # the cluster that kubectl would use
    client = connect_url("http://127.0.0.1:8001")   # a plain server: the demo, a test, `kubectl proxy`

Importing this package loads neither the kubernetes package nor a YAML parser; `connect` does, when a
kubeconfig is really used. Nothing here makes a request other than GET, prints, or writes to a kubeconfig.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdash.cluster.errors import ConfigError, CredentialError, NoClusterConfig, UnknownResource

if TYPE_CHECKING:
    from kdash.cluster.client import ClusterClient
    from kdash.informer.clock import Clock
    from kdash.informer.tap import Tap

__all__ = [
    "ConfigError",
    "CredentialError",
    "NoClusterConfig",
    "UnknownResource",
    "connect",
    "connect_url",
]


def connect(
    kubeconfig: str | Path | None = None,
    context: str | None = None,
    *,
    namespace: str | None = None,
    impersonate: str = "",
    impersonate_groups: Sequence[str] = (),
    tap: Tap | None = None,
    clock: Clock | None = None,
    request_timeout_s: float | None = None,
) -> ClusterClient:
    """The cluster that kubectl would use with the same `--kubeconfig`, `--context`, `-n`, `--as` and
    `--as-group`.

    Makes no request and runs no plugin yet. Raises `ConfigError`; `NoClusterConfig` when nothing names a
    cluster. `request_timeout_s` bounds the silence before and within an answer; watches have their own
    limits.
    """
    from kdash.cluster.kube_client import connect_kubeconfig

    return connect_kubeconfig(
        None if kubeconfig is None else str(kubeconfig),
        context,
        namespace=namespace,
        impersonate=impersonate,
        impersonate_groups=tuple(impersonate_groups),
        tap=tap,
        clock=clock,
        request_timeout_s=request_timeout_s,
    )


def connect_url(
    url: str,
    *,
    tap: Tap | None = None,
    clock: Clock | None = None,
    namespace: str = "default",
    request_timeout_s: float | None = None,
) -> ClusterClient:
    """A server that needs no credentials, by its URL. Ignores kubeconfig and proxy settings of the
    environment.
    """
    from kdash.cluster.client import ClusterClient
    from kdash.cluster.connection import new_pool
    from kdash.cluster.transport import NoCredentials, Timeouts, Transport

    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url!r} is no server address; it must begin with http:// or https://")
    timeouts = Timeouts() if request_timeout_s is None else Timeouts(read_s=request_timeout_s)
    transport = Transport(url, NoCredentials(new_pool()), tap=tap, clock=clock, timeouts=timeouts)
    return ClusterClient(transport, namespace=namespace)
