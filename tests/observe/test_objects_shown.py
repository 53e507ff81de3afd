"""What is shown of objects: status words, and Secrets without their values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.informer.objects import KubeObject
from kdash.observe.redact import HIDDEN, decoded, redacted
from kdash.observe.summary import summary_of

SECRET = {
    "kind": "Secret",
    "metadata": {
        "name": "db",
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"aHVudGVyMg=="}}',
            "team": "red",
        },
    },
    "data": {"password": "aHVudGVyMg=="},
    "stringData": {"token": "hunter2"},
    "type": "Opaque",
}


def test_a_secret_keeps_its_keys_and_loses_its_values() -> None:
    shown = redacted("secrets", json.loads(json.dumps(SECRET)))
    text = json.dumps(shown)
    assert "hunter2" not in text and "aHVudGVyMg" not in text
    assert shown["data"] == {"password": HIDDEN} and shown["stringData"] == {"token": HIDDEN}


def test_of_a_secret_no_annotation_value_is_shown_only_the_names() -> None:
    copied = {"name": "db", "annotations": {"example.com/backup": '{"data":{"password":"aHVudGVyMg=="}}'}}
    shown = redacted("secrets", {"kind": "Secret", "metadata": copied})
    assert shown["metadata"]["annotations"] == {"example.com/backup": HIDDEN}
    assert shown["metadata"]["name"] == "db"


@pytest.mark.parametrize("kind", ["PartialObjectMetadata", "Pod", "", None, 7])
def test_what_is_a_secret_is_decided_by_the_resource_not_by_the_objects_own_kind(kind: Any) -> None:
    secret = {**json.loads(json.dumps(SECRET)), "kind": kind, "status": {"phase": "aHVudGVyMg"}}
    text = json.dumps(redacted("secrets", secret))
    assert "hunter2" not in text and "aHVudGVyMg" not in text and "red" not in text
    settings = {"kind": "Secret", "data": {"a": "b"}}  # a custom resource of another group
    assert redacted("secrets.example.com", dict(settings)) == settings


def test_an_object_of_too_many_values_says_so_in_place_of_its_content() -> None:
    raw = b'{"kind":"Pod","metadata":{"name":"a"},"x":[' + b"[]," * 1_000_001 + b"0]}"
    shown = decoded("pods", KubeObject.from_bytes(raw))
    assert shown["metadata"]["name"] == "a" and "more than 1,000,000 values" in shown["error"]


def test_other_kinds_are_left_alone() -> None:
    config = {"kind": "ConfigMap", "data": {"a": "b"}}
    assert redacted("configmaps", dict(config)) == config


@pytest.mark.parametrize("data", [None, [], "aHVudGVyMg==", 7])
def test_a_malformed_secret_shows_nothing_either(data: Any) -> None:
    secret = {"kind": "Secret", "data": data, "metadata": {"annotations": 3}}
    assert "aHVudGVyMg" not in json.dumps(redacted("secrets", secret))


def pod(**status: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {}, "status": status}


@pytest.mark.parametrize(
    ("obj", "word"),
    [
        (pod(phase="Running"), "Running"),
        (pod(phase="Failed", reason="Evicted"), "Evicted"),
        (
            pod(
                phase="Running",
                containerStatuses=[
                    {"state": {"running": {}}}, {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
                ],
            ),
            "CrashLoopBackOff",
        ),
        (pod(phase="Pending", initContainerStatuses=[{"state": {"waiting": {"reason": "PodInitializing"}}}]),
         "Init:PodInitializing"),
        (pod(phase="Succeeded", containerStatuses=[{"state": {"terminated": {"reason": "Completed"}}}]),
         "Succeeded"),
        ({"kind": "Pod", "metadata": {"deletionTimestamp": "now"}, "status": {"phase": "Running"}},
         "Terminating"),
        ({"kind": "Deployment", "spec": {"replicas": 3}, "status": {"readyReplicas": 2}}, "2/3"),
        ({"kind": "DaemonSet", "status": {"numberReady": 1, "desiredNumberScheduled": 2}}, "1/2"),
        ({"kind": "Node", "status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "Ready"),
        ({"kind": "Node", "spec": {"unschedulable": True},
          "status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "NotReady,Cordoned"),
        ({"kind": "Job", "status": {"conditions": [{"type": "Complete", "status": "True"}]}}, "Complete"),
        ({"kind": "Job", "spec": {"completions": 5}, "status": {"succeeded": 2}}, "2/5"),
        ({"kind": "Secret", "data": {"a": "x", "b": "y"}}, "2 keys"),
        ({"kind": "Widget", "status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "NotReady"),
        ({"kind": "Widget"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_status_words(obj: dict[str, Any], word: str) -> None:
    assert summary_of(obj) == word


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.sampled_from(["", "True", "Ready", "\x1b[2J"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["status", "conditions", "containerStatuses", "state", "phase", "type", "reason"]),
        inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@given(st.sampled_from(["Pod", "Deployment", "DaemonSet", "Node", "Job", "Secret", "Event", "Service", 7]),
       st.dictionaries(st.sampled_from(["status", "spec", "metadata", "data", "reason"]), JSON))
def test_any_malformed_object_has_a_printable_status(kind: Any, fields: dict[str, Any]) -> None:
    assert summary_of({"kind": kind, **fields}).isprintable()
