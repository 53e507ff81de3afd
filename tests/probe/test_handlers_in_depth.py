"""What the recorder makes of calls: per callback and minute, rates, ages, samples, slowest calls, paths, the gate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kdash.probe.advice import advise
from kdash.probe.snapshot import InformerView, Snapshot
from kdash.ui.glyphs import UNICODE
from kdash.ui.presenter.context import Context
from kdash.ui.presenter.handlers import handlers_lines, outlook
from kdash.ui.presenter.pipeline import pipeline_lines
from tests.probe.records import Tape


def text_of(row: Any) -> str:
    return "".join(text for text, _ in row)


OWN = ("app.py", 12, "resize", "time.sleep(1)", True)
LIBRARY = ("lib/socket.py", 300, "recv", "return self._sock.recv()", False)
OTHER = ("app.py", 30, "compute", "x = x * x", True)


def handler(tape: Tape) -> Any:
    return tape.snapshot().handlers[0]


def taped() -> Tape:
    tape = Tape()
    tape.handler("mine")
    return tape


def look(tape: Tape, window_s: float = 0.05, cpu_s: float | None = 0.0, callee: str = "") -> None:
    tape.emit("handler.look", listener="mine", window_s=window_s, cpu_s=cpu_s, queued_s=0.0, late_s=0.0, position=1,
              in_call=bool(callee), callee=callee)  # fmt: skip


def sample(tape: Tape, *frames: tuple, elapsed_s: float = 0.2, cpu_s: float | None = None) -> None:
    tape.emit("handler.sample", listener="mine", kind="update", key="default/web", frames=frames, elapsed_s=elapsed_s,
              cpu_s=cpu_s)  # fmt: skip


def test_calls_are_counted_per_callback() -> None:
    tape = taped()
    tape.call("mine", "add", run_s=0.001, wait_s=0.01)
    tape.call("mine", "update", run_s=0.1, wait_s=0.5)
    tape.call("mine", "update", run_s=0.1, wait_s=0.5)
    by_name = {each.callback: each for each in handler(tape).callbacks}
    assert set(by_name) == {"OnAdd", "OnUpdate"}
    assert by_name["OnUpdate"].run.count == 2 and by_name["OnAdd"].run.count == 1
    assert abs(by_name["OnUpdate"].run.p50_s - 0.1) < 0.002
    assert abs(by_name["OnUpdate"].wait.p99_s - 0.5) < 0.01
    for _ in range(61):
        tape.pass_time(1)
    late = {each.callback: each for each in handler(tape).callbacks}
    assert late["OnUpdate"].run_minute.count == 0 and late["OnUpdate"].run.count == 2


def distribute(tape: Tape, count: int, cause: int = 0) -> int:
    seq = 0
    for _ in range(count):
        seq = tape.emit("notify.distribute", kind="update", key="default/web", rv="1", is_sync=False,
                        delivered_to=("mine",), skipped=(), cause=cause)  # fmt: skip
    return seq


def test_rates_ages_and_the_end_of_the_backlog() -> None:
    tape = taped()
    tape.clock.advance(0.5)
    began = tape.clock.monotonic()
    for second in range(40):
        distribute(tape, 5)
        tape.call("mine", run_s=0.5, backlog=4 * (second + 1))
        tape.pass_time(1)
        assert handler(tape).drains == ("" if second < 30 else "never drains at this rate")
    picture = handler(tape)
    assert picture.arrival_rate == 5.0 and picture.service_rate == 1.0
    assert picture.growth_per_s > 0
    assert picture.drains == "never drains at this rate"
    assert picture.oldest_pending_at is not None and picture.oldest_pending_at >= began
    tape.call("mine", backlog=0)
    assert handler(tape).oldest_pending_at is None
    assert handler(tape).drains == ""


def test_samples_give_the_lines_their_share_and_the_running_call_its_stack() -> None:
    tape = taped()
    tape.emit("handler.start", listener="mine", kind="update", key="default/web", wait_s=0.25)
    for number in range(3):
        tape.clock.advance(0.05)
        look(tape, callee="self._sock.recv")
        sample(tape, OTHER, OWN, LIBRARY, elapsed_s=0.2 + 0.05 * number, cpu_s=0.0)
    tape.clock.advance(0.05)
    waits = handler(tape).running.doing
    look(tape, cpu_s=0.05)
    sample(tape, OTHER, elapsed_s=0.5, cpu_s=0.05)
    picture = handler(tape)
    assert [(line.frame.function, line.samples, line.share) for line in picture.hot_lines] == [
        ("resize", 3, 0.75), ("compute", 1, 0.25)]
    assert [line.doing for line in picture.hot_lines] == ["waits (I/O)", "computes"]
    running = picture.running
    assert (running.key, running.callback, running.samples, running.wait_s) == ("default/web", "OnUpdate", 4, 0.25)
    assert (waits, running.doing) == ("waits (I/O)", "waits (I/O) 75%, computes 25%")
    assert [frame.function for frame in running.stack] == ["compute"]
    tape.clock.advance(61)
    tape.recorder.tick()
    assert handler(tape).hot_lines == ()


def test_the_slowest_calls_know_what_they_did() -> None:
    tape = taped()
    for number in range(15):
        tape.emit("handler.start", listener="mine", kind="update", key=f"default/{number}")
        if number == 9:
            sample(tape, OTHER, OWN, LIBRARY)
        tape.emit("handler.cpu", listener="mine", kind="update", key=f"default/{number}", cpu_s=0.01,
                  run_s=number + 0.2)  # fmt: skip
        tape.call("mine", key=f"default/{number}", run_s=number + 0.2, wait_s=2.0)
    slowest = handler(tape).slowest
    assert len(slowest) == 10
    assert [call.key for call in slowest[:2]] == ["default/14", "default/13"]
    assert slowest[0].cpu_s == 0.01 and slowest[0].wait_s == 2.0 and slowest[0].doing == ""
    sampled = next(call for call in slowest if call.key == "default/9")
    assert sampled.doing == "app.py:12 in resize: time.sleep(1) (100% of 1 sample)"
    assert [frame.function for frame in sampled.stack] == ["compute", "resize", "recv"]
    assert handler(tape).cpu_share is not None and handler(tape).cpu_share < 0.01


def test_errors_keep_their_traceback_and_what_they_were_in() -> None:
    tape = taped()
    tape.emit("handler.error", listener="mine", kind="delete", key="default/web", error="AttributeError",
              message="no attribute\x07", frames=(OTHER, OWN), tombstone=True, in_initial_list=False)  # fmt: skip
    tape.call("mine", "delete", error="AttributeError", tombstone=True)
    tape.emit("handler.error", listener="mine", kind="add", key="default/x", error="KeyError", message="'a'",
              frames=(), tombstone=False, in_initial_list=True)  # fmt: skip
    tape.call("mine", "add", key="default/x", error="KeyError", in_initial_list=True)
    picture = handler(tape)
    assert picture.errors == 2
    assert (picture.tombstone_errors, picture.initial_errors) == (1, 1)
    assert picture.last_error == "OnAdd default/x: KeyError: 'a'"
    assert picture.traceback == ("KeyError: 'a'",)


def test_a_limit_of_its_own_decides_what_is_slow() -> None:
    tape = taped()
    tape.recorder.describe_handler("pods", "mine", "app:f", 2.0)
    tape.call("mine", run_s=1.0)
    picture = handler(tape)
    assert (picture.code, picture.slow_limit_s, picture.slow, picture.slowest) == ("app:f", 2.0, False, ())


def test_the_way_of_an_event_from_the_byte_to_the_return() -> None:
    tape = taped()
    tape.synced()
    watch = tape.emit("watch.event", type="MODIFIED", key="default/web", rv="7", bytes=100)
    tape.clock.advance(0.01)
    queued = tape.emit("queue.enqueued", key="default/web", type="Updated", rv="7", cause=watch)
    tape.clock.advance(0.02)
    tape.emit("queue.popped", key="default/web", keys=1, deltas=1, cause=queued)
    stored = tape.emit("store.mutation", op="update", key="default/web", delta_type="Updated", cause=queued)
    told = tape.emit("notify.distribute", kind="update", key="default/web", rv="7", is_sync=False,
                     delivered_to=("mine",), skipped=("other",), cause=stored)  # fmt: skip
    tape.clock.advance(0.5)
    tape.emit("handler.start", listener="mine", kind="update", key="default/web", wait_s=0.5, cause=told)
    tape.clock.advance(1.0)
    tape.call("mine", wait_s=0.5, run_s=1.0, cause=told)
    path = tape.recorder.paths.of(stored)
    assert path is not None
    assert [mark.stage for mark in path.marks()] == ["api", "queue", "pop", "cache", "notify", "mine"]
    assert [(each.handler, each.state, each.run_s) for each in path.passes()] == [
        ("mine", "done", 1.0), ("other", "skipped", None)]
    assert abs(handler(tape).end_to_end.p50_s - 1.53) < 0.02


def test_the_gate_counts_what_arrives_and_what_is_stepped() -> None:
    tape = taped()
    assert not tape.snapshot().gate.held
    tape.emit("gate", what="hold", stage="all", name="")
    tape.emit("watch.event", type="MODIFIED", key="default/web", rv="7")
    queued = tape.emit("queue.enqueued", key="default/web", type="Updated", depth_keys=1, depth_deltas=1, cause=0)
    gate = tape.snapshot().gate
    assert (gate.held, gate.stage, gate.arrived, gate.waiting_entries, gate.steps) == (True, "all", 1, 1, 0)
    tape.emit("gate", what="step", stage="queue", name="")
    tape.emit("queue.popped", key="default/web", keys=1, deltas=1, cause=queued)
    gate = tape.snapshot().gate
    assert (gate.steps, gate.last_step, gate.waiting_entries) == (1, "queue: default/web", 0)
    tape.emit("gate", what="step", stage="handler", name="mine")
    tape.emit("handler.start", listener="mine", kind="update", key="default/web")
    assert tape.snapshot().gate.last_step == "handler mine: default/web OnUpdate"
    tape.emit("gate", what="release", stage="all", name="")
    assert not tape.snapshot().gate.held


def test_a_handler_that_is_slow_by_design_is_named_so_and_its_advice_points_at_no_line() -> None:
    tape = taped()
    tape.recorder.describe_handler("pods", "mine", "sleeps 100ms to 340ms by design", None)
    tape.emit("handler.start", listener="mine", kind="update", key="default/web")
    sample(tape, ("lib/threading.py", 331, "wait", "gotit = waiter.acquire(True, timeout)", False))
    tape.call("mine", run_s=0.3)
    for _ in range(40):
        distribute(tape, 8)
        tape.pass_time(1)
    picture = handler(tape)
    assert picture.by_design and picture.code == "sleeps 100ms to 340ms by design"
    todo = [each.todo for each in advise(tape.snapshot()) if each.subject == "handler mine of pods"]
    assert todo and all("sleeps 100ms to 340ms by design" in each and "threading.py" not in each for each in todo)


def test_a_backlog_is_called_behind_and_the_timer_is_named_once() -> None:
    tape = taped()
    distribute(tape, 11)
    assert tape.snapshot().pipeline.held_by == "handler mine is behind: 11 pending"
    tape.emit("resync.timer_armed", period_s=10.0, due_at=10.0, why="")
    assert "RESYNC timer  started, every 10s" in tape.texts()


def test_a_busy_handler_is_worth_a_look_though_each_call_is_short() -> None:
    tape = taped()
    for _ in range(3):
        for _ in range(100):
            tape.call("mine", run_s=0.0095)
        tape.pass_time(1)
    topic = tape.recorder.handlers
    assert topic.worth_a_look(tape.clock.monotonic()) == [("pods", "mine")]
    look(tape, window_s=0.004, cpu_s=0.004)
    sample(tape, OTHER, elapsed_s=0.004, cpu_s=0.004)
    picture = handler(tape)
    assert not picture.slow and [line.doing for line in picture.hot_lines] == ["computes"]
    for _ in range(12):
        tape.pass_time(1)
    assert topic.worth_a_look(tape.clock.monotonic()) == []


def test_samples_of_an_older_recording_without_looks_are_never_called_waiting() -> None:
    tape = taped()
    tape.emit("handler.start", listener="mine", kind="update", key="default/web")
    tape.clock.advance(0.2)
    sample(tape, OWN, elapsed_s=0.2, cpu_s=0.0)
    assert handler(tape).hot_lines[0].doing == "not computing; cannot be told which"


def test_a_call_that_never_returns_is_called_a_hang_everywhere() -> None:
    tape = taped()
    tape.call("mine", run_s=0.0001)
    tape.emit("handler.start", listener="mine", kind="update", key="default/web")
    tape.clock.advance(0.2)
    look(tape, window_s=0.2, callee="self._sock.recv")
    sample(tape, OTHER, OWN, LIBRARY, elapsed_s=0.2)
    tape.pass_time(9)
    assert handler(tape).hung_s == 0.0
    for _ in range(40):
        distribute(tape, 5)
        tape.pass_time(1)
    picture = tape.snapshot()
    assert 49 <= picture.handlers[0].hung_s <= 50
    (advice,) = [each for each in advise(picture) if each.subject == "handler mine of pods"]
    assert advice.rule == "hangs"
    assert "OnUpdate default/web has run for 49s, at app.py:12 in resize: time.sleep(1)" in advice.figures
    lines = [text for text in tape.texts() if "hangs" in text]
    assert len(lines) == 1 and lines[0].startswith("ERROR mine OnUpdate")
    assert "default/web" in lines[0] and "app.py:12" in lines[0] and "has not returned for 10s" in lines[0]
    context = Context(picture, UNICODE, 120, 8)
    pane, pipeline = ("\n".join(map(text_of, rows)) for rows in (handlers_lines(context), pipeline_lines(context)))
    assert "mine hangs: OnUpdate default/web has not returned for 49s at app.py:12" in pane and ">49s" in pane
    assert "HANG" in pipeline and ">49s" in pipeline and "keeps up" not in pane
    tape.call("mine", run_s=50.0)
    assert handler(tape).hung_s == 0.0


def said(tape: Tape) -> str:
    return outlook(handler(tape))[0]


def test_one_sentence_a_handler_over_half_a_minute_which_does_not_flip() -> None:
    tape = taped()
    for second in range(120):
        tape.call("mine", backlog=200 + (second % 2) * 5)
        tape.pass_time(1)
        if second < 29:
            assert "too early" in outlook(handler(tape))[1] and "never" not in said(tape)
        elif second > 31:
            assert said(tape).startswith("has a steady backlog")
    for second in range(60):
        tape.call("mine", backlog=200 + 10 * second)
        tape.pass_time(1)
        advised = [each for each in advise(tape.snapshot()) if each.rule == "never-drains"]
        assert not advised or said(tape).startswith("falls behind")
    assert said(tape) == "falls behind: +10.0/s over 60s, 790 waiting; never drains at this rate"


def test_a_backlog_of_one_keeps_up_and_nothing_is_said_of_what_kdash_holds() -> None:
    tape = taped()
    for _ in range(60):
        tape.call("mine", backlog=1)
        tape.pass_time(1)
    assert said(tape) == "keeps up: at most 1 waiting over 59s" and handler(tape).drains == ""
    tape.emit("gate", what="hold", stage="all", name="")
    for _ in range(60):
        distribute(tape, 10)
        tape.pass_time(1)
    assert said(tape) == "is held by kdash: 601 waiting" and handler(tape).drains == ""
    tape.emit("gate", what="release", stage="all", name="")
    tape.pass_time(1)
    assert "too early" in outlook(handler(tape))[1]


def test_a_handler_that_gets_slower_is_named_with_its_first_minute_its_last_and_the_objects() -> None:
    tape = taped()
    for second in range(300):
        for _ in range(5):
            tape.call("mine", run_s=0.0001 + 0.0033 * second / 300)
        tape.pass_time(1)
        if second == 100:
            assert not [each for each in advise(tape.snapshot()) if each.rule == "gets-slower"]
    (advice,) = [each for each in advise(tape.snapshot()) if each.rule == "gets-slower"]
    assert advice.subject == "handler mine of pods" and advice.title == "OnUpdate gets slower with time"
    assert "0.4ms (p50) in its first minute, 3.1ms in the last" in advice.figures
    assert "the cache held 0 objects then and holds 0 now" in advice.figures
    assert "never emptied" in advice.todo
    (callback,) = handler(tape).callbacks
    cache = Snapshot(
        informers=(InformerView("pods", objects=5000),),
        handlers=(replace(handler(tape), callbacks=(replace(callback, objects_first=100),)),),
    )
    (advice,) = [each for each in advise(cache) if each.rule == "gets-slower"]
    assert "100 objects then and holds 5000 now" in advice.figures and "grows with the cache" in advice.todo
