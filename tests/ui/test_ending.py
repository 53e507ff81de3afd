"""The process ends when it was asked to: also when the screen never answers."""

from __future__ import annotations

import os
import signal
import threading

from kdash.ui.ending import Ending

PATIENCE_S = 20.0


class Process:
    """What an ending does to the terminal and the process."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.ended = threading.Event()

    def give_back(self) -> None:
        self.done.append("given back")

    def end(self, code: int) -> None:
        self.done.append(code)
        self.ended.set()


def test_the_terminal_is_given_back_and_the_process_ended_when_the_app_does_not_answer() -> None:
    process = Process()
    ending = Ending(process.done.append, patience_s=0.0, give_back=process.give_back, end=process.end)
    ending.ask(143)
    ending.ask(0)
    assert process.ended.wait(PATIENCE_S)
    assert process.done == [143, "given back", 143] and ending.code == 143


def test_nothing_is_done_to_an_app_that_ends_by_itself() -> None:
    process, left = Process(), threading.Event()
    ending = Ending(lambda _: left.set(), patience_s=PATIENCE_S, give_back=process.give_back, end=process.end)
    ending.is_over.set()
    ending.ask(0)
    assert left.wait(PATIENCE_S)
    assert not process.ended.wait(0.0) and process.done == []


def test_every_signal_that_would_end_the_process_asks_for_the_end() -> None:
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in (*numbers, signal.SIGALRM, signal.SIGXCPU)}
    try:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
            process = Process()
            Ending(lambda _: None, patience_s=0.0, give_back=process.give_back, end=process.end).catch_signals()
            os.kill(os.getpid(), number)
            assert process.ended.wait(PATIENCE_S)
            assert process.done == ["given back", 128 + number]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
