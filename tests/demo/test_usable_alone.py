"""The embedded server as other people's test double: the fixture of its docstring, and nothing else of kdash."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config, watch

from kdash.demo import ApiServer, Fault, parse_fault


@pytest.fixture
def api_server() -> Iterator[ApiServer]:
    with ApiServer(workload=False) as server:
        yield server


def test_a_controller_meets_the_server_through_its_kubeconfig(api_server: ApiServer, tmp_path: Path) -> None:
    kubeconfig = api_server.write_kubeconfig(tmp_path / "kubeconfig")
    core = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
    api_server.storage.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})
    assert [item.metadata.name for item in core.list_config_map_for_all_namespaces().items] == ["a"]
    api_server.faults.add(parse_fault("410:verb=WATCH"))
    with pytest.raises(client.ApiException, match="410"):
        list(watch.Watch().stream(core.list_config_map_for_all_namespaces, timeout_seconds=1))
    api_server.faults.add(Fault("503", verb="LIST", resource="configmaps", times=3))
    with pytest.raises(client.ApiException, match="503"):
        core.list_config_map_for_all_namespaces()
    assert [record.code for record in api_server.log.records()][-1] == 503
    assert api_server.storage.changes()[-1].type == "ADDED"


def test_the_kubeconfig_names_the_server_and_its_token_and_is_private(tmp_path: Path) -> None:
    with ApiServer(workload=False, token="secret") as server:
        path = server.write_kubeconfig(tmp_path / "kubeconfig")
        data = yaml.safe_load(path.read_text())
        assert data["clusters"][0]["cluster"]["server"] == server.url
        assert data["users"][0]["user"] == {"token": "secret"}
        assert path.stat().st_mode & 0o077 == 0


def test_two_servers_know_nothing_of_each_other(api_server: ApiServer) -> None:
    with ApiServer(workload=False) as other:
        other.storage.create("configmaps", {"metadata": {"name": "b", "namespace": "default"}})
        assert api_server.storage.count("configmaps") == 0
        assert api_server.port != other.port


def test_importing_it_loads_nothing_else_of_kdash() -> None:
    code = ("import sys, kdash.demo; "
            "print([name for name in sys.modules if name.startswith('kdash.') and not name.startswith('kdash.demo')])")
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
