"""Settings from files and the environment: `config.toml` of the user's and of the project, and `KDASH_*`.

What counts first: an option on the command line, the environment, the project's file (`.kdash.toml` in the current
folder), the user's file (`config.toml` in the platform's folder for kdash). The keys of a file are the long names of
the options. `KDASH_CONFIG` is another program's: it is never read.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from kdash.probe.text import shorten

__all__ = ["PROJECT_FILE", "BadSettings", "Settings", "bind_environment", "load_settings", "option_names"]

PROJECT_FILE = ".kdash.toml"
_NOT_IN_FILES = ("output", "demo", "for_s", "count", "timeout", "serve_only", "kubeconfig_out", "port", "objects",
                 "rate", "seed", "faults", "storm", "help", "origins", "resources", "record")
_NOT_IN_A_PROJECT = ("kubeconfig", "context", "as_user", "as_group", "handlers", "metrics_port", "record")
"""A folder one happens to stand in must not choose cluster or identity, run code, open a port or name a file."""


class BadSettings(ValueError):
    """A settings file cannot be used; the message is a sentence for the user."""


@dataclass(slots=True)
class Settings:
    """What the files say, by the options' parameter names, and where it comes from."""

    user_file: Path
    project_file: Path
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Path] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    keys_from: Path | None = None
    found: list[Path] = field(default_factory=list)
    problem: str = ""
    """Why a file cannot be used; "" when all is well. Commands that only tell go on."""

    def default_map(self, commands: Iterable[str]) -> dict[str, dict[str, Any]]:
        """For click: these values in place of the options' defaults."""
        return {name: dict(self.values) for name in commands}


def option_names(commands: Iterable[click.Command]) -> dict[str, str]:
    """Names that a file may use → parameter names: the long options of the commands."""
    names: dict[str, str] = {}
    for command in commands:
        for param in command.params:
            if isinstance(param, click.Option) and param.name and param.name not in _NOT_IN_FILES:
                long = next((name for name in param.opts if name.startswith("--")), None)
                if long is not None:
                    names[long[2:]] = param.name
    return names


def bind_environment(commands: Iterable[click.Command], names: Mapping[str, str]) -> None:
    """Let `KDASH_THEME` stand for `--theme`, and so on."""
    variables = {param: "KDASH_" + name.upper().replace("-", "_") for name, param in names.items()}
    for command in commands:
        for param in command.params:
            if isinstance(param, click.Option) and param.name in variables:
                param.envvar = variables[param.name]


def load_settings(names: Mapping[str, str], folder: Path, config_folder: Path) -> Settings:
    """Read the files that there are; a bad one becomes `problem`."""
    settings = Settings(config_folder / "config.toml", folder / PROJECT_FILE)
    for path in (settings.user_file, settings.project_file):
        try:
            _read(settings, path, names, is_project=path == settings.project_file)
        except BadSettings as error:
            settings.problem = settings.problem or str(error)
    return settings


def _read(settings: Settings, path: Path, names: Mapping[str, str], *, is_project: bool) -> None:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML: {shorten(str(error), 120)}") from None
    settings.found.append(path)
    keys = document.pop("keys", None)
    if keys is not None:
        if not isinstance(keys, dict):
            raise BadSettings(f"{path}: keys is a table: [keys], then lines such as zoom = \"F5\"")
        settings.keys, settings.keys_from = {**settings.keys, **keys}, path
    for name, value in document.items():
        param = names.get(name)
        if param is None:
            near = difflib.get_close_matches(name, [*names, "keys"], 1)
            hint = f'; did you mean "{near[0]}"?' if near else "; the keys are the long names of the options"
            raise BadSettings(f'{path}: there is no setting "{shorten(name, 40)}"{hint}')
        if is_project and param in _NOT_IN_A_PROJECT:
            raise BadSettings(f'{path}: a project\'s file cannot set "{name}": put it into {settings.user_file}')
        if not isinstance(value, str | int | float | bool | list):
            raise BadSettings(f'{path}: "{name}" is a text, a number, true or false, or a list')
        settings.values[param] = value
        settings.origins[param] = path
