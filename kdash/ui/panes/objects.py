"""Pane 2: the object tree. It keeps no objects: it asks the probe's index for the rows that are visible."""

from __future__ import annotations

import time

from kdash.observe.door import Look
from kdash.probe.objects import ObjectRef, RowRef
from kdash.probe.text import clean
from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.objects import head_row, header_row, legend, object_row
from kdash.ui.spans import Line, line, wrap

__all__ = ["ObjectsPane"]


class ObjectsPane(Pane):
    """The selection follows the object, not the row."""

    def __init__(self) -> None:
        super().__init__("objects", 2)
        self.selected: RowRef | None = None
        self._cursor = 0
        self._top = 0
        self._observation: Look | None = None

    @property
    def selected_ref(self) -> ObjectRef | None:
        """The selected object; None on a header."""
        return self.selected.ref if self.selected is not None and self.selected.level == 2 else None

    def update(self, context: Context, observation: Look) -> None:
        """Draw the visible rows."""
        self._observation, self.stirred = observation, False
        index, glyphs = observation.objects, self.glyphs
        width, height = self.inner
        room = max(1, height - 2)
        total = index.total
        self._locate(total, room)
        rows = index.rows(self._top, room)
        if self.selected is None and rows:
            self.selected = rows[0]
        lines: list[Line] = [head_row(width, context.wide)]
        now = context.snapshot.mono
        for offset, row in enumerate(rows):
            chosen = self._top + offset == self._cursor
            if row.level < 2:
                lines.append(header_row(row, glyphs, chosen))
            else:
                lines.append(
                    object_row(row, index.get(row.ref), observation.summary(row.ref), now, width, glyphs, chosen,
                               context.wide)
                )
        if not rows:
            lines += self._nothing(context, index.filter_text)
        lines += [line("")] * (height - 1 - len(lines))
        lines.append(self._footer(context, index.filter_text, index.matches, width))
        filtered = f"   /{index.filter_text}" if index.filter_text else ""
        stale = ""
        if context.snapshot.state.word in ("RETRY", "DENIED", "STALE") and index.objects:
            seen = context.snapshot.last_event_at
            stale = "  last cache kept"
            if seen is not None:
                wall = context.snapshot.wall - (context.snapshot.mono - seen)
                stale = time.strftime("  as of %H:%M:%S", time.localtime(wall))
        self.frame(f"Objects  {index.objects}{filtered}{stale}", lines)

    def _locate(self, total: int, room: int) -> None:
        """Find the selected row again: rows above it may have come or gone."""
        index = self._observation.objects if self._observation else None
        if index is not None and self.selected is not None:
            row = self.selected
            if row.level == 2:
                found = index.position_of(row.ref)
            else:
                found = index.position_of_header(row.informer, row.key if row.level == 1 else None)
            if found is not None:
                self._cursor = found
        self._cursor = max(0, min(self._cursor, total - 1))
        if self._cursor < self._top:
            self._top = self._cursor
        elif self._cursor >= self._top + room:
            self._top = self._cursor - room + 1
        self._top = max(0, min(self._top, max(0, total - room)))

    def _nothing(self, context: Context, filtered: str) -> list[Line]:
        snapshot = context.snapshot
        if filtered:
            return [line((f"0 of {snapshot.objects} match /{clean(filtered)}", "warn"))]
        if snapshot.state.word in ("DENIED", "RETRY", "STOPPED") and snapshot.state.detail:
            detail, width = clean(snapshot.state.detail), max(10, self.inner[0])
            return [line((words, "bad")) for words in wrap(detail, width)][: max(1, self.inner[1] - 2)]
        if not snapshot.informers:
            return [line(("connecting…", "dim"))]
        informer = snapshot.informers[0]
        if not informer.synced:
            return [line((f"not synced yet: {sum(each.received for each in snapshot.informers)} received", "warn"))]
        hint = "; -A looks in all namespaces" if informer.namespace else ""
        return [line((f"synced: 0 {clean(informer.name)} {clean(informer.scope)}{hint}", "dim"))]

    def _footer(self, context: Context, filtered: str, matches: int, width: int) -> Line:
        if filtered:
            return line(
                (
                    f"{matches} of {context.snapshot.objects} match /{clean(filtered)} {self.glyphs.dot} esc clears",
                    "accent",
                )
            )
        return legend(self.glyphs, width)

    # orders --------------------------------------------------------------------------------------------

    def move(self, rows: int) -> None:
        """Move the selection."""
        self._select(self._cursor + rows)

    def go(self, bottom: bool) -> None:
        """To the first or the last row."""
        total = self._observation.objects.total if self._observation else 0
        self._select(total - 1 if bottom else 0)

    def page(self) -> int:
        return max(1, self.inner[1] - 3)

    def click(self, row: int) -> None:
        """Select the row that was clicked (the first content line is the head)."""
        self._select(self._top + row - 1)

    def _select(self, position: int) -> None:
        if self._observation is None:
            return
        total = self._observation.objects.total
        position = max(0, min(position, total - 1))
        rows = self._observation.objects.rows(position, 1)
        if rows:
            self._cursor, self.selected, self.stirred = position, rows[0], True

    def fold(self, folded: bool | None = None) -> None:
        """Fold the selected group, or the group of the selected object."""
        row = self.selected
        if row is None or self._observation is None:
            return
        index = self._observation.objects
        if row.level == 2:
            if folded is False:
                return
            position = index.position_of_header(row.informer, row.namespace)
            if position is None:
                return
            self._select(position)
            row = self.selected or row
        index.fold(row.informer, row.key if row.level == 1 else None, folded)
        self.stirred = True

    def select(self, ref: ObjectRef) -> bool:
        """Select an object, unfolding what hides it; False when it is filtered out or gone."""
        if self._observation is None:
            return False
        index = self._observation.objects
        namespace = ref.key.partition("/")[0] if "/" in ref.key else None
        if index.position_of(ref) is None:
            index.fold(ref.informer, None, False)
            if namespace is not None:
                index.fold(ref.informer, namespace, False)
        position = index.position_of(ref)
        if position is not None:
            self._select(position)
        return position is not None

    def set_filter(self, text: str) -> None:
        if self._observation is not None:
            self._observation.objects.set_filter(text)
            self.filtered()

    def filtered(self) -> None:
        """The filter has changed: begin at the top."""
        self._top = self._cursor = 0
        self.stirred = True
        if self._observation is not None and self._observation.objects.filter_text:
            self.selected = None
