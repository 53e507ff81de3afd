"""What a scenario is made of: the log, the scripted handlers, transforms and index functions (README.md)."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import kdash
from kdash.informer import (
    ApiStatusError,
    ConnectionRefused,
    ConnectionReset,
    DeletedFinalStateUnknown,
    KubeObject,
    ResourceInfo,
    UnexpectedEOF,
)

RESOURCES = {
    "configmaps": ResourceInfo("", "v1", "configmaps", "ConfigMap", True),
    "secrets": ResourceInfo("", "v1", "secrets", "Secret", True),
    "pods": ResourceInfo("", "v1", "pods", "Pod", True),
}


class Log:
    """Writes events as lines and counts what the actions wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self.callbacks: dict[str, int] = {}
        self.returned: dict[str, int] = {}
        self.synced: set[str] = set()

    def begin(self) -> None:
        self._began = time.monotonic()
        self._write(
            {"ev": "start", "epoch_ms": time.time() * 1000, "implementation": f"kdash {kdash.__version__}"}
        )

    def now_ms(self) -> float:
        return round((time.monotonic() - self._began) * 1000, 1)

    def write(self, ev: str, **fields: Any) -> None:
        self._write({"ev": ev, "t_ms": self.now_ms(), **fields})

    def _write(self, event: dict[str, Any]) -> None:
        line = json.dumps({k: v for k, v in event.items() if v is not None}) + "\n"
        with self._lock:
            if event["ev"] == "callback":
                self.callbacks[event["handler"]] = self.callbacks.get(event["handler"], 0) + 1
            sys.stdout.write(line)
            sys.stdout.flush()

    def mark_synced(self, who: str, handler: str | None = None) -> None:
        self.write("synced", who=who, callbacks_done=self.returned.get(handler, 0) if handler else None)
        self.synced.add(who)


class LoggingHandler:
    """A scripted event handler: logs, then sleeps or raises as the scenario says."""

    def __init__(
        self, spec: dict[str, Any], log: Log, details: bool, store_size: Callable[[], int] | None
    ) -> None:
        self.name = spec["name"]
        self._sleep_ms = spec.get("sleep_ms", {})
        self._panic_on = {(p["callback"], p["key"]) for p in spec.get("panic_on", ())}
        self._log = log
        self._details = details
        self._store_size = store_size

    def on_add(self, obj: KubeObject, is_in_initial_list: bool) -> None:
        self._called(
            "add", obj.key, obj_rv=obj.resource_version, uid=obj.uid, in_initial_list=is_in_initial_list,
            **self._inside(obj),
        )  # fmt: skip

    def on_update(self, old: KubeObject, new: KubeObject) -> None:
        self._called(
            "update", new.key, old_rv=old.resource_version, new_rv=new.resource_version, uid=new.uid,
            old_uid=old.uid if old.uid != new.uid else None, same_object=old is new,
            **self._inside(new), **self._inside(old, "old_"),
        )  # fmt: skip

    def on_delete(self, obj: Any) -> None:
        tombstone = isinstance(obj, DeletedFinalStateUnknown)
        last = obj.obj if tombstone else obj
        found = (
            {} if last is None else {"obj_rv": last.resource_version, "uid": last.uid, **self._inside(last)}
        )
        self._called("delete", obj.key, tombstone=tombstone, **found)

    def _inside(self, obj: KubeObject, prefix: str = "") -> dict[str, Any]:
        if not self._details:
            return {}
        decoded = obj.to_dict()
        return {
            f"{prefix}managed_fields": bool(decoded["metadata"].get("managedFields")),
            f"{prefix}data_rv": (decoded.get("data") or {}).get("rv"),
        }

    def _called(self, callback: str, key: str, **fields: Any) -> None:
        if self._store_size is not None:
            fields["store_size"] = self._store_size()
        self._log.write("callback", handler=self.name, callback=callback, key=key, **fields)
        if delay := self._sleep_ms.get(callback):
            time.sleep(delay / 1000)
        if (callback, key) in self._panic_on:
            raise RuntimeError(f"scripted failure in {callback} of {key}")
        self._log.returned[self.name] = self._log.returned.get(self.name, 0) + 1


def transform_of(names: list[str]) -> Callable[[KubeObject], KubeObject] | None:
    if not names:
        return None

    def transform(obj: KubeObject) -> KubeObject:
        decoded = obj.to_dict()
        for name in names:
            if name == "strip_managed_fields":
                decoded["metadata"].pop("managedFields", None)
            elif name == "strip_resource_version":
                decoded["metadata"].pop("resourceVersion", None)
            elif name == "fail_if_label_bad":
                if (decoded["metadata"].get("labels") or {}).get("bad") == "true":
                    raise ValueError("label bad is true")
            else:
                raise SystemExit(f"unknown transform {name}")
        return KubeObject.from_dict(decoded)

    return transform


def delaying_index(delays: dict[str, int]) -> Callable[[Any], list[str]]:
    left = dict(delays)

    def index(obj: KubeObject) -> list[str]:
        time.sleep(left.pop(f"{obj.key}@{obj.resource_version}", 0) / 1000)
        return []

    return index


def error_fields(error: BaseException) -> dict[str, Any]:
    if isinstance(error, ApiStatusError):
        return {"class": "status", "code": error.code, "reason": error.reason}
    for kind, name in (
        (ConnectionRefused, "connection refused"),
        (ConnectionReset, "connection reset"),
        (UnexpectedEOF, "eof"),
    ):
        if isinstance(error, kind):
            return {"class": name}
    return {"class": "other"}
