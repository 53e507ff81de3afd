"""Discovery from recorded documents, and which resource a word means."""

import json
from pathlib import Path

import pytest

from kdash.cluster import UnknownResource, connect_url
from kdash.cluster.resources import find
from kdash.informer.errors import ApiStatusError
from kdash.informer.resources import ResourceInfo

EXCHANGES = Path(__file__).parents[1] / "wire" / "exchanges"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def recorded(name):
    return json.loads((EXCHANGES / f"{name}.json").read_text())["response"]


def replay(exchange, name):
    response = recorded(name)
    etag = [f"Etag: {response['headers']['Etag']}"] if "Etag" in response["headers"] else []
    exchange.answer(
        response.get("body", ""),
        response["status"],
        content_type=response["headers"].get("Content-Type", ""),
        headers=etag,
    )


def aggregated(exchange):
    if "If-None-Match" in dict(exchange.header_lines):
        exchange.send(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    elif exchange.target in ("/api", "/apis"):
        replay(exchange, {"/api": "009-api-aggregated", "/apis": "010-apis-aggregated"}[exchange.target])
    else:
        exchange.answer("404 page not found\n", 404, content_type="text/plain")


@pytest.fixture
def client(serve, tap):
    server = serve(aggregated)
    client = connect_url(server.url, tap=tap)
    client.seen = server
    return client


def test_aggregated_discovery_is_two_requests_for_everything(client):
    names = {r.name for r in client.resources()}
    assert {"pods", "deployments.apps", "widgets.wire.example.com"} <= names
    client.resolve("po")
    assert client.seen.targets == ["/api", "/apis"]
    accept = client.seen.exchanges[0].headers["accept"]
    assert accept == recorded_request("012-apis-aggregated-fallback-accept")["headers"]["Accept"]


def recorded_request(name):
    return json.loads((EXCHANGES / f"{name}.json").read_text())["request"]


def test_unchanged_discovery_is_a_304_and_keeps_the_old_document(client):
    before = list(client.resources())
    assert client.resources(refresh=True) == before
    assert len(client.seen.exchanges) == 4
    assert {e.connection for e in client.seen.exchanges} == {1}


def test_empty_response_kinds_inherit_and_scope_and_names_are_kept(client):
    pods = client.resolve("pods")
    assert (pods.group, pods.version, pods.kind, pods.namespaced) == ("", "v1", "Pod", True)
    assert (pods.singular, pods.short_names) == ("pod", ("po",))
    assert "all" in pods.categories
    assert not client.resolve("nodes").namespaced


@pytest.mark.parametrize(
    ("word", "name", "version"),
    [
        ("pods", "pods", "v1"),
        ("pod", "pods", "v1"),
        ("po", "pods", "v1"),
        ("Pod", "pods", "v1"),
        ("PODS", "pods", "v1"),
        ("pods.v1.", "pods", "v1"),
        ("pods.v1", "pods", "v1"),
        ("cm", "configmaps", "v1"),
        ("ConfigMap", "configmaps", "v1"),
        ("deploy", "deployments.apps", "v1"),
        ("deployments.apps", "deployments.apps", "v1"),
        ("deployments.v1.apps", "deployments.apps", "v1"),
        ("deploy.apps", "deployments.apps", "v1"),
        ("deploy.app", "deployments.apps", "v1"),
        ("Deployment.v1.apps", "deployments.apps", "v1"),
        ("widgets", "widgets.wire.example.com", "v1"),
        ("wd", "widgets.wire.example.com", "v1"),
        ("Widget", "widgets.wire.example.com", "v1"),
        ("widgets.wire.example.com", "widgets.wire.example.com", "v1"),
        ("widgets.v1.wire.example.com", "widgets.wire.example.com", "v1"),
        ("widget.wire", "widgets.wire.example.com", "v1"),
        ("events", "events", "v1"),
        ("events.events.k8s.io", "events.events.k8s.io", "v1"),
        (" svc ", "services", "v1"),
    ],
)
def test_words_mean_what_they_mean_to_kubectl(client, word, name, version):
    found = client.resolve(word)
    assert (found.name, found.version) == (name, version)


def test_several_words_and_categories(client):
    assert [r.name for r in client.resolve_all("svc,pods,po,deploy")] == [
        "services",
        "pods",
        "deployments.apps",
    ]
    everything = {r.name for r in client.resolve_all("all")}
    assert {"pods", "services", "deployments.apps", "widgets.wire.example.com"} <= everything
    assert "configmaps" not in everything


def test_preferred_version_and_the_servers_order_decide():
    v2 = ResourceInfo(
        "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True, short_names=("hpa",)
    )
    v1 = ResourceInfo(
        "autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True, short_names=("hpa",)
    )
    other = ResourceInfo("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", True)
    pods = ResourceInfo("", "v1", "pods", "Pod", True)
    known = [pods, v2, v1, other]
    assert find("hpa", known) is v2
    assert find("hpa.v1.autoscaling", known) is v1
    assert find("pods", known) is pods
    assert find("pods.metrics.k8s.io", known) is other
    assert find("PodMetrics", known) is other


def test_plural_wins_over_a_short_name_of_another_group():
    short = ResourceInfo("a", "v1", "basketsets", "BasketSet", True, short_names=("bs",))
    plural = ResourceInfo("b", "v1", "bs", "B", True)
    assert find("bs", [short, plural]) is plural


def test_unknown_word_looks_again_and_offers_the_nearest(client):
    with pytest.raises(UnknownResource, match="no resource 'deploymnets'; nearest: deployments") as caught:
        client.resolve("deploymnets")
    assert "deployments" in caught.value.nearest
    assert len(client.seen.exchanges) == 4  # asked again: a definition may have been created meanwhile


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("pods/web-1", "metadata.name=web-1"),
        ("componentstatuses", "no watch"),
        ("bindings", "no list and no watch"),
        ("", "no resource is named"),
        ("x\x1b[31m", "no resource 'x "),
    ],
)
def test_words_that_cannot_be_observed(client, word, said):
    with pytest.raises(UnknownResource, match=said) as caught:
        client.resolve(word)
    assert "\x1b" not in str(caught.value)


def legacy(exchange):
    documents = {
        "/api": "005-api-legacy",
        "/apis": "006-apis-legacy",
        "/api/v1": "007-api-v1-resources",
        "/apis/apps/v1": "more/008-apis-apps-v1-resources",
        "/apis/wire.example.com/v1": "more/014-crd-group-discovery",
    }
    if exchange.target in documents:
        replay(exchange, documents[exchange.target])
    else:
        exchange.answer("service unavailable", 503, content_type="text/plain")


def test_legacy_discovery_is_the_fallback_and_broken_groups_are_named(serve):
    client = connect_url(serve(legacy).url)
    assert client.resolve("deploy").name == "deployments.apps"
    assert client.resolve("wd").kind == "Widget"
    assert client.resolve("po").short_names == ("po",)
    assert not [r for r in client.resources() if "/" in r.resource]
    assert "batch/v1" in client.discovery_errors()
    with pytest.raises(UnknownResource, match=r"not described by the server.*batch/v1"):
        client.resolve("jobs")


def test_stale_group_is_used_and_named(serve):
    document = {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {
                "metadata": {"name": "x.io"},
                "versions": [
                    {
                        "version": "v1",
                        "freshness": "Stale",
                        "resources": [
                            {
                                "resource": "things",
                                "responseKind": {"kind": "Thing"},
                                "scope": "Cluster",
                                "verbs": ["list", "watch"],
                            }
                        ],
                    },
                    "nonsense",
                    {"resources": [{"resource": 3}]},
                ],
            },
            None,
        ],
    }
    client = connect_url(serve(lambda e: e.answer(json.dumps(document), content_type=AGGREGATED)).url)
    assert client.resolve("thing").name == "things.x.io"
    assert "x.io/v1" in client.discovery_errors()


def test_forbidden_discovery_is_the_servers_error(serve):
    status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"}
    with pytest.raises(ApiStatusError, match="no"):
        connect_url(serve(lambda e: e.answer(json.dumps(status), 403)).url).resolve("pods")


def test_groups_that_cannot_be_had_leave_the_core(serve):
    def script(exchange):
        replay(exchange, "009-api-aggregated") if exchange.target == "/api" else exchange.answer("x", 500)

    client = connect_url(serve(script).url)
    assert client.resolve("pods").kind == "Pod"
    assert "/apis" in client.discovery_errors()


def test_server_that_is_no_api_server_says_so(serve):
    from kdash.informer.errors import DecodeError

    with pytest.raises(DecodeError, match="is this an API server"):
        connect_url(serve(lambda e: e.answer("<html/>", content_type="text/html")).url).resolve("pods")
