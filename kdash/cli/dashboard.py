"""`kdash [RESOURCE…]`: the dashboard."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

import click

from kdash.cli.failure import USAGE, CommandFailed
from kdash.cli.options import (
    cluster_options,
    core_options,
    given,
    record_option,
    resource_arguments,
    ui_options,
    ui_options_of,
)

if TYPE_CHECKING:
    from kdash.observe.door import UiOptions
    from kdash.observe.live import LiveObservation
    from kdash.observe.replay import ReplayObservation

__all__ = ["dashboard", "show", "show_live"]


@click.command(hidden=True)
@resource_arguments
@cluster_options
@core_options
@record_option
@ui_options
def dashboard(**values: Any) -> int:
    """Observe RESOURCEs (default: pods) of the cluster that kubectl would use.

    Without any cluster configuration the demo starts. A cluster that does not answer is tried again.
    """
    options = given(values)
    observation = options.open_cluster() if options.names_a_cluster() else options.open_cluster_or_demo()
    return show_live(observation, ui_options_of(values))


def show_live(observation: LiveObservation, options: UiOptions) -> int:
    """`show`; a recording that failed is told once more."""
    code = show(observation, options)
    if observation.recordings.failure:
        raise CommandFailed(observation.recordings.failure)
    return code


def show(observation: LiveObservation | ReplayObservation, options: UiOptions) -> int:
    """Run the dashboard until the user leaves it; a configuration that cannot work is told once more."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        observation.stop()
        raise CommandFailed(
            "the dashboard needs a terminal as its input and output; in a pipe use kdash snapshot or kdash trace", USAGE
        )
    gc.disable()  # until the first paint, see KdashApp
    from kdash.ui import run_dashboard, theme_problem

    problem = theme_problem(options)
    if problem:
        observation.stop()
        raise CommandFailed(problem, USAGE)

    try:
        code = run_dashboard(observation, options)
        state = observation.failure
    finally:
        observation.stop()
    if state is not None and state.exit_code:
        raise CommandFailed(state.detail, state.exit_code)
    return int(code)
