"""What goes into the reflector's machine and what comes out of it.

Contract: small frozen records. The machine answers every input with a list of effects, to be carried out
in order; the last one is a *request* (`REQUESTS`), and its outcome, or an order that came first, is the
next input. An order (`Stop`, `ForceRelist`, `EndWatch`, `ResyncFailed`) takes the place of the request it
interrupts: the request is called off and its outcome, if there is one already, thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kdash.informer.backoff import Delay
from kdash.informer.list_watch import ListOptions, ListPage, WatchEvent
from kdash.informer.objects import KubeObject

__all__ = [
    "REQUESTS",
    "Apply",
    "ApplyBookmark",
    "AwaitEndBookmark",
    "CloseStream",
    "Effect",
    "EndBookmarkMissing",
    "EndWatch",
    "EventsArrived",
    "Finished",
    "ForceRelist",
    "Input",
    "ListFailed",
    "OpenWatch",
    "PageArrived",
    "ReadEvents",
    "Reject",
    "Replace",
    "ReplaceFailed",
    "Replaced",
    "ReportError",
    "ResyncFailed",
    "SendList",
    "Sleep",
    "Start",
    "StartResync",
    "Stop",
    "StopResync",
    "StreamEnded",
    "Tell",
    "TimerFired",
    "WatchOpenFailed",
    "WatchOpened",
]

# inputs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Begin the first session."""


@dataclass(frozen=True, slots=True)
class PageArrived:
    """`SendList` was answered."""

    page: ListPage


@dataclass(frozen=True, slots=True)
class ListFailed:
    """`SendList` failed."""

    error: Exception


@dataclass(frozen=True, slots=True)
class WatchOpened:
    """`OpenWatch` was answered; the stream can be read."""


@dataclass(frozen=True, slots=True)
class WatchOpenFailed:
    """`OpenWatch` failed before any event."""

    error: Exception


@dataclass(frozen=True, slots=True)
class EventsArrived:
    """`ReadEvents` brought at least one event."""

    events: Sequence[WatchEvent]


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """`ReadEvents` found the end of the stream, without an error."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """`Replace` is done."""


@dataclass(frozen=True, slots=True)
class ReplaceFailed:
    """The store refused the replace."""

    error: Exception


@dataclass(frozen=True, slots=True)
class TimerFired:
    """`Sleep` is over."""


@dataclass(frozen=True, slots=True)
class ResyncFailed:
    """Order: `store.resync` failed on the timer's thread (RF-43)."""

    error: Exception


@dataclass(frozen=True, slots=True)
class ForceRelist:
    """Order (kdash extension): fetch the full state again.

    `direct=False`: as if an ERROR 410 had come in the stream, so the delay is kept. `direct=True`: at once.
    `quorum`: ask for the newest state (version "") instead of the last version.
    """

    direct: bool = False
    quorum: bool = False


@dataclass(frozen=True, slots=True)
class EndWatch:
    """Order (kdash extension): end the stream as a server's time-out would; never counts as very short."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Order: end everything."""


@dataclass(frozen=True, slots=True)
class EndBookmarkMissing:
    """The patience of `AwaitEndBookmark` is over."""


Input = (
    Start
    | PageArrived
    | ListFailed
    | WatchOpened
    | WatchOpenFailed
    | EventsArrived
    | StreamEnded
    | Replaced
    | ReplaceFailed
    | TimerFired
    | ResyncFailed
    | ForceRelist
    | EndWatch
    | EndBookmarkMissing
    | Stop
)

# requests ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendList:
    """List one page → `PageArrived` or `ListFailed`."""

    options: ListOptions


@dataclass(frozen=True, slots=True)
class OpenWatch:
    """Open a watch and keep its stream → `WatchOpened` or `WatchOpenFailed`."""

    options: ListOptions


@dataclass(frozen=True, slots=True)
class ReadEvents:
    """Read the open stream → `EventsArrived` or `StreamEnded`."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Hand the full state to the store → `Replaced` or `ReplaceFailed`."""

    objects: Sequence[KubeObject]
    resource_version: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait → `TimerFired`."""

    delay: Delay


@dataclass(frozen=True, slots=True)
class Finished:
    """The machine has stopped; there is no next input."""


REQUESTS = (SendList, OpenWatch, ReadEvents, Replace, Sleep, Finished)

# effects without an answer -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Apply:
    """Put a run of ADDED, MODIFIED and DELETED events into the store, in order."""

    events: Sequence[WatchEvent]
    moves_version: bool
    """Whether each event's version becomes the last version (RF-29)."""


@dataclass(frozen=True, slots=True)
class ApplyBookmark:
    """Tell the store, if it listens, the version of a bookmark."""

    event: WatchEvent


@dataclass(frozen=True, slots=True)
class Reject:
    """An event that changes nothing in the store."""

    event: WatchEvent
    reason: str
    counted: bool = False


@dataclass(frozen=True, slots=True)
class ReportError:
    """An error for the tap and the log and, where `to_handler`, for the watch-error handler."""

    stage: str
    error: Exception
    to_handler: bool


@dataclass(frozen=True, slots=True)
class StartResync:
    """Arm the resync timer for the session that begins to watch."""

    session: int


@dataclass(frozen=True, slots=True)
class StopResync:
    """Stop the resync timer and wait for a tick that is under way."""

    why: str


@dataclass(frozen=True, slots=True)
class AwaitEndBookmark:
    """Tell the tap after `tell_s`, and again so often, that no further initial object came; give
    `EndBookmarkMissing` after `patience_s` (0: never), unless this comes again before."""

    tell_s: float
    patience_s: float
    objects: int
    """Initial objects so far."""


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Stop the open stream, if there is one."""


@dataclass(frozen=True, slots=True)
class Tell:
    """A record for the tap: `kind` of `tap.FIELDS` and its fields."""

    kind: str
    fields: tuple[Any, ...]


Effect = (
    SendList
    | OpenWatch
    | ReadEvents
    | Replace
    | Sleep
    | Finished
    | Apply
    | ApplyBookmark
    | Reject
    | ReportError
    | StartResync
    | StopResync
    | AwaitEndBookmark
    | CloseStream
    | Tell
)
