"""The machine against the recorded client-go: every golden scenario at the reflector's own level.

No socket, no thread, no clock: the scenario's server answers the machine's requests on a virtual time
line. What must agree is the sequence of requests with their parameters, the errors that reached the
watch-error handler, the last version and the final contents. Scenarios about the REST layer below the
reflector (`layer`) and those with several informers are for the replay with sockets (tests/golden).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdash.informer import reflector_effects as fx
from kdash.informer.errors import ApiStatusError, ConnectionRefused, DecodeError, StatusCause
from kdash.informer.event_filter import EventFilter
from kdash.informer.list_watch import ListOptions, ListPage, WatchEvent
from kdash.informer.objects import KubeObject
from kdash.informer.reflector_machine import ReflectorMachine
from kdash.informer.reflector_requests import RequestRules
from tests.informer.fake_source import bookmark, make_object

_DATA = Path(__file__).parent.parent / "golden"
_KINDS = {"configmaps": "ConfigMap", "pods": "Pod", "secrets": "Secret"}
_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 410: "Expired", 422: "Invalid",
    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
_NOT_AT_THIS_LEVEL = {
    "stop-during-backoff": "is about the stop, which this replay does not play",
    "long-outage": "has a rule instead of a list of requests: see test_x3",
}
_UNDECODABLE = ApiStatusError(500, "InternalError", "unable to decode an event from the watch stream")


def _scenarios() -> Iterator[Any]:
    for path in sorted((_DATA / "scenarios").glob("*.json")):
        scenario = json.loads(path.read_text())
        if (
            scenario.get("layer") != "rest"
            and len(scenario["informers"]) == 1
            and path.stem not in _NOT_AT_THIS_LEVEL
        ):
            yield pytest.param(scenario, id=path.stem)


def _status(said: dict[str, Any]) -> ApiStatusError:
    causes = tuple(StatusCause(c.get("reason", ""), c.get("message", "")) for c in said.get("causes", ()))
    code = said["code"]
    return ApiStatusError(code, said.get("reason", _REASONS.get(code, "")), said.get("message", ""), causes)


class Replay:
    """One scenario played against a machine."""

    def __init__(self, scenario: dict[str, Any], requests: int) -> None:
        informer = scenario["informers"][0]
        resource = informer["resource"]
        self._kind = _KINDS[resource]
        self._server: dict[str, Any] = scenario["server"][resource]
        self._taken = {"list": 0, "watch": 0, "watchlist": 0}
        self._limit = requests
        self._steps: list[dict[str, Any]] = []
        self._now = 0.0
        self._refusing = [(0.0, scenario["server"].get("refuse_at_start_ms", 0) / 1000)]
        self.requests: list[dict[str, str]] = []
        self.told: list[Exception] = []
        self.contents: dict[str, str] = {}
        self.machine = ReflectorMachine(
            name="replay", now=0.0, rng=random.Random(1), rules=RequestRules(informer.get("page_size", 0)),
            use_watch_list=scenario.get("watch_list", False), event_filter=EventFilter("v1", self._kind),
        )  # fmt: skip
        given: fx.Input | None = fx.Start()
        while given is not None:
            given = self._answer(self.machine.handle(self._now, given))

    def _answer(self, effects: list[fx.Effect]) -> fx.Input | None:
        for effect in effects:
            if isinstance(effect, fx.Apply):
                self._apply(effect)
            elif isinstance(effect, fx.ReportError) and effect.to_handler:
                self.told.append(effect.error)
        request = effects[-1]
        if isinstance(request, fx.Sleep):
            self._now += request.delay.seconds
            return fx.TimerFired()
        if isinstance(request, fx.Replace):
            self.contents = {obj.key: obj.resource_version for obj in request.objects}
            return fx.Replaced()
        if isinstance(request, fx.SendList):
            return self._list(request.options)
        if isinstance(request, fx.OpenWatch):
            return self._watch(request.options)
        return self._read()

    def _apply(self, effect: fx.Apply) -> None:
        for type_, obj, *_ in effect.events:
            assert obj is not None
            self.contents[obj.key] = obj.resource_version
            if type_ == "DELETED":
                del self.contents[obj.key]

    def _request(self, kind: str, options: ListOptions) -> Any:
        """The scripted answer; None when there is none left."""
        said = {
            "verb": "LIST" if kind == "list" else "WATCH", "rv": options.resource_version,
            "rvMatch": options.resource_version_match, "limit": str(options.limit or ""),
            "continue": options.continue_token,
            "sendInitialEvents": "true" if options.send_initial_events else "",
        }  # fmt: skip
        self.requests.append({name: value for name, value in said.items() if value})
        script = self._server.get(kind, [])
        taken = self._taken[kind]
        if len(self.requests) > self._limit or taken >= len(script):
            return None
        self._taken[kind] += 1
        self._now += script[taken].get("delay_ms", 0) / 1000
        return script[taken]

    def _refused(self) -> bool:
        return any(since <= self._now < until for since, until in self._refusing)

    def _list(self, options: ListOptions) -> fx.Input | None:
        if self._refused():
            return fx.ListFailed(ConnectionRefused("refused"))
        answer = self._request("list", options)
        if answer is None:
            return None
        if "status" in answer:
            return fx.ListFailed(_status(answer["status"]))
        if "raw_body" in answer:
            return fx.ListFailed(DecodeError("no JSON"))
        items = [self._object(item) for item in answer["items"]]
        return fx.PageArrived(ListPage(items, answer["rv"], answer.get("continue", "")))

    def _watch(self, options: ListOptions) -> fx.Input | None:
        if self._refused():
            return fx.WatchOpenFailed(ConnectionRefused("refused"))
        answer = self._request("watchlist" if options.send_initial_events else "watch", options)
        if answer is None:
            return None
        if "status" in answer:
            return fx.WatchOpenFailed(_status(answer["status"]))
        self._steps = list(answer["steps"])
        return fx.WatchOpened()

    def _read(self) -> fx.Input | None:
        while self._steps:
            given = self._play(self._steps.pop(0))
            if given is not None:
                return given
        return None

    def _play(self, step: dict[str, Any]) -> fx.Input | None:
        events: list[WatchEvent] = []
        if "wait_ms" in step:
            self._now += step["wait_ms"] / 1000
        elif "refuse_ms" in step:
            self._refusing.append((self._now, self._now + step["refuse_ms"] / 1000))
        elif "end" in step:
            return fx.StreamEnded()
        elif "event" in step or "events" in step:
            events = [self._event(*said) for said in step.get("events", [step.get("event")])]
        elif "bookmark" in step:
            events = [
                bookmark(step["bookmark"], end=step.get("initial_events_end") == "true", kind=self._kind)
            ]
        elif "error" in step:
            events = [WatchEvent("ERROR", None, _status(step["error"]))]
        elif "raw" in step:
            events = [WatchEvent("ERROR", None, _UNDECODABLE)]
        else:
            assert "partial" in step or "dropped" in step, f"unknown step {step}"
        return fx.EventsArrived(events) if events else None

    def _event(self, type_: str, said: Any) -> WatchEvent:
        if type_ not in ("ADDED", "MODIFIED", "DELETED"):
            return WatchEvent("ERROR", None, _UNDECODABLE)
        return WatchEvent(type_, self._object(said))

    def _object(self, said: Any) -> KubeObject:
        kind = self._kind
        if isinstance(said, dict):
            kind, said = said.get("kind", kind), said["object"]
        key, _, version = said.partition("@")
        namespace, _, name = key.rpartition("/")
        return make_object(name, version.partition("#")[0], namespace=namespace, kind=kind)


@pytest.mark.parametrize("scenario", _scenarios())
def test_the_machine_does_what_client_go_did(scenario: dict[str, Any]) -> None:
    golden = json.loads((_DATA / "goldens" / "real-atomic" / f"{scenario['name']}.json").read_text())
    fields = ("verb", "rv", "rvMatch", "limit", "continue", "sendInitialEvents")
    recorded = [{name: said[name] for name in fields if name in said} for said in golden["requests"]]
    replay = Replay(scenario, len(recorded))
    assert replay.requests == recorded
    [informer] = golden["final"]
    assert replay.machine.version.last == golden["final"][informer]["last_sync_rv"]
    codes = [error.code if isinstance(error, ApiStatusError) else None for error in replay.told]
    assert codes == [said.get("code") for said in golden["watch_errors"].get(informer, [])]
    if "transform" not in scenario["informers"][0]:
        assert replay.contents == {said["key"]: said["rv"] for said in golden["final_store"][informer]}
