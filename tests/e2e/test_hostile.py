"""100,000 hostile names, labels and annotations: none of their escape sequences reaches the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdash.demo import ApiServer
from tests.e2e.terminal import Terminal, kdash_command

COUNT = 100_000
POISON = ("\x1b]0;pwned\x07", "\x1b[6667m", "\x1b[2;6667H", "\x9b6667m", "\x1bP6667q\x1b\\", "[/]", "[red]x[/b]",
          "[@click=app.quit]x[/]", "\u202e6667\u202c", "a\rb\nc\td", "\x07\x08\x7f", "漢字漢字",
          "👨‍👩‍👧⚠️1️⃣", "é\u0301\u0301",
          "\x1b[?1049l", "\x1bc", "\x1b]52;c;cHduZWQ=\x07", "\ud7ff\ufeff\u2028")
MARKS = (b"\x1b]0;", b"\x1b]52", b"\x1b[6667", b"\x1b[2;6667", b"\x1bP6667", b"\x1bc", b"\x07\x08", b"\x7f",
         b"\xc2\x9b", "\u202e".encode(), "\u2028".encode())
"""What a sequence that got through would leave in the output."""
KNOWN = re.compile(rb"\x1b(?:\[[<>=?]?[0-9;:]*[$ ]?[A-Za-z]|\][0-9;]*[^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78M])")
STEPS = (
    ("jjj\r", "apiVersion", ""), ("d", "is the first version", "apiVersion"), ("\x1b", "1 Pipeline", "first version"),
    ("G", "099", ""), ("/", "filter objects", ""), ("[/]\r", "match /[/]", "filter objects"),
    ("\x1b", "1 Pipeline", "match /"), ("7kkk", "follow off", ""), (":", "clear peak", ""),
    ("\x1b", "1 Pipeline", "clear peak"), ("i", "Explain", ""), ("\x1b", "1 Pipeline", "Explain"),
)
"""Keys, what then stands on the screen, and what no longer does."""


def hostile_pods() -> Iterator[dict[str, Any]]:
    for number in range(COUNT):
        poison = POISON[number % len(POISON)]
        long = poison * (64_000 // len(poison)) if number % 9973 == 0 else poison
        yield {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": f"{poison}{number:06}", "namespace": f"ns-{number % 7}{POISON[number % 5]}",
                "uid": f"u{number}", "labels": {"app": poison}, "annotations": {"note": long},
            },
            "spec": {"nodeName": poison, "containers": [{"name": poison, "image": poison}]},
            "status": {"phase": poison, "reason": poison, "podIP": poison},
        }


def test_no_escape_sequence_of_100_000_hostile_objects_reaches_the_terminal(tmp_path: Path) -> None:
    server = ApiServer(objects=0, rate=0.0, seed=1)
    server.storage.load("pods", list(hostile_pods()))
    with server:
        path = server.write_kubeconfig(tmp_path / "config")
        command = kdash_command("pods", "-A", "--kubeconfig", str(path), "--handler", "audit", "--resync", "0")
        with Terminal(command, columns=120, rows=40) as terminal:
            terminal.wait_for(re.compile(r"\[LIVE\].*100000 obj"), timeout_s=90)
            for keys, seen, gone in STEPS:
                terminal.send(keys)
                terminal.wait_for(lambda text, seen=seen, gone=gone: (  # type: ignore[misc]
                    seen in text and (not gone or gone not in text)))
            terminal.resize(200, 60)
            terminal.wait_for("Inspect")
            assert "pane error" not in terminal.text()
            terminal.send("q")
            assert terminal.wait_exit(timeout_s=10) == 0
            raw = bytes(terminal.raw)
    for mark in MARKS:
        assert mark not in raw, mark
    left = KNOWN.sub(b"", raw)
    assert b"\x1b" not in left, left[left.find(b"\x1b") - 40 : left.find(b"\x1b") + 40]
    commands = set(re.findall(rb"\x1b\][^\x07\x1b]*", raw))
    assert commands <= {b"\x1b]22;default"}, "only the shape of the pointer is set"
