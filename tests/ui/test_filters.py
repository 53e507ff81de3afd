"""Filters as k9s has them: what passes, in the tree and in the log, and what is said of a bad one."""

from __future__ import annotations

import pytest

from kdash.probe.filters import BadFilter, line_filter, object_filter
from kdash.probe.objects import ObjectIndex, ObjectRef
from tests.ui.showing import screen_text
from tests.ui.spying import Spy, dashboard, footer, press
from tests.ui.states import NOW

LABELS = {"dev/web-1": {"app": "web", "tier": "front"}, "dev/db-0": {"app": "db"}, "prod/web-2": {"app": "web"},
          "prod/worker": {}}


def index() -> ObjectIndex:
    made = ObjectIndex()
    made.add_informer("pods")
    for version, key in enumerate(LABELS, 100):
        made.put("pods", key, str(version), NOW + version, version * 10)
    made.bury("pods", "prod/worker", NOW)
    return made


def shown(made: ObjectIndex) -> list[str]:
    return [row.ref.key for row in made.rows(0, made.total) if row.level == 2]


@pytest.mark.parametrize(("text", "keys"), [
    ("web", ["dev/web-1", "prod/web-2"]), ("WEB", ["dev/web-1", "prod/web-2"]), ("!web", ["dev/db-0", "prod/worker"]),
    ("web !prod", ["dev/web-1"]), ("ns:dev", ["dev/db-0", "dev/web-1"]), ("!ns:dev", ["prod/web-2", "prod/worker"]),
    ("-f wb2", ["prod/web-2"]), ("-f 2bw", []), ("-l app=web", ["dev/web-1", "prod/web-2"]),
    ("-l app==web,tier=front", ["dev/web-1"]), ("-l app!=web", ["dev/db-0", "prod/worker"]),
    ("-l app in (db, cache)", ["dev/db-0"]), ("-l app notin (web)", ["dev/db-0", "prod/worker"]),
    ("-l !tier,app", ["dev/db-0", "prod/web-2"]), ("-l tier", ["dev/web-1"]), ("!-l app=web ns:dev", ["dev/db-0"]),
    ("-l app=web ns:prod", ["prod/web-2"]), ("rv>101", ["prod/web-2", "prod/worker"]), ("rv<=100", ["dev/web-1"]),
    ("rv=101", ["dev/db-0"]), ("ev:gone", ["prod/worker"]), ("!ev:gone rv>100", ["dev/db-0", "prod/web-2"]),
    ("", ["dev/db-0", "dev/web-1", "prod/web-2", "prod/worker"]),
])
def test_objects_that_pass(text: str, keys: list[str]) -> None:
    made = index()
    made.set_filter(text, lambda ref: LABELS[ref.key])
    assert shown(made) == keys
    assert made.matches == len(keys)


@pytest.mark.parametrize(("text", "words"), [
    ("ns:", "ns: needs a namespace"), ("ev:", "ev: needs a kind"), ("rv>", "rv> needs a number"),
    ("rv>abc", "rv> needs a number"), ("-l", "-l needs a label selector"), ("-l =web", "name is missing"),
    ("-l app=web;x", "no part of a selector"), ("-f", "-f needs letters"), ("-x", "-x is no filter"),
    ("h:audit", "h: names a handler"), ("ev:watch", "of objects, choose new"), ("rv=²", "rv= needs a number"),
])
def test_a_bad_filter_says_what_is_wrong_and_changes_nothing(text: str, words: str) -> None:
    made = index()
    made.set_filter("web")
    with pytest.raises(BadFilter, match=words.replace("(", r"\(")):
        made.set_filter(text)
    assert shown(made) == ["dev/web-1", "prod/web-2"] and made.filter_text == "web"


def test_a_label_filter_follows_the_objects_when_it_is_arranged_again() -> None:
    made, labels = index(), {key: dict(value) for key, value in LABELS.items()}
    made.set_filter("-l app=web", lambda ref: labels.get(ref.key, {}))
    labels["dev/db-0"] = {"app": "web"}
    labels["dev/late"] = {"app": "web"}
    assert made.is_live and shown(made) == ["dev/web-1", "prod/web-2"]
    made.put("pods", "dev/late", "200", NOW, 1)
    assert shown(made) == ["dev/late", "dev/web-1", "prod/web-2"]
    made.arrange()
    assert shown(made) == ["dev/db-0", "dev/late", "dev/web-1", "prod/web-2"]


def test_what_comes_and_goes_while_a_filter_is_made_is_not_lost() -> None:
    made = index()

    def labels_of(ref: ObjectRef) -> dict[str, str]:
        if ref.key == "dev/db-0" and made.get(ObjectRef("pods", "dev/new")) is None:
            made.put("pods", "dev/new", "300", NOW, 1)
            made.put("pods", "aaa/first", "301", NOW, 1)
            made.bury("pods", "prod/web-2", NOW)
        return {"app": "web"}

    made.set_filter("-l app=web", labels_of)
    assert shown(made) == ["aaa/first", "dev/db-0", "dev/new", "dev/web-1", "prod/web-2", "prod/worker"]
    made.expire(NOW + 60)
    assert shown(made) == ["aaa/first", "dev/db-0", "dev/new", "dev/web-1"]


@pytest.mark.parametrize(("order", "keys"), [
    ("name", ["dev/db-0", "dev/web-1", "prod/web-2", "prod/worker"]),
    ("seen", ["dev/db-0", "dev/web-1", "prod/web-2", "prod/worker"]),
    ("rv", ["dev/db-0", "dev/web-1", "prod/worker", "prod/web-2"]),
    ("size", ["dev/db-0", "dev/web-1", "prod/worker", "prod/web-2"]),
    ("updates", ["dev/web-1", "dev/db-0", "prod/web-2", "prod/worker"]),
])
def test_orders_within_the_namespaces(order: str, keys: list[str]) -> None:
    made = index()
    made.put("pods", "dev/web-1", "100", NOW, 1000)
    made.put("pods", "dev/web-1", "99", NOW, 1000)
    made.set_order(order)
    assert shown(made) == keys
    for position, key in enumerate(keys):
        found = made.position_of(ObjectRef("pods", key))
        assert found is not None and made.row(found).ref.key == key, position
    made.put("pods", "dev/zz", "400", NOW, 1)
    made.expire(NOW + 60)
    assert "prod/worker" not in shown(made) and "dev/zz" in shown(made)


def test_lines_that_pass() -> None:
    line = ("WATCH", "MODIFIED", "dev/web-1", "rv 99→100  queue 0.1ms  audit 1ms")
    labels = LABELS.__getitem__
    for text, passes in (("web", True), ("-f dwb", True), ("-f bwd", False), ("-l app=web", True), ("-l app=db", False),
                         ("h:audit", True), ("h:aud", False), ("ev:modified rv>99", True), ("!rv>99", False),
                         ("!-l app=db", True)):
        test = line_filter(text, labels)
        assert test is not None and test(*line) is passes, text


def test_only_what_looks_at_more_than_the_key_is_live() -> None:
    for text, live in (("web ns:dev -f x", False), ("rv>1", True), ("ev:new", True), ("-l a", True)):
        test = object_filter(text)
        assert test is not None and test.is_live is live, text


async def test_the_filter_works_while_it_is_typed_and_stays_as_a_chip() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        await press(app, pilot, "slash", *"coredns")
        assert spy.objects.filter_text == "coredns"
        await press(app, pilot, "enter")
        assert "/coredns" in screen_text(app).split("\n")[9] and "2 of 42 match" in screen_text(app)
        await press(app, pilot, "escape")
        assert spy.objects.filter_text == ""


async def test_leaving_the_prompt_brings_the_old_filter_back() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        app.objects.set_filter("web")
        await press(app, pilot, "slash", *"-7", "escape")
        assert spy.objects.filter_text == "web"


async def test_a_bad_filter_is_explained_in_the_prompt_and_kept_out() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        await press(app, pilot, "slash", *"rv", "greater_than_sign", "x")
        assert "rv> needs a number" in screen_text(app)
        await press(app, pilot, "enter")
        assert "rv> needs a number" in footer(app) and spy.objects.filter_text in ("", "rv")


async def test_labels_filter_events_by_their_object() -> None:
    spy = Spy()
    async with dashboard(spy) as (app, pilot):
        await press(app, pilot, "7", "slash", *"-l", "space", *"app=web", "enter")
        shown_lines = screen_text(app).split("7 Events")[1]
        assert "web-7f9c-x2p" in shown_lines and "BOOKMARK" not in shown_lines and "LIST" not in shown_lines
