"""`kdash bench`: the figures are those of the server it measured, and what cannot be measured is said."""

from __future__ import annotations

import json
from pathlib import Path

from kdash.demo import ApiServer, Fault
from tests.cli.test_command_line import failed, kdash


def test_bench_of_the_demo_tells_sync_resync_storm_and_memory() -> None:
    result = kdash("bench", "--demo", "--objects", "300", "--storm", "2000", "-o", "json")
    assert (result.returncode, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert figures["sync"]["objects"] == 300
    assert figures["sync"]["requests"] == 1
    assert figures["sync"]["bytes"] > 300 * 1900
    assert figures["sync"]["wall_s"] > 0 < figures["sync"]["cpu_s"]
    assert figures["resync"]["calls"] == 300
    assert figures["resync"]["requests"] == 0
    assert figures["events"]["events"] == 2000
    assert figures["events"]["bytes"] > 2000 * 1900
    assert round(figures["events"]["events_per_s"] * figures["events"]["wall_s"]) == 2000
    assert 0 < figures["memory"]["resident_bytes"] <= figures["memory"]["peak_bytes"]


def test_bench_as_table_has_a_line_for_every_figure() -> None:
    result = kdash("bench", "--demo", "--objects", "50", "--storm", "100", "--queue", "real-atomic")
    assert (result.returncode, result.stderr) == (0, "")
    names = [line[:16].strip() for line in result.stdout.splitlines()]
    assert names == [
        "objects", "time to sync", "CPU to sync", "bytes to sync", "memory now", "memory at peak", "resync",
        "watch events", "events/s", "CPU per event",
    ]  # fmt: skip


def test_bench_of_a_cluster_counts_what_is_there_and_what_changes_by_itself(tmp_path: Path) -> None:
    with ApiServer(objects=40, rate=30.0, seed=3) as server:
        kubeconfig = str(server.write_kubeconfig(tmp_path / "kubeconfig"))
        result = kdash("bench", "pods,nodes", "-A", "--kubeconfig", kubeconfig, "--for", "2s", "-o", "json")
        verbs = {record.verb for record in server.log.records()}
    assert (result.returncode, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert figures["sync"]["objects"] > 3
    assert figures["events"]["events"] > 0
    assert verbs <= {"GET", "LIST", "WATCH"}


def test_bench_selects_like_kubectl(tmp_path: Path) -> None:
    with ApiServer(workload=False) as server:
        for name, app in (("a", "web"), ("b", "web"), ("c", "other")):
            server.storage.create("configmaps", {"metadata": {"name": name, "namespace": "x", "labels": {"app": app}}})
        kubeconfig = str(server.write_kubeconfig(tmp_path / "kubeconfig"))
        result = kdash("bench", "cm", "-n", "x", "-l", "app=web", "--kubeconfig", kubeconfig, "-o", "json")
    assert json.loads(result.stdout)["sync"]["objects"] == 2


def test_bench_of_nothing_is_no_failure(tmp_path: Path) -> None:
    with ApiServer(workload=False) as server:
        kubeconfig = str(server.write_kubeconfig(tmp_path / "kubeconfig"))
        result = kdash("bench", "--kubeconfig", kubeconfig, "--no-watch-list")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0].split() == ["objects", "0"]


def test_bench_changes_nothing_on_a_cluster() -> None:
    assert "--storm needs --demo" in failed(kdash("bench", "--storm", "5"), 2)
    assert "--objects needs --demo" in failed(kdash("bench", "--objects", "5"), 2)
    assert "leave RESOURCE out" in failed(kdash("bench", "nodes", "--demo"), 2)


def test_bench_without_a_server_says_so(tmp_path: Path) -> None:
    with ApiServer(workload=False) as server:
        kubeconfig = str(server.write_kubeconfig(tmp_path / "kubeconfig"))
    assert "refused" in failed(kdash("bench", "--kubeconfig", kubeconfig, "--timeout", "2s"), 3)


def test_bench_that_is_denied_says_so_at_once(tmp_path: Path) -> None:
    with ApiServer(workload=False) as server:
        server.faults.add(Fault("403", resource="pods", times=None))
        kubeconfig = str(server.write_kubeconfig(tmp_path / "kubeconfig"))
        assert "pods" in failed(kdash("bench", "--kubeconfig", kubeconfig, "--timeout", "50s"), 4)


def test_bench_of_an_unknown_resource_names_it(tmp_path: Path) -> None:
    with ApiServer(workload=False) as server:
        kubeconfig = str(server.write_kubeconfig(tmp_path / "kubeconfig"))
        assert "gadgets" in failed(kdash("bench", "gadgets", "--kubeconfig", kubeconfig), 2)
