"""Web pages are not answered: neither one whose name leads here, nor one of another origin, nor a form."""

from __future__ import annotations

import http.client
import json

import pytest

from kdash.demo import ApiServer
from kdash.demo.local_only import refusal_of
from tests.demo.http_peer import raw_socket, served

PODS = "/api/v1/namespaces/default/pods"
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


def ask(server: ApiServer, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"127.0.0.1:{server.port}", **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(None if body is None else body.encode())
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    return answer.status, json.loads(raw)


@pytest.mark.parametrize("path", [PODS, "/version", "/_kdash/faults", f"{PODS}?watch=1&resourceVersion=0"])
def test_a_name_that_was_made_to_lead_here_is_refused(path: str) -> None:
    with served() as (server, _):
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "localhost.evil.example",
                     "127.0.0.1@evil.example", "evil.example#127.0.0.1", "", "0.0.0.0", "[::]"):  # fmt: skip
            code, body = ask(server, "GET", path, Host=host)
            assert (code, body["kind"], body["reason"]) == (403, "Status", "Forbidden"), host
        with raw_socket(server, f"GET http://evil.example{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()) as sock:
            assert sock.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "localhost", "LOCALHOST:8080", "[::1]", "[::1]:6443"])
def test_this_machine_is_answered_by_its_names_on_any_port(host: str) -> None:
    with served() as (server, _):
        assert ask(server, "GET", PODS, Host=host)[0] == 200
        assert ask(server, "GET", PODS, Host=host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin")[0] == 200


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}, {"Origin": ""},
    {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Content_Type": "text/plain"},
    {"Content_Type": "Text/Plain; charset=utf-8"}, {"Content_Type": "application/x-www-form-urlencoded"},
    {"Content_Type": "multipart/form-data; boundary=x"},
], ids=str)  # fmt: skip
def test_no_write_of_a_page_of_another_origin_is_done(headers: dict[str, str]) -> None:
    with served() as (server, _):
        before = server.storage.current_version
        whole = {"Content_Type": "application/json", **headers}
        code = 415 if "Content_Type" in headers else 403
        for method, path, body in (
            ("POST", "/api/v1/namespaces/default/configmaps", json.dumps(MAP)),
            ("POST", "/_kdash/faults", '{"fault": "503"}'),
            ("DELETE", "/api/v1/namespaces/default", "{}"), ("DELETE", "/_kdash/faults", ""),
        ):
            assert ask(server, method, path, body, **whole)[0] == code, (method, path)
        assert server.storage.current_version == before and not server.faults.armed()


def test_a_client_that_is_no_browser_writes() -> None:
    with served() as (server, _):
        path = "/api/v1/namespaces/default/configmaps"
        assert ask(server, "POST", path, json.dumps(MAP), Content_Type="application/json")[0] == 201
        assert ask(server, "DELETE", f"{path}/a")[0] == 200


def test_the_refusals_have_a_sentence_each() -> None:
    assert refusal_of("GET", "localhost", None) == refusal_of("POST", "localhost:1", "http://localhost:1") == ""
    assert "Host header" in refusal_of("GET", "x", None)
    assert "another origin" in refusal_of("GET", "localhost", "http://localhost:2")
    assert "another site" in refusal_of("POST", "localhost", None, "cross-site")
    assert refusal_of("GET", "localhost", None, "cross-site") == ""  # a link that somebody follows
