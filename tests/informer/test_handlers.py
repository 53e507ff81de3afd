"""Handler adapters, the filter and display names (typed_test.go, event_handler_name_test.go; CT-13, CT-14,
PL-15).
"""

from __future__ import annotations

import functools
from typing import Any
from unittest.mock import MagicMock

import pytest

from kdash.informer.handlers import (
    FilteringResourceEventHandler,
    ResourceEventHandler,
    ResourceEventHandlerFuncs,
    name_for_handler,
    takes_initial_list_flag,
)
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from tests.informer.informer_rig import Rig

HERE = __name__


class Recorder:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self.calls.append(("add", obj, is_in_initial_list))

    def on_update(self, old: Any, new: Any) -> None:
        self.calls.append(("update", old, new))

    def on_delete(self, obj: Any) -> None:
        self.calls.append(("delete", obj))


def add_function(obj: Any) -> None: ...


def update_function(old: Any, new: Any) -> None: ...


def test_ct14_typed_resource_event_handler_funcs_may_be_missing() -> None:
    handler = ResourceEventHandlerFuncs()
    handler.on_add("a", True)
    handler.on_update("a", "b")
    handler.on_delete("b")
    assert isinstance(handler, ResourceEventHandler)


def test_ct14_typed_resource_event_handler_funcs_get_their_objects() -> None:
    calls: list[Any] = []
    handler = ResourceEventHandlerFuncs(
        on_add=calls.append,
        on_update=lambda old, new: calls.append((old, new)),
        on_delete=lambda obj: calls.append(("gone", obj)),
    )
    handler.on_add("a", True)
    handler.on_update("a", "b")
    handler.on_delete("b")
    assert calls == ["a", ("a", "b"), ("gone", "b")]


def test_ct14_only_a_two_parameter_add_gets_the_initial_flag() -> None:
    flags: list[Any] = []
    ResourceEventHandlerFuncs(on_add=lambda obj, is_in_initial_list: flags.append(is_in_initial_list)).on_add(
        "a", True
    )
    ResourceEventHandlerFuncs(on_add_detailed=lambda obj, first: flags.append(first)).on_add("a", False)
    assert flags == [True, False]


def test_a_bound_default_is_not_taken_for_the_initial_flag() -> None:
    bound: list[Any] = []
    for value in (1, 2):
        ResourceEventHandlerFuncs(on_add=lambda obj, value=value: bound.append(value)).on_add("a", True)
    assert bound == [1, 2]
    assert takes_initial_list_flag(lambda obj, is_in_initial_list=False: None)
    assert not takes_initial_list_flag([].append)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("yes-1", "yes-2", [("update", "yes-1", "yes-2")]),
        ("no-1", "yes-2", [("add", "yes-2", False)]),
        ("yes-1", "no-2", [("delete", "yes-1")]),
        ("no-1", "no-2", []),
    ],
)
def test_ct13_typed_filtering_resource_event_handler_maps_updates(old: str, new: str, expected: list[Any]) -> None:
    recorder = Recorder()
    FilteringResourceEventHandler(lambda obj: obj.startswith("yes"), recorder).on_update(old, new)
    assert recorder.calls == expected


def test_ct13_typed_filtering_resource_event_handler_passes_adds_and_deletes_that_match() -> None:
    recorder = Recorder()
    handler = FilteringResourceEventHandler(lambda obj: str(obj).startswith("yes"), recorder)
    handler.on_add("yes", True)
    handler.on_add("no", True)
    handler.on_delete("yes")
    handler.on_delete("no")
    assert recorder.calls == [("add", "yes", True), ("delete", "yes")]


def test_ct13_filter_sees_tombstones() -> None:
    recorder = Recorder()
    tombstone = DeletedFinalStateUnknown("ns/a", None)
    seen: list[Any] = []
    FilteringResourceEventHandler(lambda obj: bool(seen.append(obj)) or True, recorder).on_delete(tombstone)
    assert seen == [tombstone]
    assert recorder.calls == [("delete", tombstone)]


def test_pl15_name_for_handler_class() -> None:
    assert name_for_handler(Recorder()) == f"{HERE}.Recorder"


def test_pl15_name_for_handler_functions_with_a_common_qualifier() -> None:
    recorder = Recorder()
    handler = ResourceEventHandlerFuncs(recorder.on_add, recorder.on_update, recorder.on_delete)
    assert name_for_handler(handler) == f"{HERE}.Recorder"
    assert name_for_handler(ResourceEventHandlerFuncs(add_function, update_function)) == HERE


def test_name_for_handler_single_function_is_its_own_name() -> None:
    assert name_for_handler(ResourceEventHandlerFuncs(on_add=add_function)) == f"{HERE}.add_function"
    partial = functools.partial(update_function, "old")
    assert name_for_handler(ResourceEventHandlerFuncs(on_delete=partial)) == f"{HERE}.update_function"


def test_name_for_handler_functions_without_one_are_joined() -> None:
    handler = ResourceEventHandlerFuncs(on_add=add_function, on_update=Recorder().on_update)
    assert name_for_handler(handler) == f"{HERE}.add_function+{HERE}.Recorder.on_update"


def test_name_for_handler_filter_and_empty() -> None:
    assert name_for_handler(FilteringResourceEventHandler(bool, Recorder())) == f"{HERE}.Recorder"
    assert (
        name_for_handler(ResourceEventHandlerFuncs()) == "kdash.informer.handlers.ResourceEventHandlerFuncs"
    )


# what is refused at the registration ------------------------------------------------------------------------


class _Async:
    async def on_add(self, obj: Any, is_in_initial_list: bool) -> None: ...

    def on_update(self, old: Any, new: Any) -> None: ...

    def on_delete(self, obj: Any) -> None: ...


class _Narrow(_Async):
    def on_add(self, obj: Any) -> None: ...  # type: ignore[override]


class _Half:
    def on_add(self, obj: Any, is_in_initial_list: bool) -> None: ...


async def _coroutine(obj: Any) -> None: ...


@pytest.mark.parametrize(("handler", "says"), [
    ({"on_add": _coroutine}, "on_add is an async function"),
    ({"on_delete": functools.partial(_coroutine)}, "on_delete is an async function"),
    ({"handler": _Async()}, "on_add is an async function"),
    ({"handler": FilteringResourceEventHandler(bool, _Async())}, "on_add is an async function"),
    ({"handler": _Narrow()}, r"on_add is called as .*is_in_initial_list\), which .*_Narrow.on_add\(obj.*does not"),
    ({"handler": _Half()}, r"a handler needs on_update\(old, new\); _Half has none"),
    ({"on_update": lambda new: None}, r"on_update is called as on_update\(old, new\)"),
    ({"on_delete": lambda: None}, r"on_delete is called as on_delete\(obj\)"),
    ({"on_add": lambda: None}, r"on_add is called as on_add\(obj\)"),
    ({"on_add": lambda one, two, three: None}, r"on_add is called as on_add\(obj, is_in_initial_list\)"),
    ({"on_add": 3}, "on_add must be a function"),
])
def test_what_cannot_be_called_is_refused_when_it_registers(handler: dict[str, Any], says: str) -> None:
    informer = Rig().informer
    with pytest.raises(TypeError, match=says):
        informer.add_event_handler(**handler)
    assert informer.registrations() == []


def test_whatever_can_be_called_is_taken() -> None:
    informer = Rig().informer
    seen: list[Any] = []
    bound = functools.partial(print, "x")
    for on_add in (seen.append, lambda *anything: None, lambda obj, kept=3: None, print, bound):
        informer.add_event_handler(on_add=on_add)
    informer.add_event_handler(handler=MagicMock())
    assert len(informer.registrations()) == 6
