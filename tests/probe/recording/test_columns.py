"""Records come back as they were, whatever they hold."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.informer.tap import FIELDS
from kdash.probe.recording.columns import StringTable, event_keys, from_rows, keys_in_rows, packed, unpacked
from kdash.probe.recording.links import Links
from kdash.probe.recording.shapes import _types
from tests.probe.recording.made import second

FLOATS = st.floats(-1e9, 1e9) | st.integers(0, 1 << 50).map(lambda ns: ns / 1e9) | st.sampled_from([0.0, 1e-9, 5e8])
TEXTS = st.text(max_size=9) | st.sampled_from(["", "1", "01", "12345", "web", "²"])
OF_TYPE: dict[type, st.SearchStrategy[Any]] = {
    str: TEXTS, bool: st.booleans(), type(None): st.none(), float: FLOATS, int: st.integers(-(1 << 53) + 1, 1 << 50),
}
OF_TUPLE: dict[str, st.SearchStrategy[Any]] = {
    "decisions": st.lists(st.tuples(TEXTS, FLOATS, FLOATS, st.none() | FLOATS, st.booleans(), FLOATS), max_size=3),
    "frames": st.lists(st.tuples(TEXTS, st.integers(0, 9999), TEXTS, TEXTS, st.booleans()), max_size=2),
    "delivered_to": st.lists(TEXTS, max_size=2), "skipped": st.lists(TEXTS, max_size=2),
}


def values_of(name: str) -> st.SearchStrategy[Any]:
    """What a field may hold."""
    if name in OF_TUPLE:
        return OF_TUPLE[name].map(tuple)
    return st.one_of(*(OF_TYPE[kind] for kind in sorted(_types(name), key=repr)))


@st.composite
def some_records(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    kinds = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=30))
    records, seq = [], 0
    for kind in kinds:
        seq += draw(st.integers(-5, 50))
        fields = [draw(st.integers(-9, seq + 9)) if name == "cause" else draw(values_of(name)) for name in FIELDS[kind]]
        records.append((seq, draw(FLOATS), kind, draw(st.sampled_from(["pods", "nodes"])),
                        draw(st.integers(0, 1 << 47)), *fields))
    return records


def through(chunks: list[list[tuple[Any, ...]]]) -> list[list[tuple[Any, ...]]]:
    """What a reader gets of these chunks."""
    table, links, theirs, their_links = StringTable(), Links(), StringTable(), Links()
    out = []
    for records in chunks:
        data = msgspec.msgpack.decode(msgspec.msgpack.encode(packed(records, table, links)))
        links.end_chunk()
        out.append(unpacked(data, theirs, their_links))
        their_links.end_chunk()
    return out


@given(st.lists(some_records(), min_size=1, max_size=3))
def test_any_records_come_back(chunks: list[list[tuple[Any, ...]]]) -> None:
    assert repr(through(chunks)) == repr(chunks)
    for records in chunks:
        assert repr(from_rows(msgspec.msgpack.decode(msgspec.msgpack.encode(records)))) == repr(records)


def test_records_of_a_pipeline_come_back_and_take_little() -> None:
    chunks = [[record for step in second(number, 50) if step[0] == "t" for record in step[2]] for number in range(8)]
    assert through(chunks) == chunks
    table, links = StringTable(), Links()
    sizes = []
    for records in chunks:
        sizes.append(len(msgspec.msgpack.encode(packed(records, table, links))))
        links.end_chunk()
    rows = len(msgspec.msgpack.encode(chunks[-1]))
    assert sizes[-1] < rows / 4


def test_a_chunk_that_is_missing_is_noticed() -> None:
    table, links = StringTable(), Links()
    first, other = ([record for step in second(number) if step[0] == "t" for record in step[2]] for number in (0, 1))
    packed(first, table, links)
    with pytest.raises(ValueError, match="missing"):
        unpacked(packed(other, table, links), StringTable(), Links())


def test_the_keys_of_the_events_can_be_read_alone() -> None:
    table, links, theirs = StringTable(), Links(), StringTable()
    for number in range(3):
        records = [record for step in second(number) if step[0] == "t" for record in step[2]]
        data = packed(records, table, links)
        assert list(event_keys(data, theirs)) == list(keys_in_rows(records)) == [f"dev/web-{key}" for key in range(4)]
