"""Waiting for an observation without a screen: until it is synced, or it is clear that it will not be."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kdash.cli.failure import FAILED, NO_CONNECTION, CommandFailed
from kdash.probe.text import duration

if TYPE_CHECKING:
    from kdash.observe.live import LiveObservation
    from kdash.probe.snapshot import Snapshot

__all__ = ["check", "wait_synced"]

_POLL_S = 0.03


def check(observation: LiveObservation) -> Snapshot:
    """The picture of now. Raises `CommandFailed` when there is no use in waiting.

    Connecting is tried once, as kubectl does; once connected, only a refusal is final.
    """
    snapshot = observation.snapshot()
    state = snapshot.state
    if state.word in ("DENIED", "STOPPED") or (state.word == "RETRY" and not snapshot.informers):
        raise CommandFailed(state.detail or "stopped", state.exit_code or FAILED)
    return snapshot


def wait_synced(observation: LiveObservation, timeout_s: float) -> Snapshot:
    """Wait until every cache and every handler has the initial state; slow handlers get two seconds."""
    pause = threading.Event()
    until = observation.now() + timeout_s
    handlers_until = None
    while True:
        snapshot = check(observation)
        now = observation.now()
        if snapshot.informers and all(informer.synced for informer in snapshot.informers):
            if all(handler.synced for handler in snapshot.handlers):
                return snapshot
            handlers_until = handlers_until or now + 2.0
        if handlers_until is not None and now >= handlers_until:
            return snapshot
        if now >= until:
            raise CommandFailed(_too_late(snapshot, timeout_s), snapshot.state.exit_code or NO_CONNECTION)
        pause.wait(_POLL_S)


def _too_late(snapshot: Snapshot, timeout_s: float) -> str:
    missing = [informer.name for informer in snapshot.informers if not informer.synced]
    what = f"{', '.join(missing) or 'the connection'} not synced within {duration(timeout_s)}"
    return f"{what}: {snapshot.state.detail}" if snapshot.state.detail else what
