"""Holding the pipeline in the real binary: the API side goes on, a step moves one thing, the release loses nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.terminal import Terminal, kdash_command


def waiting(screen: str) -> int:
    """What the header says that the gate holds back; 0 when it holds nothing."""
    found = re.search(r"\[HELD (\d+)", screen)
    return int(found[1]) if found else 0


def calls(screen: str) -> int:
    """Of the quick handler, in pane 5."""
    found = re.search(r"│ audit\s+(\d+)\s+\d+/", screen)
    assert found, screen
    return int(found[1])


@pytest.fixture
def demo() -> Iterator[Terminal]:
    command = kdash_command("demo", "calm", "--rate", "20", "--seed", "7", "--handler", "audit", "--resync", "10m")
    with Terminal(command) as terminal:
        terminal.wait_for("[LIVE]")
        terminal.wait_for(lambda text: re.search(r"│ audit\s+\d\d+\s+\d+/", text))
        yield terminal


def test_held_the_api_side_goes_on_a_step_moves_one_entry_and_the_release_drains(demo: Terminal) -> None:
    demo.send("s")
    before = demo.wait_for(lambda text: waiting(text) >= 5)
    assert "before pop, press n" in before
    demo.wait_for("n step")
    held_calls = calls(before)
    demo.wait_for(lambda text: waiting(text) > waiting(before))
    assert calls(demo.text()) == held_calls, "no handler is called while everything is held"
    demo.send("n")
    stepped = demo.wait_for(lambda text: calls(text) > held_calls or "step" in text.splitlines()[-1])
    assert calls(stepped) - held_calls <= 1
    demo.send(".")
    demo.wait_for("[LIVE]")
    demo.wait_for(lambda text: calls(text) >= held_calls + waiting(before))
    demo.wait_for(re.compile(r"0 waiting"))


def test_a_resync_while_held_waits_at_the_gate_and_follows_the_release(demo: Terminal) -> None:
    demo.send("s")
    held = calls(demo.wait_for(lambda text: waiting(text) >= 3))
    demo.send("r")
    demo.wait_for(lambda text: waiting(text) >= 30)
    assert calls(demo.text()) == held
    demo.send(".")
    demo.wait_for(lambda text: calls(text) >= held + 30)


def test_it_quits_at_once_while_held(demo: Terminal) -> None:
    demo.send("s")
    demo.wait_for("[HELD")
    demo.send("q")
    assert demo.wait_exit(timeout_s=5) == 0
    assert demo.terminal_restored()
