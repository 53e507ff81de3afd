"""`kdash demo` as a person meets it: the real binary in a terminal, keys pressed, the screen read."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.terminal import Terminal, kdash_command

PANES = ("1 Pipeline", "2 Objects", "3 Queue", "4 Resync", "5 Handlers", "6 API", "7 Events")


def requests_counted(screen: str) -> int:
    """The API pane's request counter."""
    found = re.search(r"requests (\d+)", screen)
    assert found, f"no request counter on:\n{screen}"
    return int(found[1])


def handler_counts(screen: str, name: str) -> tuple[int, int, int, int]:
    """add/upd/del/sync of a handler's row in pane 5."""
    found = re.search(rf"{name}\s+\d+\s+(\d+)/\s*(\d+)/\s*(\d+)/\s*(\d+)", screen)
    assert found, f"no row of handler {name} on:\n{screen}"
    return int(found[1]), int(found[2]), int(found[3]), int(found[4])


@pytest.fixture
def demo() -> Iterator[Terminal]:
    """A calm demo at 120x40, synced; its default resync period is far away so that only keys cause waves."""
    with Terminal(kdash_command("demo", "calm", "--rate", "0", "--seed", "7", "--resync", "10m")) as terminal:
        terminal.wait_for("[LIVE]")
        terminal.wait_for(re.compile(r"audit\s+\d+\s+[1-9]\d*/"))
        yield terminal


def test_the_demo_shows_all_panes(demo: Terminal) -> None:
    screen = demo.text()
    for pane in PANES:
        assert pane in screen
    assert "slow" in screen


def test_r_replays_the_cache_and_asks_the_server_nothing(demo: Terminal) -> None:
    before = demo.text()
    requests, syncs = requests_counted(before), handler_counts(before, "audit")[3]
    demo.send("r")
    after = demo.wait_for(lambda text: handler_counts(text, "audit")[3] > syncs)
    assert requests_counted(after) == requests


def test_shift_r_relists_and_the_request_counter_moves(demo: Terminal) -> None:
    requests = requests_counted(demo.text())
    demo.send("R")
    demo.wait_for(lambda text: requests_counted(text) > requests)
    demo.wait_for("[LIVE]")


def test_shift_w_opens_a_new_watch(demo: Terminal) -> None:
    requests = requests_counted(demo.text())
    demo.send("W")
    demo.wait_for(lambda text: requests_counted(text) > requests)


def test_plus_doubles_the_resync_period(demo: Terminal) -> None:
    demo.wait_for(re.compile(r"audit\s+10m"))
    demo.send("+")
    demo.wait_for(re.compile(r"audit\s+20m"))


def test_slash_filters_the_objects(demo: Terminal) -> None:
    demo.send("/")
    demo.wait_for("filter objects")
    demo.send("kube-system\r")
    demo.wait_for("match /kube-system")
    demo.send("\x1b")
    demo.wait_for(lambda text: "/kube-system" not in text)


def test_enter_shows_the_cached_yaml_without_a_request(demo: Terminal) -> None:
    requests = requests_counted(demo.text())
    demo.send("G\r")
    demo.wait_for("apiVersion")
    demo.send("\x1b")
    assert requests_counted(demo.wait_for("6 API")) == requests


def test_q_quits_with_code_0_and_restores_the_terminal(demo: Terminal) -> None:
    demo.send("q")
    assert demo.wait_exit(timeout_s=5) == 0
    assert demo.terminal_restored()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_and_restore_the_terminal(demo: Terminal, number: int) -> None:
    demo.signal(number)
    demo.wait_exit(timeout_s=5)
    assert demo.terminal_restored()


def test_resizing_from_large_to_tiny_and_back_keeps_the_dashboard(demo: Terminal) -> None:
    for columns, rows in ((200, 60), (80, 24), (40, 10), (120, 40)):
        demo.resize(columns, rows)
        if columns == 40:
            demo.wait_for("50x12")
    demo.wait_for("1 Pipeline")
    demo.send("q")
    assert demo.wait_exit(timeout_s=5) == 0


def test_resizing_under_load_leaves_no_garbage() -> None:
    command = kdash_command("demo", "scale-storm", "--rate", "500", "--seed", "7", "--objects", "300")
    with Terminal(command, columns=200, rows=60) as terminal:
        terminal.wait_for("[LIVE]")
        for columns, rows in ((40, 10), (200, 60), (40, 10), (120, 40)):
            terminal.resize(columns, rows)
            terminal.wait_for("50x12" if columns == 40 else "1 Pipeline")
        terminal.send("p")  # what is left on the screen stays now
        screen = terminal.wait_for("[PAUSED")
        for pane in PANES:
            assert screen.count(f" {pane}") == 1, screen
        assert all(len(row.rstrip()) <= 120 for row in screen.split("\n"))
        terminal.send("q")
        assert terminal.wait_exit(timeout_s=5) == 0


def test_no_color_writes_no_colour(tmp_path: object) -> None:
    argv = kdash_command("demo", "calm", "--rate", "0", "--seed", "7")
    with Terminal(argv, columns=80, rows=24, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("[LIVE]")
        terminal.send("q")
        assert terminal.wait_exit(timeout_s=5) == 0
        assert not re.search(rb"\x1b\[[0-9;]*(38|48);2;(?!(\d+);\2;\2)", bytes(terminal.raw))
