"""What users of informers ran into: memory at the start and at a relist."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.users.memory_play import PODS


@pytest.fixture(scope="module")
def held() -> dict[str, int]:
    """Bytes held by a process with an informer on 5,000 pods."""
    play = [sys.executable, "-m", "tests.users.memory_play"]
    said = subprocess.run(play, capture_output=True, text=True, timeout=120, check=True).stdout
    return json.loads(said)


def test_users_25_the_peak_of_the_start_is_at_most_twice_what_stays(held: dict[str, int]) -> None:
    assert held["objects"] == PODS
    assert 0 < held["steady"] <= held["peak"] <= 2 * held["steady"]


def test_users_24_a_relist_does_not_double_the_memory(held: dict[str, int]) -> None:
    assert held["peak_after_relist"] <= 2 * held["steady"]
    assert held["steady_after_relist"] <= 1.2 * held["steady"], "the old objects are let go"
