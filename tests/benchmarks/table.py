"""Figures to a table in markdown, and that table into README.md."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import kdash

__all__ = ["Figure", "markdown", "write_readme"]

FIRST, LAST = "<!-- figures -->", "<!-- /figures -->"
README = Path(__file__).parents[2] / "README.md"
COMMAND = "python -m tests.benchmarks"


@dataclass(frozen=True)
class Figure:
    """Median, minimum and maximum of some measurements."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        return cls(statistics.median(values), min(values), max(values))

    def text(self, write: Callable[[float], str]) -> str:
        """`median (minimum–maximum)`, the brackets left out when there is nothing between them."""
        low, high = write(self.lowest), write(self.highest)
        return write(self.median) if low == high else f"{write(self.median)} ({low}–{high})"


Lookup = Callable[..., "Figure | None"]


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def megabytes(value: float) -> str:
    return f"{value / 1e6:.0f} MB"


def rate(value: float) -> str:
    return f"{value:,.0f}/s"


def markdown(lookup: Lookup, sizes: Sequence[int], rounds: int) -> str:
    """The whole table with its date, machine and versions."""
    rows: list[tuple[str, list[str]]] = []

    def row(name: str, cells: list[str]) -> None:
        if any(cell != "–" for cell in cells):
            rows.append((name, cells))

    def each(write: Callable[[float], str], *key: str) -> list[str]:
        return [_text(lookup(*key, size), write) for size in sizes]

    def ratios(one: str, other: str, what: str) -> list[str]:
        return [_ratio(lookup(one, what, size), lookup(other, what, size)) for size in sizes]

    row("P1 first sync: kdash", each(seconds, "kdash", "wall_s"))
    row("… its CPU", each(seconds, "kdash", "cpu_s"))
    row("… the other informer", each(seconds, "versus", "wall_s"))
    row("… its CPU", each(seconds, "versus", "cpu_s"))
    row("… kdash to the other, wall (≤ 1.0)", ratios("kdash", "versus", "wall_s"))
    row("… kdash to the other, CPU (≤ 1.0)", ratios("kdash", "versus", "cpu_s"))
    row("P2, P7 resident memory: kdash (100,000: ≤ 200 MB)", each(megabytes, "kdash", "resident"))
    row("… at the peak", each(megabytes, "kdash", "peak"))
    row("… the other informer", each(megabytes, "versus", "resident"))
    row("… kdash to the other (≤ 0.35)", ratios("kdash", "versus", "resident"))
    row("… the official Python informer", each(megabytes, "official", "resident"))
    row("… kdash to it (≤ 0.06)", ratios("kdash", "official", "resident"))
    row("P3 first sync: the official Python informer", each(seconds, "official", "wall_s"))
    row("… kdash is faster by (≥ 9)", ratios("official", "kdash", "wall_s"))
    row("P6 resync wave (100,000: ≤ 1 s)", each(seconds, "wave"))
    row("… API requests (0)", each(lambda value: f"{value:.0f}", "wave requests"))
    row("P13 CPU of the sync an object", [_per(lookup("kdash", "cpu_s", size), size) for size in sizes])
    lines = [_line("", [f"{size:,} pods of 2 kB" for size in sizes]), _line("---", ["---"] * len(sizes))]
    lines += [_line(name, cells) for name, cells in rows]
    blocks = [_heading(rounds), "\n".join(lines), _storm(lookup)]
    soak = lookup("soak")
    if soak is not None:
        share = (soak.highest - soak.lowest) / soak.lowest * 100
        text = soak.text(megabytes)
        blocks.append(f"P13 resident memory under a lasting storm: {text}, {share:.1f} % apart (≤ 5 %).")
    return "\n\n".join(blocks)


def _storm(lookup: Lookup) -> str:
    names = {
        "none": "kdash, no tap", "ring": "kdash, tap on", "recorder": "kdash, tap and recorder, as the dashboard",
        "official": "the official Python informer",
    }  # fmt: skip
    lines = [_line("P4 watch events to one handler", ["2 kB (≥ 25,000/s)", "CPU", "8 kB (≥ 15,000/s)", "CPU"]),
             _line("---", ["---"] * 4)]  # fmt: skip
    for who, name in names.items():
        cells = []
        for size in (2048, 8192):
            cells.append(_text(lookup("events/s", who, size), rate))
            cells.append(_text(lookup("CPU µs an event", who, size), lambda value: f"{value:.0f} µs"))
        lines.append(_line(name, cells))
    for who, name in (("ring", "P5 what the tap costs (≤ 15 %)"), ("recorder", "… tap and recorder")):
        costs = [_cost(lookup("CPU µs an event", who, size), lookup("CPU µs an event", "none", size))
                 for size in (2048, 8192)]  # fmt: skip
        lines.append(_line(name, ["", costs[0], "", costs[1]]))
    return "\n".join(lines)


def _heading(rounds: int) -> str:
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    versions = f"kdash {kdash.__version__}, kubernetes {importlib.metadata.version('kubernetes')}"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return (
        f"`{COMMAND}`, {day}: {machine}; {versions}. Median of {rounds} after one warm-up (3 for 100,000 pods, fewer "
        "for the slow ones), minimum and maximum in brackets; plain HTTP to the embedded server in another process. "
        "The Python informers are measured without their imports, another one with its start."
    )


def _line(name: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"


def _text(figure: Figure | None, write: Callable[[float], str]) -> str:
    return "–" if figure is None else figure.text(write)


def _ratio(one: Figure | None, other: Figure | None) -> str:
    return "–" if one is None or other is None or not other.median else f"{one.median / other.median:.2g}×"


def _cost(with_it: Figure | None, without: Figure | None) -> str:
    if with_it is None or without is None or not without.median:
        return "–"
    return f"{(with_it.median / without.median - 1) * 100:.0f} %"


def _per(figure: Figure | None, size: int) -> str:
    return "–" if figure is None else f"{figure.median / size * 1e6:.0f} µs"


def write_readme(text: str) -> None:
    """Put the table between the marks; without marks, into a section of its own before the last heading."""
    page = README.read_text()
    block = f"{FIRST}\n{text}\n{LAST}"
    if FIRST in page and LAST in page:
        before, _, rest = page.partition(FIRST)
        page = before + block + rest.partition(LAST)[2]
    else:
        at = page.rindex("\n## ") + 1
        page = f"{page[:at]}## How fast\n\n{block}\n\n{page[at:]}"
    README.write_text(page)
