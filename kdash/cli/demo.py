"""`kdash demo [SCENARIO]`: the dashboard on the embedded API server, or that server alone."""

from __future__ import annotations

import shlex
import signal
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click

from kdash.cli.dashboard import show_live
from kdash.cli.failure import CommandFailed
from kdash.cli.options import (
    core_options,
    demo_options,
    given,
    record_option,
    resource_option,
    ui_options,
    ui_options_of,
)
from kdash.cli.output import write_lines
from kdash.observe.demo_server import DemoHost
from kdash.observe.parse import BadValue

__all__ = ["demo"]


@click.command()
@click.argument("scenario", required=False)
@resource_option
@demo_options
@click.option("--serve-only", is_flag=True, help="Run just the server; print its kubeconfig and its URL.")
@click.option("--kubeconfig", "kubeconfig_out", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="With --serve-only: where to write the kubeconfig.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="any free one",
              help="Port of the server on 127.0.0.1.")
@core_options
@record_option
@ui_options
def demo(
    scenario: str | None, serve_only: bool, kubeconfig_out: Path | None, port: int, **values: Any
) -> int:
    """Observe the embedded API server, which runs SCENARIO.

    With --serve-only it serves until ctrl+c or SIGTERM; both are its regular end, with exit code 0.
    """
    if kubeconfig_out is not None and not serve_only:
        raise click.UsageError("--kubeconfig needs --serve-only: the dashboard needs none for the demo")
    options = given(values)
    try:
        if serve_only:
            host = DemoHost(objects=values["objects"], rate=values["rate"], seed=values["seed"],
                            scenario=scenario, port=port, faults=values["faults"])
            return _serve(host, kubeconfig_out)
        return show_live(options.open_demo(scenario, port=port), ui_options_of(values))
    except BadValue as error:
        hint = "--fault" if "fault" in str(error) else "SCENARIO"
        raise click.BadParameter(str(error), param_hint=hint) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise CommandFailed(f"the demo server cannot listen on port {port}: {why}") from None


def _serve(host: DemoHost, kubeconfig_out: Path | None) -> int:
    over = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    server = host.start()
    try:
        with tempfile.TemporaryDirectory(prefix="kdash-demo-") as folder:
            path = kubeconfig_out or Path(folder, "kubeconfig")
            try:
                server.write_kubeconfig(path)
            except OSError as error:
                raise CommandFailed(f"cannot write the kubeconfig to {path}: {error.strerror}") from None
            write_lines(f"export KUBECONFIG={shlex.quote(str(path.absolute()))}",
                        f"# serving {server.url} until ctrl+c or SIGTERM, both with exit code 0")
            while not over.wait(3600):
                pass
    finally:
        host.stop()
    return 0
