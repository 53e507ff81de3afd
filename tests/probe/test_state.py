"""The state word, its sentence and the exit code."""

from __future__ import annotations

import pytest

from kdash.probe.informers import Target
from kdash.probe.snapshot import StateView
from tests.probe.records import Tape


def fail(
    tape: Tape, code: int = 0, reason: str = "", message: str = "", error_class: str = "ApiStatusError"
) -> None:
    tape.emit("error", stage="list", **{"class": error_class}, http_code=code, reason=reason, message=message)
    tape.emit("reflector.state", state="backoff")
    tape.emit("backoff.sleep", site="outer", step=1, jittered_s=8.0, due_at=tape.clock.monotonic() + 8.0)


def state(tape: Tape) -> StateView:
    return tape.snapshot().state


def test_syncing_tells_how_much_has_come() -> None:
    tape = Tape()
    tape.emit("list.start", rv="0", rv_reason="first", why_limit="")
    tape.emit("list.page", page_no=3, items=1500, has_continue=True)
    assert (state(tape).word, state(tape).detail) == ("SYNCING", "pods: 1500 objects received")


def test_synced_and_watching_is_live_with_nothing_to_say() -> None:
    tape = Tape()
    tape.synced()
    assert state(tape) == StateView("LIVE")


def test_forbidden_names_the_rbac_rule_to_ask_for() -> None:
    tape = Tape(Target("deployments.apps", "apps", "deployments", "dev", "-n dev"))
    tape.emit("error", "deployments.apps", stage="list", **{"class": "ApiStatusError"}, http_code=403,
              reason="Forbidden", message="deployments.apps is forbidden")
    view = state(tape)
    assert (view.word, view.exit_code) == ("DENIED", 4)
    for part in ("deployments", "namespace dev", "Role in dev", 'apiGroups: ["apps"]', '"list", "watch"]'):
        assert part in view.detail


@pytest.mark.parametrize(
    ("code", "error_class", "message", "word", "exit_code", "part"),
    [
        (401, "ApiStatusError", "Unauthorized", "DENIED", 4, "log in again"),
        (401, "ApiStatusError", "token has expired", "DENIED", 4, "token has expired"),
        (0, "ConnectionRefused", "127.0.0.1:6443", "RETRY", 3, "connection refused"),
        (0, "TLSError", "certificate verify failed: self-signed", "RETRY", 3, "TLS failed"),
        (0, "TransportError", "Name or service not known", "RETRY", 3, "name cannot be found"),
        (0, "RequestTimeout", "timed out", "RETRY", 3, "does not answer in time"),
        (0, "ConnectionReset", "", "RETRY", 3, "connection to the API server broke"),
        (503, "ApiStatusError", "etcd is down", "RETRY", 1, "the server failed (503"),
        (429, "ApiStatusError", "slow down", "RETRY", 1, "busy"),
        (404, "ApiStatusError", "not found", "RETRY", 1, "CRD"),
        (0, "ValueError", "boom", "RETRY", 1, "boom"),
    ],
)
def test_failures_before_the_first_sync(
    code: int, error_class: str, message: str, word: str, exit_code: int, part: str
) -> None:
    tape = Tape()
    fail(tape, code, "", message, error_class)
    view = state(tape)
    assert (view.word, view.exit_code) == (word, exit_code)
    assert part in view.detail
    assert view.retry_at == tape.clock.monotonic() + 8.0


def test_a_retry_keeps_the_cache_and_says_how_old_it_is() -> None:
    tape = Tape()
    tape.synced()
    fail(tape, error_class="ConnectionRefused")
    tape.pass_time(5.0)
    view = state(tape)
    assert view.word == "RETRY"
    assert "cache is shown as of 5s ago" in view.detail
    assert tape.snapshot().pipeline.held_by == "API server: retry in 3s"


def test_success_ends_the_trouble() -> None:
    tape = Tape()
    tape.synced()
    fail(tape, error_class="ConnectionRefused")
    tape.emit("watch.open", rv="100", timeout_s=300, ok=True)
    tape.emit("reflector.state", state="watching")
    assert state(tape) == StateView("LIVE")
    assert tape.snapshot().informers[0].reconnects == 1


def test_a_stream_that_failed_long_ago_without_an_answer_is_stale() -> None:
    tape = Tape()
    tape.synced()
    tape.emit("watch.close", lifetime_s=1.0, events=0, reason="error:cut", next="backoff+rewatch")
    tape.pass_time(29.0)
    assert state(tape).word == "LIVE"
    tape.pass_time(2.0)
    assert state(tape).word == "STALE"


def test_a_quiet_resource_is_not_stale() -> None:
    tape = Tape()
    tape.synced()
    tape.pass_time(3600.0)
    assert state(tape).word == "LIVE"


def test_the_end_of_a_watch_by_its_own_time_out_is_no_failure() -> None:
    tape = Tape()
    tape.synced()
    tape.emit("watch.close", lifetime_s=300.0, events=9, reason="eof", next="rewatch")
    tape.pass_time(60.0)
    assert state(tape).word == "LIVE"


def test_of_several_informers_the_worst_speaks() -> None:
    tape = Tape(Target("pods"), Target("secrets", resource="secrets"))
    tape.synced()
    assert state(tape).word == "SYNCING"
    tape.emit("error", "secrets", stage="list", http_code=403, reason="Forbidden")
    assert state(tape).word == "DENIED"
    assert "secrets" in state(tape).detail


def test_the_connection_speaks_while_there_is_no_informer() -> None:
    tape = Tape()
    view = StateView("RETRY", "connection refused", 1008.0, 3, 3)
    assert tape.snapshot(connection=view).state == view


def test_an_old_generation_that_ends_does_not_stop_the_new_one() -> None:
    tape = Tape()
    tape.emit("informer.lifecycle", thread=1, what="started")
    tape.recorder.register(Target("pods"))
    tape.emit("informer.lifecycle", thread=2, what="started")
    tape.emit("informer.lifecycle", thread=1, what="stopped")
    assert state(tape).word == "SYNCING"
    tape.emit("informer.lifecycle", thread=2, what="stopped")
    assert state(tape).word == "STOPPED"


def test_a_silent_watch_is_suspect_and_a_reopened_one_is_live() -> None:
    tape = Tape()
    tape.synced()
    tape.emit("watch.silence", what="suspect", silent_s=78.0, bookmarking=True)
    tape.pass_time(2.0)
    assert (state(tape).word, state(tape).exit_code) == ("SUSPECT", 0)
    assert "no byte on the watch for 1m20s" in state(tape).detail
    tape.emit("watch.silence", what="failed", silent_s=82.0, bookmarking=True, detail="refused")
    assert state(tape).word == "SUSPECT", "the old watch stays, and is no better than before"
    tape.emit("watch.silence", what="reopened", silent_s=90.0, bookmarking=True)
    assert state(tape) == StateView("LIVE")
    assert tape.snapshot().informers[0].silence == "reopened"


@pytest.mark.parametrize("came", ["watch.event", "watch.bookmark"])
def test_whatever_comes_over_a_suspect_watch_ends_the_suspicion(came: str) -> None:
    tape = Tape()
    tape.synced()
    tape.emit("watch.silence", what="unproven", silent_s=85.0)
    assert tape.snapshot().informers[0].silence == "unproven"
    assert state(tape) == StateView("LIVE"), "a quiet resource is no trouble"
    fields = {"type": "MODIFIED", "key": "default/a", "uid": "u"} if came == "watch.event" else {}
    tape.emit(came, rv="101", **fields)
    assert tape.snapshot().informers[0].silence == ""


def test_a_streamed_list_without_its_end_marker_is_told_of() -> None:
    tape = Tape()
    tape.emit("reflector.state", state="watch-listing")
    tape.emit("watchlist.progress", added=1204, temp_size=1204)
    tape.emit("watchlist.waiting", objects=1204, silent_s=10.0)
    sentence = "1,204 objects came, the end marker has not: a proxy or aggregated API?"
    assert (state(tape).word, state(tape).detail) == ("SYNCING", f"pods: {sentence}")
    tape.emit("watchlist.progress", added=1205, temp_size=1205)
    assert sentence not in state(tape).detail, "another object came"


def test_a_second_watch_that_is_closed_leaves_the_events_to_the_first() -> None:
    tape = Tape()
    tape.synced()
    for number, path in ((7, "/first"), (8, "/second")):
        tape.emit("api.start", request=number, verb="GET", path=path, purpose="watch")
    tape.emit("api.end", request=8, outcome="stopped", code=200)
    tape.emit("watch.event", type="MODIFIED", key="default/a", uid="u", rv="101")
    assert {row.path: row.events for row in tape.snapshot().api.rows} == {"/first": 1, "/second": 0}


def test_a_hanging_list_is_the_headline_not_the_fallback_that_led_to_it() -> None:
    tape = Tape()
    tape.emit("watchlist.start", rv="")
    tape.emit("error", stage="watch-list", **{"class": "ApiStatusError"}, http_code=400, reason="BadRequest",
              message="sendInitialEvents is forbidden")
    tape.emit("watchlist.fallback", error="400 BadRequest")
    tape.emit("list.start", rv="0", rv_reason="first", why_limit="")
    tape.clock.advance(12.0)
    view = state(tape)
    assert (view.word, view.detail) == ("SYNCING", "pods: the LIST has had no answer for 12s")
    tape.emit("list.page", page_no=1, items=500, has_continue=True)
    assert state(tape).detail == "pods: 500 objects received"


def test_an_attempt_that_hangs_comes_before_the_failure_that_led_to_it() -> None:
    tape = Tape()
    fail(tape, 503, "ServiceUnavailable", "try later")
    tape.emit("backoff.wake")
    tape.emit("list.start", rv="0", rv_reason="first", why_limit="")
    assert "503" in state(tape).detail and "no answer" not in state(tape).detail
    tape.clock.advance(9.0)
    assert state(tape).detail.startswith("pods: the LIST has had no answer for 9s; before that: pods: the server ")
