"""Options that several commands share, spelt as kubectl spells them, and what they become."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kdash.cli.failure import USAGE, CommandFailed
from kdash.cli.output import write_lines
from kdash.cli.settings import Settings
from kdash.observe.handlers import HandlerSpec, default_handlers, parse_handler
from kdash.observe.parse import BadValue, parse_duration, parse_resources

if TYPE_CHECKING:
    from kdash.observe.door import UiOptions
    from kdash.observe.live import LiveObservation, Wanted

__all__ = [
    "Given",
    "cluster_options",
    "core_options",
    "demo_options",
    "duration_option",
    "from_option",
    "given",
    "record_option",
    "resource_arguments",
    "resource_option",
    "ui_options",
    "ui_options_of",
]

F = TypeVar("F", bound=Callable[..., Any])
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
ENGINES = ("delta", "real", "real-atomic")


def duration_option(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """An option whose value is a duration as Go writes it; becomes seconds, None where it is not given."""
    return click.option(*names, metavar="DURATION", callback=_seconds, **attributes)


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else parse_duration(value)
    except BadValue as error:
        raise click.BadParameter(str(error), ctx, param) from None


def _namespace(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _LABEL.fullmatch(value):
        sentence = f'"{value}" cannot be a namespace: lower-case letters, digits and -, 63 at most'
        raise click.BadParameter(sentence, ctx, param)
    return value


def _handlers(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[HandlerSpec, ...]:
    try:
        handlers = tuple(map(parse_handler, value))
    except BadValue as error:
        raise click.BadParameter(str(error), ctx, param) from None
    names = [handler.name for handler in handlers]
    for name in names:
        if names.count(name) > 1:
            sentence = f'"{name}" is there twice; give each handler a name of its own'
            raise click.BadParameter(sentence, ctx, param)
    return handlers


def _several(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def resource_arguments(command: F) -> F:
    """RESOURCE…: names, short names, plurals, `deployments.apps`, CRDs; several with spaces or commas."""
    return click.argument("resources", nargs=-1, metavar="[RESOURCE]...", callback=_resources)(command)


def _resources(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return parse_resources(value)
    except BadValue as error:
        raise click.BadParameter(str(error), ctx, param) from None


cluster_options = _several(
    click.option("-n", "--namespace", callback=_namespace,
                 help="Observe this namespace (default: the context's)."),
    click.option("-A", "--all-namespaces", is_flag=True, help="Observe all namespaces."),
    click.option("-l", "--selector", default="", help="Label selector, e.g. app=web."),
    click.option("--field-selector", default="", help="Field selector, e.g. spec.nodeName=node-1."),
    click.option("--context", help="The kubeconfig context to use."),
    click.option("--kubeconfig", type=click.Path(dir_okay=False), help="The kubeconfig file to use."),
    click.option("--as", "as_user", default="", metavar="USER", help="User to impersonate."),
    click.option("--as-group", multiple=True, metavar="GROUP", help="Group to impersonate; may be repeated."),
    duration_option("--request-timeout", default="0", show_default=True,
                    help="Give up a request that stays silent this long, 0: as kdash sees fit."),
)  # fmt: skip

core_options = _several(
    duration_option("--resync",
                    help="Resync period of the handlers, 0 for none.  [default: 30s, in the demo 10s]"),
    click.option("--handler", "handlers", multiple=True, metavar="NAME[=SPEC]", callback=_handlers,
                 help="A handler: NAME counts, NAME=sleep:300ms±100ms takes its time, NAME=package.module:callable is "
                      "your own; then perhaps ,resync=30s ,slow=100ms; may be repeated.  [default: audit, which "
                      "counts; in the demo also slow, which sleeps 100 to 340 ms by design]"),
    click.option("--metrics", "metrics_port", type=click.IntRange(0, 65535), default=None, metavar="PORT",
                 help="Serve Prometheus metrics on 127.0.0.1:PORT, 0: any free port (needs kdash[metrics])."),
    click.option("--queue", type=click.Choice(ENGINES), default="delta", show_default=True,
                 help="Queue engine: DeltaFIFO, RealFIFO or atomic RealFIFO."),
    click.option("--no-watch-list", is_flag=True, help="Fetch the state by LIST, not by streaming watch."),
    click.option("--metadata-only", is_flag=True, help="Ask the server for metadata only."),
    click.option("--page-size", type=click.IntRange(min=0), default=0, show_default="as client-go",
                 help="Objects per page of a LIST."),
    duration_option("--stall-after", default="75s", show_default=True,
                    help="Open a second watch beside one that has been silent this long, 0: never (client-go has no "
                         "such thing)."),
    duration_option("--sync-patience", default="60s", show_default=True,
                    help="Fetch the state by LIST when a streaming watch brings neither objects nor its end marker "
                         "for this long, 0: never (as client-go)."),
    click.option("--max-cache", type=click.IntRange(min=0), default=0, show_default="no bound", metavar="MB",
                 help="Refuse a full state whose objects take more MB than this, compressed (not in client-go)."),
)  # fmt: skip

ui_options = _several(
    click.option("--refresh", type=click.FloatRange(1, 30), default=10.0, show_default=True,
                 help="Screen updates a second at most."),
    click.option("--theme", help="Colour theme."),
    click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only."),
    click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal."),
    click.option("--reduced-motion", is_flag=True, help="No animation, countdowns as text."),
    click.option("--gentle", is_flag=True, help="Ask before every key that makes requests."),
)  # fmt: skip


def record_option(command: F) -> F:
    """--record: for commands that show something that lives."""
    return click.option("--record", type=click.Path(dir_okay=False), default=None, metavar="FILE",
                        help="Record everything into FILE, for `kdash replay`.")(command)


def from_option(command: F) -> F:
    """--from: a recording in the place of a cluster."""
    return click.option("--from", "from_file", type=click.Path(dir_okay=False), default=None, metavar="FILE",
                        help="Read this recording instead of observing a cluster.")(command)

def resource_option(command: F) -> F:
    """--resource for a command whose argument is something else."""
    return click.option("--resource", "resources", multiple=True, metavar="RESOURCE", callback=_resources,
                        help="Observe this resource (default: pods); may be repeated.")(command)


demo_options = _several(
    click.option("--objects", type=click.IntRange(0, 1_000_000), default=None,
                 help="Demo: how many objects there are."),
    click.option("--rate", type=click.FloatRange(0, 100_000), default=None,
                 help="Demo: changes a second."),
    click.option("--seed", type=int, default=None, help="Demo: seed of all that is random."),
    click.option("--fault", "faults", multiple=True, metavar="NAME[:OPTION=VALUE,…]",
                 help="Demo: how the server misbehaves, e.g. 503:verb=LIST,times=3 or close-watches:every=30s."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """The options of one call."""

    values: dict[str, Any]

    def wanted(self, *, demo: bool, quiet: bool = False) -> Wanted:
        """What to observe. `quiet`: without the handler that takes its time."""
        from kdash.observe.live import Wanted
        from kdash.observe.opening import DEMO_RESYNC_S

        values = self.values
        resync_s = values["resync"] if values["resync"] is not None else DEMO_RESYNC_S if demo else 30.0
        try:
            for handler in values["handlers"]:
                handler.load()
        except BadValue as error:
            raise click.BadParameter(str(error), param_hint="--handler") from None
        handlers = values["handlers"] or default_handlers(demo=demo and not quiet)
        return Wanted(
            resources=values.get("resources") or ("pods",),
            namespace=values.get("namespace"),
            all_namespaces=bool(values.get("all_namespaces")) or (demo and not values.get("namespace")),
            label_selector=values.get("selector") or "",
            field_selector=values.get("field_selector") or "",
            resync_s=resync_s,
            handlers=tuple(handlers),
            queue=values["queue"],
            watch_list=not values["no_watch_list"],
            metadata_only=values["metadata_only"],
            page_size=values["page_size"],
            stall_after_s=values["stall_after"],
            sync_patience_s=values["sync_patience"],
            max_cache=values["max_cache"] * 1_000_000,
            seed=values.get("seed"),
        )

    def names_a_cluster(self) -> bool:
        """Whether the user asked for a certain cluster: then there is never a silent demo."""
        return bool(self.values.get("context") or self.values.get("kubeconfig"))

    def open_cluster(self, *, quiet: bool = False) -> LiveObservation:
        """The cluster that kubectl would use."""
        from kdash.observe.opening import open_cluster

        return self._with_metrics(open_cluster(self.wanted(demo=False, quiet=quiet), **self._connection()))

    def open_cluster_or_demo(self) -> LiveObservation:
        """The cluster that kubectl would use; the demo when there is none and none was named."""
        from kdash.observe.opening import open_cluster_or_demo

        return self._with_metrics(
            open_cluster_or_demo(self.wanted(demo=False), self.wanted(demo=True), **self._connection())
        )

    def open_demo(
        self, scenario: str | None = None, *, port: int = 0, quiet: bool = False
    ) -> LiveObservation:
        """The embedded demo server."""
        from kdash.observe.opening import open_demo

        values = self.values
        return self._with_metrics(
            open_demo(self.wanted(demo=True, quiet=quiet), objects=values.get("objects"), rate=values.get("rate"),
                      seed=values.get("seed"), scenario=scenario, port=port,
                         faults=values.get("faults", ()))
        )  # fmt: skip

    def _with_metrics(self, observation: LiveObservation) -> LiveObservation:
        self._record(observation)
        port = self.values.get("metrics_port")
        if port is None:
            return observation
        try:
            url = observation.serve_metrics(port)
        except BadValue as error:
            observation.stop()
            raise click.BadParameter(str(error), param_hint="--metrics") from None
        write_lines(f"metrics: {url}", err=True)
        return observation

    def _record(self, observation: LiveObservation) -> None:
        path = self.values.get("record")
        if path is not None:
            from kdash.probe.recording.format import BadRecording

            try:
                observation.recordings.begin(path)
            except BadRecording as error:
                observation.stop()
                raise click.BadParameter(str(error), param_hint="--record") from None

    def _connection(self) -> dict[str, Any]:
        values = self.values
        return {
            "kubeconfig": values["kubeconfig"],
            "context": values["context"],
            "impersonate": values["as_user"],
            "impersonate_groups": values["as_group"],
            "request_timeout_s": values["request_timeout"] or None,
        }


def given(values: dict[str, Any]) -> Given:
    """Wrap a command's keyword arguments."""
    if values.get("as_group") and not values.get("as_user"):
        raise click.UsageError("--as-group needs --as: a group is impersonated together with a user")
    return Given(values)


def ui_options_of(values: dict[str, Any]) -> UiOptions:
    """What the screen is told."""
    from kdash.observe.door import UiOptions
    from kdash.ui.files import config_folder

    return UiOptions(
        refresh_hz=values["refresh"],
        theme=values["theme"],
        ascii=True if values["ascii_only"] else None,
        mouse=not values["no_mouse"],
        reduced_motion=values["reduced_motion"],
        gentle=values["gentle"],
        keys=_own_keys(),
        themes=config_folder() / "themes",
    )


def _own_keys() -> dict[str, tuple[str, ...]]:
    """The [keys] table of the settings, checked. Raises `CommandFailed`."""
    from kdash.ui.actions import ACTIONS
    from kdash.ui.keys import BadKeys, own_keys

    ctx = click.get_current_context(silent=True)
    settings = None if ctx is None else ctx.find_object(Settings)
    if settings is None or not settings.keys:
        return {}
    try:
        return own_keys(settings.keys, [(action.id, action.keys) for action in ACTIONS])
    except BadKeys as error:
        raise CommandFailed(f"{settings.keys_from}: [keys]: {error}", USAGE) from None
