"""What a lister-watcher declares of itself, after client-go's listwatch_test.go (RF-4, FA-6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kdash.informer.list_watch import CancelToken, ListOptions, TweakedListerWatcher
from kdash.informer.reflector_requests import supports_watch_list
from tests.informer.fake_source import FakeSource


class _Declares:
    def __init__(self, unsupported: bool) -> None:
        self._unsupported = unsupported

    def is_watch_list_semantics_unsupported(self) -> bool:
        return self._unsupported

    def list(self, options: ListOptions, cancel: CancelToken) -> Any: ...

    def watch(self, options: ListOptions, cancel: CancelToken) -> Any: ...


def test_does_client_not_support_watch_list_semantics_absence_means_support() -> None:
    assert supports_watch_list(FakeSource())


@pytest.mark.parametrize("unsupported", [True, False])
def test_does_client_not_support_watch_list_semantics_a_declaration_decides(unsupported: bool) -> None:
    assert supports_watch_list(_Declares(unsupported)) is not unsupported


@pytest.mark.parametrize("unsupported", [True, False])
def test_to_list_watcher_with_watch_list_semantics_a_wrapper_keeps_the_declaration(
    unsupported: bool,
) -> None:
    wrapped = TweakedListerWatcher(TweakedListerWatcher(_Declares(unsupported)))
    assert supports_watch_list(wrapped) is not unsupported


def test_fa6_tweaks_apply_to_every_list_and_watch() -> None:
    source = FakeSource()
    source.add("a")
    tweaked = TweakedListerWatcher(source, lambda options: replace(options, label_selector="app=web"))
    tweaked.list(ListOptions(resource_version="0", limit=500), CancelToken())
    tweaked.watch(ListOptions(resource_version="1"), CancelToken())
    assert [request.options.label_selector for request in source.requests] == ["app=web", "app=web"]
    assert source.requests[0].options.limit == 500
