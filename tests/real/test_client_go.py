"""A real client-go informer on the embedded server: its cache is the storage, its callbacks are the log of truth.

The informer is the `probe` of the tool that KDASH_REAL_APISERVER names. Runs without a real kube-apiserver.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from kdash.demo import ApiServer, Fault, parse_fault
from kdash.demo.scenarios import SCENARIOS

pytestmark = pytest.mark.real_apiserver
SETTLE_S = 2.5

SURVIVED = [
    "close-watches", "drop-connections", "expire-watches", "expire-history", "duplicate-event", "reorder-events",
    "send-garbage", "restart", "restart-empty", "huge-object:size=1MiB", "reset:verb=WATCH", "close:verb=WATCH",
    "cut-mid-line:verb=WATCH,times=2", "garbage-line:verb=WATCH", "split-bytes:verb=WATCH", "slow:verb=WATCH,delay=1s",
    "410:verb=WATCH", "429:verb=WATCH", "500:verb=WATCH", "503:verb=WATCH,times=2", "504:verb=WATCH",
    "html:verb=WATCH", "stall-headers:verb=WATCH,delay=1s", "time-jump:delay=1h",
]


class Probe:
    """A running client-go informer of pods."""

    def __init__(self, server: ApiServer, folder: Path, run_s: float, *options: str) -> None:
        tool = os.environ.get("KDASH_REAL_APISERVER")
        assert tool, "set KDASH_REAL_APISERVER to the tool that runs client-go's informer"
        kubeconfig = server.write_kubeconfig(folder / "kubeconfig")
        command = [tool, "probe", "--kubeconfig", str(kubeconfig), "--resource", "v1/pods", "--for", f"{run_s}s"]
        self._process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True,
                                         stderr=subprocess.DEVNULL)  # fmt: skip
        self.rows: list[dict[str, Any]] = []
        self.synced = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.rows.append(json.loads(line))
            if self.rows[-1].get("event") == "synced":
                self.synced.set()

    def final(self) -> dict[str, str]:
        """What its cache holds when it has ended: key → version."""
        assert self._process.wait(120) == 0
        self._reader.join()
        assert self.rows[-1]["event"] == "final"
        return dict(self.rows[-1]["store"] or {})

    def callbacks(self) -> dict[str, list[dict[str, Any]]]:
        """By key, in their order."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows:
            if "callback" in row:
                found[row["key"]].append(row)
        return found


def stored(server: ApiServer) -> dict[str, str]:
    return {each.key: str(each.version) for each in server.storage.list_stored("pods")[0]}


def changes_by_key(server: ApiServer) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for change in server.storage.changes():
        if change.resource == "pods":
            found[change.key].append((change.type, change.version))
    return found


def stop_the_workload(server: ApiServer) -> None:
    assert server.workload is not None
    server.workload.stop()


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "big"])
def test_in_every_scenario_the_callbacks_are_the_log_of_truth(scenario: str, tmp_path: Path) -> None:
    with ApiServer(objects=40, rate=30.0, seed=3, scenario=scenario) as server:
        probe = Probe(server, tmp_path, 7.0)
        assert probe.synced.wait(60)
        time.sleep(3.0)
        stop_the_workload(server)
        assert probe.final() == stored(server)
        truth, types = changes_by_key(server), {"add": "ADDED", "update": "MODIFIED", "delete": "DELETED"}
        for key, rows in probe.callbacks().items():
            assert rows[0]["callback"] == "add"
            seen = [(types[row["callback"]], int(row["rv"])) for row in rows]
            first = seen[0][1]
            assert seen[1:] == [change for change in truth[key] if change[1] > first], key
        begun = int(min(row["rv"] for rows in probe.callbacks().values() for row in rows))
        late = {
            key for key, changes in truth.items() if changes and changes[-1][1] > begun and changes[-1][0] != "DELETED"
        }
        assert late <= set(probe.callbacks())


@pytest.mark.parametrize("text", SURVIVED)
def test_after_a_fault_the_cache_is_the_storage_again(text: str, tmp_path: Path) -> None:
    with ApiServer(objects=40, rate=30.0, seed=5) as server:
        probe = Probe(server, tmp_path, 6.0 + SETTLE_S)
        assert probe.synced.wait(60)
        time.sleep(0.5)
        fault = parse_fault(text)
        server.faults.add(fault)
        if not fault.is_act:
            server.faults.add(Fault("close-watches"))  # so that a request comes that the fault can strike
        time.sleep(2.5)
        assert fault.kind in {strike.kind for strike in server.faults.history()}
        server.faults.clear()
        stop_the_workload(server)
        assert probe.final() == stored(server)
        for rows in probe.callbacks().values():
            versions = [int(row["rv"]) for row in rows if not row.get("tombstone")]
            assert versions == sorted(versions) or fault.kind in ("duplicate-event", "reorder-events")


def test_a_lost_event_is_missed_until_the_next_relist(tmp_path: Path) -> None:
    with ApiServer(objects=10, workload=True, rate=0.0, seed=5) as server:
        probe = Probe(server, tmp_path, 9.0)
        assert probe.synced.wait(60)
        stop_the_workload(server)
        time.sleep(0.5)
        pod = server.storage.list("pods")[0]
        server.faults.add(Fault("lose-event", resource="pods"))
        pod["metadata"].setdefault("labels", {})["lost"] = "yes"
        changed = server.storage.update("pods", pod)
        time.sleep(1.0)
        version = changed["metadata"]["resourceVersion"]
        assert version not in {row.get("rv") for row in probe.rows}
        server.faults.add(Fault("expire-watches"))
        assert probe.final() == stored(server)
        assert version in {row.get("rv") for row in probe.rows}


def test_a_selector_and_a_namespace_are_what_the_server_selects(tmp_path: Path) -> None:
    with ApiServer(objects=60, rate=30.0, seed=4) as server:
        pods = server.storage.list("pods")
        label, value = next(iter(pods[0]["metadata"]["labels"].items()))
        namespace = pods[0]["metadata"]["namespace"]
        probe = Probe(server, tmp_path, 6.0, "--selector", f"{label}={value}", "--namespace", namespace)
        assert probe.synced.wait(60)
        time.sleep(2.0)
        stop_the_workload(server)
        assert probe.final() == {
            f"{namespace}/{pod['metadata']['name']}": pod["metadata"]["resourceVersion"]
            for pod in server.storage.list("pods", namespace)
            if pod["metadata"].get("labels", {}).get(label) == value}  # fmt: skip
