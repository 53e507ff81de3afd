"""What is concluded of real threads: `python -m tests.benchmarks.measure_doing [SECONDS]`.

Six handlers at once, each in one long call: two compute without end, one sleeps, one waits for a lock, one reads from a
socket, one computes in short calls. Prints what the samples say of each.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from kdash.informer.handlers import ResourceEventHandlerFuncs
from kdash.informer.objects import KubeObject
from kdash.observe.watched_handler import StackSampler, WatchedHandler
from kdash.probe.doing import Judged, Look, judge, words_of


class Told:
    """A tap that keeps the looks of each handler and the time each call had run."""

    def __init__(self) -> None:
        self.looks: dict[str, list[Look]] = {}
        self.judged: dict[str, list[Judged]] = {}

    def emit(self, kind: str, informer: str, name: str, *fields: Any) -> int:
        if kind == "handler.look":
            self.looks.setdefault(name, []).append(Look(*fields))
        elif kind == "handler.sample":
            *before, look = self.looks[name]
            is_first = look.window_s > fields[3] - 0.001 or not before
            self.judged.setdefault(name, []).append(judge(look, None if is_first else before[-1]))
        return 0


def main(seconds: float = 5.0) -> None:
    """Measure and print."""
    over, lock = threading.Event(), threading.Lock()
    here, there = socket.socketpair()

    def compute(obj: Any) -> None:
        number = 0
        while not over.is_set():
            number = number * 3 + 1 & 0xFFFF

    def short(obj: Any) -> None:
        number = 0
        for each in range(20_000):
            number += each

    calls: dict[str, Callable[[Any], Any]] = {
        "computes": compute, "computes-too": compute, "sleeps": lambda obj: time.sleep(seconds + 0.5),
        "locks": lambda obj: lock.acquire(), "reads": lambda obj: here.recv(1), "short-calls": short,
    }  # fmt: skip
    told = Told()
    sampler = StackSampler(told)  # type: ignore[arg-type]
    obj = KubeObject.from_dict({"kind": "Pod", "metadata": {"name": "a"}})
    threads = []
    lock.acquire()
    for name, call in calls.items():
        handler = WatchedHandler(ResourceEventHandlerFuncs(on_delete=call), name, "pods", told, sampler)  # type: ignore[arg-type]

        def work(handler: WatchedHandler = handler, again: bool = name == "short-calls") -> None:
            handler.on_delete(obj)
            while again and not over.is_set():
                handler.on_delete(obj)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.05)
        sampler.sample([("pods", name) for name in calls])
    over.set()
    lock.release()
    there.send(b"x")
    for thread in threads:
        thread.join()
    for name in calls:
        looks = told.looks.get(name, [])
        late = sorted(look.late_s for look in looks if look.late_s is not None)
        middle = f"{late[len(late) // 2] * 1000:.1f} ms" if late else "-"
        print(f"{name:<13}{len(looks):>4} looks, interpreter late by {middle:<8} {words_of(told.judged.get(name, []))}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
