"""A list that arrives in pieces is split into the items, and refused for the reasons, of the whole."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdash.cluster.list_splitter import ListSplitter
from kdash.cluster.list_watch import decode_list
from kdash.informer.errors import CacheTooLarge, DecodeError
from kdash.informer.packing_arrivals import ArrivalPacker

TEXT = st.text(alphabet='ab\\"{}[],:é \n\u2028😀') | st.sampled_from(['},{"metadata":{"name":', '}]}', '\\"},{"a'])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAMED = st.fixed_dictionaries({"name": TEXT})
ITEM = st.fixed_dictionaries({"metadata": NAMED}, optional={"spec": VALUE, "items": VALUE})
FIELDS = st.fixed_dictionaries(
    {"kind": st.just("PodList"), "items": st.lists(ITEM, max_size=12)},
    optional={
        "apiVersion": st.just("v1"), "extra": VALUE, "other": VALUE,
        "metadata": st.fixed_dictionaries({}, optional={"resourceVersion": TEXT, "continue": TEXT}),
    },
)  # fmt: skip
STYLE = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 1}, {"ensure_ascii": False}])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    fields = draw(FIELDS)
    order = draw(st.permutations(list(fields)))
    return json.dumps({name: fields[name] for name in order}, **draw(STYLE)).encode("utf-8", "replace")


def split(pieces: list[bytes], window: int) -> tuple[list[Any], str, str, str]:
    splitter = ListSplitter(window)
    raws = [raw for piece in pieces for raw in splitter.feed([piece])]
    raws += splitter.end()
    assert all(type(raw) is bytes for raw in raws)
    meta = splitter.meta
    return [json.loads(raw) for raw in raws], splitter.kind, meta.resource_version, meta.continue_token


def parsed(body: bytes) -> tuple[list[Any], str, str, str]:
    whole = json.loads(body)
    meta = whole.get("metadata", {})
    return whole["items"], whole["kind"], meta.get("resourceVersion", ""), meta.get("continue", "")


@given(bodies(), st.sampled_from([1, 40, 200, 1 << 18]))
def test_every_cut_gives_what_a_full_parse_gives(body: bytes, window: int) -> None:
    expected = parsed(body)
    for cut in range(0, len(body) + 1, max(1, len(body) // 150)):
        assert split([body[:cut], body[cut:]], window) == expected
    assert split([body[at : at + 1] for at in range(len(body))], window) == expected


@settings(max_examples=200)
@given(bodies(), st.data())
def test_a_damaged_body_is_refused_exactly_when_a_full_parse_refuses_it(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    damage = data.draw(st.sampled_from([b"", b",", b"}", b"]", b"{", b'"', b"\\", b"x", b"1", b":"]))
    removed = data.draw(st.integers(0, 2))
    body = body[:at] + damage + body[at + removed :]
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = None
    cut = data.draw(st.integers(0, len(body)))
    splitter = ListSplitter(30)
    try:
        raws = splitter.feed([body[:cut], body[cut:]]) + splitter.end()
        for raw in raws:
            msgspec.json.decode(raw)
        read = True
    except (DecodeError, msgspec.DecodeError, UnicodeDecodeError):
        read = False
    if whole is None:
        assert not read
    elif isinstance(whole, dict) and isinstance(whole.get("items"), list) and "\ufffd" not in str(whole):
        typed = isinstance(whole.get("kind", ""), str) and isinstance(whole.get("metadata", {}), dict)
        assert read or not typed


def test_the_end_of_an_item_that_differs_from_all_others_is_found() -> None:
    odd = {"x": [{"metadata": {"name": "no item"}}, {"metadata": {}}] * 50}
    items = [{"metadata": {"name": "a"}}, odd, {}, {"z": 1}]
    body = json.dumps({"kind": "List", "items": items}, separators=(",", ":")).encode()
    assert split([body], 64)[0] == items


def test_kind_that_comes_behind_the_items_still_names_them() -> None:
    items = b'[{"metadata":{"name":"a"}},{"kind":"Own","metadata":{}}]'
    page = decode_list(b'{"items":%b,"apiVersion":"v1","kind":"PodList"}' % items)
    assert [(obj.api_version, obj.kind) for obj in page.items] == [("v1", "Pod"), ("v1", "Own")]


def test_of_a_large_list_no_more_than_one_window_lies_there_unpacked() -> None:
    splitter = ListSplitter()
    splitter.feed([b'{"kind":"PodList","items":['])
    item = b'{"metadata":{"name":"p","annotations":{"a":"%b"}}},' % (b"x" * 8000)
    largest = count = 0
    for _ in range(4000):
        count += len(splitter.feed([item]))
        largest = max(largest, len(splitter._data))
    count += len(splitter.feed([item[:-1] + b"]}"])) + len(splitter.end())
    assert count == 4001 and largest < 600_000


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b'{"kind":"PodList","items":[{"metadata":{"name":"a"},"data":"', b"x" * 9973),
        (b'{"kind":"PodList","items":[', b"[" * 9973),
        (b'{"kind":"PodList","items":[', b'[{"a":"}"},' * 907),
        (b'{"kind":"PodList","items":[{"a":1},{"a":1},{"a":1', b',"b":[{"a":1},{"a":1},{"a":1}]' * 200),
        (b'{"kind":"PodList","items":[', b" \n" * 5000),
        (b"", b" " * 9973),
        (b'{"kind":"PodList","', b"k" * 9973),
        (b'{"kind":"PodList"', b',"extra":[1]' * 800),
        (b'{"kind":"PodList","n":', b"1" * 9973),
    ],
)
def test_what_never_becomes_an_item_ends_at_the_limit(begin: bytes, more: bytes) -> None:
    splitter = ListSplitter(1 << 14, largest=1 << 20)
    splitter.feed([begin])
    with pytest.raises(DecodeError, match="more than 1 MiB"):
        for _ in range(300):
            splitter.feed([more])
    assert len(splitter._data) < (1 << 20) + 20_000


def test_objects_that_arrive_are_packed_beyond_the_budget_and_stay_the_same() -> None:
    text = b"same text " * 80
    raws = [b'{"kind":"Pod","metadata":{"name":"p%d","annotations":{"a":"%b"}}}' % (n, text) for n in range(900)]
    objects = decode_list(b'{"kind":"List","items":[' + b",".join(raws) + b"]}").items
    arrivals = ArrivalPacker(budget=200_000)
    for obj in objects:
        arrivals.add([obj])
    unpacked = [obj for obj in objects if not obj.is_packed]
    assert sum(obj.size for obj in unpacked) <= 200_000
    assert objects[0].is_packed and [obj.to_json() for obj in objects] == raws
    assert arrivals.held == sum(obj.stored_size for obj in objects)


def test_a_bound_on_what_a_list_may_take_counts_compressed_bytes_and_refuses_with_a_sentence() -> None:
    def objects() -> Any:
        raws = (b'{"metadata":{"name":"p%d","annotations":{"a":"%b"}}}' % (n, b"same text " * 80) for n in range(900))
        return decode_list(b'{"kind":"List","items":[' + b",".join(raws) + b"]}").items

    ArrivalPacker(most=500_000).add(objects())  # 780 kB, compressed far less
    with pytest.raises(CacheTooLarge, match=r"take more than 0\.0 MB compressed.*--max-cache"):
        ArrivalPacker(most=5_000).add(objects())
