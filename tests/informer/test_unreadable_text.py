"""Objects whose text is not Unicode, or whose JSON is nested beyond all reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.informer.errors import DecodeError
from kdash.informer.objects import KubeObject

HALF = rb"\ud83d"


@pytest.mark.parametrize("field", ["name", "uid", "other"])
def test_half_a_surrogate_pair_costs_that_text_and_nothing_else(field: str) -> None:
    raw = b'{"kind":"Pod","metadata":{"%b":"a%bz"},"spec":{"x":1}}' % (field.encode(), HALF)
    obj = KubeObject.from_bytes(raw)
    assert obj.kind == "Pod"
    assert obj.to_dict()["metadata"] == {field: "a\ufffdz"}
    assert obj["spec"] == {"x": 1}
    last = KubeObject.from_bytes(b'{"kind":"Pod","data":"a%b","spec":{"x":1}}' % HALF)
    assert (last["data"], last["spec"]) == ("a\ufffd", {"x": 1})
    json.dumps(obj.to_dict(), ensure_ascii=False).encode()  # can be written


def test_bad_utf8_in_a_name_is_replaced_as_go_does() -> None:
    assert KubeObject.from_bytes(b'{"metadata":{"name":"a\xffz"}}').name == "a\ufffdz"


TEXTS = st.lists(st.sampled_from([r"\ud83d", r"\udc00", r"\ude00", r"\\", r"\\ud83d", r"\"", "u", "a", r"\u0041"]))


@given(TEXTS)
def test_repaired_text_is_what_go_would_have_decoded(parts: list[str]) -> None:
    raw = "".join(parts)
    obj = KubeObject.from_bytes(f'{{"metadata":{{"name":"{raw}"}}}}'.encode())
    assert obj.name == "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in json.loads(f'"{raw}"'))


@pytest.mark.parametrize("opening", [b'{"a":', b"["])
def test_json_that_is_nested_10_000_deep_is_refused_with_a_sentence(opening: bytes) -> None:
    closing = (b"}" if opening[:1] == b"{" else b"]") * 10_000
    raw = b'{"kind":"Pod","spec":' + opening * 10_000 + b"1" + closing + b"}"
    with pytest.raises(DecodeError, match="nested too deeply"):
        KubeObject.from_bytes(raw)
