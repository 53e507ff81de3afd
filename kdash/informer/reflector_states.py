"""Where a reflector can be: each state is a type that carries exactly what that state knows.

Contract: plain data, owned and changed by `reflector_machine.ReflectorMachine` alone. What outlives a
state (the last version, the sticky flags, the delays) belongs to the machine. Instants are the clock's
monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from kdash.informer.list_watch import WatchEvent
from kdash.informer.objects import KubeObject
from kdash.informer.packing_arrivals import ArrivalPacker
from kdash.informer.pager import ListPager

__all__ = [
    "AfterDelay",
    "BackingOff",
    "Listing",
    "NotStarted",
    "OpeningWatch",
    "OpeningWatchList",
    "Replacing",
    "State",
    "Stopped",
    "WatchListing",
    "Watching",
]


@dataclass(slots=True)
class NotStarted:
    """Before `Start`."""


@dataclass(slots=True)
class Listing:
    """A page of a list is under way. Left when the last page is in, or the list failed for good."""

    pager: ListPager
    resource_version: str
    """The version the list was first asked for; stays when a quorum retry follows."""
    limit: int
    why_limit: str
    started_at: float
    page_sent_at: float
    attempt: int = 1
    """2 for the immediate retry without a version (RF-16)."""


@dataclass(slots=True)
class OpeningWatchList:
    """A watch with sendInitialEvents was sent and has not been answered yet."""

    started_at: float
    timeout_s: int


@dataclass(slots=True)
class WatchListing:
    """The initial events of a watch-list stream in. Left at the end bookmark, at an error, or when it
    ends."""

    started_at: float
    """Before the request was sent."""
    timeout_s: int
    arrivals: ArrivalPacker = field(default_factory=ArrivalPacker)
    """What compresses the oldest objects of a large state while more come."""
    initial: dict[str, KubeObject] = field(default_factory=dict)
    """The temporary store (RF-22), by key, transformed."""
    resource_version: str = ""
    """Of the last event that was no ADDED."""
    events: int = 0
    added: int = 0
    modified: int = 0
    deleted: int = 0


@dataclass(slots=True)
class Replacing:
    """The complete state was handed to the store, whose answer is awaited."""

    resource_version: str
    watch_list: bool
    """True: the stream stays open and becomes the watch (RF-23)."""
    leftover: Sequence[WatchEvent] = ()
    """Events that came in one batch with the end bookmark, after it."""
    timeout_s: int = 0
    """What the watch-list asked for."""


@dataclass(slots=True)
class OpeningWatch:
    """A watch was sent and has not been answered yet."""

    started_at: float
    """Before the request was sent."""
    resource_version: str
    timeout_s: int


@dataclass(slots=True)
class Watching:
    """Events stream in; the only state in which single changes reach the store."""

    started_at: float
    """Before the request was sent, or the hand-over from a watch-list."""
    moves_version: bool
    """False until an event other than ADDED came on a watch opened at version "" or "0" (RF-29)."""
    events: int = 0
    """Events that count against "very short" (RF-38)."""


class AfterDelay(StrEnum):
    """What a delay leads to."""

    SESSION = "session"
    WATCH = "watch"
    WATCH_LIST = "watch-list"


@dataclass(slots=True)
class BackingOff:
    """Waiting. `site` says for what: outer, watch_open, watch_429, watchlist or pacing."""

    site: str
    then: AfterDelay
    since: float


@dataclass(slots=True)
class Stopped:
    """The end; nothing leads out of it."""


State = (
    NotStarted
    | Listing
    | OpeningWatchList
    | WatchListing
    | Replacing
    | OpeningWatch
    | Watching
    | BackingOff
    | Stopped
)
