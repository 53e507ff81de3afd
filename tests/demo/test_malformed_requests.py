"""Malformed requests: each gets a 4xx with a Status, none a 500, none hangs, none ends the server.

A run sends 1,000 requests from one seed; KDASH_MALFORMED_REQUESTS=10000 sends more, KDASH_SEED=N others.
"""

from __future__ import annotations

import json
import os
import random
import string
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from kdash.demo import ApiServer
from tests.demo.http_peer import add
from tests.wire.memory_connection import Answer, exchange
from tests.wire.states import crd
from tests.wire.virtual_loop import run

COUNT = int(os.environ.get("KDASH_MALFORMED_REQUESTS", "1000"))
SEED = int(os.environ.get("KDASH_SEED", "1"))
TIME_LIMIT_S = 10.0  # virtual seconds: only what waits for a version may take three of them
COLLECTIONS = ("/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/pods", "/api/v1/nodes",
               "/apis/apps/v1/namespaces/default/deployments", "/apis/wire.example.com/v1/namespaces/default/widgets",
               "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/api/v1/namespaces")  # fmt: skip
OBJECTS = ("/api/v1/namespaces/default/configmaps/a", "/api/v1/namespaces/default/pods/p",
           "/apis/apps/v1/namespaces/default/deployments/d", "/api/v1/namespaces/default")  # fmt: skip
PATCHES = ("application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json",
           "application/apply-patch+yaml")  # fmt: skip
Sent = tuple[str, str, dict[str, str], bytes]


class Maker:
    """Makes one malformed request after another from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._kinds: tuple[Callable[[], Sent], ...] = (
            self.bad_query, self.bad_query, self.bad_path, self.bad_body, self.bad_body, self.bad_patch,
            self.bad_accept, self.bad_method, self.bad_control, self.bad_options)  # fmt: skip

    def request(self) -> Sent:
        return self.random.choice(self._kinds)()

    def text(self, longest: int = 30) -> str:
        letters = string.printable + "äß€\u2028\U0001f600\x00\x7f"
        return "".join(self.random.choice(letters) for _ in range(self.random.randint(1, longest)))

    def value(self, depth: int = 3) -> Any:
        """Any JSON value."""
        if depth == 0 or self.random.random() < 0.4:
            return self.random.choice([None, True, 0, -1, 1 << 70, 1.5e300, "", self.text(), "a", [], {}])
        if self.random.random() < 0.5:
            return [self.value(depth - 1) for _ in range(self.random.randint(0, 3))]
        names = ["metadata", "spec", "status", "name", "labels", "containers", "template", "kind", self.text()]
        return {self.random.choice(names): self.value(depth - 1) for _ in range(self.random.randint(0, 3))}

    # one method for each way to be wrong ---------------------------------------------------------------

    def bad_query(self) -> Sent:
        number = self.random.choice(["abc", "1e3", "0x10", "1" * 30, "٣", "1_0", " 1", "--1", self.text()])
        wrong = self.random.choice([
            f"limit={quote(number)}x", f"resourceVersion=x{quote(number)}", "resourceVersionMatch=Exact",
            f"resourceVersionMatch={quote(self.text())}&resourceVersion=1",
            "resourceVersion=0&resourceVersionMatch=Exact",
            f"continue={quote(self.text())}%21", "continue=bm90IGpzb24",
            "continue=eyJ2IjoiMSIsInJ2IjoxLCJzdGFydCI6ImEifQ",
            "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTcsInN0YXJ0IjoiYSJ9", "sendInitialEvents=true",
            f"labelSelector={quote('=' + self.text())}", "labelSelector=a+in+b", f"fieldSelector={quote(self.text())}",
            "fieldSelector=spec.image%3Dx,metadata.uid%3Dy", f"timeout={quote(number)}y", "timeoutSeconds=soon",
            "watch=1&timeoutSeconds=abc", "watch=1&continue=x", "watch=1&resourceVersionMatch=NotOlderThan",
            "watch=1&sendInitialEvents=true",
            "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1",
            "watch=1&labelSelector=%3D%3D%3D", "watch=1&fieldSelector=nothing%3D1", "watch=1&limit=many",
        ])  # fmt: skip
        return "GET", f"{self.random.choice(COLLECTIONS)}?{wrong}", {}, b""

    def bad_path(self) -> Sent:
        part = quote(self.text(), safe="") or "x"
        path = self.random.choice([
            f"/{part}", f"/api/{part}", f"/apis/{part}/v1", f"/apis/{part}/v1/{part}", f"/api/v1/{part}",
            f"/api/v1/namespaces/default/{part}", f"/api/v1/namespaces/{part}/configmaps/{part}",
            f"/api/v1/namespaces/default/pods/p/{part}", f"/api/v1/namespaces/default/pods/p/status/{part}",
            f"/api//v1/{part}", f"/api/v1/namespaces//pods/{part}", f"/openapi/v3/{part}", f"/healthz/{part}",
            "/api/v1/namespaces/default/nodes", "/" + "a/" * 300, "/..%2f..%2fetc", f"/apis/apps/v2/{part}",
        ])  # fmt: skip
        return self.random.choice(["GET", "POST", "PUT", "DELETE"]), path, {}, b""

    def bad_body(self) -> Sent:
        body = self.random.choice([
            b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b"{}" * 2, b'{"a":' * 2000, b"[" * 100_000,
            json.dumps(self.value()).encode(), json.dumps({"metadata": self.value()}).encode(),
            json.dumps({"metadata": {"name": self.text()}}).encode(),
            json.dumps({"metadata": {"name": "x", "namespace": "other"}}).encode(),
            json.dumps({"kind": self.text(), "metadata": {"name": "x"}}).encode(),
            json.dumps({"metadata": {"name": "NO"}, "spec": self.value()}).encode(),
            json.dumps({"metadata": {"name": "x", "labels": self.value(1) or {"!": "!"},
                                     "ownerReferences": 7}}).encode(),
            b'{"metadata":{"name":"a"}}',
        ])  # fmt: skip
        content_type = self.random.choice(["application/json"] * 4 + ["application/yaml", "text/plain", self.header()])
        if self.random.random() < 0.6:
            return "POST", self.random.choice(COLLECTIONS), {"Content-Type": content_type}, body
        return "PUT", self.random.choice(OBJECTS), {"Content-Type": content_type}, body

    def bad_patch(self) -> Sent:
        operations = [{"op": self.random.choice(["test", "remove", "replace", "move", "copy", "fly", 7]),
                       "path": self.random.choice(["/nothing/here", "", "a", "/metadata/-", 3, "/metadata/name/x"]),
                       "value": self.value(1)} for _ in range(self.random.randint(1, 3))]  # fmt: skip
        body = self.random.choice([
            json.dumps(operations).encode(), b"{", b"[]x", b"7", b"\xff", b": {", b"- a\n b",
            json.dumps({"metadata": {"name": "other"}}).encode(), json.dumps({"metadata": self.text()}).encode(),
            json.dumps({"metadata": {"resourceVersion": "1"}}).encode(), json.dumps({"kind": "Other"}).encode(),
            json.dumps({"spec": {"template": {"spec": {"containers": [{"$patch": "x"}, 7]}}}}).encode(),
        ])  # fmt: skip
        content_type = self.random.choice([*PATCHES, "application/json", "text/plain", self.header()])
        suffix = self.random.choice(["", "?fieldManager=m", "?fieldManager=m&force=perhaps", "/scale", "/nothing"])
        return "PATCH", self.random.choice(OBJECTS) + suffix, {"Content-Type": content_type}, body

    def bad_accept(self) -> Sent:
        wrong = self.random.choice(["text/html", "application/xml;q=1", "image/*", "application/json;as=Chair",
                                    "application/vnd.kubernetes.protobuf", f"x/{self.header()}",
                                    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"])  # fmt: skip
        return "GET", self.random.choice(COLLECTIONS), {"Accept": wrong}, b""

    def bad_method(self) -> Sent:
        method = self.random.choice(["OPTIONS", "TRACE", "PROPFIND", "LIST", "WATCH", "get", "POST"])
        return method, self.random.choice(OBJECTS), {}, b""

    def bad_control(self) -> Sent:
        return self.random.choice(["POST", "PUT"]), "/_kdash/faults", {}, json.dumps(self.value()).encode()

    def bad_options(self) -> Sent:
        query = self.random.choice(["dryRun=Some", "gracePeriodSeconds=soon", "propagationPolicy=Maybe",
                                    "fieldValidation=Perhaps", f"dryRun={quote(self.text())}"])  # fmt: skip
        return "DELETE", f"{COLLECTIONS[0]}/none?{query}", {}, json.dumps(self.value(2)).encode()

    def header(self) -> str:
        return "".join(self.random.choice(string.ascii_letters + "/;=,*+ ") for _ in range(12)).strip() or "x"


async def prepared() -> ApiServer:
    server = ApiServer(workload=False)
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    made = await exchange(server, "POST", definitions, {"Content-Type": "application/json"}, json.dumps(crd()).encode())
    assert made.status == 201
    return server


def reset(server: ApiServer) -> None:
    """Put back what a request that turned out to be well-formed may have taken away."""
    server.faults.clear()
    for resource, name in (("configmaps", "a"), ("pods", "p"), ("deployments.apps", "d")):
        if server.storage.get(resource, "default", name) is None:
            add(server, name, resource, spec={"containers": []})


def wrong_with(sent: Sent, answer: Answer) -> str:
    """What an answer to a malformed request must not be; empty if it is as it should be."""
    method, target, _, _ = sent
    code = answer.status or 0
    if answer.ended != "end-of-body" or answer.took > TIME_LIMIT_S:
        return f"it hangs or breaks off: {answer.ended} after {answer.took} s"
    if code < 400:
        return ""  # chance has made a request that is none of the malformed
    if code == 500 and "watch=1" in target and "resourceVersion=" in target:
        return ""  # a real server does that too (wire fact 28)
    if code >= 500 and code != 504:
        return f"{code}: {answer.body[:200]!r}"
    if answer.body == b"404 page not found\n" or method == "HEAD":
        return ""  # wire fact 9
    kind = json.loads(answer.body).get("kind") if b"json" in answer.headers["Content-Type"].encode() else "text"
    return "" if kind == "Status" else f"{code} without a Status: {answer.body[:200]!r}"


def test_malformed_requests_get_4xx_with_a_status() -> None:
    async def send_all() -> tuple[Counter[int], list[str]]:
        server, maker = await prepared(), Maker(SEED)
        codes: Counter[int] = Counter()
        found: list[str] = []
        for number in range(COUNT):
            reset(server)
            sent = maker.request()
            answer = await exchange(server, *sent, hang_up_after=60.0)
            codes[answer.status or 0] += 1
            if wrong := wrong_with(sent, answer):
                shown = f"{sent[0]} {sent[1][:200]} {sent[2]} {sent[3][:200]!r}"
                found.append(f"request {number} of seed {SEED}: {shown}: {wrong}")
        assert (await exchange(server, "GET", "/version")).status == 200
        return codes, found

    codes, found = run(send_all())
    assert not found, "\n".join([f"{len(found)} of {COUNT}", *found[:20]])
    refused = sum(count for code, count in codes.items() if 400 <= code < 500)
    assert refused > 0.85 * COUNT, codes
    assert {400, 404, 405, 406, 409, 415, 422} <= set(codes)
