"""Handlers of one's own in the real binary: whatever they do, kdash goes on and ends at once; and their reload."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal, kdash_command
from tests.e2e.test_quit import leaves_at_once

MODULE = """
import sys, threading

def leaves(event):
    sys.exit("bye")

def interrupts(event):
    raise KeyboardInterrupt

def of_its_own(event):
    class Odd(BaseException):
        pass
    raise Odd("odd")

def too_deep(event):
    return too_deep(event)

def hostile(event):
    raise ValueError("[red]x[/red] \\x1b]0;pwned\\x07")

def prints(event):
    print("PRINTED", event.key)
    print("PRINTED", event.key, file=sys.stderr)

def hangs(event):
    threading.Event().wait()

def spins(event):
    while True:
        pass

def ends_the_thread(event):
    raise GeneratorExit
"""


def demo(folder: Path, function: str) -> Terminal:
    (folder / "own_handlers.py").write_text(MODULE)
    command = kdash_command(
        "demo", "calm", "--rate", "5", "--seed", "7", "--handler", f"mine=own_handlers:{function},slow=100ms"
    )
    return Terminal(command, cwd=folder)


def row(screen: str) -> str:
    """What pane 5 says of the handler."""
    found = re.search(r"│ mine\s+(.*)", screen)
    return found[1] if found else ""


@pytest.mark.parametrize("function", ["leaves", "interrupts", "of_its_own", "too_deep", "hostile", "ends_the_thread"])
def test_whatever_is_raised_is_counted_and_the_next_call_follows(tmp_path: Path, function: str) -> None:
    with demo(tmp_path, function) as terminal:
        screen = terminal.wait_for(lambda text: re.search(r"│ mine\s+[2-9]\d*\s+\d+/", text))
        assert "[LIVE]" in terminal.wait_for("[LIVE]"), screen
        assert b"\x1b]0;pwned" not in terminal.raw
        leaves_at_once(terminal, "q")


@pytest.mark.parametrize("function", ["hangs", "spins"])
def test_a_call_that_never_returns_is_shown_and_does_not_hold_up_the_end(tmp_path: Path, function: str) -> None:
    with demo(tmp_path, function) as terminal:
        terminal.wait_for("[LIVE]")
        terminal.wait_for(re.compile(r"mine hangs for \d+s at own_handlers\.py:\d+"), 40)
        leaves_at_once(terminal, "q")


def test_what_it_prints_does_not_reach_the_screen(tmp_path: Path) -> None:
    with demo(tmp_path, "prints") as terminal:
        terminal.wait_for("[LIVE]")
        terminal.wait_for(lambda text: re.search(r"│ mine\s+[2-9]\d*\s+\d+/", text))
        assert b"PRINTED" not in terminal.raw
        leaves_at_once(terminal, "q")


def test_a_reload_joins_the_new_code_with_a_replay(tmp_path: Path) -> None:
    with demo(tmp_path, "leaves") as terminal:
        terminal.wait_for(lambda text: re.search(r"│ mine\s+[2-9]\d*\s+\d+/", text))
        marks = tmp_path / "marks"
        text = f"def leaves(event):\n    open({str(marks)!r}, 'a').write(event.type + '\\n')\n"
        (tmp_path / "own_handlers.py").write_text(text)
        terminal.send(":handler reload mine\r")
        terminal.wait_for("reload")
        terminal.wait_for(lambda _: marks.exists() and marks.read_text().count("add\n") > 20)
        leaves_at_once(terminal, "q")


def test_code_that_cannot_be_loaded_is_one_sentence_before_the_start(tmp_path: Path) -> None:
    with demo(tmp_path, "nowhere") as terminal:
        assert terminal.wait_exit() == 2
        assert "Traceback" not in terminal.text()
        assert "nowhere" in terminal.text()
