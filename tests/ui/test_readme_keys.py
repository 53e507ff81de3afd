"""README's key table is the table of actions."""

from __future__ import annotations

from pathlib import Path

from kdash.ui.actions import markdown_table

README = Path(__file__).parents[2] / "README.md"


def test_readme_lists_the_keys_that_there_are() -> None:
    table = README.read_text().split("<!-- keys: python -m kdash.ui.actions -->\n")[1].split("\n<!-- /keys -->")[0]
    assert table == markdown_table(), "put in what `python -m kdash.ui.actions` prints"
