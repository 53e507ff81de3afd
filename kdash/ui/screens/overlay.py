"""The base of all screens that stand over the dashboard: each is left once."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

__all__ = ["Overlay"]

Result = TypeVar("Result")


class Overlay(ModalScreen[Result]):
    """A modal screen that is dismissed at most once, and only while it is on top, whatever is typed meanwhile."""

    _is_left = False

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave with `result`. A screen that was left already, or is covered by another one, stays as it is."""
        if self._is_left or self.app.screen is not self:
            return AwaitComplete()
        self._is_left = True
        return super().dismiss(result)
