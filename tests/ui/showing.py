"""Runs the dashboard on a still observation and reads its screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.cells import cell_len
from textual.pilot import Pilot

from kdash.observe.door import UiOptions
from kdash.ui.app import KdashApp
from tests.ui.states import Still

__all__ = ["SIZES", "assert_whole", "screen_text", "showing"]

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}


def make_app(still: Still, theme: str = "kdash-dark", ascii_only: bool = False, motion: bool = True) -> KdashApp:
    options = UiOptions(theme=theme, ascii=ascii_only, reduced_motion=not motion)
    return KdashApp(still, options, ticking=False)  # type: ignore[arg-type]


@asynccontextmanager
async def showing(
    still: Still, size: tuple[int, int] = (120, 40), theme: str = "kdash-dark", ascii_only: bool = False,
    motion: bool = True,
) -> AsyncIterator[tuple[KdashApp, Pilot[int]]]:
    """The dashboard, drawn once."""
    app = make_app(still, theme, ascii_only, motion)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.draw(everything=True)
        await pilot.pause()
        yield app, pilot


def screen_text(app: KdashApp) -> str:
    """What stands on the screen."""
    return "\n".join("".join(segment.text for segment in strip).rstrip()
                     for strip in app.screen._compositor.render_strips())


def assert_whole(app: KdashApp) -> None:
    """Every row is exactly as wide as the terminal and holds nothing that could steer it."""
    width = app.size.width
    for strip in app.screen._compositor.render_strips():
        text = "".join(segment.text for segment in strip)
        assert cell_len(text) == width, text
        assert text.isprintable(), repr(text)
