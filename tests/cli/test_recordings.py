"""`kdash record`, and `snapshot` and `trace` on what it wrote."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_command_line import failed, kdash
from tests.probe.recording.made import second, write

DEMO = ("--demo", "--objects", "20", "--rate", "30", "--seed", "3", "--resync", "1s")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording of twelve seconds that begins at 22:13:20 UTC + 100 s."""
    return str(write(tmp_path_factory.mktemp("made") / "a.rec"))


def test_a_demo_is_recorded_without_a_screen(tmp_path: Path) -> None:
    path = str(tmp_path / "a.rec")
    result = kdash("record", path, "pods", "nodes", *DEMO, "--for", "3s")
    assert (result.returncode, result.stdout) == (0, "") and "kdash replay shows them" in result.stderr
    picture = json.loads(kdash("snapshot", "--from", path, "-o", "json").stdout)
    assert {each["name"] for each in picture["informers"]} == {"pods", "nodes"}
    assert picture["objects"] >= 20 and picture["resync"]["ticks"] >= 2 and picture["pipeline"]["watch_total"] > 20
    early = json.loads(kdash("snapshot", "--from", path, "--at", "1s", "-o", "json").stdout)
    assert early["mono"] < picture["mono"] and early["resync"]["ticks"] < picture["resync"]["ticks"]
    lines = [json.loads(line) for line in kdash("trace", "--from", path, "-o", "json").stdout.splitlines()]
    assert [line["number"] for line in lines] == list(range(len(lines))) and len(lines) > 20
    assert kdash("trace", "--from", path, "--count", "3").stdout.count("\n") == 3


def test_ctrl_c_ends_a_recording_regularly(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    command = [sys.executable, "-m", "kdash", "record", str(path), *DEMO]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while not path.exists() or path.stat().st_size < 3000:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert kdash("snapshot", "--from", str(path)).returncode == 0


def test_when_the_disk_is_full_the_command_says_so_and_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    limited = f"ulimit -f 64; exec {sys.executable} -m kdash record {path} {' '.join(DEMO)}"
    result = subprocess.run(["sh", "-c", limited], check=False, capture_output=True, text=True, timeout=60)
    assert f"the recording has ended: {path} cannot be written: File too large" in failed(result, 1)
    assert kdash("snapshot", "--from", str(path)).returncode == 0


def test_the_state_at_a_time(made: str) -> None:
    totals = {}
    for at in ("start", "2s", "50%", "1970-01-01T00:00:00", "end"):
        result = kdash("snapshot", "--from", made, "--at", at, "-o", "json", TZ="UTC")
        if at.startswith("1970"):
            wrong = failed(result, 2)
            assert "is not in this recording: it goes from 2023-11-14 22:15:00 to 2023-11-14 22:15:11" in wrong
        else:
            totals[at] = json.loads(result.stdout)["pipeline"]["watch_total"]
    assert totals == {"start": 0, "2s": 8, "50%": 24, "end": 48}
    clock = kdash("snapshot", "--from", made, "--at", "22:15:02", "-o", "json", TZ="UTC")
    assert json.loads(clock.stdout)["pipeline"]["watch_total"] == 8
    assert kdash("snapshot", "--from", made, "--advice").returncode == 0


def test_the_log_of_a_recording(made: str) -> None:
    out = kdash("trace", "--from", made, TZ="UTC").stdout.splitlines()
    watch = [line for line in out if " WATCH " in line]
    assert len(watch) == 48
    assert watch[0] == "22:15:00.000 WATCH   pods MODIFIED  dev/web-0  rv 1  queue 1.0ms  audit 1.0ms"


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (("snapshot", "--from", "{none}"), 1, "cannot be read: No such file"),
    (("snapshot", "--from", "{made}", "--demo"), 2, "--demo has no meaning"),
    (("snapshot", "--from", "{made}", "--at", "noon"), 2, "is no time of a recording"),
    (("snapshot", "--at", "1s"), 2, "--at needs --from"),
    (("trace", "pods", "--from", "{made}"), 2, "RESOURCE has no meaning"),
    (("trace", "--from", "{made}", "--for", "1s"), 2, "--for has no meaning"),
    (("trace", "--from", "{text}"), 1, "is no recording of kdash"),
    (("replay", "{text}"), 1, "is no recording of kdash"),
    (("replay", "{made}"), 2, "needs a terminal"),
    (("replay", "{made}", "--at", "9h"), 2, "is not in this recording"),
    (("record", "{text}", "--demo"), 2, "is no recording of kdash"),
    (("record", "{none}/a/b", "--demo"), 2, "cannot be written: No such file"),
    (("record",), 2, "FILE"),
])
def test_what_cannot_be_is_said_in_a_sentence(
    arguments: tuple[str, ...], code: int, words: str, made: str, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("mine\n" * 100)
    names = {"none": str(tmp_path / "none"), "made": made, "text": str(tmp_path / "notes")}
    assert words in failed(kdash(*(each.format(**names) for each in arguments)), code)
    assert (tmp_path / "notes").read_text() == "mine\n" * 100


def test_damage_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec", [second(number) for number in range(6)])
    path.write_bytes(path.read_bytes()[:-30])
    result = kdash("snapshot", "--from", str(path), "-o", "json")
    assert result.returncode == 0 and "it is cut off: its last" in result.stderr
    assert json.loads(result.stdout)["pipeline"]["watch_total"] == 20
