"""The storage: versions, windows, snapshots, compaction, and what is delivered to whom."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kdash.demo.storage import (
    AlreadyExists,
    Conflict,
    Expired,
    NotFound,
    Prepared,
    Storage,
    StoredEvent,
)


def config_map(name: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, **more}


def filled(*names: str, window: int = 10_000) -> Storage:
    storage = Storage(window=window)
    for name in names:
        storage.create("configmaps", config_map(name))
    return storage


def change(storage: Storage, name: str, value: str) -> int:
    obj = storage.update("configmaps", config_map(name, data={"v": value}))
    return int(obj["metadata"]["resourceVersion"])


def names(stored: list[Any]) -> list[str]:
    return [each.key.partition("/")[2] for each in stored]


def test_all_resources_share_one_counter_and_each_change_takes_the_next_version() -> None:
    storage = Storage()
    versions = [int(made["metadata"]["resourceVersion"]) for made in (
        storage.create("configmaps", config_map("a")), storage.create("pods", config_map("p")),
        storage.update("configmaps", config_map("a", data={"k": "1"})),
        storage.delete("pods", "default", "p"))]
    assert versions == [versions[0] + step for step in range(4)]
    assert storage.current_version == versions[-1]


def test_a_write_that_changes_nothing_takes_no_version_and_makes_no_event() -> None:
    storage = filled("a")
    before = storage.current_version
    again = storage.update("configmaps", config_map("a"))
    assert (again["metadata"]["resourceVersion"], storage.current_version) == (str(before), before)
    assert [entry.type for entry in storage.changes()] == ["ADDED"]


def test_a_stale_version_is_a_conflict_unless_it_is_not_checked() -> None:
    storage = filled("a")
    stale = config_map("a", data={"v": "2"})
    stale["metadata"]["resourceVersion"] = str(storage.current_version)
    change(storage, "a", "1")
    with pytest.raises(Conflict):
        storage.update("configmaps", stale)
    assert storage.update("configmaps", stale, check_version=False)["data"] == {"v": "2"}


def test_what_is_there_or_is_not_is_refused() -> None:
    storage = filled("a")
    with pytest.raises(AlreadyExists):
        storage.create("configmaps", config_map("a"))
    for work in (lambda: storage.update("configmaps", config_map("b")),
                 lambda: storage.delete("configmaps", "default", "b"), lambda: storage.count("nothings")):
        with pytest.raises(NotFound):
            work()


def test_objects_are_ordered_by_namespace_then_name() -> None:
    storage = Storage()
    for namespace, name in (("b", "a"), ("a-b", "x"), ("a", "z"), ("a", "b")):
        storage.create("configmaps", config_map(name, namespace))
    assert [each.key for each in storage.list_stored("configmaps")[0]] == ["a-b/x", "a/b", "a/z", "b/a"]
    assert names(storage.list_stored("configmaps", "a")[0]) == ["b", "z"]


def test_the_log_of_truth_has_every_change_in_order() -> None:
    storage = filled("a")
    change(storage, "a", "1")
    storage.delete("configmaps", "default", "a")
    assert [(entry.type, entry.resource, entry.key) for entry in storage.changes()] == [
        (type_, "configmaps", "default/a") for type_ in ("ADDED", "MODIFIED", "DELETED")]
    versions = [entry.version for entry in storage.changes()]
    assert versions == sorted(set(versions))


# -- the window --------------------------------------------------------------------------------------------


def test_fact_61_the_window_is_a_ring_that_slides() -> None:
    storage = filled("a", window=3)
    made = [change(storage, "a", str(value)) for value in range(4)]
    assert [event.version for event in storage.subscribe("configmaps", made[0], lambda event: None)] == made[1:]
    window = storage.window("configmaps")
    assert (window.events, window.capacity, window.expired_to) == (3, 3, made[1] - 1)
    with pytest.raises(Expired) as expired:
        storage.subscribe("configmaps", made[0] - 1, lambda event: None)
    assert expired.value.oldest == made[1] - 1


def test_the_window_can_be_made_smaller_and_larger_while_it_is_used() -> None:
    storage = filled("a")
    made = [change(storage, "a", str(value)) for value in range(5)]
    storage.resize_window(2)
    assert storage.window("configmaps") == (2, 2, made[2])
    storage.resize_window(4)
    made += [change(storage, "a", "x"), change(storage, "a", "y")]
    assert storage.window("configmaps") == (4, 4, made[2])
    assert storage.window("pods").capacity == 4


def test_fact_62_after_a_restart_only_the_current_version_can_be_watched() -> None:
    storage = filled("a")
    storage.create("pods", config_map("p"))
    before = storage.current_version - 1
    storage.restart()
    assert storage.subscribe("configmaps", storage.current_version, lambda event: None) == []
    for resource in ("configmaps", "pods", "services"):
        with pytest.raises(Expired):
            storage.subscribe(resource, before, lambda event: None)


def test_fact_40_61_compaction_ends_exact_reads_but_no_watch() -> None:
    storage = filled("a", "b")
    version = storage.current_version
    change(storage, "a", "1")
    assert names(storage.list_at("configmaps", "", version)) == ["a", "b"]
    storage.compact()
    assert len(storage.subscribe("configmaps", version, lambda event: None)) == 1
    with pytest.raises(Expired):
        storage.list_at("configmaps", "", version)


def test_expired_history_is_gone_for_lists_and_watches_of_that_resource_only() -> None:
    storage = filled("a")
    storage.create("pods", config_map("p"))
    version = storage.current_version
    change(storage, "a", "1")
    storage.update("pods", config_map("p", spec={"x": 1}))
    storage.expire_history("configmaps")
    with pytest.raises(Expired):
        storage.list_at("configmaps", "", version)
    assert len(storage.subscribe("pods", version, lambda event: None)) == 1


# -- the past ----------------------------------------------------------------------------------------------


def test_fact_25_an_exact_list_is_the_state_at_that_version() -> None:
    storage = filled("a", "b")
    version = storage.current_version
    change(storage, "a", "1")
    storage.delete("configmaps", "default", "b")
    storage.create("configmaps", config_map("c"))
    then = storage.list_at("configmaps", "default", version)
    assert names(then) == ["a", "b"]
    assert b'"v"' not in then[0].raw
    assert names(storage.list_stored("configmaps")[0]) == ["a", "c"]


def test_fact_22_a_kept_snapshot_outlives_the_window() -> None:
    storage = filled("a", "b", window=2)
    _, version = storage.list_stored("configmaps", snapshot=True)
    for value in range(10):
        change(storage, "a", str(value))
    assert names(storage.list_at("configmaps", "default", version)) == ["a", "b"]
    for value in range(8):  # the newest eight are kept
        change(storage, "b", str(value))
        storage.list_stored("configmaps", snapshot=True)
    with pytest.raises(Expired):
        storage.list_at("configmaps", "default", version)


def test_objects_are_restored_with_their_own_versions() -> None:
    storage = Storage(first_version=0)
    own = {"metadata": {"name": "a", "namespace": "n", "resourceVersion": "17"}}
    storage.restore("configmaps", [own], 40)
    stored, version = storage.list_stored("configmaps")
    assert (stored[0].version, version) == (17, 40)
    with pytest.raises(Expired):
        storage.subscribe("configmaps", 39, lambda event: None)


def test_a_list_that_was_handed_out_never_changes() -> None:
    storage = filled("a", "b")
    state, _ = storage.list_stored("configmaps")
    storage.delete("configmaps", "default", "a")
    assert names(state) == ["a", "b"]


# -- delivery ----------------------------------------------------------------------------------------------


def delivered(storage: Storage, how: str, *changed: str) -> list[str]:
    seen: list[StoredEvent] = []
    storage.subscribe("configmaps", storage.current_version, seen.append)
    storage.tamper("configmaps", how)
    for name in changed:
        change(storage, name, str(storage.current_version))
    return [event.key.partition("/")[2] for event in seen]


@pytest.mark.parametrize(("how", "changed", "seen"), [
    ("lose", "aab", "ab"), ("duplicate", "ab", "aab"), ("reorder", "aba", "baa"), ("reorder", "aab", "aab"),
])
def test_a_delivery_is_tampered_with_once_and_the_window_stays_right(how: str, changed: str, seen: str) -> None:
    storage = filled("a", "b")
    start = storage.current_version
    assert "".join(delivered(storage, how, *changed)) == seen
    kept = storage.subscribe("configmaps", start, lambda event: None)
    assert "".join(event.key[-1] for event in kept) == changed


def test_an_unknown_tampering_is_refused() -> None:
    with pytest.raises(ValueError, match="lose, duplicate, reorder"):
        Storage().tamper("pods", "scramble")


def test_a_subscriber_that_left_hears_nothing_more() -> None:
    storage = filled("a")
    seen: list[StoredEvent] = []
    storage.subscribe("configmaps", storage.current_version, seen.append)
    change(storage, "a", "1")
    storage.unsubscribe("configmaps", seen.append)
    change(storage, "a", "2")
    assert len(seen) == 1


def test_prepared_changes_are_committed_as_they_are() -> None:
    storage = filled("a")
    seen: list[StoredEvent] = []
    storage.subscribe("configmaps", storage.current_version, seen.append)
    head, tail = b'{"metadata":{"name":"a","namespace":"default","resourceVersion":"', b'"},"data":{"big":"x"}}'
    version = storage.publish("configmaps", [Prepared("MODIFIED", "default/a", head, tail)] * 3)
    assert [event.version for event in seen] == [version - 2, version - 1, version]
    assert storage.list("configmaps")[0]["metadata"]["resourceVersion"] == str(version)
    assert storage.publish("configmaps", [Prepared("DELETED", "default/a", head, tail)]) == version + 1
    assert storage.count("configmaps") == 0


def test_changes_of_many_threads_take_versions_without_a_gap() -> None:
    storage = filled("a")
    seen: list[int] = []
    storage.subscribe("configmaps", storage.current_version, lambda event: seen.append(event.version))
    first = storage.current_version + 1

    def create(prefix: str) -> None:
        for number in range(200):
            storage.create("configmaps", config_map(f"{prefix}-{number}"))

    threads = [threading.Thread(target=create, args=(name,)) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == list(range(first, first + 600))


def test_fact_76_progress_moves_with_changes_of_the_resource_and_with_consistent_lists() -> None:
    storage = filled("a")
    own = storage.progress("configmaps")
    storage.create("pods", config_map("p"))
    assert storage.progress("configmaps") == own
    assert storage.note_progress() == storage.progress("configmaps") == own + 1


def test_what_is_stored_stands_in_the_order_of_the_api() -> None:
    storage = Storage()
    storage.create("configmaps", {"data": {"b": "2", "a": "1"}, "kind": "ConfigMap", "metadata": {
        "labels": {"z": "1", "y": "2"}, "namespace": "default", "name": "a", "uid": "u",
        "creationTimestamp": "2026-01-01T00:00:00Z"}})
    raw = storage.list_stored("configmaps")[0][0].raw.decode()
    assert raw.startswith('{"metadata":{"name":"a","namespace":"default","uid":"u","resourceVersion":"')
    assert raw.endswith('"labels":{"y":"2","z":"1"}},"data":{"a":"1","b":"2"}}')
