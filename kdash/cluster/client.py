"""`ClusterClient`: the way to one API server, as a factory of informers needs it."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from kdash.cluster.discovery import Discovery
from kdash.cluster.list_watch import HttpListerWatcher
from kdash.cluster.resources import resolve, resolve_all
from kdash.cluster.rest_retry import repeat
from kdash.cluster.transport import Request, Transport
from kdash.informer.errors import DecodeError
from kdash.informer.limits import LARGEST_ERROR_BODY
from kdash.informer.list_watch import CancelToken
from kdash.informer.object_decoding import DECODING_ERRORS
from kdash.informer.resources import ResourceInfo

__all__ = ["ClusterClient"]


class ClusterClient:
    """Implements `kdash.informer.resources.Client`. Thread-safe; makes no request before it is asked
    something.
    """

    def __init__(self, transport: Transport, *, context: str = "", namespace: str = "default") -> None:
        self.context = context
        """Name of the kubeconfig context; "" for a plain URL, "in-cluster" inside a pod."""
        self.namespace = namespace
        """What `-n` defaults to."""
        self.server = transport.address
        """The server's URL, without any user name or password in it."""
        self.cancel = CancelToken()
        """Cancelled by `close`: ends what this client itself asks (discovery, version)."""
        self._transport = transport
        self._discovery = Discovery(transport)
        self._lock = threading.Lock()  # guards the use of _discovery

    def resources(self, *, refresh: bool = False) -> list[ResourceInfo]:
        """All that this server serves, subresources left out, preferred versions first."""
        with self._lock:
            return self._discovery.resources(self.cancel, refresh=refresh)

    def resolve(self, resource: str) -> ResourceInfo:
        """See `Client.resolve`. Discovers once, and once more when a name is unknown (a new CRD)."""
        return resolve(resource, self.resources, self.discovery_errors)

    def resolve_all(self, names: str) -> list[ResourceInfo]:
        """Several, separated by commas, in their order and without repetitions: `pods,svc`, `all`."""
        return resolve_all(names, self.resources, self.discovery_errors)

    def discovery_errors(self) -> dict[str, str]:
        """Groups that the server could not describe (a broken aggregated API), and why."""
        return dict(self._discovery.errors)

    def lister_watcher(
        self,
        resource: ResourceInfo,
        namespace: str = "",
        *,
        metadata_only: bool = False,
        informer: str = "",
        stall_s: float | None = None,
    ) -> HttpListerWatcher:
        """List and watch `resource`; `informer` labels what the tap tells about it."""
        return HttpListerWatcher(
            self._transport,
            resource,
            namespace,
            metadata_only=metadata_only,
            informer=informer,
            stall_s=stall_s,
        )

    def version(self) -> dict[str, Any]:
        """The server's `/version` document. Proves nothing about the credentials: anyone may read it."""
        request = Request("/version", purpose="version")
        answer = repeat(
            lambda attempt: self._transport.get(request, self.cancel, attempt),
            self._transport.clock,
            self.cancel,
            watching=False,
        )
        if answer.code != 200:
            raise answer.error()
        try:
            return msgspec.json.decode(answer.read_all(LARGEST_ERROR_BODY), type=dict[str, Any])
        except DECODING_ERRORS:
            raise DecodeError(
                f"{self.server} answered /version with something else; is it an API server?"
            ) from None

    def close(self) -> None:
        """End the client's own requests. Streams and lists end by their own cancel tokens."""
        self.cancel.cancel()
