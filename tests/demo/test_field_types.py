"""The table of fields: what it says of values, that all the demo makes fits it, and the schemas made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kdash.demo import ApiServer, field_types
from kdash.demo.resources import BUILT_IN
from kdash.demo.scenarios import SCENARIOS
from kdash.demo.schemas import name_of, schemas_of


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


@pytest.mark.parametrize(("kind", "item", "sentence"), [
    ("Deployment", {"spec": {"replicas": "three"}},
     "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
    ("Deployment", {"spec": {"replicas": 1.5}},
     "cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"),
    ("Deployment", {"spec": {"replicas": 1 << 31}},
     "cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32"),
    ("Deployment", {"spec": {"paused": "yes"}},
     "cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool"),
    ("Pod", {"metadata": {"labels": [1]}},
     "cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string"),
    ("Pod", {"metadata": {"labels": {"a": 1}}},
     "cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"),
    ("Pod", {"spec": []}, "cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"),
    ("Pod", pod(containers={"name": "c"}),
     "cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"),
    ("Pod", pod(initContainers=[{"name": "c", "image": True}]),
     "cannot unmarshal bool into Go struct field Container.spec.initContainers.image of type string"),
    ("Pod", pod(overhead={"cpu": "much"}),
     "cannot unmarshal string into Go struct field PodSpec.spec.overhead of type resource.Quantity"),
    ("Secret", {"data": {"a": "no base64"}},
     "cannot unmarshal string into Go struct field Secret.data of type []uint8"),
])  # fmt: skip
def test_a_value_of_a_wrong_type_is_told_as_go_tells_it(kind: str, item: dict[str, Any], sentence: str) -> None:
    assert str(field_types.misfit(kind, item)) == f"json: {sentence}"


@pytest.mark.parametrize(("kind", "item"), [
    ("Pod", pod(overhead={"cpu": "500m", "memory": 1.5}, nodeName=None, affinity={"whatever": [1]})),
    ("Deployment", {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}}}),
    ("ConfigMap", {"binaryData": {"a": "aGk="}, "data": None}),
    ("Widget", {"spec": 3}),
])  # fmt: skip
def test_values_that_fit_are_no_misfits(kind: str, item: dict[str, Any]) -> None:
    assert field_types.misfit(kind, item) is None


def test_unknown_fields_are_taken_out_and_named_with_their_path() -> None:
    item = pod(nodname="x") | {"speck": 1}
    item["spec"]["containers"][0]["imagee"] = "z"
    assert field_types.take_unknown("Pod", item) == ["spec.containers[0].imagee", "spec.nodname", "speck"]
    assert item == pod()
    assert field_types.take_unknown("Widget", {"any": 1}) == []


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"big"}))
def test_all_that_the_demo_makes_fits_the_table(scenario: str) -> None:
    with ApiServer(objects=40, rate=50.0, seed=3, scenario=scenario) as server:
        assert server.storage.wait_for_version(server.storage.current_version + 100, 30)
        for each in BUILT_IN:
            for item in server.storage.list(each.qualified):
                assert field_types.misfit(each.kind, item) is None
                assert field_types.take_unknown(each.kind, item) == [], each.kind


@pytest.mark.parametrize("each", BUILT_IN, ids=lambda each: each.kind)
def test_each_kinds_schema_refers_to_schemas_that_are_there(each: Any) -> None:
    schemas = schemas_of(each, None)
    text = json.dumps(schemas)
    referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred <= set(schemas)
    assert "apiVersion" in schemas[name_of(each)]["properties"]
    assert all(schema["description"] for schema in schemas.values())


def test_every_type_of_the_table_is_one_that_is_known() -> None:
    plain = {"string", "bool", "int32", "int64", "time", "intstr", "quantity", "bytes", "any"}
    for known in field_types.table().values():
        for name, field in known.fields.items():
            assert field.type.removeprefix("[]").removeprefix("map:") in plain | set(field_types.table()), name
