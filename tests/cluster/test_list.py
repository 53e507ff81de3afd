"""One page of a list: bytes to objects, in any order of keys."""

import json
import sys
import threading

import pytest

from kdash.cluster.list_watch import decode_list, query_of
from kdash.informer.errors import ApiStatusError, DecodeError, StopRequested, UnexpectedEOF, is_expired
from kdash.informer.list_watch import ListOptions
from kdash.informer.resources import ResourceInfo
from tests.cluster.conftest import CONFIG_MAPS, answers, list_body, run_and_cancel


def test_page_is_cut_into_objects_that_know_their_kind(setting, cancel):
    page = setting(answers(list_body("a", "b", rv="42"))).lister_watcher.list(ListOptions(limit=500), cancel)
    assert [(o.key, o.kind, o.api_version) for o in page.items] == [
        ("default/a", "ConfigMap", "v1"),
        ("default/b", "ConfigMap", "v1"),
    ]
    assert (page.resource_version, page.kind, page.api_version) == ("42", "ConfigMapList", "v1")
    assert (page.continue_token, page.remaining_item_count) == ("", None)
    assert page.size == len(list_body("a", "b", rv="42"))


def test_items_before_metadata_and_kinds_of_their_own():
    body = json.dumps(
        {
            "apiVersion": "wire.example.com/v1",
            "items": [{"apiVersion": "wire.example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}],
            "kind": "WidgetList",
            "metadata": {"continue": "more", "resourceVersion": "7", "remainingItemCount": 3},
        }
    )
    page = decode_list(body.encode())
    assert (page.items[0].kind, page.items[0].api_version) == ("Widget", "wire.example.com/v1")
    assert (page.continue_token, page.remaining_item_count, page.resource_version) == ("more", 3, "7")


def test_objects_keep_their_own_bytes_and_not_the_page():
    body = list_body("a", "b").encode()
    holders = sys.getrefcount(body)
    page = decode_list(body)
    assert b'"name": "a"' in page.items[0].to_json()
    assert sys.getrefcount(body) == holders


@pytest.mark.parametrize("items", ["null", "[]"])
def test_empty_and_null_items_are_an_empty_page(items):
    page = decode_list(
        b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":%s}' % items.encode()
    )
    assert list(page.items) == []


def test_table_keeps_its_kind_for_the_reflector_to_reject():
    assert decode_list(b'{"kind":"Table","metadata":{"resourceVersion":"1"},"rows":[]}').kind == "Table"


def test_shard_info_is_kept():
    body = b'{"kind":"PodList","metadata":{"shardInfo":{"selector":"s"}},"items":[]}'
    assert decode_list(body).shard_selector == "s"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[]",
        b"{}",
        b'{"kind":"Pod","metadata":{}}',
        b'{"kind":"PodList","items":{}}',
        b'{"kind":"PodList","items":[{"metadata":"x"}]}',
        b'{"kind":"PodList","items":[1]}',
        b'{"kind":"\xff"}',
    ],
)
def test_answer_that_is_no_list_is_a_decode_error(body):
    with pytest.raises(DecodeError):
        decode_list(body)


def test_query_is_client_gos():
    every = ListOptions(
        resource_version="5",
        resource_version_match="NotOlderThan",
        limit=10,
        continue_token="c=",
        timeout_seconds=9,
        label_selector="a in (b,c)",
        field_selector="metadata.name=x",
        allow_watch_bookmarks=True,
        send_initial_events=True,
    )
    assert query_of(every, True) == [
        ("allowWatchBookmarks", "true"),
        ("continue", "c="),
        ("fieldSelector", "metadata.name=x"),
        ("labelSelector", "a in (b,c)"),
        ("limit", "10"),
        ("resourceVersion", "5"),
        ("resourceVersionMatch", "NotOlderThan"),
        ("sendInitialEvents", "true"),
        ("timeoutSeconds", "9"),
        ("watch", "true"),
    ]
    assert query_of(ListOptions(resource_version="0"), False) == [("resourceVersion", "0")]


def test_selectors_and_namespaces_are_escaped(setting, cancel):
    s = setting(answers())
    s.client.lister_watcher(CONFIG_MAPS, "my-ns").list(ListOptions(label_selector="a in (b,c),!d"), cancel)
    assert s.server.targets == ["/api/v1/namespaces/my-ns/configmaps?labelSelector=a+in+%28b%2Cc%29%2C%21d"]


def test_cluster_scoped_resource_ignores_the_namespace(setting, cancel):
    s = setting(answers())
    nodes = ResourceInfo("", "v1", "nodes", "Node", False)
    s.client.lister_watcher(nodes, "ns").list(ListOptions(), cancel)
    assert s.server.targets == ["/api/v1/nodes"]


def test_metadata_only_negotiates_lists_and_watches_by_their_own_names(setting, cancel):
    s = setting(answers(), lambda e: (e.start_chunked(), e.last_chunk()))
    lister_watcher = s.client.lister_watcher(CONFIG_MAPS, metadata_only=True)
    lister_watcher.list(ListOptions(), cancel)
    lister_watcher.watch(ListOptions(), cancel).stop()
    accepted = [e.headers["accept"] for e in s.server.exchanges]
    assert accepted == [
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
    ]


def test_status_of_a_failed_list_is_the_error(setting, cancel):
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    with pytest.raises(ApiStatusError) as caught:
        setting(answers(json.dumps(status), 410)).lister_watcher.list(ListOptions(), cancel)
    assert is_expired(caught.value)


def test_list_cut_short_is_an_unexpected_eof_and_not_repeated(setting, cancel):
    s = setting(lambda e: (e.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), e.close()))
    with pytest.raises(UnexpectedEOF):
        s.lister_watcher.list(ListOptions(), cancel)
    assert len(s.server.exchanges) == 1


def test_list_answered_with_html_says_what_came(setting, cancel):
    with pytest.raises(DecodeError, match="text/html"):
        setting(answers("<html/>", content_type="text/html")).lister_watcher.list(ListOptions(), cancel)


def test_cancelled_list_is_given_up_on_the_wire(setting):
    hung_up = threading.Event()
    s = setting(lambda e: e.wait_for_hang_up() and hung_up.set())
    error = run_and_cancel(
        lambda token: s.lister_watcher.list(ListOptions(), token), lambda: s.server.wait_for_requests(1)
    )
    assert isinstance(error, StopRequested)
    assert hung_up.wait(20)
