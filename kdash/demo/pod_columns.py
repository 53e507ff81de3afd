"""READY, STATUS and RESTARTS of a pod, by the rules of `kubectl get pods`."""

from __future__ import annotations

from typing import Any

from . import ages

Item = dict[str, Any]


def _statuses(pod: Item, field: str) -> list[Item]:
    return (pod.get("status") or {}).get(field) or []


def containers_ready(pod: Item) -> str:
    """Ready containers of all containers, such as 1/2; sidecars among the init containers count too."""
    spec = pod.get("spec") or {}
    sidecars = {container.get("name") for container in spec.get("initContainers") or []
                if container.get("restartPolicy") == "Always"}
    total = len(spec.get("containers") or []) + len(sidecars)
    ready = sum(1 for status in _statuses(pod, "containerStatuses")
                if status.get("ready") and "running" in (status.get("state") or {}))
    ready += sum(1 for status in _statuses(pod, "initContainerStatuses")
                 if status.get("name") in sidecars and status.get("ready"))
    return f"{ready}/{total}"


def pod_restarts(pod: Item, now: float) -> str:
    """How often containers restarted, and how long ago the last one did: `3 (5m ago)`."""
    restarts, last = 0, None
    for status in _statuses(pod, "containerStatuses"):
        restarts += int(status.get("restartCount") or 0)
        finished = ages.parse((((status.get("lastState") or {}).get("terminated")) or {}).get("finishedAt"))
        if finished is not None and (last is None or finished > last):
            last = finished
    return (
        str(restarts)
        if last is None or not restarts
        else f"{restarts} ({ages.human_duration(now - last)} ago)"
    )


def pod_status(pod: Item) -> str:
    """What the STATUS column says: the reason of the container that holds the pod up, or its phase."""
    status = pod.get("status") or {}
    reason = str(status.get("reason") or status.get("phase") or "")
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    initialising = _init_reason(pod)
    if initialising is not None:
        reason = initialising
    else:
        reason = _container_reason(pod, reason)
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Failed", "Succeeded"):
            return "Terminating"
    return reason


def _init_reason(pod: Item) -> str | None:
    """`Init:…` while an init container is not done; None once all are."""
    statuses = _statuses(pod, "initContainerStatuses")
    total = len((pod.get("spec") or {}).get("initContainers") or [])
    for at, status in enumerate(statuses):
        state = status.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated is not None:
            if not terminated.get("exitCode"):
                continue
            return "Init:" + _terminated_reason(terminated)
        if status.get("started") and "running" in state and status.get("ready"):
            continue
        if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{at}/{total}"
    return None


def _container_reason(pod: Item, reason: str) -> str:
    running = False
    for status in reversed(_statuses(pod, "containerStatuses")):
        state = status.get("state") or {}
        waiting, terminated = state.get("waiting"), state.get("terminated")
        if waiting and waiting.get("reason"):
            reason = str(waiting["reason"])
        elif terminated is not None:
            reason = _terminated_reason(terminated)
        elif status.get("ready") and "running" in state:
            running = True
    if reason == "Completed" and running:
        conditions = (pod.get("status") or {}).get("conditions") or []
        ready = any(
            condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions
        )
        return "Running" if ready else "NotReady"
    return reason


def _terminated_reason(terminated: Item) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"
