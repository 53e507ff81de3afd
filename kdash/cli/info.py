"""`kdash info`: the paths kdash uses, and where every setting comes from."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import click
from click.core import ParameterSource

from kdash import __version__
from kdash.cli.options import cluster_options, core_options, ui_options
from kdash.cli.output import write_lines
from kdash.cli.settings import Settings
from kdash.probe.text import clean

__all__ = ["info"]


@click.command()
@click.option("--origins", is_flag=True, help="Tell every setting, also those that nobody set.")
@cluster_options
@core_options
@ui_options
@click.pass_context
def info(ctx: click.Context, /, origins: bool, **values: Any) -> int:
    """Print versions, the paths that kdash uses, and where every setting comes from.

    Takes the dashboard's options, to show what they would change.
    """
    from kdash.ui.files import config_folder, state_folder

    settings = ctx.find_object(Settings)
    assert settings is not None
    write_lines(f"kdash {__version__} (not kdash-rs), Python {platform.python_version()}, {platform.platform()}")
    write_lines("textual {}, kubernetes {}".format(*map(metadata.version, ("textual", "kubernetes"))))
    write_lines("", "paths")
    for name, path in (("settings", settings.user_file), ("project", settings.project_file),
                       ("themes", config_folder() / "themes"), ("crashes", state_folder() / "crashes"),
                       ("copies", state_folder() / "copies"), ("exports", "the current folder")):
        exists = "" if isinstance(path, str) or path.exists() else "  (not there)"
        write_lines(f"  {name:<10} {path}{exists}")
    write_lines("  {:<10} {}".format("kubeconfig", clean(os.environ.get("KUBECONFIG") or "~/.kube/config")))
    if settings.problem:
        write_lines("", f"problem: {settings.problem}")
    write_lines("", "settings")
    told = 0
    for param in ctx.command.params:
        if not isinstance(param, click.Option) or param.name in (None, "origins", "help"):
            continue
        origin = _origin(ctx, param, settings)
        if origin or origins:
            told += 1
            name = next((each for each in param.opts if each.startswith("--")), param.opts[0])[2:]
            write_lines(f"  {name:<18} {_shown(ctx.params[str(param.name)]):<24} {origin or 'default'}")
    if not told:
        write_lines("  all are the defaults: --origins lists them")
    for action, keys in settings.keys.items():
        write_lines(f"  keys.{action:<13} {clean(str(keys)):<24} {settings.keys_from}")
    return 0


def _origin(ctx: click.Context, param: click.Option, settings: Settings) -> str:
    source = ctx.get_parameter_source(str(param.name))
    if source is ParameterSource.COMMANDLINE:
        return "command line"
    if source is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    if source is ParameterSource.DEFAULT_MAP:
        return str(settings.origins.get(str(param.name), settings.user_file))
    return ""


def _shown(value: Any) -> str:
    if value is None or value in ("", ()):
        return "-"
    if isinstance(value, tuple):
        return clean(", ".join(str(getattr(each, "name", each)) for each in value))
    return clean(str(value))
