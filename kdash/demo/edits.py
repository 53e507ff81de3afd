"""Small edits on request: change one object of the demo's cluster, as a person at a keyboard would.

    change(server, kind="scale", rng=random.Random(1)).text   # "scaled deployment default/web from 8 to 9 replicas"

Contract: an edit is written to the storage like anybody's, so every watch sees it, and answers at once: what follows
(new pods, a restart) is the workload's doing. Any thread may call. A conflict with another writer is tried again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdash.demo import deletion
from kdash.demo.storage import Conflict, NotFound

if TYPE_CHECKING:
    from kdash.demo.server import ApiServer

__all__ = ["EDITS", "Change", "Edit", "UnknownEdit", "change"]

Item = dict[str, Any]
LABEL = "demo.example.com/touched"
_MOST_REPLICAS = 40


class UnknownEdit(ValueError):
    """There is no edit of that kind."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit did: the object's resource and `namespace/name` (empty if there was none), and one line."""

    resource: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that can be done: its kind, what it works on, and one line about it."""

    kind: str
    resource: str
    description: str
    run: Callable[[ApiServer, str, str, random.Random], str]


def change(server: ApiServer, kind: str = "", rng: random.Random | None = None, *, namespace: str = "",
           name: str = "") -> Change:  # fmt: skip
    """Do one edit: of a `kind` or any, on the named object or, without a name, on any (of `namespace`, if given).

    Raises `UnknownEdit`, whose message lists the known ones.
    """
    rng = rng or random.Random()
    if kind and kind not in EDITS:
        raise UnknownEdit(f"there is no edit {kind!r}: choose one of {', '.join(EDITS)}")
    edit = EDITS[kind] if kind else rng.choice(list(EDITS.values()))
    keys = [each.key for each in server.storage.list_stored(edit.resource)[0]
            if not namespace or each.key.startswith(f"{namespace}/")]
    if name:
        keys = [key for key in keys if key.rpartition("/")[2] == name]
    if not keys:
        wanted = "/".join(part for part in (namespace, name) if part)
        return Change(edit.resource, "", f"nothing changed: there is no {edit.resource} {wanted}".rstrip())
    key = rng.choice(keys)
    found_in, _, found = key.rpartition("/")
    return Change(edit.resource, key, edit.run(server, found_in, found, rng))


def _rewrite(server: ApiServer, resource: str, namespace: str, name: str, edit: Callable[[Item], str]) -> str:
    """Read, edit, write, until nobody was faster; gives what `edit` says it did."""
    while True:
        item = server.storage.get(resource, namespace, name)
        if item is None:
            return f"nothing changed: {namespace}/{name} is gone"
        text = edit(item)
        try:
            server.storage.update(resource, item)
        except Conflict:
            continue
        except NotFound:
            return f"nothing changed: {namespace}/{name} is gone"
        return text


def _label(server: ApiServer, namespace: str, name: str, rng: random.Random) -> str:
    def edit(item: Item) -> str:
        labels = item["metadata"].setdefault("labels", {})
        labels[LABEL] = str(int(labels[LABEL]) + 1 if str(labels.get(LABEL, "")).isdigit() else 1)
        return f"labelled pod {namespace}/{name} {LABEL}={labels[LABEL]}"

    return _rewrite(server, "pods", namespace, name, edit)


def _delete(server: ApiServer, namespace: str, name: str, rng: random.Random) -> str:
    done = deletion.delete(server.storage, "pods", namespace, name, now=server.now())
    return f"deleted pod {namespace}/{name}" if done else f"nothing changed: {namespace}/{name} is gone"


def _restart(server: ApiServer, namespace: str, name: str, rng: random.Random) -> str:
    if server.workload is not None and server.workload.restart_pod(namespace, name):
        return f"restarted the containers of pod {namespace}/{name}"
    return f"nothing changed: pod {namespace}/{name} does not run"


def _scale(server: ApiServer, namespace: str, name: str, rng: random.Random) -> str:
    def edit(item: Item) -> str:
        before = int(item["spec"].get("replicas", 1))
        steps = [step for step in (-2, -1, 1, 2, 3) if 1 <= before + step <= _MOST_REPLICAS]
        after = before + rng.choice(steps) if steps else 1
        item["spec"]["replicas"] = after
        item["metadata"]["generation"] = item["metadata"].get("generation", 1) + 1
        return f"scaled deployment {namespace}/{name} from {before} to {after} replicas"

    return _rewrite(server, "deployments.apps", namespace, name, edit)


EDITS: dict[str, Edit] = {
    edit.kind: edit
    for edit in (
        Edit("label", "pods", "count up a label of a pod", _label),
        Edit("restart", "pods", "let a pod's containers fail and start again", _restart),
        Edit("delete", "pods", "delete a pod; its owner makes another one", _delete),
        Edit("scale", "deployments.apps", "give a deployment some replicas more or less", _scale),
    )
}
"""The edits that are offered, by kind."""
