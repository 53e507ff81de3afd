"""The Inspect pane of large terminals: YAML of the selected object, from the cache."""

from __future__ import annotations

from kdash.observe.door import Observation
from kdash.probe.objects import ObjectRef
from kdash.probe.text import clean
from kdash.ui.panes.pane import Pane
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.yaml_text import yaml_lines
from kdash.ui.spans import Line, line

__all__ = ["InspectPane"]


class InspectPane(Pane):
    """Reads the object again only when another one is selected or its version has changed."""

    def __init__(self) -> None:
        super().__init__("inspect", None)
        self._read: tuple[ObjectRef, str] | None = None
        self._lines: list[Line] = []

    def update(self, context: Context, observation: Observation, ref: ObjectRef | None) -> None:
        """Show the object that `ref` names."""
        if ref is None:
            self._read = None
            self.frame("Inspect", [line(("select an object in pane 2", "dim"))])
            return
        row = observation.objects.get(ref)
        version = row.resource_version if row is not None else ""
        if self._read != (ref, version):
            obj = observation.read_object(ref)
            self._lines = yaml_lines(obj) if obj is not None else [line(("no longer in the cache", "dim"))]
            self._read = (ref, version)
        self.frame(f"Inspect  {clean(ref.key)}  rv {clean(version)}", self._lines, "from the cache, 0 requests")
