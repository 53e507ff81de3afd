"""One request to a server whose answer has no end, in a process of its own: `python -m tests.cluster.hostile WHAT`.

Prints the error's class and sentence, and by how many bytes resident memory grew at most, as one line of JSON.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import resource
import sys
from collections.abc import Callable, Iterable, Iterator

from kdash.cluster import connect_url
from kdash.informer.list_watch import CancelToken, ListOptions
from tests.cluster.conftest import CONFIG_MAPS
from tests.cluster.scripted_server import Exchange, ScriptedServer

_LIST = b'{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":['
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_BIG = 1 << 18


def _bomb() -> Iterator[bytes]:
    member = gzip.compress(b" " * (4 << 20), 9)
    yield gzip.compress(_LIST)
    while True:
        yield member


BODIES: dict[str, tuple[str, int, str, Callable[[], Iterable[bytes]]]] = {
    "error body": ("list", 500, "", lambda: itertools.repeat(b"sorry " * _BIG)),
    "gzip error body": ("list", 500, "gzip", _bomb),
    "discovery": ("discover", 200, "", lambda: itertools.chain([b'{"items":["'], itertools.repeat(b"x" * _BIG))),
    "discovery of many values": (
        "discover", 200, "",
        lambda: itertools.chain([b'{"kind":"APIVersions","x":['], itertools.repeat(b"[]," * 21, 1 << 20), [b"0]}"])),
    "version": ("version", 200, "", lambda: itertools.repeat(b" " * _BIG)),
    "one item": ("list", 200, "", lambda: itertools.chain([_LIST + b'{"data":"'], itertools.repeat(b"x" * _BIG))),
    "one deep item": ("list", 200, "", lambda: itertools.chain([_LIST], itertools.repeat(b"[" * _BIG))),
    "many small values in one item": (
        "list", 200, "", lambda: itertools.chain([_LIST + b'{"a":['], itertools.repeat(b"[]," * _BIG))),
    "a name of 31 MiB": (
        "list", 200, "", lambda: itertools.chain(
            [_LIST + b'{"metadata":{"name":"'], itertools.repeat(b"x" * _BIG, 124), ['\u20ac"}}]}'.encode()])),
    "white space": ("list", 200, "", lambda: itertools.chain([_LIST], itertools.repeat(b" \n" * _BIG))),
    "unknown fields": ("list", 200, "", lambda: itertools.chain([b'{"a":1'], itertools.repeat(b',"b":[1,2]' * 9000))),
    "gzip bomb": ("list", 200, "gzip", _bomb),
    "watch line": (
        "watch", 200, "", lambda: itertools.chain([b'{"type":"ADDED","object":{"a":"'], itertools.repeat(b"x" * _BIG))),
    "white space in a watch": ("watch", 200, "", lambda: itertools.repeat(b"  " * _BIG)),
    "tiny chunks": ("list", 200, "chunked", lambda: itertools.chain([_LIST + b'{"data":"'], itertools.repeat(b"xy"))),
    "headers": ("list", 0, "", lambda: itertools.repeat(b"x-header: 1\r\n" * 1000)),
    "one header": ("list", 0, "", lambda: itertools.chain([b"x-header: "], itertools.repeat(b"x" * _BIG))),
}  # fmt: skip


def _answer(what: str, exchange: Exchange) -> None:
    _, code, coding, pieces = BODIES[what]
    content_type = _AGGREGATED if what == "discovery" else "application/json"
    head = f"HTTP/1.1 {code or 200} Said\r\nContent-Type: {content_type}\r\n"
    head += "Content-Encoding: gzip\r\n" if coding == "gzip" else ""
    head += "Transfer-Encoding: chunked\r\n" if coding == "chunked" else ""
    exchange.send((head + ("\r\n" if code else "")).encode())
    body = iter(pieces())
    with contextlib.suppress(OSError):
        if coding == "chunked":
            first = next(body)
            exchange.send(b"%x\r\n%b\r\n" % (len(first), first))
            for piece in body:
                exchange.send(b"%x\r\n%b\r\n" % (len(piece), piece) * 5000)
        else:
            for piece in body:
                exchange.send(piece)
    exchange.close()


def _ask(kind: str, url: str) -> None:
    client = connect_url(url)
    lister_watcher = client.lister_watcher(CONFIG_MAPS)
    if kind == "list":
        lister_watcher.list(ListOptions(), CancelToken())
    elif kind == "watch":
        events = list(lister_watcher.watch(ListOptions(), CancelToken()).next_batch())
        raise RuntimeError(str(events[0].status) if events else "no event")
    elif kind == "version":
        client.version()
    else:
        client.resolve("pods")


def resident_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(what: str) -> None:
    with ScriptedServer(lambda exchange: exchange.answer(_LIST + b"]}")) as server:
        _ask("list", server.url)  # everything is imported
    with ScriptedServer(lambda exchange: _answer(what, exchange)) as server:
        before, error = resident_peak(), None
        try:
            _ask(BODIES[what][0], server.url)
        except Exception as e:
            error = e
        print(json.dumps([type(error).__name__, str(error), resident_peak() - before]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
