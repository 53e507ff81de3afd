"""Moments that only a busy machine hits, provoked: a long backlog, a stop just before a request, a notification just
before a wait.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import pytest

from kdash.informer import reflector_effects as fx
from kdash.informer.clock import VirtualClock
from kdash.informer.listener import ADD, ProcessorListener
from tests.informer.fake_source import make_object
from tests.informer.informer_rig import PATIENCE_S, Recorder
from tests.informer.reflector_doubles import Run, ScriptedStream, page

MANY = 10_000


def test_pl7_the_buffer_of_a_handler_that_hangs_has_no_bound() -> None:
    gate = threading.Event()
    recorder = Recorder(gate)
    listener = ProcessorListener(recorder, name="h", clock=VirtualClock())
    listener.start()
    for number in range(MANY):
        listener.add((ADD, make_object(f"a{number}"), None, False, False, 0.0, 0))
    assert listener.backlog() == MANY
    gate.set()
    calls = recorder.wait(MANY)
    assert [call[1].rpartition("/")[2] for call in calls] == [f"a{number}" for number in range(MANY)]
    listener.close()
    assert listener.join(PATIENCE_S)


class Interleaved(ProcessorListener):
    """A listener to which `other` adds in the very moment in which its empty buffer was looked at.

    Goes on once the other thread has looked whether this one waits.
    """

    _flag = False

    def __init__(self, recorder: Recorder) -> None:
        self.other: threading.Thread | None = None
        self.looked = threading.Event()
        super().__init__(recorder, name="h", clock=VirtualClock())
        listener = self

        class Buffer(deque[Any]):
            def __bool__(self) -> bool:
                filled = len(self) > 0
                if not filled and listener.other is None:
                    listener.other = threading.Thread(target=listener.add, args=(NOTIFICATION,), daemon=True)
                    listener.other.start()
                    assert listener.looked.wait(PATIENCE_S)
                return filled

        self._buffer = Buffer()
        self._append, self._take = self._buffer.append, self._buffer.popleft

    @property
    def _waiting(self) -> bool:
        flag = self._flag
        if threading.current_thread() is self.other:
            self.looked.set()
        return flag

    @_waiting.setter
    def _waiting(self, flag: bool) -> None:
        self._flag = flag


NOTIFICATION = (ADD, make_object("a"), None, False, False, 0.0, 0)


def test_a_notification_that_comes_while_the_thread_goes_to_sleep_wakes_it() -> None:
    recorder = Recorder()
    listener = Interleaved(recorder)
    listener.start()
    assert listener.looked.wait(PATIENCE_S)
    assert len(recorder.wait(1)) == 1
    listener.close()
    assert listener.join(PATIENCE_S)


@pytest.mark.parametrize("request_type", [fx.SendList, fx.OpenWatch, fx.ReadEvents])
def test_a_stop_between_the_decision_and_the_request_sends_nothing(request_type: Any) -> None:
    stream = ScriptedStream()
    run = Run([page(10, "a")], [stream], go=False)
    fulfil = run.reflector._fulfil[request_type]

    def stop_first(request: Any) -> Any:
        run.reflector.stop()
        return fulfil(request)

    run.reflector._fulfil[request_type] = stop_first
    run.reflector.run()
    expected = {fx.SendList: [], fx.OpenWatch: ["LIST"], fx.ReadEvents: ["LIST", "WATCH"]}
    assert run.server.verbs == expected[request_type]
    assert stream.reads == 0
