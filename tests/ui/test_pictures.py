"""What the screen looks like with its colours: each state at three sizes in four appearances, as SVG.

The pictures are `pictures/STATE-SIZE-LOOK.svgz` (SVG, gzipped: `rsvg-convert` and browsers open them). New ones with
`--snapshot-update`; then look. A picture that differs is written to the test's folder beside the stored one's name.
"""

from __future__ import annotations

import gzip
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ui.showing import SIZES, assert_whole, showing
from tests.ui.states import LIVE, STATES, Still

PICTURES = Path(__file__).parent / "pictures"
PAUSED = {"paused": replace(LIVE, mono=LIVE.mono + 2.0, events_total=LIVE.events_total + 231)}
UPDATE = "--snapshot-update" in sys.argv
LOOKS = {"dark": ("kdash-dark", False), "light": ("kdash-light", False), "mono": ("mono", False),
         "ascii": ("kdash-dark", True)}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("replayed", [False, True])
async def test_each_state_looks_as_it_did(look: str, size: str, replayed: bool, tmp_path: Path) -> None:
    theme, ascii_only = LOOKS[look]
    states = {name: each for name, each in {**STATES, **PAUSED}.items() if (each.replay is not None) is replayed}
    still = Still(next(iter(states.values())))
    different = []
    async with showing(still, SIZES[size], theme, ascii_only) as (app, pilot):
        for state, picture in states.items():
            app.frozen = Still(LIVE) if state in PAUSED else None
            still.picture = picture
            app.draw(everything=True)
            await pilot.pause()
            assert_whole(app)
            svg = app.export_screenshot(title=f"{state} {size} {look}")
            name = f"{state}-{size}-{look}"
            path = PICTURES / f"{name}.svgz"
            if UPDATE:
                PICTURES.mkdir(exist_ok=True)
                path.write_bytes(gzip.compress(svg.encode(), 9, mtime=0))
            elif svg != gzip.decompress(path.read_bytes()).decode():
                (tmp_path / f"{name}.svg").write_text(svg, encoding="utf-8")
                different.append(name)
    assert not different, f"these look different now (see {tmp_path}): {', '.join(different)}"


def test_there_is_no_picture_of_what_no_longer_is() -> None:
    names = {f"{state}-{size}-{look}.svgz" for state in (*STATES, *PAUSED) for size in SIZES for look in LOOKS}
    assert {path.name for path in PICTURES.iterdir()} == names
