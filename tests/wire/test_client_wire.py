"""kdash's client against what a real kube-apiserver 1.36 answered; facts as in exchanges/README.md."""

from __future__ import annotations

import contextlib
import json

import pytest

from kdash.cluster import connect_url
from kdash.cluster.transport import Request
from kdash.informer.errors import (
    ApiStatusError,
    DecodeError,
    UnexpectedEOF,
    is_expired,
    is_too_large_resource_version,
    is_too_many_requests,
)
from kdash.informer.list_watch import CancelToken, ListOptions
from kdash.informer.tap import RingTap, as_dict
from tests.cluster.scripted_server import ScriptedServer
from tests.wire.playback import ALL, BY_NUMBER, Recording

UNSUPPORTED = {"pretty", "timeout", "includeObject"}  # parameters that kdash never sends
COLLECTIONS = [r for r in ALL.values() if r.resource]
STREAMS = [r for r in COLLECTIONS if r.is_stream]
LISTS = [r for r in COLLECTIONS if r.status == 200 and not r.is_watch and "yaml" not in r.accept]
ERRORS = [r for r in COLLECTIONS if r.status is not None and r.status >= 400]
by_name = pytest.mark.parametrize


class Played:
    """A client whose next requests get these recorded answers."""

    def __init__(self, stack: contextlib.ExitStack, *recordings: Recording) -> None:
        self.server = stack.enter_context(ScriptedServer(*(r.play for r in recordings)))
        self.tap = RingTap()
        self.client = connect_url(self.server.url, tap=self.tap)
        resource, namespace = recordings[0].resource or (None, "")
        self.cancel = CancelToken()
        if resource is not None:
            partial = "PartialObjectMetadata" in recordings[0].accept
            self.lister_watcher = self.client.lister_watcher(resource, namespace, metadata_only=partial)

    def outcomes(self) -> list[str]:
        return [d["outcome"] for r in self.tap.drain() if (d := as_dict(r))["kind"] == "api.end"]


@pytest.fixture
def play():
    with contextlib.ExitStack() as stack:
        yield lambda *numbers: Played(stack, *(BY_NUMBER[n] if isinstance(n, int) else n for n in numbers))


def read(stream):
    events = []
    while batch := stream.next_batch():
        events += batch
    return events


def names(items):
    return [
        (i["metadata"].get("namespace", ""), i["metadata"]["name"], i["metadata"]["resourceVersion"])
        for i in items
    ]


# -- every list, every stream, every error -----------------------------------------------------------------


@by_name(
    "recording",
    [pytest.param(r, id=r.name) for r in LISTS if "protobuf" not in r.response["headers"]["Content-Type"]],
)
def test_every_recorded_list_is_read_as_it_was_written(play, recording):
    played = play(recording)
    page = played.lister_watcher.list(recording.options, played.cancel)
    document = recording.json if "body_base64" not in recording.response else None
    if document is None:
        import gzip

        document = json.loads(gzip.decompress(recording.body))
    meta = document["metadata"]
    assert (page.kind, page.api_version) == (document["kind"], document["apiVersion"])
    assert (page.resource_version, page.continue_token) == (meta["resourceVersion"], meta.get("continue", ""))
    assert page.remaining_item_count == meta.get("remainingItemCount")
    items = document.get("items") or []
    assert [(o.namespace, o.name, o.resource_version) for o in page.items] == names(items)
    kind = document["kind"].removesuffix("List")
    assert {o.kind for o in page.items} <= {kind}
    for item, obj in zip(items, page.items, strict=True):
        assert {k: v for k, v in obj.to_dict().items() if k not in ("kind", "apiVersion")} == {
            k: v for k, v in item.items() if k not in ("kind", "apiVersion")
        }
    assert played.outcomes() == ["ok"]


@by_name("recording", [pytest.param(r, id=r.name) for r in LISTS if not UNSUPPORTED & set(r.query)])
def test_client_can_ask_every_recorded_list_question(play, recording):
    played = play(recording)
    with contextlib.suppress(DecodeError):  # protobuf and YAML answers, which kdash never asks for
        played.lister_watcher.list(recording.options, played.cancel)
    assert Recording("sent", {"request": {"method": "GET", "path": played.server.targets[0]}}).query == {
        k: v for k, v in recording.query.items() if k != "watch"
    }


@by_name("recording", [pytest.param(r, id=r.name) for r in STREAMS])
def test_every_recorded_stream_is_read_as_it_was_written(play, recording):
    played = play(recording)
    stream = played.lister_watcher.watch(recording.options, played.cancel)
    wanted = len(recording.events)
    events = []
    while len(events) < wanted or recording.response["closed"] != "client-hangup":
        batch = stream.next_batch()
        if not batch:
            break
        events += batch
    stream.stop()
    assert [e.type for e in events] == [e["type"] for e in recording.events]
    for event, original in zip(events, recording.events, strict=True):
        obj = original["object"]
        if event.type == "ERROR":
            assert event.object is None
            assert (event.status.code, event.status.reason) == (obj["code"], obj.get("reason", ""))
            continue
        meta = obj.get("metadata", {})
        assert event.object.kind == obj["kind"]
        assert (event.object.name, event.object.uid) == (meta.get("name", ""), meta.get("uid", ""))
        assert event.object.resource_version == meta.get("resourceVersion", "")
        assert event.object.to_dict() == obj
        assert event.size >= len(json.dumps(obj, separators=(",", ":"), ensure_ascii=False)) - 1
    ends = {"end-of-body": "closed", "eof-without-terminator": "cut", "client-hangup": "stopped"}
    assert played.outcomes() == [ends[recording.response["closed"]]]


@by_name("recording", [pytest.param(r, id=r.name) for r in ERRORS])
def test_every_recorded_error_becomes_one_clean_error(play, recording):
    played = play(recording)
    target = recording.document["request"]["path"]
    answer = played.client._transport.get(Request(target), played.cancel)
    error = answer.error()
    text = recording.response.get("body", "")
    if text.lstrip().startswith("{"):
        status = json.loads(text)
        assert (error.code, error.reason) == (status.get("code", recording.status), status.get("reason", ""))
        assert " ".join(status["message"].split()) == error.message
    else:
        assert error.code == recording.status
        assert text.strip() in error.message or recording.status == 406
    assert error.message
    assert error.message.isprintable()
    retry_after = recording.response["headers"].get("Retry-After")
    assert answer.retry_after_s == (int(retry_after) if retry_after else None)


@by_name(
    "recording", [pytest.param(r, id=r.name) for r in ERRORS if "Retry-After" not in r.response["headers"]]
)
def test_list_and_watch_raise_every_recorded_error_before_any_stream(play, recording):
    played = play(recording)
    call = played.lister_watcher.watch if recording.is_watch else played.lister_watcher.list
    with pytest.raises(ApiStatusError) as caught:
        call(recording.options, played.cancel)
    assert caught.value.code == recording.status


# -- single facts ----------------------------------------------------------------------------------------


def test_fact_1_both_framings_are_read(play):
    framings = {("Content-Length" in r.response["headers"]) for r in LISTS}
    assert framings == {True, False}


def test_fact_3_custom_resources_put_items_before_metadata(play):
    played = play(216)
    assert BY_NUMBER[216].body.index(b'"items"') < BY_NUMBER[216].body.index(b'"resourceVersion":"239"')
    page = played.lister_watcher.list(ListOptions(), played.cancel)
    assert {(o.kind, o.api_version) for o in page.items} == {("Widget", "wire.example.com/v1")}


def test_fact_2_built_in_items_get_the_lists_kind(play):
    played = play(200)
    page = played.lister_watcher.list(ListOptions(), played.cancel)
    assert {(o.kind, o.api_version) for o in page.items} == {("Pod", "v1")}


def test_fact_7_gzip_list_is_inflated(play):
    played = play(224)
    played.client._transport.is_local = False
    page = played.lister_watcher.list(ListOptions(), played.cancel)
    assert played.server.exchanges[0].headers["accept-encoding"] == "gzip"
    assert len(page.items) > 0
    assert page.size > 128 * 1024


def test_fact_9_text_bodies_are_no_status_but_a_sentence(play):
    played = play(18)
    error = played.client._transport.get(Request("/apis/x/v1"), played.cancel).error()
    assert (error.code, error.reason) == (404, "NotFound")
    assert error.message == "the server answered 404 Not Found: 404 page not found"


def test_fact_9_time_limit_status_without_kind_is_understood(play):
    played = play(136)
    error = played.client._transport.get(Request("/x"), played.cancel).error()
    assert (error.code, error.reason) == (504, "Timeout")


def test_fact_15_discovery_is_two_requests_then_304(play):
    played = play(9, 10, 9, 11)
    assert played.client.resolve("widgets").group == "wire.example.com"
    played.client.resources(refresh=True)
    sent = [e.headers.get("if-none-match") for e in played.server.exchanges]
    assert sent == [
        None,
        None,
        BY_NUMBER[9].response["headers"]["Etag"],
        BY_NUMBER[10].response["headers"]["Etag"],
    ]
    assert played.client.resolve("widgets").group == "wire.example.com"


def test_fact_16_content_type_tells_which_discovery_came(play):
    assert play(12, 10).client.resolve("po").kind == "Pod"
    assert play(5, 7, 6, 8).client.resolve("po").kind == "Pod"


def test_fact_17_empty_response_kinds_inherit(play):
    scale = play(9, 10).client.resolve("deployments")
    assert (scale.group, scale.version, scale.kind) == ("apps", "v1", "Deployment")


def test_fact_19_version_is_readable(play):
    assert play(1).client.version()["major"] == "1"


def test_fact_22_pages_share_the_first_pages_version(play):
    played = play(103, 104, 105)
    pages, token = [], ""
    for _ in range(3):
        pages.append(played.lister_watcher.list(ListOptions(limit=3, continue_token=token), played.cancel))
        token = pages[-1].continue_token
    assert len({p.resource_version for p in pages}) == 1
    assert token == ""
    assert pages[-1].remaining_item_count is None
    assert [len(p.items) for p in pages] == [3, 3, 2]


def test_fact_27_users_16_future_version_is_too_large_after_the_repeats(play):
    played = play(114)
    error = played.client._transport.get(Request("/x"), played.cancel).error()
    assert is_too_large_resource_version(error)
    assert error.retry_after_s == 1


def test_fact_38_expired_continue_carries_a_fresh_token(play):
    played = play(623, 624)
    with pytest.raises(ApiStatusError) as caught:
        played.lister_watcher.list(ListOptions(limit=3, continue_token="old"), played.cancel)
    assert is_expired(caught.value)
    assert caught.value.continue_token
    rest = played.lister_watcher.list(
        ListOptions(limit=3, continue_token=caught.value.continue_token), played.cancel
    )
    assert rest.items


def test_fact_37_410_for_exact_has_no_token(play):
    with pytest.raises(ApiStatusError) as caught:
        (played := play(625)).lister_watcher.list(ListOptions(), played.cancel)
    assert is_expired(caught.value)
    assert caught.value.continue_token == ""


def test_fact_43_headers_open_the_watch_before_any_event(play):
    played = play(306)
    assert read(played.lister_watcher.watch(BY_NUMBER[306].options, played.cancel)) == []


def test_fact_45_connection_is_reused_after_the_server_timeout(play):
    played = play(300, 300)
    for _ in range(2):
        read(played.lister_watcher.watch(BY_NUMBER[300].options, played.cancel))
    assert {e.connection for e in played.server.exchanges} == {1}


@by_name("number", [304, 305, 320, 321, 322, 323, 324, 354, 357, 351])
def test_fact_52_53_the_end_of_initial_events_is_marked_once(play, number):
    played = play(number)
    events = read(played.lister_watcher.watch(BY_NUMBER[number].options, played.cancel))
    ends = [e for e in events if e.initial_events_end]
    assert [e.type for e in ends] == ["BOOKMARK"]
    assert ends[0].object.resource_version or BY_NUMBER[number].accept.count("Table")


@by_name("number", [302, 303, 326, 306, 310, 352])
def test_fact_54_72_other_streams_never_mark_an_end(play, number):
    played = play(number)
    events = read(played.lister_watcher.watch(BY_NUMBER[number].options, played.cancel))
    assert not [e for e in events if e.initial_events_end]


def test_fact_57_streaming_list_at_a_future_version_is_an_error_event(play):
    played = play(325)
    (event,) = read(played.lister_watcher.watch(BY_NUMBER[325].options, played.cancel))
    assert event.type == "ERROR"
    assert is_too_large_resource_version(event.status)


@by_name("number", [333, 334, 637, 628])
def test_fact_60_users_10_too_old_version_is_one_error_event_with_410(play, number):
    played = play(number)
    (event,) = read(played.lister_watcher.watch(BY_NUMBER[number].options, played.cancel))
    assert (event.type, event.object) == ("ERROR", None)
    assert is_expired(event.status)


def test_fact_72_a_bookmark_is_no_object(play):
    played = play(311)
    events = read(played.lister_watcher.watch(BY_NUMBER[311].options, played.cancel))
    assert {(e.type, e.object.kind, e.object.name) for e in events} == {("BOOKMARK", "Pod", "")}
    assert all(e.object.resource_version for e in events)


def test_fact_81_list_name_on_a_watch_is_an_empty_stream(play):
    played = play(353)
    assert read(played.lister_watcher.watch(BY_NUMBER[353].options, played.cancel)) == []


def test_fact_82_json_is_what_kdash_offers_and_protobuf_is_refused(play):
    played = play(215)
    with pytest.raises(DecodeError, match="protobuf"):
        played.lister_watcher.list(ListOptions(), played.cancel)
    assert "protobuf" not in played.server.exchanges[0].headers["accept"]


@by_name("number", [500, 501])
def test_fact_92_users_32_unknown_and_missing_credentials_differ(play, number):
    played = play(number)
    error = played.client._transport.get(Request("/x"), played.cancel).error()
    assert error.code == {500: 401, 501: 403}[number]


@by_name("number", [600, 608, 617, 618])
def test_fact_96_overload_is_repeated_after_the_time_the_server_names(play, number):
    played = play(number)
    answer = played.client._transport.get(Request("/x"), played.cancel)
    assert answer.retry_after_s in (1, 5) or answer.retry_after_s > 0
    assert is_too_many_requests(answer.error())


def test_fact_96_overload_then_answer_is_one_list_to_the_caller(play, monkeypatch):
    waits = []
    monkeypatch.setattr("kdash.cluster.rest_retry.wait_cancellable", lambda s, clock, cancel: waits.append(s))
    played = play(600, 617, 200)
    assert played.lister_watcher.list(ListOptions(), played.cancel).items
    assert waits == [1.0, float(BY_NUMBER[617].response["headers"]["Retry-After"])]


@by_name("number", [603, 605, 631, 633])
def test_fact_97_98_users_13_shutdown_is_a_clean_end_without_error(play, number):
    played = play(number)
    stream = played.lister_watcher.watch(BY_NUMBER[number].options, played.cancel)
    events = []
    while len(events) < len(BY_NUMBER[number].events):
        events += stream.next_batch()
    assert "ERROR" not in {e.type for e in events}
    stream.stop()


def test_fact_99_killed_server_is_a_silent_end_marked_cut(play):
    played = play(604)
    events = read(played.lister_watcher.watch(BY_NUMBER[604].options, played.cancel))
    assert [e.type for e in events] == ["MODIFIED"]
    assert played.outcomes() == ["cut"]


def test_fact_100_connection_closed_without_an_answer_is_an_eof(play):
    silent = next(r for r in ALL.values() if r.status is None)
    played = play(silent)
    with pytest.raises(UnexpectedEOF):
        played.client._transport.get(Request("/x"), played.cancel)


def test_users_12_14_error_event_leaves_what_came_before_it_in_order(play):
    played = play(301)
    events = read(played.lister_watcher.watch(BY_NUMBER[301].options, played.cancel))
    versions = [int(e.object.resource_version) for e in events]
    assert versions == sorted(versions)


def test_users_30_no_object_is_decoded_before_it_is_looked_into(play):
    played = play(200)
    page = played.lister_watcher.list(ListOptions(), played.cancel)
    assert all(type(o.to_json()) is bytes for o in page.items)
