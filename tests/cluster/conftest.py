from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdash.cluster import connect_url
from kdash.cluster.client import ClusterClient
from kdash.cluster.connection import new_pool
from kdash.cluster.list_watch import HttpListerWatcher
from kdash.cluster.transport import NoCredentials, Request, Timeouts, Transport
from kdash.informer.list_watch import CancelToken
from kdash.informer.resources import ResourceInfo
from kdash.informer.tap import RingTap, as_dict
from tests.cluster.scripted_server import Script, ScriptedServer

LIST = Request("/api/v1/configmaps", [("limit", "500")])
CONFIG_MAPS = ResourceInfo("", "v1", "configmaps", "ConfigMap", True, verbs=("list", "watch"))


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    with contextlib.ExitStack() as stack:
        yield lambda *scripts, **options: stack.enter_context(ScriptedServer(*scripts, **options))


@pytest.fixture
def tap() -> RingTap:
    return RingTap()


@pytest.fixture
def cancel() -> Iterator[CancelToken]:
    token = CancelToken()
    yield token
    token.cancel()


class Setting:
    """A client, its lister-watcher for config maps and the server it talks to."""

    def __init__(self, server: ScriptedServer, tap: RingTap, **options: Any) -> None:
        self.server = server
        self.tap = tap
        self.client: ClusterClient = connect_url(server.url, tap=tap, **options)
        self.lister_watcher: HttpListerWatcher = self.client.lister_watcher(CONFIG_MAPS)

    def records(self, *kinds: str) -> list[dict[str, Any]]:
        return [d for r in self.tap.drain() if (d := as_dict(r))["kind"] in kinds]


@pytest.fixture
def setting(serve: Callable[..., ScriptedServer], tap: RingTap) -> Callable[..., Setting]:
    return lambda *scripts, **options: Setting(serve(*scripts), tap, **options)


def config_map(name: str, rv: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": rv}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, **more}


def line(kind: str, obj: dict[str, Any]) -> bytes:
    return (
        json.dumps({"type": kind, "object": obj}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    )


def list_body(*names: str, rv: str = "100") -> str:
    items = [{k: v for k, v in config_map(n, rv).items() if k not in ("kind", "apiVersion")} for n in names]
    return json.dumps(
        {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": rv}, "items": items}
    )


def answers(body: str = list_body("a"), code: int = 200, **options: Any) -> Script:
    return lambda exchange: exchange.answer(body, code, **options)


def plain_transport(url, tap=None, **timeouts):
    return Transport(url, NoCredentials(new_pool()), tap=tap, timeouts=Timeouts(**timeouts))


def ends(tap):
    return [as_dict(r) for r in tap.drain() if r[2] == "api.end"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def full_backlog():
    """A listening socket whose queue is full, so that further connects hang."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    clients = []
    for _ in range(3):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        clients.append(client)
    return listener, clients


def run_and_cancel(action, ready):
    """Cancel `action(token)`, which runs in another thread, once `ready()` returned; what it raised."""
    token, raised = CancelToken(), []

    def run():
        try:
            action(token)
        except BaseException as e:
            raised.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    ready()
    token.cancel()
    thread.join(10)
    assert not thread.is_alive(), "the cancelled request is still blocked"
    return raised[0] if raised else None
