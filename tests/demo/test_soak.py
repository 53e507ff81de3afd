"""The soak in short: 20,000 events, a fault every 500; `python -m tests.demo.soak` is the long one."""

from __future__ import annotations

import pytest

from tests.demo.soak import soak


@pytest.mark.parametrize("seed", [1, 2])
def test_the_cache_is_the_storage_after_many_events_and_faults(seed: int) -> None:
    said: list[str] = []
    soak(20_000, 500, seed, said.append)
    assert said[-1].startswith("cache == storage")
