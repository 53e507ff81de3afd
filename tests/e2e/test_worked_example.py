"""README's "Why is my handler slow?": its command, its keys, and what they find."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.e2e.terminal import Terminal, kdash_command
from tests.e2e.test_quit import leaves_at_once

ROOT = Path(__file__).parents[2]
KEYS = "55a"


def command() -> list[str]:
    """What README says to type."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^1\. `kdash (demo .*handlers_example.*)`$", readme, re.MULTILINE)
    assert found, "README has no command for the worked example"
    return kdash_command(*shlex.split(found[1]))


def test_both_causes_are_found_in_under_ten_key_presses() -> None:
    assert len(KEYS) < 10
    with Terminal(command(), cwd=ROOT) as terminal:
        terminal.wait_for(re.compile(r"│ mine .* SLOW"))
        terminal.send(KEYS[:2])
        terminal.wait_for(re.compile(r"\d+% .*computes.* tests/e2e/handlers_example\.py:\d+ in fingerprint: "), 60)
        terminal.wait_for(re.compile(r"\d+% .*waits.* tests/e2e/handlers_example\.py:\d+ in ask_inventory: "), 60)
        terminal.wait_for(re.compile(r"OnAdd ran +\d+ +<(.*\n)*.*OnUpdate ran +\d+ +\d"), 60)  # quick, and slow
        terminal.send(KEYS[2:])
        terminal.wait_for(re.compile(r"handler mine of pods +\[never-drains\]"), 60)
        terminal.wait_for(lambda text: "goesintotests/e2e/handlers_example.py:" in re.sub(r"[\s┃]+", "", text), 60)
        leaves_at_once(terminal, "\x11")
