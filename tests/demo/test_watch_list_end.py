"""A list that is answered as a watch always ends in its `k8s.io/initial-events-end` bookmark."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kdash.demo import ApiServer
from kdash.demo.storage import Prepared
from tests.demo.http_peer import Peer, add, served
from tests.demo.test_crud import widgets

Event = dict[str, Any]
WATCH_LIST = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
LEGACY = "watch=1&allowWatchBookmarks=true"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
PATHS = ("/api/v1/{0}configmaps", "/api/v1/{0}secrets", "/apis/wire.example.com/v1/{0}widgets",
         "/apis/apps/v1/{0}deployments")  # fmt: skip
SELECTORS = ("", "&labelSelector=app%3Dweb", "&labelSelector=app%3Dnothing", "&fieldSelector=metadata.name%3Dc-001",
             "&fieldSelector=metadata.name%3Dnothing", "&labelSelector=!app")  # fmt: skip


@pytest.fixture(scope="module")
def full() -> Iterator[ApiServer]:
    """Config maps and widgets, more than are written at once; no secret and no deployment."""
    with served() as (server, peer):
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        assert peer("POST", definitions, widgets()).status == 201
        for number in range(210):
            for resource in ("configmaps", "widgets.wire.example.com"):
                item = {"metadata": {"name": f"c-{number:03}", "namespace": "default",
                                     "labels": {"app": "web" if number % 3 else "db"}}}  # fmt: skip
                server.storage.create(resource, item)
        yield server


def until_the_end(server: ApiServer, path: str, accept: str = "application/json") -> list[Event]:
    """The events up to the first bookmark; that there is one is read from the stream itself."""
    peer = Peer(server)
    try:
        response = peer.stream(path, Accept=accept)
        assert response.status == 200, response.read()
        events: list[Event] = []
        while not events or events[-1]["type"] != "BOOKMARK":
            text = response.readline()
            assert text, f"{path} ended without its bookmark, after {len(events)} events"
            events.append(json.loads(text))
        response.close()
        return events
    finally:
        peer.close()


def metadata_of(event: Event) -> dict[str, Any]:
    obj = event["object"]
    found: dict[str, Any] = obj["rows"][0]["object"]["metadata"] if obj["kind"] == "Table" else obj["metadata"]
    return found


@pytest.mark.parametrize("namespaces", ["namespaces/default/", "", "namespaces/none/"])
@pytest.mark.parametrize("accept", ["application/json", PARTIAL, TABLE], ids=["whole", "metadata-only", "table"])
def test_every_list_ends_in_its_bookmark(full: ApiServer, accept: str, namespaces: str) -> None:
    current = full.storage.current_version
    starts = (f"{WATCH_LIST}&resourceVersion=", f"{WATCH_LIST}&resourceVersion=0",
              f"{WATCH_LIST}&resourceVersion={current}", f"{LEGACY}&resourceVersion=0", LEGACY)  # fmt: skip
    for path, selector, start in itertools.product(PATHS, SELECTORS, starts):
        *objects, end = until_the_end(full, f"{path.format(namespaces)}?{start}{selector}", accept)
        assert all(event["type"] == "ADDED" for event in objects)
        meta = metadata_of(end)
        assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(meta["resourceVersion"]) == current
        there = "none" not in namespaces and path in (PATHS[0], PATHS[2])
        wanted = {"": 210, SELECTORS[1]: 140, SELECTORS[3]: 1}.get(selector, 0) if there else 0
        assert len(objects) == wanted, (path, selector, start)
        if accept == PARTIAL:
            assert {event["object"]["kind"] for event in [*objects, end]} == {"PartialObjectMetadata"}


def test_a_resource_that_was_defined_just_now_has_an_empty_list_with_an_end() -> None:
    with served() as (server, peer):
        assert peer("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widgets()).status == 201
        for accept in ("application/json", PARTIAL):
            events = until_the_end(server, f"/apis/wire.example.com/v1/widgets?{WATCH_LIST}&resourceVersion=", accept)
            assert [metadata_of(event)["annotations"] for event in events] == [{"k8s.io/initial-events-end": "true"}]


def test_the_end_comes_while_the_collection_changes_without_a_pause() -> None:
    with served(watch_backlog=1_000_000) as (server, _):
        for number in range(1_000):
            add(server, f"c-{number:04}")
        over = threading.Event()

        def write() -> None:
            while not over.is_set():
                head = b'{"metadata":{"name":"c-0000","namespace":"default","uid":"u","resourceVersion":"'
                server.storage.publish("configmaps", [Prepared("MODIFIED", "default/c-0000", head, b'"}}')])

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(5):
                events = until_the_end(server, f"/api/v1/configmaps?{WATCH_LIST}&resourceVersion=")
                assert [event["type"] for event in events] == ["ADDED"] * 1_000 + ["BOOKMARK"]
                end = int(metadata_of(events[-1])["resourceVersion"])
                assert all(int(metadata_of(event)["resourceVersion"]) <= end for event in events)
        finally:
            over.set()
            writer.join()
