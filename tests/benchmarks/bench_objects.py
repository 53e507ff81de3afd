"""Micro-benchmark of the data structures: µs per operation. Prints figures, never fails on one.

    python -m tests.benchmarks.bench_objects [objects]
"""

from __future__ import annotations

import copy
import gc
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from kdash.informer.indexer import NAMESPACE_INDEX, meta_namespace_index_func, new_indexer
from kdash.informer.objects import KubeObject
from kdash.informer.packing import Packer
from kdash.informer.queue.engines import ENGINES, new_queue
from kdash.informer.tap import RingTap

ROUNDS = 5
SIZES = {"2 kB": (2, 10, 30), "8 kB": (4, 34, 80)}
"""Containers, variables a container and managed fields of a pod of about that size."""


def pod(number: int, containers: int, variables: int, fields: int, rng: random.Random) -> bytes:
    """The JSON of a pod as a server writes it, with a few random parts."""
    name = f"web-{number % 97}-{rng.getrandbits(40):010x}-{rng.getrandbits(20):05x}"
    return msgspec.json.encode(
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {
                "name": name, "generateName": name[:-5], "namespace": f"team-{number % 40}",
                "uid": f"{rng.getrandbits(32):08x}-0000-4000-8000-{rng.getrandbits(48):012x}",
                "resourceVersion": str(100_000 + number), "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"app": f"web-{number % 97}", "pod-template-hash": f"{rng.getrandbits(40):x}"},
                "managedFields": [
                    {
                        "manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1",
                        "fieldsV1": {"f:status": {f"f:field-{i}": {} for i in range(fields)}},
                    }
                ],
            },
            "spec": {
                "nodeName": f"node-{number % 50}",
                "containers": [
                    {
                        "name": f"container-{i}", "image": f"registry.example/web:{number % 13}",
                        "env": [{"name": f"VARIABLE_{j}", "value": f"value {j}"} for j in range(variables)],
                        "resources": {"limits": {"cpu": "100m", "memory": "128Mi"}},
                    }
                    for i in range(containers)
                ],
            },
            "status": {
                "phase": "Running", "podIP": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}",
                "containerStatuses": [{"containerID": f"containerd://{rng.getrandbits(256):064x}"}],
            },
        }
    )  # fmt: skip


def measured(name: str, count: int, once: Callable[[], Callable[[], Any]]) -> None:
    """Time what `once` prepares, which does `count` operations, and print µs per operation."""
    times = []
    for _ in range(ROUNDS + 1):
        work = once()
        gc.collect()
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) / count * 1e6)
    times = times[1:]
    print(f"  {name:<34} {statistics.median(times):7.2f} µs   ({min(times):.2f} to {max(times):.2f})")


def each(function: Callable[[Any], Any], items: list[Any]) -> Callable[[], None]:
    """Call `function` for all items."""

    def work() -> None:
        for item in items:
            function(item)

    return work


def objects_and_packing(raws: list[bytes]) -> None:
    count = len(raws)
    measured("header decode", count, lambda: each(KubeObject.from_bytes, raws))
    objects = [KubeObject.from_bytes(raw) for raw in raws]
    measured("obj['spec']", count, lambda: each(lambda obj: obj["spec"], objects))
    measured("labels", count, lambda: each(lambda obj: obj.labels, objects))
    measured("to_dict", count, lambda: each(KubeObject.to_dict, objects))
    samples = raws[:: max(1, count // 200)]
    measured("learn a dictionary", 1, lambda: lambda: Packer().learn(samples))
    packer = Packer()
    packer.learn(samples)
    measured("pack", count, lambda: each(lambda obj: obj.pack(packer), [copy.copy(obj) for obj in objects]))
    packed = [obj.packed(packer) for obj in objects]
    measured("unpack", count, lambda: each(KubeObject.to_json, packed))
    stored = sum(obj.stored_size for obj in packed) / count
    print(f"  {'stored size':<34} {stored:7.0f} B    of {sum(map(len, raws)) / count:.0f}")


def queues_and_store(raws: list[bytes]) -> None:
    count = len(raws)
    objects = [KubeObject.from_bytes(raw) for raw in raws]
    for engine in ENGINES:
        for tap in (None, RingTap()):
            told = "no tap" if tap is None else "tap on"
            measured(f"{engine}: add + pop, {told}", count, lambda e=engine, t=tap: queue_work(e, t, objects))
            measured(f"{engine}: replace, {told}", count, lambda e=engine, t=tap: replace_work(e, t, objects))
    again = [KubeObject.from_bytes(raw) for raw in raws]
    for packed in (False, True):
        indexer = new_indexer(None, {NAMESPACE_INDEX: meta_namespace_index_func}, packed=packed)
        indexer.replace(objects, "1")
        how = "packed" if packed else "plain"
        measured(f"store update, {how}", count, lambda i=indexer: each(i.update, again))
    measured("store get_by_key", count, lambda: each(indexer.get_by_key, [obj.key for obj in objects]))


def queue_work(engine: str, tap: RingTap | None, objects: list[KubeObject]) -> Callable[[], None]:
    queue = new_queue(engine, known_objects=new_indexer(), tap=tap)

    def work() -> None:
        add, pop = queue.add, queue.pop
        for obj in objects:
            add(obj)
        while pop(ignore, block=False):
            pass

    return work


def replace_work(engine: str, tap: RingTap | None, objects: list[KubeObject]) -> Callable[[], None]:
    queue = new_queue(engine, known_objects=new_indexer(), tap=tap)
    return lambda: queue.replace(objects, "1")


def ignore(deltas: Any, is_in_initial_list: bool) -> None:
    """Processes nothing."""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    print(f"Python {platform.python_version()}, {platform.machine()}, {count} objects, median of {ROUNDS}")
    for name, shape in SIZES.items():
        raws = [pod(i, *shape, random.Random(i)) for i in range(count)]
        print(f"pods of {name} ({sum(map(len, raws)) // count} B)")
        objects_and_packing(raws)
        if name == "2 kB":
            queues_and_store(raws)


if __name__ == "__main__":
    main()
