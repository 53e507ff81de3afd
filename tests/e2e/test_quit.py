"""Quitting is instant in every state, with exit code 0 and the terminal as it was."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal, kdash_command

INSTANT_S = 3.0
"""Two seconds for a machine that has much else to do, one for kdash."""


@contextmanager
def demo(*arguments: str) -> Iterator[Terminal]:
    with Terminal(kdash_command("demo", "calm", "--rate", "5", "--seed", "7", *arguments)) as terminal:
        terminal.wait_for("[LIVE]")
        yield terminal


def leaves_at_once(terminal: Terminal, key: str) -> None:
    terminal.send(key)
    asked = time.monotonic()
    assert terminal.wait_exit(timeout_s=10) == 0
    assert time.monotonic() - asked < INSTANT_S
    assert terminal.terminal_restored()


@pytest.mark.parametrize(("keys", "seen", "leave"), [
    ("", "[LIVE]", "q"), ("p", "[PAUSED", "q"), ("s", "[HELD", "q"), (":", "rewatch", "\x11"),
    ("/", "filter objects", "\x11"), ("?", "Help: keys", "\x11"), ("i", "Explain", "\x11"),
    ("jj\r", "apiVersion", "\x11"), ("a", "Advice", "\x11"), ("\x0f", "[ a ]", "\x11"),
], ids=["live", "paused", "held", "palette", "filter", "help", "explain", "inspect", "advice", "jump"])
def test_quit_from_each_state_of_the_screen(keys: str, seen: str, leave: str) -> None:
    with demo() as terminal:
        terminal.send(keys)
        terminal.wait_for(seen)
        leaves_at_once(terminal, leave)


def test_quit_through_the_palette_typed_in_one_go() -> None:
    with demo() as terminal:
        leaves_at_once(terminal, ":q\r")


def test_two_ctrl_c_quit_with_130() -> None:
    with demo() as terminal:
        terminal.send("\x03")
        terminal.wait_for("ctrl+c again")
        terminal.send("\x03")
        assert terminal.wait_exit(timeout_s=10) == 130
        assert terminal.terminal_restored()


@pytest.mark.parametrize(("fault", "seen"), [
    ("403:verb=WATCH,resource=pods,times=always", "[DENIED"), ("reset:resource=pods,times=always", "[RETRY"),
    ("half-open:resource=pods,times=always", "[SYNCING"), ("slow:resource=pods,times=always", "[SYNCING"),
], ids=["denied", "retry", "hung", "slow"])
def test_quit_while_the_server_misbehaves(fault: str, seen: str) -> None:
    command = kdash_command("demo", "calm", "--seed", "7", "--no-watch-list", "--fault", fault)
    with Terminal(command) as terminal:
        terminal.wait_for(lambda text: seen in text or "[STARTING" in text)
        terminal.wait_for("1 Pipeline")
        leaves_at_once(terminal, "q")


def test_quit_while_the_server_says_nothing_at_all(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = tmp_path / "config"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: dev\n"
            f"clusters:\n- name: c\n  cluster:\n    server: http://127.0.0.1:{server.getsockname()[1]}\n"
            "contexts:\n- name: dev\n  context:\n    cluster: c\n    user: u\nusers:\n- name: u\n  user: {}\n"
        )
        with Terminal(kdash_command("pods", "--kubeconfig", str(path))) as terminal:
            terminal.wait_for("[STARTING]")
            leaves_at_once(terminal, "q")
