"""`kdash bench [RESOURCE…]`: what the informer costs against this cluster."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from kdash.cli.failure import FAILED, CommandFailed
from kdash.cli.options import ENGINES, cluster_options, duration_option, given, resource_arguments
from kdash.cli.output import write_json, write_lines
from kdash.probe.text import duration

if TYPE_CHECKING:
    from kdash.informer.tap import Tap
    from kdash.observe.bench import InformerBench
    from kdash.observe.bench_server import BenchServer

__all__ = ["bench"]

_DEMO_OBJECTS = 1000


@click.command()
@resource_arguments
@cluster_options
@click.option("--queue", type=click.Choice(ENGINES), default="delta", show_default=True,
              help="Queue engine: DeltaFIFO, RealFIFO or atomic RealFIFO.")
@click.option("--no-watch-list", is_flag=True, help="Fetch the state by LIST, not by streaming watch.")
@click.option("--page-size", type=click.IntRange(min=0), default=0, show_default="as client-go",
              help="Objects per page of a LIST.")
@click.option("--metadata-only", is_flag=True, help="Ask the server for metadata only.")
@click.option("--demo", is_flag=True, help="Measure against the embedded server, which runs in another process.")
@click.option("--objects", type=click.IntRange(1, 1_000_000), default=None,
              help=f"With --demo: how many pods there are.  [default: {_DEMO_OBJECTS}]")
@click.option("--storm", type=click.IntRange(1, 10_000_000), default=None, metavar="N",
              help="With --demo: let N changes of pods come, as fast as they are taken.")
@duration_option("--for", "for_s", help="Count what changes by itself for this long.")
@duration_option("--timeout", default="60s", show_default=True, help="Give up after this.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def bench(
    demo: bool, objects: int | None, storm: int | None, for_s: float | None, timeout: float, output: str,
    **values: Any,
) -> int:
    """Measure the informer of RESOURCEs (default: pods): time to sync, CPU, memory, bytes, events a second.

    CPU and memory are those of this process. Against a cluster only the first sync, a resync and --for are
    measured: kdash changes nothing there.
    """
    from kdash.observe.bench import BenchFailed

    if not demo and (storm is not None or objects is not None):
        name = "--storm" if storm is not None else "--objects"
        raise click.UsageError(f"{name} needs --demo: kdash changes nothing on a cluster; see --for")
    resources = values["resources"] or ("pods",)
    if demo and resources != ("pods",):
        raise click.UsageError("with --demo only pods are measured: leave RESOURCE out")
    given(values)
    server = None
    try:
        server = _started(objects or _DEMO_OBJECTS) if demo else None
        figures = _measure(_opened(server, resources, values), server, storm, for_s, timeout)
    except BenchFailed as failure:
        raise CommandFailed(str(failure), failure.exit_code) from None
    finally:
        if server is not None:
            server.stop()
    if output == "json":
        write_json(figures, indent=2)
    else:
        write_lines(*_table(figures))
    return 0


def _started(objects: int) -> BenchServer:
    from kdash.observe.bench_server import BenchServer

    try:
        return BenchServer(objects)
    except OSError as error:
        raise CommandFailed(f"the embedded server did not start: {error}", FAILED) from None


def _opened(server: BenchServer | None, resources: tuple[str, ...], values: dict[str, Any]) -> InformerBench:
    from kdash.cluster import connect, connect_url
    from kdash.observe.bench import InformerBench

    def client(tap: Tap | None) -> Any:
        if server is not None:
            return connect_url(server.url, tap=tap)
        return connect(
            values["kubeconfig"], values["context"], impersonate=values["as_user"],
            impersonate_groups=values["as_group"], tap=tap, request_timeout_s=values["request_timeout"] or None,
        )  # fmt: skip

    labels, fields = values["selector"], values["field_selector"]

    def select(options: Any) -> Any:
        return dataclasses.replace(options, label_selector=labels, field_selector=fields)

    return InformerBench(
        client, resources, namespace=values["namespace"],
        all_namespaces=values["all_namespaces"] or (server is not None and not values["namespace"]),
        select=select if labels or fields else None, queue=values["queue"], watch_list=not values["no_watch_list"],
        page_size=values["page_size"], metadata_only=values["metadata_only"],
    )  # fmt: skip


def _measure(
    measured: InformerBench, server: BenchServer | None, storm: int | None, for_s: float | None, timeout: float
) -> dict[str, Any]:
    from kdash.observe.bench import peak_bytes, resident_bytes

    try:
        synced = measured.sync(timeout)
        measured.settle()
        figures: dict[str, Any] = {"sync": dataclasses.asdict(synced)}
        figures["memory"] = {"resident_bytes": resident_bytes(), "peak_bytes": peak_bytes()}
        if synced.objects:
            figures["resync"] = dataclasses.asdict(measured.wave(timeout))
        run = None
        if server is not None and storm is not None:
            run = measured.storm(storm, lambda: server.begin_storm(storm), timeout)
        elif for_s:
            run = measured.listen(for_s)
        if run is not None:
            rates = {"events_per_s": run.events_per_s, "cpu_us_per_event": run.cpu_us_per_event}
            figures["events"] = dataclasses.asdict(run) | rates
            figures["memory"]["peak_bytes"] = peak_bytes()
        return figures
    finally:
        measured.close()


def _table(figures: dict[str, Any]) -> list[str]:
    sync, memory, wave, run = (figures.get(name) for name in ("sync", "memory", "resync", "events"))
    assert sync is not None and memory is not None
    rows = [
        ("objects", f"{sync['objects']:,}"),
        ("time to sync", f"{duration(sync['wall_s'])}   {_rate(sync['objects'], sync['wall_s'])} objects/s"),
        ("CPU to sync", duration(sync["cpu_s"])),
        ("bytes to sync", f"{_size(sync['bytes'])} in {sync['requests']} requests"),
        ("memory now", _size(memory["resident_bytes"]) if memory["resident_bytes"] else "unknown here"),
        ("memory at peak", _size(memory["peak_bytes"])),
    ]
    if wave is not None:
        calls = f"{wave['calls']:,} handler calls in {duration(wave['wall_s'])}"
        rows.append(("resync", f"{calls}, {wave['requests']} API requests"))
    if run is not None:
        rows.append(("watch events", f"{run['events']:,} in {duration(run['wall_s'])}, {_size(run['bytes'])}"))
        rows.append(("events/s", f"{run['events_per_s']:,.0f}"))
        rows.append(("CPU per event", f"{run['cpu_us_per_event']:.0f} µs" if run["events"] else "-"))
    return [f"{name:<16}{text}" for name, text in rows]


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}" if seconds > 0 else "-"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count:,} B"
