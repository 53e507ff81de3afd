"""Benchmark of recordings: what recording costs, how large a file gets, how fast it opens. Prints figures only.

    python -m tests.benchmarks.bench_recording [--events 60000] [--rounds 3] [--seconds 60] [--file FILE]

The server of the storm runs in a process of its own; each measurement with and without a recording too, in turns.
Without `--file` a demo at 100 changes a second is recorded for `--seconds`; an hour's size is told from that.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kdash.observe.bench_server import BenchServer
from kdash.observe.handlers import HandlerSpec
from kdash.observe.live import Wanted
from kdash.observe.opening import open_url
from kdash.observe.replay import ReplayObservation, open_replay

PODS = 5000
DEMO = ["--objects", "500", "--rate", "100", "--seed", "7", "--resync", "30s",
        "--handler", "audit", "--handler", "worker=sleep:1ms"]


def storm(url: str, events: int, path: str) -> None:
    """In a process of its own: take so many events, told when to begin by a line of input.

    Prints the rate and the µs of CPU time an event."""
    observation = open_url(url, Wanted(handlers=(HandlerSpec("audit"),), all_namespaces=True, resync_s=0.0))
    if path:
        observation.recordings.begin(path)
    observation.start()
    while not all(each.synced for each in observation.snapshot().informers) or not observation.snapshot().informers:
        time.sleep(0.02)
    time.sleep(1.0)
    before = observation.recorder.watch_events
    print("ready", flush=True)
    sys.stdin.readline()
    begun, cpu = time.perf_counter(), time.process_time()
    while observation.recorder.watch_events - before < events:
        time.sleep(0.005)
    rate, cpu_us = events / (time.perf_counter() - begun), 1e6 * (time.process_time() - cpu) / events
    observation.stop(10.0)
    print(rate, cpu_us, flush=True)


def measured(server: BenchServer, events: int, path: str) -> tuple[float, float]:
    """Events a second and µs of CPU time an event, with a recording into `path` or without one."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_recording", "--storm", server.url, path, str(events)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        server.begin_storm(events)
        process.stdin.write("go\n")
        process.stdin.flush()
        rate, cpu_us = map(float, process.stdout.readline().split())
        server.end_storm()
    return rate, cpu_us


def cost(events: int, rounds: int, folder: Path) -> None:
    """The storm with and without a recording, in pairs whose order changes: a neighbour's load hits both alike."""
    server = BenchServer(PODS)
    pairs = []
    try:
        for turn in range(rounds):
            path = folder / f"storm-{turn}.rec"
            names = ["", str(path)][:: -1 if turn % 2 else 1]
            found = {name: measured(server, events, name) for name in names}
            plain, recorded = found[""], found[str(path)]
            pairs.append((plain, recorded))
            print(f"storm of {events:,} events of 2 kB: {plain[0]:,.0f}/s and {plain[1]:.1f} µs of CPU an event plain, "
                  f"{recorded[0]:,.0f}/s and {recorded[1]:.1f} µs recorded "
                  f"({path.stat().st_size / events:,.0f} bytes an event)")
    finally:
        server.stop()
    lost = statistics.median(1 - recorded[0] / plain[0] for plain, recorded in pairs)
    more = statistics.median(recorded[1] / plain[1] - 1 for plain, recorded in pairs)
    print(f"recording costs {100 * lost:.1f} % of the throughput, {100 * more:.1f} % more CPU time an event "
          f"(medians of {rounds} pairs)")


def size_and_time(path: Path) -> None:
    """Of one recording: size, how long it takes to open it, and to jump in it before and after it was read ahead."""
    gc.set_threshold(50_000, 20, 100)  # as the dashboard does
    begun = time.perf_counter()
    replay = open_replay(str(path), playing=False)
    replay.snapshot()
    opened = time.perf_counter() - begun
    view, parts = replay.view(), replay._recording.parts
    seconds = view.last_at - view.first_at
    events = sum(chunk.head.counts.events for part in parts for chunk in part.steps())
    size = path.stat().st_size
    print(f"{seconds:,.0f} s, {events / seconds:,.1f} events/s, {size / 1e6:,.1f} MB: "
          f"{size / seconds * 3600 / 1e6:,.1f} MB an hour")
    print(f"opens in {opened:.2f} s")
    replay = open_replay(str(path), playing=False, read_ahead=True)
    begun = time.perf_counter()
    replay.start()
    while replay.reader.done is None:
        time.sleep(0.1)
    print(f"read ahead to the end in {time.perf_counter() - begun:.0f} s, {resident_mb():.0f} MB resident")
    jumps(replay, " after that", ("the middle", 0.5), ("the end", 1.0), ("a quarter", 0.25), ("90 %", 0.9))
    begun = time.perf_counter()
    for _ in range(5):
        replay.skip("event", -1)
        replay.wait()
    print(f"an event back: {(time.perf_counter() - begun) / 5:.2f} s (mean of 5)")
    replay.stop()
    replay = open_replay(str(path), playing=False)
    replay.start()
    jumps(replay, " at once", ("the middle", 0.5), ("the end", 1.0))
    replay.stop()


def jumps(replay: ReplayObservation, when: str, *places: tuple[str, float]) -> None:
    """How long the playhead takes to places."""
    view = replay.view()
    for words, share in places:
        begun = time.perf_counter()
        replay.go(view.first_at + share * (view.last_at - view.first_at))
        replay.wait()
        print(f"jump to {words}{when}: {time.perf_counter() - begun:.2f} s")


def resident_mb() -> float:
    """Of this process."""
    return int(re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--storm", nargs=3, metavar=("URL", "FILE", "EVENTS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.storm:
        storm(given.storm[0], int(given.storm[2]), given.storm[1])
        return
    print(json.dumps({"python": platform.python_version(), "platform": platform.platform(), "cpus": os.cpu_count()}))
    with tempfile.TemporaryDirectory() as folder:
        if given.rounds:
            cost(given.events, given.rounds, Path(folder))
        path = given.file
        if path is None:
            path = Path(folder, "demo.rec")
            command = ["record", str(path), "--demo", *DEMO, "--for", f"{given.seconds}s"]
            subprocess.run([sys.executable, "-m", "kdash", *command], check=True)
        size_and_time(path)


if __name__ == "__main__":
    main()
