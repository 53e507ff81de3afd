"""Figures from hand-made records, topic by topic."""

from __future__ import annotations

import random

import pytest

from kdash.probe.informers import Target
from kdash.probe.latency import Latency
from kdash.probe.objects import ObjectRef
from kdash.probe.rates import PerSecond
from tests.probe.records import Tape


def test_a_list_and_a_watch_make_a_synced_informer() -> None:
    tape = Tape()
    tape.synced(version="4711", items=42)
    informer = tape.snapshot().informers[0]
    assert (informer.synced, informer.state, informer.lists, informer.watches) == (True, "watching", 1, 1)
    assert (informer.resource_version, informer.last_list_items, informer.relists) == ("4711", 42, 0)
    assert informer.watching_since == tape.clock.monotonic()


def test_watch_events_and_bookmarks_move_the_version_and_the_rate() -> None:
    tape = Tape()
    tape.synced()
    for number in range(10):
        tape.emit("watch.event", type="MODIFIED", key="default/web", rv=str(200 + number), prev_rv="1")
    tape.emit("watch.bookmark", rv="300", initial_events_end=False)
    tape.pass_time(1.0)
    picture = tape.snapshot()
    assert picture.informers[0].resource_version == picture.resource_version == "300"
    assert (picture.informers[0].bookmarks, picture.pipeline.watch_total) == (1, 10)
    assert picture.pipeline.watch_rate == 10.0


def test_relists_count_whatever_the_transport_and_tell_their_reason() -> None:
    tape = Tape()
    tape.synced()
    tape.emit("watch.close", lifetime_s=9.0, events=0, reason="error:Expired", next="relist")
    tape.emit("watchlist.start", rv="100")
    tape.emit("watchlist.bookmark", rv="500", items=42, duration_s=0.1)
    informer = tape.snapshot().informers[0]
    assert (informer.relists, informer.lists, informer.last_relist_reason) == (1, 1, "error:Expired")


def test_queue_depth_peak_and_waits() -> None:
    tape = Tape()
    for depth in (1, 2, 3):
        tape.emit("queue.enqueued", key=f"a/{depth}", type="Added", depth_keys=depth, depth_deltas=depth + 1,
                  depth_objects=depth)
    tape.emit("queue.popped", key="a/1", keys=1, deltas=2, waited_s=0.2, depth_keys=2, depth_deltas=2,
              depth_objects=2)
    tape.pass_time(1.0)
    queue = tape.snapshot(head=[("a/\x1b2", ("Added", "Updated", "Updated", "Updated"), 990.0)]).queue
    assert (queue.keys, queue.deltas, queue.peak, queue.in_rate) == (2, 2, 3, 3.0)
    assert queue.waited_p50_s == pytest.approx(0.2, rel=0.02)
    assert queue.head[0].deltas == "Added Updated ×3"
    assert queue.head[0].key == "a/\ufffd2"
    assert sum(queue.history) == 3


def test_a_handler_due_between_ticks_fires_at_the_next_tick() -> None:
    tape = Tape()
    start = tape.clock.monotonic()
    tape.handler("audit", 30.0)
    tape.handler("slow")
    tape.emit("resync.timer_armed", period_s=10.0, due_at=start + 5.0)
    hands = {hand.handler: hand for hand in tape.snapshot().resync.hands}
    assert (hands["audit"].due_at, hands["audit"].fires_at, hands["audit"].ticks_until) == (
        start + 30.0, start + 35.0, 4)
    assert (hands["slow"].due_at, hands["slow"].fires_at) == (None, None)


def test_a_due_time_that_a_tick_set_lies_on_a_tick() -> None:
    tape = Tape()
    start = tape.clock.monotonic()
    tape.handler("audit", 10.0)
    decisions = (("audit", 10.0, 10.0, start, True, start + 10.0),)
    tape.emit("resync.tick", tick=1, decisions=decisions, needed=True, forced=False)
    tape.emit("resync.timer_armed", period_s=10.0, due_at=start + 10.0, why="after tick")
    hand = tape.snapshot().resync.hands[0]
    assert (hand.fires_at, hand.ticks_until, hand.fires) == (start + 10.0, 1, 1)


@pytest.mark.parametrize(
    ("asked", "effective", "badge"),
    [(30, 30, ""), (7, 10, "^min"), (0.2, 1, "1s floor"), (5, 0, "ignored"), (0, 0, "")],
)
def test_badges_tell_when_a_handler_gets_another_period_than_it_asked_for(
    asked: float, effective: float, badge: str
) -> None:
    tape = Tape()
    tape.emit("listener.added", listener="idx", requested_s=asked, effective_s=effective, warning="")
    assert tape.snapshot().resync.hands[0].badge == badge


def test_a_resync_wave_is_one_line_and_makes_no_request() -> None:
    tape = Tape()
    tape.handler("audit", 30.0)
    tape.handler("slow")
    tape.emit("resync.tick", thread=7, tick=3, lateness_s=0.02, needed=True, forced=False,
              decisions=(("audit", 30.0, 30.0, 0.0, True, 2000.0), ("slow", 0.0, 0.0, 0.0, False, 0.0)))
    tape.emit("api.start", thread=8, request=1, verb="GET", path="/api", purpose="list")  # somebody else's
    tape.emit("resync.enqueued", thread=7, tick=3, engine="delta", known=42, queued=42)
    assert tape.texts()[-1] == (
        "RESYNC tick:  audit due → 42 Sync deltas → 42 notifications (0 API requests)")
    picture = tape.snapshot()
    assert (picture.resync.waves, picture.resync.last_wave_size, picture.resync.drift_s) == (1, 42, 0.02)
    assert picture.api.served_notifications == 42
    assert picture.queue.last_wave == "resync: 42 Sync deltas, 0 API requests"


def test_a_request_of_the_resync_thread_would_show_in_the_line() -> None:
    tape = Tape()
    for tick in (1, 2):
        tape.emit("resync.tick", thread=7, tick=tick, needed=True, forced=False,
                  decisions=(("audit", 30.0, 30.0, 0.0, True, 2000.0),))
        if tick == 2:
            tape.emit("api.start", thread=7, request=1, verb="GET", path="/api", purpose="list")
        tape.emit("resync.enqueued", thread=7, tick=tick, engine="delta", known=1, queued=1)
    assert tape.texts()[-1].endswith("(1 API request)")


def test_calls_are_told_apart_and_equal_versions_are_syncs() -> None:
    tape = Tape()
    tape.handler("audit")
    tape.call("audit", "add")
    tape.call("audit", "update", rv="2", old_rv="1")
    tape.call("audit", "update", is_sync=True)
    tape.call("audit", "update", is_sync=True)
    tape.call("audit", "delete")
    handler = tape.snapshot().handlers[0]
    assert (handler.calls, handler.adds, handler.updates, handler.deletes, handler.syncs) == (5, 1, 1, 1, 2)


def test_pending_grows_while_a_call_is_stuck_and_busy_is_full() -> None:
    tape = Tape()
    tape.handler("slow")
    tape.emit("handler.start", listener="slow", kind="update", key="a/x", backlog=0)
    for number in range(7):
        tape.emit("notify.distribute", kind="update", key=f"a/{number}", delivered_to=("slow",), skipped=())
    tape.pass_time(5.0)
    handler = tape.snapshot().handlers[0]
    assert handler.pending == 7
    assert handler.running_since == tape.clock.monotonic() - 5.0
    assert handler.slow and handler.busy == 1.0
    assert tape.snapshot().pipeline.held_by == ""
    for number in range(7):
        tape.emit("notify.distribute", kind="update", key=f"a/{number}", delivered_to=("slow",), skipped=())
    assert tape.snapshot().pipeline.held_by == "handler slow is behind: 14 pending"


def test_what_a_handler_has_taken_already_is_not_pending() -> None:
    tape = Tape()
    tape.handler("audit")
    tape.recorder.take([
        tape.record("notify.distribute", kind="add", key="a/1", delivered_to=("audit",), skipped=()),
        tape.record("notify.distribute", kind="add", key="a/2", delivered_to=("audit",), skipped=()),
        tape.record("handler.start", listener="audit", kind="add", key="a/1", backlog=1),
        tape.record("notify.distribute", kind="add", key="a/3", delivered_to=("audit",), skipped=()),
    ])
    assert tape.snapshot().handlers[0].pending == 2


def test_a_backlog_that_shrinks_tells_when_it_is_gone() -> None:
    tape = Tape()
    tape.handler("slow")
    for backlog in (40, 30, 20):
        tape.call("slow", backlog=backlog)
        tape.pass_time(1.0)
    handler = tape.snapshot().handlers[0]
    assert handler.growth_per_s < 0
    assert handler.drains_in_s == pytest.approx(20 / -handler.growth_per_s)
    assert handler.pending_history == (40, 30, 20)


def test_slow_and_failed_calls_are_lines() -> None:
    tape = Tape()
    tape.handler("slow")
    tape.call("slow", key="default/web", run_s=0.812, backlog=115)
    tape.call("slow", key="default/web", error="KeyError")
    texts = tape.texts()
    assert "HANDLER slow OnUpdate  default/web  812ms (limit 100ms)  pending 115" in texts
    assert any("ERROR slow OnUpdate  default/web  raised KeyError" in text for text in texts)
    handler = tape.snapshot().handlers[0]
    assert (handler.errors, handler.worst) == (1, "default/web OnUpdate 812ms")


def test_a_removed_handler_does_not_come_back_with_its_last_call() -> None:
    tape = Tape()
    tape.handler("slow")
    tape.emit("listener.removed", listener="slow", dropped=3, running=True)
    tape.call("slow")
    assert tape.snapshot().handlers == ()
    tape.handler("slow")
    assert tape.snapshot().handlers[0].calls == 0


def test_requests_are_counted_and_kept_as_rows() -> None:
    tape = Tape()
    tape.emit("api.start", request=1, verb="GET", path="/api/v1/pods?limit=500", purpose="list", attempt=1)
    tape.emit("api.headers", request=1, code=200)
    tape.emit("api.bytes", request=1, bytes=1000)
    tape.emit("api.end", request=1, outcome="ok", code=200, bytes=1000, duration_s=0.04)
    tape.emit("api.start", request=2, verb="GET", path="/api/v1/pods?watch=true&timeoutSeconds=300",
              purpose="watch", attempt=1)
    tape.emit("api.headers", request=2, code=200)
    tape.emit("watch.event", type="MODIFIED", key="a/x", rv="2")
    tape.emit("watch.bookmark", rv="3")
    api = tape.snapshot().api
    assert (api.requests, api.lists, api.watches, api.bytes) == (2, 1, 1, 1000)
    assert (api.open_watches, api.errors) == (1, 0)
    listed, watched = api.rows
    assert (listed.verb, listed.code, listed.took_s, listed.open) == ("LIST", 200, 0.04, False)
    assert (watched.verb, watched.open, watched.timeout_s) == ("WATCH", True, 300.0)
    assert (watched.events, watched.bookmarks) == (1, 1)


def test_failed_and_throttled_requests_are_counted() -> None:
    tape = Tape()
    ends = [("error", 429), ("refused", 0), ("error", 403), ("stopped", 200)]
    for number, (outcome, code) in enumerate(ends):
        tape.emit("api.start", request=number, verb="GET", path="/", purpose="list")
        if code:
            tape.emit("api.headers", request=number, code=code)
        tape.emit("api.end", request=number, outcome=outcome, code=code, error="")
    api = tape.snapshot().api
    assert (api.errors, api.throttled) == (3, 1)


def test_the_index_follows_store_mutations_and_marks_what_touched_an_object_last() -> None:
    tape = Tape()
    ref = ObjectRef("pods", "a/x")
    marks = []
    steps = [("add", "1", "Added"), ("update", "2", "Updated"), ("update", "2", "Sync"),
             ("update", "2", "Replaced"), ("delete", "", "Deleted")]  # fmt: skip
    for op, version, delta_type in steps:
        tape.emit("store.mutation", op=op, key="a/x", new_rv=version, size=10, delta_type=delta_type)
        row = tape.recorder.objects.get(ref)
        assert row is not None
        marks.append(row.mark)
    assert marks == ["new", "changed", "resync", "same", "gone"]
    assert row.updates == 1


def test_the_atomic_queue_feeds_the_index_through_its_notifications() -> None:
    tape = Tape(Target("pods", engine="real-atomic"))
    index = tape.recorder.objects
    cause = tape.emit("store.replaced", rv="5", items=2, deleted=0)
    for key in ("a/x", "a/y"):
        tape.emit("notify.distribute", kind="add", key=key, rv="5", delivered_to=(), cause=cause)
    assert index.objects == 2
    tape.emit("notify.distribute", kind="update", key="a/x", rv="5", is_sync=True, delivered_to=(), cause=99)
    row = index.get(ObjectRef("pods", "a/x"))
    assert row is not None and row.mark == "resync"
    cause = tape.emit("store.replaced", rv="6", items=1, deleted=1)
    tape.emit("notify.distribute", kind="delete", key="a/y", rv="5", delivered_to=(), cause=cause)
    assert index.objects == 1


def test_initial_events_of_a_watch_list_are_no_lines() -> None:
    tape = Tape()
    tape.emit("reflector.state", state="watch-listing")
    tape.emit("watch.event", type="ADDED", key="a/initial", rv="1")
    tape.emit("reflector.state", state="watching")
    tape.emit("watch.event", type="ADDED", key="a/later", rv="2")
    texts = tape.texts()
    assert any("a/later" in text for text in texts)
    assert not any("a/initial" in text for text in texts)


def test_lines_stand_in_the_order_of_their_records_within_a_batch() -> None:
    tape = Tape()
    tape.recorder.take([
        tape.record("watch.event", type="ADDED", key="a/1", rv="1"),
        tape.record("watch.bookmark", rv="2", initial_events_end=False),
        tape.record("watch.event", type="ADDED", key="a/2", rv="3"),
    ])
    assert [text.split("  ")[0] for text in tape.texts()] == ["WATCH ADDED", "WATCH BOOKMARK", "WATCH ADDED"]


def test_lines_of_several_informers_stand_in_the_order_of_their_records() -> None:
    tape = Tape(Target("pods"), Target("nodes"))
    informers = ["pods", "nodes", "pods", "nodes"]
    tape.recorder.take([
        tape.record("watch.event", name, type="ADDED", key=f"a/{at}", rv=str(at))
        for at, name in enumerate(informers)
    ])
    log = tape.recorder.events
    assert [(line.informer, line.key) for line in log.lines(0, 9)] == [
        (name, f"a/{at}") for at, name in enumerate(informers)
    ]


def test_a_watch_line_tells_what_became_of_its_event() -> None:
    tape = Tape()
    tape.handler("audit")
    tape.emit("store.mutation", op="add", key="a/x", new_rv="1")
    tape.emit("watch.event", type="MODIFIED", key="a/x", rv="2", prev_rv="9")
    tape.emit("queue.popped", key="a/x", keys=1, deltas=1, waited_s=0.0002)
    tape.call("audit", key="a/x", rv="2", run_s=0.001)
    tape.call("audit", key="a/x", rv="1", run_s=0.5)  # an older version: not this event's
    line = tape.recorder.events.line(tape.recorder.events.total - 2)
    assert line is not None and line.detail == "rv 1→2  queue 0.2ms  audit 1.0ms"


def test_a_watch_line_shows_the_objects_own_previous_version() -> None:
    tape = Tape()
    tape.emit("store.mutation", op="add", key="a/x", new_rv="1")
    tape.recorder.take([
        tape.record("watch.event", type="ADDED", key="a/new", rv="5", prev_rv="4"),
        tape.record("store.mutation", op="add", key="a/new", new_rv="5"),
        tape.record("watch.event", type="MODIFIED", key="a/x", rv="6", prev_rv="5"),
        tape.record("store.mutation", op="update", key="a/x", new_rv="6"),
        tape.record("watch.event", type="DELETED", key="a/x", rv="7", prev_rv="6"),
    ])
    assert [text.split("  ")[-1] for text in tape.texts()] == ["rv 5", "rv 1→6", "rv 6→7"]


def test_a_relist_that_the_user_ordered_is_no_trouble() -> None:
    tape = Tape()
    tape.synced()
    message = "injected: a relist was ordered"
    tape.emit("error", stage="watch", http_code=410, reason="Expired", message=message)
    tape.emit("watch.close", lifetime_s=1.0, events=0, reason="error:Expired", next="relist")
    assert tape.snapshot().state.word == "LIVE"
    tape.emit("list.start", rv="100", rv_reason="last", why_limit="")
    tape.emit("list.end", ok=True, items=3, rv="200")
    informer = tape.snapshot().informers[0]
    assert (informer.last_relist_reason, informer.last_error) == ("ordered", "")


def test_reconnects_are_watches_without_a_new_fetch() -> None:
    tape = Tape()
    tape.synced()
    tape.emit("watch.close", lifetime_s=1.0, events=0, reason="eof", next="rewatch")
    tape.emit("watch.open", rv="100", ok=True)
    assert tape.snapshot().informers[0].reconnects == 1
    tape.emit("list.end", ok=True, items=3, rv="200")
    tape.emit("watch.open", rv="200", ok=True)
    assert tape.snapshot().informers[0].reconnects == 1


def test_hostile_text_from_a_server_never_reaches_a_line_or_a_figure() -> None:
    tape = Tape()
    evil = "\x1b]0;x\x07\x9b31m\u202e"
    tape.emit("error", stage="list", **{"class": "ApiStatusError"}, http_code=500, reason=evil, message=evil)
    tape.emit("watch.event", type="MODIFIED", key=f"a/{evil}", rv=evil, prev_rv="1")
    tape.call("audit", key=f"a/{evil}", run_s=9.0)
    tape.emit("queue.transform", key=f"a/{evil}", ok=False, error=evil)
    assert all(text.isprintable() for text in tape.texts())
    assert repr(tape.snapshot()).isprintable()


def test_quantiles_are_within_two_percent_and_the_maximum_is_exact() -> None:
    latency, rng = Latency(), random.Random(7)
    values = [rng.lognormvariate(-5, 1.5) for _ in range(20_000)]
    for start in range(0, len(values), 100):
        latency.add_many(values[start : start + 100])
    ordered = sorted(values)
    for q in (0.5, 0.95, 0.99):
        assert latency.quantile(q) == pytest.approx(ordered[int(q * (len(ordered) - 1))], rel=0.02)
    assert latency.max_s == max(values)


def test_a_long_batch_is_sampled_but_weighs_as_much() -> None:
    latency = Latency()
    latency.add_many([0.001] * 2048)
    latency.add_many([1.0] * 10)
    assert latency.quantile(0.5) == pytest.approx(0.001, rel=0.02)
    assert latency.max_s == 1.0


def test_rates_forget_and_history_is_sixty_whole_seconds() -> None:
    counts = PerSecond()
    counts.add(100, 5)
    counts.add(101, 7)
    assert counts.rate(102.5) == 6.0
    assert counts.history(102.0)[-2:] == (5, 7)
    assert len(counts.history(102.0)) == 60
    counts.add(500, 1)
    assert counts.total == 13
    assert sum(counts.history(501.0)) == 1
    assert counts.rate(9999.0) == 0.0


def test_counting_agrees_with_a_list_of_all_instants() -> None:
    rng, counts, seconds = random.Random(3), PerSecond(), []
    at = 1000
    for _ in range(500):
        at += rng.choice((0, 0, 0, 1, 1, 2, 70))
        n = rng.randrange(5)
        counts.add(at, n)
        seconds += [at] * n
        now = at + rng.randrange(3)
        expected = tuple(seconds.count(second) for second in range(now - 60, now))
        assert counts.history(float(now)) == expected


@pytest.mark.parametrize("kind", ["queue.popped", "backoff.sleep", "handler.end", "watch.event"])
def test_a_record_that_cannot_be_read_is_counted_and_collection_goes_on(kind: str) -> None:
    tape = Tape()
    tape.synced()
    broken = tape.record(kind)[:5]
    good = tape.record("watch.bookmark", rv="900", initial_events_end=False)
    tape.recorder.take([broken, good])
    picture = tape.snapshot()
    assert (picture.probe_failed, picture.resource_version) == (1, "900")
    assert any(text.startswith(f"ERROR probe failed: 1 record of {kind}") for text in tape.texts())
    tape.emit("watch.event", type="MODIFIED", key="default/web", rv="901", prev_rv="1")
    assert tape.snapshot().resource_version == "901"


def test_a_step_of_the_drain_that_fails_is_told_and_the_next_follows() -> None:
    tape = Tape()
    tape.recorder.guarded(lambda: 1 // 0, what="handler samples")
    assert tape.texts()[-1].startswith("ERROR probe failed: handler samples: ZeroDivisionError")
    assert tape.snapshot().probe_failed == 0
