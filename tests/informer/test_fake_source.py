"""The fake source itself, after client-go's fake_controller_source_test.go, plus what kdash added to it."""

from __future__ import annotations

import threading

import pytest

from kdash.informer.errors import ApiStatusError, StopRequested, is_expired, is_too_large_resource_version
from kdash.informer.list_watch import CancelToken, ListOptions
from tests.informer.fake_source import FakeSource


def _list(
    source: FakeSource, version: str = "0", limit: int = 0, token: str = ""
) -> tuple[list[str], str, str]:
    options = ListOptions(resource_version=version, limit=limit, continue_token=token)
    page = source.list(options, CancelToken())
    return [item.name for item in page.items], page.resource_version, page.continue_token


def _watch(source: FakeSource, version: str, **options: bool) -> list[tuple[str, str]]:
    """What a watch that ends at once delivers."""
    stream = source.watch(ListOptions(resource_version=version, **options), CancelToken())
    stream.end()
    return [(e.type, e.object.name if e.object is not None else "") for e in stream.next_batch()]


def test_rc_number_watches_replay_the_history_after_their_version() -> None:
    source = FakeSource()
    source.add("a")
    source.modify("a")
    source.modify("a")
    assert _list(source) == (["a"], "3", "")
    assert _watch(source, "1") == [("MODIFIED", "a"), ("MODIFIED", "a")]
    assert _watch(source, "2") == [("MODIFIED", "a")]
    assert _watch(source, "3") == []


def test_reset_watch_old_versions_are_expired_and_open_watches_end() -> None:
    source = FakeSource()
    source.add("a")
    stream = source.watch(ListOptions(resource_version="1"), CancelToken())
    source.reset_watch()
    assert stream.next_batch() == []
    with pytest.raises(ApiStatusError) as raised:
        source.watch(ListOptions(resource_version="1"), CancelToken())
    assert is_expired(raised.value)
    assert _watch(source, _list(source)[1]) == []


def test_a_dropped_change_is_in_lists_and_history_but_not_in_open_watches() -> None:
    source = FakeSource()
    source.add("a")
    stream = source.watch(ListOptions(resource_version="1"), CancelToken())
    source.modify("a", drop=True)
    stream.end()
    assert list(stream.next_batch()) == []
    assert _list(source)[1] == "2"
    assert _watch(source, "1") == [("MODIFIED", "a")]


def test_a_future_version_is_too_large() -> None:
    with pytest.raises(ApiStatusError) as raised:
        _list(FakeSource(), "99")
    assert is_too_large_resource_version(raised.value)


@pytest.mark.parametrize("version", ["", "0"])
def test_a_watch_without_version_begins_with_the_state(version: str) -> None:
    source = FakeSource()
    source.add("a")
    source.add("b")
    source.delete("a")
    assert _watch(source, version) == [("ADDED", "b")]


def test_send_initial_events_ends_with_the_bookmark() -> None:
    source = FakeSource()
    source.add("a")
    assert _watch(source, "", send_initial_events=True) == [("ADDED", "a"), ("BOOKMARK", "")]
    with pytest.raises(ApiStatusError) as raised:
        _watch(FakeSource(watch_list=False), "", send_initial_events=True)
    assert raised.value.reason == "Invalid"


def test_pages_are_one_snapshot_and_a_watch_cache_ignores_the_limit_at_version_0() -> None:
    source = FakeSource()
    for name in "abc":
        source.add(name)
    assert _list(source, "0", 2) == (["a", "b", "c"], "3", "")
    names, version, token = _list(source, "", 2)
    source.add("d")
    assert (names, version) == (["a", "b"], "3")
    assert _list(source, "", 2, token) == (["c"], "3", "")
    _, _, token = _list(FakeSource(watch_cache=False), "0", 2)
    assert token == ""


def test_an_expired_continue_token() -> None:
    source = FakeSource(watch_cache=False)
    for name in "abc":
        source.add(name)
    _, _, token = _list(source, "0", 2)
    source.expire_continue_tokens()
    with pytest.raises(ApiStatusError) as raised:
        _list(source, "", 2, token)
    assert raised.value.reason == "Expired"


def test_injected_failures_come_once_each_in_order() -> None:
    source = FakeSource()
    source.fail_lists(ApiStatusError(500), ApiStatusError(503))
    source.fail_watches(ApiStatusError(429))
    for code in (500, 503):
        with pytest.raises(ApiStatusError) as raised:
            _list(source)
        assert raised.value.code == code
    with pytest.raises(ApiStatusError):
        _watch(source, "0")
    assert _list(source)[0] == []
    assert source.verbs() == ["LIST", "LIST", "WATCH", "LIST"]


def test_a_held_request_ends_when_it_is_cancelled() -> None:
    source, cancel, outcome = FakeSource(), CancelToken(), []
    source.hold()

    def ask() -> None:
        try:
            source.list(ListOptions(), cancel)
        except StopRequested as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert source.wait_for_requests(1)
    cancel.cancel()
    thread.join(10)
    assert len(outcome) == 1
