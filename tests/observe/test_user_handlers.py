"""The user's own handlers: what may be named, what is refused with one sentence, and that they cannot harm kdash."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdash.informer.handlers import ResourceEventHandlerFuncs
from kdash.informer.objects import KubeObject
from kdash.observe.handlers import HandlerSpec, parse_handler
from kdash.observe.parse import BadValue
from kdash.observe.thread_clocks import RunQueueClock
from kdash.observe.user_code import UserCode
from kdash.observe.watched_handler import StackSampler, WatchedHandler
from tests.informer.fake_source import FakeSource
from tests.observe.fake_cluster import FakeClient, observing, shows, synced

released = threading.Event()
"""What the hanging handler waits for; set when its test is over."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with modules of its own."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)


# the option ----------------------------------------------------------------------------------------------


def test_a_handler_is_named_with_module_callable_period_and_limit() -> None:
    spec = parse_handler("mine=package.module:Class.method,resync=30s,slow=100ms")
    assert spec == HandlerSpec("mine", period_s=30.0, code="package.module:Class.method", slow_limit_s=0.1)
    assert parse_handler("audit,resync=5s") == HandlerSpec("audit", period_s=5.0)
    assert parse_handler("a=sleep:300ms,slow=1s") == HandlerSpec("a", 0.3, slow_limit_s=1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x=a.b", "package.module:callable"),
        ("x=a b:c", "is no work"),
        ("x,foo=1s", "is no setting"),
        ("x=a:b,resync=5", "has no unit"),
        ("x=a:b,slow=-1s", "negative"),
        ("=a:b", "no handler name"),
    ],
)
def test_a_wrong_option_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(BadValue, match=words) as failure:
        parse_handler(text)
    assert "\n" not in str(failure.value)


# loading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def on_pod(a, b): ...", "must take 1 argument"),
        ("async def on_pod(event): ...", "async"),
        ("on_pod = 7", "is a int"),
        ("other = 7", "has no on_pod"),
        ("class on_pod:\n    def __init__(self, x): ...\n    def on_add(self, obj): ...", "without arguments"),
        ("class on_pod:\n    def on_update(self, new): ...", "must take (old, new)"),
        ("class on_pod:\n    def __init__(self): raise SystemExit(3)\n    def on_add(self, obj): ...", "SystemExit"),
        ("import sys; sys.exit(4)", "py line 1)"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def x(:", "SyntaxError"),
        ("import not_there_at_all", "No module named"),
        ("raise GeneratorExit", "GeneratorExit"),
    ],
)
def test_code_that_makes_no_handler_is_refused_with_one_sentence(folder: Path, text: str, words: str) -> None:
    name = f"wrong_{sum(text.encode())}"
    write(folder, name, text + "\n")
    with pytest.raises(BadValue) as failure:
        UserCode(f"{name}:on_pod")
    sentence = str(failure.value)
    assert "\n" not in sentence
    assert words in sentence


def test_ctrl_c_during_the_import_is_an_interrupt(folder: Path) -> None:
    write(folder, "interrupted", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        UserCode("interrupted:f")


def test_a_module_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(BadValue, match="there is no module nowhere_here"):
        UserCode("nowhere_here.sub:f")


def test_the_working_directory_comes_behind_everything_that_is_installed(folder: Path) -> None:
    for name in ("handling", "beside"):
        write(folder, name, "import beside, json\ndef on_pod(event): ...\n" if name == "handling" else "")
    write(folder, "json", "raise SystemExit('not the one of Python')\n")
    write(folder, "sched", "def on_pod(event): ...\n")  # a module of Python that nobody has imported yet
    for front in ("", str(folder)):
        sys.path.insert(0, front)
    UserCode("handling:on_pod").reload()
    assert sys.path[-1] == str(folder) and "" not in sys.path and sys.path.count(str(folder)) == 1
    assert str(folder) in str(sys.modules["beside"].__file__)
    with pytest.raises(BadValue, match="sched has no on_pod: sched is an installed module; rename the one in"):
        UserCode("sched:on_pod")


FORMS = """
got = []

def on_event(event):
    got.append(("function", event.type, event.key))

class Watcher:
    def on_add(self, obj):
        got.append(("class", "add", obj.key))
    def on_delete(self, obj):
        got.append(("class", "delete", obj.key))

class _Thing:
    def on_add(self, obj, is_in_initial_list):
        got.append(("object", is_in_initial_list, obj.key))

thing = _Thing()
"""


def test_functions_objects_and_classes_are_called(folder: Path) -> None:
    write(folder, "forms", FORMS)
    source = FakeSource()
    source.add("a")
    handlers = tuple(parse_handler(f"{name}=forms:{what}") for name, what in
                     (("f", "on_event"), ("c", "Watcher"), ("o", "thing")))  # fmt: skip
    with observing(FakeClient(source), handlers=handlers) as observation:
        shows(observation, synced)
        source.modify("a", data={"x": "1"})
        source.delete("a")
        picture = shows(observation, lambda p: all(h.deletes == 1 for h in p.handlers))
        assert [handler.code for handler in picture.handlers] == ["forms:on_event", "forms:Watcher", "forms:thing"]
    got = sys.modules["forms"].got
    key = "default/a"
    assert [entry for entry in got if entry[0] == "function"] == [
        ("function", "add", key), ("function", "update", key), ("function", "delete", key)]
    assert [entry for entry in got if entry[0] == "class"] == [("class", "add", key), ("class", "delete", key)]
    assert [entry for entry in got if entry[0] == "object"] == [("object", True, key)]


# errors, hangs -------------------------------------------------------------------------------------------

RAISES = """
def deep(key):
    raise {error}

def on_event(event):
    if event.key.endswith("bad"):
        deep(event.key)
"""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("ValueError('no\\x1b[31m good')", "ValueError: no\ufffd[31m good"),
        ("SystemExit(3)", "SystemExit: 3"),
        ("KeyboardInterrupt()", "KeyboardInterrupt"),
        ("GeneratorExit()", "GeneratorExit"),
        ("RecursionError('deep')", "RecursionError: deep"),
        ("BaseException('b')", "BaseException: b"),
        ("type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()", "Odd: (its text cannot be made"),
        ("type('Base', (BaseException,), {'__str__': lambda self: exit(3)})()", "Base: (its text cannot be made"),
    ],
)
def test_whatever_a_handler_raises_is_counted_shown_and_followed_by_the_next(
    folder: Path, error: str, words: str
) -> None:
    name = f"raises_{sum(error.encode())}"
    write(folder, name, RAISES.format(error=error))
    source = FakeSource()
    handlers = (HandlerSpec("audit"), parse_handler(f"mine={name}:on_event"))
    with observing(FakeClient(source), handlers=handlers) as observation:
        shows(observation, synced)
        source.add("bad")
        source.add("good")
        picture = shows(observation, lambda p: p.handlers[1].calls == 2)  # the next one, after client-go's second
        mine = picture.handlers[1]
        assert mine.errors == 1
        assert mine.last_error_key == "default/bad"
        assert words in mine.last_error
        assert [line.partition(": ")[0] for line in mine.traceback[:2]] == [
            f"{name}.py:7 in on_event", f"{name}.py:3 in deep"]
        assert words in mine.traceback[-1]
        assert len(mine.traceback) == 3
        assert picture.handlers[0].errors == 0


def test_a_handler_that_never_returns_is_shown_with_its_line_and_does_not_hold_up_the_end(folder: Path) -> None:
    write(folder, "hangs", "from tests.observe.test_user_handlers import released\n\ndef on_event(event):\n"
                           "    released.wait()\n")  # fmt: skip
    source = FakeSource()
    source.add("a")
    handlers = (HandlerSpec("audit"), parse_handler("mine=hangs:on_event,slow=20ms"))
    released.clear()
    try:
        with observing(FakeClient(source), handlers=handlers) as observation:
            picture = shows(observation, lambda p: len(p.handlers) == 2 and p.handlers[1].hot_lines)
            mine, audit = picture.handlers[1], picture.handlers[0]
            assert audit.calls == 1
            line = mine.hot_lines[0]
            frame = line.frame
            assert (frame.file, frame.line, frame.function, line.share) == ("hangs.py", 4, "on_event", 1.0)
            assert line.frame.text == "released.wait()"
            assert mine.running is not None and mine.running.key == "default/a"
            assert mine.running.callback == "OnAdd"
            began = time.monotonic()
            observation.stop(1.0)
            assert time.monotonic() - began < 1.5
    finally:
        released.set()


# reload --------------------------------------------------------------------------------------------------


def test_reload_runs_the_new_code_and_the_handler_joins_again(folder: Path) -> None:
    write(folder, "helper_of_it", "WORD = 'old'\n")
    write(folder, "again", "import helper_of_it\ngot = []\ndef on_event(event):\n    got.append(helper_of_it.WORD)\n")
    source = FakeSource()
    source.add("a")
    source.add("b")
    with observing(FakeClient(source), handlers=(parse_handler("mine=again:on_event"),)) as observation:
        shows(observation, synced)
        assert sys.modules["again"].got == ["old", "old"]
        write(folder, "helper_of_it", "WORD = 'new'\n")
        before = len(source.requests)
        observation.reload_handler("mine")
        shows(observation, lambda p: sys.modules["again"].got == ["new", "new"])
        shows(observation, lambda p: [h.adds for h in p.handlers] == [2])
        assert len(source.requests) == before


def test_a_reload_that_fails_keeps_the_old_code(folder: Path) -> None:
    write(folder, "fails_later", "got = []\ndef on_event(event):\n    got.append(event.key)\n")
    source = FakeSource()
    with observing(FakeClient(source), handlers=(parse_handler("mine=fails_later:on_event"),)) as observation:
        shows(observation, synced)
        write(folder, "fails_later", "def on_event(:\n")
        observation.reload_handler("mine")
        shows(observation, lambda p: any("SyntaxError" in text for text in _log(observation)))
        source.add("a")
        shows(observation, lambda p: p.handlers[0].adds == 1)
        assert sys.modules["fails_later"].got == ["default/a"]


def _log(observation) -> list[str]:
    log = observation.events
    return [line.text for line in log.lines(0, log.total)]


def test_only_handlers_of_the_users_own_are_loaded_anew() -> None:
    with observing(FakeClient(FakeSource()), handlers=(HandlerSpec("audit"),)) as observation:
        shows(observation, synced)
        assert "no handler of your own" in observation.reload_handler("audit").text
        assert not observation.reload_handler("none\x1b[1m").ok
        assert "\x1b" not in observation.reload_handler("none\x1b[1m").text


# CPU or waiting ------------------------------------------------------------------------------------------

WORKS = """
import time
def on_event(event):
    if event.key.endswith("sleeps"):
        time.sleep(0.3)
    elif event.key.endswith("computes"):
        until = time.thread_time() + 0.3
        while time.thread_time() < until:
            pass
"""


def test_computing_and_waiting_are_told_apart(folder: Path) -> None:
    write(folder, "works", WORKS)
    source = FakeSource()
    with observing(FakeClient(source), handlers=(parse_handler("mine=works:on_event,slow=50ms"),)) as observation:
        shows(observation, synced)
        source.add("sleeps")
        source.add("computes")
        picture = shows(observation, lambda p: len(p.handlers[0].slowest) == 2)
        calls = {call.key.rpartition("/")[2]: call for call in picture.handlers[0].slowest}
        sleeps, computes = calls["sleeps"], calls["computes"]
        assert sleeps.cpu_s is not None and sleeps.cpu_s < 0.5 * sleeps.run_s
        assert computes.cpu_s is not None and computes.cpu_s >= 0.3
        assert all(line.doing for line in picture.handlers[0].hot_lines)
        assert "waits" not in computes.doing
        assert "waits (sleep)" in sleeps.doing or not RunQueueClock.of_this_thread()
        assert "time.sleep(0.3)" in sleeps.doing
        assert "works.py" in computes.doing
        assert sleeps.stack and sleeps.stack[-1].function == "on_event"


CALLS_KDASH = """
import threading
from kdash.informer.clock import SystemClock
def on_event(event):
    condition = threading.Condition()
    with condition:
        SystemClock().wait(condition, 0.3)
"""


def test_a_call_into_kdash_is_found_at_the_users_line(folder: Path) -> None:
    write(folder, "calls_kdash", CALLS_KDASH)
    source = FakeSource()
    with observing(FakeClient(source), handlers=(parse_handler("mine=calls_kdash:on_event,slow=50ms"),)) as observation:
        shows(observation, synced)
        source.add("a")
        picture = shows(observation, lambda p: p.handlers[0].hot_lines)
        frame = picture.handlers[0].hot_lines[0].frame
        assert (frame.file, frame.line, frame.text) == ("calls_kdash.py", 7, "SystemClock().wait(condition, 0.3)")


class ListTap:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def emit(self, *record: Any) -> int:
        self.told.append(record)
        return len(self.told)


def test_a_look_covers_the_call_so_far_or_the_time_since_the_look_before_it() -> None:
    tap, inside, go_on = ListTap(), threading.Event(), threading.Event()
    sampler = StackSampler(tap)  # type: ignore[arg-type]

    def wait_here(obj: Any) -> None:
        inside.set()
        go_on.wait(20.0)

    handler = WatchedHandler(
        ResourceEventHandlerFuncs(on_delete=wait_here), "mine", "pods", tap, sampler,  # type: ignore[arg-type]
    )
    obj = KubeObject.from_dict({"kind": "Pod", "metadata": {"name": "a"}})
    thread = threading.Thread(target=handler.on_delete, args=(obj,))
    thread.start()
    try:
        assert inside.wait(20.0)
        sampler.sample([("pods", "mine"), ("pods", "unknown")])
        sampler.sample([("pods", "mine")])
    finally:
        go_on.set()
        thread.join()
    sampler.sample([("pods", "mine")])  # between two calls
    first, second = [record for record in tap.told if record[0] == "handler.look"]
    assert [each[-1] for each in (first, second)] == ["waiter.acquire"] * 2
    assert first[-3] == second[-3] and first[-2] is second[-2] is True
    assert 0.0 <= first[4] < 1.0 and 0.0 <= second[4] < first[3] + 1.0
    elapsed_s = [record[6] for record in tap.told if record[0] == "handler.sample"]
    assert elapsed_s[0] == first[3] and elapsed_s[1] == pytest.approx(first[3] + second[3])
