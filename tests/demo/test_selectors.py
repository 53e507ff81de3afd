"""Label and field selectors of requests (wire facts 34 and 35)."""

from __future__ import annotations

from typing import Any

import pytest

from kdash.demo.resources import Registry, ResourceType
from kdash.demo.selectors import parse_selection
from kdash.demo.status import ApiError

TYPES = {each.plural: each for each in Registry()}
WIDGETS = ResourceType("example.com", "v1", "widgets", "widget", "Widget", True, custom=True,
                       field_selectors=("spec.colour",))  # fmt: skip


def labelled(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "a", "namespace": "n", "labels": labels}}


@pytest.mark.parametrize(("selector", "matches"), [
    ("app=web", True), ("app==web", True), ("app = web", True), ("app=db", False), ("app!=db", True),
    ("app!=web", False), ("missing!=x", True), ("missing=", False), ("empty=", True), ("app", True), ("!app", False),
    ("missing", False), ("!missing", True), ("app in (web, db)", True), ("app in (db)", False),
    ("app notin (db)", True), ("missing notin (web)", True), ("missing in (web)", False),
    ("app=web,tier=front", True), ("app=web,tier=back", False), ("app in (web,db),tier notin (back),!missing", True),
    ("example.com/role=main", True), ("", True), (" app=web ", True),
])
def test_fact_34_label_selectors(selector: str, matches: bool) -> None:
    obj = labelled(app="web", tier="front", empty="", **{"example.com/role": "main"})
    assert parse_selection(selector, "", TYPES["pods"]).matches(obj) is matches


@pytest.mark.parametrize("selector", [
    "===", "app in", "app in (", "app in web", "(app)", "app=web,,tier=front", "app=web,", "a b", "=web", "app>x",
    "app=we b", "-app=web", "app in (web))", "app=web;tier", "a/b/c=d", "!app=web", "%", "app=\x00",
])
def test_fact_34_a_label_selector_that_does_not_parse_is_400(selector: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_selection(selector, "", TYPES["pods"])
    assert (refused.value.status["code"], refused.value.status["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(("plural", "selector", "matches"), [
    ("pods", "metadata.name=a", True), ("pods", "metadata.name!=a", False), ("pods", "metadata.namespace=n", True),
    ("pods", "spec.nodeName=node-1", True), ("pods", "spec.nodeName=", False), ("pods", "status.phase!=Running", False),
    ("pods", "spec.hostNetwork=true", True), ("pods", "status.podIP=", True),
    ("pods", "spec.nodeName==node-1,status.phase=Running", True),
    ("events", "involvedObject.name=x,involvedObject.kind=Pod", True), ("events", "involvedObject.uid=", True),
    ("secrets", "type=Opaque", True), ("nodes", "spec.unschedulable=false", False),
    ("widgets", "spec.colour=red", True),
])
def test_fact_35_field_selectors(plural: str, selector: str, matches: bool) -> None:
    obj = {**labelled(), "spec": {"nodeName": "node-1", "hostNetwork": True, "colour": "red"}, "type": "Opaque",
           "status": {"phase": "Running"}, "involvedObject": {"name": "x", "kind": "Pod"}}
    chosen = WIDGETS if plural == "widgets" else TYPES[plural]
    assert parse_selection("", selector, chosen).matches(obj) is matches


@pytest.mark.parametrize(("resource_type", "message"), [
    (TYPES["configmaps"], '"data.n" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    (TYPES["pods"], "field label not supported: data.n"), (WIDGETS, "field label not supported: data.n"),
])
def test_fact_35_an_unknown_field_is_400_in_the_words_of_its_kind(resource_type: ResourceType, message: str) -> None:
    with pytest.raises(ApiError, match="data") as refused:
        parse_selection("", "data.n=1", resource_type)
    assert refused.value.status["message"] == message
    with pytest.raises(ApiError):
        parse_selection("", "metadata.name", resource_type)
