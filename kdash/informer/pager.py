"""Lists in pages: the rules of client-go's `ListPager` without the requests (RF-15).

Contract: pure. `request` is always the next request to send; `on_page` and `on_error` take its outcome
and tell whether the list is complete. The merged list keeps the first page's version. An `Expired` answer
(reason, not `Gone`) to page 2 or later leads to one full list without limit at the version first asked
for; every other error is the caller's. A pager serves one list and keeps no page object, only the items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kdash.informer.errors import ApiStatusError, DecodeError, InformerError
from kdash.informer.limits import MOST_EMPTY_PAGES
from kdash.informer.list_watch import ListOptions, ListPage
from kdash.informer.objects import KubeObject
from kdash.informer.packing_arrivals import ArrivalPacker

__all__ = ["DEFAULT_PAGE_SIZE", "ListPager", "ListResult", "list_in_pages"]

DEFAULT_PAGE_SIZE = 500


@dataclass(slots=True)
class ListResult:
    """A complete list."""

    items: Sequence[KubeObject]
    resource_version: str
    paginated: bool
    """Whether a `continue` token was followed, even if the answer then came from one full list."""
    pages: int
    shard_selector: str = ""
    """What page 1 said: client-go's pager loses it when it merges."""


class ListPager:
    """The state of one paged list.

    What client-go does not notice (kdash extensions): a `continue` token that was followed before, and a third page
    in a row without items, are errors, for such a list need never end. The objects of a large list are compressed
    while further pages come.
    """

    def __init__(
        self, options: ListOptions, page_size: int = DEFAULT_PAGE_SIZE, *, full_list_if_expired: bool = True
    ) -> None:
        """`page_size` is the limit unless `options` has one; 0 asks for everything at once."""
        self._original = options
        self._full_list_if_expired = full_list_if_expired
        self.request = options if options.limit else replace(options, limit=page_size)
        self.paginated = False
        self.pages = 0
        self._items: list[KubeObject] = []
        self._resource_version = ""
        self._shard_selector = ""
        self._full_list = False
        self._followed: set[str] = set()
        self._empty = 0  # pages without items, in a row
        self._arrivals = ArrivalPacker(options.max_bytes)

    def on_page(self, page: ListPage) -> ListResult | None:
        """Take a page; None means that `request` now asks for the next one.

        Raises `DecodeError` when the pages need never end, `CacheTooLarge` when the options bound what they may take.
        """
        self.pages += 1
        if self._full_list or (self.pages == 1 and not page.continue_token):
            return self._result(page.items, page.resource_version, page.shard_selector)
        if self.pages == 1:
            self._resource_version = page.resource_version
            self._shard_selector = page.shard_selector
        self._items.extend(page.items)
        self._arrivals.add(page.items)
        if not page.continue_token:
            return self._result(self._items, self._resource_version, self._shard_selector)
        self._check_progress(page)
        self.paginated = True
        self.request = replace(
            self.request, continue_token=page.continue_token, resource_version="", resource_version_match=""
        )
        return None

    def _check_progress(self, page: ListPage) -> None:
        if page.continue_token in self._followed:
            raise DecodeError(
                "the server answered a page of the list with a continue token that it gave before; the list has no end"
            )
        self._followed.add(page.continue_token)
        self._empty = 0 if page.items else self._empty + 1
        if self._empty > MOST_EMPTY_PAGES:
            raise DecodeError(f"the server answered {self._empty} pages of the list in a row without an object")

    def _result(self, items: Sequence[KubeObject], version: str, shard_selector: str) -> ListResult:
        return ListResult(items, version, self.paginated, self.pages, shard_selector)

    def on_error(self, error: Exception) -> bool:
        """Take a failure; True means that `request` now asks for the full list instead."""
        expired = isinstance(error, ApiStatusError) and error.reason == "Expired"
        if not expired or not self._full_list_if_expired or not self.request.continue_token:
            return False
        self._full_list = True
        self._items = []
        self._arrivals = ArrivalPacker(self._original.max_bytes)
        self.request = replace(self._original, limit=0, continue_token="")
        return True


def list_in_pages(
    fetch: Callable[[ListOptions], ListPage],
    options: ListOptions,
    page_size: int = DEFAULT_PAGE_SIZE,
    *,
    full_list_if_expired: bool = True,
) -> ListResult:
    """Fetch a complete list page by page (client-go `ListPager.List`). Raises what `fetch` raises."""
    pager = ListPager(options, page_size, full_list_if_expired=full_list_if_expired)
    while True:
        try:
            page = fetch(pager.request)
        except InformerError as error:
            if not pager.on_error(error):
                raise
            continue
        result = pager.on_page(page)
        if result is not None:
            return result
