"""Reading recordings on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kdash.cli.failure import CommandFailed
from kdash.cli.output import write_lines
from kdash.observe.parse import BadValue, parse_instant
from kdash.probe.recording.format import BadRecording

if TYPE_CHECKING:
    from kdash.observe.replay import ReplayObservation

__all__ = ["open_file", "place_in", "refuse_with"]


def open_file(path: str, *, playing: bool = False, read_ahead: bool = False) -> ReplayObservation:
    """Raises `CommandFailed` when it is no recording; what of it is damaged goes to stderr."""
    from kdash.observe.replay import open_replay

    try:
        observation = open_replay(path, playing=playing, read_ahead=read_ahead)
    except BadRecording as error:
        raise CommandFailed(str(error)) from None
    for sentence in observation.damage:
        write_lines(f"kdash: {path}: {sentence}", err=True)
    return observation


def place_in(observation: ReplayObservation, text: str, option: str) -> float:
    """An instant of the recording, in seconds since the epoch. Raises `click.BadParameter`."""
    view = observation.view()
    try:
        return parse_instant(text, view.first_at, view.last_at, view.first_at)
    except BadValue as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def refuse_with(path: str, given: dict[str, object]) -> None:
    """Refuse options that say what to observe. Raises `click.UsageError`."""
    for name, value in given.items():
        if value:
            raise click.UsageError(f"--from {path} is a recording: {name} has no meaning with it")
