"""A part of the simulation in every test run; `python -m tests.simulation` runs it at length."""

from __future__ import annotations

import pytest

from tests.simulation.world import ENGINES, Plan, play


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(12))
def test_a_seeded_history_breaks_no_invariant(seed: int, engine: str) -> None:
    play(Plan(seed, engine, steps=600))
