"""What goes wrong over one object costs that object's turn, not the thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVarTuple

__all__ = ["Guard"]

_logger = logging.getLogger(__name__)
_Args = TypeVarTuple("_Args")


class Guard:
    """Runs pieces of work for a thread that must go on: what they raise is logged with its traceback, and counted.

    Until `on` is set it raises: whoever drives the work by hand sees what is wrong. One thread.
    """

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self.on = False
        self.failures = 0

    def run(self, what: str, work: Callable[[*_Args], object], *args: *_Args) -> None:
        """Do a piece of work on `what`."""
        try:
            work(*args)
        except Exception:
            if not self.on:
                raise
            self.failures += 1
            _logger.exception("the demo's %s failed on %s; it goes on with the rest", self._whose, what)

    def life(self, live: Callable[[], None]) -> None:
        """Run the thread's whole life; its death is logged, and what ended it raised."""
        try:
            live()
        except BaseException:
            self.failures += 1
            _logger.critical("the demo's %s has died: nothing in the cluster moves by itself any more", self._whose,
                             exc_info=True)  # fmt: skip
            raise
