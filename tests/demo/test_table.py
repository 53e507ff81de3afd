"""Tables: the recorded ones, rebuilt from the recorded objects, and kubectl's rules for ages and pod states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kdash.demo import ages
from kdash.demo.pod_columns import pod_restarts, pod_status
from kdash.demo.resources import BUILT_IN, ResourceType
from kdash.demo.table import at_json_path, columns_of, render_table

RECORDED = Path(__file__).parents[1] / "wire" / "exchanges"
TYPES = {each.qualified: each for each in BUILT_IN}
WIDGETS = ResourceType("wire.example.com", "v1", "widgets", "widget", "Widget", True, custom=True)
WIDGET_COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Colour", "type": "string", "jsonPath": ".spec.colour"},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))["response"]
    return found


def columns(table: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    return [(each["name"], each["type"], each["format"], each["priority"]) for each in table["columnDefinitions"]]


@pytest.mark.parametrize(("table", "objects", "resource", "printed"), [
    ("204-pods-table", "200-pods-list", TYPES["pods"], None),
    ("more/229-deployments-table", "more/228-deployments-list", TYPES["deployments.apps"], None),
    ("219-crd-table", "216-crd-list", WIDGETS, WIDGET_COLUMNS),
])
def test_a_table_is_what_a_real_server_makes_of_the_same_objects(
        table: str, objects: str, resource: ResourceType, printed: list[dict[str, Any]] | None) -> None:
    wanted, listed = json.loads(recorded(table)["body"]), json.loads(recorded(objects)["body"])
    items = {item["metadata"]["name"]: item for item in listed["items"]}
    rows = [row for row in wanted["rows"] if row["cells"][0] in items]
    assert rows
    created = ages.parse(items[rows[0]["cells"][0]]["metadata"]["creationTimestamp"])
    assert created is not None
    age_at = [name for name, *_ in columns(wanted)].index("Age")
    made = render_table(resource, [items[row["cells"][0]] for row in rows], printer_columns=printed,
                        resource_version=wanted["metadata"]["resourceVersion"],
                        now=created + int(rows[0]["cells"][age_at].rstrip("s")))
    assert columns(made) == columns(wanted)
    assert made["metadata"] == wanted["metadata"]
    assert [row["cells"] for row in made["rows"]] == [row["cells"] for row in rows]
    assert made["rows"][0]["object"].keys() == rows[0]["object"].keys()
    assert made["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_a_bookmark_is_a_row_of_empty_cells() -> None:
    line = next(line for line in recorded("351-watchlist-table")["lines"] if "BOOKMARK" in line["text"])
    wanted = json.loads(line["text"])["object"]
    item = {"metadata": wanted["rows"][0]["object"]["metadata"]}
    made = render_table(TYPES["configmaps"], [item], with_columns=False,
                        resource_version=wanted["metadata"]["resourceVersion"])
    assert made == wanted


@pytest.mark.parametrize(("include", "expected"), [("None", None), ("Object", {"metadata": {"name": "a"}})])
def test_include_object_decides_what_a_row_carries(include: str, expected: Any) -> None:
    assert render_table(TYPES["configmaps"], [{"metadata": {"name": "a"}}], include)["rows"][0]["object"] == expected


@pytest.mark.parametrize("resource", BUILT_IN, ids=lambda each: each.qualified)
def test_every_cell_copes_with_an_empty_object(resource: ResourceType) -> None:
    for item in ({}, {"metadata": {}, "spec": {}, "status": {}}, {"metadata": {}, "spec": None, "status": None}):
        cells = render_table(resource, [item])["rows"][0]["cells"]
        assert len(cells) == len(columns_of(resource))


@pytest.mark.parametrize(("seconds", "text"), [
    (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (121, "2m1s"), (599, "9m59s"), (600, "10m"),
    (10799, "179m"), (10800, "3h"), (10860, "3h1m"), (28799, "7h59m"), (28800, "8h"), (172799, "47h"),
    (172800, "2d"), (176400, "2d1h"), (691199, "7d23h"), (691200, "8d"), (63071999, "729d"), (63072000, "2y"),
    (63072000 + 86400 * 10, "2y10d"), (86400 * 365 * 8, "8y"),
])
def test_ages_are_written_as_kubectl_writes_them(seconds: int, text: str) -> None:
    assert ages.human_duration(seconds) == text


def pod(phase: str = "Running", deleting: bool = False, **status: Any) -> dict[str, Any]:
    meta = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}
    return {"metadata": meta, "spec": {"containers": [{"name": "c"}], "initContainers": status.pop("init", [])},
            "status": {"phase": phase, **status}}


RUNNING = {"name": "c", "ready": True, "state": {"running": {}}}


@pytest.mark.parametrize(("item", "status"), [
    (pod("Pending"), "Pending"),
    (pod(containerStatuses=[RUNNING]), "Running"),
    (pod("Pending", containerStatuses=[{"state": {"waiting": {"reason": "ContainerCreating"}}}]), "ContainerCreating"),
    (pod(containerStatuses=[{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]), "CrashLoopBackOff"),
    (pod("Succeeded", containerStatuses=[{"state": {"terminated": {"reason": "Completed"}}}]), "Completed"),
    (pod(containerStatuses=[{"state": {"terminated": {"exitCode": 3}}}]), "ExitCode:3"),
    (pod(containerStatuses=[{"state": {"terminated": {"signal": 9}}}]), "Signal:9"),
    (pod("Failed", reason="Evicted"), "Evicted"),
    (pod(deleting=True, containerStatuses=[RUNNING]), "Terminating"),
    (pod("Failed", deleting=True), "Failed"),
    (pod(deleting=True, reason="NodeLost"), "Unknown"),
    (pod("Pending", init=[{"name": "i"}, {"name": "j"}], initContainerStatuses=[
        {"name": "i", "state": {"terminated": {"exitCode": 0}}}, {"name": "j", "state": {"running": {}}}]), "Init:1/2"),
    (pod("Pending", init=[{"name": "i"}], initContainerStatuses=[
        {"name": "i", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]), "Init:Error"),
    (pod(conditions=[{"type": "Ready", "status": "True"}], containerStatuses=[
        RUNNING, {"state": {"terminated": {"reason": "Completed"}}}]), "Running"),
])
def test_the_status_column_says_what_holds_a_pod_up(item: dict[str, Any], status: str) -> None:
    assert pod_status(item) == status


def test_restarts_say_how_long_ago_the_last_one_was() -> None:
    item = pod(containerStatuses=[{"restartCount": 3, "lastState": {"terminated": {
        "finishedAt": "2026-01-01T00:00:00Z"}}}])
    assert pod_restarts(item, (ages.parse("2026-01-01T00:05:00Z") or 0)) == "3 (5m ago)"


@pytest.mark.parametrize(("path", "value"), [
    (".spec.size", 3), (".spec.missing", None), (".spec.list[0].name", "a"), (".spec.list[*].name", "a"),
    ('.status.conditions[?(@.type=="Ready")].status', "True"), (".spec.size.deeper", None), (".spec.list[7]", None),
])
def test_printer_columns_find_their_value(path: str, value: Any) -> None:
    item = {"spec": {"size": 3, "list": [{"name": "a"}]}, "status": {"conditions": [
        {"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]}}
    assert at_json_path(item, path) == value
