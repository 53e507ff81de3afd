"""The library's informers against a real kube-apiserver: outages, lost history, many objects, several informers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from kdash.cluster import connect
from kdash.informer import SharedIndexInformer, SharedInformerFactory
from tests.real.conftest import RealServer
from tests.real.test_real_server import config_map, pod, until, versions

pytestmark = [pytest.mark.real_apiserver, pytest.mark.timeout(300)]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def factory(real_server: RealServer) -> Iterator[SharedInformerFactory]:
    made = SharedInformerFactory(connect(real_server.kubeconfig, context="admin"))
    yield made
    made.shutdown()


def cached(informer: SharedIndexInformer) -> dict[str, str]:
    return {obj.key: obj.resource_version for obj in informer.indexer.list()}


def deployment(name: str) -> dict[str, object]:
    labels = {"app": name}
    container = {"name": "main", "image": "registry.invalid/none"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}}  # fmt: skip


def test_history_compacted_during_an_outage_is_listed_anew(
    real_server: RealServer, factory: SharedInformerFactory
) -> None:
    deleted: list[str] = []
    maps = factory.core.v1.config_maps().informer()
    maps.add_event_handler(on_delete=lambda obj: deleted.append(obj.key))
    real_server.apply(config_map("lost-in-the-outage"), config_map("stays"))
    factory.start()
    assert factory.wait_for_cache_sync(timeout=MINUTE)
    real_server.run("kill-server")
    real_server.run("revive-server")
    real_server.kubectl("delete", "configmap", "lost-in-the-outage")
    real_server.apply(config_map("born-in-the-outage"))
    real_server.run("kill-server")
    real_server.run("compact")
    real_server.run("revive-server")
    until(lambda: cached(maps) == versions(real_server.items("configmaps", "-A")), "cache == server", 120)
    assert "default/lost-in-the-outage" in deleted
    assert "default/born-in-the-outage" in cached(maps)


def test_three_informers_of_one_factory_lose_nothing(real_server: RealServer, factory: SharedInformerFactory) -> None:
    informers = {
        "configmaps": factory.core.v1.config_maps().informer(),
        "pods": factory.core.v1.pods().informer(),
        "deployments": factory.for_resource("deployments.apps").informer(),
    }
    factory.start()
    assert factory.wait_for_cache_sync(timeout=MINUTE)
    for turn in range(3):
        real_server.apply(*(each(f"three-{turn}") for each in (config_map, pod, deployment)))
        real_server.apply(config_map("three-changing", turn=str(turn)))
    real_server.kubectl("delete", "configmap/three-1", "deployment/three-1")
    real_server.kubectl("delete", "pod/three-1", "--force", "--grace-period=0")
    for name, informer in informers.items():
        until(lambda i=informer, n=name: cached(i) == versions(real_server.items(n, "-A")), f"{name}: cache == server")
        assert "default/three-1" not in cached(informer)
        assert "default/three-2" in cached(informer)


def test_ten_thousand_config_maps_arrive_by_list_and_by_watch(
    real_server: RealServer, factory: SharedInformerFactory
) -> None:
    real_server.apply_config_maps("listed", 5_000)
    maps = factory.core.v1.config_maps().informer()
    factory.start()
    assert factory.wait_for_cache_sync(timeout=MINUTE)
    real_server.apply_config_maps("watched", 5_000)
    until(lambda: len(maps.indexer) >= 10_000, "10,000 config maps in the cache")
    until(lambda: cached(maps) == versions(real_server.items("configmaps", "-A")), "cache == server")


def test_who_may_not_list_never_syncs_asks_seldom_and_stops(real_server: RealServer) -> None:
    errors: list[BaseException] = []
    third = threading.Event()
    client = connect(real_server.kubeconfig, context="alice")
    alice = SharedInformerFactory(client)
    maps = alice.core.v1.config_maps().informer()

    def remember(error: BaseException) -> None:
        errors.append(error)
        if len(errors) == 3:
            third.set()

    maps.set_watch_error_handler(remember)
    alice.start()
    assert third.wait(60)
    assert not maps.has_synced()
    assert all("403" in str(error) or "forbidden" in str(error).lower() for error in errors)
    alice.shutdown()
