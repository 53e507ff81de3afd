"""The server on its socket: framing, compression, credentials, malformed HTTP, start and stop."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time

import pytest

from kdash.demo import ApiServer, Rule, User
from tests.demo.http_peer import Peer, add, change, raw_socket, read_all, served

LIST = "/api/v1/namespaces/default/configmaps"


# -- framing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "chunked"), [(1500, False), (4000, True), (3 << 20, True)])
def test_fact_1_the_size_of_a_body_decides_how_it_is_framed(size: int, chunked: bool) -> None:
    with served() as (server, peer):
        add(server, "a", data={"v": "x" * size})
        for path in (LIST, f"{LIST}/a"):
            answer = peer.get(path)
            assert (answer.headers["Transfer-Encoding"] == "chunked") is chunked
            assert (answer.headers["Content-Length"] is None) is chunked
            assert len(answer.body) > size
        assert peer.get(LIST).status == 200  # the connection goes on


@pytest.mark.parametrize(("count", "packed"), [(60, False), (80, True), (1500, True)])
def test_fact_7_gzip_is_used_above_128_kib_only(count: int, packed: bool) -> None:
    with served() as (server, peer):
        server.storage.load("configmaps", [
            {"metadata": {"name": f"c-{number:05}", "namespace": "default"}, "data": {"v": "x" * 2000}}
            for number in range(count)])  # fmt: skip
        plain, asked = peer.get(LIST), peer.get(LIST, Accept_Encoding="gzip")
        assert plain.headers["Content-Encoding"] is None
        assert (asked.headers["Content-Encoding"], asked.headers["Vary"]) == (
            ("gzip", "Accept-Encoding") if packed else (None, None))
        assert (gzip.decompress(asked.body) if packed else asked.body) == plain.body
        assert len(json.loads(plain.body)["items"]) == count


def test_fact_8_json_is_indented_on_request_and_for_curl() -> None:
    with served() as (server, peer):
        add(server, "a")
        for answer, indented in ((peer.get(LIST), False), (peer.get(f"{LIST}?pretty=true"), True),
                                 (peer.get(LIST, User_Agent="curl/8"), True),
                                 (peer.get(f"{LIST}?pretty=false", User_Agent="curl/8"), False),
                                 (peer.get(f"{LIST}/none?pretty=1"), True)):  # fmt: skip
            assert (b'\n  "kind"' in answer.body) is indented


def test_a_client_may_send_its_next_request_before_the_answer_has_ended() -> None:
    with served() as (server, _):
        server.storage.load("configmaps", [
            {"metadata": {"name": f"c-{number:05}", "namespace": "default"}, "data": {"v": "x" * 2000}}
            for number in range(1500)])  # fmt: skip
        requests = (f"GET {LIST} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with raw_socket(server, requests.encode()) as sock:
            raw = read_all(sock)
        assert raw.count(b"HTTP/1.1 200") == 2
        assert b'"gitVersion"' in raw


# -- credentials -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "path", "code"), [
    ("Bearer right", LIST, 200), ("bearer right", LIST, 200), ("Bearer wrong", LIST, 401), ("Basic right", LIST, 401),
    ("", LIST, 403), ("", "/version", 200), ("", "/readyz", 200), ("", "/apis", 403), ("Bearer wrong", "/version", 401),
    ("", "/_kdash/faults", 403), ("Bearer right", "/_kdash/faults", 200),
])
def test_fact_92_an_unknown_token_is_401_and_none_is_403(given: str, path: str, code: int) -> None:
    with served(token="right") as (_, peer):
        answer = peer.get(path, Authorization=given) if given else peer.get(path)
        assert answer.status == code
        if code >= 400:
            assert answer.json["kind"] == "Status"


def test_fact_94_list_and_watch_are_separate_permissions() -> None:
    reader = User("reader", (Rule(("list", "get"), ("configmaps",), ("default",)),))
    with served(users={"t": reader}) as (_, peer):
        codes = [peer(method, path, Authorization="Bearer t").status for method, path in (
            ("GET", LIST), ("GET", f"{LIST}?watch=1"), ("GET", f"{LIST}/none"), ("DELETE", f"{LIST}/none"),
            ("GET", "/api/v1/configmaps"), ("GET", "/api/v1/namespaces/default/pods"),
            ("GET", "/apis/nope.example.com/v1/things"), ("GET", "/apis"))]
        assert codes == [200, 403, 404, 403, 403, 403, 403, 200]


def test_fact_95_anyone_may_ask_about_themselves() -> None:
    reader = User("reader", (Rule(("list",), ("pods",)),), ("dev",))
    with served(users={"t": reader}) as (_, peer):
        def allowed(verb: str) -> bool:
            body = {"spec": {"resourceAttributes": {"verb": verb, "resource": "pods", "namespace": "default"}}}
            path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
            return bool(peer("POST", path, body, Authorization="Bearer t").json["status"]["allowed"])

        assert (allowed("list"), allowed("watch")) == (True, False)
        who = peer("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, Authorization="Bearer t")
        assert who.json["status"]["userInfo"] == {"username": "reader", "groups": ["dev"]}


# -- malformed HTTP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost x\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"y" * 70000,
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
])
def test_what_is_no_http_is_400_with_a_status_and_the_end(text: bytes) -> None:
    with served() as (server, peer):
        with raw_socket(server, text) as sock:
            raw = read_all(sock)
        head, _, body = raw.partition(b"\r\n\r\n")
        assert head.split(b" ")[1] in (b"400", b"431")
        assert json.loads(body)["kind"] == "Status"
        assert peer.get("/version").status == 200


def test_fact_91_a_body_that_is_too_large_is_413_whether_or_not_it_is_read() -> None:
    with served() as (server, peer):
        answer = peer("POST", LIST, b'{"metadata":{"name":"a"},"data":{"v":"' + b"x" * 3145728 + b'"}}')
        assert (answer.status, answer.json["reason"]) == (413, "RequestEntityTooLarge")
        head = f"POST {LIST} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n".encode()
        with raw_socket(server, head) as sock:
            sender = threading.Thread(target=_send_quietly, args=(sock, b"x" * 9999999))
            sender.start()
            assert b" 413 " in sock.recv(1 << 16)
            sock.shutdown(socket.SHUT_RDWR)
            sender.join()


def _send_quietly(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
    except OSError:
        return


# -- life --------------------------------------------------------------------------------------------------


def test_fact_97_98_a_stop_ends_watches_cleanly_and_refuses_new_connections() -> None:
    server = ApiServer(workload=False).start()
    response = Peer(server).stream("/api/v1/configmaps?watch=1&resourceVersion=0")
    idle = Peer(server)
    assert idle.get("/version").status == 200
    server.stop()
    assert response.read() == b""
    assert response.headers["Connection"] is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    server.stop()


def test_a_stop_does_not_wait_for_a_client_that_does_not_read() -> None:
    with served() as (server, _):
        add(server, "a")
        text = b"GET /api/v1/configmaps?watch=1&resourceVersion=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        sock = raw_socket(server, text, receive_buffer=4096)
        sock.recv(10)
        for number in range(200):
            change(server, "a", "x" * 50_000 + str(number))
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        stopper.join(10.0)
        assert not stopper.is_alive()
        sock.close()


def test_a_taken_port_is_an_error_and_leaves_nothing_behind() -> None:
    with served() as (server, peer):
        with pytest.raises(OSError, match=str(server.port)):
            ApiServer(workload=False, port=server.port).start()
        assert peer.get("/version").status == 200


def test_a_server_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with served() as (server, peer):
        assert peer.get("/version").status == 200
        server.faults.close_watches()
    left = {thread for thread in set(threading.enumerate()) - before if thread.is_alive()}
    assert left == set()


def test_the_request_log_has_every_request_with_its_figures() -> None:
    with served() as (server, peer):
        add(server, "a")
        peer.get(f"{LIST}?limit=1")
        peer("POST", LIST, {"metadata": {"name": "b"}})
        peer.get(f"{LIST}?watch=1&resourceVersion=0&timeoutSeconds=1")
        peer.get("/nope")
        assert server.log.count() == 4
        records = server.log.records()
        assert [(r.verb, r.path, r.query, r.code) for r in records] == [
            ("LIST", LIST, "limit=1", 200), ("POST", LIST, "", 201),
            ("WATCH", LIST, "watch=1&resourceVersion=0&timeoutSeconds=1", 200), ("GET", "/nope", "", 404)]
        assert all(r.bytes > 0 and abs(r.at - time.time()) < 60 for r in records)
        assert records[2].duration_s >= 1.0
