"""Paged lists: RF-15 (client-go TestListPager_List)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kdash.informer.errors import ApiStatusError, CacheTooLarge, DecodeError
from kdash.informer.list_watch import ListOptions, ListPage
from kdash.informer.pager import ListPager, list_in_pages
from tests.informer.fake_source import expired
from tests.informer.reflector_doubles import page


class _Pages:
    """Serves `total` objects in pages of the asked size; fails where told to."""

    def __init__(
        self, total: int, page_size: int, fail: Callable[[int], Exception | None] | None = None
    ) -> None:
        self._total, self._page_size, self._fail = total, page_size, fail
        self.seen: list[ListOptions] = []
        self._given = 0

    def __call__(self, options: ListOptions) -> ListPage:
        self.seen.append(options)
        error = self._fail(len(self.seen)) if self._fail is not None else None
        if error is not None:
            raise error
        if not options.limit:
            return page("full", *[f"o{i}" for i in range(self._total)])
        first = self._given if options.continue_token else 0
        last = min(first + options.limit, self._total)
        self._given = last
        token = f"more-{last}" if last < self._total else ""
        return page(f"rv-{len(self.seen)}", *[f"o{i}" for i in range(first, last)], token=token)


@pytest.mark.parametrize(
    ("total", "size", "paginated", "requests"),
    [
        (0, 10, False, 1),
        (1, 10, False, 1),
        (10, 10, False, 1),
        (11, 10, True, 2),
        (20, 10, True, 2),
        (21, 10, True, 3),
    ],
)
def test_rf15_list_pager_list_merges_all_pages_at_the_first_pages_version(
    total: int, size: int, paginated: bool, requests: int
) -> None:
    server = _Pages(total, size)
    result = list_in_pages(server, ListOptions(resource_version="0"), size)
    assert [obj.name for obj in result.items] == [f"o{i}" for i in range(total)]
    assert (result.paginated, result.resource_version, len(server.seen)) == (paginated, "rv-1", requests)
    assert [options.limit for options in server.seen] == [size] * requests


def test_rf15_version_and_match_are_cleared_after_page_one() -> None:
    server = _Pages(25, 10)
    list_in_pages(server, ListOptions(resource_version="7", resource_version_match="NotOlderThan"), 10)
    assert [(o.resource_version, o.resource_version_match, o.continue_token) for o in server.seen] == [
        ("7", "NotOlderThan", ""), ("", "", "more-10"), ("", "", "more-20"),
    ]  # fmt: skip


def test_rf15_a_limit_of_the_options_outranks_the_page_size() -> None:
    server = _Pages(5, 10)
    assert list_in_pages(server, ListOptions(limit=2), 10).pages == 3
    assert {options.limit for options in server.seen} == {2}


def test_rf15_without_page_size_there_is_one_request() -> None:
    server = _Pages(25, 0)
    assert not list_in_pages(server, ListOptions(), 0).paginated
    assert len(server.seen) == 1


def test_rf15_expired_on_page_one_is_the_callers() -> None:
    server = _Pages(25, 10, lambda n: expired())
    with pytest.raises(ApiStatusError):
        list_in_pages(server, ListOptions(), 10)
    assert len(server.seen) == 1


def test_rf15_list_pager_list_expired_on_page_two_leads_to_one_full_list_at_the_original_version() -> None:
    server = _Pages(25, 10, lambda n: expired() if n == 2 else None)
    result = list_in_pages(server, ListOptions(resource_version="7", resource_version_match="Exact"), 10)
    assert (len(result.items), result.resource_version, result.paginated) == (25, "full", True)
    last = server.seen[-1]
    assert (last.limit, last.continue_token, last.resource_version) == (0, "", "7")
    assert last.resource_version_match == "Exact"


def test_rf15_list_pager_list_expired_on_page_two_without_the_fallback_is_the_callers() -> None:
    server = _Pages(25, 10, lambda n: expired() if n == 2 else None)
    with pytest.raises(ApiStatusError):
        list_in_pages(server, ListOptions(), 10, full_list_if_expired=False)


def test_rf15_gone_on_page_two_is_no_expired() -> None:
    server = _Pages(25, 10, lambda n: ApiStatusError(410, "Gone") if n == 2 else None)
    with pytest.raises(ApiStatusError):
        list_in_pages(server, ListOptions(), 10)
    assert len(server.seen) == 2


def test_rf15_a_failing_full_list_is_not_tried_again() -> None:
    server = _Pages(25, 10, lambda n: expired() if n >= 2 else None)
    with pytest.raises(ApiStatusError):
        list_in_pages(server, ListOptions(), 10)
    assert len(server.seen) == 3


def test_a_pager_drops_the_items_of_an_expired_paging() -> None:
    pager = ListPager(ListOptions(), 10)
    assert pager.on_page(page("1", "gone", token="t")) is None
    assert pager.on_error(expired())
    result = pager.on_page(page("2", "a", "b"))
    assert result is not None
    assert [obj.name for obj in result.items] == ["a", "b"]


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
def test_a_continue_token_that_comes_back_is_an_error(tokens: list[str]) -> None:
    pages = iter([page("1", f"o{n}", token=token) for n, token in enumerate(tokens)])
    with pytest.raises(DecodeError, match="continue token that it gave before"):
        list_in_pages(lambda _: next(pages), ListOptions())


def test_three_pages_in_a_row_without_items_are_an_error_and_fewer_are_none() -> None:
    pages = iter([page("1", token=f"t{n}") for n in range(3)])
    with pytest.raises(DecodeError, match="3 pages of the list in a row without an object"):
        list_in_pages(lambda _: next(pages), ListOptions())
    names: list[list[str]] = [[], [], ["a"], [], [], ["b"]]
    some = iter([page("1", *each, token=f"t{n}" if n < 5 else "") for n, each in enumerate(names)])
    assert [obj.name for obj in list_in_pages(lambda _: next(some), ListOptions()).items] == ["a", "b"]


def test_pages_whose_objects_take_more_than_the_bound_are_refused() -> None:
    pages = iter([page("1", *[f"o{n}-{i}" for i in range(50)], token=f"t{n}") for n in range(50)])
    with pytest.raises(CacheTooLarge):
        list_in_pages(lambda _: next(pages), ListOptions(max_bytes=20_000))
