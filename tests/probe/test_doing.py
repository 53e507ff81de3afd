"""Computing, waiting and wanting are told apart by evidence: recorded series of looks, no thread, no clock."""

from __future__ import annotations

import pytest

from kdash.probe.doing import UNKNOWN, Look, doing

MS = 0.001


def series(
    count: int = 20, cpu: float = 0.0, queued: float | None = 0.0, late_s: float | None = 0.0, moves: bool = False,
    in_call: bool = True, callee: str = "",
) -> list[Look]:
    """`cpu` and `queued` are shares of windows of 50 ms."""
    return [
        Look(50 * MS, cpu * 50 * MS, None if queued is None else queued * 50 * MS, late_s, at if moves else 7, in_call,
             callee)
        for at in range(count)
    ]  # fmt: skip


# as measured: two busy loops in one interpreter, 1.8 s of CPU, 0.13 s in the run queue and 1.7 s in a futex each
TWO_BUSY_LOOPS = series(cpu=0.5, queued=0.035, late_s=5 * MS, moves=True, in_call=False)


def test_a_busy_loop_beside_another_is_never_called_waiting() -> None:
    words = doing(TWO_BUSY_LOOPS)
    assert words == "computes 50%, wants the interpreter 46%"


def test_a_busy_loop_that_gets_next_to_no_interpreter_wants_it() -> None:
    assert doing(series(cpu=0.02, late_s=30 * MS, moves=True, in_call=False)) == "wants the interpreter"


def test_a_busy_loop_on_a_machine_without_a_free_cpu_wants_the_cpu() -> None:
    assert doing(series(cpu=0.1, queued=0.9, moves=True, in_call=False)) == "wants the CPU"


def test_a_busy_loop_alone_computes() -> None:
    assert doing(series(cpu=0.98, moves=True, in_call=False, late_s=5 * MS)) == "computes"


@pytest.mark.parametrize(
    ("callee", "words"),
    [("time.sleep", "waits (sleep)"), ("sleep", "waits (sleep)"), ("lock.acquire", "waits (lock)"),
     ("with", "waits (lock)"), ("self._sock.recv_into", "waits (I/O)"), ("driver.execute", "waits"), ("", "waits")],
)  # fmt: skip
@pytest.mark.parametrize("late_s", [0.0, 5 * MS])
def test_a_wait_is_called_so_and_which_when_the_call_tells_also_beside_busy_threads(
    callee: str, words: str, late_s: float
) -> None:
    assert doing(series(callee=callee, late_s=late_s)) == words


def test_without_evidence_it_is_not_computing_and_never_waits() -> None:
    no_schedstat = series(queued=None, late_s=None, callee="time.sleep")
    assert doing(no_schedstat) == UNKNOWN
    moving_in_calls_while_others_compute = series(cpu=0.1, late_s=5 * MS, moves=True, callee="digest")
    assert doing(moving_in_calls_while_others_compute) == UNKNOWN
    first_and_short = [Look(5 * MS, 0.0, 0.0, 5 * MS, 7, True, "lock.acquire")]
    assert doing(first_and_short) == UNKNOWN
    stands_outside_a_call = series(cpu=0.0, late_s=5 * MS, in_call=False)
    assert doing(stands_outside_a_call) == UNKNOWN


def test_without_a_cpu_clock_nothing_is_said() -> None:
    assert doing([Look(0.05, None, 0.0, 0.0, 7, True, "time.sleep")] * 5) == ""
    assert doing([]) == ""
