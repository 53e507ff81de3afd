"""Inspect: one object's history, the difference between two versions, and the way of one version through the stages."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kdash.probe.snapshot import ChangeView, HandlerPass, VersionView
from kdash.probe.text import clean, duration
from kdash.ui.presenter.context import Context, amount
from kdash.ui.spans import Line, Span, columns, line, pad, wrap

__all__ = ["diff_lines", "history_lines", "path_lines"]

_EVENTS = {"Added": "new", "Updated": "changed", "Deleted": "gone", "Replaced": "stage", "Sync": "resync"}
_SAME_VERSION = (
    "The version is the same on both sides: a resync replays the cache, so handlers get an update that changes nothing."
)
_NO_STAGES = "It came in a storm: only its content was kept, not its way through the stages."


def _wall(context: Context, at: float) -> str:
    snapshot = context.snapshot
    wall = snapshot.wall - (snapshot.mono - at)
    return f"{time.strftime('%H:%M:%S', time.localtime(wall))}.{int(wall % 1 * 1000):03}"


def history_lines(context: Context, versions: Sequence[VersionView], selected: int) -> list[Line]:
    """A row a version, newest first: when, by which event, from where, through which handlers."""
    if not versions:
        return [line(("nothing has happened to it since kdash looks", "dim"))]
    out = [columns([("when", "dim", 12, False), ("event", "dim", 9, False), ("rv", "dim", 10, False),
                    ("source", "dim", 8, False), ("handlers", "dim", 40, False)])]
    for version in reversed(versions):
        passes: list[Span] = []
        for each in version.handlers:
            word, style = _pass_word(each)
            passes += [(f"{clean(each.handler)} {word}  ", style)]
        repeats = f" {context.glyphs.times}{version.repeats}" if version.repeats > 1 else ""
        chosen = version.number == selected
        row = columns([
            (_wall(context, version.at), "cursor" if chosen else "dim", 12, False),
            (clean(version.event) + repeats, _EVENTS.get(version.event, ""), 9, False),
            (clean(version.resource_version), "", 10, False),
            (clean(version.source), "dim", 8, False),
        ])
        out.append((*row, (" ", ""), *passes))
    synced = next((each for each in reversed(versions) if each.event == "Sync"), None)
    if synced is not None:
        words = f"{_sync_words(context, synced)}: {_same_object(synced)}"
        out += [line(""), *(line((each, "dim")) for each in wrap(words, context.width))]
    return out


def _pass_word(each: HandlerPass) -> tuple[str, str]:
    if each.state == "done" and each.run_s is not None:
        return duration(each.run_s), ""
    return {"failed": ("failed", "bad"), "running": ("runs", "warn"), "waiting": ("waits", "warn"),
            "skipped": ("(off)", "dim")}.get(each.state, (clean(each.state), "dim"))


def diff_lines(
    context: Context, old: VersionView | None, new: VersionView | None, changes: Sequence[ChangeView],
    synced: VersionView | None = None,
) -> list[Line]:
    """What differs between two versions, a path a line. `synced`: a resync that came after the newer one."""
    out = _diff(context, old, new, changes)
    if synced is not None:
        words = f"since then {_sync_words(context, synced)}: {_same_object(synced)}"
        out += [line(""), *(line((each, "dim")) for each in wrap(words, context.width))]
    return out


def _sync_words(context: Context, synced: VersionView) -> str:
    return f"Sync {context.glyphs.times}{synced.repeats} by {clean(synced.source)}"


def _same_object(synced: VersionView) -> str:
    return (f"old and new are the same object at one resource version ({clean(synced.resource_version)}), so handlers "
            "get an update that changes nothing")


def _diff(
    context: Context, old: VersionView | None, new: VersionView | None, changes: Sequence[ChangeView]
) -> list[Line]:
    if new is None:
        return [line(("nothing has happened to it since kdash looks", "dim"))]
    if old is None:
        words = f"rv {clean(new.resource_version)} is the first version that kdash has seen; nothing came before it"
        return [line((each, "dim")) for each in wrap(words, context.width)]
    width = context.width
    versions = f"{clean(old.resource_version)} {context.glyphs.into} {clean(new.resource_version)}"
    out = [line(("diff ", "dim"), (versions, "bold"), (f"   {clean(new.event)} by {clean(new.source)}", "dim"))]
    if not changes:
        same = old.resource_version == new.resource_version
        text = _SAME_VERSION if same else "nothing differs but the version, or one of the two is forgotten"
        return [*out, *(line((words, "dim")) for words in wrap(text, width))]
    paths = min(max(len(change.path) for change in changes), max(12, width // 2))
    styles = {"+": "new", "-": "gone", "~": "changed"}
    for change in changes:
        style = styles.get(change.kind, "")
        values: list[Span] = [(clean(change.old), "gone")] if change.kind != "+" else []
        if change.kind == "~":
            values.append((f" {context.glyphs.into} ", "dim"))
        if change.kind != "-":
            values.append((clean(change.new), "new"))
        out.append(((f"{change.kind} ", style), (pad(clean(change.path), paths), style), ("  ", ""), *values))
    return out


def path_lines(context: Context, version: VersionView | None) -> list[Line]:
    """The stages that one version passed, with the time from the byte's arrival."""
    if version is None:
        return [line(("nothing has happened to it since kdash looks", "dim"))]
    glyphs = context.glyphs
    out = [line((f"rv {clean(version.resource_version)}", "bold"), (f"  {clean(version.event)}", ""),
                (f" by {clean(version.source)}", "dim"), (f"  {amount(version.size)}" if version.size else "", "dim"))]
    if not version.stages:
        out += [line((words, "dim")) for words in wrap(_NO_STAGES, context.width)]
    first = version.stages[0].at if version.stages else version.at
    for number, stage in enumerate(version.stages):
        mark = glyphs.last if number == len(version.stages) - 1 and not version.handlers else glyphs.branch
        out.append(line((f"{mark}{glyphs.line} ", "stage"), (pad(clean(stage.stage), 10), "bold"),
                        (f"+{duration(max(0.0, stage.at - first))}", ""), (f"  {clean(stage.detail)}", "dim")))
    for number, each in enumerate(version.handlers):
        mark = glyphs.last if number == len(version.handlers) - 1 else glyphs.branch
        word, style = _pass_word(each)
        waited = f"waited {duration(each.wait_s)}, " if each.wait_s is not None else ""
        ran = f"ran {word}" if each.state == "done" else word
        out.append(line((f"{mark}{glyphs.line} ", "stage"), (pad(f"{clean(each.handler)}", 10), "bold"),
                        (f"{waited}{ran}", style), (f"  {clean(each.error)}", "bad")))
    return out
