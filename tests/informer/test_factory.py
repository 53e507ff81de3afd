"""SharedInformerFactory (FA-1 to FA-6, X9; dynamicinformer/informer_test.go)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from kdash.informer.builtin_resources import builtin_resources
from kdash.informer.clock import VirtualClock
from kdash.informer.errors import InformerError
from kdash.informer.factory import SharedInformerFactory
from kdash.informer.identity import InformerName
from kdash.informer.list_watch import CancelToken
from kdash.informer.resources import ResourceInfo
from tests.informer.fake_source import FakeSource
from tests.informer.informer_rig import CONFIG_MAPS, PATIENCE_S, Recorder, settle

OTHERS = ResourceInfo("", "v1", "others", "ConfigMap", True)
WIDGETS = ResourceInfo("example.com", "v1", "widgets", "Widget", True)


class FakeClient:
    """One `FakeSource` per resource and namespace; `resolve` knows widgets."""

    def __init__(self) -> None:
        self.sources: dict[tuple[str, str], FakeSource] = {}
        self.metadata_only: list[bool] = []

    def resolve(self, resource: str) -> ResourceInfo:
        if resource in ("widgets", "widgets.example.com"):
            return WIDGETS
        raise InformerError(f'no resource "{resource}"')

    def lister_watcher(
        self, resource: ResourceInfo, namespace: str = "", *, metadata_only: bool = False
    ) -> FakeSource:
        self.metadata_only.append(metadata_only)
        return self.sources.setdefault((resource.name, namespace), FakeSource())


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def factories() -> Iterator[list[SharedInformerFactory]]:
    made: list[SharedInformerFactory] = []
    yield made
    for factory in made:
        assert factory.shutdown(PATIENCE_S)


def test_fa2_the_same_resource_gives_the_same_informer(client: FakeClient) -> None:
    factory = SharedInformerFactory(client)
    informer = factory.core.v1.config_maps().informer()
    assert factory.core.v1.configmaps().informer() is informer
    assert factory.for_resource(CONFIG_MAPS).informer() is informer
    assert factory.core.v1.secrets().informer() is not informer


def test_fa1_periods_come_from_custom_resync_or_the_default(client: FakeClient) -> None:
    factory = SharedInformerFactory(
        client, timedelta(minutes=10), custom_resync={"secrets": timedelta(seconds=30)}
    )
    assert factory.core.v1.config_maps().informer().check_period_s == 600
    assert factory.core.v1.secrets().informer().check_period_s == 30


def test_for_resource_asks_the_client(client: FakeClient) -> None:
    factory = SharedInformerFactory(client)
    assert factory.for_resource("widgets").informer().name == "widgets.example.com"
    with pytest.raises(InformerError, match='no resource "gadgets"'):
        factory.for_resource("gadgets")


def test_every_built_in_resource_is_an_attribute(client: FakeClient) -> None:
    factory = SharedInformerFactory(client)
    assert factory.apps.v1.replica_sets().resource.name == "replicasets.apps"
    assert factory.networking.v1.ingresses().resource.api_version == "networking.k8s.io/v1"
    assert factory.core.v1.endpoints().resource.kind == "Endpoints"
    assert not factory.rbac.v1.cluster_roles().resource.namespaced
    assert (
        len({(r.group, r.version, r.resource) for r in builtin_resources()}) == len(builtin_resources()) > 50
    )


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (["nonsense"], "groups: core, apps, batch"),
        (["apps", "v2"], "known: v1"),
        (["apps", "v1", "pods"], "known: deployments, replica_sets"),
    ],
)
def test_unknown_attributes_name_what_there_is(
    client: FakeClient, attributes: list[str], message: str
) -> None:
    thing: Any = SharedInformerFactory(client)
    with pytest.raises(AttributeError, match=message):
        for attribute in attributes:
            thing = getattr(thing, attribute)


def test_x9_fa3_start_is_idempotent_and_late_informers_need_another(
    client: FakeClient, factories: list[SharedInformerFactory], caplog: pytest.LogCaptureFixture
) -> None:
    factory = SharedInformerFactory(client)
    factories.append(factory)
    first = factory.core.v1.config_maps().informer()
    factory.start()
    factory.start()
    assert factory.wait_for_cache_sync(timeout=timedelta(seconds=PATIENCE_S))
    late = factory.for_resource(OTHERS).informer()
    assert not late.is_started()
    assert dict(factory.wait_for_cache_sync(timeout=PATIENCE_S)) == {"configmaps": True}
    factory.start()
    result = factory.wait_for_cache_sync(timeout=PATIENCE_S)
    assert dict(result) == {"configmaps": True, "others": True}
    assert result.as_error() is None
    assert first.has_synced()
    assert client.sources["configmaps", ""].verbs().count("WATCHLIST") == 1
    assert "started already" not in caplog.text


def test_x9_fa5_wait_for_cache_sync_tells_who_is_missing(
    client: FakeClient, factories: list[SharedInformerFactory]
) -> None:
    clock = VirtualClock()
    factory = SharedInformerFactory(client, watch_list=False)
    factories.append(factory)
    release = client.lister_watcher(OTHERS).hold()
    factory.core.v1.config_maps().informer()
    factory.for_resource(OTHERS).informer()
    stop = CancelToken()
    factory.start(stop)
    settle(factory.informers()["configmaps"].has_synced)
    result = factory.wait_for_cache_sync(timeout=0)
    assert not result
    assert dict(result) == {"configmaps": True, "others": False}
    assert str(result.as_error()) == "failed to sync all caches: others: the time is over"
    stop.cancel()
    result = factory.wait_for_cache_sync(stop=stop)
    assert str(result.as_error()) == "failed to sync all caches: others: stopped"
    release()
    assert clock.waiting() == 0


def test_x9_fa4_shutdown_waits_is_repeatable_and_final(client: FakeClient) -> None:
    name = InformerName("test-factory")
    factory = SharedInformerFactory(client, name=name)
    informer = factory.core.v1.config_maps().informer()
    stop = CancelToken()
    factory.start(stop)
    assert factory.wait_for_cache_sync(timeout=PATIENCE_S)
    assert not factory.shutdown(timeout=0)
    assert not informer.is_stopped()
    stop.cancel()
    assert factory.shutdown(PATIENCE_S)
    assert factory.shutdown(PATIENCE_S)
    assert informer.is_stopped()
    late = factory.core.v1.secrets().informer()
    factory.start()
    assert not late.is_started()
    InformerName("test-factory").release()


def test_shutdown_ends_what_was_started_without_a_token(client: FakeClient) -> None:
    with SharedInformerFactory(client) as factory:
        informer = factory.core.v1.config_maps().informer()
        factory.start()
        assert factory.wait_for_cache_sync(timeout=PATIENCE_S)
    assert informer.is_stopped()


def test_fa6_tweak_list_options_sees_every_list_and_watch(
    client: FakeClient, factories: list[SharedInformerFactory]
) -> None:
    factory = SharedInformerFactory(
        client,
        namespace="dev",
        tweak_list_options=lambda options: dataclasses.replace(options, label_selector="app=web"),
        watch_list=False,
    )
    factories.append(factory)
    factory.core.v1.config_maps().informer()
    factory.start()
    source = client.sources["configmaps", "dev"]
    assert source.wait_for_requests(2)
    assert [(request.verb, request.options.label_selector) for request in source.requests] == [
        ("LIST", "app=web"), ("WATCH", "app=web"),
    ]  # fmt: skip


def test_lister_reads_by_namespace_without_a_request(
    client: FakeClient, factories: list[SharedInformerFactory]
) -> None:
    factory = SharedInformerFactory(client)
    factories.append(factory)
    config_maps = factory.core.v1.config_maps()
    config_maps.informer()
    source = client.sources["configmaps", ""]
    source.add("a", namespace="one")
    source.add("b", namespace="two")
    factory.start()
    assert factory.wait_for_cache_sync(timeout=PATIENCE_S)
    settle(lambda: len(source.requests) == 1)
    lister = config_maps.lister()
    assert sorted(obj.key for obj in lister.list()) == ["one/a", "two/b"]
    assert [obj.key for obj in lister.by_namespace("two").list()] == ["two/b"]
    assert lister.by_namespace("one").get("a").name == "a"
    assert len(source.requests) == 1


def test_transform_and_metadata_only_reach_their_places(
    client: FakeClient, factories: list[SharedInformerFactory]
) -> None:
    seen: list[str] = []
    factory = SharedInformerFactory(
        client, transform=lambda obj: seen.append(obj.name) or obj, metadata_only=True
    )
    factories.append(factory)
    recorder = Recorder()
    factory.core.v1.config_maps().informer().add_event_handler(handler=recorder)
    client.sources["configmaps", ""].add("a")
    factory.start()
    recorder.wait(1)
    assert set(seen) == {"a"}
    assert client.metadata_only == [True]
