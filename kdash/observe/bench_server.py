"""The embedded API server as a benchmark uses it: in a process of its own, with changes whose bytes are ready.

Run as `python -m kdash.observe.bench_server OBJECTS SIZE` it says its URL in the first line of its output and then
obeys lines of input, each answered by one line: `storm COUNT SIZE` changes pods COUNT times, as fast as those who
watch can take it. It ends with its input, i.e. with the process that started it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import IO, Any

__all__ = ["BenchServer"]

_STORMY_PODS = 500
_BATCH = 250
_UNREAD = 2000  # events that a watcher may be behind
_MARK = "\0"


class BenchServer:
    """Starts the process and stops it. `url` is the server's address."""

    def __init__(self, objects: int, size: int = 2048) -> None:
        """`objects` pods of about `size` bytes each."""
        self.objects = objects
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kdash.observe.bench_server", str(objects), str(size)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.url = self._answer()

    def begin_storm(self, count: int, size: int = 2048, rate: float = 0.0) -> None:
        """Order `count` changes, `rate` a second (0: as many as are taken); returns at once. `end_storm` waits for
        them to have been sent."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(f"storm {count} {size} {rate}\n")
        stdin.flush()

    def end_storm(self) -> None:
        """Wait until all changes of the last order were handed to those who watch."""
        self._answer()

    def stop(self) -> None:
        """End the process; any number of times."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.close()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        stdout.close()

    def _answer(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline().strip()
        if not line:
            self.stop()
            raise OSError("the embedded server ended unexpectedly")
        return line

    def __enter__(self) -> BenchServer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def pod(number: int, size: int, version: str | None = None) -> dict[str, Any]:
    """A pod whose JSON has about `size` bytes."""
    app, rest = f"web-{number % 97}", max(0, size - 650)
    metadata: dict[str, Any] = {
        "name": f"{app}-{number:07}", "namespace": f"team-{number % 40}",
        "uid": f"00000000-0000-4000-8000-{number:012}", "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": app, "tier": "backend"},
    }  # fmt: skip
    if version is not None:
        metadata["resourceVersion"] = version
    variables = [
        {"name": f"VARIABLE_{at}", "value": f"{number * 2654435761 * (at + 1) % (1 << 64):016x}"}
        for at in range(rest // 50)
    ]
    return {
        "kind": "Pod", "apiVersion": "v1", "metadata": metadata,
        "spec": {
            "nodeName": f"node-{number % 50}", "restartPolicy": "Always", "serviceAccountName": "default",
            "containers": [{
                "name": "main", "image": f"registry.example/{app}:1.{number % 13}", "env": variables,
                "resources": {"limits": {"cpu": "100m", "memory": "128Mi"}},
            }],
        },
        "status": {
            "phase": "Running", "podIP": f"10.1.{number // 250 % 250}.{number % 250}",
            "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "Initialized", "PodScheduled")],
        },
    }  # fmt: skip


def _serve(objects: int, size: int, orders: IO[str], answers: IO[str]) -> None:
    from kdash.demo import ApiServer

    def answer(text: str) -> None:
        answers.write(text + "\n")
        answers.flush()

    with ApiServer(workload=False, watch_backlog=1_000_000) as server:
        server.storage.load("pods", [pod(number, size) for number in range(objects)])
        answer(server.url)
        for order in orders:
            _, count, stormy_size, rate = order.split()
            _storm(server, int(count), int(stormy_size), min(objects, _STORMY_PODS), float(rate))
            answer("done")


def _storm(server: Any, count: int, size: int, pods: int, rate: float) -> None:
    import msgspec

    from kdash.demo.storage import Prepared

    ready = []
    for number in range(pods):
        obj = pod(number, size, _MARK)
        head, tail = msgspec.json.encode(obj).split(b"\\u0000")
        metadata = obj["metadata"]
        ready.append(Prepared("MODIFIED", f"{metadata['namespace']}/{metadata['name']}", head, tail))
    sent, began, at_once = 0, time.monotonic(), min(_BATCH, max(1, int(rate / 100))) if rate else _BATCH
    while sent < count:
        at = sent % pods
        batch = ready[at : at + min(at_once, count - sent)]
        server.storage.publish("pods", batch)
        sent += len(batch)
        while any(watch.waiting > _UNREAD for watch in list(server.watches)):
            time.sleep(0.0005)
        if rate:
            time.sleep(max(0.0, began + sent / rate - time.monotonic()))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # who started it has gone
        _serve(int(sys.argv[1]), int(sys.argv[2]), sys.stdin, sys.stdout)
