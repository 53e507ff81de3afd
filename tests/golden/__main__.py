"""`python -m tests.golden all|NAME… [--engine E] [-j N] [--long]`: what kdash does against what client-go
did.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.golden.deviations import DEVIATIONS
from tests.golden.playing import ENGINES, play_all, scenario_names


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="scenarios, or `all`")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="default: all three")
    parser.add_argument("-j", "--jobs", type=int, default=4, help="scenarios at a time (default 4)")
    parser.add_argument("--long", action="store_true", help="with `all`: also scenarios that take minutes")
    parser.add_argument("--traces", type=Path, help="directory for the traces and the runners' logs")
    args = parser.parse_args()
    chosen: dict[str, list[str]] = {}
    known = {engine: scenario_names(engine, long=True) for engine in args.engine or ENGINES}
    if args.names != ["all"] and (unknown := set(args.names).difference(*known.values())):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    for engine, names in known.items():
        wanted = scenario_names(engine, args.long) if args.names == ["all"] else args.names
        chosen[engine] = [name for name in wanted if name in names]
    found: dict[tuple[str, str], list[str]] = {}
    if args.traces:
        args.traces.mkdir(parents=True, exist_ok=True)

    def report(engine: str, name: str, trace: dict[str, Any], differences: list[str]) -> None:
        found[engine, name] = differences
        if args.traces:
            (args.traces / f"{engine}-{name}.json").write_text(json.dumps(trace, indent=1))
        if differences:
            word = "deviates" if (engine, name) in DEVIATIONS else "DIFFERS"
            print(f"{word} {engine} {name}", *differences, sep="\n     ", flush=True)

    asyncio.run(play_all(chosen, args.jobs, report, args.traces))
    defects = 0
    for engine, names in chosen.items():
        different = [name for name in names if found[engine, name]]
        deliberate = [name for name in different if (engine, name) in DEVIATIONS]
        defects += len(different) - len(deliberate)
        apart = f", {len(deliberate)} deliberately different" if deliberate else ""
        print(f"{engine}: {len(names) - len(different)} of {len(names)} equal{apart}")
        for name in deliberate:
            print(f"     {name}: {DEVIATIONS[engine, name]}")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
