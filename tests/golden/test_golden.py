"""The quick golden scenarios, on every engine (all of them: `python -m tests.golden all`)."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden.deviations import DEVIATIONS
from tests.golden.playing import ENGINES, HERE, differences, play_all, scenario_names, scenario_path

QUICK = [
    "basic-list-watch",
    "delete-unknown",
    "handler-removal",
    "late-join",
    "membership-decides",
    "paging-three-pages",
    "store-view",
    "wl-basic",
    "wrong-type-skipped",
]


@pytest.fixture(scope="module")
def played() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}

    def report(engine: str, name: str, trace: dict[str, Any], differences: list[str]) -> None:
        found[engine, name] = differences

    asyncio.run(play_all(dict.fromkeys(ENGINES, QUICK), 6, report))
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", QUICK)
def test_trace_equals_client_gos(played: dict[tuple[str, str], list[str]], name: str, engine: str) -> None:
    assert played[engine, name] == []


@pytest.mark.parametrize("start", [["-m", "tests.golden.runner"], [str(HERE / "runner.py")]])
def test_the_recordings_own_script_runs_it_either_way(start: list[str], tmp_path: Path) -> None:
    name, root = "basic-list-watch", HERE.parents[1]
    runner = shlex.join([sys.executable, *start])
    replay = [sys.executable, str(HERE / "replay.py"), "--runner", runner, "--engine", "delta"]
    trace = tmp_path / "trace.json"
    subprocess.run([*replay, str(scenario_path(name)), "-o", str(trace)], cwd=root, check=True, timeout=60)
    assert differences(name, "delta", json.loads(trace.read_text())) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_every_golden_has_its_scenario(engine: str) -> None:
    goldens = {path.stem for path in (HERE / "goldens" / engine).glob("*.json")}
    assert goldens == set(scenario_names(engine, long=True))
    assert goldens <= {path.stem for path in (HERE / "scenarios").glob("*.json")}


def test_deviations_name_existing_goldens() -> None:
    for engine, name in DEVIATIONS:
        assert (HERE / "goldens" / engine / f"{name}.json").exists()
