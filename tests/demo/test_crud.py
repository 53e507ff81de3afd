"""Writes: the exchanges recorded from a real API server, replayed on the demo server, and what they leave out."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kdash.demo import ApiServer
from kdash.demo.http_types import Request, Response

RECORDED = Path(__file__).parents[1] / "wire" / "exchanges"
NOT_COMPARED = {
    "468-evict-429": "there are no disruption budgets in the demo",
    "469-pod-log-no-node": "logs are made up",
    "470-get-rv-0": "a read, and of an object that is gone by then",
    "471-get-rv-future": "a read",
}
ONLY_STATUS = {
    "407-create-bad-json": "the message is the JSON parser's",
    "458-update-deleting": "the real server lists the one cause twice",
}
JSON = "application/json"
MERGE = "application/merge-patch+json"


class Api:
    """The demo server's answers, without a socket."""

    def __init__(self) -> None:
        self.server = ApiServer(workload=False)

    def __call__(self, method: str, path: str, body: object = None, content_type: str = JSON,
                 **headers: str) -> Response:
        """Send a request; a body that is no text or bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else \
            b"" if body is None else json.dumps(body).encode()
        url = urlsplit(path)
        named = {"user-agent": "kdash-fixtures/1", "content-type": content_type,
                 **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = Request(method, url.path, parse_qs(url.query, keep_blank_values=True), named, raw, path)
        return asyncio.run(self.server.router.answer(request))

    def create(self, path: str, item: dict[str, Any], *, namespace: str = "default",
               group: str = "api/v1") -> dict[str, Any]:
        """Create an object that must be accepted."""
        where = f"/{group}/namespaces/{namespace}/{path}" if namespace else f"/{group}/{path}"
        answer = self("POST", where, item)
        assert answer.status == 201, answer.body
        return decoded(answer)


def decoded(answer: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.fixture
def api() -> Api:
    return Api()


def widgets(**schema: Any) -> dict[str, Any]:
    """The definition of the recordings' custom resource."""
    spec = {"type": "object", "properties": {
        "size": {"type": "integer", "maximum": 100}, "replicas": {"type": "integer"},
        "colour": {"type": "string", "default": "red", "enum": ["red", "green", "blue"]}}}
    status = {"type": "object", "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}}}
    return {"metadata": {"name": "widgets.wire.example.com"}, "spec": {
        "group": "wire.example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}, "scale": {}},
                      "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                          "spec": spec, "status": status}}}}]}}


def pod_spec(**more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "example/app:1"}], **more}


def deployment(name: str, *, app: str = "app", replicas: int = 2) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": app}},
        "template": {"metadata": {"labels": {"app": app}},
                     "spec": {"containers": [{"name": "web", "image": "example/web:1"}]}}}}


def as_recorded(api: Api) -> None:
    """What the recordings' `setup` says was there before."""
    for name in ("wire-a", "wire-c", "wire-dying"):
        api.create("namespaces", {"metadata": {"name": name}}, namespace="")
    api.create("customresourcedefinitions", widgets(), namespace="", group="apis/apiextensions.k8s.io/v1")
    api.create("configmaps", {"metadata": {"name": "pre"}}, namespace="wire-c")
    api.create("configmaps", {"metadata": {"name": "fin", "finalizers": ["example.com/hold"]}}, namespace="wire-c")
    for name in ("batch-1", "batch-2"):
        api.create("configmaps", {"metadata": {"name": name, "labels": {"b": "1"}}}, namespace="wire-c")
    api.create("deployments", deployment("dep2", app="dep", replicas=1), namespace="wire-c", group="apis/apps/v1")
    api.create("widgets", {"metadata": {"name": "w2"}, "spec": {"size": 1}}, namespace="wire-c",
               group="apis/wire.example.com/v1")
    for name, spec in (("run", pod_spec(nodeName="node-1")), ("pend", pod_spec())):
        api.create("pods", {"metadata": {"name": name, "labels": {"app": "pdb"}}, "spec": spec}, namespace="wire-c")
    api("PATCH", "/api/v1/namespaces/wire-c/pods/run/status", {"status": {"phase": "Running"}}, MERGE)


class Replay:
    """Sends recorded requests and says where the answers differ, apart from names, times and versions."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._live: dict[str, str] = {}

    def differences(self, path: Path) -> list[str]:
        exchange = json.loads(path.read_text("utf-8"))
        request, wanted = exchange["request"], exchange["response"]
        body = request.get("body") or ""
        for old, new in self._live.items():
            body = body.replace(old, new)
        headers = {name.lower().replace("-", "_"): value for name, value in (request.get("headers") or {}).items()}
        answer = self._api(request["method"], request["path"], body, headers.pop("content_type", JSON), **headers)
        got, expected = answer.body.decode().rstrip("\n"), (wanted.get("body") or "").rstrip("\n")
        self._learn(got, expected)
        found = []
        if answer.status != wanted["status"]:
            found.append(f"{path.stem}: {answer.status} instead of {wanted['status']}: {got}")
        elif path.stem not in ONLY_STATUS and anonymous(got) != anonymous(expected):
            found.append(f"{path.stem}:\n  got    {anonymous(got)}\n  wanted {anonymous(expected)}")
        recorded = wanted["headers"].get("Warning", [])
        if [f'299 - "{text}"'.replace('\\"', '"') for text in answer.warnings] != [
                text.replace('\\"', '"') for text in ([recorded] if isinstance(recorded, str) else recorded)]:
            found.append(f"{path.stem}: warnings {answer.warnings} instead of {recorded}")
        return found

    def _learn(self, got: str, expected: str) -> None:
        """Which uid and which version of the recording stand for which of ours."""
        try:
            ours, theirs = json.loads(got)["metadata"], json.loads(expected)["metadata"]
        except (ValueError, KeyError):
            return
        for field in ("uid", "resourceVersion"):
            if theirs.get(field) and ours.get(field):
                self._live[f'"{theirs[field]}"'] = f'"{ours[field]}"'


def anonymous(text: str) -> str:
    """A body without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID", text)
    text = re.sub(r'"resourceVersion":"\d+"', '"resourceVersion":"N"', text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return re.sub(r"in record \(\d+\)", "in record (N)", re.sub(r"gen-[a-z0-9]{5}", "gen-?", text))


def test_writes_are_answered_as_a_real_server_answered_them(api: Api) -> None:
    as_recorded(api)
    replay = Replay(api)
    exchanges = sorted((path for folder in (RECORDED, RECORDED / "more") for path in folder.glob("4*.json")
                        if path.stem not in NOT_COMPARED), key=lambda path: path.name)
    assert len(exchanges) >= 60
    differences = [line for path in exchanges for line in replay.differences(path)]
    assert not differences, "\n".join(differences)


def test_a_write_that_changes_nothing_keeps_the_version(api: Api) -> None:
    made = api.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": "1"}})
    version = api.server.storage.current_version
    again = decoded(api("PUT", "/api/v1/namespaces/default/configmaps/a", made))
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert api.server.storage.current_version == version


def test_a_dry_run_stores_nothing(api: Api) -> None:
    before = api.server.storage.current_version
    assert api("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", {"metadata": {"name": "a"}}).status == 201
    assert api.server.storage.current_version == before
    api.create("configmaps", {"metadata": {"name": "a"}, "data": {"k": "1"}})
    before = api.server.storage.current_version
    answer = api("PATCH", "/api/v1/namespaces/default/configmaps/a?dryRun=All", {"data": {"k": "2"}}, MERGE)
    assert decoded(answer)["data"] == {"k": "2"}
    assert api.server.storage.current_version == before


def test_generation_moves_with_spec_and_not_with_status_or_labels(api: Api) -> None:
    api.create("deployments", deployment("d"), group="apis/apps/v1")
    path = "/apis/apps/v1/namespaces/default/deployments/d"
    generations = [decoded(api("PATCH", where, patch, MERGE))["metadata"]["generation"] for where, patch in (
        (path, {"metadata": {"labels": {"a": "b"}}}), (path + "/status", {"status": {"replicas": 1}}),
        (path, {"status": {"replicas": 7}}), (path, {"spec": {"replicas": 3}}))]
    assert generations == [1, 1, 1, 2]
    assert decoded(api("GET", path))["status"] == {"replicas": 1}


@pytest.mark.parametrize(("method", "path", "body", "content_type", "code", "says"), [
    ("POST", "/api/v1/namespaces/default/configmaps", b"k8s\0x", "application/vnd.kubernetes.protobuf", 415,
     "kubectl create -f"),
    ("POST", "/api/v1/namespaces/default/configmaps", [1], JSON, 400, "must be of type ConfigMap"),
    ("POST", "/api/v1/namespaces/default/configmaps", {"metadata": []}, JSON, 400, "metadata is no object"),
    ("POST", "/api/v1/namespaces/default/configmaps", {}, JSON, 422, "name or generateName is required"),
    ("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": 7}}, JSON, 400, "cannot unmarshal number"),
    ("POST", "/api/v1/namespaces/default/configmaps", b" " * 3145729, JSON, 413, "limit is 3145728"),
    ("POST", "/api/v1/configmaps", {"metadata": {"name": "a"}}, JSON, 400, "empty namespace"),
    ("POST", "/api/v1/namespaces/default/configmaps/a", {}, JSON, 405, "does not allow this method"),
    ("PUT", "/api/v1/namespaces/default/configmaps", {}, JSON, 405, "does not allow this method"),
    ("GET", "/api/v1/namespaces/default/pods/p/eviction", None, JSON, 405, "does not allow this method"),
    ("GET", "/api/v1/namespaces/default/configmaps/there/status", None, JSON, 404, "could not find"),
    ("PATCH", "/api/v1/namespaces/default/configmaps/there", "{", MERGE, 400, "error decoding patch"),
    ("PATCH", "/api/v1/namespaces/default/configmaps/there", [], MERGE, 400, "a merge patch is an object"),
    ("PATCH", "/api/v1/namespaces/default/configmaps/there", {"metadata": None}, MERGE, 422, "rejected our request"),
    ("PATCH", "/api/v1/namespaces/default/configmaps/there?fieldManager=m", ": {", "application/apply-patch+yaml", 400,
     "error decoding YAML"),
    ("DELETE", "/api/v1/namespaces/default/configmaps/there", {"propagationPolicy": "Maybe"}, JSON, 422,
     'Unsupported value: "Maybe"'),
    ("DELETE", "/api/v1/namespaces/default/configmaps/there", [], JSON, 400, "DeleteOptions"),
])
def test_what_cannot_be_done_is_refused_with_a_sentence(api: Api, method: str, path: str, body: object,
                                                         content_type: str, code: int, says: str) -> None:
    api.create("configmaps", {"metadata": {"name": "there"}})
    answer = api(method, path, body, content_type)
    assert answer.status == code
    assert says in decoded(answer)["message"]


def test_a_definition_is_served_at_once_and_its_deletion_takes_everything_along(api: Api) -> None:
    path = "/apis/wire.example.com/v1/namespaces/default/widgets"
    assert api("GET", path).status == 404
    made = api.create("customresourcedefinitions", widgets(), namespace="", group="apis/apiextensions.k8s.io/v1")
    assert {entry["type"]: entry["status"] for entry in made["status"]["conditions"]} == {
        "NamesAccepted": "True", "Established": "True"}
    api.create("widgets", {"metadata": {"name": "w"}}, group="apis/wire.example.com/v1")
    gone: list[str] = []
    api.server.storage.subscribe("widgets.wire.example.com", api.server.storage.current_version,
                                 lambda event: gone.append(f"{event.type} {event.key}"))
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert api("DELETE", f"{definitions}/widgets.wire.example.com").status == 200
    assert gone == ["DELETED default/w"]
    assert api("GET", path).status == 404


def test_a_deleted_pod_is_marked_then_marked_with_no_grace_then_gone(api: Api) -> None:
    api.create("pods", {"metadata": {"name": "p"}, "spec": pod_spec(nodeName="n")})
    seen: list[tuple[str, Any]] = []
    api.server.storage.subscribe("pods", api.server.storage.current_version, lambda event: seen.append(
        (event.type, json.loads(event.raw)["metadata"].get("deletionGracePeriodSeconds"))))
    for query in ("", "", "?gracePeriodSeconds=0"):
        assert api("DELETE", f"/api/v1/namespaces/default/pods/p{query}").status == 200
    assert seen == [("MODIFIED", 30), ("MODIFIED", 0), ("DELETED", 0)]


def test_an_evicted_pod_gets_its_grace_period(api: Api) -> None:
    api.create("pods", {"metadata": {"name": "p"}, "spec": pod_spec(nodeName="n")})
    eviction = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": "p"}}
    assert api("POST", "/api/v1/namespaces/default/pods/p/eviction", eviction).status == 201
    assert decoded(api("GET", "/api/v1/namespaces/default/pods/p"))["metadata"]["deletionGracePeriodSeconds"] == 30


def test_string_data_of_a_secret_is_stored_encoded(api: Api) -> None:
    made = api.create("secrets", {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert made["data"] == {"a": "Yg=="} and "stringData" not in made and made["type"] == "Opaque"


def test_concurrent_patches_all_arrive(api: Api) -> None:
    api.create("configmaps", {"metadata": {"name": "a"}})

    async def together() -> list[Response]:
        requests = [Request("PATCH", "/api/v1/namespaces/default/configmaps/a", {}, {"content-type": MERGE},
                            json.dumps({"data": {f"k{number}": "1"}}).encode()) for number in range(4)]
        return await asyncio.gather(*(api.server.router.answer(request) for request in requests))

    assert {answer.status for answer in asyncio.run(together())} == {200}
    assert sorted(decoded(api("GET", "/api/v1/namespaces/default/configmaps/a"))["data"]) == ["k0", "k1", "k2", "k3"]
