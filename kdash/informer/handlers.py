"""Event handlers: what a user hands to an informer (client-go `ResourceEventHandler` and its adapters).

Contract: a shared informer calls the three methods of one handler from one thread, one call at a time, in
order; different handlers are never ordered against each other. A non-shared informer calls them in its
process loop. Objects are the cache's own: read them, do not change them. `on_delete` may get a tombstone
(`DeletedFinalStateUnknown`) when the deletion was inferred by a relist. What a handler raises is the caller's
to deal with (`listener.ProcessorListener`); nothing is caught here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from kdash.informer.objects import KubeObject
from kdash.informer.queue.protocol import StoreObject

__all__ = [
    "FilteringResourceEventHandler",
    "ResourceEventHandler",
    "ResourceEventHandlerFuncs",
    "check_handler",
    "name_for_handler",
    "takes_initial_list_flag",
]


@runtime_checkable
class ResourceEventHandler(Protocol):
    """Gets the changes of a cache (client-go `ResourceEventHandler`)."""

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        """`obj` is new in the cache. `is_in_initial_list`: it was there when the informer, or this handler,
        began.
        """

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        """`new` took the place of `old`. In a resync both are the same object."""

    def on_delete(self, obj: StoreObject) -> None:
        """`obj` left the cache; a tombstone when nobody saw it go."""


def _ignore_one(obj: Any) -> None:
    return None


def _ignore_two(first: Any, second: Any) -> None:
    return None


def takes_initial_list_flag(on_add: Callable[..., None]) -> bool:
    """Whether `on_add` wants `is_in_initial_list` as its second argument.

    It does when a second positional parameter has no default, or when that parameter's name is
    `is_in_initial_list`. (A second parameter with a default is how closures bind values, so it is left
    alone.)
    """
    try:
        parameters = list(inspect.signature(on_add).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 2:
        return False
    return positional[1].default is inspect.Parameter.empty or positional[1].name == "is_in_initial_list"


class ResourceEventHandlerFuncs:
    """A handler made of functions; missing ones are ignored (client-go `ResourceEventHandlerFuncs` and its
    `Detailed` form).

    `on_add` may take `(obj)` or `(obj, is_in_initial_list)`; `on_add_detailed` always takes both and outranks
    it.
    """

    on_add: Callable[[KubeObject, bool], None]
    on_update: Callable[[KubeObject, KubeObject], None]
    on_delete: Callable[[StoreObject], None]

    def __init__(
        self,
        on_add: Callable[..., None] | None = None,
        on_update: Callable[[KubeObject, KubeObject], None] | None = None,
        on_delete: Callable[[StoreObject], None] | None = None,
        on_add_detailed: Callable[[KubeObject, bool], None] | None = None,
    ) -> None:
        if on_add_detailed is not None:
            _check_callback("on_add_detailed", on_add_detailed, _ADD)
        elif on_add is not None:
            _check_callback("on_add", on_add, _ADD if takes_initial_list_flag(on_add) else _ADD[:1])
        for name, function, arguments in (("on_update", on_update, _UPDATE), ("on_delete", on_delete, _DELETE)):
            if function is not None:
                _check_callback(name, function, arguments)
        self.functions: tuple[Callable[..., None], ...] = tuple(
            function for function in (on_add_detailed or on_add, on_update, on_delete) if function is not None
        )
        if on_add_detailed is None and on_add is not None:
            on_add_detailed = on_add if takes_initial_list_flag(on_add) else _without_flag(on_add)
        self.on_add = on_add_detailed or _ignore_two
        self.on_update = on_update or _ignore_two
        self.on_delete = on_delete or _ignore_one


def _without_flag(on_add: Callable[[KubeObject], None]) -> Callable[[KubeObject, bool], None]:
    def call(obj: KubeObject, is_in_initial_list: bool) -> None:
        on_add(obj)

    return call


class FilteringResourceEventHandler:
    """Passes on what the filter lets through (client-go `FilteringResourceEventHandler`, CT-13).

    An update becomes an update (old and new pass), an add with `is_in_initial_list=False` (only new passes),
    a delete of the old object (only old passes) or nothing. On a delete the filter may get a tombstone.
    """

    def __init__(self, filter_func: Callable[[Any], bool], handler: ResourceEventHandler) -> None:
        self.filter_func = filter_func
        self.handler = handler

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        if self.filter_func(obj):
            self.handler.on_add(obj, is_in_initial_list)

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        newer, older = self.filter_func(new), self.filter_func(old)
        if newer and older:
            self.handler.on_update(old, new)
        elif newer:
            self.handler.on_add(new, False)
        elif older:
            self.handler.on_delete(old)

    def on_delete(self, obj: StoreObject) -> None:
        if self.filter_func(obj):
            self.handler.on_delete(obj)


_ADD, _UPDATE, _DELETE = ("obj", "is_in_initial_list"), ("old", "new"), ("obj",)


def check_handler(handler: object) -> None:
    """Raise TypeError when `handler` cannot be called as informers call it: from a thread, with these arguments."""
    if isinstance(handler, FilteringResourceEventHandler):
        check_handler(handler.handler)
        return
    if isinstance(handler, ResourceEventHandlerFuncs):  # its functions were looked at when it was made
        return
    for name, arguments in (("on_add", _ADD), ("on_update", _UPDATE), ("on_delete", _DELETE)):
        callback = getattr(handler, name, None)
        if callback is None:
            raise TypeError(f"a handler needs {name}({', '.join(arguments)}); {type(handler).__qualname__} has none")
        _check_callback(name, callback, arguments)


def _check_callback(name: str, callback: Any, arguments: tuple[str, ...]) -> None:
    called = f"{name}({', '.join(arguments)})"
    if not callable(callback):
        raise TypeError(f"{name} must be a function that can be called as {called}, not {type(callback).__qualname__}")
    function = callback
    while isinstance(function, functools.partial):
        function = function.func
    for each in (function, getattr(function, "__call__", None)):  # noqa: B004
        if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            raise TypeError(
                f"{name} is an async function: an informer calls its handlers in threads and awaits nothing; give it a "
                "plain function that hands over to the loop (asyncio.run_coroutine_threadsafe)"
            )
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):
        return  # a function of C: it tells nothing
    try:
        signature.bind(*arguments)
    except TypeError as error:
        what = getattr(callback, "__qualname__", type(callback).__qualname__)
        raise TypeError(f"{name} is called as {called}, which {what}{signature} does not take: {error}") from None


def _qualified_name(named: Any) -> str:
    module = getattr(named, "__module__", "") or ""
    qualname = getattr(named, "__qualname__", "") or type(named).__qualname__
    return f"{module}.{qualname}" if module and module != "builtins" else str(qualname)


def _function_name(function: Callable[..., None]) -> str:
    """Module and qualified name; a bound method is named after the class of its object, not after a base
    class.
    """
    receiver = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if receiver is not None and name and not inspect.ismodule(receiver) and not isinstance(receiver, type):
        return f"{_qualified_name(type(receiver))}.{name}"
    if not name and (inner := getattr(function, "func", None)) is not None:  # functools.partial
        return _function_name(inner)
    if not name:
        return _qualified_name(type(function))
    return _qualified_name(function)


def name_for_handler(handler: object) -> str:
    """A name to show for a handler (client-go `nameForHandler`, PL-15).

    The qualified name of its class; for a handler made of functions what their names have in common up to a
    dot, or else the names joined by `+`; for a filter the name of the handler behind it.
    """
    if isinstance(handler, FilteringResourceEventHandler):
        return name_for_handler(handler.handler)
    if not isinstance(handler, ResourceEventHandlerFuncs):
        return _qualified_name(type(handler))
    names = list(dict.fromkeys(_function_name(function) for function in handler.functions))
    if not names:
        return _qualified_name(type(handler))
    qualifiers = {name.rpartition(".")[0] for name in names}
    if len(names) > 1 and len(qualifiers) == 1 and (common := qualifiers.pop()):
        return common.removesuffix(".<locals>")
    return "+".join(names)
