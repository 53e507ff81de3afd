from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdash.cluster import connect_url
from kdash.cluster.client import ClusterClient
from kdash.cluster.list_watch import HttpListerWatcher
from kdash.informer.list_watch import CancelToken
from kdash.informer.resources import ResourceInfo
from kdash.informer.tap import RingTap, as_dict
from tests.cluster.scripted_server import Script, ScriptedServer

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
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def list_body(*names: str, rv: str = "100") -> str:
    items = [{k: v for k, v in config_map(n, rv).items() if k not in ("kind", "apiVersion")} for n in names]
    return json.dumps({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": rv}, "items": items})


def answers(body: str = list_body("a"), code: int = 200, **options: Any) -> Script:
    return lambda exchange: exchange.answer(body, code, **options)
