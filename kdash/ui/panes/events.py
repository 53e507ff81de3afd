"""Pane 7: the event log. It follows only at the bottom; who scrolls up stays where he is."""

from __future__ import annotations

from kdash.observe.door import Observation
from kdash.probe.filters import LineTest, line_filter
from kdash.probe.text import clean, duration
from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
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
        self._end = 0  # number (or index of a match) after the last visible line, while not following
        self._observation: Observation | None = None

    def update(self, context: Context, observation: Observation) -> None:
        """Draw the visible lines."""
        self._observation = observation
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
        lines: list[Line] = [event_row(each, now, width, self.glyphs, self.relative, False) for each in shown]
        if not lines:
            lines = [self._nothing(context)]
        below = total - end
        follow = "follow on" if self.following else f"follow off: {below} new below, G follows"
        if width < 90:
            title = f"Events  {follow}" + (f"  /{clean(self.filter_text)}" if self.filter_text else "")
        else:
            title = f"Events   {follow}   filter {clean(self.filter_text) or 'none'}   {log.total} lines"
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
        return line((f"quiet for {duration(float(int(snapshot.mono - snapshot.last_event_at)))}", "dim"))

    # orders --------------------------------------------------------------------------------------------

    def move(self, rows: int) -> None:
        """Scroll; at the bottom the log is followed again."""
        if self._observation is None:
            return
        first, total = self._span()
        height = self.inner[1]
        self._end = max(min(first + height, total), min(self._end + rows, total))
        self.following = self._end >= total

    def go(self, bottom: bool) -> None:
        if self._observation is None:
            return
        first, total = self._span()
        self.following = bottom
        self._end = total if bottom else min(first + self.inner[1], total)

    def page(self) -> int:
        return max(1, self.inner[1] - 1)

    def set_filter(self, text: str) -> None:
        self._test = line_filter(text)
        self.filter_text = text.strip() if self._test is not None else ""
        self._matches, self._scanned = [], 0
        self.following = True
