"""Inspect: one object's History, YAML, Diff and Path. It stands in the large layout and alone over the small ones."""

from __future__ import annotations

from kdash.observe.door import Look
from kdash.probe.objects import ObjectRef
from kdash.probe.snapshot import VersionView
from kdash.probe.text import clean
from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.inspect import diff_lines, history_lines, path_lines
from kdash.ui.presenter.yaml_text import yaml_lines
from kdash.ui.spans import Line, Span, line

__all__ = ["TABS", "InspectPane"]

TABS = ("History", "YAML", "Diff", "Path")


class InspectPane(Pane):
    """Reads the object again only when another one is selected or its version has changed."""

    def __init__(self, pane_id: str = "inspect", tab: str = "YAML") -> None:
        super().__init__(pane_id, None)
        self.tab = tab
        self._number: int | None = None  # the version that was chosen with [ and ]; None: the newest
        self._ref: ObjectRef | None = None
        self._read: tuple[ObjectRef, str, str, int] | None = None
        self._lines: list[Line] = []
        self._from = 0

    def update(self, context: Context, observation: Look, ref: ObjectRef | None) -> None:
        """Show the object that `ref` names."""
        if ref != self._ref:
            self._ref, self._number, self._from = ref, None, 0
        if ref is None:
            self._read = None
            self.frame("Inspect", [line(("select an object in pane 2", "dim"))])
            return
        row = observation.objects.get(ref)
        current = row.resource_version if row is not None else ""
        versions = observation.history(ref)
        new = self._chosen(versions)
        if self.tab == "YAML":
            text = self._yaml(observation, ref, current, new)
        elif self.tab == "History":
            text = history_lines(context, versions, new.number if new is not None else 0)
        elif self.tab == "Diff":
            synced = new
            if self._number is None:
                new = _last_change(versions) or new
            old = _before(versions, new)
            changes = observation.changes(ref, old.number, new.number) if old is not None and new is not None else ()
            text = diff_lines(context, old, new, changes, synced if synced is not new else None)
        else:
            text = path_lines(context, new)
        tabs: list[Span] = []
        for name in TABS:
            tabs += [(f" {name} ", "cursor" if name == self.tab else "dim")]
        body = max(1, context.height - 1)
        self._from = max(0, min(self._from, len(text) - body))
        shown = clean(current) or "gone"
        if self._number is not None and new is not None:
            shown = clean(new.resource_version)
        note = "" if len(text) <= body else f"{self._from + 1}-{min(len(text), self._from + body)} of {len(text)}, "
        self.frame(f"Inspect  {clean(ref.key)}  rv {shown}", [tuple(tabs), *text[self._from :]],
                   f"{note}from the cache, 0 requests")

    def _chosen(self, versions: tuple[VersionView, ...]) -> VersionView | None:
        found = [version for version in versions if version.number == self._number]
        if not found:
            self._number = None
        return found[0] if found else versions[-1] if versions else None

    def _yaml(self, observation: Look, ref: ObjectRef, current: str, new: VersionView | None) -> list[Line]:
        number = self._number if self._number is not None else 0
        if self._read != (ref, current, self.tab, number):
            obj = observation.version(ref, number) if number else observation.read_object(ref)
            missing = "no longer cached, or changed since this instant"
            if number:
                missing = "this version's content is forgotten"
            if obj is None and not number and new is not None:
                obj = observation.version(ref, new.number)
            self._lines = yaml_lines(obj) if obj is not None else [line((missing, "dim"))]
            self._read = (ref, current, self.tab, number)
        return self._lines

    # orders --------------------------------------------------------------------------------------------

    def choose_tab(self, name: str) -> None:
        self.tab, self._from = name, 0

    def next_tab(self, by: int = 1) -> None:
        self.choose_tab(TABS[(TABS.index(self.tab) + by) % len(TABS)])

    def scrub(self, observation: Look, by: int) -> None:
        """To an older (-1) or newer (+1) version."""
        if self._ref is None:
            return
        numbers = [version.number for version in observation.history(self._ref)]
        if not numbers:
            return
        at = numbers.index(self._number) if self._number in numbers else len(numbers) - 1
        at = max(0, min(len(numbers) - 1, at + by))
        self._number = None if at == len(numbers) - 1 else numbers[at]

    def move(self, rows: int) -> None:
        self._from = max(0, self._from + rows)

    def page(self) -> int:
        return max(1, self.inner[1] - 2)


def _before(versions: tuple[VersionView, ...], new: VersionView | None) -> VersionView | None:
    """The version before, with content."""
    older = [each for each in versions if new is not None and each.number < new.number and each.has_content]
    return older[-1] if older else None


def _last_change(versions: tuple[VersionView, ...]) -> VersionView | None:
    """The newest version that is no replay."""
    return next((each for each in reversed(versions) if each.event != "Sync"), None)
