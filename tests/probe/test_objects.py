"""The object index: rows, folds, filters, tombstones, against a plain model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdash.probe.objects import ObjectIndex, ObjectRef, RowRef


def index_with(*keys: str, informer: str = "pods") -> ObjectIndex:
    index = ObjectIndex()
    index.add_informer(informer)
    for key in keys:
        index.put(informer, key, "1", 0.0, 100)
    return index


def shown(index: ObjectIndex) -> list[str]:
    """Rows as text: `ns (n)`, `  name`."""
    return [_words(row) for row in index.rows(0, index.total)]


def _words(row: RowRef) -> str:
    if row.level == 0:
        return f"{row.informer} [{row.count}]{'+' if row.folded else ''}"
    if row.level == 1:
        return f"{row.namespace} ({row.count}){'+' if row.folded else ''}"
    return f"  {row.name}"


def test_rows_are_namespaces_with_their_names_in_order() -> None:
    index = index_with("kube-system/dns", "default/web", "default/api")
    assert shown(index) == ["default (2)", "  api", "  web", "kube-system (1)", "  dns"]


def test_cluster_scoped_objects_have_no_namespace_header() -> None:
    assert shown(index_with("node-2", "node-1", informer="nodes")) == ["  node-1", "  node-2"]


def test_several_kinds_stand_under_headers_in_the_order_they_were_announced() -> None:
    index = index_with("default/web")
    index.add_informer("nodes")
    index.put("nodes", "n1", "1", 0.0, 1)
    assert shown(index) == ["pods [1]", "default (1)", "  web", "nodes [1]", "  n1"]
    index.fold("pods")
    assert shown(index) == ["pods [1]+", "nodes [1]", "  n1"]


def test_a_folded_namespace_hides_its_objects_and_toggles() -> None:
    index = index_with("a/x", "b/y")
    assert index.fold("pods", "a") is True
    assert shown(index) == ["a (1)+", "b (1)", "  y"]
    assert index.position_of(ObjectRef("pods", "a/x")) is None
    assert index.fold("pods", "a") is False
    assert index.position_of(ObjectRef("pods", "a/x")) == 1


def test_fold_all_and_back() -> None:
    index = index_with("a/x", "b/y")
    index.fold_all(True)
    assert shown(index) == ["a (1)+", "b (1)+"]
    index.fold_all(False)
    assert index.total == 4


def test_a_deleted_object_stays_as_gone_for_five_seconds_and_does_not_count() -> None:
    index = index_with("a/x", "a/y")
    index.bury("pods", "a/x", 10.0)
    assert shown(index) == ["a (1)", "  x", "  y"]
    assert index.objects == 1
    row = index.get(ObjectRef("pods", "a/x"))
    assert row is not None and row.mark == "gone"
    index.expire(14.9)
    assert index.get(ObjectRef("pods", "a/x")) is not None
    index.expire(15.0)
    assert shown(index) == ["a (1)", "  y"]
    assert index.get(ObjectRef("pods", "a/x")) is None


def test_an_object_that_comes_back_before_its_time_is_over_is_new_and_stays() -> None:
    index = index_with("a/x")
    index.bury("pods", "a/x", 10.0)
    index.put("pods", "a/x", "9", 12.0, 50)
    index.expire(100.0)
    row = index.get(ObjectRef("pods", "a/x"))
    assert row is not None and (row.mark, row.updates, row.resource_version) == ("new", 0, "9")
    assert (index.objects, shown(index)) == (1, ["a (1)", "  x"])


def test_one_that_is_deleted_twice_in_a_row_waits_for_the_second_time() -> None:
    index = index_with("a/x")
    index.bury("pods", "a/x", 10.0)
    index.put("pods", "a/x", "2", 11.0, 1)
    index.bury("pods", "a/x", 13.0)
    index.expire(15.0)
    assert index.get(ObjectRef("pods", "a/x")) is not None
    index.expire(18.0)
    assert index.get(ObjectRef("pods", "a/x")) is None


def test_the_filter_takes_words_and_negated_words_and_namespaces() -> None:
    index = index_with("default/web-1", "default/web-2", "default/api", "dev/web-1")
    index.set_filter("web !-2")
    assert shown(index) == ["default (1)", "  web-1", "dev (1)", "  web-1"]
    assert index.matches == 2
    index.set_filter("ns:dev")
    assert shown(index) == ["dev (1)", "  web-1"]
    index.set_filter("")
    assert index.total == 6


def test_the_filter_follows_adds_and_deletes() -> None:
    index = index_with("a/web")
    index.set_filter("web")
    index.put("pods", "a/api", "1", 0.0, 1)
    index.put("pods", "a/web2", "1", 0.0, 1)
    assert shown(index) == ["a (2)", "  web", "  web2"]
    index.bury("pods", "a/web", 0.0)
    index.expire(6.0)
    assert shown(index) == ["a (1)", "  web2"]
    assert index.objects == 2


def test_a_hostile_name_is_shown_clean_and_still_names_its_object() -> None:
    index = index_with("a/\x1b[2Jx")
    row = index.row(1)
    assert row.name.isprintable()
    assert row.ref == ObjectRef("pods", "a/\x1b[2Jx")


def test_a_row_beyond_the_end_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        index_with("a/x").row(2)


def test_an_informer_that_is_built_anew_starts_empty() -> None:
    index = index_with("a/x", "a/y")
    index.bury("pods", "a/y", 0.0)
    index.drop_informer("pods")
    assert (index.total, index.objects) == (0, 0)
    index.put("pods", "a/x", "1", 0.0, 1)
    index.expire(100.0)
    assert shown(index) == ["a (1)", "  x"]


KEYS = st.sampled_from([f"{ns}{name}" for ns in ("", "a/", "b/") for name in ("v", "w", "x", "y", "z")])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS),
        st.tuples(st.just("bury"), KEYS),
        st.tuples(st.just("expire"), st.just("")),
        st.tuples(st.just("fold"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("filter"), st.sampled_from(["", "x", "!x", "a/"])),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_rows_always_match_a_plain_model(steps: list[tuple[str, str]]) -> None:
    index, now = ObjectIndex(), 0.0
    index.add_informer("pods")
    held: dict[str, bool] = {}  # key → gone
    folded: set[str] = set()
    of_matches: set[str] = set()  # folded while there is a filter, which opens every group
    needle = ""
    for step, what in steps:
        now += 1.0
        if step == "put":
            index.put("pods", what, str(now), now, 1)
            held[what] = False
        elif step == "bury":
            index.bury("pods", what, now)
            if what in held:
                held[what] = True
        elif step == "expire":
            now += 10.0
            index.expire(now)
            held = {key: gone for key, gone in held.items() if not gone}
        elif step == "fold":
            index.fold("pods", what)
            if needle:
                of_matches ^= {what}
            else:
                folded ^= {what}
        else:
            if what != needle:
                of_matches.clear()
            needle = what
            index.set_filter(what)
        rows = _model(held, of_matches if needle else folded, needle)
        assert shown(index) == rows
        assert shown(index.frozen(lambda _: {})) == rows
        assert index.objects == sum(not gone for gone in held.values())
        for position, row in enumerate(index.rows(0, index.total)):
            if row.level == 2:
                assert index.position_of(row.ref) == position


def _model(held: dict[str, bool], folded: set[str], needle: str) -> list[str]:
    keys = [k for k in sorted(held) if (needle[1:] not in k if needle.startswith("!") else needle in k)]
    rows: list[str] = []
    for namespace in ("", "a", "b"):
        inside = [key for key in keys if key.rpartition("/")[0] == namespace]
        if not inside:
            continue
        if namespace:
            alive = sum(not held[key] for key in inside)
            rows.append(f"{namespace} ({alive}){'+' if namespace in folded else ''}")
        if namespace not in folded:
            rows += [f"  {key.rpartition('/')[2]}" for key in inside]
    return rows


def test_a_deleted_object_that_the_filter_hides_takes_nothing_from_the_header() -> None:
    index = index_with("a/v", "a/x")
    index.set_filter("!x")
    index.bury("pods", "a/x", 1.0)
    assert shown(index) == ["a (1)", "  v"]
