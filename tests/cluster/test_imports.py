"""Reflector threads import nothing: an import that many threads begin at once, or that fails in one, may leave a half
of a module behind for good.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIFE = """
import sys, threading
from kdash.cluster import connect, connect_url
from kdash.demo import ApiServer
from kdash.informer import SharedInformerFactory

class Noting:
    found = []

    def find_spec(self, name, path=None, target=None):
        thread = threading.current_thread().name
        if thread != "MainThread" and not thread.startswith("kdash-demo"):
            self.found.append((name, thread))

with ApiServer(objects=3, rate=0, scenario="calm") as server:
    if sys.argv[1] == "url":
        client = connect_url(server.url)
    else:
        client = connect(server.write_kubeconfig(sys.argv[1]))
    sys.meta_path.insert(0, Noting())
    with SharedInformerFactory(client, watch_list=sys.argv[2] == "watch-list") as factory:
        pods = factory.core.v1.pods().informer()
        pods.add_event_handler(on_add=lambda pod: None)
        maps = factory.core.v1.config_maps().informer()
        factory.start()
        assert factory.wait_for_cache_sync(30)
        server.end_watches()
        server.storage.create("configmaps", {"metadata": {"name": "x", "namespace": "default"}})
        pause = threading.Event()
        while maps.indexer.get_by_key("default/x") is None:
            pause.wait(0.01)
print(*Noting.found, sep="\\n")
"""


@pytest.mark.parametrize("way", ["url", "kubeconfig"])
@pytest.mark.parametrize("first", ["list", "watch-list"])
def test_nothing_is_imported_in_the_threads_of_an_informer(way: str, first: str, tmp_path: Path) -> None:
    where = way if way == "url" else str(tmp_path / "kubeconfig")
    command = [sys.executable, "-c", LIFE, where, first]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=90)
    assert done.stdout.split() == []
