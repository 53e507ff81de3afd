"""The whole life of a metadata-only informer, whoever the server is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kdash.cluster.client import ClusterClient
from kdash.informer import SharedInformerFactory
from tests.informer.informer_rig import settle

KEY = "default/life"


def live(client: ClusterClient, *, watch_list: bool, create: Callable[[], object], label: Callable[[], object],
         delete: Callable[[], object], lose_next_event: Callable[[], object] = lambda: None) -> None:  # fmt: skip
    """List, add, update, delete, resync and relist; the functions act on the config map `default/life`.

    `label` counts the label `changed` up from 1; `lose_next_event` keeps the next event from the watch.
    """
    told: list[str] = []

    def note(what: str, obj: Any) -> None:
        if obj.key == KEY:
            told.append(what)
            assert "data" not in obj

    def updated(old: Any, new: Any) -> None:
        note("resync" if old is new else "relist" if old == new else "update", new)

    with SharedInformerFactory(client, default_resync=3600, metadata_only=True, watch_list=watch_list) as factory:
        maps = factory.core.v1.config_maps().informer()
        registration = maps.add_event_handler(
            on_add=lambda obj: note("add", obj), on_update=updated,
            on_delete=lambda obj: note("delete", getattr(obj, "obj", obj)),
        )  # fmt: skip

        def wait(what: str, times: int, label: str) -> None:
            settle(lambda: told.count(what) >= times)
            cached = maps.indexer.get_by_key(KEY)
            if what == "delete":
                assert cached is None
            else:
                assert (cached.api_version, cached.kind) == ("meta.k8s.io/v1", "PartialObjectMetadata")
                assert cached.labels.get("changed", "") == label

        create()
        factory.start()
        assert factory.wait_for_cache_sync(60)
        wait("add", 1, "")
        label()
        wait("update", 1, "1")
        delete()
        wait("delete", 1, "")
        create()
        wait("add", 2, "")
        assert maps.resync_now().queued
        wait("resync", 1, "")
        lose_next_event()
        label()
        settle(lambda: maps.force_relist(direct=True))
        wait("update", 2, "1")
        settle(lambda: maps.force_relist(direct=True))
        wait("relist", 1, "1")
        label()
        wait("update", 3, "2")
        assert registration.crashes == 0
    assert [told.count(what) for what in ("add", "update", "delete")] == [2, 3, 1]
