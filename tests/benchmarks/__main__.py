"""The budgets P1 to P7 and P13, measured side by side with the official Python informer.

    python -m tests.benchmarks [--sizes 1000,10000,100000] [--rounds 5] [--quick] [--write-readme]
                               [--versus 'COMMAND … {kubeconfig} …'] [--soak SECONDS]

The server is the embedded one in another process; every informer gets a fresh process. `--versus` starts another
informer for comparison and waits for a line of its output that holds `"synced"`. Prints a table in markdown, never
fails on a figure; `--write-readme` puts it between the marks of README.md.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from kdash.observe.bench_server import BenchServer
from tests.benchmarks.processes import Client, other_sync
from tests.benchmarks.table import Figure, markdown, write_readme

_LARGE = 50_000  # objects from which on one round of the slow ones must do
_OFFICIAL_SHARE = 20  # of the storm's events: the official informer takes so much longer


class Measurements:
    """Everything that one run has measured; keys are what the table names."""

    def __init__(self, rounds: int, versus: str) -> None:
        self.rounds, self.versus = rounds, versus
        self.of: dict[tuple[Any, ...], list[float]] = {}

    def add(self, value: float, *key: Any) -> None:
        self.of.setdefault(key, []).append(value)

    def figure(self, *key: Any) -> Figure | None:
        return Figure.of(self.of[key]) if key in self.of else None

    # P1, P2, P3, P6, P7 ----------------------------------------------------------------------------------

    def syncs(self, size: int) -> None:
        """First syncs of everybody, turn by turn, and resync waves of ours."""
        rounds = self.rounds if size < _LARGE else min(self.rounds, 3)
        with BenchServer(size) as server:
            for turn in range(rounds + 1):
                say(f"{size:,} objects: round {turn} of {rounds}")
                with Client("kdash", server) as client:
                    waves = [client.wave() for _ in range(2)]
                    self._note(turn, "kdash", size, client.synced | client.memory())
                    if turn:
                        self.add(waves[-1]["wall_s"], "wave", size)
                        self.add(waves[-1]["requests"], "wave requests", size)
                if turn <= (1 if size >= _LARGE else min(rounds, 3)):
                    with Client("official", server) as client:
                        self._note(turn, "official", size, client.synced | client.memory())
                if self.versus:
                    self._note(turn, "versus", size, other_sync(self.versus, server.url))

    def _note(self, turn: int, who: str, size: int, figures: dict[str, Any]) -> None:
        said = ", ".join(f"{name} {figures[name]:,.2f}" for name in ("wall_s", "cpu_s", "resident"))
        say(f"  {who}: {said}")
        if turn:  # the first round warms up
            for name in ("wall_s", "cpu_s", "resident", "peak"):
                self.add(figures[name], who, name, size)

    # P4, P5 ----------------------------------------------------------------------------------------------

    def storms(self, events: int, objects: int) -> None:
        """Watch events of two sizes, with and without tap and recorder, turn by turn."""
        with BenchServer(objects) as server:
            for size, share in ((2048, 1), (8192, 2)):
                for turn in range(self.rounds + 1):
                    say(f"storm of {events // share:,} events of {size} B: round {turn} of {self.rounds}")
                    for tap in ("none", "ring", "recorder"):  # one at a time: all who watch get every event
                        with Client("kdash", server, tap=tap) as client:
                            client.memory()
                            self._note_storm(turn, (tap, size), client.storm(events // share, size))
                with Client("official", server) as client:
                    fewer = events // share // _OFFICIAL_SHARE
                    for turn in range(2):
                        self._note_storm(turn, ("official", size), client.storm(fewer, size))

    def _note_storm(self, turn: int, key: tuple[str, int], run: dict[str, Any]) -> None:
        say(f"  {key[0]}: {run['events'] / run['wall_s']:,.0f}/s, {run['cpu_s'] / run['events'] * 1e6:.1f} µs of CPU")
        if turn:
            self.add(run["events"] / run["wall_s"], "events/s", *key)
            self.add(run["cpu_s"] / run["events"] * 1e6, "CPU µs an event", *key)

    def soak(self, seconds: float) -> None:
        """P13: resident memory over a long storm."""
        import time

        with BenchServer(10_000) as server, Client("kdash", server, tap="recorder") as client:
            until = time.monotonic() + seconds
            client.storm(200_000, 2048)
            while time.monotonic() < until:
                self.add(client.memory()["resident"], "soak")
                client.storm(200_000, 2048)
            self.add(client.memory()["resident"], "soak")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="numbers of objects, with commas")
    parser.add_argument("--events", type=int, default=100_000, help="of a storm of 2 kB events; half of 8 kB")
    parser.add_argument("--rounds", type=int, default=5, help="after one that warms up")
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 objects, 20,000 events, 2 rounds")
    parser.add_argument("--versus", default="", metavar="COMMAND", help="another informer, {kubeconfig} in its words")
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS", help="watch memory over a long storm")
    parser.add_argument("--write-readme", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.events, options.rounds = "1000,10000", 20_000, 2
    sizes = [int(size) for size in options.sizes.split(",")]
    measured = Measurements(options.rounds, options.versus)
    whole = False
    try:
        measured.storms(options.events, min(10_000, max(sizes)))
        for size in sizes:
            measured.syncs(size)
        if options.soak:
            measured.soak(options.soak)
        whole = True
    except KeyboardInterrupt:
        say("interrupted: the table holds what was measured")
    finally:
        text = markdown(measured.figure, sizes, options.rounds)
        print(text)
    if options.write_readme and whole:
        write_readme(text)


if __name__ == "__main__":
    main()
