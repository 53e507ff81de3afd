"""What belongs to what goes with it, in every cluster and for every kind, custom ones included."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from kdash.demo import ApiServer
from kdash.demo.storage import StoredEvent
from tests.demo.test_crud import Api, decoded, deployment, pod_spec, widgets
from tests.demo.test_workload import Cluster

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/wire.example.com/v1/namespaces/default/widgets"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


class Kept(Api):
    """A server without a workload, whose housekeeping is driven by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.create("customresourcedefinitions", widgets(), namespace="", group="apis/apiextensions.k8s.io/v1")

    def keep(self) -> None:
        assert self.server.housekeeping is not None
        self.server.housekeeping.step()

    def config_map(self, name: str, *owners: dict[str, Any], **meta: Any) -> dict[str, Any]:
        references = [reference(each) for each in owners]
        return self.create("configmaps", {"metadata": {"name": name, "ownerReferences": references, **meta}})

    def widget(self, name: str, *owners: dict[str, Any]) -> dict[str, Any]:
        item = {"metadata": {"name": name, "ownerReferences": [reference(each) for each in owners]}}
        return self.create("widgets", item, group="apis/wire.example.com/v1")

    def delete(self, path: str, policy: str = "") -> None:
        assert self("DELETE", f"{path}?propagationPolicy={policy}" if policy else path).status == 200
        self.keep()

    def names(self, resource: str, namespace: str = "default") -> list[str]:
        return [each["metadata"]["name"] for each in self.server.storage.list(resource, namespace)]

    def owners(self, name: str) -> list[str]:
        item = self.server.storage.get("configmaps", "default", name)
        assert item is not None
        return [each["name"] for each in item["metadata"].get("ownerReferences", [])]


def reference(owner: dict[str, Any], *, blocks: bool = True) -> dict[str, Any]:
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "controller": False, "blockOwnerDeletion": blocks}


@pytest.fixture
def kept() -> Kept:
    return Kept()


OWNERS: list[tuple[str, str, dict[str, Any]]] = [
    ("api/v1", "configmaps", {}),
    ("api/v1", "secrets", {}),
    ("api/v1", "services", {"spec": {"ports": [{"port": 80}]}}),
    ("api/v1", "serviceaccounts", {}),
    ("api/v1", "pods", {"spec": pod_spec()}),
    ("apis/apps/v1", "deployments", {"spec": deployment("d")["spec"]}),
    ("apis/coordination.k8s.io/v1", "leases", {}),
    ("apis/wire.example.com/v1", "widgets", {}),
]


@pytest.mark.parametrize("policy", ["", "Background", "Foreground", "Orphan"])
@pytest.mark.parametrize(("group", "plural", "content"), OWNERS, ids=[each[1] for each in OWNERS])
def test_an_owner_of_any_kind_is_followed_by_its_dependents(
    kept: Kept, group: str, plural: str, content: dict[str, Any], policy: str
) -> None:
    owner = kept.create(plural, {"metadata": {"name": "owner"}, **content}, group=group)
    kept.config_map("built-in", owner)
    kept.widget("custom", owner)
    second = kept.config_map("second", kept.widget("first", owner))
    assert second["metadata"]["ownerReferences"][0]["kind"] == "Widget"
    kept.delete(f"/{group}/namespaces/default/{plural}/owner", policy)
    orphaned = policy == "Orphan"
    assert [name for name in kept.names("configmaps") if name != "owner"] == (
        ["built-in", "second"] if orphaned else [])
    assert [name for name in kept.names("widgets.wire.example.com") if name != "owner"] == (
        ["custom", "first"] if orphaned else [])
    assert kept(*("GET", f"/{group}/namespaces/default/{plural}/owner")).status == 404
    if orphaned:
        assert kept.owners("built-in") == [] and kept.owners("second") == ["first"]


def test_in_the_foreground_the_owner_waits_for_those_that_block_it(kept: Kept) -> None:
    owner = kept.widget("owner")
    kept.config_map("held", owner, finalizers=["example.com/hold"])
    loose = {"metadata": {"name": "loose", "ownerReferences": [reference(owner, blocks=False)]}}
    kept.create("configmaps", loose)
    kept.keep()
    kept.delete(f"{WIDGETS}/owner", "Foreground")
    there = decoded(kept("GET", f"{WIDGETS}/owner"))["metadata"]
    assert there["deletionTimestamp"] and there["finalizers"] == ["foregroundDeletion"]
    assert kept.names("configmaps") == ["held", "loose"]  # what does not block goes after its owner
    kept("PATCH", f"{CONFIG_MAPS}/held", {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    kept.keep()
    assert kept("GET", f"{WIDGETS}/owner").status == 404
    assert kept.names("configmaps") == []


def test_what_has_another_owner_left_stays_and_loses_the_reference(kept: Kept) -> None:
    one, two = kept.widget("one"), kept.widget("two")
    kept.config_map("shared", one, two)
    kept.delete(f"{WIDGETS}/one")
    assert kept.owners("shared") == ["two"]
    kept.delete(f"{WIDGETS}/two", "Background")
    assert kept.names("configmaps") == []


def test_what_names_an_owner_that_is_gone_or_another_by_now_goes(kept: Kept) -> None:
    owner = kept.widget("owner")
    kept.delete(f"{WIDGETS}/owner")
    kept.widget("owner")
    kept.config_map("late", owner)
    kept.keep()
    assert kept.names("configmaps") == []


def test_a_definition_takes_its_objects_and_what_they_own(kept: Kept) -> None:
    kept.config_map("mine", kept.widget("owner"))
    kept.delete(f"{DEFINITIONS}/widgets.wire.example.com")
    assert kept.names("configmaps") == []


def test_a_cluster_without_a_workload_has_the_namespaces_that_every_cluster_has(kept: Kept) -> None:
    there = {each["metadata"]["name"]: each for each in kept.server.storage.list("namespaces")}
    assert list(there) == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert all(each["status"]["phase"] == "Active" and each["metadata"]["uid"] for each in there.values())
    assert kept.server.storage.current_version == 1001  # of the definition: the first versions are theirs
    for name in ("default", "kube-system", "kube-public"):
        answer = kept("DELETE", f"/api/v1/namespaces/{name}")
        assert answer.status == 403
        assert decoded(answer)["message"] == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


def test_a_namespace_ends_after_its_content_also_without_a_workload(kept: Kept) -> None:
    kept.create("namespaces", {"metadata": {"name": "team"}}, namespace="")
    kept.create("configmaps", {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}, namespace="team")
    kept.create("pods", {"metadata": {"name": "p"}, "spec": pod_spec(nodeName="nowhere")}, namespace="team")
    kept.create("widgets", {"metadata": {"name": "w"}}, namespace="team", group="apis/wire.example.com/v1")
    seen: list[tuple[str, str]] = []

    def note(event: StoredEvent) -> None:
        seen.append((event.type, "Terminating" if b'"Terminating"' in event.raw else "Active"))

    kept.server.storage.subscribe("namespaces", kept.server.storage.current_version, note)
    kept.delete("/api/v1/namespaces/team")
    assert decoded(kept("GET", "/api/v1/namespaces/team"))["status"]["phase"] == "Terminating"
    assert kept("POST", "/api/v1/namespaces/team/configmaps", {"metadata": {"name": "new"}}).status == 403
    assert (kept.names("pods", "team"), kept.names("widgets.wire.example.com", "team")) == ([], [])
    assert kept.names("configmaps", "team") == ["held"]
    kept("PATCH", "/api/v1/namespaces/team/configmaps/held", {"metadata": {"finalizers": None}},
         "application/merge-patch+json")  # fmt: skip
    kept.keep()
    assert kept("GET", "/api/v1/namespaces/team").status == 404
    assert seen == [("MODIFIED", "Terminating"), ("DELETED", "Terminating")]


def test_a_namespace_with_a_finalizer_of_its_own_waits_for_it(kept: Kept) -> None:
    kept.create("namespaces", {"metadata": {"name": "team", "finalizers": ["example.com/hold"]}}, namespace="")
    kept.delete("/api/v1/namespaces/team")
    assert kept("GET", "/api/v1/namespaces/team").status == 200
    kept("PATCH", "/api/v1/namespaces/team", {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    kept.keep()
    assert kept("GET", "/api/v1/namespaces/team").status == 404


def test_a_started_server_keeps_house_by_itself() -> None:
    gone = threading.Event()

    def note(event: StoredEvent) -> None:
        if event.type == "DELETED" and event.key == "default/dependent":
            gone.set()

    with ApiServer(workload=False) as server:
        owner = server.storage.create("secrets", {"metadata": {"name": "owner", "namespace": "default"}})
        owner |= {"apiVersion": "v1", "kind": "Secret"}
        server.storage.create("configmaps", {"metadata": {
            "name": "dependent", "namespace": "default", "ownerReferences": [reference(owner)]}})
        server.storage.subscribe("configmaps", server.storage.current_version, note)
        server.storage.delete("secrets", "default", "owner")
        assert gone.wait(30)


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_beside_a_workload_custom_owners_are_followed_too(policy: str) -> None:
    cluster = Cluster()
    owner = cluster.create("services", {"metadata": {"name": "owner", "namespace": "default"}})
    cluster.create("configmaps", {"metadata": {
        "name": "dependent", "namespace": "default", "ownerReferences": [reference(owner)]}})
    cluster.run(1)
    cluster.delete("services", "owner", policy=policy)
    cluster.run(1)
    assert cluster.storage.get("services", "default", "owner") is None
    assert (cluster.storage.get("configmaps", "default", "dependent") is not None) == (policy == "Orphan")


# what is not as it should be -------------------------------------------------------------------------------


def test_what_is_made_in_the_storage_has_a_uid_and_a_date_and_keeps_them() -> None:
    cluster = Cluster()
    bare = {"metadata": {"name": "bare", "namespace": "default", "labels": {"app": "bare"}}, "spec": pod_spec()}
    made = cluster.create("pods", bare)["metadata"]
    assert made["uid"] and made["creationTimestamp"]
    cluster.create("deployments.apps", {"kind": "Deployment", **deployment("bare"), "metadata": {
        "name": "bare", "namespace": "default"}})
    cluster.run(5)
    bare["metadata"] = {"name": "bare", "namespace": "default", "labels": {"app": "b"}}
    after = cluster.storage.update("pods", bare)["metadata"]
    assert (after["uid"], after["creationTimestamp"]) == (made["uid"], made["creationTimestamp"])


def test_a_failure_over_one_object_costs_that_object_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    made = threading.Event()

    def note(event: StoredEvent) -> None:
        if b'"app":"good"' in event.raw:
            made.set()

    server = ApiServer(objects=5, rate=0, scenario="calm")
    with caplog.at_level(logging.ERROR, "kdash"), server:
        workload = server.workload
        assert workload is not None
        server.storage.subscribe("pods", server.storage.current_version, note)
        for name, broken in (("broken", True), ("good", False)):
            item = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment(name, app=name)}
            item["metadata"]["namespace"] = "default"
            if broken:
                item["spec"] = "not a spec"
            server.storage.create("deployments.apps", item)
        assert made.wait(30)
        assert workload.failures > 0
    told = [record.getMessage() for record in caplog.records if "workload failed" in record.getMessage()]
    assert told[0] == "the demo's workload failed on Deployment default/broken; it goes on with the rest"
    assert not [record for record in caplog.records if record.levelno >= logging.CRITICAL]


class _Broken(BaseException):
    """What no guard keeps away."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_workload_thread_that_dies_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: StoredEvent) -> None:
        raise _Broken

    server = ApiServer(objects=5, rate=0, scenario="calm")
    with caplog.at_level(logging.ERROR, "kdash"), server:
        server.storage.subscribe("replicasets.apps", server.storage.current_version, fail)
        item = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("new")}
        item["metadata"]["namespace"] = "default"
        server.storage.create("deployments.apps", item)
        thread = next(each for each in threading.enumerate() if each.name == "demo-workload")
        thread.join(30)
        assert not thread.is_alive()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.CRITICAL] == [
        "the demo's workload has died: nothing in the cluster moves by itself any more"]


def test_an_error_of_the_servers_own_is_500_and_a_wrong_body_400(caplog: pytest.LogCaptureFixture) -> None:
    api = Api()

    def fail(event: StoredEvent) -> None:
        raise KeyError("a programming error")

    assert api("POST", CONFIG_MAPS, {"metadata": {"name": "a", "labels": 7}}).status == 400
    api.server.storage.subscribe("configmaps", api.server.storage.current_version, fail)
    answer = api("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})
    assert (answer.status, decoded(answer)["reason"]) == (500, "InternalError")
    assert "a programming error" not in answer.body.decode() and "a programming error" in caplog.text


@pytest.mark.parametrize(("path", "body"), [
    (WIDGETS, {"metadata": {"name": "w", "labels": 7}}),
    (WIDGETS, {"metadata": {"name": "w", "managedFields": [1]}}),
    (DEFINITIONS, {"metadata": {"name": "a.b"}, "spec": {"versions": [7]}}),
    (DEFINITIONS, {"metadata": {"name": "a.b"}, "spec": {"names": 7}}),
])  # fmt: skip
def test_bodies_of_the_wrong_shape_are_refused_where_they_are_decoded(kept: Kept, path: str, body: object) -> None:
    assert kept("POST", path, body).status == 400
    assert kept("DELETE", f"{CONFIG_MAPS}/a", {"preconditions": "a"}).status in (400, 404)


def test_owners_of_fields_that_a_client_has_made_up_are_no_error(kept: Kept) -> None:
    fields = {"k:{": {}, "k:7": {}, "v:": {}, "x": {}, "f:data": {"k:[": {}}}
    entry = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}
    kept.config_map("a", managedFields=[entry])
    assert kept("PUT", f"{CONFIG_MAPS}/a", {"metadata": {"name": "a", "managedFields": [entry]}}).status == 200
    applied = kept("PATCH", f"{CONFIG_MAPS}/a?fieldManager=m", {"data": {"a": "1"}}, "application/apply-patch+yaml")
    assert applied.status == 200


def test_a_deleted_service_or_service_account_is_returned(kept: Kept) -> None:
    kept.create("services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    kept.create("serviceaccounts", {"metadata": {"name": "s"}})
    for plural, kind in (("services", "Service"), ("serviceaccounts", "ServiceAccount"), ("configmaps", "Status")):
        if kind == "Status":
            kept.config_map("s")
        answer = decoded(kept("DELETE", f"/api/v1/namespaces/default/{plural}/s"))
        assert answer["kind"] == kind


def test_a_new_object_with_a_version_is_refused_as_real_servers_do(kept: Kept) -> None:
    answer = kept("POST", CONFIG_MAPS, {"metadata": {"name": "a", "resourceVersion": "7"}})
    assert decoded(answer) == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "resourceVersion should not be set on objects to be created", "code": 500}  # fmt: skip
    assert kept.names("configmaps") == []
