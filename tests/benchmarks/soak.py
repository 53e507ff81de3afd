"""What a running dashboard grows by: the real `kdash demo` in a terminal, watched from outside.

    python -m tests.benchmarks.soak [--for 3600] [--settled 600] -- demo [--rate 200 …]

Prints resident memory every five minutes, then its least-squares slope from `--settled` seconds on, and threads and
descriptors at both ends. Ends by itself. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import threading
import time
from pathlib import Path
from typing import NamedTuple

_EVERY_S = 5.0
_TOLD_EVERY_S = 300.0


class Sample(NamedTuple):
    """One look at the process."""

    at_s: float
    resident_kb: int
    threads: int
    descriptors: int


def look(pid: int, at_s: float) -> Sample:
    status = dict(row.split(":", 1) for row in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in row)
    return Sample(at_s, int(status["VmRSS"].split()[0]), int(status["Threads"]), len(os.listdir(f"/proc/{pid}/fd")))


def slope_per_hour(samples: list[Sample]) -> float:
    """Least-squares slope of resident memory, in MB an hour."""
    mean_at = sum(each.at_s for each in samples) / len(samples)
    mean_kb = sum(each.resident_kb for each in samples) / len(samples)
    over = sum((each.at_s - mean_at) * (each.resident_kb - mean_kb) for each in samples)
    under = sum((each.at_s - mean_at) ** 2 for each in samples)
    return over / under * 3600 / 1024 if under else 0.0


def soak(arguments: list[str], for_s: float, settled_s: float) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        kdash = str(Path(sys.executable).with_name("kdash"))
        os.execve(kdash, [kdash, *arguments], dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor"))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    os.read(terminal, 1 << 16)
                except OSError:
                    return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    began, told, samples = time.monotonic(), 0.0, []
    try:
        while (at := time.monotonic() - began) < for_s:
            over.wait(_EVERY_S)
            samples.append(look(pid, at))
            if at >= told:
                last = samples[-1]
                print(f"{at / 60:5.1f} min  {last.resident_kb / 1024:6.1f} MB  {last.threads} threads  "
                      f"{last.descriptors} descriptors", flush=True)
                told += _TOLD_EVERY_S
    finally:
        over.set()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        os.close(terminal)
    settled = [each for each in samples if each.at_s >= settled_s] or samples
    first, last = settled[0], settled[-1]
    print(f"kdash {' '.join(arguments)}: {slope_per_hour(settled):+.2f} MB an hour from minute {first.at_s / 60:.0f} "
          f"to {last.at_s / 60:.0f}; at most {max(each.resident_kb for each in samples) / 1024:.1f} MB; threads "
          f"{first.threads} → {last.threads}; descriptors {first.descriptors} → {last.descriptors}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--for", dest="for_s", type=float, default=3600.0, help="seconds")
    parser.add_argument("--settled", type=float, default=600.0, help="seconds after which memory is to be flat")
    parser.add_argument("arguments", nargs="*", default=["demo"], help="of kdash, behind --")
    options = parser.parse_args()
    soak(options.arguments, options.for_s, options.settled)


if __name__ == "__main__":
    main()
