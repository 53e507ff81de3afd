"""Which events a reflector takes (reflector_test.go: TestGetTypeDescriptionFromObject, TestGetExpectedGVKFromObject,
TestIsUnsupportedTableObject; RF-3, RF-20).
"""

from __future__ import annotations

import pytest

from kdash.informer.event_filter import EventFilter, is_unsupported_table
from kdash.informer.objects import KubeObject


def an_object(api_version: str, kind: str) -> KubeObject:
    return KubeObject.from_dict({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}})


POD = an_object("v1", "Pod")


@pytest.mark.parametrize(("expected", "told"), [
    (EventFilter("v1", "Secret"), "expected v1 Secret, but the event has v1 Pod"),
    (EventFilter("apps/v1", "Deployment"), "expected apps/v1 Deployment, but the event has v1 Pod"),
])  # fmt: skip
def test_rf3_get_type_description_from_object_names_both_types(expected: EventFilter, told: str) -> None:
    assert expected.rejection(POD) == told


@pytest.mark.parametrize(("expected", "taken"), [
    (EventFilter(), True), (EventFilter("", "Pod"), True), (EventFilter("v1", ""), True),
    (EventFilter("v1", "Pod"), True),
    (EventFilter("", "Node"), False), (EventFilter("v2", ""), False), (EventFilter("v1", "Node"), False),
    (EventFilter("v2", "Pod"), False),
])  # fmt: skip
def test_rf3_get_expected_gvk_from_object_an_unset_half_takes_anything(expected: EventFilter, taken: bool) -> None:
    assert (expected.rejection(POD) == "") is taken


@pytest.mark.parametrize(("api_version", "kind", "unsupported"), [
    ("meta.k8s.io/v1", "Table", True), ("meta.k8s.io/v1beta1", "Table", True), ("v1", "Pod", False),
    ("example.com/v1", "Table", False), ("meta.k8s.io/v1", "PartialObjectMetadata", False),
])  # fmt: skip
def test_rf20_is_unsupported_table_object(api_version: str, kind: str, unsupported: bool) -> None:
    assert is_unsupported_table(api_version, kind) is unsupported


@pytest.mark.parametrize(("obj", "taken"), [
    (an_object("meta.k8s.io/v1", "PartialObjectMetadata"), True), (POD, True),
    (an_object("v1", "Secret"), False), (an_object("meta.k8s.io/v1", "Table"), False),
])  # fmt: skip
def test_who_asks_for_metadata_only_takes_it_and_the_whole_objects_of_a_server_that_cannot_cut_them(
    obj: KubeObject, taken: bool
) -> None:
    assert (EventFilter("v1", "Pod", metadata_only=True).rejection(obj) == "") is taken
    assert EventFilter("v1", "Pod").rejection(an_object("meta.k8s.io/v1", "PartialObjectMetadata"))
