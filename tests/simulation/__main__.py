"""`python -m tests.simulation --seeds 1000 --steps 1000`: many seeded histories; a failing one replays alone with
`--seed N --engine E --steps M`."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import time

from tests.simulation.world import ENGINES, Plan, Violation, play


def _outcome(plan: Plan) -> str:
    logging.getLogger("kdash").setLevel(logging.CRITICAL + 1)  # handlers here throw on purpose, very often
    try:
        play(plan)
    except Violation as violation:
        return f"VIOLATION {violation}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, help="only this seed")
    parser.add_argument("--engine", choices=ENGINES, help="only this engine")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    seeds = range(given.seeds) if given.seed is None else (given.seed,)
    plans = [
        Plan(seed, engine, given.steps) for seed in seeds for engine in ([given.engine] if given.engine else ENGINES)
    ]
    began = time.monotonic()
    violations = 0
    with multiprocessing.Pool(min(given.processes, len(plans))) as pool:
        for outcome in pool.imap_unordered(_outcome, plans, chunksize=4):
            if outcome:
                violations += 1
                print(outcome, flush=True)
    took = time.monotonic() - began
    print(f"{len(plans)} histories of {given.steps} steps, {violations} violations, {took:.0f} s")
    return 1 if violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
