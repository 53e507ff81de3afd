"""Names of API resources, and the client a factory needs (a part of client-go's `rest.Interface` + RESTMapper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from kdash.informer.list_watch import ListerWatcher

__all__ = ["Client", "ResourceInfo"]


@dataclass(frozen=True, slots=True)
class ResourceInfo:
    """One served resource: group, version, plural name, kind and scope, as discovery tells them."""

    group: str
    version: str
    resource: str
    kind: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As kubectl writes it: `pods`, `deployments.apps`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "") -> str:
        """The collection's URL path, percent-encoded; `namespace` is ignored for cluster-scoped resources.

        >>> ResourceInfo("apps", "v1", "deployments", "Deployment", True).path("a/b")
        '/apis/apps/v1/namespaces/a%2Fb/deployments'
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/" + "/".join(quote(part, safe="") for part in (*parts, self.resource))


class Client(Protocol):
    """The way to one API server. Implemented by `kdash.cluster.ClusterClient`. Thread-safe."""

    def resolve(self, resource: str) -> ResourceInfo:
        """Find what kubectl would find for `pods`, `po`, `deploy`, `deployments.apps`, `deployments.v1.apps`, a kind
        or a CRD. Raises `InformerError` with the nearest names in its sentence when there is no such resource."""

    def lister_watcher(
        self, resource: ResourceInfo, namespace: str = "", *, metadata_only: bool = False
    ) -> ListerWatcher:
        """List and watch `resource`, in one namespace or ("") in all."""
