"""Pane 2: one row of the object tree."""

from __future__ import annotations

from kdash.probe.objects import ObjectRow, RowRef
from kdash.probe.text import clean, plural
from kdash.ui.glyphs import Glyphs
from kdash.ui.presenter.context import ago, amount, count
from kdash.ui.spans import Line, columns, line, pad_middle

__all__ = ["head_row", "header_row", "legend", "object_row"]


def _widths(width: int, wide: bool = False) -> tuple[int, int, int, int, int, int]:
    """name, status, seen, updates, rv, size (0: not shown)."""
    version = 8 if width >= 66 or (wide and width >= 50) else 0
    size = 7 if wide and width >= 60 else 0
    status = 10 if wide else 18 if width >= 74 else 17 if width >= 54 else 11 if width >= 50 else 9
    seen, updates = (5, 6) if width >= 50 else (3, 5)
    name = width - 4 - status - seen - updates - version - (4 if version else 3)
    return max(10, name - (size + 1 if size else 0)), status, seen, updates, version, size


def head_row(width: int, wide: bool = False) -> Line:
    """The column heads."""
    name, status, seen, updates, version, size = _widths(width, wide)
    title = "  namespace / name" if name > 15 else "  name"
    cells = [(title, "dim", name + 4, False), ("status", "dim", status, False),
             ("seen" if seen > 3 else "ago", "dim", seen, True), ("upd", "dim", updates, True)]
    if version:
        cells.append(("rv", "dim", version, True))
    if size:
        cells.append(("size", "dim", size, True))
    return columns(cells)


def header_row(row: RowRef, glyphs: Glyphs, selected: bool) -> Line:
    """A kind's or a namespace's row."""
    mark = glyphs.folded if row.folded else glyphs.opened
    name = clean(row.informer) if row.level == 0 else clean(row.namespace) or "(cluster)"
    style = "cursor" if selected else "title" if row.level == 0 else "bold"
    indent = "" if row.level == 0 else " "
    return line((f"{indent}{mark} {name} ", style), (plural(row.count, "object"), "dim"))


def object_row(
    row: RowRef, known: ObjectRow | None, status: str, now: float, width: int, glyphs: Glyphs, selected: bool,
    wide: bool = False,
) -> Line:
    """An object's row: mark, name, status word, age of its last change, updates, version; `wide`: its size."""
    name_width, status_width, seen_width, updates_width, version_width, size_width = _widths(width, wide)
    mark, style, updates, version, seen = glyphs.same, "", "", "", ""
    if known is not None:
        fresh = now - known.changed_at < 5
        if known.mark == "gone":
            mark, style, status, updates = glyphs.gone, "gone", "deleted", "gone"
        elif known.mark == "new" and fresh:
            mark, style = glyphs.new, "new"
        elif known.mark == "resync" and fresh:
            mark, style = glyphs.resync, "resync"
        elif known.mark == "changed" and fresh:
            mark, style = glyphs.changed, "changed"
        if known.mark != "gone":
            first = "new" if known.mark == "new" and fresh else ""
            updates = f"{glyphs.times}{count(known.updates)}" if known.updates else first
        if known.uid_changed:
            status = f"{status} (uid!)"
        version = clean(known.resource_version)
        seen = ago(now, known.changed_at)
    bad = status in ("Failed", "CrashLoopBackOff", "Error", "ImagePullBackOff", "ErrImagePull", "NotReady")
    cells = [
        (f"  {mark} ", style or "dim", 4, False),
        (pad_middle(clean(row.name), name_width), "cursor" if selected else style, name_width, False),
        (clean(status), "bad" if bad else "gone" if style == "gone" else "", status_width, False),
        (seen, "dim", seen_width, True),
        (updates, style or "dim", updates_width, True),
    ]
    if version_width:
        cells.append((version, "dim", version_width, True))
    if size_width:
        cells.append((amount(known.size) if known is not None else "", "dim", size_width, True))
    return (*columns(cells[:1]), *columns(cells[1:]))


def legend(glyphs: Glyphs, width: int) -> Line:
    """What the marks mean."""
    marks = [(glyphs.same, "same", "dim"), (glyphs.changed, "changed", "changed"), (glyphs.new, "new", "new"),
             (glyphs.gone, "gone", "gone"), (glyphs.resync, "resynced" if width > 44 else "resync", "resync")]
    out = []
    for index, (mark, word, style) in enumerate(marks):
        out.append((f"{'  ' if index and width > 44 else ' ' if index else ''}{mark} {word}", style))
    return tuple(out)
