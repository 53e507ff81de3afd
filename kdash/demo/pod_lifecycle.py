"""What happens to a pod's status as it is scheduled, started, restarted and stopped.

Each function changes one pod in place to its next state and says nothing to anybody; `kubelet` decides when.
Times are in seconds since 1970. The order for a new pod is bind, create_containers, start, become_ready.
"""

from __future__ import annotations

import zlib
from typing import Any

from . import ages

Item = dict[str, Any]
_ORDER = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def _set(pod: Item, kind: str, status: str, now: float, reason: str = "", message: str = "") -> None:
    conditions = pod.setdefault("status", {}).setdefault("conditions", [])
    found = next((condition for condition in conditions if condition["type"] == kind), None)
    if found is None:
        found = {"type": kind, "status": "", "lastProbeTime": None, "lastTransitionTime": ages.rfc3339(now)}
        conditions.append(found)
        conditions.sort(key=lambda condition: _ORDER.index(condition["type"])
                        if condition["type"] in _ORDER else len(_ORDER))
    if found["status"] != status:
        found["status"], found["lastTransitionTime"] = status, ages.rfc3339(now)
    for key, text in (("reason", reason), ("message", message)):
        if text:
            found[key] = text
        else:
            found.pop(key, None)


def _not_ready(pod: Item, now: float, reason: str = "ContainersNotReady") -> None:
    names = " ".join(
        status["name"] for status in pod["status"].get("containerStatuses", []) if not status["ready"]
    )
    message = f"containers with unready status: [{names}]" if reason == "ContainersNotReady" else ""
    for kind in ("Ready", "ContainersReady"):
        _set(pod, kind, "False", now, reason, message)


def container_id(pod: Item, at: int, restart: int) -> str:
    """A container's identity: made of the pod's uid, so it is the same in every run with the same seed."""
    head = str(pod["metadata"]["uid"]).replace("-", "")
    return f"containerd://{head}{zlib.crc32(f'{head}{at}{restart}'.encode()):08x}{head[:24]}"


def image_id(image: str) -> str:
    """A digest for an image's name."""
    number = zlib.crc32(image.encode())
    return (
        f"{image.rpartition(':')[0] or image}@sha256:{number:08x}{number ^ 0xFFFFFFFF:08x}"
        + f"{number:08x}" * 6
    )


def bind(pod: Item, node: str, now: float) -> None:
    """Put the pod on a node."""
    pod["spec"]["nodeName"] = node
    _set(pod, "PodScheduled", "True", now)


def create_containers(pod: Item, node_address: str, pod_address: str, now: float) -> None:
    """The kubelet has seen the pod: ContainerCreating."""
    status = pod["status"]
    status["phase"] = "Pending"
    status["hostIP"], status["hostIPs"] = node_address, [{"ip": node_address}]
    status["startTime"] = ages.rfc3339(now)
    status["containerStatuses"] = [
        {
            "name": container["name"],
            "state": {"waiting": {"reason": "ContainerCreating"}},
            "lastState": {},
            "ready": False,
            "restartCount": 0,
            "image": container.get("image", ""),
            "imageID": "",
            "started": False,
        }
        for container in pod["spec"].get("containers", [])
    ]
    _set(pod, "PodReadyToStartContainers", "True", now)
    _set(pod, "Initialized", "True", now)
    _not_ready(pod, now)
    status["podIP"], status["podIPs"] = pod_address, [{"ip": pod_address}]


def start(pod: Item, now: float) -> None:
    """All containers that are not running start; they are not ready yet."""
    pod["status"]["phase"] = "Running"
    for at, container in enumerate(pod["status"].get("containerStatuses", [])):
        if "running" not in container["state"]:
            container["state"] = {"running": {"startedAt": ages.rfc3339(now)}}
            container["imageID"] = image_id(container["image"])
            container["containerID"] = container_id(pod, at, container["restartCount"])
            container["started"] = True


def become_ready(pod: Item, now: float) -> None:
    """The readiness probes succeed."""
    for container in pod["status"].get("containerStatuses", []):
        container["ready"] = "running" in container["state"]
    for kind in ("Ready", "ContainersReady"):
        _set(pod, kind, "True", now)


def become_unready(pod: Item, now: float) -> None:
    """A readiness probe fails; the containers go on running."""
    for container in pod["status"].get("containerStatuses", [])[:1]:
        container["ready"] = False
    _not_ready(pod, now)


def crash(pod: Item, now: float, *, exit_code: int = 1, reason: str = "Error", back_off_s: int = 0) -> None:
    """The first container ends and is counted as restarted; with `back_off_s` it waits in CrashLoopBackOff.
    """
    statuses = pod["status"].get("containerStatuses") or []
    if not statuses:
        return
    container = statuses[0]
    started = container["state"].get("running", {}).get("startedAt", ages.rfc3339(now))
    ended = {"exitCode": exit_code, "reason": reason, "startedAt": started, "finishedAt": ages.rfc3339(now)}
    if container.get("containerID"):
        ended["containerID"] = container["containerID"]
    container["lastState"] = {"terminated": ended}
    container["restartCount"] += 1
    container["ready"], container["started"] = False, False
    message = (f"back-off {back_off_s}s restarting failed container={container['name']} "
               f"pod={pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})")
    container["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": message}} if back_off_s else \
        {"terminated": dict(ended)}
    _not_ready(pod, now)


def finish(pod: Item, now: float, *, exit_code: int = 0) -> None:
    """All containers end for good: phase Succeeded or Failed."""
    reason = "Completed" if exit_code == 0 else "Error"
    pod["status"]["phase"] = "Succeeded" if exit_code == 0 else "Failed"
    for container in pod["status"].get("containerStatuses", []):
        started = container["state"].get("running", {}).get("startedAt", ages.rfc3339(now))
        container["state"] = {"terminated": {
            "exitCode": exit_code, "reason": reason, "startedAt": started, "finishedAt": ages.rfc3339(now),
            **({"containerID": container["containerID"]} if "containerID" in container else {})}}
        container["ready"], container["started"] = False, False
    _not_ready(pod, now, "PodCompleted" if exit_code == 0 else "ContainersNotReady")


def stop(pod: Item, now: float) -> None:
    """The containers of a pod that is being deleted have ended."""
    phase = pod["status"].get("phase")
    if pod["status"].get("containerStatuses") and phase not in ("Succeeded", "Failed"):
        finish(pod, now)
        pod["status"]["phase"] = phase
    pod["metadata"]["deletionGracePeriodSeconds"] = 0


def is_ready(pod: Item) -> bool:
    """True if the pod's Ready condition holds and nobody is deleting it."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return any(condition.get("type") == "Ready" and condition.get("status") == "True"
               for condition in (pod.get("status") or {}).get("conditions") or [])
