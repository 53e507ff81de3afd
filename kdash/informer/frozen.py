"""Dicts and lists that refuse to be changed: what a `KubeObject` gives out.

Each access to a cached object decodes anew, so a change to what it gave out would be lost without a word. These are
real `dict`s and `list`s: json, msgspec, pickle, deepcopy, isinstance and the official client take them (PyYAML's safe
dumper wants plain ones). What is nested in them is frozen when it is looked at. Copies (`copy`, `dict(…)`, `list(…)`,
`deepcopy`, `|`, `+`, pickle) are plain and belong to whoever made them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NoReturn, SupportsIndex

__all__ = ["FrozenDict", "FrozenList", "frozen"]


def _refuse(self: object, *arguments: object, **named: object) -> NoReturn:
    raise TypeError("this is part of a cached object and cannot be changed: change a copy, made by to_dict()")


def frozen(value: Any) -> Any:
    """`value` as a cached object gives it out."""
    kind = type(value)
    return FrozenDict(value) if kind is dict else FrozenList(value) if kind is list else value


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed, nor what is nested in it."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        value = dict.__getitem__(self, key)
        kind = type(value)
        return FrozenDict(value) if kind is dict else FrozenList(value) if kind is list else value

    def get(self, key: str, default: Any = None) -> Any:
        value = dict.get(self, key, default)
        kind = type(value)
        return FrozenDict(value) if kind is dict else FrozenList(value) if kind is list else value

    def values(self) -> Any:
        return {key: frozen(value) for key, value in dict.items(self)}.values()

    def items(self) -> Any:
        return {key: frozen(value) for key, value in dict.items(self)}.items()

    def copy(self) -> dict[str, Any]:
        return dict(self)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return copy.deepcopy(dict(self), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse


class FrozenList(list[Any]):
    """A list that cannot be changed, nor what is nested in it."""

    __slots__ = ()

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        value = list.__getitem__(self, index)
        kind = type(value)
        return FrozenDict(value) if kind is dict else FrozenList(value) if kind is list else value

    def __iter__(self) -> Iterator[Any]:
        return map(frozen, list.__iter__(self))

    def __reversed__(self) -> Iterator[Any]:
        return map(frozen, list.__reversed__(self))

    def copy(self) -> list[Any]:
        return _plain(self)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return copy.deepcopy(_plain(self), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (_plain(self),)

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = remove = pop = clear = sort = reverse = _refuse


def _plain(values: FrozenList) -> list[Any]:
    return list(list.__iter__(values))
