"""`kdash trace [RESOURCE…]`: one line an event on stdout, for pipes and screen readers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from kdash.cli.options import (
    cluster_options,
    core_options,
    demo_options,
    duration_option,
    from_option,
    given,
    resource_arguments,
)
from kdash.cli.output import write_json, write_lines
from kdash.cli.replaying import open_file, refuse_with
from kdash.cli.waiting import check

if TYPE_CHECKING:
    from kdash.observe.live import LiveObservation
    from kdash.probe.events import EventLine

__all__ = ["trace"]

_POLL_S = 0.05
_SETTLE_S = 0.3  # a watch line tells what became of its event: give the handlers this long to be done


@click.command()
@resource_arguments
@cluster_options
@core_options
@demo_options
@click.option("-o", "--output", type=click.Choice(["plain", "json"]), default="plain", show_default=True)
@click.option("--demo", is_flag=True, help="Observe the embedded demo server instead of a cluster.")
@from_option
@duration_option("--for", "for_s", help="Stop after this long.")
@click.option("--count", type=click.IntRange(min=1), default=None, help="Stop after this many lines.")
def trace(
    output: str, demo: bool, for_s: float | None, count: int | None, from_file: str | None, **values: Any
) -> int:
    """Print what happens to RESOURCEs (default: pods), one line an event, until ctrl+c."""
    if for_s is not None and count is not None:
        raise click.UsageError("--for and --count exclude each other; give one of them")
    write = _write_json if output == "json" else _write_plain
    if from_file is not None:
        refuse_with(from_file, {"--demo": demo, "--for": for_s, "RESOURCE": _named(values)})
        _print(islice(open_file(from_file).lines(), count), write)
        return 0
    options = given(values)
    observation = options.open_demo(quiet=True) if demo else options.open_cluster(quiet=True)
    observation.start()
    try:
        _print(_follow(observation, for_s, count), write)
    finally:
        observation.stop()
    return 0


def _named(values: dict[str, Any]) -> bool:
    """Whether the user named resources."""
    ctx = click.get_current_context()
    return ctx.get_parameter_source("resources") is ParameterSource.COMMANDLINE and bool(values["resources"])


def _print(lines: Iterator[EventLine], write: Any) -> None:
    try:
        for line in lines:
            write(line)
    except BrokenPipeError:  # the reader has seen enough
        return


def _follow(observation: LiveObservation, for_s: float | None, count: int | None) -> Iterator[EventLine]:
    pause = threading.Event()
    until = None if for_s is None else observation.now() + for_s
    following, written = 0, 0
    while True:
        over = until is not None and observation.now() >= until
        settled = observation.now() - (0 if over else _SETTLE_S)
        following = max(following, observation.events.first)
        while following < observation.events.total:
            line = observation.events.line(following)
            if line is not None:
                if line.at > settled:
                    break
                yield line
                written += 1
                if written == count:
                    return
            following += 1
        if over:
            return
        check(observation)
        pause.wait(_POLL_S)


def _write_plain(line: EventLine) -> None:
    at = time.strftime("%H:%M:%S", time.localtime(line.wall)) + f".{int(line.wall % 1 * 1000):03}"
    write_lines(f"{at} {line.category:<7} {line.informer + ' ' if line.informer else ''}{line.text}")


def _write_json(line: EventLine) -> None:
    write_json({
        "number": line.number, "time": line.wall, "category": line.category, "informer": line.informer,
        "verb": line.verb, "key": line.key, "detail": line.detail, "repeats": line.repeats,
    })  # fmt: skip
