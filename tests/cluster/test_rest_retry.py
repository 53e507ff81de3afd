"""client-go's REST retries: the table of decisions, and the waits."""

import threading

import pytest

from kdash.cluster import connect_url
from kdash.cluster.errors import CredentialError, RequestTimeout
from kdash.cluster.rest_retry import MAX_REPEATS, pause_before_repeat
from kdash.informer.clock import VirtualClock
from kdash.informer.errors import (
    ApiStatusError,
    ConnectionRefused,
    ConnectionReset,
    StopRequested,
    TransportError,
    UnexpectedEOF,
)
from kdash.informer.list_watch import CancelToken, ListOptions
from tests.cluster.conftest import CONFIG_MAPS, answers, free_port, list_body

EOF, RESET, TIMEOUT = UnexpectedEOF("eof"), ConnectionReset("reset"), RequestTimeout("late")


@pytest.mark.parametrize(
    ("last", "for_a_list", "for_a_watch"),
    [
        ({"code": 200}, None, None),
        ({"code": 429}, None, None),
        ({"code": 503}, None, None),
        ({"code": 429, "retry_after_s": 7}, 7.0, 7.0),
        ({"code": 429, "retry_after_s": 0}, 0.0, 0.0),
        ({"code": 429, "retry_after_s": -1}, 0.0, 0.0),
        ({"code": 500, "retry_after_s": 1}, 1.0, 1.0),
        ({"code": 504, "retry_after_s": 1}, 1.0, 1.0),
        ({"code": 410, "retry_after_s": 1}, None, None),
        ({"code": 404, "retry_after_s": 1}, None, None),
        ({"error": RESET}, 1.0, 1.0),
        ({"error": EOF}, 1.0, 1.0),
        ({"error": TIMEOUT}, None, 1.0),
        ({"error": ConnectionRefused("no")}, None, None),
        ({"error": CredentialError("no")}, None, None),
        ({"error": TransportError("no")}, None, None),
    ],
)
def test_pause_before_a_repeat(last, for_a_list, for_a_watch):
    assert pause_before_repeat(0, **last) == for_a_list
    assert pause_before_repeat(MAX_REPEATS - 1, **last, watching=True) == for_a_watch
    assert pause_before_repeat(MAX_REPEATS, **last, watching=True) is None


def busy(code=429, retry_after="0"):
    return answers("busy", code, content_type="text/plain", headers=[f"Retry-After: {retry_after}"])


def test_list_is_repeated_after_retry_after_and_the_tap_counts_attempts(setting, cancel):
    s = setting(busy(503), busy(), answers(list_body("a")))
    assert len(s.lister_watcher.list(ListOptions(), cancel).items) == 1
    assert [r["attempt"] for r in s.records("api.start")] == [1, 2, 3]
    assert {e.connection for e in s.server.exchanges} == {1}


def test_list_gives_its_error_up_after_ten_repeats(setting, cancel):
    s = setting(busy())
    with pytest.raises(ApiStatusError) as caught:
        s.lister_watcher.list(ListOptions(), cancel)
    assert (caught.value.code, len(s.server.exchanges)) == (429, 11)


def test_watch_open_is_repeated_and_then_raises(setting, cancel):
    s = setting(busy())
    with pytest.raises(ApiStatusError):
        s.lister_watcher.watch(ListOptions(), cancel)
    assert len(s.server.exchanges) == 11


def test_retry_after_as_a_date_is_not_repeated(setting, cancel):
    s = setting(busy(retry_after="Mon, 23 Nov 2026 15:00:00 GMT"))
    with pytest.raises(ApiStatusError):
        s.lister_watcher.list(ListOptions(), cancel)
    assert len(s.server.exchanges) == 1


class Advancing:
    """Moves a virtual clock on whenever somebody waits on it, until left; remembers how far."""

    def __init__(self, clock):
        self.clock, self.started_at, self._over = clock, clock.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._over.wait(0.001):
            if self.clock.waiting():
                self.clock.advance(0.25)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    @property
    def passed_s(self):
        return self.clock.monotonic() - self.started_at


@pytest.mark.parametrize("lose", [lambda e: e.reset(), lambda e: e.close()])
def test_lost_connection_is_repeated_after_a_second(setting, cancel, lose):
    clock = VirtualClock()
    s = setting(lose, answers(list_body("a")), clock=clock)
    with Advancing(clock) as time:
        assert len(s.lister_watcher.list(ListOptions(), cancel).items) == 1
    assert 1.0 <= time.passed_s < 1.5
    assert len(s.server.exchanges) == 2


def test_list_that_is_always_reset_raises_reset(setting, cancel):
    clock = VirtualClock()
    s = setting(lambda e: e.reset(), clock=clock)
    with Advancing(clock), pytest.raises(ConnectionReset):
        s.lister_watcher.list(ListOptions(), cancel)
    assert len(s.server.exchanges) == 11


def test_watch_that_is_always_reset_counts_as_an_empty_stream(setting, cancel):
    clock = VirtualClock()
    s = setting(lambda e: e.reset(), clock=clock)
    with Advancing(clock) as time:
        assert s.lister_watcher.watch(ListOptions(), cancel).next_batch() == ()
    assert 10.0 <= time.passed_s < 13.0
    assert len(s.server.exchanges) == 11


def test_refused_watch_reaches_the_reflector_at_once(cancel, tap):
    client = connect_url(f"http://127.0.0.1:{free_port()}", tap=tap)
    with pytest.raises(ConnectionRefused):
        client.lister_watcher(CONFIG_MAPS).watch(ListOptions(), cancel)
    assert [r[2] for r in tap.drain()] == ["api.start", "api.end"]


def test_wait_for_retry_after_ends_at_once_on_cancel(setting):
    clock = VirtualClock()  # never moved: without the cancel it would wait for ever
    s = setting(busy(retry_after="3600"), clock=clock)
    token, raised = CancelToken(), []

    def run():
        with pytest.raises(StopRequested) as caught:
            s.lister_watcher.list(ListOptions(), token)
        raised.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    waited = threading.Event()
    while not clock.waiting():
        waited.wait(0.001)
    token.cancel()
    thread.join(10)
    assert len(raised) == 1
