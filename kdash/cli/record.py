"""`kdash record FILE [RESOURCE…]`: record without a screen; `kdash replay FILE`: look at a recording."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import click

from kdash.cli.dashboard import show
from kdash.cli.failure import CommandFailed
from kdash.cli.options import (
    cluster_options,
    core_options,
    demo_options,
    duration_option,
    given,
    resource_arguments,
    ui_options,
    ui_options_of,
)
from kdash.cli.output import write_lines
from kdash.cli.replaying import open_file, place_in
from kdash.cli.waiting import check
from kdash.probe.text import plural

__all__ = ["record", "replay"]

_POLL_S = 0.2


@click.command()
@click.argument("record", metavar="FILE", type=click.Path(dir_okay=False))
@resource_arguments
@cluster_options
@core_options
@demo_options
@click.option("--demo", is_flag=True, help="Observe the embedded demo server instead of a cluster.")
@duration_option("--for", "for_s", help="Stop after this long.")
def record(demo: bool, for_s: float | None, **values: Any) -> int:
    """Observe RESOURCEs (default: pods) without a screen and record everything into FILE, until ctrl+c.

    A FILE that holds a recording gets another part; any other file is left as it is. `kdash replay FILE` shows it.
    """
    options = given(values)
    observation = options.open_demo(quiet=True) if demo else options.open_cluster(quiet=True)

    over = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        over.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    observation.start()
    until = None if for_s is None else observation.now() + for_s
    try:
        while not over.wait(_POLL_S) and (until is None or observation.now() < until):
            check(observation)
            if observation.recordings.view() is None:
                raise CommandFailed(observation.recordings.failure)
    finally:
        view = observation.recordings.view()
        observation.recordings.end()
        observation.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    if observation.recordings.failure:
        raise CommandFailed(observation.recordings.failure)
    if view is not None:
        events = plural(observation.events.total, "line")
        write_lines(f"recorded {events} of the event log into {view.path}; kdash replay shows them", err=True)
    return 0


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False))
@click.option("--at", metavar="TIME", help="Begin at this time: 12:07:55, 1m30s (from the start), 50%, end.")
@click.option("--speed", type=click.FloatRange(0.1, 100), default=1.0, show_default=True,
              help="How many times as fast as it happened.")
@click.option("--paused", is_flag=True, help="Do not begin to play.")
@ui_options
def replay(path: str, at: str | None, speed: float, paused: bool, **values: Any) -> int:
    """Open the dashboard on the recording FILE.

    p plays and pauses, < and > change the speed, [ ] go by events, { } by resyncs, ( ) by relists, `:at 12:07:55` to a
    time, `:find web` to the next event of such an object.
    """
    observation = open_file(path, playing=not paused, read_ahead=True)
    observation.set_speed(speed)
    if at is not None:
        observation.go(place_in(observation, at, "--at"))
        observation.play(not paused)
    return show(observation, ui_options_of(values))
