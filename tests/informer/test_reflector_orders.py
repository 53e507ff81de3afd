"""How the reflector is interrupted: stop, and the kdash extensions relist and rewatch."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.informer.fake_source import (
    Request,
)
from tests.informer.reflector_doubles import (
    INTERNAL,
    TOO_MANY,
    WAIT_S,
    Live,
)

# interruption ------------------------------------------------------------------------------------------


def _in_list(live: Live) -> None:
    live.source.hold()
    live.reflector.start()
    assert live.source.wait_for_requests(1, WAIT_S)


def _in_watch_open(live: Live) -> None:
    def hold_what_follows(request: Request) -> None:
        live.source.hold()

    live.source.on_request = hold_what_follows
    live.reflector.start()
    assert live.source.wait_for_requests(2, WAIT_S)


def _in_watch(live: Live) -> None:
    live.reflector.start()
    assert live.source.wait_for_watch(WAIT_S)


def _in_outer_backoff(live: Live) -> None:
    live.source.fail_lists(INTERNAL)
    live.reflector.start()
    live.until(lambda: live.clock.waiting() == 1)


def _in_watch_backoff(live: Live) -> None:
    live.source.fail_watches(TOO_MANY)
    live.reflector.start()
    live.until(lambda: live.clock.waiting() == 1)


@pytest.mark.parametrize(
    "enter", [_in_list, _in_watch_open, _in_watch, _in_outer_backoff, _in_watch_backoff]
)
def test_stop_ends_it_in_every_state(enter: Callable[[Live], None]) -> None:
    live = Live()
    enter(live)
    live.reflector.stop()
    assert live.reflector.join(1.0)
    assert live.records("reflector.state")[-1]["state"] == "stopped"


def test_stop_ends_it_while_the_resync_waits_for_the_store() -> None:
    busy, release = threading.Event(), threading.Event()
    live = Live(resync_period_s=1.0)

    def wait_for_release(tick: int) -> None:
        busy.set()
        release.wait(WAIT_S)

    live.on_resync = wait_for_release
    with live:
        live.settle()
        live.clock.advance(1.0)
        assert busy.wait(WAIT_S)
        live.reflector.stop()
        assert live.reflector._thread is not None
        live.reflector._thread.join(1.0)
        assert not live.reflector._thread.is_alive()
        release.set()


def test_threads_have_their_names_and_are_gone_afterwards() -> None:
    with Live(resync_period_s=1.0):
        names = {thread.name for thread in threading.enumerate()}
        assert {"kdash-reflector-live", "kdash-resync-live"} <= names
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("-live")]


def test_a_reflector_starts_once() -> None:
    with Live() as live:
        with pytest.raises(RuntimeError, match="started already"):
            live.reflector.start()
        with pytest.raises(RuntimeError, match="started already"):
            live.reflector.run()


def test_force_relist_goes_the_way_of_an_injected_410() -> None:
    with Live() as live:
        assert live.reflector.force_relist()
        live.until(lambda: live.clock.waiting() == 1)
        assert live.source.verbs() == ["LIST", "WATCH"]
        assert not live.reflector.force_relist(), "a relist is on its way already"
        live.clock.advance(1.6)
        assert live.source.wait_for_requests(4, WAIT_S)
        assert live.source.verbs() == ["LIST", "WATCH", "LIST", "WATCH"]
        assert live.source.requests[2].options.resource_version == "1"
        assert live.records("error")[0]["http_code"] == 410


def test_force_relist_direct_while_backing_off_does_not_wait() -> None:
    live = Live()
    _in_outer_backoff(live)
    assert live.reflector.force_relist(direct=True)
    assert live.source.wait_for_watch(WAIT_S)
    live.reflector.stop()
    assert live.reflector.join(WAIT_S)


def test_force_relist_interrupts_a_watch_that_hangs_at_open() -> None:
    live = Live()
    _in_watch_open(live)
    assert live.reflector.force_relist(direct=True)
    assert live.source.wait_for_requests(3, WAIT_S)
    assert live.source.verbs()[:3] == ["LIST", "WATCH", "LIST"]
    live.reflector.stop()
    assert live.reflector.join(WAIT_S)


def test_rewatch_ends_the_stream_without_error_and_without_list() -> None:
    with Live() as live:
        assert live.reflector.rewatch()
        assert live.source.wait_for_requests(3, WAIT_S)
        assert live.source.verbs() == ["LIST", "WATCH", "WATCH"]
        assert live.records("error") == []


def test_orders_before_start_and_after_stop_are_refused() -> None:
    live = Live()
    assert not live.reflector.force_relist()
    assert not live.reflector.rewatch()
    live.reflector.start()
    live.reflector.stop()
    assert live.reflector.join(WAIT_S)
    assert not live.reflector.force_relist(direct=True)
