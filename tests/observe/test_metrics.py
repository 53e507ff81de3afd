"""Prometheus metrics: client-go's names and labels, kdash's own, on the loopback only."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kdash.observe.handlers import HandlerSpec
from kdash.observe.parse import BadValue
from tests.informer.fake_source import FakeSource
from tests.observe.fake_cluster import FakeClient, observing, shows, synced


def scrape(url: str) -> dict[str, list]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    return {family.name: family.samples for family in text_string_to_metric_families(text)}


def test_the_figures_are_those_of_the_snapshot_under_client_gos_names() -> None:
    source = FakeSource()
    for number in range(3):
        source.add(f"cm-{number}")
    with observing(FakeClient(source), handlers=(HandlerSpec("audit"),)) as observation:
        shows(observation, synced)
        source.modify("cm-0", data={"a": "b"})
        shows(observation, lambda p: p.handlers[0].updates == 1)
        url = observation.serve_metrics(0)
        assert url.startswith("http://127.0.0.1:")
        found = scrape(url)
        labels = {"name": "kdash", "group": "", "version": "v1", "resource": "configmaps"}
        (queued,) = found["informer_queued_items"]
        assert (queued.labels, queued.value) == (labels, 0)
        (version,) = found["informer_store_resource_version"]
        assert version.value == 4
        buckets = [s for s in found["informer_processing_latency_seconds"] if s.name.endswith("_bucket")]
        limits = ["0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1.0", "5.0", "10.0", "+Inf"]
        assert [s.labels["le"] for s in buckets] == limits
        assert buckets[-1].value == 4
        calls = {s.labels["callback"]: s.value for s in found["kdash_handler_calls"]}
        assert calls == {"OnAdd": 3, "OnUpdate": 1}
        runs = [s for s in found["kdash_handler_run_seconds"] if s.name.endswith("_count")]
        assert [s.value for s in runs] == [4]
        assert [s.value for s in found["kdash_handler_pending"]] == [0]
        observation.stop()
        with pytest.raises(OSError):
            scrape(url)


def test_web_pages_are_not_answered_and_labels_hold_no_escapes() -> None:
    source = FakeSource()
    with observing(FakeClient(source), handlers=(HandlerSpec("audit\x1b[31m\u202e\nforged 1"),)) as observation:
        shows(observation, synced)
        url = observation.serve_metrics(0)
        for name, value in (("Host", "evil.example"), ("Origin", "http://evil.example"), ("Origin", "null")):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(urllib.request.Request(url, headers={name: value}), timeout=10)
        for host in ("localhost:1", "[::1]", "127.0.0.1"):
            with urllib.request.urlopen(urllib.request.Request(url, headers={"Host": host}), timeout=10) as answer:
                text = answer.read().decode()
        assert "audit" in text and all(line.isprintable() for line in text.split("\n"))
        assert not any(line.startswith("forged") for line in text.split("\n"))


def test_watches_are_counted_with_how_they_ended() -> None:
    source = FakeSource()
    source.add("cm")
    with observing(FakeClient(source), handlers=(HandlerSpec("audit"),)) as observation:
        shows(observation, synced)
        url = observation.serve_metrics(0)
        assert [scrape(url)[name][0].value for name in ("reflector_watches", "reflector_short_watches")] == [1, 0]
        assert source.wait_for_watch()
        source.modify("cm", data={"a": "b"})
        shows(observation, lambda p: p.handlers[0].updates == 1)
        source.end_watches()
        shows(observation, lambda p: p.informers[0].watches == 2)
        found = scrape(url)
        (duration,), (items,) = found["reflector_watch_duration_seconds"], found["reflector_items_per_watch"]
        assert duration.value > 0
        assert items.value >= 1
        assert source.wait_for_watch()
        source.end_watches()
        shows(observation, lambda p: p.informers[0].short_watches == 1)
        assert scrape(url)["reflector_short_watches"][0].value == 1


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with observing(FakeClient(FakeSource())) as observation:
        port = int(observation.serve_metrics(0).split(":")[2].split("/")[0])
        with observing(FakeClient(FakeSource())) as other, pytest.raises(BadValue, match=f"port {port} cannot be used"):
            other.serve_metrics(port)
