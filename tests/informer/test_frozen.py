"""What a cached object gives out refuses to be changed, at every depth, and is a dict or list for everybody else."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from kubernetes.client import ApiClient

from kdash.informer.objects import KubeObject

POD = {
    "apiVersion": "v1", "kind": "Pod",
    "metadata": {"name": "a", "namespace": "b", "labels": {"app": "web"}, "annotations": {"x": "y"},
                 "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u"}]},
    "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}]},
}  # fmt: skip
CHANGES: dict[str, Callable[[KubeObject], Any]] = {
    "setitem": lambda obj: obj["spec"].__setitem__("nodeName", "m"),
    "delitem": lambda obj: obj["spec"].__delitem__("nodeName"),
    "update": lambda obj: obj["spec"].update(nodeName="m"),
    "setdefault": lambda obj: obj["metadata"].setdefault("labels", {}),
    "pop": lambda obj: obj["metadata"].pop("labels"),
    "popitem": lambda obj: obj["metadata"].popitem(),
    "clear": lambda obj: obj["metadata"]["labels"].clear(),
    "ior": lambda obj: obj["metadata"]["labels"].__ior__({"a": "b"}),
    "append": lambda obj: obj["spec"]["containers"].append({}),
    "extend": lambda obj: obj["spec"]["containers"].extend([{}]),
    "insert": lambda obj: obj["spec"]["containers"].insert(0, {}),
    "sort": lambda obj: obj["spec"]["containers"].sort(),
    "reverse": lambda obj: obj["spec"]["containers"].reverse(),
    "iadd": lambda obj: obj["spec"]["containers"].__iadd__([1]),
    "slice": lambda obj: obj["spec"]["containers"][:][0].update(image="j"),
    "nested": lambda obj: obj["spec"]["containers"][0]["ports"][0].update(containerPort=81),
    "iterated": lambda obj: [each.update(image="j") for each in obj["spec"]["containers"]],
    "get": lambda obj: obj.get("spec")["containers"].remove(0),
    "get nested": lambda obj: obj["spec"].get("containers")[0].update(x=1),
    "values": lambda obj: [each.update(x=1) for each in obj.values() if isinstance(each, dict)],
    "items": lambda obj: [each.update(x=1) for _, each in obj["spec"]["containers"][0].items() or () if each],
    "labels": lambda obj: obj.labels.update(app="other"),
    "annotations": lambda obj: obj.annotations.pop("x"),
    "owners": lambda obj: obj.owner_references[0].update(name="s"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_part_of_a_cached_object_refuses_to_be_changed(change: Callable[[KubeObject], Any]) -> None:
    obj = KubeObject.from_dict(POD)
    with pytest.raises((TypeError, AttributeError)) as caught:
        change(obj)
    if caught.type is TypeError:
        assert "to_dict()" in str(caught.value)
    assert obj.to_dict() == POD


def test_others_take_it_for_what_it_is() -> None:
    obj = KubeObject.from_dict(POD)
    spec, plain = obj["spec"], POD["spec"]
    assert isinstance(spec, dict) and isinstance(spec["containers"], list) and spec == plain
    assert json.loads(json.dumps(spec)) == plain == msgspec.json.decode(msgspec.json.encode(spec))
    assert ApiClient().sanitize_for_serialization(spec) == plain
    assert {**spec} == plain and spec | {} == plain and [*spec["containers"]] == plain["containers"]  # type: ignore[index]


@pytest.mark.parametrize("made", [copy.deepcopy, lambda spec: pickle.loads(pickle.dumps(spec))], ids=["deep", "pickle"])
def test_a_copy_is_plain_at_every_depth(made: Callable[[Any], Any]) -> None:
    mine = made(KubeObject.from_dict(POD)["spec"])
    mine["containers"][0]["ports"].append({"containerPort": 81})
    assert type(mine) is dict and type(mine["containers"]) is list and type(mine["containers"][0]) is dict
    shallow = KubeObject.from_dict(POD)["spec"].copy()
    shallow["nodeName"] = "m"
    assert type(copy.copy(KubeObject.from_dict(POD)["spec"]["containers"])) is list
