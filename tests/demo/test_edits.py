"""Edits on request: what they do, what they say, and that the cluster follows."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from kdash.demo import ApiServer
from kdash.demo.edits import EDITS, LABEL, UnknownEdit, change


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(objects=20, rate=0, seed=5, scenario="calm") as server:
        yield server


def since(server: ApiServer, version: int) -> list[tuple[str, str]]:
    return [(each.resource, each.key) for each in server.storage.changes() if each.version > version]


@pytest.mark.parametrize("kind", list(EDITS))
def test_an_edit_changes_the_object_that_it_names(server: ApiServer, kind: str) -> None:
    version = server.storage.current_version
    done = change(server, kind, random.Random(2))
    assert done.resource == EDITS[kind].resource and done.key in done.text and "\n" not in done.text
    assert (done.resource, done.key) in since(server, version)


def test_a_named_object_is_the_one_that_is_changed(server: ApiServer) -> None:
    name = next(pod["metadata"]["name"] for pod in server.storage.list("pods", "default"))
    assert change(server, "label", namespace="default", name=name).key == f"default/{name}"
    assert change(server, "label", namespace="default", name=name).text.endswith(f"{LABEL}=2")
    pod = server.storage.get("pods", "default", name)
    assert pod is not None and pod["metadata"]["labels"][LABEL] == "2"


def test_scaling_tells_both_numbers_and_the_generation_grows(server: ApiServer) -> None:
    before = server.storage.get("deployments.apps", "default", "web")
    done = change(server, "scale", random.Random(1), namespace="default", name="web")
    after = server.storage.get("deployments.apps", "default", "web")
    assert before is not None and after is not None
    old, new = before["spec"]["replicas"], after["spec"]["replicas"]
    assert old != new and done.text == f"scaled deployment default/web from {old} to {new} replicas"
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1


def test_a_restart_counts_up_the_restarts(server: ApiServer) -> None:
    pod = server.storage.list("pods", "default")[0]["metadata"]["name"]
    assert change(server, "restart", namespace="default", name=pod).text.startswith("restarted")

    def restarts() -> int:
        item = server.storage.get("pods", "default", pod)
        return item["status"]["containerStatuses"][0]["restartCount"] if item else -1

    version = server.storage.current_version
    for _ in range(20):
        if restarts() == 1:
            break
        server.storage.wait_for_version(version + 1, 10.0)
        version = server.storage.current_version
    assert restarts() == 1


def test_the_same_seed_chooses_the_same_edit() -> None:
    texts = []
    for _ in range(2):
        with ApiServer(objects=20, rate=0, seed=5, scenario="calm") as server:
            texts.append(change(server, "scale", random.Random(9)).text)
    assert texts[0] == texts[1]


def test_what_is_not_there_is_said_and_nothing_is_written(server: ApiServer) -> None:
    done = change(server, "label", namespace="default", name="missing")
    assert (done.key, done.text) == ("", "nothing changed: there is no pods default/missing")
    with pytest.raises(UnknownEdit, match="label, restart, delete, scale"):
        change(server, "paint")


def test_without_a_workload_nothing_restarts() -> None:
    with ApiServer(workload=False) as server:
        assert change(server, "scale").text == "nothing changed: there is no deployments.apps"
