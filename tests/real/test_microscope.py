"""Hold and step, history, record and replay against a real kube-apiserver, with changes that kubectl makes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kdash.observe.handlers import HandlerSpec
from kdash.observe.live import LiveObservation, Wanted
from kdash.observe.opening import open_cluster
from kdash.observe.replay import open_replay
from kdash.probe.objects import ObjectRef
from tests.observe.test_recording import everything_in
from tests.real.conftest import RealServer
from tests.real.test_real_server import cached_versions, config_map, until, versions

pytestmark = [pytest.mark.real_apiserver, pytest.mark.timeout(300)]

PASSWORD = "hunter2-of-the-real-server"


@pytest.fixture
def observation(real_server: RealServer) -> Iterator[LiveObservation]:
    handlers = (HandlerSpec("audit"),)
    wanted = Wanted(resources=("configmaps", "secrets"), all_namespaces=True, resync_s=600.0, handlers=handlers)
    live = open_cluster(wanted, kubeconfig=real_server.kubeconfig)
    live.start()
    until(lambda: live.snapshot().state.word == "LIVE", "the observation was live")
    yield live
    live.stop()


def test_held_the_server_goes_on_a_step_moves_one_entry_and_the_release_drains(
    real_server: RealServer, observation: LiveObservation
) -> None:
    assert observation.hold("queue").ok
    before, requests = cached_versions(observation), observation.snapshot().api.requests
    real_server.apply(*(config_map(f"held-{number}", n=str(number)) for number in range(3)))
    until(lambda: observation.snapshot().gate.waiting_entries == 3, "three entries waited at the gate")
    assert cached_versions(observation) == before
    assert observation.step().ok
    until(lambda: len(cached_versions(observation)) == len(before) + 1, "one entry went through")
    real_server.kubectl("delete", "configmap", "held-2")
    assert observation.release().ok
    until(lambda: cached_versions(observation) == versions(real_server.items("configmaps", "-A")), "cache == server")
    assert observation.snapshot().api.requests == requests


def test_a_recording_of_a_real_cluster_shows_it_again_and_holds_no_secret(
    real_server: RealServer, observation: LiveObservation, tmp_path: Path
) -> None:
    path, ref = tmp_path / "real.rec", ObjectRef("configmaps", "default/recorded")
    assert observation.record(str(path)).ok
    until(lambda: observation.snapshot().recording is not None, "it is recorded")
    real_server.kubectl("create", "secret", "generic", "recorded", f"--from-literal=password={PASSWORD}")
    real_server.apply(config_map("recorded", step="1"))
    real_server.kubectl("patch", "configmap", "recorded", "-p", '{"data":{"step":"2"}}')
    until(lambda: [each.event for each in observation.history(ref)] == ["Added", "Updated"], "two versions")
    until(lambda: observation.read_object(ObjectRef("secrets", "default/recorded")) is not None, "the secret")
    changes = observation.changes(ref, 1, 2)
    assert ("data.step", '"1"', '"2"') in [(each.path, each.old, each.new) for each in changes]
    assert observation.record(None).ok
    until(lambda: observation.snapshot().recording is None, "all is written")
    objects = observation.snapshot().objects
    told = b"".join(everything_in(path))
    config = yaml.safe_load(Path(real_server.kubeconfig).read_text())
    tokens = [user["user"]["token"] for user in config["users"]]
    for secret in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), *tokens):
        assert secret.encode() not in told
    replay = open_replay(str(path), playing=False)
    replay.start()
    try:
        replay.go(replay.view().last_at)
        assert replay.wait(30.0)
        assert replay.picture().objects == objects and not replay.damage
        assert replay.changes(ref, 1, 2) == changes
        assert [each.event for each in replay.history(ref)] == ["Added", "Updated"]
        assert replay.find("default/recorded").ok is False  # it stands behind them all
        replay.go(replay.view().first_at)
        assert replay.wait(30.0) and replay.find("default/recorded").ok
    finally:
        replay.stop()
