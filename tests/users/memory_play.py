"""A process of its own: an informer on 5,000 pods, then a forced relist; prints what it held of memory, as JSON.

The caches are packed, as they are by default; figures are taken when packing has come to rest.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

from kdash.cluster import connect_url
from kdash.observe.bench import InformerBench, peak_bytes, resident_bytes
from kdash.observe.bench_server import BenchServer

PODS = 5_000


class Watching:
    """Is given the tap's records and tells when one of `kind` came."""

    def __init__(self, kind: str) -> None:
        self.seen = threading.Event()
        self._kind = kind

    def __call__(self, records: Sequence[tuple[object, ...]]) -> None:
        if any(record[2] == self._kind for record in records):
            self.seen.set()


def main() -> None:
    with BenchServer(PODS) as server:
        relisted = Watching("queue.replace")
        bench = InformerBench(lambda tap: connect_url(server.url, tap=tap), all_namespaces=True, take=relisted)
        bench.sync()
        bench.settle()
        said = {"steady": resident_bytes(), "peak": peak_bytes()}
        relisted.seen.clear()
        bench.informers[0].force_relist()
        if not relisted.seen.wait(30):
            raise SystemExit("no relist")
        bench.settle()
        said |= {"steady_after_relist": resident_bytes(), "peak_after_relist": peak_bytes(), "objects": bench.objects}
        bench.close()
        print(json.dumps(said))


if __name__ == "__main__":
    main()
