"""Jobs and cron jobs, in small: run pods until enough have succeeded; start a job when the minute comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from . import ages, defaults, seed_objects
from .cluster_state import ClusterState
from .pod_factory import PodFactory
from .workload_status import condition

Item = dict[str, Any]
_PARTS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))


class JobController:
    """Jobs: up to `parallelism` pods at a time until `completions` have succeeded."""

    def __init__(self, state: ClusterState, factory: PodFactory) -> None:
        self._state = state
        self._factory = factory

    def reconcile(self, namespace: str, name: str) -> None:
        """Start the pods that are due, then count."""
        state = self._state
        item = state.get("Job", namespace, name)
        if item is None or item["metadata"].get("deletionTimestamp"):
            return
        pods = state.pods_of(item["metadata"]["uid"])
        succeeded = sum(pod.phase == "Succeeded" for pod in pods)
        failed = sum(pod.phase == "Failed" for pod in pods)
        active = [pod for pod in pods if pod.active]
        spec = item["spec"]
        completions = int(spec.get("completions") or 1)
        gave_up = failed > int(spec.get("backoffLimit", 6))
        if not _is_over(item) and not spec.get("suspend") and not gave_up:
            due = min(int(spec.get("parallelism") or 1), completions - succeeded) - len(active)
            for _ in range(due):
                pod = self._factory.create(item, "batch/v1", f"{name}-{seed_objects.suffix(state.rng)}")
                if pod is not None:
                    state.record_event(item, "SuccessfulCreate", component="job-controller",
                                       message=f"Created pod: {pod}")
        self._update_status(item, succeeded, failed, done=succeeded >= completions, gave_up=gave_up)

    def _update_status(self, item: Item, succeeded: int, failed: int, *, done: bool, gave_up: bool) -> None:
        state = self._state
        pods = [pod for pod in state.pods_of(item["metadata"]["uid"]) if pod.active]

        def edit(stored: Item) -> bool:
            old = stored.get("status") or {}
            status: Item = {"startTime": old.get("startTime") or ages.rfc3339(state.now)}
            if done or gave_up:
                if _is_over(stored):
                    return False
                kind, reason = (
                    ("Complete", "CompletionsReached") if done else ("Failed", "BackoffLimitExceeded")
                )
                text = "Reached expected number of succeeded pods" if done else \
                    "Job has reached the specified backoff limit"
                status["conditions"] = [
                    condition(kind, "True", ages.rfc3339(state.now), reason, text, old.get("conditions"))
                ]
                if done:
                    status["completionTime"] = ages.rfc3339(state.now)
            for key, value in (("active", len(pods)), ("succeeded", succeeded), ("failed", failed),
                               ("ready", sum(pod.ready for pod in pods))):
                if value or key == "ready":
                    status[key] = value
            status["uncountedTerminatedPods"] = {}
            if old == status:
                return False
            stored["status"] = status
            return True

        if state.change_item(item, edit) is not None and done and not _is_over(item):
            state.record_event(item, "Completed", component="job-controller", message="Job completed")


def _is_over(job: Item) -> bool:
    return any(entry["type"] in ("Complete", "Failed") and entry["status"] == "True"
               for entry in (job.get("status") or {}).get("conditions") or [])


class CronJobController:
    """Cron jobs: looked at once a minute; keeps as many finished jobs as the history limit says."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state

    def begin(self) -> None:
        """Look at all cron jobs at the next full minute, and at every one after that."""
        self._state.after(60 - self._state.now % 60, self._tick)

    def _tick(self) -> None:
        self._state.after(60 - self._state.now % 60, self._tick)
        for item in self._state.items("CronJob"):
            if not item["spec"].get("suspend") and is_due(
                str(item["spec"].get("schedule", "")), self._state.now
            ):
                self._start(item)
            self.reconcile(item["metadata"]["namespace"], item["metadata"]["name"])

    def _start(self, item: Item) -> None:
        state, meta = self._state, item["metadata"]
        template = json.loads(json.dumps(item["spec"]["jobTemplate"]))
        identity, name = state.new_uid(), f"{meta['name']}-{int(state.now // 60)}"
        job: Item = {"kind": "Job", "apiVersion": "batch/v1",
                     "metadata": seed_objects.metadata(
                         name, identity, ages.rfc3339(state.now), namespace=meta["namespace"], generation=1,
                         labels=(template.get("metadata") or {}).get("labels"),
                         owners=[seed_objects.owner("batch/v1", "CronJob", item)]),
                     "spec": template["spec"]}
        job["spec"].pop("selector", None)
        job["spec"]["template"].get("metadata", {}).get("labels", {}).pop(
            "batch.kubernetes.io/controller-uid", None
        )
        job["spec"]["template"].get("metadata", {}).get("labels", {}).pop(
            "batch.kubernetes.io/job-name", None
        )
        defaults.fill_in("batch", "Job", job)
        if state.create("Job", job) is None:
            return
        state.record_event(
            item, "SuccessfulCreate", component="cronjob-controller", message=f"Created job {name}"
        )

        def edit(stored: Item) -> None:
            stored.setdefault("status", {})["lastScheduleTime"] = ages.rfc3339(state.now)

        state.change_item(item, edit)

    def reconcile(self, namespace: str, name: str) -> None:
        """List the active jobs in the status and delete finished ones beyond the history limit."""
        state = self._state
        item = state.get("CronJob", namespace, name)
        if item is None:
            return
        jobs = state.owned("Job", namespace, item["metadata"]["uid"])
        over = sorted((job for job in jobs if _is_over(job)), key=lambda job: str(job["metadata"]["name"]))
        for job in over[:max(0, len(over) - int(item["spec"].get("successfulJobsHistoryLimit", 3)))]:
            state.delete("Job", namespace, job["metadata"]["name"])
        active = [
            {
                "kind": "Job",
                "namespace": namespace,
                "name": job["metadata"]["name"],
                "uid": job["metadata"]["uid"],
                "apiVersion": "batch/v1",
            }
            for job in jobs
            if not _is_over(job)
        ]

        def edit(stored: Item) -> bool:
            status = stored.setdefault("status", {})
            if status.get("active", []) == active:
                return False
            if active:
                status["active"] = active
            else:
                status.pop("active", None)
            return True

        state.change_item(item, edit)


def is_due(schedule: str, now: float) -> bool:
    """True if a cron expression of five fields matches the minute that `now` (UTC) is in."""
    fields = schedule.split()
    if len(fields) != 5:
        return False
    moment = datetime.fromtimestamp(now, UTC)
    values = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    return all(_matches(field, value, low, high)
               for field, value, (_, low, high) in zip(fields, values, _PARTS, strict=True))


def _matches(field: str, value: int, low: int, high: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        try:
            begin = low if span == "*" else int(first)
            end = high if span == "*" or (step and not last) else int(last or first)
            if begin <= value <= end and (value - begin) % int(step or 1) == 0:
                return True
        except (ValueError, ZeroDivisionError):
            return False
    return False
