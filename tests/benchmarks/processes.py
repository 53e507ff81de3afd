"""The processes of a benchmark: an informer of ours or the official one, and any other that a command starts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from kdash.observe.bench_server import BenchServer

_OTHERS_TIME_S = 900.0


class Client:
    """One `tests.benchmarks.client`; `synced` holds the figures of its first sync."""

    def __init__(self, who: str, server: BenchServer, *, tap: str = "ring", queue: str = "delta") -> None:
        given = {"who": who, "url": server.url, "objects": server.objects}
        if who == "kdash":
            given |= {"tap": tap, "queue": queue}
        self._server = server
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.client", json.dumps(given)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.synced: dict[str, Any] = self._figures()

    def storm(self, events: int, size: int) -> dict[str, Any]:
        self._order(f"storm {events}")
        assert self._line() == "go"
        self._server.begin_storm(events, size)
        figures = self._figures()
        self._server.end_storm()
        return figures

    def wave(self) -> dict[str, Any]:
        self._order("wave")
        return self._figures()

    def memory(self) -> dict[str, Any]:
        self._order("memory")
        return self._figures()

    def _order(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise SystemExit("an informer's process ended unexpectedly")
        return line

    def _figures(self) -> dict[str, Any]:
        figures: dict[str, Any] = json.loads(self._line())
        return figures

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def other_sync(command: str, url: str) -> dict[str, Any]:
    """Start a command of the caller's, wait for the first line of its output that holds `"synced"`, look at it.

    `{kubeconfig}` and `{url}` in the command stand for the server. CPU and memory are read from /proc: Linux only.
    """
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = Path(folder, "kubeconfig")
        kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {"server": url}}], "users": [{"name": "bench", "user": {}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        }))  # fmt: skip
        words = [word.format(kubeconfig=kubeconfig, url=url) for word in shlex.split(command)]
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            tail = b""
            while b'"synced"' not in tail:
                data = os.read(process.stdout.fileno(), 1 << 20)
                if not data or time.perf_counter() - began > _OTHERS_TIME_S:
                    raise SystemExit(f"the output of {words[0]} had no line with \"synced\"")
                tail = tail[-10:] + data
            return {"wall_s": time.perf_counter() - began, **_looked_at(process.pid)}
        finally:
            process.kill()
            process.communicate()


def _looked_at(pid: int) -> dict[str, Any]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    told = [line for line in lines if line.startswith(("VmRSS", "VmHWM"))]
    memory = {line.partition(":")[0]: int(line.split()[1]) << 10 for line in told}
    ticks = int(fields[11]) + int(fields[12])
    return {"cpu_s": ticks / os.sysconf("SC_CLK_TCK"), "resident": memory["VmRSS"], "peak": memory["VmHWM"]}
