"""Settings for every test: hypothesis draws the same examples each time and never judges by the clock.

`pytest --hypothesis-profile explore` draws new ones, many.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("kdash", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("kdash")
