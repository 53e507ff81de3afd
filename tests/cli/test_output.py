"""What the command line writes: one gate, no escapes, no forged lines, and streams that take nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import kdash
from kdash.cli.output import columns, json_text
from tests.cli.test_command_line import kdash as run
from tests.cli.test_command_line import kubeconfig
from tests.probe.recording.made import SECONDS, second, write

HOSTILE = "a\x1b]0;owned\x07\x9b31m\u202egpj\u2028b\nkdash: all is well\r\x7f"


def hostile(value: Any) -> Any:
    """Names and texts with what a terminal would obey."""
    if isinstance(value, str):
        return value + HOSTILE if value in ("audit", "made", "why", "pods", "v1") or "/" in value else value
    if type(value) in (list, tuple):
        return type(value)(map(hostile, value))
    return value._replace(key=hostile(value.key), informer=hostile(value.informer)) if hasattr(value, "key") else value


def is_one_line_each(text: str) -> bool:
    """Nothing but printable lines, none of them forged."""
    return all(line.isprintable() for line in text.split("\n")) and not any(
        line.startswith("kdash: all is well") for line in text.split("\n"))  # fmt: skip


@pytest.fixture(scope="module")
def crafted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording whose names and texts hold escapes, in a file whose name does too, and that is cut off."""
    seconds = [hostile(second(number)) for number in range(SECONDS)]
    seconds[0].append(("n", 100.63, HOSTILE, "ERROR", False))
    path = write(tmp_path_factory.mktemp("made") / HOSTILE.replace("/", ""), seconds)
    with path.open("ab") as file:
        file.write(b"cut off")
    return str(path)


@pytest.mark.parametrize("command", [
    ("trace", "--from"), ("snapshot", "--from"), ("snapshot", "--advice", "--from"), ("trace", "-o", "json", "--from"),
    ("snapshot", "-o", "json", "--from"), ("snapshot", "--advice", "-o", "json", "--from"), ("replay",),
    ("snapshot", "--from", "/nowhere/"),
], ids=" ".join)  # fmt: skip
def test_no_command_writes_what_a_recording_says_to_the_terminal_as_it_is(
    crafted: str, command: tuple[str, ...]
) -> None:
    result = run(*command[:-1], command[-1] + crafted) if command[-1].endswith("/") else run(*command, crafted)
    assert result.stdout + result.stderr
    assert is_one_line_each(result.stdout) and is_one_line_each(result.stderr)


@pytest.mark.parametrize("command", ["trace", "snapshot", "doctor", "info", "pods", "bench"])
def test_no_command_writes_what_a_kubeconfig_or_an_argument_says_as_it_is(tmp_path: Path, command: str) -> None:
    config = kubeconfig(tmp_path, '"http://127.0.0.1:1/\\e[31m"', '"\\e]0;owned\\a\\nkdash: all is well"')
    for arguments in ((), (HOSTILE,), ("--context", HOSTILE), ("--kubeconfig", HOSTILE), ("--theme", HOSTILE)):
        result = run(command, *arguments, KUBECONFIG=str(config))
        assert is_one_line_each(result.stdout) and is_one_line_each(result.stderr)


def test_only_the_gate_writes() -> None:
    """A command that prints by itself, with click or into a standard stream, fails here."""
    folder = Path(kdash.__file__).parent / "cli"
    bypasses = [f"{path.name}:{line} {what}" for path in sorted(folder.rglob("*.py")) if path.name != "output.py"
                for line, what in writes(path.read_text())]
    assert bypasses == []


def test_what_counts_as_writing() -> None:
    bad = ["print(1)", "import click\nclick.echo(1)", "from click import echo", "import sys\nsys.stdout.write('')",
           "from sys import stderr", "import os\nos.write(1, b'')", "import sys as s\nout = s.stderr", "import pprint",
           "import click\nclick.secho('')", "open('/dev/stdout', 'w')", "import rich", "import traceback",
           "import sys\nsys.__stdout__.write('')", "import warnings"]  # fmt: skip
    assert [text for text in bad if not list(writes(text))] == []
    assert not list(writes("import sys, os\nsys.stdout.isatty() or sys.stdout.encoding\nos.environ"))


def writes(source: str) -> list[tuple[int, str]]:
    """Where a module of the command line could write to a standard stream."""
    asked = set()
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ("isatty", "encoding"):
            asked.add(node.value)
        names: list[str] = []
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = [f"{getattr(node, 'module', '') or ''}.{alias.name}".lstrip(".") for alias in node.names]
        elif isinstance(node, ast.Attribute) and node not in asked:
            names = [f".{node.attr}"] if node.attr not in ("write", "writev") else [ast.unparse(node)]
        elif isinstance(node, ast.Name):
            names = [node.id]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
        found += [(node.lineno, name) for name in names if is_a_way_out(name)]
    return found


def is_a_way_out(name: str) -> bool:
    last = name.split(".")[-1]
    return (
        last in ("echo", "secho", "echo_via_pager", "stdout", "stderr", "__stdout__", "__stderr__", "print", "pprint",
                 "progressbar", "StreamHandler", "basicConfig")
        or name in ("os.write", "os.writev", "rich", "traceback", "warnings", "/dev/stdout", "/dev/stderr", "/dev/tty")
    )  # fmt: skip


def test_json_is_escaped_and_complete() -> None:
    value = {"text": HOSTILE + "\U000e0041 Grüße \ud800"}
    text = json_text(value, indent=2)
    assert json.loads(text) == value and "Grüße" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_cell_stays_in_its_row() -> None:
    lines = columns(("A", "B"), [(HOSTILE, 1), ("b", 2)])
    assert len(lines) == 3 and len({len(line) for line in lines[1:]}) == 1


def test_log_records_and_threads_that_end_pass_the_gate() -> None:
    program = f"""
import logging, threading
from kdash.cli.output import prepare
prepare()
logging.getLogger("x").warning("%s", {HOSTILE!r})
def fail(): raise ValueError({HOSTILE!r})
try: fail()
except ValueError: logging.getLogger("x").exception("it failed")
thread = threading.Thread(target=fail, name={HOSTILE!r})
thread.start()
thread.join()
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "" and result.stderr.count("Traceback") == 2
    assert all(line.isprintable() for line in result.stderr.split("\n"))


OUTPUT = "kdash: the output cannot be written: "


@pytest.mark.parametrize(("redirection", "sentence"), [
    (">/dev/full", "No space left on device"), (">&-", "stdout is closed"),
    (">/dev/full <&-", "No space left on device"),
    ("<&- >&-", "stdout is closed"),
])  # fmt: skip
@pytest.mark.parametrize(
    "command", ["--version", "--help", "info", "snapshot --help", "snapshot --from", "trace --from", "doctor --offline"]
)
def test_output_that_cannot_be_written_is_one_sentence(
    crafted: str, command: str, redirection: str, sentence: str
) -> None:
    script = f'exec "$0" -m kdash {command} {redirection}'.replace("--from", '--from "$1"')
    result = subprocess.run(["sh", "-c", script, sys.executable, crafted], capture_output=True, text=True,
                            timeout=60, check=False)  # fmt: skip
    assert (result.returncode, result.stdout) == (1, "")
    told = [line for line in result.stderr.splitlines() if "it is cut off" not in line]
    assert told == [OUTPUT + sentence]


def test_closed_streams_are_not_taken_by_files_and_a_closed_stderr_ends_nothing(crafted: str) -> None:
    script = 'exec "$0" -m kdash snapshot --from "$1" 2>&-'
    result = subprocess.run(["sh", "-c", script, sys.executable, crafted], capture_output=True, text=True,
                            timeout=60, check=False)  # fmt: skip
    assert result.returncode == 0 and result.stdout.startswith("made") and result.stderr == ""
    dashboard = subprocess.run(["sh", "-c", '"$0" -m kdash replay "$1" <&- >&-', sys.executable, crafted],
                               capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert dashboard.returncode == 2 and "needs a terminal" in dashboard.stderr.splitlines()[-1]


def test_a_reader_that_leaves_is_no_error(crafted: str) -> None:
    process = subprocess.Popen([sys.executable, "-m", "kdash", "trace", "--from", crafted], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert "BrokenPipe" not in process.stderr.read() and process.wait(60) == 0
