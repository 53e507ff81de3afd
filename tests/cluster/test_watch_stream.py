"""Bytes of a watch to events: any cut, any framing, any end."""

import itertools
import json
import threading
from pathlib import Path

import pytest

from kdash.cluster.watch_stream import EventDecoder
from kdash.informer.list_watch import CancelToken, ListOptions
from kdash.informer.tap import RingTap
from tests.cluster.conftest import CONFIG_MAPS, Setting, config_map, line, run_and_cancel

WATCH = ListOptions(resource_version="100", timeout_seconds=300, allow_watch_bookmarks=True)


def events_of(stream):
    events = []
    while batch := stream.next_batch():
        events += batch
    assert stream.next_batch() == ()
    return events


def told(events):
    return [(e.type, e.object.name if e.object else None) for e in events]


def streaming(*pieces, end=lambda e: (e.last_chunk(), e.wait_for_hang_up())):
    def script(exchange):
        exchange.start_chunked()
        for piece in pieces:
            exchange.chunk(piece)
        end(exchange)

    return script


A, B = line("ADDED", config_map("a", "101")), line("MODIFIED", config_map("b", "102"))
C = line("DELETED", config_map("ccc", "103", data={"k": "snow ☃ and ünïcode 𝕏"}))


def test_events_come_in_order_with_their_objects(setting, cancel):
    events = events_of(setting(streaming(A, B, C)).lister_watcher.watch(WATCH, cancel))
    assert told(events) == [("ADDED", "a"), ("MODIFIED", "b"), ("DELETED", "ccc")]
    assert [e.size for e in events] == [len(A), len(B), len(C)]
    assert events[0].object.resource_version == "101"
    assert (events[0].object.kind, events[0].object.api_version) == ("ConfigMap", "v1")
    assert json.loads(events[2].object.to_json())["data"]["k"] == "snow ☃ and ünïcode 𝕏"


def test_watch_request_is_client_gos(setting, cancel):
    s = setting(streaming())
    events_of(s.lister_watcher.watch(WATCH, cancel))
    assert s.server.targets == [
        "/api/v1/configmaps?allowWatchBookmarks=true&resourceVersion=100&timeoutSeconds=300&watch=true"
    ]
    sent = s.server.exchanges[0].headers
    assert (sent["accept"], sent["accept-encoding"]) == ("application/json", "identity")


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50, 1000])
def test_users_35_lines_cut_anywhere_come_out_whole(step):
    wire, decoder = A + b"\n" + B + C, EventDecoder()
    events = [e for at in range(0, len(wire), step) for e in decoder.feed([wire[at : at + step]])]
    assert told(events) == [("ADDED", "a"), ("MODIFIED", "b"), ("DELETED", "ccc")]


def test_users_35_one_byte_a_chunk_over_the_wire(setting, cancel):
    wire = A + C
    s = setting(streaming(*(wire[at : at + 1] for at in range(len(wire)))))
    assert told(events_of(s.lister_watcher.watch(WATCH, cancel))) == [("ADDED", "a"), ("DELETED", "ccc")]


def test_users_34_a_three_mib_object_is_taken_in_linear_time(setting, cancel):
    big = line("MODIFIED", config_map("big", "104", data={"k": "x" * (3 << 20)}))
    pieces = [big[at : at + 4096] for at in range(0, len(big), 4096)]
    events = events_of(setting(streaming(A, *pieces, B)).lister_watcher.watch(WATCH, cancel))
    assert told(events) == [("ADDED", "a"), ("MODIFIED", "big"), ("MODIFIED", "b")]
    decoder, handled, big = (
        EventDecoder(),
        0,
        line("ADDED", config_map("big", "1", data={"k": "x" * (1 << 19)})),
    )
    for at in range(len(big)):  # a byte at a time: quadratic work would take minutes
        handled += len(decoder.feed([big[at : at + 1]]))
    assert handled == 1


def test_many_lines_in_one_chunk_are_one_batch(setting, cancel):
    s = setting(streaming(b"".join(line("ADDED", config_map(f"n{n}", str(n))) for n in range(400))))
    stream = s.lister_watcher.watch(WATCH, cancel)
    events = events_of(stream)
    assert [e.object.name for e in events] == [f"n{n}" for n in range(400)]


@pytest.mark.parametrize("number", [36, 37])
def test_users_36_37_close_delimited_stream_is_delivered_promptly(setting, cancel, number):
    go_on = threading.Event()

    def script(exchange):
        exchange.start_unframed()
        exchange.send(A)
        assert go_on.wait(20)
        exchange.send(B[:30], B[30:])
        exchange.close()

    stream = setting(script).lister_watcher.watch(WATCH, cancel)
    assert told(stream.next_batch()) == [("ADDED", "a")]  # before the server closes, or it would hang here
    go_on.set()
    assert told(events_of(stream)) == [("MODIFIED", "b")]


def test_headers_alone_open_the_watch(setting, cancel):
    s = setting(lambda e: (e.start_chunked(), e.wait_for_hang_up()))
    s.lister_watcher.watch(WATCH, cancel).stop()


# -- bookmarks and errors ------------------------------------------------------------------------------


def bookmark(rv, **annotations):
    return line(
        "BOOKMARK",
        {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {
                "resourceVersion": rv,
                "creationTimestamp": None,
                **({"annotations": annotations} if annotations else {}),
            },
        },
    )


def test_rf23_only_the_annotation_true_ends_the_initial_events():
    wire = [
        bookmark("1"),
        bookmark("2", **{"k8s.io/initial-events-end": "true"}),
        bookmark("3", **{"k8s.io/initial-events-end": "false"}),
        bookmark("4", other="k8s.io/initial-events-end"),
    ]
    events = EventDecoder().feed(wire)
    assert [(e.type, e.object.resource_version, e.initial_events_end) for e in events] == [
        ("BOOKMARK", "1", False),
        ("BOOKMARK", "2", True),
        ("BOOKMARK", "3", False),
        ("BOOKMARK", "4", False),
    ]


def test_table_bookmark_carries_the_end_in_its_row():
    meta = {"resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}
    table = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "9"},
        "rows": [{"cells": [""], "object": {"kind": "PartialObjectMetadata", "metadata": meta}}],
    }
    assert EventDecoder().feed([line("BOOKMARK", table)])[0].initial_events_end


def test_users_10_11_error_event_is_a_status_and_never_an_object():
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version: 77 (89)",
        "reason": "Expired",
        "code": 410,
    }
    event, after = EventDecoder().feed([line("ERROR", status), A])
    assert (event.type, event.object) == ("ERROR", None)
    assert (event.status.code, event.status.reason) == (410, "Expired")
    assert event.status.message == "too old resource version: 77 (89)"
    assert after.object.name == "a"


@pytest.mark.parametrize(
    "bad",
    [
        b"this is not json\n",
        b'{"type":"PATCHED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}}\n',
        b'{"type":"ADDED","object":{"apiVersion":"v1","metadata":{"name":"a"}}}\n',
        b'{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":"oops"}}\n',
        b'{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":7}}}\n',
        b'{"type":"ADDED","object":[1]}\n',
        b'{"type":"ADDED","object":{"kind":"ConfigMap","metadata":{"name":"a"}}]\n',
        b'{"type":"ADDED","object":{"kind":"ConfigMap","metadata":{"name":"a"}}}}\n',
        b'{"type":"ADDED"}\n',
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}\n',
        b'{"type":"ERROR","object":"x"}\n',
        b'{"type":"ADDED","object":{"kind":"ConfigMap","metadata":{"name":"a"}}]\n',
        b"<html>login</html>\n",
    ],
)
@pytest.mark.parametrize("separate", [True, False])
def test_complete_line_that_is_no_event_ends_the_stream_with_error_500(bad, separate):
    decoder = EventDecoder()
    first, error = decoder.feed([A, bad] if separate else [A + bad + B])
    assert decoder.feed([B]) == []
    assert first.object.name == "a"
    assert (error.type, error.object, error.status.code, error.status.reason) == (
        "ERROR",
        None,
        500,
        "InternalError",
    )
    assert "unable to decode an event from the watch stream" in error.status.message
    assert decoder.broken
    assert decoder.end() == []


def test_line_in_another_shape_is_parsed_in_general():
    odd = [
        b'{ "type": "ADDED", "object": {"kind":"ConfigMap","metadata":{"name":"a"}} }\r\n',
        b'{"object":{"kind":"ConfigMap","metadata":{"name":"a"}},"type":"ADDED"}\n',
        b'{"type":"ADDED","object":{"kind":"ConfigMap","metadata":{"name":"a"}},"extra":{"x":{}}}\n',
        b'   \n{"type":"ADDED","object":{"kind":"ConfigMap","metadata":{"name":"a"}}}\n\r\n',
    ]
    for wire in odd:
        assert told(EventDecoder().feed([wire])) == [("ADDED", "a")], wire


def test_error_event_reaches_the_reader_over_http_after_what_came_before(setting, cancel):
    s = setting(streaming(A, b"garbage\n", end=lambda e: e.wait_for_hang_up()))
    events = events_of(s.lister_watcher.watch(WATCH, cancel))
    assert [e.type for e in events] == ["ADDED", "ERROR"]
    assert [r["outcome"] for r in s.records("api.end")] == ["error"]


# -- how streams end -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (lambda e: (e.last_chunk(), e.wait_for_hang_up()), "closed"),
        (lambda e: e.close(), "cut"),
        (lambda e: (e.chunk(B[:40]), e.last_chunk()), "cut"),
        (lambda e: (e.chunk(B[:40]), e.close()), "cut"),
        (lambda e: (e.send(b"5000\r\n" + B[:40]), e.close()), "cut"),
        (lambda e: (e.send(b"zz\r\n"), e.wait_for_hang_up()), "error"),
    ],
)
def test_rf31_every_end_of_the_connection_is_a_silent_end(setting, cancel, end, outcome):
    s = setting(streaming(A, end=end))
    assert told(events_of(s.lister_watcher.watch(WATCH, cancel))) == [("ADDED", "a")]
    assert [r["outcome"] for r in s.records("api.end")] == [outcome]


def test_rf31_reset_is_a_silent_end(setting, cancel):
    read = threading.Event()
    s = setting(streaming(A, end=lambda e: (read.wait(20), e.reset())))
    stream = s.lister_watcher.watch(WATCH, cancel)
    assert told(stream.next_batch()) == [("ADDED", "a")]
    read.set()
    assert events_of(stream) == []
    assert [r["outcome"] for r in s.records("api.end")] == ["reset"]


def test_complete_event_that_lacks_only_its_newline_counts(setting, cancel):
    s = setting(streaming(A[:-1]))
    assert told(events_of(s.lister_watcher.watch(WATCH, cancel))) == [("ADDED", "a")]


@pytest.mark.parametrize("number", [1, 2])
def test_users_01_02_black_hole_ends_silently_by_the_stall_limit(serve, tap, cancel, number):
    s = Setting(serve(streaming(A, end=lambda e: e.wait_for_hang_up())), tap)
    lister_watcher = s.client.lister_watcher(CONFIG_MAPS, stall_s=0.2)
    assert told(events_of(lister_watcher.watch(WATCH, cancel))) == [("ADDED", "a")]
    assert [r["outcome"] for r in s.records("api.end")] == ["timeout"]


def test_users_07_silence_is_bounded_by_the_watch_timeout_asked_for(setting, cancel, monkeypatch):
    monkeypatch.setattr("kdash.cluster.list_watch.WATCH_MARGIN_S", -0.9)
    s = setting(lambda e: (e.start_chunked(), e.wait_for_hang_up()))
    stream = s.lister_watcher.watch(ListOptions(timeout_seconds=1), cancel)
    assert events_of(stream) == []
    assert [r["outcome"] for r in s.records("api.end")] == ["timeout"]


def test_server_timeout_leaves_the_connection_for_the_next_watch(setting, cancel):
    s = setting(streaming(A, end=lambda e: e.last_chunk()))
    for _ in range(3):
        events_of(s.lister_watcher.watch(WATCH, cancel))
    assert {e.connection for e in s.server.exchanges} == {1}


def test_stop_wakes_a_blocked_reader(setting):
    s = setting(streaming(A, end=lambda e: e.wait_for_hang_up()))
    reading, events = threading.Event(), []

    def read(token):
        stream = s.lister_watcher.watch(WATCH, token)
        events.extend(stream.next_batch())
        reading.set()
        events.extend(stream.next_batch())
        assert stream.next_batch() == ()

    assert run_and_cancel(read, lambda: reading.wait(20)) is None
    assert told(events) == [("ADDED", "a")]
    assert [r["outcome"] for r in s.records("api.end")] == ["stopped"]


def test_stop_between_reads_ends_the_stream_and_the_connection(setting, cancel):
    hung_up = threading.Event()
    s = setting(streaming(A, B, end=lambda e: e.wait_for_hang_up() and hung_up.set()))
    stream = s.lister_watcher.watch(WATCH, cancel)
    stream.next_batch()
    stream.stop()
    stream.stop()
    assert stream.next_batch() == ()
    assert hung_up.wait(20)
    assert [r["outcome"] for r in s.records("api.end")] == ["stopped"]


def test_stop_while_a_batch_is_being_read_closes_once_the_batch_is_handed_over(serve, cancel):
    class StoppingTap(RingTap):
        def emit(self, kind, informer, *fields):
            if kind == "api.bytes":
                stream.stop()
            return super().emit(kind, informer, *fields)

    tap = StoppingTap()
    s = Setting(serve(streaming(A, end=lambda e: e.wait_for_hang_up())), tap)
    stream = s.lister_watcher.watch(WATCH, cancel)
    stream.next_batch()
    assert [r["outcome"] for r in s.records("api.end")] == ["stopped"]
    assert stream.next_batch() == ()


def test_users_29_a_hundred_watches_leave_no_thread_and_no_descriptor(setting, cancel):
    import os

    s = setting(streaming(A, end=lambda e: e.close()))
    events_of(s.lister_watcher.watch(WATCH, cancel))
    s.server.wait_for_requests(1)
    threads = {t for t in threading.enumerate() if "_serve" not in t.name}
    before = len(os.listdir("/dev/fd"))
    for _ in range(100):
        events_of(s.lister_watcher.watch(WATCH, cancel))
    assert {t for t in threading.enumerate() if "_serve" not in t.name} <= threads
    assert len(os.listdir("/dev/fd")) <= before + 4


def test_watch_answered_with_html_is_an_error_and_no_stream(setting, cancel):
    from kdash.informer.errors import DecodeError

    s = setting(lambda e: e.answer("<html>login</html>\n", content_type="text/html"))
    with pytest.raises(DecodeError, match="text/html"):
        s.lister_watcher.watch(WATCH, cancel)


def test_cancel_before_the_watch_sends_nothing(setting):
    from kdash.informer.errors import StopRequested

    s, token = setting(streaming(A)), CancelToken()
    token.cancel()
    with pytest.raises(StopRequested):
        s.lister_watcher.watch(WATCH, token)
    assert s.server.exchanges == []


def recorded_lines():
    """50 lines that a kube-apiserver sent, of every type, the shortest of each type first."""
    exchanges = sorted((Path(__file__).parents[1] / "wire" / "exchanges").glob("*watch*.json"))
    bodies = [json.loads(path.read_text())["response"].get("lines") or () for path in exchanges]
    texts = dict.fromkeys(each["text"].rstrip("\n") for body in bodies for each in body)
    by_type = {}
    for text in sorted(texts, key=len):
        by_type.setdefault(text[:12], []).append(text)
    rounds = itertools.zip_longest(*by_type.values())
    return [text.encode() for text in itertools.chain.from_iterable(rounds) if text][:50]


def test_rf31_a_line_cut_after_any_byte_gives_the_whole_event_or_none():
    lines = recorded_lines()
    assert len(lines) == 50
    assert {each[9:12] for each in lines} == {b"ADD", b"MOD", b"DEL", b"BOO", b"ERR"}
    for recorded in lines:
        whole = EventDecoder().feed([recorded + b"\n"])
        assert len(whole) == 1
        for cut in range(1, len(recorded) + 1):
            decoder = EventDecoder()
            decoder.feed([A])
            events = decoder.feed([recorded[:cut]]) + decoder.end()
            assert told(events) == (told(whole) if cut == len(recorded) else []), recorded[:cut]
