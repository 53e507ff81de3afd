"""`kdash doctor`: is everything here that the dashboard needs, and what to do where it is not."""

from __future__ import annotations

import locale
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from kdash.cli.options import cluster_options, given, resource_arguments
from kdash.cli.output import write_lines
from kdash.cli.settings import Settings
from kdash.observe.checkup import Finding, check_cluster
from kdash.probe.text import clean

__all__ = ["doctor"]

_SMALLEST = (50, 12)
_COMFORTABLE = (80, 24)


@click.command()
@resource_arguments
@cluster_options
@click.option("--offline", is_flag=True, help="Ask no server.")
@click.pass_context
def doctor(ctx: click.Context, /, offline: bool, **values: Any) -> int:
    """Check terminal, colours, keys, clipboard, settings, kubeconfig and permissions for RESOURCEs (default: pods).

    Sends only GET: a list of one object and a watch that is closed at once.
    """
    settings = ctx.find_object(Settings)
    assert settings is not None
    connection = given(values)._connection()
    code = failed = 0
    findings = [_terminal(os.environ), *_colours(os.environ), _keys(os.environ), _clipboard(os.environ),
                *_settings(settings)]
    for finding in findings:
        code, failed = _told(finding, code, failed)
    if not offline:
        for finding in check_cluster(
            values["resources"] or ("pods",), kubeconfig=connection.pop("kubeconfig"),
            context=connection.pop("context"), namespace=values["namespace"], all_namespaces=values["all_namespaces"],
            **connection,
        ):
            code, failed = _told(finding, code, failed)
    write_lines("", f"{failed} of these need you" if failed else "nothing fails")
    return code


def _told(finding: Finding, code: int, failed: int) -> tuple[int, int]:
    mark = {"ok": "ok  ", "warn": "note", "fail": "FAIL"}[finding.verdict]
    write_lines(f"{mark} {finding.what:<24} {finding.sentence}")
    if finding.verdict == "fail":
        return code or finding.exit_code or 1, failed + 1
    return code, failed


def _terminal(environ: Mapping[str, str]) -> Finding:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return Finding("warn", "terminal", "this is a pipe: the dashboard needs a terminal, snapshot and trace do not")
    width, height = shutil.get_terminal_size()
    size = f"{environ.get('TERM') or 'no TERM'}, {width}x{height}"
    if width < _SMALLEST[0] or height < _SMALLEST[1]:
        return Finding("fail", "terminal", f"{size}: make it {_SMALLEST[0]}x{_SMALLEST[1]} at least", 1)
    if width < _COMFORTABLE[0] or height < _COMFORTABLE[1]:
        return Finding("warn", "terminal", f"{size}: one pane at a time; all of them from 80x24 on")
    return Finding("ok", "terminal", size)


def _colours(environ: Mapping[str, str]) -> Iterator[Finding]:
    if environ.get("NO_COLOR"):
        yield Finding("ok", "colours", "none, as NO_COLOR asks: the theme is mono")
    elif environ.get("COLORTERM") in ("truecolor", "24bit"):
        yield Finding("ok", "colours", "16 million")
    elif "256color" in environ.get("TERM", ""):
        yield Finding("ok", "colours", "256; COLORTERM=truecolor gives the themes as they are meant")
    else:
        yield Finding("warn", "colours", "16 or none: --theme ansi or mono looks best")
    encoding = (sys.stdout.encoding or locale.getpreferredencoding(False)).lower()
    if "utf" in encoding:
        yield Finding("ok", "characters", encoding)
    else:
        yield Finding("warn", "characters", f"{encoding}: kdash draws in ASCII; LANG=C.UTF-8 gives lines and marks")


def _keys(environ: Mapping[str, str]) -> Finding:
    if environ.get("TERM_PROGRAM") == "vscode":
        return Finding("warn", "keys", "VS Code keeps ctrl+q and ctrl+p for itself: q quits, : opens the palette")
    if environ.get("TMUX") or environ.get("STY"):
        return Finding("ok", "keys", "a multiplexer keeps its prefix (ctrl+b or ctrl+a): kdash binds neither")
    return Finding("ok", "keys", "nothing known that would be kept from kdash")


def _clipboard(environ: Mapping[str, str]) -> Finding:
    from kdash.ui.clipboard import osc52_problem
    from kdash.ui.files import state_folder

    problem = osc52_problem(environ)
    if problem:
        return Finding("warn", "clipboard", f"{problem}: what is copied is also written to {state_folder() / 'copies'}")
    return Finding("ok", "clipboard", "through the terminal (OSC 52), if it allows that")


def _settings(settings: Settings) -> Iterator[Finding]:
    from kdash.ui.actions import ACTIONS
    from kdash.ui.files import config_folder
    from kdash.ui.keys import BadKeys, own_keys

    if settings.problem:
        yield Finding("fail", "settings", settings.problem, 2)
    elif settings.found:
        yield Finding("ok", "settings", ", ".join(map(str, settings.found)))
    else:
        yield Finding("ok", "settings", f"none: {settings.user_file} is not there")
    try:
        own_keys(settings.keys, [(action.id, action.keys) for action in ACTIONS])
    except BadKeys as error:
        yield Finding("fail", "own keys", f"{settings.keys_from}: {error}", 2)
    folder = config_folder() / "themes"
    if folder.is_dir():
        from kdash.ui.theming import ThemeFolder

        themes = ThemeFolder(folder)
        names = themes.reload()
        for problem in themes.problems:
            yield Finding("fail" if "hard to read" not in problem else "warn", "own themes", clean(problem), 2)
        if names and not themes.problems:
            yield Finding("ok", "own themes", ", ".join(names))
