"""Watches on their socket: headers, chunks, reuse of the connection, many watchers, and clients that do not read."""

from __future__ import annotations

import json
import threading

from tests.demo.http_peer import Peer, add, change, raw_socket, read_all, served

LIST = "/api/v1/namespaces/default/configmaps"


def test_fact_43_headers_come_before_any_event() -> None:
    with served() as (server, peer):
        response = peer.stream(f"{LIST}?watch=1&resourceVersion={server.storage.current_version}")
        assert (response.status, response.headers["Transfer-Encoding"]) == (200, "chunked")
        add(server, "a")
        assert json.loads(response.readline())["type"] == "ADDED"


def test_fact_44_many_lines_share_a_chunk() -> None:
    with served() as (server, _):
        for number in range(60):
            add(server, f"c-{number:02}")
        text = (f"GET {LIST}?watch=1&resourceVersion=0&timeoutSeconds=1 HTTP/1.1\r\nHost: localhost\r\n"
                "Connection: close\r\n\r\n")
        with raw_socket(server, text.encode()) as sock:
            body = read_all(sock).partition(b"\r\n\r\n")[2]
        first = body[: body.index(b"\r\n")]
        chunk = body[len(first) + 2 :][: int(first, 16)]
        assert chunk.count(b"\n") == 60


def test_fact_45_a_time_out_leaves_the_connection_reusable() -> None:
    with served() as (server, peer):
        assert peer.get(f"{LIST}?watch=1&resourceVersion={server.storage.current_version}&timeoutSeconds=1").body == b""
        port = peer.local_port()
        assert peer.get("/version").status == 200
        assert peer.local_port() == port


def test_fact_7_a_watch_is_never_compressed() -> None:
    with served() as (server, peer):
        add(server, "a", data={"v": "x" * 500_000})
        answer = peer.get(f"{LIST}?watch=1&resourceVersion=0&timeoutSeconds=1", Accept_Encoding="gzip")
        assert answer.headers["Content-Encoding"] is None
        assert json.loads(answer.body)["type"] == "ADDED"


def test_fact_49_a_client_that_does_not_read_gets_what_was_buffered_and_a_clean_end() -> None:
    with served(watch_backlog=50) as (server, _):
        add(server, "a")
        version = server.storage.current_version
        text = f"GET {LIST}?watch=1&resourceVersion={version} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with raw_socket(server, text.encode(), receive_buffer=4096) as sock:
            for number in range(600):
                change(server, "a", f"{number:06}" + "x" * 33_000)
            raw = bytearray()
            while not raw.endswith(b"\r\n0\r\n\r\n"):
                raw += sock.recv(1 << 16)
        lines = [line for line in raw.split(b"\n") if line.startswith(b'{"type":"MODIFIED"')]
        assert 50 < len(lines) < 600
        assert b"ERROR" not in raw
        numbers = [int(line.split(b'"data":{"v":"')[1][:6]) for line in lines]
        assert numbers == list(range(len(lines)))


def test_a_client_that_leaves_is_noticed() -> None:
    with served() as (server, _):
        peer = Peer(server)
        response = peer.stream(f"{LIST}?watch=1&resourceVersion={server.storage.current_version}")
        assert len(server.watches) == 1
        response.close()
        peer.close()
        gone = threading.Event()
        for _ in range(1000):
            if not server.watches:
                gone.set()
                break
            threading.Event().wait(0.01)
        assert gone.is_set()


def test_every_watch_gets_every_event_in_order() -> None:
    with served() as (server, _):
        add(server, "a")
        start = server.storage.current_version
        responses = [Peer(server).stream(f"{LIST}?watch=1&resourceVersion={start}") for _ in range(10)]
        for number in range(300):
            change(server, "a", str(number))
        for response in responses:
            versions = [int(json.loads(response.readline())["object"]["metadata"]["resourceVersion"])
                        for _ in range(300)]
            assert versions == list(range(start + 1, start + 301))


def test_nothing_is_lost_or_repeated_between_the_list_and_its_watch() -> None:
    with served() as (server, peer):
        add(server, "a")
        stop = threading.Event()

        def churn() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                change(server, "a", str(number))

        writer = threading.Thread(target=churn)
        writer.start()
        try:
            for _ in range(20):
                version = int(peer.get(LIST).json["metadata"]["resourceVersion"])
                watching = Peer(server)
                response = watching.stream(f"{LIST}?watch=1&resourceVersion={version}")
                seen = [int(json.loads(response.readline())["object"]["metadata"]["resourceVersion"])
                        for _ in range(5)]
                assert seen == list(range(version + 1, version + 6))
                watching.close()
        finally:
            stop.set()
            writer.join()
