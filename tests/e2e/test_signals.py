"""Signals, a terminal that goes away, the shell's job control, and a crash: the terminal is always given back."""

from __future__ import annotations

import os
import pty
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal, kdash_command

DEMO = kdash_command("demo", "calm", "--rate", "5", "--seed", "7")


@pytest.mark.parametrize(("number", "code"), [
    (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131), (signal.SIGUSR1, 138),
])
@pytest.mark.parametrize("keys", ["", ":", "s"], ids=["live", "palette", "held"])
def test_a_signal_ends_it_with_its_own_exit_code(number: int, code: int, keys: str) -> None:
    with Terminal(DEMO) as terminal:
        terminal.wait_for("[LIVE]")
        terminal.send(keys)
        terminal.signal(number)
        assert terminal.wait_exit(timeout_s=10) == code
        assert terminal.terminal_restored()


@pytest.mark.parametrize("hears_the_hangup", [True, False])
def test_it_ends_when_its_terminal_is_gone(hears_the_hangup: bool) -> None:
    """Also when nobody tells it, because the shell that leads its session ignores the hang-up: it finds out itself."""
    pid, descriptor = pty.fork()
    if pid == 0:
        if not hears_the_hangup:
            os.execvpe("/bin/sh", ["/bin/sh", "-c", 'trap "" HUP; "$@"; exit $?', "sh", *DEMO], _environment())
        os.execvpe(DEMO[0], DEMO, _environment())
    seen = bytearray()
    while b"LIVE" not in seen:
        seen += os.read(descriptor, 65536)
    ended: list[int] = []
    waiter = threading.Thread(target=lambda: ended.append(os.waitpid(pid, 0)[1]), daemon=True)
    os.close(descriptor)
    waiter.start()
    waiter.join(15)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    assert ended, "it still ran 15 s after its terminal was gone"


def _environment() -> dict[str, str]:
    return dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8")


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back() -> None:
    with Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], env={"PS1": "shell> "}) as terminal:
        terminal.wait_for("shell>")
        terminal.send(" ".join(DEMO) + "\r")
        terminal.wait_for("[LIVE]")
        terminal.send("\x1a")
        terminal.wait_for("Stopped")
        terminal.send("fg\r")
        terminal.wait_for("[LIVE]")
        terminal.send("?")
        terminal.wait_for("Help: keys")
        terminal.send("\x11")
        terminal.wait_for(lambda _: bytes(terminal.raw).rstrip().endswith(b"shell>"))
        assert terminal.terminal_restored()
        terminal.send("exit\r")
        terminal.wait_exit(timeout_s=10)


def test_sigstop_and_sigcont_start_no_second_reader_of_the_terminal() -> None:
    """Two would take each other's keys, and the first one would never end."""
    with Terminal(DEMO) as terminal:
        terminal.wait_for("[LIVE]")
        threads = Path(f"/proc/{terminal._pid}/task")
        before = {each.name for each in threads.iterdir()} if threads.is_dir() else set()
        terminal.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, terminal._pid, os.WSTOPPED | os.WNOWAIT)
        at = len(terminal.raw)
        terminal.signal(signal.SIGCONT)
        terminal.wait_for(lambda _: b"\x1b[?1049h" in bytes(terminal.raw[at:]))  # it has the terminal again
        if before:
            assert {each.name for each in threads.iterdir()} - before == set()
        terminal.send("?")
        terminal.wait_for("Help: keys")
        terminal.send("\x11")
        assert terminal.wait_exit(timeout_s=10) == 0
        assert terminal.terminal_restored()


def test_a_flood_of_keys_delays_neither_quitting_nor_a_terminal_that_goes_away() -> None:
    with Terminal(DEMO) as terminal:
        terminal.wait_for("[LIVE]")
        for _ in range(25):
            terminal.send("j" * 4_000)
        terminal.send("\x11")
        assert terminal.wait_exit(timeout_s=10) == 0
        assert terminal.terminal_restored()


CRASHING = """
import sys
from kdash.ui import app
from kdash.cli.app import run
frames = []
draw = app.KdashApp.frame
def frame(self):
    draw(self)
    frames.append(1)
    if len(frames) == 8:
        token = "eyJhbGciOiJSUzI1NiJ9.secretsecretsecret"
        raise RuntimeError("lost the way with Authorization: Bearer " + token + " and password=hunter2")
app.KdashApp.frame = frame
sys.exit(run(["demo", "calm", "--seed", "7"]))
"""


def test_a_crash_restores_the_terminal_and_leaves_a_report_without_secrets(tmp_path: Path) -> None:
    script = tmp_path / "crashing.py"
    script.write_text(CRASHING)
    env = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    with Terminal([sys.executable, str(script)], env=env) as terminal:
        assert terminal.wait_exit(timeout_s=20) == 1
        assert terminal.terminal_restored()
        after = bytes(terminal.raw).rpartition(b"\x1b[?1049l")[2].decode()
    assert "internal error (RuntimeError" in after and "Traceback" not in after and "locals" not in after
    (report,) = (tmp_path / "state" / "kdash" / "crashes").iterdir()
    assert report.name in after.replace("\r\n", "")
    assert report.stat().st_mode & 0o077 == 0
    text = report.read_text()
    assert "in frame" in text and "RuntimeError: lost the way" in text
    for secret in ("eyJhbGciOiJSUzI1NiJ9", "hunter2", "secretsecret"):
        assert secret not in text and secret not in after
