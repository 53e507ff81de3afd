"""How fast the embedded server is: events to one watch, how long a list of 100,000 objects holds its loop, its stop.

    python -m tests.benchmarks.bench_server [--events 200000] [--objects 100000] [--own-process]

The client is always another process that only counts bytes. Without --own-process the server runs in a thread of the
process that also writes; with it, server and writer are a child. Prints figures, never fails on one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import socket
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from kdash.demo import ApiServer
from kdash.demo.storage import Prepared

SIZE = 2048
COLLECTION = "/api/v1/namespaces/default/configmaps"


# -- the client: a process that counts ---------------------------------------------------------------------


def fetch(port: int, target: str, headers: str, events: int, answers: Connection) -> None:
    """Send one GET and read until `events` lines have come, or the body's end; send (headers_s, bytes, seconds)."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    began = time.perf_counter()
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
    view = memoryview(bytearray(1 << 20))
    size, first_at, seen, last, tail = 0, 0.0, 0, b"", b""
    while True:
        count = sock.recv_into(view)
        if not first_at:
            first_at = time.perf_counter()
            answers.send("open")
        data = bytes(view[:count])
        size += count
        if events:
            seen += data.count(b"}\n") + (last == b"}" and data[:1] == b"\n")
            last = data[-1:]
        tail = (tail + data[-7:])[-7:]
        if not count or (events and seen >= events) or (not events and tail == b"\r\n0\r\n\r\n"):
            break
    answers.send((first_at - began, size, time.perf_counter() - began))
    sock.close()


class Client:
    """A `fetch` in a process of its own."""

    def __init__(self, port: int, target: str, headers: str = "", events: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._answers, theirs = context.Pipe()
        self._process = context.Process(target=fetch, args=(port, target, headers, events, theirs))
        self._process.start()

    def wait_open(self) -> None:
        assert self._answers.recv() == "open"

    def result(self) -> tuple[float, int, float]:
        answer: tuple[float, int, float] = self._answers.recv()
        self._process.join()
        return answer


# -- what is measured --------------------------------------------------------------------------------------


def object_of(number: int) -> dict[str, Any]:
    meta = {"name": f"c-{number:06}", "namespace": "default", "labels": {"half": str(number % 2)}}
    return {"metadata": meta, "data": {"v": "x" * (SIZE - 180)}}


def prepared(count: int) -> Iterator[list[Prepared]]:
    """Changes of a few objects, in batches, their bytes ready."""
    ready = []
    for number in range(500):
        head = f'{{"metadata":{{"name":"c-{number:06}","namespace":"default","resourceVersion":"'.encode()
        tail = b'"},"data":{"v":"' + b"x" * (SIZE - 180) + b'"}}'
        ready.append(Prepared("MODIFIED", f"default/c-{number:06}", head, tail))
    for at in range(0, count, 500):
        yield ready[: min(500, count - at)]


def events_per_second(server: ApiServer, count: int) -> tuple[float, float]:
    """(events/s, seconds of CPU in this process an event) to one plain watch."""
    version = server.storage.current_version
    client = Client(server.port, f"{COLLECTION}?watch=1&resourceVersion={version}", events=count)
    client.wait_open()
    began, cpu = time.perf_counter(), time.process_time()
    for batch in prepared(count):
        server.storage.publish("configmaps", batch)
        while any(watch.waiting > 2000 for watch in list(server.watches)):
            time.sleep(0.0005)
    client.result()
    return count / (time.perf_counter() - began), (time.process_time() - cpu) / count


class Heartbeat:
    """The longest time that the server's loop was held, seen by a timer of 1 ms on it."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._last = time.perf_counter()
        self._running = True
        self.longest_s = 0.0
        server.call_later(0.0, self._beat)

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest_s = max(self.longest_s, now - self._last - 0.001)
        self._last = now
        if self._running:
            self._server.call_later(0.001, self._beat)

    def reset(self) -> None:
        self._last, self.longest_s = time.perf_counter(), 0.0

    def stop(self) -> None:
        self._running = False


LISTS = {
    "everything": (COLLECTION, "", 0),
    "everything, gzip": (COLLECTION, "Accept-Encoding: gzip\r\n", 0),
    "half, by label": (f"{COLLECTION}?labelSelector=half%3D1", "", 0),
    "first page of 500": (f"{COLLECTION}?limit=500", "", 0),
    "metadata only": (COLLECTION, "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io\r\n", 0),
    "table": (COLLECTION, "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n", 0),
}


def measure(events: int, objects: int, say: Callable[[str], None]) -> None:
    server = ApiServer(workload=False, watch_backlog=1_000_000).start()
    server.storage.load("configmaps", [object_of(number) for number in range(500)])
    events_per_second(server, 20_000)
    best = max((events_per_second(server, events) for _ in range(3)), key=lambda pair: pair[0])
    say(f"watch: {best[0]:,.0f} events/s of 2 kB to one client, {best[1] * 1e6:.1f} µs of CPU an event (best of 3)")
    server.storage.load("configmaps", [object_of(number) for number in range(500, objects)])
    heartbeat = Heartbeat(server)
    streaming = f"{COLLECTION}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    for name, (target, headers, lines) in {**LISTS, "streaming list": (streaming, "", objects)}.items():
        client = Client(server.port, target, headers, lines)
        client.wait_open()
        first_s, size, whole_s = client.result()
        say(f"list of {objects:,}, {name}: loop held at most {heartbeat.longest_s * 1000:.1f} ms; first byte after "
            f"{first_s * 1000:.0f} ms, {size / 1e6:.0f} MB in {whole_s:.2f} s")
        heartbeat.reset()
    heartbeat.stop()
    watchers = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    target = f"{COLLECTION}?watch=1&labelSelector=none&resourceVersion={server.storage.current_version}"
    for sock in watchers:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sock.recv(100)
    began = time.perf_counter()
    server.stop()
    say(f"stop with 50 open watches: {(time.perf_counter() - began) * 1000:.0f} ms")


def own_process(events: int, objects: int, out: Connection) -> None:
    measure(events, objects, out.send)
    out.send("")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--own-process", action="store_true")
    options = parser.parse_args()
    print(json.dumps({"python": sys.version.split()[0], "platform": platform.platform(),
                      "where": "own process" if options.own_process else "thread"}))  # fmt: skip
    if not options.own_process:
        measure(options.events, options.objects, lambda text: print(text, flush=True))
        return
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=own_process, args=(options.events, options.objects, theirs))
    process.start()
    while text := ours.recv():
        print(text, flush=True)
    process.join()


if __name__ == "__main__":
    main()
