"""A soak: many events through a watch with a random fault every so often; at the end our cache is the storage.

    python -m tests.demo.soak [--events 1000000] [--every 1000] [--seed 1]

Server, writer and informer live in one process. Faults come from one seed, which a failure names.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from kdash.cluster import connect_url
from kdash.demo import ApiServer, Fault
from kdash.demo.storage import Prepared
from kdash.informer import SharedInformerFactory
from kdash.informer.clock import SystemClock

RESOURCE = "configmaps"
OBJECTS = 300
BATCH = 100
HURRY = 500.0
FAULTS: tuple[Callable[[], Fault], ...] = (
    lambda: Fault("close-watches"), lambda: Fault("drop-connections"), lambda: Fault("expire-watches"),
    lambda: Fault("send-garbage"), lambda: Fault("reset", verb="WATCH"), lambda: Fault("close", verb="LIST"),
    lambda: Fault("503", verb="WATCH"), lambda: Fault("429", verb="LIST"), lambda: Fault("410", verb="WATCH"),
    lambda: Fault("500", verb="LIST"), lambda: Fault("cut-mid-line", verb="WATCH"),
    lambda: Fault("garbage-line", verb="WATCH"), lambda: Fault("html", verb="WATCH"),
    lambda: Fault("504", verb="LIST"), lambda: Fault("expire-history"),
    lambda: Fault("duplicate-event", resource=RESOURCE), lambda: Fault("reorder-events", resource=RESOURCE),
)  # fmt: skip


class HurriedClock(SystemClock):
    """The informer's clock, on which back-off passes 500 times as fast."""

    def monotonic(self) -> float:
        return super().monotonic() * HURRY

    def wait(self, condition: threading.Condition, timeout_s: float | None = None) -> bool:
        return super().wait(condition, None if timeout_s is None else timeout_s / HURRY)


class Writer:
    """Creates, changes and deletes a few hundred objects at random, with bytes that are ready."""

    def __init__(self, server: ApiServer, rng: random.Random) -> None:
        self._storage = server.storage
        self._random = rng
        self._there: set[int] = set()
        self.written = 0

    def write(self, count: int) -> None:
        changes = []
        for _ in range(count):
            number = self._random.randrange(OBJECTS)
            if number not in self._there:
                self._there.add(number)
                type_ = "ADDED"
            elif self._random.random() < 0.05:
                self._there.discard(number)
                type_ = "DELETED"
            else:
                type_ = "MODIFIED"
            self.written += 1
            name = f"c-{number:03}"
            head = f'{{"metadata":{{"name":"{name}","namespace":"default","uid":"u-{number}","resourceVersion":"'
            tail = f'"}},"data":{{"n":"{self.written}"}}}}'
            changes.append(Prepared(type_, f"default/{name}", head.encode(), tail.encode()))
        self._storage.publish(RESOURCE, changes)


def soak(events: int, every: int, seed: int, say: Callable[[str], None] = print) -> None:
    """Raises AssertionError, with the seed, if the cache is not the storage within two minutes after the last event."""
    rng = random.Random(seed)
    faults: Counter[str] = Counter()
    with ApiServer(workload=False, window=5_000) as server:
        factory = SharedInformerFactory(connect_url(server.url), clock=HurriedClock())
        informer = factory.core.v1.config_maps().informer()
        calls: Counter[str] = Counter()
        informer.add_event_handler(
            on_add=lambda obj: calls.update(["add"]), on_update=lambda old, new: calls.update(["update"]),
            on_delete=lambda obj: calls.update(["delete"]),
        )  # fmt: skip
        factory.start()
        try:
            assert factory.wait_for_cache_sync(timeout=timedelta(seconds=60 * HURRY))
            writer, began = Writer(server, rng), time.monotonic()
            while writer.written < events:
                writer.write(min(BATCH, events - writer.written))
                _let_the_watches_keep_up(server)
                if writer.written % every < BATCH:
                    assert _settled(lambda: bool(server.watches)), f"seed {seed}: the informer does not come back"
                    server.faults.clear()
                    fault = rng.choice(FAULTS)()
                    server.faults.add(fault)
                    if not fault.is_act:
                        server.faults.close_watches()
                    faults[fault.kind] += 1
                if writer.written % (events // 10 or 1) < BATCH:
                    say(f"{writer.written:,} events, {sum(faults.values())} faults, {time.monotonic() - began:.0f} s")
            server.faults.clear()
            server.storage.publish(RESOURCE, [Prepared(*_last("ADDED")), Prepared(*_last("MODIFIED"))])
            server.faults.close_watches()
            assert _settled(lambda: _cache(informer) == _stored(server)), (
                f"seed {seed}: the cache is not the storage after {events} events and {dict(faults)}")
            say(
                f"cache == storage: {len(_stored(server))} objects after {events:,} events; faults {dict(faults)}; "
                f"callbacks {dict(calls)}; {server.log.count()} requests; {len(server.faults.history())} strikes; "
                f"{time.monotonic() - began:.0f} s"
            )
        finally:
            factory.shutdown()


def _last(type_: str) -> tuple[str, str, bytes, bytes]:
    head = b'{"metadata":{"name":"last","namespace":"default","uid":"last","resourceVersion":"'
    return type_, "default/last", head, b'"},"data":{"at":"' + type_.encode() + b'"}}'


def _let_the_watches_keep_up(server: ApiServer) -> None:
    while any(watch.waiting > 2_000 for watch in list(server.watches)):
        time.sleep(0.001)


def _cache(informer: object) -> dict[str, str]:
    return {obj.key: obj.resource_version for obj in informer.indexer.list()}  # type: ignore[attr-defined]


def _stored(server: ApiServer) -> dict[str, str]:
    return {each.key: str(each.version) for each in server.storage.list_stored(RESOURCE)[0]}


def _settled(condition: Callable[[], bool], timeout_s: float = 120.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.002)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=1_000, help="a fault every so many events")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    soak(options.events, options.every, options.seed)


if __name__ == "__main__":
    main()
