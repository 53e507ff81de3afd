"""kdash against a real kube-apiserver: what it caches is what `kubectl get -o json` lists."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdash.cluster import connect
from kdash.informer import SharedInformerFactory
from kdash.observe.live import LiveObservation, Wanted
from kdash.observe.opening import open_cluster
from kdash.probe.snapshot import Snapshot
from tests.e2e.terminal import Terminal, kdash_command
from tests.real.conftest import RealServer

pytestmark = [pytest.mark.real_apiserver, pytest.mark.timeout(300)]


def config_map(name: str, namespace: str = "default", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def pod(name: str) -> dict[str, Any]:
    container = {"name": "main", "image": "registry.invalid/none"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [container]}}  # fmt: skip


def versions(items: list[dict[str, Any]]) -> dict[str, str]:
    """key → resourceVersion of what kubectl printed."""
    return {f"{m['namespace']}/{m['name']}": m["resourceVersion"] for m in (item["metadata"] for item in items)}


def kdash(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(kdash_command(*args), check=False, capture_output=True, text=True, timeout=60)


def until(holds: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Poll a condition that only another process can make true."""
    pause = threading.Event()
    for _ in range(int(timeout_s / 0.1)):
        if holds():
            return
        pause.wait(0.1)
    raise AssertionError(f"{what} did not come true in {timeout_s} s")


@pytest.fixture
def observation(real_server: RealServer) -> Iterator[LiveObservation]:
    wanted = Wanted(resources=("configmaps",), all_namespaces=True, resync_s=600.0)
    live = open_cluster(wanted, kubeconfig=real_server.kubeconfig)
    live.start()
    until(lambda: live.snapshot().state.word == "LIVE", "the observation was live")
    yield live
    live.stop()


def cached_versions(live: LiveObservation, resource: str = "configmaps") -> dict[str, str]:
    informer = live.informers()[resource]
    return {obj.key: obj.resource_version for obj in informer.indexer.list()}


def handler(picture: Snapshot, name: str) -> Any:
    return next(each for each in picture.handlers if each.name == name)


def test_snapshot_lists_what_kubectl_lists(real_server: RealServer) -> None:
    real_server.apply(*(config_map(f"listed-{i}", text="x" * i) for i in range(30)), *(pod(f"p{i}") for i in range(5)))
    done = kdash("snapshot", "configmaps,pods", "-A", "--kubeconfig", real_server.kubeconfig, "--output", "json")
    assert done.returncode == 0, done.stderr
    counts = {informer["name"]: informer["objects"] for informer in json.loads(done.stdout)["informers"]}
    assert counts == {kind: len(real_server.items(kind, "-A")) for kind in ("configmaps", "pods")}
    assert counts["pods"] >= 5


def test_the_library_caches_every_object_as_kubectl_sees_it(real_server: RealServer) -> None:
    factory = SharedInformerFactory(connect(real_server.kubeconfig))
    maps = factory.core.v1.config_maps().informer()
    deployments = factory.for_resource("deployments.apps").informer()
    factory.start()
    try:
        assert factory.wait_for_cache_sync(timeout=30)
        assert {o.key: o.resource_version for o in maps.indexer.list()} == versions(
            real_server.items("configmaps", "-A")
        )
        assert deployments.has_synced()
    finally:
        factory.shutdown()


def test_changes_arrive_and_a_resync_asks_nothing(real_server: RealServer, observation: LiveObservation) -> None:
    real_server.apply(config_map("changing", step="1"))
    real_server.kubectl("patch", "configmap", "changing", "-p", '{"data":{"step":"2"}}')
    real_server.kubectl("create", "configmap", "made-by-kubectl", "--from-literal=a=b")
    real_server.kubectl("delete", "configmap", "made-by-kubectl")
    until(lambda: cached_versions(observation) == versions(real_server.items("configmaps", "-A")), "cache == server")
    before = observation.snapshot()
    assert observation.resync_now().ok
    until(lambda: handler(observation.snapshot(), "audit").syncs > handler(before, "audit").syncs, "a resync wave")
    assert observation.snapshot().api.requests == before.api.requests
    assert observation.relist().ok
    until(lambda: observation.snapshot().api.requests > before.api.requests, "the relist asked the server")


def test_a_killed_and_revived_server_loses_nothing(real_server: RealServer, observation: LiveObservation) -> None:
    cached = cached_versions(observation)
    real_server.run("kill-server")
    until(lambda: observation.snapshot().state.word == "RETRY", "the state said RETRY")
    assert cached_versions(observation) == cached
    real_server.run("revive-server")
    real_server.apply(config_map("after-the-restart"))
    until(
        lambda: cached_versions(observation) == versions(real_server.items("configmaps", "-A")), "cache == server", 90
    )


def test_who_may_not_list_is_told_which_rbac_to_ask_for(real_server: RealServer) -> None:
    done = kdash("snapshot", "pods", "-n", "default", "--context", "alice", "--kubeconfig", real_server.kubeconfig)
    assert done.returncode == 4
    assert "list" in done.stderr
    assert "watch" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_resource_offers_the_nearest_name(real_server: RealServer) -> None:
    done = kdash("snapshot", "deploymets", "--kubeconfig", real_server.kubeconfig)
    assert done.returncode != 0
    assert "deployments" in done.stderr


def test_the_dashboard_shows_a_real_cluster(real_server: RealServer) -> None:
    argv = kdash_command("configmaps,pods", "-A", "--kubeconfig", real_server.kubeconfig)
    with Terminal(argv) as terminal:
        terminal.wait_for("[LIVE]")
        terminal.wait_for("configmaps")
        terminal.send("q")
        assert terminal.wait_exit() == 0
        assert terminal.terminal_restored()


def test_the_dashboard_shows_denied_and_stays(real_server: RealServer) -> None:
    argv = kdash_command("pods", "-A", "--kubeconfig", real_server.kubeconfig, "--context", "alice")
    with Terminal(argv) as terminal:
        screen = terminal.wait_for("[DENIED]")
        assert "Traceback" not in screen
        terminal.send("q")
        terminal.wait_exit()
        assert terminal.terminal_restored()
