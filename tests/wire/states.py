"""The state that each recorded request needs, made in an embedded server from the recordings themselves."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import yaml

from kdash.demo import ApiServer, Fault, Rule, User
from kdash.demo.http_loop import Connection
from kdash.demo.resources import ResourceType
from tests.wire.memory_connection import exchange
from tests.wire.playback import BY_NUMBER, Recording

Item = dict[str, Any]
ADMIN, ALICE = "admin-token", "alice-token"
USERS = {
    ADMIN: User("admin", groups=("system:masters", "system:authenticated")),
    ALICE: User("alice", (Rule(("list",), ("configmaps",), ("wire-b",)),), ("dev", "system:authenticated"),
                "uid-alice"),
}  # fmt: skip
TOKENS = {"admin": ADMIN, "alice": ALICE, "invalid": "unknown"}
POD_TEMPLATES = ResourceType("", "v1", "podtemplates", "podtemplate", "PodTemplate", True)
OPTIONS: dict[int, dict[str, Any]] = {
    306: {"progress_notify": False}, 312: {"progress_notify": False}, 333: {"first_version": 77},
    334: {"first_version": 77}, 601: {"watch_list": False}, 602: {"watch_list": False},
}  # fmt: skip


def items(number: int) -> list[Item]:
    """The whole objects of a recorded list or object."""
    recording = BY_NUMBER[number]
    body = gzip.decompress(recording.body) if recording.body[:2] == b"\x1f\x8b" else recording.body
    document = json.loads(body)
    return document.get("items", [document])


def initial(number: int) -> list[Item]:
    """The objects that a recorded stream began with."""
    return [event["object"] for event, line in zip(BY_NUMBER[number].events, BY_NUMBER[number].response["lines"],
                                                   strict=True)
            if event["type"] == "ADDED" and line["at"] < 0.2]  # fmt: skip


def before(number: int, at: int = 0) -> Item:
    """The object of a stream's event as it was before it was deleted."""
    obj: Item = json.loads(json.dumps(BY_NUMBER[number].events[at]["object"]))
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        obj["metadata"].pop(name, None)
    return obj


def crd(group: str = "wire.example.com") -> Item:
    """The definition of the recordings' custom resource."""
    fields = {"size": {"type": "integer", "maximum": 100}, "replicas": {"type": "integer"},
              "colour": {"type": "string", "default": "red", "enum": ["red", "green", "blue"]}}  # fmt: skip
    status = {"phase": {"type": "string"}, "replicas": {"type": "integer"}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields},
                                               "status": {"type": "object", "properties": status}}}  # fmt: skip
    columns = [("Size", "integer", ".spec.size", 0), ("Colour", "string", ".spec.colour", 0),
               ("Phase", "string", ".status.phase", 1),
               ("Age", "date", ".metadata.creationTimestamp", 0)]  # fmt: skip
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                                                 "statusReplicasPath": ".status.replicas"}},
        "selectableFields": [{"jsonPath": ".spec.colour"}],
        "additionalPrinterColumns": [{"name": name, "type": kind, "jsonPath": path, "priority": priority}
                                     for name, kind, path, priority in columns],
    }  # fmt: skip
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList",
             "shortNames": ["wd"], "categories": ["all"]}  # fmt: skip
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}}  # fmt: skip


class State:
    """An embedded server that is being prepared for one recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        options = {"first_version": 0, **OPTIONS.get(recording.number, {})}
        self.server = ApiServer(workload=False, users=USERS, **options)
        self.storage = self.server.storage
        self.connections: list[Connection] = []
        self.storage.registry.add(POD_TEMPLATES)

    async def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> int:
        """A request of the administrator's; returns the status."""
        raw = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": content_type}
        answer = await exchange(self.server, method, path, headers, raw)
        return answer.status or 0

    async def patch(self, path: str, body: Any) -> None:
        assert await self.send("PATCH", path, body, "application/merge-patch+json") == 200

    async def define(self, group: str = "wire.example.com") -> None:
        assert await self.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd(group)) == 201

    async def restore(self, resource: str, objects: list[Item], version: int | None = None) -> None:
        """Objects with their recorded versions, and their namespaces."""
        for name in sorted({obj["metadata"].get("namespace") or "" for obj in objects} - {""}):
            self.namespace(name)
        first = 1 if version is None else version
        capped = [{**obj, "metadata": {**obj["metadata"],
                                       "resourceVersion": str(min(int(obj["metadata"]["resourceVersion"]), first))}}
                  for obj in objects] if version else objects  # fmt: skip
        self.storage._version = 0  # the recordings begin below the first version of an embedded server
        self.storage.restore(resource, capped, version)

    def namespace(self, name: str) -> None:
        if self.storage.get("namespaces", "", name) is None:
            self.storage.create("namespaces", {"metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]},
                                               "status": {"phase": "Active"}})  # fmt: skip

    @property
    def asked(self) -> int:
        text = self.recording.query.get("resourceVersion", "")
        return int(text) if text.isdigit() else 0


CM = "/api/v1/namespaces/wire-a/configmaps"


async def _eight(state: State, changed: bool) -> None:
    """The eight config maps of the list recordings; `changed`: then cm-1 changed and cm-8 deleted."""
    if not changed:
        await state.restore("configmaps", items(100), 223)
        if state.recording.query.get("continue"):
            assert await state.send("GET", f"{CM}?limit=3") == 200
            await state.send("POST", CM, {"metadata": {"name": "cm-9", "labels": {"grp": "1", "tier": "front"}},
                                          "data": {"n": "9"}})  # fmt: skip
        return
    await state.restore("configmaps", items(110), 225)
    await state.patch(f"{CM}/cm-1", {"data": {"n": "1b"}})
    assert await state.send("DELETE", f"{CM}/cm-8") == 200


async def _own(state: State) -> None:
    """What the answer itself shows, with others behind it if it says that there are more."""
    recording = state.recording
    raw = gzip.decompress(recording.body) if recording.body[:2] == b"\x1f\x8b" else recording.body
    document = yaml.safe_load(raw) if "yaml" in recording.accept else json.loads(raw)
    if "items" not in document:
        await state.restore(_resource(recording), [document])
        return
    listed = document["items"]
    meta = document["metadata"]
    if listed and "remainingItemCount" in meta:
        last = json.loads(json.dumps(listed[-1]))
        for count in range(meta["remainingItemCount"]):
            more = {**last, "metadata": {**last["metadata"], "name": f"zz-{count:03}"}}
            listed.append(more)
    await state.restore(_resource(recording), listed, int(meta["resourceVersion"]))


def _resource(recording: Recording) -> str:
    """The collection that a path belongs to, as the storage names it."""
    parts = recording.document["request"]["path"].partition("?")[0].strip("/").split("/")
    group = "" if parts[0] == "api" else parts[1]
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    rest = rest[1:] if rest[0] == "watch" else rest
    plural = rest[2] if rest[0] == "namespaces" and len(rest) > 2 else rest[0]
    return f"{plural}.{group}" if group else plural


async def _watch(state: State) -> None:
    """Config maps cm-1 to cm-4, or what the stream itself began with, at the version that is asked for."""
    recording = state.recording
    objects = initial(recording.number)
    version = state.asked if 1 < state.asked < 99999999 else None
    if version is None:
        ends = [event["object"]["metadata"]["resourceVersion"] for event in recording.events
                if event["type"] == "BOOKMARK" and "initial-events-end" in json.dumps(event)
                ]  # fmt: skip
        version = int(ends[0]) if ends else None
    if recording.number == 336:
        version = state.asked - 2
    path = recording.document["request"]["path"]
    more = initial(302) if "/wire-w/configmaps" in path else initial(602) if "/wire-l/configmaps" in path else []
    if recording.number == 301:
        objects = []
    if objects and objects[0]["kind"] == "Table":
        objects = [{"metadata": obj["rows"][0]["object"]["metadata"], "data": {"n": "1"}} for obj in objects]
    if recording.number >= 600 and recording.events and not objects:
        objects = [_unwritten(recording.events[0]["object"])]
    named = {obj["metadata"]["name"] for obj in objects}
    objects += [obj for obj in more if obj["metadata"]["name"] not in named]
    if not objects:
        state.namespace("wire-a")
    if version is None:
        version = max([600, *(int(obj["metadata"]["resourceVersion"]) for obj in objects)])
    await state.restore(_resource(recording), objects, version)


def _unwritten(obj: Item) -> Item:
    """A config map before the first change that a stream of the 600s shows."""
    before_: Item = json.loads(json.dumps(obj))
    before_["data"]["ek" if "ek" in obj["data"] else "t"] = "0"
    return before_


async def _history(state: State) -> None:
    """301: after the version that is asked for an object came and went."""
    await _watch(state)
    for event in state.recording.events:
        obj = event["object"]
        if event["type"] == "ADDED":
            state.storage.create("configmaps", obj)
        elif event["type"] == "MODIFIED":
            state.storage.update("configmaps", obj, check_version=False)
        else:
            state.storage.delete("configmaps", obj["metadata"]["namespace"], obj["metadata"]["name"])


async def _widgets(state: State) -> None:
    await state.define()
    objects = initial(357) if state.recording.number == 357 else items(216)
    await state.restore("widgets.wire.example.com", objects,
                        state.asked or (543 if state.recording.number == 357 else None))  # fmt: skip


async def _gone(state: State) -> None:
    if state.recording.number == 364:
        await state.define("gone.example.com")
        await state.restore("widgets.gone.example.com", [before(364, 0), before(364, 1)], state.asked)


async def _pages(state: State) -> None:
    """620 to 630: page 1 was read, then cm-8 changed three times and cm-7 was deleted, then came compaction."""
    number, path = state.recording.number, "/api/v1/namespaces/wire-l/configmaps"
    all_items = {item["metadata"]["name"]: item for n in (627, 620) for item in items(n)}
    cm_7, cm_8 = before(622, 3), before(622, 0)
    cm_8["data"].pop("r", None)
    for item in (cm_7, cm_8):
        item.pop("kind"), item.pop("apiVersion")
        item["metadata"]["resourceVersion"] = "670"
        all_items[item["metadata"]["name"]] = item
    await state.restore("configmaps", list(all_items.values()), 1446)
    assert await state.send("GET", f"{path}?limit=3") == 200
    for turn in range(3):
        await state.patch(f"{path}/cm-8", {"data": {"r": str(turn)}})
    assert await state.send("DELETE", f"{path}/cm-7") == 200
    if number >= 623:
        state.storage.compact()
        if number in (628, 629):
            while state.storage.current_version < (1466 if number == 629 else 1462):
                state.storage.note_progress()
                state.storage.restore("services", [], state.storage.current_version + 1)
        state.storage.restart()


async def _server_compaction(state: State) -> None:
    """634 to 636: page 1 was read long before the server's own compaction."""
    path = "/api/v1/namespaces/wire-l/configmaps"
    await state.restore("configmaps", [{**item, "metadata": {**item["metadata"], "namespace": "wire-l"}}
                                       for item in initial(302)], 1400)  # fmt: skip
    assert await state.send("GET", f"{path}?limit=3") == 200
    if state.recording.number == 636:
        objects = [event["object"] for event in state.recording.events]
        first = json.loads(json.dumps(objects[0]))
        first["data"].pop("c"), first.pop("kind"), first.pop("apiVersion")
        await state.restore("configmaps", [first], 1400)
        for obj in objects:
            state.storage.update("configmaps", obj, check_version=False)
    else:
        await state.patch(f"{path}/cm-1", {"data": {"c": "1"}})
    state.storage.compact()


async def _overrun(state: State) -> None:
    """637: the window has lost its oldest events to newer ones."""
    state.storage.resize_window(100)
    await state.restore("podtemplates", [{"metadata": {"name": "pt-1", "namespace": "wire-a",
                                                       "resourceVersion": "1600"}}], 1604)  # fmt: skip
    for turn in range(350):
        state.storage.update("podtemplates", {"metadata": {"name": "pt-1", "namespace": "wire-a",
                                                           "labels": {"x": str(turn)}}})  # fmt: skip


async def _pod_t(state: State) -> None:
    obj = before(332)
    managed = [entry for entry in obj["metadata"]["managedFields"] if entry.get("subresource") != "status"]
    whole = {**items(200)[2], "metadata": {**obj["metadata"], "managedFields": managed}}
    await state.restore("pods", [whole], state.asked)


async def _before_deletion(state: State) -> None:
    """361 and 362: the object before anybody deleted it."""
    obj = before(state.recording.number)
    if "generation" in obj["metadata"]:
        obj["metadata"]["generation"] -= 1
    await state.restore(_resource(state.recording), [obj], state.asked)


async def _namespaced(state: State) -> None:
    for name in ("wire-a", "wire-b", "wire-p", "wire-l"):
        state.namespace(name)
    if state.recording.number in (520, 504):
        await _eight(state, False)


async def _bookmarks(state: State) -> None:
    """312, 313 and 316: one pod template that hardly changes."""
    template = before(312, 1)
    template["metadata"]["resourceVersion"] = str(state.asked)
    template["metadata"]["labels"]["x"] = "0"
    await state.restore("podtemplates", [template], state.asked)
    state.namespace("wire-b")
    state.storage.restore("configmaps", [{"metadata": {"name": "other-1", "namespace": "wire-b",
                                                       "resourceVersion": "5"}}])  # fmt: skip
    state.storage._version = state.asked
    state.storage._expire_empty()


def armed(kind: str, **more: Any) -> Callable[[State], Awaitable[None]]:
    async def prepare(state: State) -> None:
        state.server.faults.add(Fault(kind, **more))

    return prepare


async def _nothing(state: State) -> None:
    return


def preparation(recording: Recording) -> Callable[[State], Awaitable[None]]:
    """What has to be there before a recording's request is sent."""
    number, own = recording.number, recording.status == 200 and not recording.is_stream
    special: dict[int, Callable[[State], Awaitable[None]]] = {
        301: _history, 332: _pod_t, 361: _before_deletion, 362: _before_deletion, 364: _gone, 365: _gone, 366: _gone,
        312: _bookmarks, 313: _bookmarks, 316: _bookmarks, 637: _overrun, 10: _widgets, 14: _widgets,
        600: armed("429"), 617: armed("429-initializing", retry_after_s=6),
        618: armed("429-initializing", retry_after_s=6), 619: armed("429-initializing", retry_after_s=6),
        608: armed("429-shutdown"),
    }  # fmt: skip
    if number in special:
        return special[number]
    if number < 100:
        return _nothing
    if number in (108, 109, 110, 111, 112, 113, 114, 115, 125, 126, 128):
        return lambda state: _eight(state, True)
    if number in (100, 101, 102, 103, 104, 105, 106, 107, 120, 121):
        return lambda state: _eight(state, False)
    if 200 <= number <= 230 or number in (355, 356, 357):
        return _two_hundreds(recording)
    if 300 <= number < 400 and recording.is_stream:
        return _watch
    if 500 <= number < 600 and number != 527:
        return _namespaced
    if 620 <= number <= 630:
        return _pages
    if 634 <= number <= 636:
        return _server_compaction
    if recording.is_stream:
        return _watch
    return _own if own else _nothing


def _two_hundreds(recording: Recording) -> Callable[[State], Awaitable[None]]:
    number = recording.number
    if "widgets" in recording.document["request"]["path"]:
        return _widgets
    if number in (229,):
        return lambda state: state.restore("deployments.apps", items(228))
    if 200 <= number <= 214:
        return lambda state: state.restore("pods", items(200))
    return _own if recording.status == 200 and number != 215 else _nothing
