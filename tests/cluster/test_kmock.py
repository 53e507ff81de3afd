"""The informer against kmock, a mock API server of other hands: no versions, no bookmarks, no kinds in its lists."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import kmock
import pytest

from kdash.cluster import connect_url
from kdash.informer import SharedInformerFactory

PODS = "/api/v1/namespaces/default/pods"


class Kmock:
    """A kmock server in a thread of its own."""

    def __init__(self) -> None:
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="kmock")

    def __enter__(self) -> Kmock:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with kmock.KubernetesEmulator() as emulator, kmock.Server(emulator) as server:
            self.url = str(server.url).rstrip("/")
            self._ready.set()
            await self._over.wait()

    def send(self, verb: str, path: str, body: dict[str, Any] | None = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers, method=verb), timeout=30):
            pass


@pytest.fixture
def server() -> Iterator[Kmock]:
    with Kmock() as running:
        yield running


def pod(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}}


def test_an_informer_follows_a_kmock_server(server: Kmock) -> None:
    server.send("POST", PODS, pod("listed"))
    seen: list[tuple[str, str]] = []
    watching, over = threading.Event(), threading.Event()

    def changed(_: Any, obj: Any) -> None:
        seen.append(("update", obj.name))
        watching.set()

    def gone(obj: Any) -> None:
        seen.append(("delete", obj.name))
        over.set()

    factory = SharedInformerFactory(connect_url(server.url), watch_list=False)
    pods = factory.core.v1.pods().informer()
    pods.add_event_handler(
        on_add=lambda obj: seen.append(("add", obj.name)),
        on_update=changed,
        on_delete=gone,
    )
    factory.start()
    try:
        assert factory.wait_for_cache_sync(timeout=30)
        assert [obj.name for obj in pods.indexer.list()] == ["listed"]
        assert watching.wait(30)  # kmock begins every watch with all that it holds
        server.send("POST", PODS, pod("watched"))
        server.send("PATCH", f"{PODS}/watched", {"metadata": {"labels": {"a": "b"}}})
        server.send("DELETE", f"{PODS}/watched")
        assert over.wait(30)
    finally:
        factory.shutdown()
    assert [what for what, name in seen if name == "watched"] == ["add", "update", "delete"]
    assert [obj.name for obj in pods.indexer.list()] == ["listed"]
