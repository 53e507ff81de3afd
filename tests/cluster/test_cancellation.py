"""A request can be given up at once, whatever it waits for."""

import threading

import pytest

from kdash.informer.errors import StopRequested
from kdash.informer.list_watch import CancelToken
from tests.cluster.conftest import LIST, answers, ends, full_backlog, plain_transport, run_and_cancel


def test_cancel_while_connecting(tap):
    listener, clients = full_backlog()
    transport = plain_transport(f"http://127.0.0.1:{listener.getsockname()[1]}", tap, connect_s=60)
    started = threading.Event()
    emit = tap.emit
    tap.emit = lambda *a: (emit(*a), started.set())
    error = run_and_cancel(lambda token: transport.get(LIST, token), lambda: started.wait(20))
    assert isinstance(error, StopRequested)
    assert ends(tap)[0]["outcome"] == "stopped"
    for one in (*clients, listener):
        one.close()


def test_cancel_during_the_tls_handshake(serve):
    accepted = threading.Event()

    def say_nothing(sock):
        sock.recv(100)  # the client's hello
        accepted.set()
        sock.recv(1)
        raise OSError

    server = serve(answers(), wrap=say_nothing)
    transport = plain_transport(server.url.replace("http:", "https:"))
    error = run_and_cancel(lambda token: transport.get(LIST, token), lambda: accepted.wait(20))
    assert isinstance(error, StopRequested)


def test_cancel_while_waiting_for_headers(serve, tap):
    server = serve(lambda e: e.wait_for_hang_up())
    transport = plain_transport(server.url, tap)
    error = run_and_cancel(lambda token: transport.get(LIST, token), lambda: server.wait_for_requests(1))
    assert isinstance(error, StopRequested)
    assert ends(tap)[0]["outcome"] == "stopped"


def test_cancel_on_a_reused_connection_while_waiting_for_headers(serve):
    server = serve(answers(), lambda e: e.wait_for_hang_up())
    transport = plain_transport(server.url)
    transport.get(LIST, CancelToken()).read_all()
    error = run_and_cancel(lambda token: transport.get(LIST, token), lambda: server.wait_for_requests(2))
    assert isinstance(error, StopRequested)
    assert [e.connection for e in server.exchanges] == [1, 1]


def test_cancel_while_reading_the_body(serve):
    server = serve(lambda e: (e.start_chunked(), e.chunk("{"), e.wait_for_hang_up()))
    transport = plain_transport(server.url)
    reading = threading.Event()

    def read(token):
        answer = transport.get(LIST, token)
        answer.read1()
        reading.set()
        answer.read_all()

    assert isinstance(run_and_cancel(read, lambda: reading.wait(20)), StopRequested)


def test_cancelled_before_the_start_sends_nothing(serve, cancel):
    server = serve(answers())
    cancel.cancel()
    with pytest.raises(StopRequested):
        plain_transport(server.url).get(LIST, cancel)
    assert server.exchanges == []


def test_cancel_after_the_end_leaves_the_reused_connection_alone(serve):
    server = serve(answers())
    transport = plain_transport(server.url)
    first = CancelToken()
    transport.get(LIST, first).read_all()
    first.cancel()
    transport.get(LIST, CancelToken()).read_all()
    assert [e.connection for e in server.exchanges] == [1, 1]


def test_cancelling_an_answer_that_was_read_leaves_the_reused_connection_alone(serve):
    server = serve(answers())
    transport = plain_transport(server.url)
    first = transport.get(LIST, CancelToken())
    first.read_all()
    first.cancel()
    transport.get(LIST, CancelToken()).read_all()
    assert [e.connection for e in server.exchanges] == [1, 1]
