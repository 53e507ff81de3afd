"""What users of informers ran into, against the embedded server over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kdash.cluster import connect_url
from kdash.demo import ApiServer, Fault
from kdash.informer import RingTap, SharedInformerFactory
from tests.informer.builders import records
from tests.informer.informer_rig import settle


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer(objects=20, rate=0, scenario="calm", bookmark_interval_s=0.1) as server:
        yield server


def cached(factory: SharedInformerFactory) -> dict[str, str]:
    return {pod.key: pod.resource_version for pod in factory.core.v1.pods().lister().list()}


def stored(server: ApiServer) -> dict[str, str]:
    return {each.key: str(each.version) for each in server.storage.list_stored("pods")[0]}


def test_users_06_40_a_quiet_watch_shows_life_by_its_bookmarks_and_bytes(server: ApiServer) -> None:
    tap = RingTap()
    with SharedInformerFactory(connect_url(server.url, tap=tap), tap=tap) as factory:
        factory.core.v1.pods().informer()
        factory.start()
        assert factory.wait_for_cache_sync(30)
        tap.drain()
        seen: set[str] = set()
        settle(lambda: seen.update(each[2] for each in tap.drain()) or {"watch.bookmark", "api.bytes"} <= seen)  # type: ignore[func-returns-value]


def test_users_13_a_server_that_comes_back_without_its_past_is_followed(server: ApiServer) -> None:
    with SharedInformerFactory(connect_url(server.url)) as factory:
        factory.core.v1.pods().informer()
        factory.start()
        assert factory.wait_for_cache_sync(30)
        server.restart(keep_history=False)
        namespace, _, name = next(iter(stored(server))).partition("/")
        server.storage.delete("pods", namespace, name)
        settle(lambda: cached(factory) == stored(server))


def test_users_28_metadata_only_caches_no_spec_and_fewer_bytes(server: ApiServer) -> None:
    sizes = []
    for metadata_only in (False, True):
        with SharedInformerFactory(connect_url(server.url), metadata_only=metadata_only) as factory:
            pods = factory.core.v1.pods()
            pods.informer()
            factory.start()
            assert factory.wait_for_cache_sync(30)
            objects = pods.lister().list()
            assert all(("spec" in pod) is not metadata_only for pod in objects)
            sizes.append(sum(pod.size for pod in objects))
    assert sizes[1] < 0.7 * sizes[0]


def test_users_47_stop_ends_a_half_open_request_within_a_second(server: ApiServer) -> None:
    server.faults.add(Fault("half-open", resource="pods", times=None))
    tap = RingTap()
    factory = SharedInformerFactory(connect_url(server.url, tap=tap), tap=tap)
    factory.core.v1.pods().informer()
    factory.start()
    settle(lambda: bool(records(tap, "api.start")))
    assert factory.shutdown(1.0)
