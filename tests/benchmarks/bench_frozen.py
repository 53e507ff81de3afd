"""What it costs that parts of cached objects refuse to be changed, against giving out plain ones.

    python -m tests.benchmarks.bench_frozen [--pairs 21]

Interleaved pairs in one run, in CPU time of this thread; prints the median of each side and of the ratios.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from kdash.informer import objects
from kdash.informer.frozen import frozen
from kdash.informer.objects import KubeObject
from tests.benchmarks.bench_objects import SIZES, pod

_CALLS = 400

ACCESSES: dict[str, Callable[[KubeObject], Any]] = {
    'obj["spec"]': lambda obj: obj["spec"],
    'obj["spec"]["nodeName"]': lambda obj: obj["spec"]["nodeName"],
    'obj["metadata"]["labels"]["app"]': lambda obj: obj["metadata"]["labels"]["app"],
    'obj["spec"]["containers"][0]["image"]': lambda obj: obj["spec"]["containers"][0]["image"],
    "names of all containers": lambda obj: [each["name"] for each in obj["spec"]["containers"]],
    'obj.get("status")': lambda obj: obj.get("status"),
}


def plain(value: Any) -> Any:
    return value


def took_us(access: Callable[[KubeObject], Any], obj: KubeObject) -> float:
    began = time.thread_time()
    for _ in range(_CALLS):
        access(obj)
    return (time.thread_time() - began) / _CALLS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=21)
    pairs = parser.parse_args().pairs
    for size, shape in SIZES.items():
        obj = KubeObject.from_bytes(pod(1, *shape, random.Random(1)))
        for name, access in ACCESSES.items():
            sides: tuple[list[float], list[float]] = ([], [])
            for _ in range(pairs):
                for side, gives in zip(sides, (plain, frozen), strict=True):
                    objects.frozen = gives
                    side.append(took_us(access, obj))
            before, after = map(statistics.median, sides)
            ratio = statistics.median(new / old for old, new in zip(*sides, strict=True))
            print(f"{size}  {name:<40} {before:7.2f} → {after:7.2f} µs  {ratio:.2f}x")


if __name__ == "__main__":
    main()
