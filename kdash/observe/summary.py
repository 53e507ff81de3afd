"""The status word of an object, as `kubectl get` would sum it up. Pure; fields may be missing or odd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kdash.probe.text import shorten

__all__ = ["summary_of"]


def summary_of(obj: Mapping[str, Any]) -> str:
    """A short word or two: `Running`, `CrashLoopBackOff`, `3/3`, `Ready`; "" when there is none."""
    kind = obj.get("kind")
    words = _BY_KIND.get(kind, _generic) if isinstance(kind, str) else _generic
    return shorten(words(obj), 24)


def _part(obj: Mapping[str, Any], *path: str) -> Any:
    value: Any = obj
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any, default: int = 0) -> int:
    return value if isinstance(value, int) else default


def _condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    for condition in _items(_part(obj, "status", "conditions")):
        if condition.get("type") == kind:
            return condition
    return None


def _pod(obj: Mapping[str, Any]) -> str:
    if _part(obj, "metadata", "deletionTimestamp"):
        return "Terminating"
    initial = _items(_part(obj, "status", "initContainerStatuses"))
    for status in initial:
        reason = _container_reason(status)
        if reason not in ("", "Completed"):
            return f"Init:{reason}"
    for status in _items(_part(obj, "status", "containerStatuses")):
        reason = _container_reason(status)
        if reason and reason != "Completed":
            return reason
    return _text(_part(obj, "status", "reason")) or _text(_part(obj, "status", "phase")) or "Unknown"


def _container_reason(status: Mapping[str, Any]) -> str:
    waiting = _text(_part(status, "state", "waiting", "reason"))
    return waiting or _text(_part(status, "state", "terminated", "reason"))


def _replicas(obj: Mapping[str, Any]) -> str:
    wanted = _number(_part(obj, "spec", "replicas"), 1)
    return f"{_number(_part(obj, 'status', 'readyReplicas'))}/{wanted}"


def _daemon_set(obj: Mapping[str, Any]) -> str:
    wanted = _number(_part(obj, "status", "desiredNumberScheduled"))
    return f"{_number(_part(obj, 'status', 'numberReady'))}/{wanted}"


def _node(obj: Mapping[str, Any]) -> str:
    ready = _condition(obj, "Ready")
    word = "Unknown" if ready is None else {"True": "Ready", "False": "NotReady"}.get(
        _text(ready.get("status")), "Unknown")
    return word + (",Cordoned" if _part(obj, "spec", "unschedulable") is True else "")


def _job(obj: Mapping[str, Any]) -> str:
    for kind in ("Failed", "Complete", "Suspended"):
        condition = _condition(obj, kind)
        if condition is not None and condition.get("status") == "True":
            return kind
    wanted = _number(_part(obj, "spec", "completions"), 1)
    return f"{_number(_part(obj, 'status', 'succeeded'))}/{wanted}"


def _event(obj: Mapping[str, Any]) -> str:
    return _text(obj.get("reason"))


def _data(obj: Mapping[str, Any]) -> str:
    values = obj.get("data")
    count = len(values) if isinstance(values, Mapping) else 0
    return f"{count} key" if count == 1 else f"{count} keys"


def _service(obj: Mapping[str, Any]) -> str:
    return _text(_part(obj, "spec", "type")) or "ClusterIP"


def _generic(obj: Mapping[str, Any]) -> str:
    phase = _text(_part(obj, "status", "phase"))
    if phase:
        return phase
    for kind in ("Ready", "Available", "Established"):
        condition = _condition(obj, kind)
        if condition is not None:
            return kind if condition.get("status") == "True" else f"Not{kind}"
    return ""


_BY_KIND: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "Pod": _pod,
    "Deployment": _replicas,
    "StatefulSet": _replicas,
    "ReplicaSet": _replicas,
    "ReplicationController": _replicas,
    "DaemonSet": _daemon_set,
    "Node": _node,
    "Job": _job,
    "Event": _event,
    "ConfigMap": _data,
    "Secret": _data,
    "Service": _service,
}
