"""A still observation that writes down which orders it was given, and says yes to each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from kdash.observe.door import Outcome, ScopeView, UiOptions
from kdash.probe.objects import ObjectRef
from kdash.probe.snapshot import GateView, Snapshot
from kdash.ui.app import KdashApp
from tests.ui.states import LIVE, Still

__all__ = ["HELD", "Spy", "dashboard", "footer", "press"]

HELD = replace(LIVE, gate=GateView(True, "all"))


class Spy(Still):
    """Remembers orders as (name, arguments)."""

    def __init__(self, snapshot: Snapshot = LIVE, is_demo: bool = True, is_replay: bool = False) -> None:
        super().__init__(snapshot)
        self.is_demo, self.is_replay = is_demo, is_replay
        self.orders: list[tuple[Any, ...]] = []

    def scope(self) -> ScopeView:
        return ScopeView(("pods",), "", True, "", "", "here", ("default", "shop"), ("here", "there"))

    def labels(self, ref: ObjectRef) -> Mapping[str, str]:
        name = ref.key.partition("/")[2]
        return {"app": name.partition("-")[0]} if name else {}

    def demo_menu(self) -> Mapping[str, str]:
        return {"reset": "answer with a TCP reset", "503": "503 ServiceUnavailable"} if self.is_demo else {}

    def find(self, text: str, given_up: Callable[[], bool]) -> Outcome:
        self.orders.append(("find", text))
        return Outcome(not given_up(), "find done")

    def __getattr__(self, name: str) -> Callable[..., Outcome]:
        if name.startswith("_"):
            raise AttributeError(name)

        def order(*arguments: Any, **named: Any) -> Outcome:
            self.orders.append((name, *arguments, *named.values()))
            return Outcome(True, f"{name} done")

        return order


@asynccontextmanager
async def dashboard(
    spy: Spy, size: tuple[int, int] = (120, 40), keys: Mapping[str, tuple[str, ...]] | None = None,
    themes: Path | None = None, **options: Any,
) -> AsyncIterator[tuple[KdashApp, Pilot[int]]]:
    """The dashboard on a spy, drawn once, with an object selected."""
    ui = UiOptions(keys=keys or {}, themes=themes, ascii=False, theme=options.pop("theme", "kdash-dark"), **options)
    app = KdashApp(spy, ui, ticking=False)  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.draw(everything=True)
        await pilot.pause()
        app.objects.move(3)
        app.draw()
        yield app, pilot


def footer(app: KdashApp) -> str:
    """What stands in the last line: a toast, or the hints."""
    return "".join(text for row in app.footer._shown for text, _ in row)


async def press(app: KdashApp, pilot: Pilot[int], *keys: str) -> str:
    """Press keys one after the other; returns the last line."""
    for key in keys:
        await pilot.press(key)
    await pilot.pause()
    await pilot.pause()
    if app.is_running and len(app.screen_stack) == 1:
        app.draw()
    return footer(app)
