"""The history of objects: versions, what changed, the way each took; Secrets by their metadata only."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from typing import Any

import pytest

from kdash.informer.objects import KubeObject
from kdash.observe.frozen import Frozen
from kdash.observe.handlers import HandlerSpec
from kdash.observe.redact import decoded
from kdash.observe.versions import as_versions, changes_between, contents_of, keepable, left_out, readable
from kdash.probe.history import KEPT_VERSIONS, HistoryTopic, VersionFed
from kdash.probe.objects import ObjectRef
from kdash.probe.paths import PathTopic
from tests.informer.fake_source import FakeSource
from tests.observe.fake_cluster import FakeClient, observing, shows, synced
from tests.observe.test_observe_demo import demo

ONE = (HandlerSpec("audit"), HandlerSpec("quiet", period_s=0.0))
REF = ObjectRef("configmaps", "default/a")


@pytest.mark.parametrize("engine", ["delta", "real", "real-atomic"])
def test_versions_tell_event_source_stages_and_handlers(engine: str) -> None:
    source = FakeSource()
    source.add("a", data={"x": "0"})
    with observing(FakeClient(source), handlers=ONE, queue=engine, resync_s=3600.0) as observation:
        shows(observation, synced)
        (first,) = observation.history(REF)
        assert (first.number, first.source, first.has_content) == (1, "list", True)
        source.modify("a", data={"x": "1", "y": "2"})
        shows(observation, lambda p: p.handlers[0].updates == 1)
        observation.resync_now()
        shows(observation, lambda p: p.handlers[0].syncs == 1)
        source.delete("a")
        shows(observation, lambda p: p.handlers[0].deletes == 1)

        listed, updated, synced_, deleted = observation.history(REF)
        assert (listed.event, listed.source, listed.resource_version) == ("Replaced", "list", "1")
        assert (updated.event, updated.source, updated.number) == ("Updated", "watch", 2)
        assert [mark.stage for mark in updated.stages] == ["api", "queue", "pop", "cache", "notify", "audit", "quiet"]
        times = [mark.at for mark in updated.stages[:5]]
        assert times == sorted(times)
        assert [(each.handler, each.state) for each in updated.handlers] == [("audit", "done"), ("quiet", "done")]
        assert (synced_.event, synced_.source, synced_.has_content) == ("Sync", "resync", False)
        states = {each.handler: each.state for each in synced_.handlers}
        assert states.get("quiet", "skipped") == "skipped"
        assert (deleted.event, deleted.source) == ("Deleted", "watch")

        old, new = observation.version(REF, 1), observation.version(REF, 2)
        assert old is not None and old["data"] == {"x": "0"}
        assert new is not None and new["data"] == {"x": "1", "y": "2"}
        found = {(c.kind, c.path): (c.old, c.new) for c in observation.changes(REF, 1, 2)}
        assert found[("~", "data.x")] == ('"0"', '"1"')
        assert found[("+", "data.y")] == ("", '"2"')
        assert observation.changes(REF, 1, 99) == ()
        assert observation.version(REF, synced_.number) is None


@pytest.mark.parametrize("engine", ["delta", "real", "real-atomic"])
def test_an_object_that_never_changed_keeps_the_time_of_its_list_and_lists_its_syncs(engine: str) -> None:
    source = FakeSource()
    source.add("a", data={"x": "0"})
    with observing(FakeClient(source), handlers=ONE, queue=engine, resync_s=3600.0) as observation:
        shows(observation, synced)
        (first,) = observation.history(REF)
        for number in (1, 2):
            observation.resync_now()
            shows(observation, lambda p, number=number: p.handlers[0].syncs == number)
        listed, replayed = observation.history(REF)
        assert listed == first
        assert (replayed.event, replayed.source, replayed.repeats) == ("Sync", "resync", 2)
        assert replayed.resource_version == listed.resource_version and replayed.at > listed.at
        source.modify("a", data={"x": "1"})
        shows(observation, lambda p: p.handlers[0].updates == 1)
        again = observation.history(REF)
        assert [(each.event, each.repeats, each.at) for each in again[:2]] == [
            ("Replaced", 1, listed.at), ("Sync", 2, replayed.at)]
        assert again[2].event == "Updated"


def test_resyncs_in_a_row_are_one_line_and_only_the_newest_versions_are_kept() -> None:
    source = FakeSource()
    source.add("a", data={})
    with observing(FakeClient(source), handlers=ONE, resync_s=3600.0) as observation:
        shows(observation, synced)
        for number in range(KEPT_VERSIONS + 8):
            source.modify("a", data={"n": str(number)})
            shows(observation, lambda p, number=number: p.handlers[0].updates == number + 1)
        for number in range(3):
            observation.resync_now()
            shows(observation, lambda p, number=number: p.handlers[0].syncs == number + 1)
        versions = observation.history(REF)
        assert len(versions) == KEPT_VERSIONS
        assert (versions[-1].event, versions[-1].repeats) == ("Sync", 3)
        numbers = [version.number for version in versions]
        assert numbers == list(range(numbers[0], numbers[0] + KEPT_VERSIONS))
        assert observation.version(REF, 1) is None
        content = observation.version(REF, numbers[-2])
        assert content is not None and content["data"] == {"n": str(KEPT_VERSIONS + 7)}


def test_every_version_of_a_burst_is_there() -> None:
    source = FakeSource()
    source.add("a", data={})
    with observing(FakeClient(source), handlers=ONE, queue="real") as observation:
        shows(observation, synced)
        for number in range(20):
            source.modify("a", data={"n": str(number)})
        shows(observation, lambda p: p.handlers[0].updates == 20)
        versions = shows_history(observation, 21)
        held = [observation.version(REF, version.number) for version in versions[1:]]
        assert [each and each["data"]["n"] for each in held] == [str(number) for number in range(20)]


def shows_history(observation, count: int):
    shows(observation, lambda p: len(observation.history(REF)) == count)
    return observation.history(REF)


SECRET_VALUE = "aHVudGVyMg"


def test_of_a_secret_only_the_metadata_is_ever_kept() -> None:
    with demo("secrets") as (observation, server):
        stored = server.storage.list_stored("secrets")[0][0]
        namespace, _, name = stored.key.partition("/")
        ref = ObjectRef("secrets", stored.key)
        for number in range(2):
            secret = server.storage.get("secrets", namespace, name)
            assert secret is not None
            secret["data"] = {"password": SECRET_VALUE, "n": f"bm{number}"}
            secret["metadata"].setdefault("labels", {})["round"] = str(number)
            secret["metadata"].setdefault("annotations", {})[
                "kubectl.kubernetes.io/last-applied-configuration"] = json.dumps({"data": SECRET_VALUE})
            server.storage.update("secrets", secret)
            shows(observation, lambda p, number=number: p.handlers[0].updates == number + 1)
        shows(observation, lambda p: len(observation.history(ref)) == 3)
        versions = observation.history(ref)
        kept = [observation.recorder.history.content("secrets", ref.key, version.number) for version in versions]
        for content in kept:
            assert isinstance(content, KubeObject)
            assert set(content.keys()) == {"apiVersion", "kind", "metadata"}
            assert SECRET_VALUE.encode() not in content.to_json()
        texts = json.dumps([observation.version(ref, version.number) for version in versions])
        texts += json.dumps([asdict(c) for c in observation.changes(ref, 1, versions[-1].number)])
        assert SECRET_VALUE not in texts and "hidden" in texts
        paths = {c.path for c in observation.changes(ref, 2, 3)}
        assert "metadata.labels.round" in paths
        assert not any(path.startswith("data") for path in paths)


def test_metadata_of_secrets_that_comes_under_another_kind_is_kept_without_annotation_values() -> None:
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {
        "name": "db", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": SECRET_VALUE,
                                      "example.com/copy": SECRET_VALUE}}}  # fmt: skip
    kept = keepable("secrets", KubeObject.from_dict(partial))
    assert kept is not None and SECRET_VALUE.encode() not in kept.to_json()
    assert set(kept.annotations) == set(partial["metadata"]["annotations"])
    assert SECRET_VALUE not in json.dumps(readable("secrets", KubeObject.from_dict(partial)))


def test_what_is_no_secret_is_kept_as_it_is() -> None:
    obj = KubeObject.from_dict({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}})
    assert keepable("configmaps", obj) is obj
    assert keepable("secrets", None) is None
    assert readable("secrets", None) is None


def test_changes_match_list_items_by_name_and_show_the_place() -> None:
    old = {"spec": {"containers": [{"name": "web", "image": "a:1"}, {"name": "log", "image": "b"}]},
           "status": {"conditions": [{"type": "Ready", "status": "False"}]}}  # fmt: skip
    new = {"spec": {"containers": [{"name": "new", "image": "c"}, {"name": "web", "image": "a:2"}]},
           "status": {"conditions": [{"type": "Ready", "status": "True"}], "podIP": "10.0.0.1"}}  # fmt: skip
    found = {(c.kind, c.path, c.old, c.new) for c in changes_between(old, new)}
    assert found == {
        ("+", "spec.containers[0]", "", '{"name":"new","image":"c"}'),
        ("~", "spec.containers[1].image", '"a:1"', '"a:2"'),
        ("-", "spec.containers[1]", '{"name":"log","image":"b"}', ""),
        ("~", "status.conditions[0].status", '"False"', '"True"'),
        ("+", "status.podIP", "", '"10.0.0.1"'),
    }


def test_changes_are_clean_and_bounded() -> None:
    old = {"data": {f"k{number}": "a" for number in range(2000)}}
    new = {"data": {f"k{number}": "b\x1b[31m" for number in range(2000)} | {"a.b/c": "x" * 5000}}
    found = changes_between(old, new)
    assert len(found) <= 500
    assert not any("\x1b" in change.new for change in found)
    (long,) = changes_between({}, {"a.b/c": "x" * 5000})
    assert long.path == '["a.b/c"]' and len(long.new) < 300


def test_versions_that_a_storm_left_out_make_no_diff_wrong() -> None:
    history = HistoryTopic(PathTopic())
    objects = [
        KubeObject.from_dict({"kind": "Pod", "metadata": {"name": "a", "resourceVersion": str(n)}, "n": n})
        for n in range(5)
    ]

    def fed(at: int) -> VersionFed:
        new, old = objects[at], objects[at - 1]
        return VersionFed(at, float(at), "pods", "a", "Updated", str(at), new, new.size, str(at - 1), old, old.size)

    history.fed([fed(1), fed(4)], pack=False)
    versions = history.of("pods", "a")
    assert [version.resource_version for version in versions] == ["0", "1", "3", "4"]
    assert history.content("pods", "a", 3)["n"] == 3


def test_a_superseded_content_is_packed_even_after_syncs() -> None:
    history = HistoryTopic(PathTopic())
    packed: list[object] = []

    def pack(informer: str, content: object) -> tuple[object, int]:
        packed.append(content)
        return content, 10

    history.pack = pack
    contents = ["first", "second", "third"]

    def update(number: int) -> None:
        old = contents[number - 1] if number else None
        event = "Updated" if number else "Added"
        history.fed([VersionFed(number, float(number), "pods", "a", event, str(number), contents[number], 1000,
                                str(number - 1) if number else "", old, 1000 if number else 0)], pack=True)

    update(0)
    update(1)
    before = history.bytes
    sync = (9, 9.0, "notify.distribute", "pods", 1, "update", "a", "1", True, ("audit",), (), 8)
    history.distributed("pods", [sync, (10, 9.5, *sync[2:])])
    update(2)
    assert packed == ["first", "second"]
    assert history.bytes - before == 1000 + 10 - 1000 + 2 * 400  # a content and a sync more, one content packed
    history.fed([VersionFed(20, 20.0, "pods", "a", "Deleted", "3", "last", 1000, "2", "third", 1000)], pack=True)
    assert packed == ["first", "second", "third", "last"]  # nobody else holds it any more


@pytest.mark.parametrize(("count", "kept"), [(3, 3), (500, 500), (501, 100), (4000, 100)])
def test_of_a_storm_the_last_of_each_moment_are_kept_and_all_of_anything_less(count: int, kept: int) -> None:
    objects = [
        KubeObject.from_dict({"kind": "Pod", "metadata": {"name": f"n{n % 300}", "resourceVersion": str(n)}})
        for n in range(count + 1)
    ]
    taken: list[tuple[Any, ...]] = [
        (n, "pods", "Updated", f"n{n % 300}", objects[n], objects[n - 1]) for n in range(1, count + 1)
    ]
    fed = as_versions(taken, PathTopic(), 0.0)
    assert [each.seq for each in fed] == list(range(count - kept + 1, count + 1))
    told = {key: obj.resource_version for _, key, obj in contents_of(left_out(taken).values()) if obj is not None}
    told.update({each.key: each.resource_version for each in fed})
    assert told == {key: new.resource_version for _, _, _, key, new, _ in taken}


def test_of_what_a_storm_left_out_secrets_have_no_values() -> None:
    secret = KubeObject.from_dict({"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg=="}})
    storm = [(n, "secrets", "Updated", f"default/{n % 300}", secret, secret) for n in range(900)]
    told = contents_of(left_out(storm).values())
    assert len(told) == 200
    assert all(obj is not None and "data" not in obj.to_dict() for _, _, obj in told)
    gone = [(0, "secrets", "Deleted", "default/db", secret, secret)]
    assert contents_of(gone) == [("secrets", "default/db", None)]


def test_more_than_the_budget_forgets_the_oldest_versions_of_all_objects() -> None:
    history = HistoryTopic(PathTopic(), budget=20_000)
    for number in range(200):
        key = f"k{number % 40}"
        history.fed([VersionFed(number, float(number), "pods", key, "Added", str(number), object(), 600)], pack=False)
        assert history.bytes <= 20_000
    kept = [version.at for n in range(40) for version in history.of("pods", f"k{n}")]
    assert sorted(kept) == [float(number) for number in range(180, 200)]


def test_a_frozen_instant_stays_while_the_caches_go_on() -> None:
    source = FakeSource()
    source.add("a", data={"x": "0"})
    source.add("b", data={})
    with observing(FakeClient(source), handlers=ONE, resync_s=3600.0) as observation:
        shows(observation, synced)
        source.modify("a", data={"x": "1"})
        shows(observation, lambda p: p.handlers[0].updates == 1)
        frozen = observation.freeze()
        picture, lines, versions = frozen.snapshot(), frozen.events.total, frozen.history(REF)
        row = (frozen.objects.get(REF).resource_version, frozen.objects.get(REF).mark)
        source.modify("a", data={"x": "2"})
        source.add("c", data={})
        source.delete("b")
        shows(observation, lambda p: p.handlers[0].deletes == 1)
        observation.resync_now()  # of what is not on its way any more
        now = shows(observation, lambda p: p.handlers[0].syncs >= 1)
        assert now.events_total > picture.events_total
        assert frozen.snapshot() is picture and picture.objects == 2 == frozen.objects.objects
        assert (frozen.events.total, frozen.history(REF)) == (lines, versions)
        assert (frozen.objects.get(REF).resource_version, frozen.objects.get(REF).mark) == row
        text = frozen.read_object(REF)
        assert text is not None and text["data"] == {"x": "1"} and text["metadata"]["resourceVersion"] == row[0]
        assert frozen.read_object(ObjectRef("configmaps", "default/b")) is not None
        assert frozen.read_object(ObjectRef("configmaps", "default/c")) is None
        assert "data.x" in [each.path for each in frozen.changes(REF, 1, 2)]
        frozen.objects.set_filter("b", frozen.labels)
        assert frozen.objects.matches == 1 and observation.objects.filter_text == ""


def test_what_changed_while_an_instant_was_taken_is_absent_never_newer_than_its_row() -> None:
    source = FakeSource()
    source.add("a", data={"x": "old"})
    with observing(FakeClient(source), handlers=ONE, resync_s=3600.0) as observation:
        shows(observation, synced)
        (informer,) = observation.informers().values()
        with observation._draining:  # the records are taken, the caches not yet
            observation._take()
            source.modify("a", data={"x": "new"})
            source.add("c", data={})
            until_cached = threading.Event()
            while not {obj.resource_version for obj in informer.indexer.list()} >= {"2", "3"}:
                until_cached.wait(0.005)
            caches = {informer.name: informer.indexer.items()}
            frozen = Frozen(observation.snapshot(), observation.recorder, caches, decoded)
        row = frozen.objects.get(REF)
        assert row is not None and row.resource_version == "1"
        assert frozen.read_object(REF) is None and frozen.version(REF, 1) is None
        assert frozen.read_object(ObjectRef("configmaps", "default/c")) is None


def test_of_the_objects_that_were_deleted_the_last_64_keep_their_history() -> None:
    history = HistoryTopic(PathTopic())

    def feed(number: int, event: str) -> None:
        key, content = f"default/p-{number}", {"n": number}
        history.fed([VersionFed(number, float(number), "pods", key, event, str(number), content, 1_000)], pack=False)

    for number in range(1_000):
        feed(number, "Added")
        feed(number, "Deleted" if number % 10 else "Updated")
    kept = [number for number in range(1_000) if history.of("pods", f"default/p-{number}")]
    gone = [number for number in range(1_000) if number % 10]
    assert kept == sorted([*gone[-64:], *range(0, 1_000, 10)])
    before = history.bytes
    feed(gone[-64], "Added")  # it is there again
    feed(5_000, "Added")
    feed(5_000, "Deleted")
    assert history.of("pods", f"default/p-{gone[-64]}") and history.of("pods", f"default/p-{gone[-63]}")
    feed(5_001, "Deleted")
    assert not history.of("pods", f"default/p-{gone[-63]}")
    history.forget("pods")
    assert before > 0 == history.bytes
