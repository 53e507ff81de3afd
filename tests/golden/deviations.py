"""Where kdash differs from a golden on purpose: (engine, scenario) → what differs and why.

Counted apart by `python -m tests.golden`; anything that differs and is not in this table is a defect.
"""

from __future__ import annotations

DEVIATIONS: dict[tuple[str, str], str] = {}
