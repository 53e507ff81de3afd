"""Transitions of the reflector's machine that fetch the full state: list and watch-list (RF-9 to RF-26).

Contract: a part of `reflector_machine.ReflectorMachine`, whose header explains the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kdash.informer import reflector_effects as fx
from kdash.informer import reflector_states as at
from kdash.informer.errors import (
    ApiStatusError,
    CacheTooLarge,
    DecodeError,
    InformerError,
    VeryShortWatchError,
    is_connection_refused,
    is_expired,
    is_too_large_resource_version,
    is_too_many_requests,
)
from kdash.informer.event_filter import CHANGES, EventFilter, is_unsupported_table
from kdash.informer.list_watch import ListOptions, WatchEvent
from kdash.informer.objects import KubeObject
from kdash.informer.packing_arrivals import ArrivalPacker
from kdash.informer.pager import ListPager, ListResult
from kdash.informer.patience import SYNC_PATIENCE_S
from kdash.informer.reflector_session import VERY_SHORT_S, SessionFrame, error_class

__all__ = ["FullStateTransitions", "status_of"]

_TELL_S = 10.0  # the tick of client-go's warnings (RF-26)


def status_of(event: WatchEvent) -> ApiStatusError:
    """The error of an ERROR event; one without a Status is an internal error."""
    return event.status or ApiStatusError(500, "InternalError", "an ERROR event without a Status")


class FullStateTransitions(SessionFrame):
    """List, watch-list, and the replace that both end in."""

    def __init__(
        self,
        *,
        name: str,
        event_filter: EventFilter,
        transform: Callable[[KubeObject], KubeObject] | None = None,
        sync_patience_s: float = SYNC_PATIENCE_S,
        **frame: Any,
    ) -> None:
        super().__init__(**frame)
        self._name = name
        self._filter = event_filter
        self._transform = transform
        self._sync_patience_s = sync_patience_s

    # list ----------------------------------------------------------------------------------------------

    def _begin_list(self) -> None:
        version, reason = self._rules.list_version(self.version)
        limit, why_limit = self._rules.page_limit(version, self.version)
        pager = ListPager(ListOptions(resource_version=version, max_bytes=self._rules.max_cache), limit)
        now = self._now
        self._enter(at.Listing(pager, version, limit, why_limit, now, now))
        self._tell("list.start", version, reason, limit, why_limit, 1)
        self._out.append(fx.SendList(pager.request))

    def _retry_as_quorum_read(self, state: at.Listing) -> None:
        """The same list once more with version "", at once and with the same limit (RF-16)."""
        state.attempt = 2
        state.pager = ListPager(ListOptions(max_bytes=self._rules.max_cache), state.limit)
        state.started_at = state.page_sent_at = self._now
        self._tell("list.start", "", "unavailable", state.limit, state.why_limit, 2)
        self._out.append(fx.SendList(state.pager.request))

    def _page_arrived(self, state: at.Listing, arrived: fx.PageArrived) -> None:
        page, pager, now = arrived.page, state.pager, self._now
        more = bool(page.continue_token)
        self._tell(
            "list.page", pager.pages + 1, len(page.items), page.size, more, page.remaining_item_count,
            page.resource_version, now - state.page_sent_at,
        )  # fmt: skip
        if is_unsupported_table(page.api_version, page.kind):
            self._list_failed(state, fx.ListFailed(DecodeError("the server answered the list with a Table")))
            return
        try:
            result = pager.on_page(page)
        except InformerError as error:
            self._list_failed(state, fx.ListFailed(error))
            return
        if result is not None:
            self._list_complete(state, result)
            return
        state.page_sent_at = now
        self._out.append(fx.SendList(pager.request))

    def _list_complete(self, state: at.Listing, result: ListResult) -> None:
        if state.resource_version == "0" and result.paginated:
            self.version.paginated = True
        self.version.unavailable = False
        self._tell_list_end(state, None, len(result.items), result.paginated, result.resource_version)
        self._enter(at.Replacing(result.resource_version, watch_list=False))
        self._out.append(fx.Replace(result.items, result.resource_version))

    def _tell_list_end(
        self,
        state: at.Listing,
        error: Exception | None,
        items: int = 0,
        paginated: bool = False,
        version: str = "",
    ) -> None:
        lasted_s = self._now - state.started_at
        ok, pages = error is None, state.pager.pages
        self._tell("list.end", ok, error_class(error), items, pages, paginated, version, lasted_s)

    def _list_failed(self, state: at.Listing, failed: fx.ListFailed) -> None:
        error, pager = failed.error, state.pager
        if pager.on_error(error):
            self._tell("list.fallback_full", pager.pages + 1, pager.request.resource_version)
            state.page_sent_at = self._now
            self._out.append(fx.SendList(pager.request))
            return
        self._tell_list_end(state, error, paginated=pager.paginated)
        if is_expired(error) or is_too_large_resource_version(error):
            self.version.unavailable = True
            if state.attempt == 1:
                self._report("list", error)
                self._retry_as_quorum_read(state)
                return
        self._end_session(error, "list")

    # watch-list ----------------------------------------------------------------------------------------

    def _open_watch_list(self) -> None:
        version = self._rules.watch_list_version(self.version)
        timeout_s = self._rules.timeout_s(self._rng)
        self._enter(at.OpeningWatchList(self._now, timeout_s))
        self._tell("watchlist.start", version, timeout_s)
        self._out.append(fx.OpenWatch(self._rules.watch_list(version, timeout_s)))

    def _watch_list_opened(self, state: at.OpeningWatchList, _: fx.WatchOpened) -> None:
        self._enter(at.WatchListing(state.started_at, state.timeout_s, ArrivalPacker(self._rules.max_cache)))
        self._out += (self._await_end(0), fx.ReadEvents())

    def _watch_list_open_failed(self, _: at.OpeningWatchList, failed: fx.WatchOpenFailed) -> None:
        self._watch_list_failed(failed.error)

    def _initial_events(self, state: at.WatchListing, arrived: fx.EventsArrived) -> None:
        """Take events into the temporary store until the end bookmark (RF-22, RF-23)."""
        added, taken = state.added, list[KubeObject]()
        for index, event in enumerate(arrived.events):
            type_, obj = event.type, event.object
            if type_ == "ERROR":
                self._out.append(fx.CloseStream())
                self._watch_list_failed(status_of(event))
                return
            rejection = self._filter.rejection(obj)
            if rejection or obj is None:
                self._out.append(fx.Reject(event, rejection))
                if event.initial_events_end:  # nothing else will end it
                    self._out.append(fx.CloseStream())
                    self._watch_list_failed(InformerError(f"the end of the initial events cannot be used: {rejection}"))
                    return
                continue
            state.events += 1
            if type_ != "ADDED":
                state.resource_version = obj.resource_version
            if type_ in CHANGES:
                self._take_initial(state, type_, obj, taken)
            elif type_ != "BOOKMARK":
                self._out.append(fx.Reject(event, "unknown event type", counted=True))
            elif event.initial_events_end:
                self._initial_complete(state, arrived.events[index + 1 :])
                return
        self._tell_progress(state)
        try:
            state.arrivals.add(taken)
        except CacheTooLarge as error:
            self._out.append(fx.CloseStream())
            self._end_session(error, "watch-list")
            return
        if state.added > added:
            self._out.append(self._await_end(len(state.initial)))
        self._out.append(fx.ReadEvents())

    def _await_end(self, objects: int) -> fx.Effect:
        return fx.AwaitEndBookmark(_TELL_S, self._sync_patience_s, objects)

    def _take_initial(self, state: at.WatchListing, type_: str, obj: KubeObject, taken: list[KubeObject]) -> None:
        key = obj.key
        if type_ == "DELETED":
            state.deleted += 1
            state.initial.pop(key, None)
            return
        if type_ == "ADDED":
            state.added += 1
        else:
            state.modified += 1
        if self._transform is not None:
            try:
                obj = self._transform(obj)
            except Exception as error:
                self._report("transform", error)
                return
        state.initial[key] = obj
        if type(obj) is KubeObject:
            taken.append(obj)

    def _tell_progress(self, state: at.WatchListing) -> None:
        self._tell("watchlist.progress", state.added, state.modified, state.deleted, len(state.initial))

    def _initial_complete(self, state: at.WatchListing, leftover: Sequence[WatchEvent]) -> None:
        version, objects = state.resource_version, list(state.initial.values())
        self.version.unavailable = False
        self._tell_progress(state)
        self._tell("watchlist.bookmark", version, len(objects), self._now - state.started_at)
        self._enter(at.Replacing(version, True, leftover, state.timeout_s))
        self._out.append(fx.Replace(objects, version))

    def _initial_stream_ended(self, state: at.WatchListing, _: fx.StreamEnded) -> None:
        """Ended before the end bookmark: start over with an empty temporary store (RF-25)."""
        self._out.append(fx.CloseStream())
        lived_s = self._now - state.started_at
        if lived_s < VERY_SHORT_S and state.events == 0:
            self._watch_list_failed(VeryShortWatchError(self._name))
            return
        self._tell("watchlist.retry", "eof", 0.0)
        self._repeat(at.AfterDelay.WATCH_LIST, lived_s)

    def _end_bookmark_missing(self, state: at.WatchListing, _: fx.EndBookmarkMissing) -> None:
        """A server that never ends its initial events; client-go warns and waits on (RF-26)."""
        self._out.append(fx.CloseStream())
        what = f"no end of the initial events after {len(state.initial)} objects"
        self._watch_list_failed(InformerError(f"{what}: {self._sync_patience_s:g} s without another one"))

    def _watch_list_failed(self, error: Exception) -> None:
        """Back off, retry at once without a version, or fall back to a list (RF-24, RF-9)."""
        self._report("watch-list", error)
        if is_too_many_requests(error) or is_connection_refused(error):
            delay = self._delays.next(self._now)
            self._tell("watchlist.retry", error_class(error), delay.seconds)
            self._sleep("watchlist", at.AfterDelay.WATCH_LIST, delay)
        elif is_expired(error) or is_too_large_resource_version(error):
            self.version.unavailable = True
            self._tell("watchlist.retry", error_class(error), 0.0)
            self._repeat(at.AfterDelay.WATCH_LIST)
        else:
            self._tell("watchlist.fallback", str(error)[:500])
            self._begin_list()

    # replace -------------------------------------------------------------------------------------------

    def _replaced(self, state: at.Replacing, _: fx.Replaced) -> None:
        """The store has it: only now does the version move, and the resync timer starts (RF-18, RF-41)."""
        self.version.last = state.resource_version
        self._resync_armed = True
        self._out.append(fx.StartResync(self.session))
        if state.watch_list:
            self._take_over(state)
        else:
            self._open_watch()

    def _replace_failed(self, state: at.Replacing, failed: fx.ReplaceFailed) -> None:
        if state.watch_list:
            self._out.append(fx.CloseStream())
            self._watch_list_failed(failed.error)
            return
        error = InformerError(f"unable to sync list result: {failed.error}")
        error.__cause__ = failed.error
        self._end_session(error, "replace")

    def _take_over(self, state: at.Replacing) -> None:
        raise NotImplementedError
