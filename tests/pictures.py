"""Makes the pictures in `screenshots/`: `python -m tests.pictures [FOLDER]`.

Each picture is the real dashboard on a seeded demo, run without a terminal for some seconds; keys are pressed as a
person would press them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kdash.observe.door import Observation, UiOptions
from kdash.observe.handlers import default_handlers, parse_handler
from kdash.observe.live import LiveObservation, Wanted
from kdash.observe.opening import DEMO_RESYNC_S, open_demo
from kdash.observe.replay import open_replay
from kdash.probe.snapshot import Snapshot
from kdash.ui.app import KdashApp

SEED = 7


@dataclass(frozen=True, slots=True)
class Picture:
    """`keys` are pressed after `after_s` seconds of a synced demo; the picture is taken `wait_s` later."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    theme: str = "kdash-dark"
    scenario: str = "rolling-update"
    after_s: float = 12.0
    wait_s: float = 0.5
    handlers: tuple[str, ...] = ()
    """As `--handler`; the demo's own when there are none."""
    rate: float | None = None
    """Changes a second; the scenario's own when None."""
    replayed: bool = False
    """Of a recording of `after_s` seconds."""


_OWN = ("audit", "mine=tests.e2e.handlers_example:on_pod,slow=50ms")
PICTURES = (
    Picture("demo-80x24", (80, 24)),
    Picture("demo-120x40", (120, 40)),
    Picture("demo-200x60", (200, 60), ("down", "down", "down")),
    Picture("resync-wave", (120, 40), ("r",), wait_s=0.3),
    Picture("relist", (120, 40), ("R",), wait_s=2.5),
    Picture("slow-handler", (120, 40), ("5", "5"), after_s=20.0, handlers=_OWN, rate=20.0),
    Picture("held", (120, 40), ("s", "n"), wait_s=4.0),
    Picture("advice", (120, 40), ("a",), after_s=20.0, handlers=_OWN, wait_s=1.5, rate=20.0),
    Picture("history", (120, 40), ("down", "down", "down", "v"), after_s=20.0),
    Picture("replay", (120, 40), ("down", "down", "down", "left_parenthesis", "left_curly_bracket"), after_s=32.0,
            wait_s=3.0, replayed=True),
    Picture("light", (120, 40), theme="kdash-light"),
    Picture("mono", (120, 40), theme="mono"),
    Picture("help", (120, 40), ("question_mark",)),
)


async def take(picture: Picture, folder: Path) -> Path:
    """Run one dashboard and write its picture."""
    handlers = tuple(map(parse_handler, picture.handlers)) or default_handlers(demo=True)
    wanted = Wanted(resync_s=DEMO_RESYNC_S, all_namespaces=True, seed=SEED, handlers=handlers)
    demo = open_demo(wanted, scenario=picture.scenario, seed=SEED, rate=picture.rate)
    observation: Observation = demo
    with TemporaryDirectory() as there:
        if picture.replayed:
            observation = await _recorded(demo, str(Path(there, "incident.rec")), picture.after_s)
        app = KdashApp(observation, UiOptions(theme=picture.theme, ascii=False))
        try:
            async with app.run_test(size=picture.size, notifications=True) as pilot:
                if not picture.replayed:
                    await _until(observation.snapshot, _is_live)
                    await asyncio.sleep(picture.after_s)
                await pilot.press(*picture.keys)
                await asyncio.sleep(picture.wait_s)
                path = folder / f"{picture.name}.svg"
                title = "kdash replay" if picture.replayed else "kdash demo"
                path.write_text(app.export_screenshot(title=title), encoding="utf-8")
        finally:
            observation.stop()
    return path


async def _recorded(observation: LiveObservation, path: str, for_s: float) -> Observation:
    """A replay of so many seconds with a relist in their middle, standing at the end."""
    observation.recordings.begin(path)
    observation.start()
    try:
        await _until(observation.snapshot, _is_live)
        await asyncio.sleep(for_s / 2)
        observation.relist()
        await asyncio.sleep(for_s / 2)
    finally:
        observation.stop()
    replay = open_replay(path, playing=False)
    replay.go(replay.view().last_at)
    return replay


def _is_live(seen: Snapshot) -> bool:
    return seen.state.word == "LIVE"


async def _until(snapshot: Callable[[], Snapshot], test: Callable[[Snapshot], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not test(snapshot()):
            await asyncio.sleep(0.05)


def main(arguments: list[str]) -> None:
    """`FOLDER` (default: screenshots), then names of pictures (default: all)."""
    folder = Path(arguments[0] if arguments else "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    wanted: Iterable[Picture] = [each for each in PICTURES if each.name in arguments[1:] or not arguments[1:]]
    for picture in wanted:
        print(asyncio.run(take(picture, folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
