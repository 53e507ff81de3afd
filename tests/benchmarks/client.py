"""One informer in a process of its own, measured: kdash's or the official Python client's.

Started by `tests.benchmarks` with one argument, a JSON object: `who` (kdash or official), `url`, `objects`, and for
kdash `tap` (none; ring: records are taken and thrown away; recorder: kept as the dashboard does) and `queue`. Prints
the figures of the first sync as a line of JSON, then obeys lines of input: `storm N` (prints `go` when it is
ready, then figures), `wave`, `memory`. Ends with its input.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from kdash.observe.bench import InformerBench, peak_bytes, resident_bytes


def say(figures: dict[str, Any] | str) -> None:
    print(figures if isinstance(figures, str) else json.dumps(figures), flush=True)


class Kdash:
    """kdash's core with a handler that counts."""

    def __init__(self, url: str, objects: int, tap: str, queue: str) -> None:
        from kdash.cluster import connect_url

        self._recorder = None
        if tap == "recorder":
            from kdash.probe.informers import Target
            from kdash.probe.recorder import Recorder

            self._recorder = Recorder()
            self._recorder.register(Target("pods", resource="pods", engine=queue))
        self._bench = InformerBench(
            lambda tap: connect_url(url, tap=tap), all_namespaces=True, tapped=tap != "none", queue=queue,
            take=None if self._recorder is None else self._recorder.take,
        )  # fmt: skip

    def sync(self) -> dict[str, Any]:
        return dataclasses.asdict(self._bench.sync(600))

    def storm(self, events: int, order: Callable[[], None]) -> dict[str, Any]:
        return dataclasses.asdict(self._bench.storm(events, order, 600))

    def wave(self) -> dict[str, Any]:
        return dataclasses.asdict(self._bench.wave(600))

    def settle(self) -> None:
        self._bench.settle()


class Official:
    """The kubernetes package: its SharedInformer, or a list alone where it has none yet."""

    def __init__(self, url: str, objects: int) -> None:
        from kubernetes import client

        configuration = client.Configuration(host=url)
        self._list = client.CoreV1Api(client.ApiClient(configuration)).list_pod_for_all_namespaces
        self._objects = objects
        self._calls = 0
        self._cache: Any = None

    def _called(self, obj: Any) -> None:
        self._calls += 1

    def sync(self) -> dict[str, Any]:
        gc.collect()
        cpu, began = time.process_time(), time.perf_counter()
        try:
            from kubernetes.informer import SharedInformer
        except ImportError:
            self._cache = {pod.metadata.uid: pod for pod in self._list().items}
        else:
            self._cache = SharedInformer(list_func=self._list)
            for kind in ("ADDED", "MODIFIED", "DELETED"):
                self._cache.add_event_handler(kind, self._called)
            self._cache.start()
            self._wait(self._objects)
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        return {"objects": self._objects, "wall_s": wall_s, "cpu_s": cpu_s}

    def storm(self, events: int, order: Callable[[], None]) -> dict[str, Any]:
        time.sleep(1)  # its watch opens after the sync
        target = self._calls + events
        cpu, began = time.process_time(), time.perf_counter()
        order()
        self._wait(target)
        return {"events": events, "wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}

    def _wait(self, calls: int) -> None:
        until = time.perf_counter() + 600
        while self._calls < calls:
            if time.perf_counter() > until:
                sys.exit(f"only {self._calls} of {calls} calls within 10 minutes")
            time.sleep(0.002)

    def settle(self) -> None:
        gc.collect()


def main() -> None:
    given = json.loads(sys.argv[1])
    who = given.pop("who")
    informer = Kdash(**given) if who == "kdash" else Official(given["url"], given["objects"])
    say(informer.sync())
    for line in sys.stdin:
        order, *count = line.split()
        if order == "storm":
            say(informer.storm(int(count[0]), lambda: say("go")))
        elif order == "wave" and isinstance(informer, Kdash):
            say(informer.wave())
        elif order == "memory":
            informer.settle()
            say({"resident": resident_bytes(), "peak": peak_bytes()})


if __name__ == "__main__":
    main()
