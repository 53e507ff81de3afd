"""The status of deployments, replica sets, stateful sets and daemon sets, from the counts of their pods.

Pure functions: the controllers write what these give, and seeding uses them for a cluster that is at rest.
"""

from __future__ import annotations

from typing import Any

Item = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"


def condition(kind: str, status: str, now: str, reason: str, message: str, old: list[Item] | None) -> Item:
    """A workload's condition; its transition time is kept while the status stays the same."""
    before = next((entry for entry in old or [] if entry["type"] == kind), None)
    same = before is not None and before["status"] == status
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": before["lastUpdateTime"] if same and before and before["reason"] == reason else now,
        "lastTransitionTime": before["lastTransitionTime"] if same and before else now,
        "reason": reason,
        "message": message,
    }


def _counted(status: Item, **counts: int) -> Item:
    """The status with those counts that are not 0, as Kubernetes leaves zeros out."""
    return status | {key: value for key, value in counts.items() if value}


def deployment(
    item: Item, *, total: int, updated: int, ready: int, fresh: int, enough: bool, replica_set: str, now: str
) -> Item:
    """A deployment's status; `fresh` counts the ready pods of the present template, `enough`: available."""
    desired = int(item["spec"].get("replicas", 1))
    complete = updated == desired == total and fresh == desired
    old = (item.get("status") or {}).get("conditions")
    status = _counted({"observedGeneration": item["metadata"].get("generation", 1)}, replicas=total,
                      updatedReplicas=updated, readyReplicas=ready, availableReplicas=ready,
                      unavailableReplicas=max(0, max(total, desired) - ready))
    status["conditions"] = [
        condition(
            "Available",
            "True" if enough else "False",
            now,
            "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            f"Deployment {'has' if enough else 'does not have'} minimum availability.",
            old,
        ),
        condition(
            "Progressing",
            "True",
            now,
            "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated",
            f'ReplicaSet "{replica_set}" {"has successfully progressed" if complete else "is progressing"}.',
            old,
        ),
    ]
    return status


def replica_set(item: Item, *, total: int, ready: int) -> Item:
    """A replica set's status."""
    status = _counted(
        {"replicas": total}, fullyLabeledReplicas=total, readyReplicas=ready, availableReplicas=ready
    )
    return status | {"observedGeneration": item["metadata"].get("generation", 1)}


def stateful_set(item: Item, *, total: int, ready: int, updated: int, revision: str) -> Item:
    """A stateful set's status."""
    status = _counted({"observedGeneration": item["metadata"].get("generation", 1), "replicas": total},
                      readyReplicas=ready, currentReplicas=updated, updatedReplicas=updated)
    done = updated == int(item["spec"].get("replicas", 1))
    status["currentRevision"] = (
        revision if done else (item.get("status") or {}).get("currentRevision", revision)
    )
    return status | {"updateRevision": revision, "collisionCount": 0, "availableReplicas": ready}


def daemon_set(item: Item, *, total: int, ready: int, updated: int, nodes: int) -> Item:
    """A daemon set's status."""
    status = {"currentNumberScheduled": total, "numberMisscheduled": 0, "desiredNumberScheduled": nodes,
              "numberReady": ready, "observedGeneration": item["metadata"].get("generation", 1),
              "updatedNumberScheduled": updated, "numberAvailable": ready}
    return _counted(status, numberUnavailable=nodes - ready)


def settled(item: Item, pods: int, now: str, replica_set_name: str = "", labels: Item | None = None) -> Item:
    """A new workload with the status it has once all its pods are ready (in place; gives the item)."""
    kind = item["kind"]
    if kind == "Deployment":
        item["metadata"].setdefault("annotations", {})[REVISION] = "1"
        item["status"] = deployment(item, total=pods, updated=pods, ready=pods, fresh=pods, enough=True,
                                    replica_set=replica_set_name, now=now)
    elif kind == "ReplicaSet":
        item["status"] = replica_set(item, total=pods, ready=pods)
    elif kind == "StatefulSet":
        item["status"] = stateful_set(item, total=pods, ready=pods, updated=pods,
                                      revision=(labels or {})["controller-revision-hash"])
    else:
        item["status"] = daemon_set(item, total=pods, ready=pods, updated=pods, nodes=pods)
    return item

