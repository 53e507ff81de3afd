"""Plays scenarios with kdash and compares the traces with the goldens."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
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


class PatientServer(replay.ScenarioServer):
    """Refuses connections for as long as the scenario says from when the runner is up: how long Python takes to
    start is not part of the scenario. The runner removes the file `runner_comes`.
    """

    runner_comes: Path

    async def _listen_later(self, ms: int) -> None:
        while self.runner_comes.exists():
            await asyncio.sleep(0.005)
        await super()._listen_later(ms)


def races_a_thread(name: str) -> bool:
    """Whether its outcome hangs on a thread being scheduled before a server answers: such a one is played alone."""
    return any("index_delays" in each for each in json.loads(scenario_path(name).read_text())["informers"])


async def play(name: str, engine: str, stderr: Path | None = None) -> dict[str, Any]:
    """Run one scenario against the scripted server; returns its trace."""
    with tempfile.NamedTemporaryFile(prefix="kdash-golden-", delete=False) as mark:
        comes = Path(mark.name)
    runner = [sys.executable, str(HERE / "runner.py"), "--started", str(comes)]
    replay.ScenarioServer = type("Server", (PatientServer,), {"runner_comes": comes})
    try:
        return await replay.run_once(str(scenario_path(name)), runner, engine, stderr and str(stderr))
    finally:
        comes.unlink(missing_ok=True)


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
    alone = [pair for pair in every if races_a_thread(pair[1])]
    for engine, name in alone:
        await one(engine, name)
    await asyncio.gather(*(one(*pair) for pair in every if pair not in alone))
