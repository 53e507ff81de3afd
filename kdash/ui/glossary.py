"""The glossary: a card for every word on the screen, from one data file; `i`, the help and `:explain` show them."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from kdash.ui.spans import Line, line, wrap

__all__ = ["Card", "card_lines", "cards", "cards_of", "find_card"]


@dataclass(frozen=True, slots=True)
class Card:
    """One word."""

    term: str
    meaning: str
    why: str
    todo: str
    client_go: str
    """Where to read on, in client-go's own names."""
    also: tuple[str, ...] = ()
    """Other spellings on the screen."""
    panes: tuple[str, ...] = ()
    opens: bool = False
    """Whether it is the card of the pane itself."""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.term, *self.also)


@cache
def cards() -> tuple[Card, ...]:
    """All cards, as the data file has them."""
    document = tomllib.loads(files("kdash.ui").joinpath("glossary.toml").read_text("utf-8"))
    return tuple(
        Card(entry["term"], entry["is"], entry["why"], entry["do"], entry["client_go"], tuple(entry.get("also", ())),
             tuple(entry.get("panes", ())), bool(entry.get("opens")))
        for entry in document["card"]
    )  # fmt: skip


def cards_of(pane: str) -> tuple[Card, ...]:
    """The cards of a pane, its own first."""
    found = [card for card in cards() if pane in card.panes]
    return tuple(sorted(found, key=lambda card: not (card.opens and card.panes[0] == pane)))


def find_card(word: str) -> tuple[Card | None, tuple[str, ...]]:
    """The card for a word; else None and the nearest terms there are."""
    by_name: dict[str, Card] = {}
    for card in cards():
        for name in card.names:
            by_name.setdefault(name.lower(), card)
    for card in cards():
        by_name[card.term.lower()] = card
    wanted = " ".join(word.lower().split())
    if wanted in by_name:
        return by_name[wanted], ()
    beginning = [name for name in by_name if name.startswith(wanted)]
    near = dict.fromkeys(by_name[name].term for name in [*beginning, *difflib.get_close_matches(wanted, by_name, 4)])
    return None, tuple(near)


def card_lines(shown: Sequence[Card], width: int) -> list[Line]:
    """Cards as text: what it is, why it matters, what to do, where client-go has it."""
    out: list[Line] = []
    for card in shown:
        also = f"  ({', '.join(card.also)})" if card.also else ""
        out.append(line((card.term, "title"), (also, "dim")))
        for head, text in (("", card.meaning), ("why   ", card.why), ("do    ", card.todo), ("code  ", card.client_go)):
            for number, words in enumerate(wrap(text, max(20, width - 8))):
                out.append(line((f"  {head if not number else ' ' * len(head)}", "key"), words))
        out.append(line(""))
    return out
