"""A check of the way to the cluster for `kdash doctor`: kubeconfig, connection, discovery, permissions.

Contract: sends only GET: what may be listed and watched is found by a list of one object and a watch of one second,
never by creating an access review. Nothing raises; every step is one finding with one sentence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdash.informer.errors import ApiStatusError, InformerError
from kdash.probe.text import clean, shorten

if TYPE_CHECKING:
    from kdash.cluster.client import ClusterClient
    from kdash.informer.resources import ResourceInfo

__all__ = ["Finding", "check_cluster"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    verdict: str
    """ok, warn or fail."""
    what: str
    sentence: str
    exit_code: int = 0
    """What a command would exit with because of it."""


def check_cluster(
    resources: Sequence[str], *, kubeconfig: str | None = None, context: str | None = None,
    namespace: str | None = None, all_namespaces: bool = False, **connection: Any,
) -> Iterator[Finding]:
    """Check step by step; ends with the first step that makes the next ones pointless."""
    from kdash.cluster import connect
    from kdash.cluster.errors import ConfigError, NoClusterConfig
    from kdash.cluster.kubeconfig import choose

    try:
        chosen = choose(kubeconfig, context, os.environ, Path.home())
    except NoClusterConfig as error:
        yield Finding("warn", "kubeconfig", f"{error}; `kdash demo` needs none")
        return
    except ConfigError as error:
        yield Finding("fail", "kubeconfig", str(error), error.exit_code)
        return
    yield Finding("ok", "kubeconfig", clean(f"{chosen.where or 'in-cluster'}: context {chosen.context or '-'}, "
                                            f"namespace {namespace or chosen.namespace}"))
    client: ClusterClient | None = None
    try:
        client = connect(kubeconfig, context, namespace=namespace, **connection)
        version = client.version()
        yield Finding("ok", "API server", clean(f"{client.server} answers: {version.get('gitVersion', '?')}"))
        for name in resources:
            yield from _check_resource(client, name, "" if all_namespaces else client.namespace)
    except (InformerError, OSError) as error:
        yield _failed("API server", error)
    finally:
        if client is not None:
            client.close()


def _check_resource(client: ClusterClient, name: str, namespace: str) -> Iterator[Finding]:
    try:
        infos = client.resolve_all(name)
    except (InformerError, OSError) as error:
        yield _failed(name, error)
        return
    for info in infos:
        where = namespace if info.namespaced else ""
        for verb, ask in (("list", _list), ("watch", _watch)):
            what = f"{verb} {info.name}" + (f" -n {clean(where)}" if where else "")
            yield _allowed(what, lambda ask=ask, info=info, where=where: ask(client, info, where))  # type: ignore[misc]


def _list(client: ClusterClient, info: ResourceInfo, namespace: str) -> None:
    from kdash.informer.list_watch import CancelToken, ListOptions

    client.lister_watcher(info, namespace, metadata_only=True).list(
        ListOptions(limit=1, resource_version="0"), CancelToken()
    )


def _watch(client: ClusterClient, info: ResourceInfo, namespace: str) -> None:
    from kdash.informer.list_watch import CancelToken, ListOptions

    cancel = CancelToken()
    stream = client.lister_watcher(info, namespace, metadata_only=True).watch(
        ListOptions(timeout_seconds=1, resource_version="0"), cancel
    )
    stream.stop()
    cancel.cancel()


def _allowed(what: str, ask: Callable[[], None]) -> Finding:
    try:
        ask()
    except ApiStatusError as error:
        if error.code in (401, 403):
            return Finding("fail", what, f"not allowed: ask for a role with verbs get, list, watch; "
                                         f"{shorten(str(error), 160)}", 4)
        return _failed(what, error)
    except (InformerError, OSError) as error:
        return _failed(what, error)
    return Finding("ok", what, "allowed")


def _failed(what: str, error: Exception) -> Finding:
    return Finding("fail", what, shorten(str(error), 300), int(getattr(error, "exit_code", 0) or 3))
