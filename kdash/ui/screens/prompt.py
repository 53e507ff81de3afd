"""A one-line prompt at the bottom of the screen, and the command palette built on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

__all__ = ["Palette", "Prompt"]


class Prompt(ModalScreen[str | None]):
    """Asks for one line; None when it was left with escape."""

    DEFAULT_CSS = """
    Prompt { align: left bottom; background: transparent; }
    Prompt Vertical { height: auto; width: 100%; background: $surface; }
    Prompt Static { height: 1; width: 100%; padding: 0 1; color: $text-muted; }
    Prompt Input { height: 1; border: none; padding: 0 1; width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, question: str, value: str = "", on_change: Callable[[str], None] | None = None) -> None:
        super().__init__()
        self._question = question
        self._value = value
        self._on_change = on_change

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self._question))
            yield Input(self._value, select_on_focus=False)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if self._on_change is not None:
            self._on_change(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)


_HINT = "command: resync, relist, resync 30s, queue real, theme mono, q …"


class Palette(ModalScreen[str | None]):
    """Commands to choose from; what is typed filters them, and can be a command with arguments."""

    DEFAULT_CSS = """
    Palette { align: center top; background: transparent; }
    Palette Vertical { margin-top: 2; height: auto; max-height: 80%; width: 90%; max-width: 90; }
    Palette Vertical { background: $surface; border: round $accent; }
    Palette Input { height: 1; border: none; padding: 0 1; }
    Palette OptionList { height: auto; max-height: 20; border: none; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, commands: Sequence[tuple[str, str]], hint: str = _HINT) -> None:
        super().__init__()
        self._hint = hint
        self._commands = list(commands)
        self._matches: list[tuple[str, str]] = list(commands)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Input(placeholder=self._hint)
            yield OptionList(markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(Input).focus()
        self._fill("")

    def _fill(self, typed: str) -> None:
        words = typed.lower().split()
        first = words[0] if words else ""
        self._matches = [
            each for each in self._commands
            if not words or each[0].split()[0] == first or all(word in f"{each[0]} {each[1]}".lower() for word in words)
        ]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(Content(f"{command:<16} {text}")) for command, text in self._matches])
        if self._matches:
            options.highlighted = 0

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        names = {command.split()[0] for command, _ in self._commands}
        chosen = self.query_one(OptionList).highlighted
        if typed and (typed.split()[0] in names or chosen is None):
            self.dismiss(typed)
        elif chosen is not None and self._matches:
            self.dismiss(self._matches[chosen][0].split(" ")[0])
        else:
            self.dismiss(None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._matches[event.option_index][0].split(" ")[0])

    def action_move(self, rows: int) -> None:
        options = self.query_one(OptionList)
        if self._matches:
            options.highlighted = ((options.highlighted or 0) + rows) % len(self._matches)

    def action_leave(self) -> None:
        self.dismiss(None)
