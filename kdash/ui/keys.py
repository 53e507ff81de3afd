"""Names of keys: as a person writes them, as Textual calls them, and which ones are not for kdash to bind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

__all__ = ["BadKeys", "key_name", "own_keys", "textual_key"]

_NAMES = {
    "plus": "+", "minus": "-", "equals_sign": "=", "slash": "/", "question_mark": "?", "colon": ":", "escape": "esc",
    "full_stop": ".", "left_square_bracket": "[", "right_square_bracket": "]", "pageup": "PgUp", "pagedown": "PgDn",
    "up": "↑", "down": "↓", "left": "←", "right": "→", "comma": ",", "semicolon": ";", "exclamation_mark": "!",
    "quotation_mark": '"', "number_sign": "#", "dollar_sign": "$", "percent_sign": "%", "ampersand": "&",
    "apostrophe": "'", "left_parenthesis": "(", "right_parenthesis": ")", "asterisk": "*", "less_than_sign": "<",
    "greater_than_sign": ">", "at": "@", "backslash": "\\", "circumflex_accent": "^", "underscore": "_",
    "grave_accent": "`", "left_curly_bracket": "{", "vertical_line": "|", "right_curly_bracket": "}", "tilde": "~",
}
_BY_NAME = {shown.lower(): name for name, shown in _NAMES.items()} | {
    "pgup": "pageup", "pgdn": "pagedown", "pgdown": "pagedown", "return": "enter", "del": "delete", "ins": "insert",
    " ": "space", "esc": "escape",
}
_NAMED = frozenset({"enter", "tab", "space", "escape", "backspace", "delete", "insert", "home", "end", "pageup",
                    "pagedown", "up", "down", "left", "right", *(f"f{number}" for number in range(1, 21))})
_SAME_AS = {"ctrl+m": "enter", "ctrl+h": "backspace", "ctrl+j": "enter", "ctrl+i": "tab", "ctrl+[": "escape"}
_TAKEN = {"ctrl+a": "terminal multiplexers take it", "ctrl+b": "terminal multiplexers take it",
          "ctrl+s": "it freezes terminals", "ctrl+d": "it deletes in k9s", "ctrl+k": "it kills in k9s"}
FIXED = ("quit_now", "interrupt", "suspend", "back")
"""Actions that keep their keys: there is always a way out."""


class BadKeys(ValueError):
    """The user's keys cannot be bound; the message is a sentence for the user."""


def key_name(key: str) -> str:
    """A key as a person writes it."""
    return _NAMES.get(key, key)


def textual_key(text: str) -> str:
    """Textual's name of a key written by a person: `G`, `/`, `ctrl+e`, `F5`, `PgUp`. Raises `BadKeys`."""
    if len(text) == 1 and text.isalnum() and text.isascii():
        return text
    *modifiers, last = text.split("+") if len(text) > 1 and not text.endswith("+") else [text]
    modifiers = [word.strip().lower() for word in modifiers]
    last = last if len(last) == 1 else last.strip()
    name = _BY_NAME.get(last.lower(), last if len(last) == 1 and last.isalnum() else last.lower())
    known = name in _NAMED or name in _NAMES or (len(name) == 1 and name.isascii() and name.isalnum())
    if not known or any(word not in ("ctrl", "shift", "alt") for word in modifiers):
        near = difflib.get_close_matches(last.lower(), [*_NAMED, *_BY_NAME], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise BadKeys(f'"{text}" is no key{hint}; write a character, or one such as ctrl+e, F5, PgUp or space')
    key = "+".join([*(word for word in ("alt", "ctrl", "shift") if word in modifiers),
                    name.lower() if modifiers else name])
    if key in _SAME_AS:
        raise BadKeys(f"{key} is the same as {_SAME_AS[key]} for a terminal: choose another key")
    if key in _TAKEN:
        raise BadKeys(f"{key} cannot be bound: {_TAKEN[key]}")
    return key


def own_keys(
    wanted: Mapping[str, object], actions: Iterable[tuple[str, tuple[str, ...]]]
) -> dict[str, tuple[str, ...]]:
    """The user's `[keys]` table (action → key or list of keys) checked against `actions`. Raises `BadKeys` for an
    unknown action or key, and when two actions would have the same key."""
    table = dict(actions)
    chosen: dict[str, tuple[str, ...]] = {}
    for action, value in wanted.items():
        if action not in table:
            near = difflib.get_close_matches(action, table, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BadKeys(f'there is no action "{action}"{hint}')
        if action in FIXED:
            raise BadKeys(f"the keys of {action} cannot be changed: they are the way out")
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise BadKeys(f'{action}: write a key in quotes, such as "F5", or a list of keys')
        try:
            chosen[action] = tuple(textual_key(each) for each in values if each)
        except BadKeys as error:
            raise BadKeys(f"{action}: {error}") from None
    owner: dict[str, str] = {}
    for action, keys in {**table, **chosen}.items():
        for key in keys:
            if key in owner and (action in chosen or owner[key] in chosen):
                first, second = (owner[key], action) if action in chosen else (action, owner[key])
                raise BadKeys(f"{key_name(key)} is the key of both {first} and {second}: give one of them another key")
            owner[key] = action
    return chosen
