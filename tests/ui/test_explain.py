"""The glossary has a card for every word that stands in a title or above a column."""

from __future__ import annotations

import re

import pytest

from kdash.ui.actions import ACTIONS
from kdash.ui.glossary import cards, cards_of, find_card
from kdash.ui.layout import PANES
from kdash.ui.screens.reader import Reader
from tests.ui.showing import screen_text, showing
from tests.ui.spying import Spy, dashboard, footer, press
from tests.ui.states import Still

HEADS = {
    "objects": (1, ("namespace / name", "status", "seen", "upd", "rv")),
    "resync": (2, ("handler", "asked", "effective", "due in", "fires in")),
    "handlers": (1, ("name", "calls", "add/upd/del/sync", "p50", "p95", "p99", "max", "wait", "pend", "busy")),
    "api": (1, ("time", "verb", "path", "code", "took", "size")),
}
"""The line of a pane that holds the column heads, and the heads."""
WORDS = ("Pipeline", "API server", "Reflector", "Queue", "Indexer", "Handlers", "deltas", "watch", "bookmarks",
         "relists", "reconnects", "backoff", "depth", "peak", "keys", "last wave", "next tick", "check tick", "drift",
         "ticks", "waves", "limit", "worst", "requests", "errors", "429s", "follow", "filter", "SLOW", "never drains",
         "same", "changed", "new", "gone", "resynced", "History", "YAML", "Diff", "Path", "LIVE", "synced", "quiet",
         "LIST", "WATCHLIST", "BOOKMARK", "ADDED", "MODIFIED", "DELETED", "RESYNC", "RETRY", "STALE", "DENIED", "410",
         "DeltaFIFO", "RealFIFO", "tombstone", "resource version", "pending")


@pytest.mark.parametrize("pane", HEADS)
async def test_every_column_has_a_card_in_its_pane(pane: str) -> None:
    at, heads = HEADS[pane]
    async with showing(Still(), (200, 60)) as (app, _):
        text = "".join(part for part, _ in app.panes[pane]._shown[at])
        left = text
        for head in sorted(heads, key=len, reverse=True):
            assert head in left, f"{head} stands above no column any more: {text}"
            left = left.replace(head, " ", 1)
        assert not re.sub(r"[^a-z0-9]", "", left), f"columns that this test does not know: {left}"
    names = {name.lower() for card in cards_of(pane) for name in card.names}
    assert {head.lower() for head in heads} <= names


@pytest.mark.parametrize("word", WORDS)
def test_every_noun_on_the_screen_has_a_card(word: str) -> None:
    assert find_card(word)[0] is not None


@pytest.mark.parametrize("pane", [*PANES, "inspect"])
def test_every_pane_opens_with_its_own_card(pane: str) -> None:
    assert cards_of(pane)[0].opens


def test_a_card_is_whole_and_short() -> None:
    terms = [card.term for card in cards()]
    assert len(terms) == len(set(terms))
    for card in cards():
        for text in (card.meaning, card.why, card.todo):
            assert 3 <= len(text) <= 220 and text[0].isprintable() and text.endswith((".", "!", "?")), card.term
        assert card.client_go and card.panes, card.term


def test_commands_that_cards_name_exist() -> None:
    commands = {action.command for action in ACTIONS}
    for card in cards():
        for quoted in re.findall(r"`:([a-z 0-9A-Z]+)`", card.todo):
            known = [each for each in commands if each and (quoted == each or quoted.startswith(each + " "))]
            assert known, (card.term, quoted)


async def test_i_explains_the_mark_of_the_selected_object_first() -> None:
    async with dashboard(Spy()) as (app, pilot):
        await press(app, pilot, "k", "i")
        assert isinstance(app.screen, Reader)
        first = "".join(part for part, _ in app.screen._text[0])
        assert first.startswith("gone")


async def test_i_explains_the_event_under_the_cursor() -> None:
    async with dashboard(Spy()) as (app, pilot):
        await press(app, pilot, "7", "k", "k", "i")
        assert isinstance(app.screen, Reader)
        assert "".join(part for part, _ in app.screen._text[0]).startswith("bookmark")


async def test_a_term_can_be_asked_for_and_a_wrong_one_gets_the_nearest() -> None:
    async with dashboard(Spy()) as (app, pilot):
        app.commands.command("explain tombston")
        app.draw()
        assert "perhaps tombstone" in footer(app)
        app.commands.command("explain due in")
        await press(app, pilot)
        assert "Explain: due in" in screen_text(app)
