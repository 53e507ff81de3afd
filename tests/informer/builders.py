"""Objects for the tests of the data structures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec

from kdash.informer.objects import KubeObject
from kdash.informer.tap import RingTap, as_dict

__all__ = ["Known", "make", "raw_pod", "records", "until"]


def raw_pod(name: str, version: object = 1, namespace: str = "", **fields: Any) -> bytes:
    """The JSON of a small pod; `metadata` in `fields` adds to its metadata."""
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    metadata.update(fields.pop("metadata", {}))
    if namespace:
        metadata["namespace"] = namespace
    return msgspec.json.encode({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, **fields})


def make(name: str, version: object = 1, namespace: str = "", **fields: Any) -> KubeObject:
    return KubeObject.from_bytes(raw_pod(name, version, namespace, **fields))


class Known:
    """A store as a queue sees it (client-go's `literalListerGetter`)."""

    def __init__(self, *objects: KubeObject) -> None:
        self.objects = {obj.key: obj for obj in objects}

    def __len__(self) -> int:
        return len(self.objects)

    def list_keys(self) -> list[str]:
        return list(self.objects)

    def get_by_key(self, key: str) -> KubeObject | None:
        return self.objects.get(key)


def until(predicate: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait until another thread has made `predicate` true."""
    pause = threading.Event()
    for _ in range(int(timeout_s * 1000)):
        if predicate():
            return
        pause.wait(0.001)
    raise AssertionError("it did not become true in time")


def records(tap: RingTap, kind: str) -> list[dict[str, Any]]:
    """The tap's records of one kind so far; empties the tap."""
    return [record for record in map(as_dict, tap.drain()) if record["kind"] == kind]
