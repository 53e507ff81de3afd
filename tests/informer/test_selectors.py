"""Label and field selectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.informer.selectors import (
    EVERYTHING,
    NOTHING,
    Requirement,
    SelectorError,
    parse_field_selector,
    parse_label_selector,
)
from tests.informer.builders import make

LABELS = {"app": "web", "tier": "front", "replicas": "3", "example.com/part": "a.b_c", "empty": ""}


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "app", "app=web", "app==web", " app = web ", "app!=db", "missing!=x", "app in (db, web)",
        "app in (web)", "app notin (db)", "missing notin (x,y)", "!missing", "! missing", "replicas>2",
        "replicas < 4", "app=web,tier=front", "app in (a,web),tier notin (back),!x,replicas>1",
        "example.com/part=a.b_c", "example.com/part", "empty=", "empty", "empty in ()",
    ],
)  # fmt: skip
def test_selects(text: str):
    assert parse_label_selector(text).matches(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "missing", "app=db", "missing=x", "app!=web", "app in (db)", "missing in (x)", "app notin (web,db)",
        "!app", "replicas>3", "replicas<3", "app>1", "missing>1", "app=web,tier=back", "app=", "missing=",
    ],
)  # fmt: skip
def test_does_not_select(text: str):
    assert not parse_label_selector(text).matches(LABELS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (",app", "surplus comma"),
        ("app,,tier", "surplus comma"),
        ("app=web,", "surplus comma"),
        ("=web", "no label key"),
        ("app=we b", "no label value"),
        ("app=web=x", "no label value"),
        ("app in web", "no label key"),
        ("app in (web", "no label key"),
        ("a/b/c=d", "no label key"),
        ("-a=b", "no label key"),
        ("a" * 64, "no label key"),
        ("a=" + "b" * 64, "no label value"),
        ("app>x", "needs a number"),
        ("!", "no label key"),
    ],
)
def test_bad_label_selectors_are_told(text: str, words: str):
    with pytest.raises(SelectorError) as caught:
        parse_label_selector(text)
    assert words in str(caught.value)
    assert repr(text) in str(caught.value)


def test_everything_and_nothing():
    assert parse_label_selector("") is EVERYTHING
    assert EVERYTHING.is_empty
    assert not NOTHING.is_empty
    assert EVERYTHING.matches({})
    assert not NOTHING.matches({})


def test_parsed_form():
    parsed = parse_label_selector("a==b,c in (d, e),!f")
    assert parsed.requirements == (
        Requirement("a", "=", ("b",)), Requirement("c", "in", ("d", "e")), Requirement("f", "!"),
    )  # fmt: skip


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_told(text: str):
    for parse in (parse_label_selector, parse_field_selector):
        try:
            parse(text)
        except SelectorError as error:
            assert repr(text) in str(error)


SPEC = {"nodeName": "n1", "hostNetwork": True, "x": 3}
POD = make("a", namespace="ns", spec=SPEC, status={"phase": "Running"})


@pytest.mark.parametrize(
    "text",
    [
        "", "metadata.name=a", "metadata.name==a", "metadata.namespace=ns", "metadata.name!=b",
        "status.phase=Running", "spec.nodeName=n1,status.phase!=Failed", "spec.hostNetwork=true", "spec.x=3",
        "spec.missing=", "no.such.path!=x", "metadata.resourceVersion=1",
    ],
)  # fmt: skip
def test_field_selector_selects(text: str):
    assert parse_field_selector(text).matches(POD)


@pytest.mark.parametrize(
    "text",
    ["metadata.name=b", "metadata.namespace!=ns", "status.phase=Failed", "spec.missing=x", "kind!=Pod"],
)
def test_field_selector_does_not_select(text: str):
    assert not parse_field_selector(text).matches(POD)


@pytest.mark.parametrize("text", ["metadata.name", "=x", "a=b,", ",a=b", "a..b=c", "a in (b)", "!a"])
def test_bad_field_selectors_are_told(text: str):
    with pytest.raises(SelectorError, match="no condition"):
        parse_field_selector(text)


def test_field_values_can_hold_commas_and_signs():
    parsed = parse_field_selector(r"a=x\,y\=z\\,b=c")
    assert [(each.path, each.value) for each in parsed.requirements] == [("a", "x,y=z\\"), ("b", "c")]
    assert parse_field_selector("").is_empty
