"""A real kube-apiserver + etcd on loopback, one a session, from the tool that KDASH_REAL_APISERVER names."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml


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
        done = subprocess.run(command, check=False, input=stdin, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def items(self, resource: str, *args: str) -> list[dict[str, Any]]:
        """What `kubectl get -o json` lists."""
        return json.loads(self.kubectl("get", resource, *args, "-o", "json"))["items"]  # type: ignore[no-any-return]

    def apply(self, *objects: dict[str, Any]) -> None:
        """Create or change objects, server-side: some builds of the server fail on POST with a JSON body."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(items))

    def apply_config_maps(self, prefix: str, count: int) -> None:
        """Create or change many config maps, quicker than kubectl, which asks one at a time."""
        config = yaml.safe_load(Path(self.kubeconfig).read_text())
        address = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"])
        token = next(user["user"]["token"] for user in config["users"] if user["name"] == "admin")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/apply-patch+yaml"}

        def some(numbers: range) -> None:
            tls = ssl._create_unverified_context()  # a throw-away server on loopback
            connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=tls)
            for number in numbers:
                name = f"{prefix}-{number}"
                item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(number)}}
                path = f"/api/v1/namespaces/default/configmaps/{name}?fieldManager=tests&force=true"
                connection.request("PATCH", path, json.dumps(item), headers)
                answer = connection.getresponse()
                assert answer.status in (200, 201), answer.read()
                answer.read()
            connection.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(some, (range(first, count, 4) for first in range(4))))


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    tool = os.environ.get("KDASH_REAL_APISERVER")
    assert tool, "set KDASH_REAL_APISERVER to the script that starts a real kube-apiserver"
    server = RealServer(tool, tmp_path_factory.mktemp("real-apiserver"))
    server.kubeconfig = server.run("start").splitlines()[-1]
    yield server
    server.run("stop")
