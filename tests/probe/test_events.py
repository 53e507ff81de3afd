"""The event log: numbering, the ring, folding of repeats, filters."""

from __future__ import annotations

import pickle
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from kdash.probe.events import BLOCK, EventLog
from kdash.probe.filters import line_filter


def watch(log: EventLog, count: int, key: str = "default/web", version: int = 100) -> int:
    return log.extend_watch(
        [float(i) for i in range(count)], ["pods"] * count, ["MODIFIED"] * count,
        [f"{key}-{i}" for i in range(count)], [str(version + i) for i in range(count)], ["99"] * count,
    )  # fmt: skip


def numbers(log: EventLog, text: str, **bounds: int) -> list[int]:
    test = line_filter(text)
    assert test is not None
    return list(log.scan(test, **bounds))


def test_a_watch_line_is_worded_from_its_columns() -> None:
    log = EventLog(wall_offset_s=1000.0)
    watch(log, 1)
    line = log.line(0)
    assert line is not None
    assert (line.category, line.verb, line.key) == ("WATCH", "MODIFIED", "default/web-0")
    assert line.detail == "rv 99→100"
    assert line.wall == 1000.0


def test_what_became_of_an_event_is_added_to_its_line() -> None:
    log = EventLog()
    watch(log, 1)
    log.annotate(0, "queue", "0.2ms")
    log.annotate(0, "slow", "pend 3")
    log.annotate(0, "slow", "812ms")
    line = log.line(0)
    assert line is not None and line.detail == "rv 99→100  queue 0.2ms  slow 812ms"
    assert log.changed == 3


def test_the_ring_drops_whole_blocks_and_keeps_numbers() -> None:
    log = EventLog(size=BLOCK)
    watch(log, 3 * BLOCK + 7)
    assert log.total == 3 * BLOCK + 7
    assert log.first == 2 * BLOCK
    assert log.line(log.first - 1) is None
    line = log.line(log.total - 1)
    assert line is not None and line.key == f"default/web-{3 * BLOCK + 6}"
    assert len(log.lines(0, 10**9)) == log.total - log.first


def test_equal_lines_in_a_row_fold_into_one_with_a_count() -> None:
    log = EventLog()
    for at in range(8):
        log.append(float(at), "ERROR", "connection refused", verb="list", fold=True)
    log.append(9.0, "ERROR", "something else", verb="list", fold=True)
    assert log.total == 2
    line = log.line(0)
    assert line is not None and (line.repeats, line.at) == (8, 7.0)
    assert line.text.endswith("×8")


def test_folding_works_across_a_block_edge() -> None:
    log = EventLog()
    watch(log, BLOCK - 1)
    log.append(0.0, "ERROR", "x", fold=True)
    log.append(1.0, "ERROR", "x", fold=True)
    log.append(2.0, "ERROR", "x", fold=True)
    assert log.total == BLOCK
    line = log.line(BLOCK - 1)
    assert line is not None and line.repeats == 3


def test_keys_are_cleaned_and_shared() -> None:
    log = EventLog()
    log.extend_watch([0.0, 1.0], ["pods"] * 2, ["ADDED"] * 2, ["a/\x1bx"] * 2, ["1", "2"], ["", ""])
    first, second = log.line(0), log.line(1)
    assert first is not None and second is not None
    assert first.key == "a/\ufffdx" and first.key is second.key


def test_scan_yields_newest_first_within_bounds() -> None:
    log = EventLog()
    watch(log, 10)
    assert numbers(log, "web-3") == [3]
    assert numbers(log, "web")[:2] == [9, 8]
    assert numbers(log, "web", newest=5, oldest=3) == [4, 3]


def test_filter_words_for_events() -> None:
    log = EventLog()
    watch(log, 3)
    log.append(4.0, "HANDLER", "812ms", verb="slow OnUpdate", key="dev/api")
    assert numbers(log, "ev:watch") == [2, 1, 0]
    assert numbers(log, "ev:modified rv>100") == [2, 1]
    assert numbers(log, "rv=101") == [1]
    assert numbers(log, "ns:dev") == [3]
    assert numbers(log, "h:slow") == [3]
    assert numbers(log, "!web") == [3]
    assert line_filter("  ") is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 900), st.just(0)), max_size=25))
def test_lines_come_back_as_they_went_in(batches: list[int]) -> None:
    log, expected = EventLog(size=BLOCK), []
    for count in batches:
        if count == 0:
            log.append(0.0, "APP", f"note {len(expected)}")
            expected.append(f"note {len(expected)}")
        else:
            version = 100 + len(expected)
            watch(log, count, version=version)
            expected += [f"MODIFIED  default/web-{i}  rv 99→{version + i}" for i in range(count)]
    assert log.total == len(expected)
    assert [line.text for line in log.lines(0, log.total)] == expected[log.first :]


def calm(log: EventLog, count: int) -> None:
    """Lines as they come while it is calm, five a second, each with what became of its event."""
    for _ in range(count):
        number = log.total
        at, version, key = number / 5, str(10**6 + number), f"default/web-{number % 42}"
        log.extend_watch([at], ["pods"], ["MODIFIED"], [key], [version], [str(10**6 + number - 42)])
        for name in ("queue", "audit", "slow"):
            log.annotate(number, name, f"{number % 97 / 10}ms")


def test_older_lines_are_packed_while_it_is_calm_and_read_as_before() -> None:
    log = EventLog()
    calm(log, 5 * BLOCK + 10)
    for number in (0, BLOCK - 1, BLOCK, 3 * BLOCK + 5, log.total - 1):
        line = log.line(number)
        assert line is not None and (line.number, line.key) == (number, f"default/web-{number % 42}")
        assert line.detail.endswith(f"slow {number % 97 / 10}ms") and f"→{10**6 + number} " in line.detail
    assert numbers(log, "web-7") == [each for each in range(log.total - 1, -1, -1) if each % 42 == 7]
    frozen, woken = log.frozen(), pickle.loads(pickle.dumps(log))
    log.annotate(0, "queue", "late")  # nothing reads it again for that
    calm(log, 2 * BLOCK)
    for copy in (frozen, woken):
        assert copy.total == 5 * BLOCK + 10 and copy.lines(0, 10)[0].detail.endswith("slow 0.0ms")
    assert log.first == 2 * BLOCK


def test_an_hour_of_calm_takes_less_than_two_megabytes_more_than_ten_minutes() -> None:
    tracemalloc.start()
    try:
        log = EventLog()
        calm(log, 3 * BLOCK)
        settled, _ = tracemalloc.get_traced_memory()
        calm(log, 3600 * 5 - 3 * BLOCK)
        later, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert later - settled < 2_000_000
