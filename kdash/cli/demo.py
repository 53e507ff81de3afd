"""`kdash demo [SCENARIO]`: the dashboard on the embedded API server, or that server alone."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click

from kdash.cli.dashboard import show
from kdash.cli.failure import CommandFailed
from kdash.cli.options import core_options, demo_options, given, resource_option, ui_options, ui_options_of
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
@ui_options
def demo(
    scenario: str | None, serve_only: bool, kubeconfig_out: Path | None, port: int, **values: Any
) -> int:
    """Observe the embedded API server, which runs SCENARIO.

    With --serve-only it serves until ctrl+c or SIGTERM; both are its regular end, with exit code 0.
    """
    if kubeconfig_out is not None and not serve_only:
        raise click.UsageError("--kubeconfig needs --serve-only: the dashboard needs none for the demo")
    values["port"] = port
    try:
        if serve_only:
            return _serve(scenario, kubeconfig_out, values)
        return show(given(values).open_demo(scenario), ui_options_of(values))
    except BadValue as error:
        raise click.BadParameter(str(error), param_hint="SCENARIO") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise CommandFailed(f"the demo server cannot listen on port {port}: {why}") from None


def _serve(scenario: str | None, kubeconfig_out: Path | None, values: dict[str, Any]) -> int:
    from kdash.observe.demo_server import start_demo_server

    over = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    server = start_demo_server(objects=values["objects"], rate=values["rate"], seed=values["seed"],
                               scenario=scenario, port=values["port"])
    try:
        path = _write_kubeconfig(server, kubeconfig_out)
        click.echo(f"export KUBECONFIG={path}")
        click.echo(f"# serving {server.url} until ctrl+c or SIGTERM (exit code 0)")
        while not over.wait(3600):
            pass
    finally:
        server.stop()
        if kubeconfig_out is None:
            path.unlink(missing_ok=True)
    return 0


def _write_kubeconfig(server: Any, path: Path | None) -> Path:
    """Write the server's kubeconfig to `path`, or to a file of its own under the temporary folder."""
    import tempfile

    text = (
        "apiVersion: v1\nkind: Config\ncurrent-context: kdash-demo\n"
        f"clusters:\n- name: kdash-demo\n  cluster:\n    server: {server.url}\n"
        "contexts:\n- name: kdash-demo\n  context:\n    cluster: kdash-demo\n    user: kdash-demo\n"
        "users:\n- name: kdash-demo\n  user: {}\n"
    )
    if path is None:
        handle, name = tempfile.mkstemp(".kubeconfig", "kdash-demo-")
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return Path(name)
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise CommandFailed(f"cannot write the kubeconfig to {path}: {error.strerror}") from None
    return path.absolute()
