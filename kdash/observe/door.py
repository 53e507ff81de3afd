"""The narrow door through which the screen and the commands give orders to informers.

A live cluster, the demo and later a replayed trace offer the same door. No method blocks longer than a few
milliseconds except `start`, `stop` and `find`; none raises for what a user can cause: the answer is an `Outcome`.
Any thread may call any method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from kdash.probe.objects import ObjectRef
from kdash.probe.snapshot import AdviceView, ChangeView, Snapshot, VersionView

__all__ = ["Look", "Observation", "Outcome", "Replay", "ScopeView", "UiOptions", "replay_of"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order, in one sentence for the toast and the event log."""

    ok: bool
    text: str
    extension: bool = False
    """True when client-go has no such thing: shown as "kdash extension"."""


@dataclass(frozen=True, slots=True)
class UiOptions:
    """How the command line wants the dashboard; None: the screen decides."""

    refresh_hz: float = 10.0
    theme: str | None = None
    ascii: bool | None = None
    """Only ASCII characters; None: when the locale is not UTF-8."""
    mouse: bool = True
    reduced_motion: bool = False
    gentle: bool = False
    """Ask before every order that makes requests."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys of the user's own choice: action id to Textual's names of the keys; `()` frees it of keys."""
    themes: Path | None = None
    """The folder of the user's own themes."""


@dataclass(frozen=True, slots=True)
class ScopeView:
    """What is observed, and what else could be."""

    resources: tuple[str, ...] = ()
    namespace: str = ""
    """"" when all namespaces are."""
    all_namespaces: bool = False
    label_selector: str = ""
    field_selector: str = ""
    context: str = ""
    namespaces: tuple[str, ...] = ()
    """Those that have been seen; the server is not asked."""
    contexts: tuple[str, ...] = ()


class Look(Protocol):
    """What can be seen: of now, or of one instant. `objects` and `events` are an `ObjectIndex` and an `EventLog`."""

    @property
    def objects(self) -> Any: ...

    @property
    def events(self) -> Any: ...

    def snapshot(self) -> Snapshot:
        """The picture."""

    def read_object(self, ref: ObjectRef) -> Mapping[str, Any] | None:
        """The cached object, decoded, Secret values hidden; None when it is not cached. No request."""

    def summary(self, ref: ObjectRef) -> str:
        """A short status word of the object (pods: phase or waiting reason; deployments: ready/wanted)."""

    def labels(self, ref: ObjectRef) -> Mapping[str, str]:
        """The cached object's labels; empty when it is not cached."""

    def history(self, ref: ObjectRef) -> tuple[VersionView, ...]:
        """What is known of the object's last 32 versions, oldest first; also of one that was deleted."""

    def version(self, ref: ObjectRef, number: int) -> Mapping[str, Any] | None:
        """The content of one version, decoded; of a Secret its metadata only. None when it is forgotten."""

    def changes(self, ref: ObjectRef, old: int, new: int) -> tuple[ChangeView, ...]:
        """What differs between two versions, by path; empty when nothing does or one is forgotten."""

    def advice(self) -> tuple[AdviceView, ...]:
        """What is wrong with these informers and handlers, problems first; computed when asked for."""


class Observation(Look, Protocol):
    """What can be seen now, and done."""

    is_demo: bool
    is_replay: bool
    """Whether it is a recording, and a `Replay`."""

    def freeze(self) -> Look:
        """This instant, to be looked at while everything goes on. Some 10 ms for 10,000 objects."""

    def start(self) -> None:
        """Connect and start the informers in the background; returns at once. Failures become states."""

    def stop(self, timeout_s: float = 1.0) -> None:
        """Stop everything; returns within `timeout_s` even when a server hangs or a handler is stuck."""

    def now(self) -> float:
        """The observation's monotonic clock."""

    def activity(self) -> int:
        """A number that grows when something has happened; while it stays, only clocks and countdowns move."""

    def resync_now(self, handler: str | None = None) -> Outcome: ...

    def relist(self) -> Outcome: ...

    def rewatch(self) -> Outcome: ...

    def set_resync_period(self, period_s: float, handler: str | None = None) -> Outcome:
        """`handler=None`: every handler that resyncs. 0 turns it off."""

    def add_handler(self, name: str, delay_s: float = 0.0, period_s: float | None = None) -> Outcome: ...

    def remove_handler(self, name: str) -> Outcome: ...

    def register_again(self, handler: str, period_s: float) -> Outcome:
        """Give a handler another resync period the way client-go would: it leaves and joins again."""

    def set_slow_limit(self, limit_s: float, handler: str | None = None) -> Outcome:
        """From which run time calls count as slow; `handler=None`: of every handler."""

    def reset_figures(self, which: str) -> Outcome:
        """Begin `latency` (the handlers' distributions) or `peak` (the queue's) anew."""

    def set_queue(self, engine: str) -> Outcome: ...

    # what is observed ------------------------------------------------------------------------------------

    def scope(self) -> ScopeView: ...

    def set_scope(
        self, resources: tuple[str, ...] | None = None, namespace: str | None = None,
        all_namespaces: bool | None = None, label_selector: str | None = None, field_selector: str | None = None,
    ) -> Outcome:
        """Observe something else on the same server; None leaves that part as it is. The informers start anew."""

    def set_context(self, name: str) -> Outcome:
        """Leave this server for the one of another kubeconfig context; from the demo to a real cluster, too."""

    def reload_handler(self, name: str) -> Outcome:
        """Load a handler of the user's own anew; it leaves and joins again, with a replay of the cache."""

    # the demo server only ----------------------------------------------------------------------------------

    def demo_change(self, ref: ObjectRef | None = None) -> Outcome:
        """Change a pod of the demo, this one if it is given; refused on a cluster."""

    def demo_fault(self, name: str) -> Outcome:
        """Make the demo server misbehave: a name of `demo_menu`, or `503:verb=LIST,times=3`; refused on a cluster."""

    def demo_menu(self) -> Mapping[str, str]:
        """The faults there are, each with a sentence; empty on a cluster."""

    # hold and step; `Snapshot.gate` tells the state ------------------------------------------------------

    def hold(self, stage: str = "all") -> Outcome:
        """Hold the pipeline before pop (`queue`), before the handlers (`handlers`) or both (`all`).

        The API side goes on. What is on its way already finishes.
        """

    def step(self, stage: str = "auto", handler: str | None = None) -> Outcome:
        """Let one entry through the queue (`queue`) or one notification to a handler (`handler`).

        `auto` walks one entry: first through the queue, then to each handler that waits for it, then the next
        entry. `handler` alone names whose notification goes through.
        """

    def release(self) -> Outcome:
        """Let everything go on."""

    def record(self, path: str | None) -> Outcome:
        """Record into a file from now on; None ends the recording."""


class Replay(Protocol):
    """What can be done on a recording besides."""

    def play(self, playing: bool | None = None) -> Outcome:
        """Play or pause; None: the other one."""

    def set_speed(self, speed: float) -> Outcome:
        """0.1 to 100 times as fast as it happened."""

    def faster(self, by: int) -> Outcome:
        """The next speed (1) or the one before (-1)."""

    def go(self, wall: float) -> Outcome:
        """Go to an instant, in seconds since the epoch, and pause."""

    def skip(self, kind: str, by: int) -> Outcome:
        """To the next (1) or last (-1) `event`, `resync` or `relist`, and pause."""

    def find(self, text: str, given_up: Callable[[], bool] = ...) -> Outcome:
        """To the next watch event whose key contains `text`, and pause; reads the file until then or `given_up`."""


def replay_of(observation: Observation) -> Replay | None:
    """The observation as a recording; None when it lives."""
    return cast(Replay, observation) if observation.is_replay else None
