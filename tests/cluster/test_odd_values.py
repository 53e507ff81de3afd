"""Values that no server and no kubeconfig should hold: each gets a sentence that names the field."""

from __future__ import annotations

import json

import pytest

from kdash.cluster import connect_url
from kdash.cluster.discovery import aggregated_resources
from kdash.cluster.failures import retry_after_s
from kdash.cluster.watch_stream import EventDecoder
from kdash.informer.errors import ApiStatusError, DecodeError
from kdash.informer.list_watch import ListOptions
from tests.cluster.conftest import answers, list_body
from tests.cluster.test_discovery import AGGREGATED
from tests.cluster.test_kubeconfig import sentence

DEEP = "[" * 10_000 + "]" * 10_000
WORKS = (
    "clusters: [{name: k, cluster: {server: 'https://x'}}]\n"
    "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("users: [{name: u, user: {exec: hello}}]", "users[0].user.exec is a text where a mapping belongs"),
        ("users: [{name: u, user: {exec: {command: x, env: [{a: b}]}}}]", "users[0].user.exec.env[0].name is missing"),
        ("users: [{name: u, user: {exec: {command: [x]}}}]", "users[0].user.exec.command is a list"),
        ("users: [{name: u, user: {exec: {command: x, args: run}}}]", "users[0].user.exec.args is a text"),
        ("users: [{name: u, user: {token: {a: hunter2}}}]", "users[0].user.token is a mapping where a text belongs"),
        ("users: [{name: u, user: {as-groups: hunter2}}]", "users[0].user.as-groups is a text where a list belongs"),
        ("users: [{name: u, user: {as-user-extra: [hunter2]}}]", "users[0].user.as-user-extra is a list"),
        ("users: [{name: u, user: {auth-provider: oidc}}]", "users[0].user.auth-provider is a text"),
        ("users: [{name: u, user: hello}]", "users[0].user is a text where a mapping belongs"),
        ("users: [hello]", "users[0] is a text where a mapping belongs"),
        ("users: [{name: u, user: {}}]\npreferences: 3\ncurrent-context: [c]", "current-context is a list"),
    ],
)
def test_a_kubeconfig_field_of_the_wrong_type_is_named(tmp_path, text, field):
    if "current-context" not in text:
        text = WORKS + text
    said = sentence(tmp_path, text)
    assert field in said and "hunter2" not in said


@pytest.mark.parametrize("flag", ["'true'", "1"])
def test_a_flag_that_is_a_text_is_refused(tmp_path, flag):
    text = WORKS.replace("server: 'https://x'", f"server: 'https://x', insecure-skip-tls-verify: {flag}")
    assert "clusters[0].cluster.insecure-skip-tls-verify is" in sentence(tmp_path, text)


@pytest.mark.parametrize("text", ["users: " + DEEP, "a: 2024-13-45", "a: " + "1" * 5000])
def test_a_kubeconfig_that_yaml_cannot_build_gets_a_sentence(tmp_path, text):
    assert "kubeconfig" in sentence(tmp_path, text)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7), ("-1", -1), ("0", 0), ("86400", 86400), ("86401", None), ("9" * 400, None), ("9" * 5000, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("1_0", None), ("٣", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_a_pause_that_nobody_can_wait_is_none(header, seconds):
    assert retry_after_s(header) == seconds


@pytest.mark.parametrize("body", ["busy", json.dumps({"kind": "Status", "code": 503, "message": "busy"})])
def test_a_retry_after_of_400_digits_is_not_obeyed_and_the_error_says_so(setting, cancel, body):
    s = setting(answers(body, 503, headers=["Retry-After: " + "9" * 400]))
    with pytest.raises(ApiStatusError, match=r"busy.*Retry-After of 9+… seconds is not obeyed"):
        s.lister_watcher.list(ListOptions(), cancel)
    assert len(s.server.exchanges) == 1


@pytest.mark.parametrize("details", [{"retryAfterSeconds": 10**400}, {"retryAfterSeconds": True}])
def test_a_status_with_impossible_numbers_keeps_its_sentence(details):
    error = ApiStatusError.from_status({"code": 10**400, "message": "busy", "details": details}, 503)
    assert (error.code, error.retry_after_s, str(error)) == (503, None, "busy")


@pytest.mark.parametrize("code", [200, 500])
def test_an_answer_that_is_nested_10_000_deep_is_an_error_of_the_core(setting, cancel, code):
    body = list_body("a").replace('"a"', DEEP)
    with pytest.raises((DecodeError, ApiStatusError)):
        setting(answers(body, code)).lister_watcher.list(ListOptions(), cancel)


@pytest.mark.parametrize("kind", ["ADDED", "ERROR", "BOOKMARK"])
def test_a_watch_line_that_is_nested_10_000_deep_ends_the_stream_with_an_error_event(kind):
    decoder = EventDecoder()
    (event,) = decoder.feed([b'{"type":"%b","object":{"kind":"Pod","x":%b}}\n' % (kind.encode(), DEEP.encode())])
    assert event.type == "ERROR" and event.status.code == 500 and decoder.broken


def test_half_a_surrogate_pair_in_one_object_leaves_the_list_whole(setting, cancel):
    body = list_body("a", "b", "c").replace('"b"', r'"b\ud800"')
    page = setting(answers(body)).lister_watcher.list(ListOptions(), cancel)
    assert [obj.name for obj in page.items] == ["a", "b\ufffd", "c"]


@pytest.mark.parametrize("space", [b"", b" "])
def test_half_a_surrogate_pair_in_a_watch_event_costs_that_text_only(space):
    decoder = EventDecoder()
    raw = b'{"type":%b"ADDED","object":{"kind":"Pod","metadata":{"name":"a\\ud800","namespace":"n"}}}\n'
    (event,) = decoder.feed([raw % space])
    assert event.type == "ADDED" and event.object.key == "n/a\ufffd" and not decoder.broken


GOOD = {"metadata": {"name": "x.io"}, "versions": [{"version": "v1", "resources": [
    {"resource": "things", "responseKind": {"kind": "Thing"}, "scope": "Cluster", "verbs": ["list"]}]}]}  # fmt: skip


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"metadata": "x"}, "items[0].metadata is a text where an object belongs"),
        ({"metadata": {"name": 3}}, "items[0].metadata.name is a number where a text belongs"),
        ({"versions": {}}, "items[0].versions is an object where a list belongs"),
        ({"versions": [{"resources": "x"}]}, "items[0].versions[0].resources is a text where a list belongs"),
        ({"versions": [{"resources": [{"responseKind": []}]}]},
         "items[0].versions[0].resources[0].responseKind is a list where an object belongs"),
        ("x", "items[0] is a text where an object belongs"),
    ],
)  # fmt: skip
def test_discovery_of_the_wrong_shape_names_the_field(item, field):
    with pytest.raises(DecodeError) as caught:
        aggregated_resources({"items": [item]}, {})
    assert field in str(caught.value)
    errors: dict[str, str] = {}
    assert [each.name for each in aggregated_resources({"items": [item, GOOD]}, errors)] == ["things.x.io"]
    assert field in "".join(errors.values())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "APIGroupDiscoveryList", "items": "x"}, "items is a text where a list belongs"),
        ({"kind": "APIVersions", "versions": {"a": 1}}, "versions is an object where a list belongs"),
        ({"kind": "APIVersions", "versions": [7]}, r"versions\[0\] is a number where a text belongs"),
    ],
)
def test_a_malformed_discovery_document_is_told_with_its_address(serve, document, said):
    media_type = AGGREGATED if "items" in document else "application/json"
    server = serve(lambda e: e.answer(json.dumps(document), content_type=media_type))
    with pytest.raises(DecodeError, match=f"/api answered with a malformed discovery document: {said}"):
        connect_url(server.url).resolve("pods")


@pytest.mark.parametrize("body", [DEEP, f'{{"a":{DEEP}}}'])
def test_discovery_and_version_that_are_nested_10_000_deep_get_a_sentence(serve, body):
    client = connect_url(serve(answers(body)).url)
    for ask in (lambda: client.resolve("pods"), client.version):
        with pytest.raises(DecodeError):
            ask()
