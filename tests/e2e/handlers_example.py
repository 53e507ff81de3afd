"""A handler as people write them, for "Why is my handler slow?": one branch sleeps, one computes, one is quick.

    kdash demo --handler mine=tests.e2e.handlers_example:on_pod,slow=50ms
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

__all__ = ["Auditor", "on_pod"]


def on_pod(event: Any) -> None:
    """Called for each add, update and delete of a pod."""
    if event.is_sync:
        return
    if event.type == "update" and _node_changed(event):
        ask_inventory(event.key)
    elif event.type == "update":
        fingerprint(event.obj.to_json())


def _node_changed(event: Any) -> bool:
    return bool(event.old["spec"].get("nodeName") != event.obj["spec"].get("nodeName"))


def ask_inventory(key: str) -> None:
    """Stands for a call to some service that takes its time."""
    time.sleep(0.4)


def fingerprint(raw: bytes) -> str:
    """A checksum that somebody made far too strong."""
    digest = raw
    for _ in range(300_000):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()


class Auditor:
    """The same as a class: every informer gets one of its own."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def on_add(self, obj: Any, is_in_initial_list: bool) -> None:
        self.seen.add(obj.key)

    def on_update(self, old: Any, new: Any) -> None:
        self.seen.add(new.key)

    def on_delete(self, obj: Any) -> None:
        self.seen.discard(obj.key)
