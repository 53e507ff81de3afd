"""Pane 7: the event log. It follows only at the bottom; who scrolls up stays where he is."""

from __future__ import annotations

import sys
from bisect import bisect_left

from kdash.observe.door import Look
from kdash.probe.events import EventLine
from kdash.probe.filters import LineTest, line_filter
from kdash.probe.objects import ObjectRef
from kdash.probe.text import clean, plural
from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context, ago, whole
from kdash.ui.presenter.events import event_row
from kdash.ui.spans import Line, line

__all__ = ["EventsPane"]


class EventsPane(Pane):
    """Shows lines by their number in the log."""

    def __init__(self) -> None:
        super().__init__("events", 7)
        self.following = True
        self.relative = False
        self.filter_text = ""
        self._test: LineTest | None = None
        self._matches: list[int] = []
        self._scanned = 0
        self.marks: set[int] = set()
        self._chosen_number: int | None = None  # of the line under the cursor; None while following
        self._top = 0
        self._end = 0  # number (or index of a match) after the last visible line, while not following
        self._observation: Look | None = None

    def update(self, context: Context, observation: Look) -> None:
        """Draw the visible lines."""
        self._observation, self.stirred = observation, False
        log, now = observation.events, context.snapshot.mono
        width, height = self.inner
        first, total = self._span()
        end = total if self.following else max(first + 1, min(self._end, total))
        begin = max(first, end - height)
        end = min(total, begin + height)
        self._end = end
        if self._test is None:
            shown = log.lines(begin, end - begin)
        else:
            numbers = self._matches[begin - first : end - first] if first else self._matches[begin:end]
            shown = [found for number in numbers if (found := log.line(number)) is not None]
        self._top = begin
        lines: list[Line] = [
            event_row(each, now, width, self.glyphs, self.relative, each.number == self._chosen_number,
                      each.number in self.marks, context.wide)
            for each in shown
        ]
        if not lines:
            lines = [self._nothing(context)]
        below = total - end
        follow = "follow on" if self.following else f"follow off: {below} new below, G follows"
        if width < 90:
            title = f"Events  {follow}" + (f"  /{clean(self.filter_text)}" if self.filter_text else "")
        else:
            title = f"Events   {follow}   filter {clean(self.filter_text) or 'none'}   {plural(log.total, 'line')}"
            if context.snapshot.tap_dropped:
                title += f", dropped {context.snapshot.tap_dropped}"
        self.frame(title, lines)

    def _span(self) -> tuple[int, int]:
        """First and past-the-last number that can be shown, of lines or of matches."""
        assert self._observation is not None
        log = self._observation.events
        if self._test is None:
            return log.first, log.total
        total = log.total
        if total > self._scanned:
            self._matches += reversed(list(log.scan(self._test, total, self._scanned)))
            self._scanned = total
        while self._matches and self._matches[0] < log.first:
            del self._matches[: max(1, len(self._matches) // 8)]
        return 0, len(self._matches)

    def _nothing(self, context: Context) -> Line:
        snapshot = context.snapshot
        if self.filter_text:
            return line((f"no line matches {clean(self.filter_text)}", "warn"))
        if snapshot.last_event_at is None:
            return line(("connecting…", "dim"))
        bookmarks = [each.last_bookmark_at for each in snapshot.informers if each.last_bookmark_at is not None]
        last = f" (bookmark {ago(snapshot.mono, max(bookmarks))} ago)" if bookmarks else ""
        return line((f"quiet for {whole(snapshot.mono - snapshot.last_event_at)}{last}", "dim"))

    # orders --------------------------------------------------------------------------------------------

    @property
    def selected_line(self) -> EventLine | None:
        """The line under the cursor; None while the log is followed or the line has left the ring."""
        if self._observation is None or self._chosen_number is None:
            return None
        found: EventLine | None = self._observation.events.line(self._chosen_number)
        return found

    @property
    def selected_ref(self) -> ObjectRef | None:
        """The object that the line under the cursor is about."""
        chosen = self.selected_line
        return ObjectRef(chosen.informer, chosen.key) if chosen is not None and chosen.key else None

    def move(self, rows: int) -> None:
        """Move the cursor, the view after it; below the last line the log is followed again."""
        if self._observation is None:
            return
        first, total = self._span()
        if total <= first:
            return
        at = self._index_of_chosen(first, total)
        if rows > 0 and (at is None or at + rows >= total):
            self.go(bottom=True)
            return
        self._choose(first, total, (total if at is None else at) + rows)

    def click(self, row: int) -> None:
        """Choose the line that was clicked."""
        first, total = self._span() if self._observation is not None else (0, 0)
        if total > first and self._top + row < self._end:
            self._choose(first, total, self._top + row)

    def jump(self, number: int) -> None:
        """Put the cursor on the line `number`, or on the next one that is shown."""
        if self._observation is None:
            return
        first, total = self._span()
        if total > first:
            at = number if self._test is None else bisect_left(self._matches, number)
            self._choose(first, total, at)

    def mark(self) -> None:
        """Mark or unmark the line under the cursor, or the newest one."""
        log = self._observation.events if self._observation is not None else None
        number = self._chosen_number if self._chosen_number is not None else log.total - 1 if log is not None else -1
        if number >= 0:
            self.marks ^= {number}
            self.stirred = True

    def next_mark(self, by: int = 1) -> None:
        """Jump to the marked line after (1) or before (-1) the cursor; after the last one comes the first."""
        here = self._chosen_number if self._chosen_number is not None else sys.maxsize
        marks = sorted(self.marks)
        later = [number for number in marks if number > here]
        earlier = [number for number in marks if number < here]
        if by > 0 and marks:
            self.jump((later or marks)[0])
        elif by < 0 and earlier:
            self.jump(earlier[-1])

    def _index_of_chosen(self, first: int, total: int) -> int | None:
        """Where the line under the cursor stands now: lines leave at the top."""
        if self._chosen_number is None:
            return None
        at = self._chosen_number if self._test is None else bisect_left(self._matches, self._chosen_number)
        return max(first, min(at, total - 1))

    def _choose(self, first: int, total: int, at: int) -> None:
        at = max(first, min(at, total - 1))
        self.following, self.stirred = False, True
        self._chosen_number = at if self._test is None else self._matches[at]
        height = self.inner[1]
        begin = min(max(at - height + 1, min(self._top, at)), max(first, total - height))
        self._end = min(total, begin + height)

    def go(self, bottom: bool) -> None:
        if self._observation is None:
            return
        first, total = self._span()
        if not bottom and total > first:
            self._choose(first, total, first)
            return
        self.following, self._chosen_number, self._end, self.stirred = True, None, total, True

    def page(self) -> int:
        return max(1, self.inner[1] - 1)

    def set_filter(self, text: str, test: LineTest | None = None) -> None:
        """Show only the lines that fit `text`; `test`: what it means, where that needs more than the line."""
        self._test = test or line_filter(text)
        self.filter_text = text.strip() if self._test is not None else ""
        self._matches, self._scanned = [], 0
        self.following, self._chosen_number, self.stirred = True, None, True
