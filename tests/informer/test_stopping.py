"""Stopping from a callback, callbacks that raise, and `crash_through`: nothing waits for itself, nothing gets lost."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdash.informer.factory import SharedInformerFactory
from kdash.informer.handlers import ResourceEventHandlerFuncs
from kdash.informer.list_watch import CancelToken
from kdash.informer.plain_informer import new_informer
from kdash.informer.resources import ResourceInfo
from tests.informer.fake_source import FakeSource
from tests.informer.informer_rig import CONFIG_MAPS, ENGINES, PATIENCE_S, Rig, settle


def ends(work: Callable[[], object]) -> bool:
    """Whether `work` returns; a thread that waits for itself would not."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return not thread.is_alive()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("objects", [0, 3])
def test_on_done_may_stop_the_informer(engine: str, objects: int) -> None:
    rig, stop = Rig(engine), CancelToken()
    for number in range(objects):
        rig.source.add(f"a{number}")
    rig.informer.on_done(stop.cancel)
    assert ends(lambda: rig.informer.run(stop))
    assert stop.cancelled and rig.informer.is_stopped()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_handler_of_a_plain_informer_may_stop_it(engine: str) -> None:
    source, stop = FakeSource(), CancelToken()
    source.add("a")
    seen: list[str] = []

    def on_add(obj: Any) -> None:
        seen.append(obj.name)
        stop.cancel()

    _, controller = new_informer(source, ResourceEventHandlerFuncs(on_add=on_add), resource=CONFIG_MAPS, queue=engine)
    assert ends(lambda: controller.run(stop))
    assert seen == ["a"]


@pytest.mark.parametrize("how", ["handler", "on_done"])
def test_stop_and_join_from_the_informers_own_threads_wait_for_nothing(how: str) -> None:
    rig, answers, answered = Rig(), [], threading.Event()
    rig.source.add("a")

    def stop(*_: object) -> None:
        answers.append(rig.informer.stop())
        answered.set()

    if how == "handler":
        rig.informer.add_event_handler(on_add=stop)
    else:
        rig.informer.on_done(stop)
    rig.informer.start()
    assert answered.wait(PATIENCE_S) and answers == [False]
    assert rig.informer.join(PATIENCE_S)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_on_done_that_raises_is_logged_and_breaks_nothing(engine: str, caplog: pytest.LogCaptureFixture) -> None:
    rig, told = Rig(engine), []
    rig.source.add("a")

    def raises() -> None:
        raise ValueError("not me")

    rig.informer.on_done(raises)
    rig.informer.on_done(lambda: told.append("second"))
    registration = rig.informer.add_event_handler(on_add=lambda obj: None)
    with caplog.at_level(logging.ERROR, "kdash"):
        rig.start()
    try:
        settle(registration.has_synced)
        assert told == ["second"] and rig.informer.has_synced() and rig.keys() == ["default/a"]
        rig.informer.on_done(raises)  # it has synced: called at once, and logged
        assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ValueError] * 2
    finally:
        rig.stop()


def test_a_cancel_callback_that_raises_leaves_the_others_alone() -> None:
    stop, told = CancelToken(), []
    stop.on_cancel(lambda: 1 // 0)
    stop.on_cancel(lambda: told.append(1))
    stop.cancel()
    assert told == [1]


# a handler that raises -------------------------------------------------------------------------------------


def boom(obj: Any) -> None:
    raise LookupError(f"no room for {obj.name}")


def test_a_handler_that_raises_is_logged_with_its_name_and_the_key(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.source.add("a")
    rig.informer.add_event_handler(on_add=boom, name="audit")
    rig.start()
    try:
        settle(lambda: bool(caplog.records))
        (record,) = caplog.records
        assert record.levelno == logging.ERROR and record.exc_info is not None
        assert record.getMessage() == (
            "handler audit raised in its add callback for default/a; that notification is skipped"
        )
    finally:
        rig.stop()


RAISES = """
import threading
from kdash.informer import SharedIndexInformer
from tests.informer.fake_source import FakeSource

source, called = FakeSource(), threading.Event()
source.add("a")
informer = SharedIndexInformer(source)
audit = informer.add_event_handler(on_add=lambda obj: called.set() or 1 // 0, name="audit")
informer.start()
assert called.wait(20)
audit.remove()
audit.join(20)
informer.stop(20)
"""


def test_a_program_without_logging_set_up_sees_what_a_handler_raised() -> None:
    """Python's last-resort handler shows it: nothing on the logger swallows it."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", RAISES]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=60)
    assert "handler audit raised in its add callback for default/a" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_crash_through_ends_run_with_the_exception() -> None:
    rig, raised = Rig(crash_through=True), []
    rig.source.add("a")
    rig.informer.add_event_handler(on_add=boom)
    others: list[str] = []
    rig.informer.add_event_handler(on_add=lambda obj: others.append(obj.name))

    def run() -> None:
        with pytest.raises(LookupError) as caught:
            rig.informer.run(CancelToken())
        raised.append(str(caught.value))

    assert ends(run)
    assert raised == ["no room for a"] and rig.informer.is_stopped()


def test_crash_through_comes_out_of_join_and_stop() -> None:
    rig = Rig(crash_through=True)
    rig.source.add("a")
    rig.informer.add_event_handler(on_add=boom)
    rig.informer.start()
    with pytest.raises(LookupError, match="no room for a"):
        rig.informer.join(PATIENCE_S)
    with pytest.raises(LookupError, match="no room for a"):
        rig.informer.stop(PATIENCE_S)


class OneSource:
    """A client whose resources all come from one source."""

    def __init__(self, source: FakeSource) -> None:
        self.source = source

    def lister_watcher(self, resource: ResourceInfo, namespace: str, *, metadata_only: bool = False) -> FakeSource:
        return self.source

    def resolve(self, name: str) -> ResourceInfo:
        return CONFIG_MAPS


def a_factory(**options: Any) -> SharedInformerFactory:
    source = FakeSource()
    source.add("a")
    return SharedInformerFactory(OneSource(source), **options)  # type: ignore[arg-type]


def test_crash_through_comes_out_of_the_factorys_exit() -> None:
    with pytest.raises(LookupError, match="no room for a"), a_factory(crash_through=True) as factory:
        informer = factory.informer_for(CONFIG_MAPS)
        informer.add_event_handler(on_add=boom)
        factory.start()
        settle(informer.is_stopped)
    with pytest.raises(KeyError, match="mine"), a_factory(crash_through=True) as factory:
        informer = factory.informer_for(CONFIG_MAPS)
        informer.add_event_handler(on_add=boom)
        factory.start()
        settle(informer.is_stopped)
        raise KeyError("mine")  # what the block raises is not covered up


# contracts of the factory ----------------------------------------------------------------------------------


def test_waiting_for_the_caches_of_a_factory_that_was_not_started_is_refused() -> None:
    factory = a_factory()
    informer = factory.informer_for(CONFIG_MAPS)
    with pytest.raises(Exception, match=r"no informer was started: call start\(\) before wait_for_cache_sync\(\)"):
        factory.wait_for_cache_sync(1.0)
    factory.start()
    assert factory.wait_for_cache_sync(PATIENCE_S) == {informer.name: True}
    assert factory.shutdown(PATIENCE_S)


def test_a_lister_asked_for_after_the_start_says_that_its_informer_is_not_started() -> None:
    factory = a_factory()
    early = factory.for_resource(CONFIG_MAPS).lister()
    assert early.list() == []  # as client-go's: nothing yet
    factory.start()
    assert factory.wait_for_cache_sync(PATIENCE_S)
    late_resource = ResourceInfo("", "v1", "secrets", "Secret", True)
    late = factory.for_resource(late_resource).lister()
    for read in (late.list, lambda: late.get("a"), late.by_namespace("default").list,
                 lambda: late.by_namespace("default").get("a")):
        with pytest.raises(Exception, match=r"the informer of secrets is not started.*call start\(\) again"):
            read()
    factory.start()
    assert late.list() is not None and [obj.name for obj in early.list()] == ["a"]
    assert factory.shutdown(PATIENCE_S)
