"""Metadata-only informers on a real kube-apiserver: every change of a PartialObjectMetadata arrives."""

from __future__ import annotations

import pytest

from kdash.cluster import connect
from tests.cluster.metadata_life import live
from tests.real.conftest import RealServer
from tests.real.test_real_server import config_map

pytestmark = [pytest.mark.real_apiserver, pytest.mark.timeout(300)]


@pytest.mark.parametrize("watch_list", [True, False], ids=["watch-list", "list"])
def test_a_metadata_only_informer_sees_every_change_on_a_real_server(
    real_server: RealServer, watch_list: bool
) -> None:
    changed = 0

    def create() -> None:
        nonlocal changed
        changed = 0
        real_server.apply(config_map("life", large="x" * 1000))

    def label() -> None:
        nonlocal changed
        changed += 1
        obj = config_map("life", large="x" * 1000)
        obj["metadata"]["labels"] = {"changed": str(changed)}
        real_server.apply(obj)

    def delete() -> None:
        real_server.kubectl("delete", "configmap", "life")

    try:
        live(connect(real_server.kubeconfig, context="admin"), watch_list=watch_list, create=create, label=label,
             delete=delete)  # fmt: skip
    finally:
        real_server.kubectl("delete", "configmap", "life", "--ignore-not-found")
