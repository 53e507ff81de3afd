"""One GET: what is sent, what comes back, what each failure is called, and how it is given up."""

import gzip
import json
import socket
import sys
import threading

import pytest

from kdash.cluster import connect_url
from kdash.cluster.errors import RequestTimeout, TLSError
from kdash.cluster.transport import Request
from kdash.informer.errors import (
    ApiStatusError,
    ConnectionRefused,
    ConnectionReset,
    DecodeError,
    TransportError,
    UnexpectedEOF,
)
from kdash.informer.list_watch import ListOptions
from tests.cluster.conftest import LIST, answers, ends, free_port, full_backlog, list_body, plain_transport


def test_only_gets_are_sent_with_agent_and_accept(serve, cancel):
    server = serve(answers())
    assert plain_transport(server.url).get(LIST, cancel).read_all() == list_body("a").encode()
    sent = server.exchanges[0]
    assert (sent.method, sent.target) == ("GET", "/api/v1/configmaps?limit=500")
    assert sent.headers["user-agent"].startswith("kdash/")
    assert sent.headers["accept"] == "application/json"
    assert "authorization" not in sent.headers


def test_server_url_with_a_path_keeps_it(serve, cancel):
    server = serve(answers())
    plain_transport(server.url + "/k8s/clusters/c1/").get(LIST, cancel).read_all()
    assert server.targets == ["/k8s/clusters/c1/api/v1/configmaps?limit=500"]


def test_connection_is_reused_after_a_body_was_read_to_its_end(serve, cancel):
    def chunked(exchange):
        exchange.start_chunked()
        exchange.chunk("{}")
        exchange.last_chunk()

    server = serve(answers(), chunked, answers())
    transport = plain_transport(server.url)
    for _ in range(3):
        transport.get(LIST, cancel).read_all()
    assert [e.connection for e in server.exchanges] == [1, 1, 1]


def test_kept_alive_connection_that_the_server_closed_is_replaced_unseen(serve, cancel, tap):
    ready = threading.Event()

    def answer_then_fall(exchange):
        exchange.answer("{}")
        ready.set()

    def close(exchange):
        exchange.close()

    server = serve(answer_then_fall, close, answers())
    transport = plain_transport(server.url, tap)
    transport.get(LIST, cancel).read_all()
    assert transport.get(LIST, cancel).read_all() == list_body("a").encode()
    assert [r[2] for r in tap.drain()].count("api.start") == 2


def test_users_29_thousand_requests_start_no_thread(serve, cancel):
    server = serve(answers("{}"))
    transport = plain_transport(server.url)
    transport.get(LIST, cancel).read_all()
    before = set(threading.enumerate())
    for _ in range(1000):
        transport.get(LIST, cancel).read_all()
    assert set(threading.enumerate()) <= before
    assert {e.connection for e in server.exchanges} == {1}


def test_users_09_idle_connections_are_kept_alive_by_the_kernel(serve, cancel):
    server = serve(answers("{}"))
    transport = plain_transport(server.url)
    answer = transport.get(LIST, cancel)
    sock = answer._interrupt.sock
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
    idle = socket.TCP_KEEPALIVE if sys.platform == "darwin" else socket.TCP_KEEPIDLE
    at_rest, between, times = (
        sock.getsockopt(socket.IPPROTO_TCP, option) for option in (idle, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    )
    assert at_rest + between * times <= 60, "seconds until a dead peer is noticed"
    answer.read_all()


def test_proxy_of_the_environment_is_ignored_for_a_plain_url(serve, cancel, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = serve(answers(json.dumps({"gitVersion": "v1.36.0"})))
    assert connect_url(server.url).version()["gitVersion"] == "v1.36.0"


def test_gzip_is_asked_for_and_inflated(serve, cancel):
    body = list_body(*(f"cm-{n}" for n in range(500)))
    server = serve(lambda e: e.answer(gzip.compress(body.encode()), headers=["Content-Encoding: gzip"]))
    transport = plain_transport(server.url)
    transport.is_local = False
    assert transport.get(Request("/x", compress=True), cancel).read_all() == body.encode()
    assert server.exchanges[0].headers["accept-encoding"] == "gzip"


def test_gzip_is_not_asked_for_on_this_machine_or_without_need(serve, cancel):
    server = serve(answers())
    transport = plain_transport(server.url)
    transport.get(Request("/x", compress=True), cancel).read_all()
    transport.is_local = False
    transport.get(Request("/x"), cancel).read_all()
    assert [e.headers["accept-encoding"] for e in server.exchanges] == ["identity", "identity"]


def test_encoding_that_was_not_asked_for_is_refused(serve, cancel):
    server = serve(answers("zzz", headers=["Content-Encoding: br"]))
    with pytest.raises(DecodeError, match="'br'"):
        plain_transport(server.url).get(LIST, cancel)


# -- what failures are called --------------------------------------------------------------------------


def test_refused_connection(cancel, tap):
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionRefused, match=r"refused the connection"):
        plain_transport(url, tap).get(LIST, cancel)
    assert ends(tap)[0]["outcome"] == "refused"


@pytest.mark.parametrize(
    ("script", "error", "outcome"),
    [
        (lambda e: e.reset(), ConnectionReset, "reset"),
        (lambda e: e.close(), UnexpectedEOF, "cut"),
        (lambda e: (e.send(b"SSH-2.0-OpenSSH_9.2\r\n"), e.close()), TransportError, "error"),
    ],
)
def test_no_answer(serve, cancel, tap, script, error, outcome):
    server = serve(script)
    with pytest.raises(error) as caught:
        plain_transport(server.url, tap).get(LIST, cancel)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    assert ends(tap)[0]["outcome"] == outcome


@pytest.mark.parametrize(
    ("end", "error"), [(lambda e: e.close(), UnexpectedEOF), (lambda e: e.reset(), ConnectionReset)]
)
@pytest.mark.parametrize("chunked", [True, False])
def test_answer_that_is_cut_short(serve, cancel, tap, end, error, chunked):
    got_some = threading.Event()

    def script(exchange):
        if chunked:
            exchange.start_chunked()
            exchange.chunk("{")
        else:
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        got_some.wait(20)
        end(exchange)

    server = serve(script)
    answer = plain_transport(server.url, tap).get(LIST, cancel)
    assert answer.read1() == [b"{"]
    got_some.set()
    with pytest.raises(error):
        answer.read_all()
    assert ends(tap)[0]["outcome"] == {UnexpectedEOF: "cut", ConnectionReset: "reset"}[error]


def test_users_08_silence_before_and_within_an_answer_ends_by_the_read_timeout(serve, cancel, tap):
    server = serve(
        lambda e: e.wait_for_hang_up(),
        lambda e: (e.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), e.wait_for_hang_up()),
    )
    transport = plain_transport(server.url, tap, read_s=0.2)
    with pytest.raises(RequestTimeout, match="did not answer in time"):
        transport.get(LIST, cancel)
    with pytest.raises(RequestTimeout):
        transport.get(LIST, cancel).read_all()
    assert [e["outcome"] for e in ends(tap)] == ["timeout", "timeout"]


def test_users_08_connect_that_hangs_ends_by_the_connect_timeout(cancel):
    listener, clients = full_backlog()
    with pytest.raises(RequestTimeout, match="did not accept a connection in time"):
        plain_transport(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_s=0.2).get(LIST, cancel)
    for one in (*clients, listener):
        one.close()


def test_unknown_host_name_says_so(cancel):
    with pytest.raises(TransportError, match=r"host name .* is not known"):
        plain_transport("http://no-such-host.invalid").get(LIST, cancel)


def test_tls_against_a_plain_server_says_so(serve, cancel):
    def refuse_as_a_plain_server_does(sock):
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\nClient sent something else than HTTP")
        sock.recv(1)
        raise OSError

    server = serve(answers(), wrap=refuse_as_a_plain_server_does)
    with pytest.raises(TLSError, match="is it https"):
        plain_transport(server.url.replace("http:", "https:")).get(LIST, cancel)


def test_password_in_the_server_url_is_never_shown(cancel):
    url = f"http://admin:hunter2@127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionRefused) as caught:
        plain_transport(url).get(LIST, cancel)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in connect_url(url).server


# -- error answers -------------------------------------------------------------------------------------

STATUS = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "code": 410,
    "reason": "Expired",
    "message": "too old",
    "metadata": {"continue": "again"},
    "details": {"retryAfterSeconds": 3},
}


def error_of(serve, cancel, *args, **options):
    server = serve(answers(*args, **options))
    answer = plain_transport(server.url).get(LIST, cancel)
    return answer.error()


def test_users_15_status_code_in_the_body_outranks_the_http_code(serve, cancel):
    error = error_of(serve, cancel, json.dumps(STATUS), 500)
    assert (error.code, error.reason, error.continue_token, error.retry_after_s) == (
        410,
        "Expired",
        "again",
        3,
    )


def test_text_html_and_empty_error_bodies_become_one_clean_sentence(serve, cancel):
    error = error_of(
        serve,
        cancel,
        "Too many requests, please try again later.\n",
        429,
        content_type="text/plain",
        headers=["Retry-After: 1"],
    )
    assert (error.code, error.reason, error.retry_after_s) == (429, "TooManyRequests", 1)
    assert (
        error.message
        == "the server answered 429 Too Many Requests: Too many requests, please try again later."
    )
    page = "<html><head><title>502 Bad\n Gateway</title></head><body>\x1b[31mnginx</body></html>"
    error = error_of(serve, cancel, page, 502, content_type="text/html")
    assert error.message == "the server answered 502 Bad Gateway: 502 Bad Gateway"
    assert error.reason == "InternalError"
    assert error_of(serve, cancel, "", 404).message == "the server answered 404 Not Found"


def test_control_characters_of_a_status_never_reach_the_message(serve, cancel):
    error = error_of(serve, cancel, json.dumps({**STATUS, "message": "a\x1b]0;x\x07b\nc\u202ed"}), 410)
    assert error.message == "a ]0;x b c d"


def test_status_without_kind_from_a_time_limit_is_still_a_status(serve, cancel):
    body = json.dumps(
        {"metadata": {}, "status": "Failure", "message": "Timeout: no", "reason": "Timeout", "code": 504}
    )
    error = error_of(serve, cancel, body, 504, content_type="text/plain; charset=utf-8")
    assert (error.code, error.reason, error.message) == (504, "Timeout", "Timeout: no")


def test_redirect_is_not_followed_but_told(serve, cancel):
    server = serve(answers("", 302, headers=["Location: https://user:pw@login.example/"]), answers())
    error = plain_transport(server.url).get(LIST, cancel).error()
    assert (error.code, len(server.exchanges)) == (302, 1)
    assert "https://login.example/" in error.message
    assert "pw" not in error.message


# -- the tap -------------------------------------------------------------------------------------------


def test_tap_tells_each_request_once_from_start_to_end(setting, cancel):
    s = setting(answers(list_body("a", "b")))
    s.lister_watcher.list(ListOptions(limit=500, resource_version="0"), cancel)
    start, headers, data, end = s.records("api.start", "api.headers", "api.bytes", "api.end")
    assert (start["verb"], start["purpose"], start["attempt"]) == ("GET", "list", 1)
    assert start["path"] == "/api/v1/configmaps?limit=500&resourceVersion=0"
    assert start["informer"] == "configmaps"
    assert (headers["code"], headers["retry_after_s"]) == (200, None)
    assert data["bytes"] == end["bytes"] == len(list_body("a", "b"))
    assert (end["outcome"], end["code"], end["error"]) == ("ok", 200, "")
    assert len({r["request"] for r in (start, headers, data, end)}) == 1


def test_tap_tells_an_error_answer(setting, cancel):
    s = setting(answers("no", 403, content_type="text/plain"))
    with pytest.raises(ApiStatusError):
        s.lister_watcher.list(ListOptions(), cancel)
    assert s.records("api.end")[0]["outcome"] == "error"
