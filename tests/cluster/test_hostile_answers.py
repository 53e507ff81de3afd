"""Answers without an end: each is refused with a sentence, and memory stays."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cluster.hostile import BODIES

MOST = 128_000_000


@pytest.mark.parametrize("what", BODIES)
def test_an_answer_without_an_end_is_refused_within_128_mb(what: str) -> None:
    command = [sys.executable, "-m", "tests.cluster.hostile", what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    error, sentence, grown = json.loads(done.stdout)
    assert error != "NoneType" and error != "MemoryError" and "\n" not in sentence and len(sentence) < 500, done.stderr
    assert grown < MOST, f"{grown / 1e6:.0f} MB: {sentence}"
