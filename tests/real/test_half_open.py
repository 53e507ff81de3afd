"""A real kube-apiserver behind a proxy that goes half-open, with its own bookmarks a minute apart (slow: 4 minutes)."""

from __future__ import annotations

import time
import urllib.parse
from pathlib import Path

import pytest
import yaml

from kdash.cluster import connect
from kdash.informer import RingTap, SharedInformerFactory
from kdash.informer.tap import as_dict
from tests.cluster.half_open import HalfOpenProxy
from tests.real.conftest import RealServer
from tests.real.test_real_server import config_map, until

pytestmark = [pytest.mark.real_apiserver, pytest.mark.timeout(600)]


def test_slow_a_half_open_watch_of_a_real_server_recovers_within_ninety_seconds(
    real_server: RealServer, tmp_path: Path
) -> None:
    config = yaml.safe_load(Path(real_server.kubeconfig).read_text())
    address = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"])
    tap = RingTap()
    with HalfOpenProxy(int(address.port or 0)) as proxy:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        kubeconfig = tmp_path / "config"
        kubeconfig.write_text(yaml.safe_dump(config))
        real_server.apply(config_map("before-half-open"))
        with SharedInformerFactory(connect(kubeconfig, context="admin", tap=tap), tap=tap) as factory:
            maps = factory.core.v1.config_maps().informer()
            factory.start()
            assert factory.wait_for_cache_sync(60)
            real_server.apply(config_map("wakes-the-bookmarks"))
            told: list[dict[str, object]] = []

            def count(kind: str) -> int:
                told.extend(map(as_dict, tap.drain()))
                return sum(record["kind"] == kind for record in told)

            until(lambda: count("watch.bookmark") >= 3, "three bookmarks", 240)
            assert not count("watch.silence")
            proxy.go_half_open()
            broken_at = time.monotonic()
            real_server.apply(config_map("missed"))
            until(lambda: "default/missed" in maps.indexer.list_keys(), "the cache caught up", 120)
            took_s = time.monotonic() - broken_at
            count("")
            words = [record["what"] for record in told if record["kind"] == "watch.silence"]
            gaps = [record["mono"] for record in told if record["kind"] == "watch.bookmark"]
            print(f"recovered {took_s:.1f} s after the break; {words}; bookmarks at {gaps}")
            assert words == ["suspect", "reopened"]
            assert took_s <= 90
            fetches = [r for r in told if r["kind"] in ("watchlist.start", "list.start", "backoff.sleep")]
            assert not [r for r in fetches if float(str(r["mono"])) > broken_at], "no relist, no backoff"
