"""Benchmark of the dashboard in a pseudo-terminal: budgets P8 to P12. Prints figures, never fails on one.

    python -m tests.benchmarks.bench_ui [--objects 1000,50000,100000] [--rate 10000] [--keys 60]

The server runs in a process of its own. A key counts as painted when the terminal has received the new cursor row.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import platform
import pty
import random
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from kdash.observe.bench_server import BenchServer

KDASH = str(Path(sys.executable).with_name("kdash"))
CURSOR = re.compile(rb"\x1b\[[0-9;]*48;2;158;203;255[0-9;]*m([^\x1b]+)")
TICKS = os.sysconf("SC_CLK_TCK")


class Screen:
    """A dashboard in a pty; a thread reads what it writes, with the time of each piece."""

    def __init__(self, arguments: list[str], columns: int = 120, rows: int = 40) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            environment.pop("NO_COLOR", None)
            os.execve(KDASH, [KDASH, *arguments], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.output = bytearray()
        self.first_paint_s: float | None = None
        self.ended_at: float | None = None
        self.changed = threading.Condition()  # guards the three above
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self.fd, 1 << 16)
            except OSError:
                piece = b""
            with self.changed:
                if not piece:
                    self.ended_at = time.perf_counter()
                    self.changed.notify_all()
                    return
                self.output += piece
                if self.first_paint_s is None and b"Objects" in self.output:
                    self.first_paint_s = time.perf_counter() - self.started
                self.changed.notify_all()

    def wait_for(self, text: bytes, timeout_s: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: text in self.output or self.ended_at is not None, timeout_s)

    def key(self, key: bytes, timeout_s: float = 5.0) -> float | None:
        """Seconds until the cursor stands on another row; None when it does not come."""
        with self.changed:
            before = CURSOR.findall(bytes(self.output[-200_000:]))
            old = before[-1].strip() if before else b""
            self.output.clear()
            pressed = time.perf_counter()
            os.write(self.fd, key)
            painted = self.changed.wait_for(
                lambda: any(name.strip() != old for name in CURSOR.findall(bytes(self.output))), timeout_s
            )
            return time.perf_counter() - pressed if painted else None

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def quit(self) -> tuple[float | None, int | None]:
        """Seconds from `q` to the end, and the exit code."""
        pressed = time.perf_counter()
        os.write(self.fd, b"q")
        with self.changed:
            ended = self.changed.wait_for(lambda: self.ended_at is not None, 10.0)
        if not ended:
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        took = time.perf_counter() - pressed
        os.close(self.fd)
        return (took, os.waitstatus_to_exitcode(status)) if ended else (None, None)


@contextlib.contextmanager
def server(objects: int, rate: float) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The demo server in its own process; yields it and its kubeconfig."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "kubeconfig"))
        process = subprocess.Popen(
            [KDASH, "demo", "--serve-only", "--kubeconfig", path, "--objects", str(objects), "--rate", str(rate),
             "--seed", "1"], stdout=subprocess.PIPE, text=True)  # fmt: skip
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], 120)
            if not ready:
                raise SystemExit("the server did not start within 120 s")
            yield process, path
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@contextlib.contextmanager
def storm_server(objects: int) -> Iterator[tuple[BenchServer, str]]:
    """A server with changes prepared beforehand, in its own process; yields it and a kubeconfig."""
    with tempfile.TemporaryDirectory() as folder, BenchServer(objects) as prepared:
        path = Path(folder, "kubeconfig")
        path.write_text(
            "{apiVersion: v1, kind: Config, current-context: b, users: [{name: b, user: {}}],"
            f" clusters: [{{name: b, cluster: {{server: '{prepared.url}'}}}}],"
            " contexts: [{name: b, context: {cluster: b, user: b}}]}"
        )
        yield prepared, str(path)


def keys_under_storm(objects: int, rate: float, keys: int) -> None:
    """P8, with the CPU that the whole process takes meanwhile and the rate that was truly reached."""
    with storm_server(objects) as (prepared, path):
        screen = Screen(["pods", "-A", "--kubeconfig", path, "--resync", "0", "--handler", "count"])
        if not screen.wait_for(b"[LIVE]", 120):
            print(f"P8 {objects:>7} objects: not live within 120 s")
            screen.quit()
            return
        time.sleep(3)
        count, begun = int(rate * (2 + keys * 0.2)), time.perf_counter()
        prepared.begin_storm(count, rate=rate)
        time.sleep(2)
        rng, lost, taken = random.Random(1), 0, []
        wall, cpu = time.perf_counter(), screen.cpu_s()
        for number in range(keys):
            took = screen.key(b"j" if number % 20 < 10 else b"k")
            lost += took is None
            taken += [took * 1000] if took is not None else []
            time.sleep(rng.uniform(0.05, 0.15))
        wall, cpu = time.perf_counter() - wall, screen.cpu_s() - cpu
        prepared.end_storm()
        reached = count / (time.perf_counter() - begun)
        took, code = screen.quit()
        shares = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (1.0, "max"))
        figures = "  ".join(f"{name} {quantile(taken, share):.1f}" for share, name in shares if taken) or "none painted"
        print(f"P8 {objects:>7} objects, {reached:,.0f} events/s ({rate:,.0f} asked): key to cell ms {figures}  "
              f"(n {len(taken)}, lost {lost}), CPU {cpu / wall:.0%} of a core, "
              f"quit {took and round(took, 2)} s code {code}")


def cost_of_the_screen(objects: int, events: int, rounds: int = 3) -> None:
    """P9: the same storm, as fast as it is taken, with the screen and without; both with tap and recorder."""
    with storm_server(objects) as (prepared, path):
        rates: dict[str, list[float]] = {"with the screen": [], "without": []}
        for _ in range(rounds):
            screen = Screen(["pods", "-A", "--kubeconfig", path, "--resync", "0", "--handler", "count"])
            screen.wait_for(b"[LIVE]", 120)
            time.sleep(3)
            rates["with the screen"].append(storm_rate(prepared, events))
            screen.quit()
            headless = [sys.executable, "-m", "tests.benchmarks.headless", path]
            with subprocess.Popen(headless, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(3)
                rates["without"].append(storm_rate(prepared, events))
                process.communicate(timeout=20)
        medians = {name: statistics.median(found) for name, found in rates.items()}
        spread = "; ".join(f"{name} " + ", ".join(f"{rate:,.0f}" for rate in found) for name, found in rates.items())
        print(f"P9 {objects:>7} objects: the screen costs "
              f"{1 - medians['with the screen'] / medians['without']:.0%} of the throughput (events/s: {spread})")


def storm_rate(prepared: BenchServer, events: int) -> float:
    """Events a second until the last was handed over."""
    begun = time.perf_counter()
    prepared.begin_storm(events)
    prepared.end_storm()
    return events / (time.perf_counter() - begun)


def at_rest(seconds: float = 15.0) -> None:
    """P10 and P11."""
    with server(1000, 0) as (_, path):
        screen = Screen(["pods", "-A", "--kubeconfig", path, "--handler", "count", "--resync", "10m"])
        screen.wait_for(b"[LIVE]", 60)
        time.sleep(5)
        wall, cpu = time.perf_counter(), screen.cpu_s()
        time.sleep(seconds)
        share = (screen.cpu_s() - cpu) / (time.perf_counter() - wall)
        print(f"P10 at rest, 1000 objects: {share:.1%} of a core")
        print(f"P11 first paint: {screen.first_paint_s and round(screen.first_paint_s * 1000)} ms")
        screen.quit()


def quit_when_stuck() -> None:
    """P12: the server hangs, a handler sleeps."""
    with server(1000, 10) as (process, path):
        screen = Screen(["pods", "-A", "--kubeconfig", path, "--handler", "stuck=sleep:60s"])
        screen.wait_for(b"[LIVE]", 60)
        time.sleep(2)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        took, code = screen.quit()
        restored = screen.output.rfind(b"\x1b[?1049l") > screen.output.rfind(b"\x1b[?1049h")
        print(f"P12 quit, server hung and handler stuck: {took and round(took, 2)} s, exit code {code}, "
              f"terminal {'restored' if restored else 'NOT restored'}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", default="1000,50000,100000")
    parser.add_argument("--rate", type=float, default=10_000.0)
    parser.add_argument("--keys", type=int, default=60)
    given = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    at_rest()
    quit_when_stuck()
    for objects in map(int, given.objects.split(",")):
        keys_under_storm(objects, given.rate, given.keys)
        cost_of_the_screen(objects, 60_000)


if __name__ == "__main__":
    main()
