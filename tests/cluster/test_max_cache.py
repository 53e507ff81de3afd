"""A bound on what a full state may take (kdash extension), for lists and for watch-lists."""

from __future__ import annotations

import queue

import pytest

from kdash.cluster import connect_url
from kdash.informer.errors import CacheTooLarge
from kdash.informer.factory import SharedInformerFactory
from tests.cluster.conftest import CONFIG_MAPS, answers, config_map, line, list_body

NAMES = [f"name-{number}" for number in range(200)]


def watch_list(exchange):
    exchange.start_chunked()
    for name in NAMES:
        exchange.chunk(line("ADDED", config_map(name, "5")))
    exchange.wait_for_hang_up()


@pytest.mark.parametrize(("streaming", "script"), [(False, answers(list_body(*NAMES))), (True, watch_list)])
def test_a_state_that_takes_more_than_max_cache_is_refused_with_a_sentence(serve, streaming, script):
    errors = queue.Queue()
    client = connect_url(serve(script).url)
    factory = SharedInformerFactory(client, watch_list=streaming, max_cache=1000)
    informer = factory.for_resource(CONFIG_MAPS).informer()
    informer.set_watch_error_handler(lambda *what: errors.put(what[-1]))
    factory.start()
    try:
        error = errors.get(timeout=20)
    finally:
        factory.shutdown()
    assert isinstance(error, CacheTooLarge) and "--max-cache" in str(error)
    assert informer.indexer.list_keys() == []
