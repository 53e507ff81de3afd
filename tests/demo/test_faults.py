"""The fault menu: every fault does what its sentence says, where and as often as it is asked to, and is logged."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdash.demo import MENU, ApiServer, Fault, parse_fault
from kdash.demo.fault_menu import ACTS, FAULTS
from tests.demo.http_peer import Peer, add, change, raw_socket, read_all, served

LIST = "/api/v1/namespaces/default/configmaps"
WATCH = f"{LIST}?watch=1"
Pair = tuple[ApiServer, Peer]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with served() as (server, peer):
        for name in ("a", "b"):
            add(server, name)
        yield server, peer


def watch(server: ApiServer, query: str = "") -> http.client.HTTPResponse:
    """An open watch from now on, whose headers have come."""
    version = server.storage.current_version
    return Peer(server).stream(f"{WATCH}&resourceVersion={version}{query}")


def events(response: http.client.HTTPResponse, count: int) -> list[tuple[str, str]]:
    out = []
    for _ in range(count):
        event = json.loads(response.readline())
        out.append((event["type"], event["object"]["metadata"].get("name", event["object"].get("reason"))))
    return out


def struck(server: ApiServer) -> list[str]:
    return [strike.kind for strike in server.faults.history()]


# -- faults of requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "status", "reason"), [
    ("401", 401, "Unauthorized"), ("403", 403, "Forbidden"), ("410", 410, "Expired"),
    ("429-initializing", 429, "TooManyRequests"), ("500", 500, "InternalError"), ("503", 503, "ServiceUnavailable"),
    ("504", 504, "Timeout"),
])
def test_answers_are_a_status(pair: Pair, kind: str, status: int, reason: str) -> None:
    server, peer = pair
    server.faults.add(Fault(kind))
    answer = peer.get(LIST)
    assert (answer.status, answer.json["kind"], answer.json["code"], answer.json["reason"]) == (
        status, "Status", status, reason)
    assert peer.get(LIST).status == 200


@pytest.mark.parametrize(("kind", "status", "content_type", "text"), [
    ("html", 502, "text/html", "Bad Gateway"), ("429", 429, "text/plain; charset=utf-8", "Too many requests"),
    ("429-shutdown", 429, "text/plain; charset=utf-8", "shutting down"),
])
def test_some_answers_are_no_status(pair: Pair, kind: str, status: int, content_type: str, text: str) -> None:
    server, peer = pair
    server.faults.add(Fault(kind))
    answer = peer.get(LIST)
    assert (answer.status, answer.headers["Content-Type"]) == (status, content_type)
    assert text in answer.body.decode()


@pytest.mark.parametrize("kind", ["429", "429-initializing"])
def test_retry_after_is_what_was_asked_for(pair: Pair, kind: str) -> None:
    server, peer = pair
    server.faults.add(Fault(kind, retry_after_s=7))
    assert peer.get(LIST).headers["Retry-After"] == "7"


def test_a_403_names_what_was_tried(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("403", times=2))
    assert 'cannot watch resource "configmaps" in API group "" in the namespace "default"' in (
        peer.get(WATCH).json["message"])
    assert peer.get("/apis").json["message"] == 'forbidden: User "demo" cannot get path "/apis"'


def test_410_on_a_page_carries_a_token_that_goes_on_at_the_newest_state(pair: Pair) -> None:
    server, peer = pair
    token = peer.get(f"{LIST}?limit=1").json["metadata"]["continue"]
    server.faults.add(Fault("410", verb="CONTINUE"))
    assert peer.get(f"{LIST}?limit=1").status == 200
    expired = peer.get(f"{LIST}?limit=1&continue={token}")
    assert expired.status == 410
    rest = peer.get(f"{LIST}?limit=1&continue={expired.json['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in rest.json["items"]] == ["b"]


def test_410_on_a_watch_is_one_error_event_and_the_end(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("410", verb="WATCH"))
    answer = peer.get(f"{WATCH}&resourceVersion=5")
    event = json.loads(answer.body)
    assert (answer.status, event["type"], event["object"]["code"]) == (200, "ERROR", 410)


@pytest.mark.parametrize("kind", ["reset", "close"])
def test_a_connection_ends_without_an_answer(pair: Pair, kind: str) -> None:
    server, peer = pair
    server.faults.add(Fault(kind))
    error = ConnectionResetError if kind == "reset" else http.client.RemoteDisconnected
    with pytest.raises(error) as raised:
        peer.get(LIST)
    assert (kind == "reset") is (type(raised.value) is ConnectionResetError)
    assert Peer(server).get(LIST).status == 200


def test_half_open_says_nothing(pair: Pair) -> None:
    server, _ = pair
    server.faults.add(Fault("half-open"))
    with raw_socket(server, f"GET {LIST} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()) as sock:
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert Peer(server).get(LIST).status == 200


@pytest.mark.parametrize("kind", ["stall-headers", "slow-pages"])
def test_an_answer_comes_late(pair: Pair, kind: str) -> None:
    server, peer = pair
    server.faults.add(Fault(kind, delay_s=0.3))
    began = time.monotonic()
    assert peer.get(LIST).status == 200
    assert time.monotonic() - began >= 0.3


def test_cut_mid_line_ends_inside_the_body(pair: Pair) -> None:
    server, peer = pair
    add(server, "big", data={"v": "x" * 4000})
    server.faults.add(Fault("cut-mid-line"))
    with pytest.raises(http.client.IncompleteRead) as cut:
        peer.get(LIST)
    assert cut.value.partial.startswith(b'{"kind":"ConfigMapList"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.value.partial)


def test_garbage_line_comes_among_the_events(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("garbage-line", verb="WATCH"))
    lines = peer.get(f"{WATCH}&timeoutSeconds=1").body.splitlines()
    assert [json.loads(line)["type"] for line in lines[:2]] == ["ADDED", "ADDED"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[2])


def test_split_bytes_sends_every_byte_in_a_chunk_of_its_own(pair: Pair) -> None:
    server, _ = pair
    server.faults.add(Fault("split-bytes", verb="WATCH"))
    request = f"GET {WATCH}&timeoutSeconds=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with raw_socket(server, request.encode()) as sock:
        body = read_all(sock).partition(b"\r\n\r\n")[2]
    sizes = body.split(b"\r\n")[::2]
    assert set(sizes) == {b"1", b"0", b""}
    assert len(sizes) > 250


def test_split_bytes_splits_a_body_of_known_length_too(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("split-bytes"))
    assert peer.get(f"{LIST}/a").json["metadata"]["name"] == "a"
    assert peer.get(LIST).status == 200


def test_slow_sends_piece_by_piece(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("slow", delay_s=2.0))
    began = time.monotonic()
    assert len(peer.get(LIST).json["items"]) == 2
    assert time.monotonic() - began >= 0.2


# -- scope and duration ------------------------------------------------------------------------------------


def test_a_fault_strikes_only_its_verb_and_resource(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("503", verb="LIST", resource="pods"))
    assert [peer.get(path).status for path in (
        LIST, "/api/v1/pods?watch=1&timeoutSeconds=1", "/api/v1/namespaces/default/pods/x", "/api/v1/pods",
        "/api/v1/pods")] == [200, 200, 404, 503, 200]


@pytest.mark.parametrize(("times", "codes"), [(1, [500, 200, 200]), (2, [500, 500, 200]), (None, [500, 500, 500])])
def test_a_fault_strikes_as_often_as_it_says(pair: Pair, times: int | None, codes: list[int]) -> None:
    server, peer = pair
    server.faults.add(Fault("500", times=times))
    assert [peer.get(LIST).status for _ in range(3)] == codes


def test_a_fault_that_lasts_ends_by_itself(pair: Pair) -> None:
    server, peer = pair
    fault = server.faults.add(Fault("500", seconds=60.0))
    assert [peer.get(LIST).status for _ in range(3)] == [500] * 3
    fault.expires_at = time.monotonic()
    assert peer.get(LIST).status == 200
    assert server.faults.armed() == []


def test_faults_are_disarmed(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("500", times=None))
    server.faults.add(Fault("close-watches", every_s=60.0))
    assert len(server.faults.armed()) == 2
    server.faults.clear()
    assert (server.faults.armed(), peer.get(LIST).status) == ([], 200)


def test_what_strikes_is_in_the_request_log_and_in_the_history(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("503", verb="LIST"))
    peer.get(f"{LIST}?limit=1")
    record = next(record for record in server.log.records() if record.fault)
    assert (record.verb, record.path, record.query, record.code, record.fault) == ("LIST", LIST, "limit=1", 503, "503")
    assert record.bytes > 0
    assert [(strike.kind, strike.verb, strike.path) for strike in server.faults.history()] == [("503", "LIST", LIST)]


def test_a_fault_may_wait_for_its_time(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("500", after_s=60.0, times=None))
    assert peer.get(LIST).status == 200
    response = watch(server)
    server.faults.add(Fault("close-watches", after_s=0.05))
    assert response.read() == b""


def test_an_act_is_repeated_until_it_has_been_done_often_enough(pair: Pair) -> None:
    server, _ = pair
    server.faults.add(Fault("time-jump", delay_s=1.0, every_s=0.02, times=3))
    deadline = time.monotonic() + 10.0
    while len(struck(server)) < 3 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    threading.Event().wait(0.1)
    assert struck(server) == ["time-jump"] * 3
    assert server.faults.armed() == []


# -- acts --------------------------------------------------------------------------------------------------


def act(server: ApiServer, kind: str, **more: Any) -> None:
    server.faults.add(Fault(kind, **more))
    assert struck(server)[-1] == kind


def test_close_watches_ends_them_cleanly(pair: Pair) -> None:
    server, _ = pair
    response = watch(server)
    change(server, "a", "1")
    assert events(response, 1) == [("MODIFIED", "a")]
    act(server, "close-watches")
    assert response.read() == b""
    assert server.watches == set()


def test_drop_connections_resets_them(pair: Pair) -> None:
    server, _ = pair
    response = watch(server)
    act(server, "drop-connections")
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        response.read()


def test_expire_history_makes_old_versions_410(pair: Pair) -> None:
    server, peer = pair
    version = server.storage.current_version
    change(server, "a", "1")
    act(server, "expire-history")
    event = json.loads(peer.get(f"{WATCH}&resourceVersion={version}").body)
    assert event["object"]["code"] == 410
    assert peer.get(f"{LIST}?resourceVersion={version}&resourceVersionMatch=Exact").status == 410


def test_expire_watches_tells_every_watch(pair: Pair) -> None:
    server, _ = pair
    response = watch(server)
    act(server, "expire-watches")
    assert events(response, 1) == [("ERROR", "Expired")]
    assert response.read() == b""


def test_send_garbage_writes_into_every_watch(pair: Pair) -> None:
    server, _ = pair
    response = watch(server)
    act(server, "send-garbage")
    assert response.readline() == b"this is no JSON\n"


@pytest.mark.parametrize(("kind", "changed", "seen"), [
    ("lose-event", "aab", "ab"), ("duplicate-event", "ab", "aab"), ("reorder-events", "aba", "baa"),
])
def test_events_are_lost_repeated_and_reordered(pair: Pair, kind: str, changed: str, seen: str) -> None:
    server, _ = pair
    response = watch(server)
    act(server, kind, resource="configmaps")
    for step, name in enumerate(changed):
        change(server, name, str(step))
    assert "".join(name for _, name in events(response, len(seen))) == seen


def test_huge_object_grows_one_object(pair: Pair) -> None:
    server, _ = pair
    response = watch(server)
    act(server, "huge-object", resource="configmaps", size=3 << 20)
    line = response.readline()
    assert len(line) > 3 << 20
    assert json.loads(line)["object"]["metadata"]["name"] == "a"


def test_time_jump_moves_dates_and_brings_time_outs_forward(pair: Pair) -> None:
    server, peer = pair
    response = watch(server, "&timeoutSeconds=3000")
    act(server, "time-jump", delay_s=3600.0)
    assert response.read() == b""
    ahead = server.now() - time.time()
    assert 3590 < ahead < 3610
    assert peer.get("/version").headers["Date"] == http_date(server.now())
    created = peer("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "born-later"}})
    born = created.json["metadata"]["creationTimestamp"]
    assert born > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3000))


def http_date(at: float) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at))


@pytest.mark.parametrize("kind", ["restart", "restart-empty"])
def test_a_restart_ends_watches_and_keeps_the_port_and_the_objects(pair: Pair, kind: str) -> None:
    server, _ = pair
    version, port = server.storage.current_version, server.port
    response = watch(server)
    change(server, "a", "1")
    assert events(response, 1) == [("MODIFIED", "a")]
    act(server, kind)
    assert response.read() == b""
    again = Peer(server)
    assert (server.port, len(again.get(LIST).json["items"])) == (port, 2)
    first = json.loads(again.stream(f"{WATCH}&resourceVersion={version}").readline())
    assert first["type"] == ("MODIFIED" if kind == "restart" else "ERROR")


def test_every_fault_of_the_menu_has_a_test_here() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [kind for kind in MENU if f'"{kind}"' not in text] == []
    assert set(MENU) == set(FAULTS) | set(ACTS)
    assert all(sentence and not sentence.endswith(".") for sentence in MENU.values())


# -- written as text, and over HTTP ------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "fault"), [
    ("reset", Fault("reset")),
    ("503:verb=list,resource=pods,times=3", Fault("503", verb="LIST", resource="pods", times=3)),
    ("stall-headers:delay=400ms,for=2m", Fault("stall-headers", delay_s=0.4, seconds=120.0, times=None)),
    ("close-watches:every=30s", Fault("close-watches", every_s=30.0, times=None)),
    ("429:retry-after=5,times=always,after=1h", Fault("429", retry_after_s=5, times=None, after_s=3600.0)),
    ("huge-object:resource=configmaps,size=2MiB", Fault("huge-object", resource="configmaps", size=2 << 20)),
    ("slow-pages", Fault("slow-pages", verb="LIST")),
])
def test_a_fault_is_read_from_text(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(("text", "says"), [
    ("reste", "did you mean 'reset'"), ("", "no fault is called"), ("503:foo=1", "no option"),
    ("503:verb", "no option"), ("503:verb=EAT", "no request is called 'EAT'"), ("503:times=0", "a number from 1"),
    ("503:times=many", "a number from 1"), ("reset:for=soon", "'soon'"), ("huge-object:size=1TB", "size=1TB"),
    ("huge-object:size=900MiB", "at most 64MiB"),
])
def test_a_fault_that_cannot_be_read_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_fault(text)


def test_faults_are_armed_listed_and_disarmed_over_http(pair: Pair) -> None:
    _, peer = pair
    assert peer("POST", "/_kdash/faults", {"fault": "503:verb=LIST,times=2"}).status == 201
    assert peer("POST", "/_kdash/faults", {"kind": "500", "resource": "pods", "times": None}).status == 201
    assert peer.get(LIST).status == 503
    listed = peer.get("/_kdash/faults").json
    assert listed["menu"] == MENU
    assert [(fault["kind"], fault["struck"]) for fault in listed["armed"]] == [("503", 1), ("500", 0)]
    assert [strike["kind"] for strike in listed["struck"]] == ["503"]
    assert peer("DELETE", "/_kdash/faults").json["armed"] == []
    assert peer.get(LIST).status == 200


@pytest.mark.parametrize("body", [
    b"", b"[]", b"{", {"fault": "nonsense"}, {"kind": "reset", "times": "many"}, {"kind": 7}, {"kind": "reset", "x": 1},
    {"fault": 3}, {"kind": "lose-event", "resource": "nothings"}, {"kind": "reset", "times": 0},
])
def test_a_bad_order_over_http_is_400_with_a_status(pair: Pair, body: Any) -> None:
    server, peer = pair
    answer = peer("POST", "/_kdash/faults", body)
    assert (answer.status, answer.json["kind"], answer.json["reason"]) == (400, "Status", "BadRequest")
    assert server.faults.armed() == []


def test_a_restart_can_be_ordered_over_http_and_is_answered(pair: Pair) -> None:
    server, peer = pair
    assert peer("POST", "/_kdash/faults", {"fault": "restart"}).status == 201
    wait_until(lambda: struck(server) == ["restart"] and server.faults.armed() == [])
    wait_until(lambda: answers(server))


def test_the_log_of_truth_is_read_over_http(pair: Pair) -> None:
    server, peer = pair
    version = server.storage.current_version
    peer.get(f"{LIST}?limit=1")
    change(server, "a", "1")
    requests = peer.get("/_kdash/requests").json
    assert (requests["count"], [entry["query"] for entry in requests["requests"]]) == (1, ["limit=1"])
    changes = peer.get(f"/_kdash/changes?after={version}").json
    assert [(entry["type"], entry["key"]) for entry in changes["changes"]] == [("MODIFIED", "default/a")]
    assert peer("POST", "/_kdash/changes").status == 405
    assert peer.get("/_kdash/nothing").status == 404


def answers(server: ApiServer) -> bool:
    try:
        return Peer(server, 1.0).get("/version").status == 200
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)


# -- what is armed is told, and a fault acts as its name says -------------------------------------------------


def test_a_410_acts_on_the_open_watch_and_is_spent(pair: Pair) -> None:
    server, peer = pair
    response = watch(server)
    wait_until(lambda: bool(server.watches))
    server.faults.add(Fault("410"))
    assert events(response, 1) == [("ERROR", "Expired")]
    assert response.read() == b""
    assert (server.faults.armed(), struck(server)) == ([], ["410"])
    assert peer.get(LIST).status == 200


def test_a_410_for_lists_leaves_the_open_watch_alone_and_says_what_it_waits_for(pair: Pair) -> None:
    server, peer = pair
    response = watch(server)
    wait_until(lambda: bool(server.watches))
    fault = server.faults.add(Fault("410", verb="LIST", resource="configmaps", times=2))
    assert server.faults.waits_for(fault) == "the next 2 LISTs of configmaps"
    assert peer.get(LIST).status == 410
    assert (server.faults.waits_for(fault), fault.struck) == ("the next LIST of configmaps", 1)
    assert len(server.watches) == 1 and not response.closed


def test_two_equal_faults_strike_twice(pair: Pair) -> None:
    server, peer = pair
    server.faults.add(Fault("503"))
    server.faults.add(Fault("503"))
    assert len(server.faults.armed()) == 2
    assert [peer.get(LIST).status for _ in range(3)] == [503, 503, 200]


def test_a_fault_that_comes_again_strikes_once_each_time(pair: Pair) -> None:
    server, peer = pair
    fault = parse_fault("503:every=1h")
    server.faults.add(fault)
    wait_until(lambda: server.faults.waits_for(fault) == "the next request")
    assert [peer.get(LIST).status for _ in range(2)] == [503, 200]
    assert server.faults.waits_for(fault).startswith("its time, in ")
    assert (server.faults.armed(), fault.struck) == ([fault], 1)


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_garbage_line_in_a_body_of_known_length_leaves_the_server_whole(pair: Pair, size: int) -> None:
    server, peer = pair
    add(server, "known", data={"v": "x" * size})
    server.faults.add(Fault("garbage-line"))
    answer = peer.get(f"{LIST}/known", Accept_Encoding="gzip")
    assert answer.status == 200 and answer.body.splitlines()[-1] == b'{"type":"ADDED","object":{"kind"'
    assert peer.get(f"{LIST}/known").json["metadata"]["name"] == "known"


def test_the_beginning_of_a_name_is_enough() -> None:
    assert parse_fault("lose").kind == "lose-event"
    assert parse_fault("restart").kind == "restart"
    with pytest.raises(ValueError, match="several faults begin with 'clo': close, close-watches"):
        parse_fault("clo")
