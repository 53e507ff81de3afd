"""Plays scenarios with kdash and compares the traces with the goldens."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.golden import compare, replay

HERE = Path(__file__).parent
ENGINES = ("delta", "real", "real-atomic")
LONG_MS = 60_000
SLACK_MS = 250
EARLY_MS = 60


def scenario_path(name: str) -> Path:
    return HERE / "scenarios" / f"{name}.json"


def scenario_names(engine: str, long: bool = False) -> list[str]:
    """The scenarios that have a golden for `engine`; those of minutes only with `long`."""
    names = []
    for path in sorted((HERE / "goldens" / engine).glob("*.json")):
        scenario = json.loads(scenario_path(path.stem).read_text())
        if long or scenario["end"]["max_ms"] < LONG_MS:
            names.append(path.stem)
    return names


def races_the_start(name: str) -> bool:
    """Whether the server does something at a time of its own that the runner's start must not miss."""
    return "refuse_at_start_ms" in json.loads(scenario_path(name).read_text())["server"]


async def play(name: str, engine: str, stderr: Path | None = None) -> dict[str, Any]:
    """Run one scenario against the scripted server; returns its trace."""
    runner = [sys.executable, str(HERE / "runner.py")]
    return await replay.run_once(str(scenario_path(name)), runner, engine, stderr and str(stderr))


def differences(name: str, engine: str, trace: dict[str, Any]) -> list[str]:
    """What sets the trace apart from the golden; empty when they are equal."""
    golden = json.loads((HERE / "goldens" / engine / f"{name}.json").read_text())
    found = compare.Comparison(golden, trace, SLACK_MS, EARLY_MS).run()
    if trace["timed_out"]:
        found.insert(0, "trace: the end condition was not reached in time")
    return found


async def play_all(names: dict[str, list[str]], jobs: int, report: Any, stderr: Path | None = None) -> None:
    """Play `{engine: [scenario]}`, `jobs` at a time; calls `report(engine, name, trace, differences)` as each
    ends.
    """
    limit = asyncio.Semaphore(jobs)

    async def one(engine: str, name: str) -> None:
        async with limit:
            log = stderr and stderr / f"{engine}-{name}.log"
            trace = await play(name, engine, log)
            report(engine, name, trace, differences(name, engine, trace))

    every = [(engine, name) for engine, each in names.items() for name in each]
    hasty = [pair for pair in every if races_the_start(pair[1])]
    for engine, name in hasty:
        await one(engine, name)
    await asyncio.gather(*(one(*pair) for pair in every if pair not in hasty))
