"""`--handler mine=module:callable`, `--metrics` and `snapshot --advice`, as real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

DEMO = ("--demo", "--objects", "20", "--rate", "0", "--seed", "3")

HANDLERS = """
import sys, threading

def counts(event):
    pass

def hangs(event):
    threading.Event().wait()

def exits(event):
    sys.exit(5)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "app" / "handlers.py").write_text(HANDLERS)
    return tmp_path


def kdash(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kdash", *arguments], capture_output=True, text=True, timeout=90,
                          cwd=folder, check=False)  # fmt: skip


def test_several_handlers_of_the_working_directory_are_called(folder: Path) -> None:
    result = kdash(folder, "snapshot", *DEMO, "-o", "json", "--handler", "mine=app.handlers:counts,resync=30s,slow=1s",
                   "--handler", "audit")  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    picture = json.loads(result.stdout)
    mine = picture["handlers"][0]
    assert (mine["name"], mine["code"], mine["slow_limit_s"]) == ("mine", "app.handlers:counts", 1.0)
    assert mine["adds"] == picture["objects"] > 0
    assert picture["resync"]["hands"][0]["asked_s"] == 30.0


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("mine=app.nothing:f", "there is no module app.nothing"),
        ("mine=app.handlers:nothing", "app.handlers has no nothing"),
        ("mine=app.handlers:sys", "is a module"),
        ("mine=app.handlers:counts,resync=x", "no duration"),
    ],
)
@pytest.mark.parametrize("command", [("snapshot", "--demo"), ("trace", "--demo"), ("demo",), ()])
def test_a_handler_that_cannot_be_is_one_sentence_and_exit_code_2(
    folder: Path, command: tuple[str, ...], spec: str, words: str
) -> None:
    if command != ("snapshot", "--demo") and "nothing:f" not in spec:
        spec, words = "mine=app.nothing:f", "there is no module app.nothing"
    result = kdash(folder, *command, "--handler", spec)
    assert result.returncode == 2, result
    assert words in result.stderr and result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_a_hanging_and_an_exiting_handler_do_no_harm(folder: Path) -> None:
    result = kdash(folder, "snapshot", *DEMO, "-o", "json", "--handler", "hangs=app.handlers:hangs", "--handler",
                   "exits=app.handlers:exits", "--handler", "audit")  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    hangs, exits, audit = json.loads(result.stdout)["handlers"]
    assert hangs["calls"] == 0 and hangs["running"]["callback"] == "OnAdd"
    assert exits["errors"] >= 1 and exits["last_error"].endswith("SystemExit: 5")
    assert audit["synced"] is True


def test_advice_names_the_slow_handler_and_quiet_ones_get_none(folder: Path) -> None:
    quiet = kdash(folder, "snapshot", *DEMO, "--advice", "--for", "1s")
    assert (quiet.returncode, quiet.stdout) == (0, "nothing is wrong, as far as these figures tell\n")
    slow = kdash(folder, "snapshot", *DEMO, "--advice", "--for", "2s", "--resync", "1s", "--handler",
                 "slow=sleep:100ms", "-o", "json")  # fmt: skip
    assert slow.returncode == 0
    assert "resync-too-long" in [each["rule"] for each in json.loads(slow.stdout)]


def test_metrics_are_served_on_the_loopback_while_it_runs(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kdash", "trace", *DEMO, "--metrics", "0"], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        match = re.fullmatch(r"metrics: (http://127\.0\.0\.1:\d+/metrics)", process.stderr.readline().strip())
        assert match is not None
        with urllib.request.urlopen(match[1], timeout=20) as answer:
            assert b"informer_queued_items" in answer.read()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
