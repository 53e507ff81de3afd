"""Merge patch, JSON patch, strategic merge patch and server-side apply, each as a table of cases."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kdash.demo import field_owners
from kdash.demo.patches import PatchError, json_patch, merge_patch, strategic_merge_patch

MERGE = [
    # the examples of RFC 7386, appendix A
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("document", "patch", "expected"), MERGE)
def test_merge_patch(document: Any, patch: Any, expected: Any) -> None:
    before = copy.deepcopy(document)
    assert merge_patch(document, patch) == expected
    assert document == before


JSON_PATCHES = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
    (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["x"]}], {"foo": ["bar", ["x"]]}),
    ({"foo": ["bar", "qux"]}, [{"op": "add", "path": "/foo/2", "value": 1}], {"foo": ["bar", "qux", 1]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
    ({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
    ({"a": [1, 2]}, [{"op": "replace", "path": "/a/1", "value": 3}], {"a": [1, 3]}),
    ({"a": {"x": 1}, "b": {}}, [{"op": "move", "from": "/a/x", "path": "/b/y"}], {"a": {}, "b": {"y": 1}}),
    ({"l": [1, 2, 3]}, [{"op": "move", "from": "/l/0", "path": "/l/2"}], {"l": [2, 3, 1]}),
    (
        {"a": {"x": [1]}},
        [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/x/-", "value": 2}],
        {"a": {"x": [1]}, "b": {"x": [1, 2]}},
    ),
    ({"a": {"b": [1.0]}}, [{"op": "test", "path": "/a/b/0", "value": 1}], {"a": {"b": [1.0]}}),
    (
        {"a/b": 1, "m~n": 2},
        [{"op": "replace", "path": "/a~1b", "value": 3}, {"op": "remove", "path": "/m~0n"}],
        {"a/b": 3},
    ),
    ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ({"": 1}, [{"op": "replace", "path": "/", "value": 2}], {"": 2}),
]


@pytest.mark.parametrize(("document", "operations", "expected"), JSON_PATCHES)
def test_json_patch(document: Any, operations: Any, expected: Any) -> None:
    before = copy.deepcopy(document)
    assert json_patch(document, operations) == expected
    assert document == before


@pytest.mark.parametrize(("operations", "malformed"), [
    ([{"op": "test", "path": "/a", "value": 2}], False),
    ([{"op": "test", "path": "/t", "value": 1}], False),
    ([{"op": "remove", "path": "/nope"}], False),
    ([{"op": "replace", "path": "/nope", "value": 1}], False),
    ([{"op": "add", "path": "/nope/x", "value": 1}], False),
    ([{"op": "add", "path": "/l/4", "value": 1}], False),
    ([{"op": "add", "path": "/l/01", "value": 1}], False),
    ([{"op": "remove", "path": "/l/x"}], False),
    ([{"op": "remove", "path": ""}], False),
    ([{"op": "move", "from": "/o", "path": "/o/p"}], False),
    ([{"op": "add", "path": "/a"}], True),
    ([{"op": "explode", "path": "/a"}], True),
    ([{"op": "add", "path": "a", "value": 1}], True),
    ({"op": "add"}, True),
    ([7], True),
])
def test_a_json_patch_that_cannot_be_carried_out_is_refused_whole(operations: Any, malformed: bool) -> None:
    document = {"a": 1, "t": True, "l": [0, 1, 2], "o": {}}
    before = copy.deepcopy(document)
    with pytest.raises(PatchError) as refusal:
        json_patch(document, operations)
    assert refusal.value.malformed is malformed
    assert document == before


WEB = {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
       "ports": [{"containerPort": 80}, {"containerPort": 443}], "args": ["x", "y"],
       "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
SIDE = {"name": "side", "image": "side:1"}
SPEC = {"containers": [WEB, SIDE]}

STRATEGIC = {
    "containers merge by name": (
        SPEC,
        {"containers": [{"name": "side", "image": "side:2"}]},
        {"containers": [WEB, {"name": "side", "image": "side:2"}]},
    ),
    "a new container is appended": (
        SPEC,
        {"containers": [{"name": "new", "image": "n"}]},
        {"containers": [WEB, SIDE, {"name": "new", "image": "n"}]},
    ),
    "a container is deleted by directive": (
        SPEC,
        {"containers": [{"name": "web", "$patch": "delete"}]},
        {"containers": [SIDE]},
    ),
    "deleting what is not there is no error": (
        SPEC,
        {"containers": [{"name": "gone", "$patch": "delete"}]},
        SPEC,
    ),
    "the list is replaced by directive": (
        SPEC,
        {"containers": [{"$patch": "replace"}, {"name": "only", "image": "o"}]},
        {"containers": [{"name": "only", "image": "o"}]},
    ),
    "the order is set": (
        SPEC,
        {
            "$setElementOrder/containers": [{"name": "side"}, {"name": "web"}],
            "containers": [{"name": "web", "image": "web:2"}],
        },
        {"containers": [SIDE, {**WEB, "image": "web:2"}]},
    ),
    "an item outside the order stays behind its predecessor": (
        {"containers": [{"name": "a"}, {"name": "x"}, {"name": "b"}]},
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]},
        {"containers": [{"name": "b"}, {"name": "a"}, {"name": "x"}]},
    ),
    "env merges by name inside a container": (
        {"containers": [WEB]},
        {"containers": [{"name": "web", "env": [{"name": "B", "value": "3"}]}]},
        {"containers": [{**WEB, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]}]},
    ),
    "container ports merge by containerPort": (
        {"containers": [WEB]},
        {"containers": [{"name": "web", "ports": [{"containerPort": 443, "name": "tls"}]}]},
        {"containers": [{**WEB, "ports": [{"containerPort": 80}, {"containerPort": 443, "name": "tls"}]}]},
    ),
    "args are atomic": (
        {"containers": [WEB]},
        {"containers": [{"name": "web", "args": ["z"]}]},
        {"containers": [{**WEB, "args": ["z"]}]},
    ),
    "volume mounts merge by path": (
        {"containers": [WEB]},
        {"containers": [{"name": "web", "volumeMounts": [{"mountPath": "/v", "readOnly": True}]}]},
        {"containers": [{**WEB, "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": True}]}]},
    ),
    "tolerations are atomic": (
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": [{"key": "b"}]},
    ),
    "volumes keep only the source that the patch retains": (
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        {"volumes": [{"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "c"}}]},
        {"volumes": [{"name": "v", "configMap": {"name": "c"}}]},
    ),
    "retainKeys drops the rolling update": (
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
        {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
        {"strategy": {"type": "Recreate"}},
    ),
    "a map is replaced by directive": (
        {"labels": {"a": "1"}},
        {"labels": {"$patch": "replace", "b": "2"}},
        {"labels": {"b": "2"}},
    ),
    "a map is emptied by directive": (
        {"labels": {"a": "1"}},
        {"labels": {"$patch": "delete"}},
        {"labels": {}},
    ),
    "null removes a key": ({"labels": {"a": "1", "b": "2"}}, {"labels": {"a": None}}, {"labels": {"b": "2"}}),
    "finalizers merge as a set": (
        {"finalizers": ["x/a"]},
        {"finalizers": ["x/b", "x/a"]},
        {"finalizers": ["x/a", "x/b"]},
    ),
    "deleteFromPrimitiveList takes from a set": (
        {"finalizers": ["x/a", "x/b"]},
        {"$deleteFromPrimitiveList/finalizers": ["x/a"]},
        {"finalizers": ["x/b"]},
    ),
    "conditions merge by type": (
        {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "True"}]},
        {"conditions": [{"type": "Ready", "status": "False"}]},
        {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Other", "status": "True"}]},
    ),
    "service ports merge by port": (
        {"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81}]}},
        {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}},
        {"spec": {"ports": [{"port": 80, "name": "a", "targetPort": 8080}, {"port": 81}]}},
    ),
    "directives do not end up in what is new": (
        {},
        {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a", "x": None}]}},
        {"spec": {"containers": [{"name": "a"}]}},
    ),
}


@pytest.mark.parametrize("case", STRATEGIC, ids=lambda case: case.replace(" ", "_"))
def test_strategic_merge_patch(case: str) -> None:
    document, patch, expected = STRATEGIC[case]
    before = copy.deepcopy(document)
    assert strategic_merge_patch(document, patch) == expected
    assert document == before


def test_a_list_item_without_its_merge_key_is_malformed() -> None:
    with pytest.raises(PatchError) as refusal:
        strategic_merge_patch(SPEC, {"containers": [{"image": "x"}]})
    assert refusal.value.malformed


def config(name: str = "applied", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def applied(live: dict[str, Any] | None, document: dict[str, Any], manager: str = "kdash", *,
            force: bool = False) -> dict[str, Any]:
    return field_owners.apply(
        live, document, manager=manager, now="2026-01-01T00:00:00Z", api_version="v1", force=force
    )


def test_apply_owns_the_leaves_that_it_names() -> None:
    entries = applied(None, config(k="1"))["metadata"]["managedFields"]
    assert entries == [
        {
            "manager": "kdash",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:k": {}}},
        }
    ]


def test_apply_removes_what_the_manager_no_longer_names_and_keeps_what_others_own() -> None:
    first = applied(None, config(k="1", l="1"))
    both = applied(first, config(l="1"), "other")
    last = applied(both, config(j="2"))
    assert last["data"] == {"l": "1", "j": "2"}
    owners = {entry["manager"]: entry["fieldsV1"] for entry in last["metadata"]["managedFields"]}
    assert owners == {"kdash": {"f:data": {"f:j": {}}}, "other": {"f:data": {"f:l": {}}}}


def test_apply_refuses_to_change_what_another_manager_owns_unless_forced() -> None:
    live = applied(None, config(j="2"))
    with pytest.raises(field_owners.ApplyConflict) as refusal:
        applied(live, config(j="3"), "other")
    assert str(refusal.value) == 'Apply failed with 1 conflict: conflict with "kdash": .data.j'
    assert refusal.value.conflicts == [('"kdash"', ".data.j")]
    forced = applied(live, config(j="3"), "other", force=True)
    assert forced["data"] == {"j": "3"}
    assert [entry["manager"] for entry in forced["metadata"]["managedFields"]] == ["other"]


def test_applying_the_same_value_shares_the_field() -> None:
    shared = applied(applied(None, config(j="2")), config(j="2"), "other")
    assert sorted(entry["manager"] for entry in shared["metadata"]["managedFields"]) == ["kdash", "other"]


def test_apply_merges_containers_by_name_and_removes_one_it_owned() -> None:
    def deployment(*containers: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
                "spec": {"template": {"spec": {"containers": list(containers)}}}}

    live = applied(None, deployment({"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}))
    live["spec"]["template"]["spec"]["containers"].append({"name": "injected", "image": "i"})
    after = applied(live, deployment({"name": "a", "image": "a:2"}))
    assert after["spec"]["template"]["spec"]["containers"] == [
        {"name": "a", "image": "a:2"}, {"name": "injected", "image": "i"}]


def container(**more: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a:1", **more}]}}}}


EMPTY_AND_FULL = [
    (config(), config(b="1")),
    (container(resources={}), container(resources={"limits": {"cpu": "1"}})),
    (container(resources={"limits": {}}), container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "1"}})),
    (container(env=[]), container(env=[{"name": "X", "value": "1"}])),
    (container(args=[]), container(args=["x"])),
]


@pytest.mark.parametrize(("empty", "full"), EMPTY_AND_FULL)
def test_apply_keeps_what_was_put_into_a_field_that_was_empty(empty: dict[str, Any], full: dict[str, Any]) -> None:
    after = applied(applied(None, empty), full)
    assert {**after, "metadata": {"name": after["metadata"]["name"]}} == full
    emptied = applied(after, empty)
    assert {**emptied, "metadata": {"name": after["metadata"]["name"]}} == empty
    again = applied(emptied, full)
    assert {**again, "metadata": {"name": after["metadata"]["name"]}} == full


def test_apply_of_an_empty_map_or_list_leaves_what_others_have_in_it() -> None:
    theirs = applied(None, config(x="1"), "other")
    assert applied(theirs, config())["data"] == {"x": "1"}
    env = applied(None, container(env=[{"name": "X", "value": "1"}]), "other")
    assert applied(env, container(env=[]))["spec"] == env["spec"]
    assert applied(applied(theirs, config()), config(b="1"))["data"] == {"x": "1", "b": "1"}


def test_apply_by_a_manager_that_owned_the_map_as_such_keeps_what_is_in_it() -> None:
    live = applied(None, config(a="1"))
    live["metadata"]["managedFields"][0]["fieldsV1"] = {"f:data": {".": {}, "f:a": {}}}
    live["data"]["unowned"] = "1"
    assert applied(live, config(b="1"))["data"] == {"unowned": "1", "b": "1"}


def test_a_list_item_goes_with_its_defaults_unless_somebody_owns_a_part_of_it() -> None:
    two = container()
    two["spec"]["template"]["spec"]["containers"].append({"name": "b", "image": "b:1"})
    live = applied(None, two)
    live["spec"]["template"]["spec"]["containers"][1]["imagePullPolicy"] = "Always"
    assert [each["name"] for each in applied(live, container())["spec"]["template"]["spec"]["containers"]] == ["a"]
    part = {"spec": {"template": {"spec": {"containers": [{"name": "b", "imagePullPolicy": "Always"}]}}}}
    shared = applied(live, {**part, "metadata": {"name": "d"}}, "other")
    left = applied(shared, container())["spec"]["template"]["spec"]["containers"]
    assert left == [{"name": "a", "image": "a:1"}, {"name": "b", "imagePullPolicy": "Always"}]


def test_an_update_owns_what_it_changed_and_takes_it_from_the_previous_owner() -> None:
    first = {"metadata": {"name": "a", "labels": {"app": "x"}}, "data": {"k": "1"}}
    first["metadata"]["managedFields"] = field_owners.record_update(
        None, first, manager="m", now="t1", api_version="v1"
    )
    assert first["metadata"]["managedFields"][0]["fieldsV1"] == {
        "f:data": {".": {}, "f:k": {}}, "f:metadata": {"f:labels": {".": {}, "f:app": {}}}}
    second = {"metadata": {"name": "a"}, "data": {"k": "2"}}
    entries = field_owners.record_update(first, second, manager="n", now="t2", api_version="v1")
    assert {entry["manager"]: entry["fieldsV1"] for entry in entries} == {
        "m": {"f:data": {}}, "n": {"f:data": {"f:k": {}}}}


def test_an_update_that_changes_nothing_keeps_owners_and_times() -> None:
    item = config(k="1")
    item["metadata"]["managedFields"] = field_owners.record_update(
        None, item, manager="m", now="t1", api_version="v1"
    )
    assert field_owners.record_update(item, copy.deepcopy(item), manager="n", now="t2", api_version="v1") == \
        item["metadata"]["managedFields"]


@pytest.mark.parametrize("tree", [
    {"f:data": {".": {}, "f:k": {}}},
    {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}},
    {"f:metadata": {"f:finalizers": {".": {}, "v:\"example.com/hold\"": {}}}},
])
def test_fields_survive_a_round_trip(tree: dict[str, Any]) -> None:
    assert field_owners.encode(field_owners.decode(tree)) == tree
