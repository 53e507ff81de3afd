"""The user's own handlers: `package.module:callable`, loaded from the working directory, and loaded anew.

Contract:
- What is named may be a function of one `HandlerEvent`, an object with on_add, on_update and on_delete (missing
  ones are ignored), or a class, of which every informer gets an instance of its own.
- `load` and `reload` raise `BadValue` with one sentence for whatever goes wrong, also when the code calls
  `sys.exit` while it is imported. They run the user's code: they take as long as that takes.
- The working directory comes last in `sys.path`: nothing there stands in for what is installed.
- `reload` executes the module anew, and the modules of the working directory that came in with it; when that
  fails the old ones stay.
- Modules that were loaded before, by somebody else, are used and never executed anew.
"""

from __future__ import annotations

import importlib
import inspect
import linecache
import re
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kdash.informer.handlers import ResourceEventHandlerFuncs
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from kdash.observe.parse import BadValue
from kdash.probe.text import shorten

__all__ = ["HandlerEvent", "UserCode", "is_target", "load"]

_PATH = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_TARGET = re.compile(rf"({_PATH}):({_PATH})")
_METHODS = {"on_add": 2, "on_update": 2, "on_delete": 1}

_lock = threading.RLock()  # guards _known, sys.path and sys.modules while code is loaded
_known: dict[str, UserCode] = {}


@dataclass(frozen=True, slots=True)
class HandlerEvent:
    """What a handler that is a function gets."""

    type: str
    """`add`, `update` or `delete`."""
    key: str
    obj: Any
    """The cached object, to be read and not changed; None for a deletion nobody saw of an object nobody knew."""
    old: Any = None
    """An update's former object; in a resync the same as `obj`."""
    is_in_initial_list: bool = False
    is_tombstone: bool = False
    """The deletion was inferred by a relist: `obj` is the last state the cache knew."""

    @property
    def is_sync(self) -> bool:
        """An update that changes nothing: resync, or an unchanged object of a relist."""
        return self.type == "update" and self.old.resource_version == self.obj.resource_version


def is_target(text: str) -> bool:
    """Whether `text` is of the form `package.module:callable`."""
    return _TARGET.fullmatch(text) is not None


class UserCode:
    """One target, loaded."""

    def __init__(self, target: str) -> None:
        match = _TARGET.fullmatch(target)
        if match is None:
            raise BadValue(f'"{shorten(target, 80)}" is no package.module:callable')
        self.target = target
        self._module, self._attributes = match[1], match[2].split(".")
        self._brought_in: set[str] = set()
        self._callable: Any = None
        self._first: Any = None
        self._load()

    def make(self) -> ResourceEventHandlerFuncs:
        """The handler for one informer. Raises `BadValue` when the class cannot be instantiated."""
        made, self._first = self._first, None
        return made if made is not None else self._make()

    def reload(self) -> None:
        """Execute the code anew; raises `BadValue` and keeps what there was when that fails."""
        with _lock:
            linecache.clearcache()
            kept = {name: sys.modules.pop(name) for name in self._brought_in if name in sys.modules}
            before = self._callable, self._first, set(self._brought_in)
            try:
                self._load()
            except BadValue:
                for name in self._brought_in:
                    sys.modules.pop(name, None)
                sys.modules.update(kept)
                self._callable, self._first, self._brought_in = before
                raise

    def _load(self) -> None:
        with _lock:
            here = str(Path.cwd())
            sys.path[:] = [*(path for path in sys.path if path not in ("", here)), here]
            importlib.invalidate_caches()
            before, no_bytecode = set(sys.modules), sys.dont_write_bytecode
            sys.dont_write_bytecode = True
            try:
                module = self._import()
            finally:
                sys.dont_write_bytecode = no_bytecode
                came = {name for name in set(sys.modules) - before if _is_below(sys.modules.get(name), here)}
                self._brought_in = came
            self._callable = self._find(module)
            self._first = self._make()

    def _import(self) -> ModuleType:
        try:
            return importlib.import_module(self._module)
        except ModuleNotFoundError as error:
            if error.name is not None and (self._module + ".").startswith(error.name + "."):
                raise BadValue(
                    f"there is no module {error.name}, neither in the working directory nor installed; "
                    f"{self.target} should be package.module:callable"
                ) from None
            raise BadValue(f"{self._module} cannot be imported: {_reason(error)}") from None
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            raise BadValue(f"{self._module} cannot be imported: {_reason(error)}") from None

    def _find(self, module: ModuleType) -> Any:
        found: Any = module
        for attribute in self._attributes:
            try:
                found = getattr(found, attribute)
            except AttributeError:
                raise BadValue(f"{self._module} has no {'.'.join(self._attributes)}{_other(module)}") from None
        return found

    def _make(self) -> ResourceEventHandlerFuncs:
        found = self._callable
        if inspect.isclass(found):
            try:
                found = found()
            except BaseException as error:
                raise BadValue(f"{self.target} cannot be made without arguments: {_reason(error)}") from None
        methods = {name: getattr(found, name) for name in _METHODS if callable(getattr(found, name, None))}
        if methods:
            for name, method in methods.items():
                _check_arguments(method, _METHODS[name], f"{name} of {self.target}", 1 if name == "on_add" else None)
            return ResourceEventHandlerFuncs(**methods)
        if not callable(found):
            raise BadValue(
                f"{self.target} is a {type(found).__name__}: a handler is a function of one event, or an object or "
                "class with on_add, on_update, on_delete"
            )
        _check_arguments(found, 1, self.target)
        return _function_handler(found)


def load(target: str) -> UserCode:
    """The code of `target`, loaded the first time. Raises `BadValue`."""
    with _lock:
        code = _known.get(target)
        if code is None:
            code = _known[target] = UserCode(target)
        return code


def _function_handler(function: Callable[[HandlerEvent], Any]) -> ResourceEventHandlerFuncs:
    def on_add(obj: Any, is_in_initial_list: bool) -> None:
        function(HandlerEvent("add", obj.key, obj, None, is_in_initial_list))

    def on_update(old: Any, new: Any) -> None:
        function(HandlerEvent("update", new.key, new, old))

    def on_delete(obj: Any) -> None:
        gone = isinstance(obj, DeletedFinalStateUnknown)
        function(HandlerEvent("delete", obj.key, obj.obj if gone else obj, is_tombstone=gone))

    return ResourceEventHandlerFuncs(on_add, on_update, on_delete)


def _check_arguments(function: Callable[..., Any], count: int, what: str, or_count: int | None = None) -> None:
    if inspect.iscoroutinefunction(function):
        raise BadValue(f"{what} is async: an informer calls handlers in threads, write it without async")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    for wanted in (count, or_count):
        if wanted is None:
            continue
        try:
            signature.bind(*[None] * wanted)
            return
        except TypeError:
            continue
    takes = f"{count} argument{'s' if count > 1 else ''}"
    if what.startswith("on_add"):
        takes = "(obj, is_in_initial_list) or (obj)"
    elif what.startswith("on_update"):
        takes = "(old, new)"
    raise BadValue(f"{what} must take {takes}, but it is {shorten(str(signature), 80)}")


def _other(module: ModuleType) -> str:
    """A hint, when a module of the working directory has the name of an installed one, which goes first."""
    name = module.__name__.partition(".")[0]
    here = Path.cwd()
    if _is_below(module, str(here)) or not ((here / f"{name}.py").exists() or (here / name).is_dir()):
        return ""
    return f": {name} is an installed module; rename the one in the working directory"


def _is_below(module: ModuleType | None, folder: str) -> bool:
    file = getattr(module, "__file__", None)
    if not file:
        return False
    path = Path(file)
    return path.is_relative_to(folder) and "site-packages" not in path.parts


def _reason(error: BaseException) -> str:
    """`ZeroDivisionError: division by zero (handlers.py line 3)`."""
    words = shorten(f"{type(error).__name__}: {error}".rstrip(": "), 200)
    if isinstance(error, SyntaxError) and error.filename:
        return shorten(f"SyntaxError: {error.msg} ({Path(error.filename).name} line {error.lineno})", 240)
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    return f"{words} ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else words
