"""Other people's clients on the embedded server: the official Python client, its asyncio half, and kr8s."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kr8s.asyncio
import kubernetes.aio.client
import kubernetes.aio.config
import kubernetes.aio.watch
import pytest
from kubernetes import client, config, dynamic, informer, watch
from kubernetes.client.exceptions import ApiException

from kdash.demo import ApiServer, Fault
from tests.demo.http_peer import add, change, served

TIME_OUT_S = 20.0


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with served() as (server, _):
        for name in ("a", "b", "c"):
            add(server, name, data={"v": "0"})
        yield server


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> str:
    return str(server.write_kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def core(kubeconfig: str) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(kubeconfig))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIME_OUT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)


def contents(server: ApiServer) -> dict[str, str]:
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in server.storage.list("configmaps")}


# -- the official client -----------------------------------------------------------------------------------


def test_the_official_client_reads_and_writes(core: client.CoreV1Api) -> None:
    made = core.create_namespaced_config_map("default", {"metadata": {"name": "new"}, "data": {"k": "1"}})
    assert made.metadata.resource_version
    core.patch_namespaced_config_map("new", "default", {"data": {"k": "2"}})
    assert core.read_namespaced_config_map("new", "default").data == {"k": "2"}
    core.delete_namespaced_config_map("new", "default")
    with pytest.raises(ApiException) as missing:
        core.read_namespaced_config_map("new", "default")
    assert (missing.value.status, missing.value.reason) == (404, "Not Found")


def test_the_official_client_lists_in_pages(core: client.CoreV1Api) -> None:
    first = core.list_namespaced_config_map("default", limit=2)
    rest = core.list_namespaced_config_map("default", limit=2, _continue=first.metadata._continue)
    assert [item.metadata.name for item in [*first.items, *rest.items]] == ["a", "b", "c"]
    assert (first.metadata.remaining_item_count, rest.metadata._continue) == (1, None)


def test_the_official_watch_follows_changes(server: ApiServer, core: client.CoreV1Api) -> None:
    version = core.list_namespaced_config_map("default").metadata.resource_version
    change(server, "a", "1")
    server.storage.delete("configmaps", "default", "b")
    add(server, "d")
    stream = watch.Watch().stream(core.list_namespaced_config_map, "default", resource_version=version,
                                  timeout_seconds=1)  # fmt: skip
    assert [(event["type"], event["object"].metadata.name) for event in stream] == [
        ("MODIFIED", "a"), ("DELETED", "b"), ("ADDED", "d")]


def test_the_official_watch_meets_410_as_an_exception(server: ApiServer, core: client.CoreV1Api) -> None:
    version = str(server.storage.current_version)
    change(server, "a", "1")
    server.storage.expire_history()
    with pytest.raises(ApiException) as expired:
        list(watch.Watch().stream(core.list_namespaced_config_map, "default", resource_version=version,
                                  timeout_seconds=1))
    assert expired.value.status == 410


def test_the_dynamic_client_discovers_reads_and_watches(server: ApiServer, kubeconfig: str) -> None:
    cluster = dynamic.DynamicClient(config.new_client_from_config(kubeconfig))
    kinds = cluster.resources.get(api_version="v1", kind="ConfigMap")
    assert [item.metadata.name for item in kinds.get(namespace="default").items] == ["a", "b", "c"]
    version = str(server.storage.current_version)
    change(server, "c", "1")
    event = next(iter(kinds.watch(namespace="default", resource_version=version, timeout=1)))
    assert (event["type"], event["object"].metadata.name) == ("MODIFIED", "c")
    assert cluster.resources.get(api_version="apps/v1", kind="Deployment").name == "deployments"


@pytest.mark.parametrize("fault", [None, "close-watches", "drop-connections", "expire-watches"])
def test_the_shared_informer_has_what_the_storage_has(server: ApiServer, core: client.CoreV1Api, fault: str) -> None:
    seen: list[tuple[str, str]] = []
    shared = informer.SharedInformer(core.list_namespaced_config_map, namespace="default")
    for type_ in (informer.ADDED, informer.MODIFIED, informer.DELETED):
        shared.add_event_handler(type_, lambda obj, type_=type_: seen.append((type_, obj.metadata.name)))
    shared.start()
    try:
        wait_until(lambda: len(shared.cache.list()) == 3 and len(server.watches) == 1)
        if fault is not None:
            server.faults.add(Fault(fault))
        change(server, "a", "1")
        server.storage.delete("configmaps", "default", "b")
        add(server, "d")
        wait_until(lambda: {item.metadata.name: item.metadata.resource_version
                            for item in shared.cache.list()} == contents(server))
        wait_until(lambda: {("ADDED", "d"), ("DELETED", "b")} <= set(seen))  # handlers are called after the cache
    finally:
        shared.stop()


# -- its asyncio half --------------------------------------------------------------------------------------


def test_the_asyncio_watch_follows_changes(server: ApiServer, kubeconfig: str) -> None:
    async def follow() -> list[tuple[str, str]]:
        await kubernetes.aio.config.load_kube_config(kubeconfig)
        async with kubernetes.aio.client.ApiClient() as api:
            core = kubernetes.aio.client.CoreV1Api(api)
            version = (await core.list_namespaced_config_map("default")).metadata.resource_version
            change(server, "a", "1")
            add(server, "d")
            seen = []
            async with kubernetes.aio.watch.Watch().stream(
                core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=1
            ) as stream:
                async for event in stream:
                    seen.append((event["type"], event["object"].metadata.name))  # noqa: PERF401
            return seen

    assert asyncio.run(follow()) == [("MODIFIED", "a"), ("ADDED", "d")]


# -- kr8s --------------------------------------------------------------------------------------------------


def test_kr8s_lists_watches_and_writes(server: ApiServer, kubeconfig: str) -> None:
    async def use() -> tuple[list[str], list[tuple[str, str]], Any]:
        api = await kr8s.asyncio.api(kubeconfig=kubeconfig)
        names = [item.name async for item in api.get("configmaps", namespace="default")]
        seen: list[tuple[str, str]] = []
        made = await kr8s.asyncio.objects.ConfigMap({"metadata": {"name": "k", "namespace": "default"}}, api=api)
        await made.create()
        await made.patch({"data": {"x": "1"}})
        async for type_, item in api.watch("configmaps", namespace="default"):
            seen.append((type_, item.name))
            if len(seen) == 4:
                change(server, "a", "1")
            if len(seen) == 5:
                break
        await made.delete()
        return names, seen, await made.exists()

    names, seen, exists = asyncio.run(asyncio.wait_for(use(), TIME_OUT_S))
    assert names == ["a", "b", "c"]
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c"), ("ADDED", "k"), ("MODIFIED", "a")]
    assert exists is False
    assert server.storage.get("configmaps", "default", "k") is None
