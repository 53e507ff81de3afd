"""A one-line prompt at the bottom of the screen, a question, and the command palette."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import set_cell_size
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from kdash.ui.screens.overlay import Overlay
from kdash.ui.screens.typed import TypedScreen

__all__ = ["Entry", "Palette", "Prompt", "Question"]

_INPUT = "height: 1; border: none; padding: 0 1;"


class Prompt(TypedScreen[str | None]):
    """Asks for one line; None when it was left with escape. `check` says what is wrong with what stands there."""

    DEFAULT_CSS = f"""
    Prompt {{ align: left bottom; background: transparent; }}
    Prompt Vertical {{ height: auto; width: 100%; background: $surface; }}
    Prompt Static {{ height: auto; max-height: 3; width: 100%; padding: 0 1; color: $text-muted; }}
    Prompt Input, Prompt Input:focus {{ {_INPUT} width: 100%; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, question: str, value: str = "", check: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self._question = question
        self._value = value
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self._question))
            yield Input(self._value, select_on_focus=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        if self._check is not None:
            self.query_one(Static).update(Content(self._check(event.value) or self._question))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)


class Question(Overlay[bool]):
    """Asks for a yes: `y` or enter; everything else is a no."""

    DEFAULT_CSS = """
    Question { align: left bottom; background: transparent; }
    Question Static { height: auto; width: 100%; padding: 0 1; background: $surface; color: $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,Y,enter", "answer(True)", show=False), Binding("n,N,q,escape", "answer(False)", show=False),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        yield Static(Content(f"{self._question}  (y/n)"))

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the palette."""

    command: str
    text: str
    key: str = ""
    group: str = ""
    usage: str = ""
    """Arguments; what is not in brackets must be typed."""

    @property
    def is_complete(self) -> bool:
        """Whether it can be carried out as it stands."""
        return not self.usage or self.usage.startswith("[")

    def fits(self, words: Sequence[str]) -> bool:
        text = f"{self.group} {self.command} {self.text}".lower()
        return all(word in text for word in words)


_HINT = "command: resync, relist, resync 30s, pods -n dev, theme mono, q …"


class Palette(TypedScreen[str | None]):
    """Commands to choose from; what is typed filters them, and can be a command with arguments.

    `on_highlight` is told which entry is under the cursor, for a preview.
    """

    DEFAULT_CSS = f"""
    Palette {{ align: center top; background: transparent; }}
    Palette Vertical {{ margin-top: 2; height: auto; max-height: 80%; width: 90%; max-width: 110; }}
    Palette Vertical {{ background: $surface; border: round $accent; }}
    Palette Input, Palette Input:focus {{ {_INPUT} }}
    Palette OptionList {{ height: auto; max-height: 20; border: none; background: $surface; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
    ]

    def __init__(
        self, entries: Sequence[Entry], hint: str = _HINT, typed: str = "", free: bool = True,
        on_highlight: Callable[[Entry | None], None] | None = None, aliases: Collection[str] = (),
    ) -> None:
        """`free`: what is typed may be something that is not in the list; `aliases` mean themselves."""
        super().__init__()
        self._hint = hint
        self._typed = typed
        self._free = free
        self._aliases = aliases
        self._on_highlight = on_highlight
        self._entries = list(entries)
        self._matches = self._entries
        self._moved = False
        groups = {entry.group for entry in entries}
        self._group_width = max(map(len, groups)) + 1 if len(groups) > 1 else 0

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Input(self._typed, placeholder=self._hint, select_on_focus=False)
            yield OptionList(markup=False)

    def stand(self) -> None:
        super().stand()
        self._fill(self._typed)

    def _fill(self, typed: str) -> None:
        words = typed.lower().split()
        named, head = self._named(words), " ".join(words)
        begun = [each for each in self._entries if len(words) > 1 and each.command.startswith(head)]
        self._matches = begun or ([named] if named else [each for each in self._entries if each.fits(words)])
        self._matches.sort(key=lambda each: not each.command.startswith(head))
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(Content(self._row(entry))) for entry in self._matches])
        if self._matches:
            options.highlighted = 0
        elif self._on_highlight is not None:
            self._on_highlight(None)

    def _named(self, words: Sequence[str]) -> Entry | None:
        """The entry whose command is typed, with arguments behind it."""
        found = [entry for entry in self._entries
                 if (command := entry.command.lower().split()) == list(words[: len(command)]) and entry.usage
                 and len(words) > len(command)]
        return max(found, key=lambda entry: len(entry.command), default=None)

    def _row(self, entry: Entry) -> str:
        left = f"{entry.command} {entry.usage}".rstrip()
        group = f"{entry.group:<{self._group_width}}" if self._group_width else ""
        width = max(20, min(self.app.size.width * 9 // 10, 110) - 6)
        key = f"  {entry.key}" if entry.key else ""
        body = set_cell_size(f"{group}{left:<{34 if width > 90 else 24}} {entry.text}", width - len(key))
        return f"{body}{key}"

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if self._on_highlight is not None and event.option_index < len(self._matches):
            self._on_highlight(self._matches[event.option_index])

    def on_input_changed(self, event: Input.Changed) -> None:
        self._moved = False
        self._fill(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        chosen = self.query_one(OptionList).highlighted
        words = typed.lower().split()
        begun = chosen is not None and len(words) > 1 and self._matches[chosen].command.startswith(" ".join(words))
        exact = any(entry.command.lower() == typed.lower() and entry.is_complete for entry in self._entries)
        named = bool(words) and (words[0] in self._aliases or (self._named(words) is not None and not begun))
        if typed and (exact or named or (self._free and not self._meant(words, chosen))):
            self.dismiss(typed)
        elif chosen is not None and self._matches:
            self._choose(self._matches[chosen])
        else:
            self.dismiss(None)

    def _meant(self, words: Sequence[str], chosen: int | None) -> bool:
        """Whether the entry under the cursor is what was typed: a part of its command, or it was gone to."""
        if chosen is None or not self._matches:
            return False
        return self._moved or any(word.startswith(words[0]) for word in self._matches[chosen].command.lower().split())

    def _choose(self, entry: Entry) -> None:
        if entry.is_complete:
            self.dismiss(entry.command)
        else:
            self._write(entry)

    def _write(self, entry: Entry) -> None:
        box = self.query_one(Input)
        box.value = f"{entry.command} "
        box.cursor_position = len(box.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._choose(self._matches[event.option_index])

    def action_complete(self) -> None:
        chosen = self.query_one(OptionList).highlighted
        if chosen is not None and self._matches:
            self._write(self._matches[chosen])

    def action_move(self, rows: int) -> None:
        options = self.query_one(OptionList)
        if self._matches:
            self._moved = True
            options.highlighted = ((options.highlighted or 0) + rows) % len(self._matches)

    def action_leave(self) -> None:
        self.dismiss(None)
