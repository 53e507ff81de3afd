"""A real kube-apiserver + etcd on loopback, one a session, from the tool that KDASH_REAL_APISERVER names."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class RealServer:
    """A started control plane; contexts `admin` (may do everything) and `alice` (every list is 403)."""

    def __init__(self, tool: str, directory: Path) -> None:
        self._tool = tool
        self._directory = directory
        self.kubeconfig = ""

    def run(self, verb: str) -> str:
        """One of the tool's verbs: start, stop, kill-server, revive-server, compact."""
        done = subprocess.run([self._tool, verb, str(self._directory)], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        command = ["kubectl", "--kubeconfig", self.kubeconfig, *args]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def items(self, resource: str, *args: str) -> list[dict[str, Any]]:
        """What `kubectl get -o json` lists."""
        return json.loads(self.kubectl("get", resource, *args, "-o", "json"))["items"]  # type: ignore[no-any-return]

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl(
            "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        )


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    tool = os.environ.get("KDASH_REAL_APISERVER")
    assert tool, "set KDASH_REAL_APISERVER to the script that starts a real kube-apiserver"
    server = RealServer(tool, tmp_path_factory.mktemp("real-apiserver"))
    server.kubeconfig = server.run("start").splitlines()[-1]
    yield server
    server.run("stop")
