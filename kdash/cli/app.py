"""The command tree, and the one place where failures become a sentence and an exit code.

Exit codes: 0 fine, 1 failed, 2 usage, 3 no connection, 4 denied, 130 interrupted. No traceback is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from kdash import __version__
from kdash.cli.bench import bench
from kdash.cli.dashboard import dashboard
from kdash.cli.demo import demo
from kdash.cli.doctor import doctor
from kdash.cli.failure import FAILED, FINE, INTERRUPTED, USAGE, CommandFailed
from kdash.cli.info import info
from kdash.cli.output import prepare, write_lines
from kdash.cli.record import record, replay
from kdash.cli.settings import Settings, bind_environment, load_settings, option_names
from kdash.cli.snapshot import snapshot
from kdash.cli.trace import trace
from kdash.probe.text import shorten

__all__ = ["app", "run"]


class _Context(click.Context):
    """Help leaves through the gate, where click would write it itself."""

    def get_help(self) -> str:
        """Write the help, and end."""
        write_lines(*super().get_help().split("\n"))
        self.exit()


class DashboardByDefault(click.Group):
    """`kdash [RESOURCE…]` is `kdash dashboard [RESOURCE…]`; options may stand before a command's name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] in ("-h", "--help", "--version"):
            return super().parse_args(ctx, args)
        at = _first_word(args)
        if at is not None and args[at] in self.commands:
            args = [args[at], *args[:at], *args[at + 1 :]]
        else:
            args = [str(dashboard.name), *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("kdash", "[RESOURCE]... [OPTIONS]")
        formatter.write_usage("kdash", "COMMAND [ARGS]...", prefix="       ")


def _first_word(args: Sequence[str]) -> int | None:
    """Where the first argument stands that is no option and no option's value."""
    with_value = {
        name for option in dashboard.params if isinstance(option, click.Option) and not option.is_flag
        for name in option.opts
    }
    skip = False
    for at, argument in enumerate(args):
        if skip:
            skip = False
        elif argument == "--":
            return None
        elif argument.startswith("-") and argument != "-":
            skip = argument in with_value
        else:
            return at
    return None


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        write_lines(f"kdash {__version__} (not kdash-rs)")
        ctx.exit()


@click.group(cls=DashboardByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
              help="Show the version and exit.")
@click.pass_context
def app(ctx: click.Context) -> None:
    """See the inside of a Kubernetes informer while it works.

    `kdash pods` opens the dashboard on the cluster that kubectl would use, `kdash demo` on an embedded API
    server. `kdash pods --help` lists the dashboard's options. kdash only reads: it gets, lists and watches.
    """
    settings = ctx.find_object(Settings)
    if settings is not None and settings.problem and ctx.invoked_subcommand not in _THAT_TELL:
        raise CommandFailed(settings.problem, USAGE)


_THAT_TELL = ("info", "doctor")
_COMMANDS = (dashboard, bench, demo, doctor, info, record, replay, snapshot, trace)
for _command in _COMMANDS:
    app.add_command(_command)
for _command in (app, *_COMMANDS):
    _command.context_class = _Context
_SETTINGS = option_names((dashboard, demo))
bind_environment(_COMMANDS, _SETTINGS)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    prepare()
    logging.getLogger("kdash").addHandler(logging.NullHandler())  # else warnings would be written over the screen
    from kdash.ui.files import config_folder

    settings = load_settings(_SETTINGS, Path.cwd(), config_folder())
    defaults = settings.default_map(str(command.name) for command in _COMMANDS)
    try:
        code = app.main(
            list(arguments), prog_name="kdash", standalone_mode=False, obj=settings, default_map=defaults
        )
    except CommandFailed as failure:
        _say(str(failure))
        return failure.exit_code
    except click.ClickException as error:
        _say_usage(error, settings)
        return USAGE if isinstance(error, click.UsageError) else FAILED
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except Exception as error:
        _say(f"internal error, please report it: {type(error).__name__}: {error}")
        return FAILED
    return code if isinstance(code, int) else FINE


def _say(sentence: str) -> None:
    write_lines(f"kdash: {shorten(sentence, 800)}", err=True)


def _say_usage(error: click.ClickException, settings: Settings) -> None:
    sentence = error.format_message().rstrip()
    if isinstance(error, click.BadParameter) and error.ctx is not None and error.param is not None:
        name = str(error.param.name)
        if error.ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP and name in settings.origins:
            _say(f"{settings.origins[name]}: {sentence}")
            return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        path = error.ctx.command_path.replace(f" {dashboard.name}", "")
        sentence = f"{sentence.rstrip('.')}; {path} --help tells what there is"
    _say(sentence)
