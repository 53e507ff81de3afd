"""Sync trackers (synctrack_test.go)."""

from __future__ import annotations

import threading

import pytest

from kdash.informer.synctrack import AsyncTracker, SingleFileTracker


def test_basic_logic():
    """TestBasicLogic: synced only when the upstream is and every started key finished."""
    for keys, upstream, expected in [
        ([], False, False), ([], True, True), (["a", "b"], False, False), (["a", "b"], True, True),
    ]:  # fmt: skip
        tracker: AsyncTracker[str] = AsyncTracker(lambda upstream=upstream: upstream)
        for key in keys:
            tracker.start(key)
        if keys:
            assert not tracker.has_synced()
        for key in keys:
            tracker.finished(key)
        assert tracker.has_synced() is expected


def test_sy2_finishing_what_was_not_started_is_harmless():
    tracker: AsyncTracker[str] = AsyncTracker(lambda: True)
    tracker.finished("a")
    assert tracker.has_synced()
    tracker.start("b")
    assert not tracker.has_synced()


def test_async_locking():
    """TestAsyncLocking: many threads start and finish; it is synced when the last one has finished."""
    tracker: AsyncTracker[int] = AsyncTracker(lambda: True)
    go, early = threading.Event(), []
    for key in range(200):
        tracker.start(key)

    def finish(keys: range) -> None:
        go.wait()
        for key in keys:
            if tracker.has_synced():
                early.append(key)
            tracker.finished(key)

    threads = [threading.Thread(daemon=True, target=finish, args=(range(i, 200, 4),)) for i in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert early == []
    assert tracker.has_synced()


def test_single_file():
    """TestSingleFile."""
    tracker = SingleFileTracker()
    tracker.start()
    tracker.finished()
    assert not tracker.has_synced(), "the upstream has not synced yet"
    tracker.start()
    tracker.upstream_has_synced()
    assert not tracker.has_synced(), "one item is unfinished"
    tracker.finished()
    assert tracker.has_synced()


def test_single_file_without_items_syncs_with_the_upstream():
    tracker = SingleFileTracker()
    tracker.upstream_has_synced()
    assert tracker.has_synced()


def test_single_file_counting():
    """TestSingleFileCounting: 100 items, synced after the last one whatever the order of the threads."""
    tracker = SingleFileTracker()
    for _ in range(100):
        tracker.start()
    tracker.upstream_has_synced()
    threads = [threading.Thread(daemon=True, target=tracker.finished) for _ in range(99)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not tracker.has_synced()
    tracker.finished()
    assert tracker.has_synced()
    tracker.start()
    assert tracker.has_synced(), "it is latched"
    tracker.finished()
    with pytest.raises(RuntimeError, match="negative counter"):
        tracker.finished()
    assert tracker.has_synced()


def test_sy1_transient_zero_before_the_upstream_is_not_synced():
    tracker = SingleFileTracker()
    for _ in range(3):
        tracker.start()
        tracker.finished()
        assert not tracker.has_synced()


def test_callbacks_run_once_and_at_once_when_late():
    tracker = SingleFileTracker()
    calls: list[str] = []
    tracker.on_synced(lambda: calls.append("early"))
    tracker.start()
    tracker.upstream_has_synced()
    assert calls == []
    tracker.finished()
    tracker.upstream_has_synced()
    tracker.on_synced(lambda: calls.append("late"))
    assert calls == ["early", "late"]


def test_a_callback_may_use_the_tracker():
    tracker = SingleFileTracker()
    seen: list[bool] = []
    tracker.on_synced(lambda: (tracker.start(), tracker.finished(), seen.append(tracker.has_synced())))
    tracker.upstream_has_synced()
    assert seen == [True]
