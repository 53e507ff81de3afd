"""Metadata-only informers on the embedded server: every change of a PartialObjectMetadata arrives."""

from __future__ import annotations

import pytest

from kdash.cluster import connect_url
from kdash.demo import ApiServer
from tests.cluster.metadata_life import live


@pytest.mark.parametrize("watch_list", [True, False], ids=["watch-list", "list"])
def test_a_metadata_only_informer_sees_every_change_of_an_object(watch_list: bool) -> None:
    with ApiServer(objects=3, rate=0, scenario="calm") as server:
        storage = server.storage

        def create() -> None:
            meta = {"name": "life", "namespace": "default", "labels": {"app": "web"}}
            storage.create("configmaps", {"metadata": meta, "data": {"large": "x" * 1000}})

        def label() -> None:
            obj = storage.get("configmaps", "default", "life")
            assert obj is not None
            labels = obj["metadata"]["labels"]
            labels["changed"] = str(int(labels.get("changed", "0")) + 1)
            storage.update("configmaps", obj)

        live(
            connect_url(server.url), watch_list=watch_list, create=create, label=label,
            delete=lambda: storage.delete("configmaps", "default", "life"),
            lose_next_event=lambda: storage.lose_next_event("configmaps"),
        )  # fmt: skip
