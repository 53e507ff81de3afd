"""Recording and replay in a terminal: begun by an option or in the palette, asked about on leaving, walked by keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kdash.probe.recording.reader import open_recording
from tests.e2e.terminal import Terminal, kdash_command
from tests.probe.recording.made import second, write

DEMO = ("demo", "calm", "--rate", "20", "--seed", "7", "--resync", "1s")


def clock_of(text: str) -> str:
    found = re.search(r"\[REPLAY (\d\d:\d\d:\d\d)", text)
    assert found, text
    return found[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.rec"


def recorded(path: Path) -> Path:
    """Some seconds of the demo, recorded on its dashboard."""
    with Terminal(kdash_command(*DEMO, "--record", str(path))) as terminal:
        terminal.wait_for(lambda text: "[LIVE]" in text and " REC " in text)
        terminal.wait_for(lambda text: re.search(r"ticks [2-9]", text))
        terminal.send("q")
        terminal.wait_for("end the recording and quit?")
        terminal.send("y")
        assert terminal.wait_exit(timeout_s=10) == 0
        assert terminal.terminal_restored()
    return path


def test_a_recorded_demo_is_walked_through_by_keys(path: Path) -> None:
    with Terminal(kdash_command("replay", str(recorded(path)), "--paused")) as terminal:
        terminal.wait_for("REPLAY ")
        terminal.send("}")
        first = terminal.wait_for(lambda text: "resync at" in text and "ticks 1" in text)
        terminal.send("}")
        terminal.wait_for("ticks 2")
        terminal.send("{")
        again = terminal.wait_for(lambda text: "ticks 1" in text)
        assert clock_of(again) == clock_of(first)
        terminal.send("r")
        terminal.wait_for("this is a recording: its resyncs are over")
        terminal.send("p")
        terminal.wait_for(lambda text: " 1x " in text.splitlines()[0])
        terminal.send(">")
        terminal.wait_for(lambda text: " 2x " in text.splitlines()[0])
        terminal.send(":at end\r")
        terminal.wait_for("paused 100%]")
        terminal.send("q")
        assert terminal.wait_exit(timeout_s=5) == 0
        assert terminal.terminal_restored()


def test_recording_begins_and_ends_in_the_palette(path: Path) -> None:
    with Terminal(kdash_command(*DEMO)) as terminal:
        terminal.wait_for("[LIVE]")
        terminal.send(f":record start {path}\r")
        terminal.wait_for(lambda text: " REC " in text)
        terminal.wait_for(lambda text: re.search(r"ticks [2-9]", text))
        terminal.send(":record stop\r")
        terminal.wait_for(lambda text: re.search(r"recorded \d+\.\d MB; `kdash replay ", text))
        terminal.wait_for(lambda text: " REC " not in text)
        terminal.send("q")
        assert terminal.wait_exit(timeout_s=5) == 0
    with Terminal(kdash_command("replay", str(path))) as terminal:
        terminal.wait_for(lambda text: "REPLAY " in text and "42 obj" in text)
        terminal.send("\x11")
        assert terminal.wait_exit(timeout_s=5) == 0


def test_leaving_while_it_goes_far_takes_less_than_a_second(path: Path) -> None:
    write(path, [second(number, 60) for number in range(200)])
    with Terminal(kdash_command("replay", str(path), "--paused")) as terminal:
        terminal.wait_for("REPLAY ")
        terminal.send(":at end\r")
        terminal.send("\x11")
        assert terminal.wait_exit(timeout_s=1.5) == 0


def test_a_file_that_is_no_recording_is_told_without_a_screen(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    for arguments in (("replay", str(notes)), ("demo", "--record", str(notes))):
        with Terminal(kdash_command(*arguments)) as terminal:
            assert terminal.wait_exit(timeout_s=10) in (1, 2)
            assert b"is no recording of kdash" in terminal.raw.replace(b"\r\n", b" ")
            assert b"Traceback" not in terminal.raw and b"\x1b[?1049h" not in terminal.raw
    assert notes.read_text() == "mine"


def test_a_full_disk_under_record_is_told_on_screen_and_at_the_end_and_what_was_recorded_opens(tmp_path: Path) -> None:
    path = tmp_path / "a.rec"
    command = " ".join(kdash_command("demo", "--rate", "200", "--record", str(path)))
    with Terminal(["sh", "-c", f"ulimit -f 64; exec {command}"]) as screen:
        screen.wait_for("REC failed")
        screen.wait_for("the recording has ended")
        screen.send("q")
        assert screen.wait_exit() == 1
        assert screen.terminal_restored()
        assert "kdash: the recording has ended: " in screen.text()
        assert "File too large" in screen.text().replace("\n", "")
    recording = open_recording(path)
    assert recording.parts and recording.damage == []
