"""`kdash snapshot [RESOURCE…]`: sync, print the state of every stage, leave."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import click

from kdash.cli.options import (
    cluster_options,
    core_options,
    demo_options,
    duration_option,
    from_option,
    given,
    resource_arguments,
)
from kdash.cli.output import columns, write_json, write_lines
from kdash.cli.replaying import open_file, place_in, refuse_with
from kdash.cli.waiting import check, wait_synced
from kdash.probe.text import duration, plural

if TYPE_CHECKING:
    from kdash.probe.snapshot import AdviceView, Snapshot

__all__ = ["advice_lines", "snapshot", "table"]

_ADVICE_S = 10.0


@click.command()
@resource_arguments
@cluster_options
@core_options
@demo_options
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--demo", is_flag=True, help="Observe the embedded demo server instead of a cluster.")
@from_option
@click.option("--at", metavar="TIME", default=None,
              help="With --from: the time, e.g. 12:07:55, 1m30s (from the start), 50%.  [default: end]")
@click.option("--advice", is_flag=True, help="Print what is wrong and what to do instead, after --for.")
@duration_option("--for", "for_s", help="Go on observing this long before printing.  [default: 0, with --advice 10s]")
@duration_option("--timeout", default="30s", show_default=True, help="Give up after this.")
def snapshot(
    output: str, demo: bool, advice: bool, for_s: float | None, timeout: float, from_file: str | None, at: str | None,
    **values: Any,
) -> int:
    """Sync RESOURCEs (default: pods), print the state of every stage, and leave.

    In JSON, instants (…_at, …_since, …_until) are seconds of a monotonic clock; it reads `mono` when the
    wall clock reads `wall`.
    """
    if from_file is not None:
        refuse_with(from_file, {"--demo": demo, "--for": for_s})
        return _recorded(from_file, at or "end", advice, output)
    if at is not None:
        raise click.UsageError("--at needs --from: the time of a recording")
    options = given(values)
    observation = options.open_demo(quiet=True) if demo else options.open_cluster(quiet=True)
    observation.start()
    try:
        picture = wait_synced(observation, timeout)
        for_s = (_ADVICE_S if advice else 0.0) if for_s is None else for_s
        if for_s:
            observation.stopping.wait(for_s)
            picture = check(observation)
        found = observation.advice() if advice else ()
    finally:
        observation.stop()
    _print(picture, found if advice else None, output)
    return 0


def _recorded(path: str, at: str, advice: bool, output: str) -> int:
    """The state of a recording."""
    observation = open_file(path)
    observation.start()
    observation.go(place_in(observation, at, "--at"))
    observation.wait()
    observation.stop()
    _print(observation.picture(), observation.advice() if advice else None, output)
    return 0


def _print(picture: Snapshot, found: tuple[AdviceView, ...] | None, output: str) -> None:
    if output == "json":
        what = dataclasses.asdict(picture) if found is None else [dataclasses.asdict(each) for each in found]
        write_json(_finite(what), indent=2)
    else:
        write_lines(*(table(picture) if found is None else advice_lines(found)))


def advice_lines(found: tuple[AdviceView, ...]) -> list[str]:
    """The advice as text."""
    if not found:
        return ["nothing is wrong, as far as these figures tell"]
    lines: list[str] = []
    for each in found:
        lines += [f"{each.severity.upper()}  {each.subject}: {each.title}  [{each.rule}]", f"  {each.figures}",
                  f"  -> {each.todo}", ""]
    return lines[:-1]


def _finite(value: Any) -> Any:
    """JSON knows no infinity: the limit of the last bar of a histogram becomes null."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(picture: Snapshot) -> list[str]:
    """The snapshot as aligned text, in lines."""
    blocks = [[f"{picture.source}  {picture.state.word}  {plural(picture.objects, 'object')}"]]
    blocks.append(columns(
        ("INFORMER", "SCOPE", "STATE", "OBJECTS", "RV", "LISTS", "WATCHES", "RELISTS", "SYNC"),
        [(i.name, i.scope, i.state, i.objects, i.resource_version, i.lists, i.watches, i.relists,
          "-" if i.last_list_s is None else duration(i.last_list_s)) for i in picture.informers],
    ))  # fmt: skip
    queue = picture.queue
    blocks.append(columns(
        ("QUEUE", "KEYS", "DELTAS", "PEAK", "IN", "OUT", "WAIT P50", "WAIT P99"),
        [(queue.title, queue.keys, queue.deltas, queue.peak, picture.pipeline.delta_total,
          picture.pipeline.pop_total, duration(queue.waited_p50_s), duration(queue.waited_p99_s))],
    ))  # fmt: skip
    hands = {(hand.informer, hand.handler): hand for hand in picture.resync.hands}
    rows = []
    for handler in picture.handlers:
        hand = hands.get((handler.informer, handler.name))
        resync = duration(hand.effective_s) if hand is not None and hand.effective_s else "off"
        rows.append((
            handler.name, handler.informer, handler.calls, handler.adds, handler.updates, handler.deletes,
            handler.syncs, duration(handler.p50_s), duration(handler.p99_s), handler.pending, resync,
        ))  # fmt: skip
    blocks.append(columns(
        ("HANDLER", "INFORMER", "CALLS", "ADD", "UPDATE", "DELETE", "SYNC", "P50", "P99", "PENDING",
         "RESYNC"),
        rows,
    ))  # fmt: skip
    api = picture.api
    blocks.append(columns(
        ("REQUESTS", "LISTS", "WATCHES", "OPEN", "BYTES", "ERRORS", "429S"),
        [(api.requests, api.lists, api.watches, api.open_watches, api.bytes, api.errors, api.throttled)],
    ))  # fmt: skip
    return [line for block in blocks for line in ("", *block)][1:]
