"""`connect`: from a kubeconfig to a `ClusterClient`."""

from __future__ import annotations

import os
from pathlib import Path

from kdash.cluster.auth import Impersonation, KubeCredentials
from kdash.cluster.client import ClusterClient
from kdash.cluster.kubeconfig import choose
from kdash.cluster.transport import Timeouts, Transport
from kdash.informer.clock import Clock, SystemClock
from kdash.informer.tap import Tap

__all__ = ["connect_kubeconfig"]


def connect_kubeconfig(
    kubeconfig: str | None,
    context: str | None,
    *,
    namespace: str | None,
    impersonate: str,
    impersonate_groups: tuple[str, ...],
    tap: Tap | None,
    clock: Clock | None,
    request_timeout_s: float | None,
) -> ClusterClient:
    """See `kdash.cluster.connect`."""
    clock = clock or SystemClock()
    selection = choose(kubeconfig, context, os.environ, Path.home())
    credentials = KubeCredentials(selection, Impersonation(impersonate, "", impersonate_groups), clock)
    timeouts = Timeouts() if request_timeout_s is None else Timeouts(read_s=request_timeout_s)
    transport = Transport(selection.server, credentials, tap=tap, clock=clock, timeouts=timeouts)
    return ClusterClient(transport, context=selection.context, namespace=namespace or selection.namespace)
