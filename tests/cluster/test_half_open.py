"""A proxy that forwards nothing any more: the silent watch is replaced, and nothing is lost or told twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kdash.cluster import connect_url
from kdash.demo import ApiServer
from kdash.informer.reflector import Reflector
from kdash.informer.tap import RingTap, as_dict
from kdash.informer.watch_silence import SilenceRules
from tests.cluster.conftest import CONFIG_MAPS
from tests.cluster.half_open import HalfOpenProxy
from tests.informer.reflector_doubles import RecordingStore

QUICK = SilenceRules(least_s=0.3, apart_s=0.2, open_within_s=5.0, proof_within_s=5.0, grace_s=0.05, jitter=0.0)


class Setting:
    """A reflector of config maps on the embedded server, behind the proxy."""

    def __init__(self, server: ApiServer, proxy: HalfOpenProxy, silence: SilenceRules) -> None:
        self.server, self.proxy = server, proxy
        self.tap, self.store = RingTap(), RecordingStore()
        client = connect_url(f"http://127.0.0.1:{proxy.port}", tap=self.tap)
        self.reflector = Reflector(
            client.lister_watcher(CONFIG_MAPS), self.store, name="configmaps", silence=silence, tap=self.tap
        )
        self._told: list[dict[str, Any]] = []

    def told(self, kind: str) -> list[dict[str, Any]]:
        self._told += map(as_dict, self.tap.drain())
        return [record for record in self._told if record["kind"] == kind]

    def silences(self) -> list[str]:
        return [record["what"] for record in self.told("watch.silence")]

    def create(self, name: str) -> None:
        self.server.storage.create("configmaps", {"metadata": {"name": name, "namespace": "default"}})

    def until(self, predicate: Callable[[], bool]) -> None:
        tick = threading.Event()
        for _ in range(4000):
            if predicate():
                return
            tick.wait(0.005)
        raise AssertionError((self.silences(), self.store.calls[-5:]))

    def check_that_only_the_connection_changed(self) -> None:
        changes = [call for call in self.store.calls if call[0] in ("add", "update", "delete")]
        assert len(set(changes)) == len(changes), "an event was delivered twice"
        assert [call[0] for call in self.store.calls].count("replace") == 1, "no relist"
        assert not self.told("backoff.sleep")
        assert not self.told("watch.close")
        assert not self.told("error")


@pytest.fixture
def behind() -> Iterator[Callable[..., Setting]]:
    closers: list[Callable[[], Any]] = []

    def make(silence: SilenceRules = QUICK, **options: Any) -> Setting:
        server = ApiServer(objects=3, **options)
        server.start()
        closers.append(server.stop)
        proxy = HalfOpenProxy(server.port)
        proxy.__enter__()
        closers.append(proxy.__exit__)
        it = Setting(server, proxy, silence)
        closers.append(lambda: (it.reflector.stop(), it.reflector.join(10)))
        it.reflector.start()
        it.until(lambda: bool(it.told("watch.open")))
        return it

    yield make
    for close in reversed(closers):
        close()


def test_a_half_open_watch_is_replaced_when_the_second_one_brings_an_event(behind: Callable[..., Setting]) -> None:
    it = behind(workload=False)
    it.create("before")
    it.until(lambda: "default/before" in it.store.objects)
    it.proxy.go_half_open()
    it.create("missed")
    it.until(lambda: "default/missed" in it.store.objects)
    assert it.silences()[-2:] == ["suspect", "reopened"]
    it.create("after")
    it.until(lambda: "default/after" in it.store.objects)
    it.check_that_only_the_connection_changed()


def test_a_silent_bookmarking_server_is_opened_again_without_an_event(behind: Callable[..., Setting]) -> None:
    it = behind(bookmark_interval_s=0.1, rate=100.0)
    it.until(lambda: [call[0] for call in it.store.calls].count("bookmark") >= 4)
    it.proxy.go_half_open()
    it.until(lambda: "reopened" in it.silences())
    [reopened] = [record for record in it.told("watch.silence") if record["what"] == "reopened"]
    assert reopened["bookmarking"]
    it.create("after")
    it.until(lambda: "default/after" in it.store.objects)
    it.check_that_only_the_connection_changed()


def test_the_old_watch_stays_while_a_second_one_cannot_be_opened(behind: Callable[..., Setting]) -> None:
    it = behind(workload=False)
    it.proxy.refuses = True
    it.until(lambda: "failed" in it.silences())
    it.create("on-the-old-one")
    it.until(lambda: "default/on-the-old-one" in it.store.objects)
    it.check_that_only_the_connection_changed()


def test_a_quiet_watch_that_lives_is_kept(behind: Callable[..., Setting]) -> None:
    it = behind(SilenceRules(least_s=0.3, apart_s=0.1, proof_within_s=0.1, jitter=0.0), workload=False)
    it.until(lambda: it.silences().count("unproven") >= 2)
    it.create("later")
    it.until(lambda: "default/later" in it.store.objects)
    assert "reopened" not in it.silences()
    it.check_that_only_the_connection_changed()


def test_the_second_watch_comes_on_a_new_connection(behind: Callable[..., Setting]) -> None:
    it = behind(SilenceRules(least_s=0.3, apart_s=0.1, proof_within_s=0.1, jitter=0.0), workload=False)
    before = it.proxy.connections
    it.until(lambda: it.silences().count("unproven") >= 1)
    assert it.proxy.connections > before
