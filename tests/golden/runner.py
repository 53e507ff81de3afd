"""The runner of the golden scenarios: one process, one scenario, kdash through its public API (README.md).

Started by `replay.py` as `python -m tests.golden.runner --scenario FILE --server URL --engine NAME`; prints one JSON
object per line and ends when it reads a line, or the end, of its standard input. `--started FILE`: a file to remove
when everything is set up.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from kdash.cluster import connect_url
from kdash.informer import (
    CancelToken,
    InformerError,
    ListerWatcher,
    ListOptions,
    Reflector,
    SharedInformerFactory,
    TweakedListerWatcher,
    new_indexer,
    new_informer,
)

if not __package__:  # started as a file
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.golden.parts import (
    RESOURCES,
    Log,
    LoggingHandler,
    delaying_index,
    error_fields,
    transform_of,
)

POLL_S = 0.003


class Play:
    """One run of one scenario."""

    def __init__(self, scenario: dict[str, Any], server: str, engine: str) -> None:
        self.scenario = scenario
        self.engine = engine
        self.client = connect_url(server)
        self.log = Log()
        self.stop = CancelToken()
        self.factories: dict[str, SharedInformerFactory] = {}
        self.informers: dict[str, Any] = {}
        self.handlers: dict[str, Any] = {}
        self.registrations: dict[str, Any] = {}
        for spec in scenario["informers"]:
            if not spec.get("late"):
                self.create_informer(spec["name"])

    # set-up --------------------------------------------------------------------------------------------

    def create_informer(self, name: str) -> None:
        """Make an informer with its handlers; it is not started."""
        spec = next(spec for spec in self.scenario["informers"] if spec["name"] == name)
        kind = {"shared": SharedPart, "plain": PlainPart, "reflector": ReflectorPart}[
            spec.get("kind", "shared")
        ]
        self.informers[name] = kind(self, spec)
        first = self.scenario["informers"][0]["name"]
        for handler in self.scenario["handlers"]:
            if handler.get("informer", first) == name:
                self.add_handler(handler)

    def add_handler(self, spec: dict[str, Any]) -> None:
        informer = self.informers[spec.get("informer", self.scenario["informers"][0]["name"])]
        if "same_as" in spec:
            handler = self.handlers[spec["same_as"]]
        else:
            size = informer.store_size if "store_size" in self.scenario.get("record", ()) else None
            handler = LoggingHandler(spec, self.log, bool(informer.spec.get("transform")), size)
        self.handlers[spec["name"]] = handler
        period_s = None if "resync_ms" not in spec else spec["resync_ms"] / 1000
        registration = informer.add_handler(handler, spec["name"], period_s)
        self.registrations[spec["name"]] = (informer, registration)
        if registration is not None:
            registration.on_done(lambda: self.log.mark_synced(f"handler:{spec['name']}", handler.name))

    def lister_watcher(self, spec: dict[str, Any]) -> ListerWatcher:
        return TweakedListerWatcher(
            self.client.lister_watcher(RESOURCES[spec["resource"]], spec.get("namespace", "")),
            selecting(spec),
        )

    def factory(self, spec: dict[str, Any]) -> SharedInformerFactory:
        """Informers with equal settings share one."""
        settings = {
            k: v
            for k, v in spec.items()
            if k in ("namespace", "resync_ms", "label_selector", "field_selector", "transform")
        }
        identity = json.dumps(settings, sort_keys=True)
        if identity not in self.factories:
            self.factories[identity] = SharedInformerFactory(
                self.client,
                spec.get("resync_ms", 0) / 1000,
                spec.get("namespace", ""),
                selecting(spec),
                transform_of(spec.get("transform", [])),
                queue=self.engine,
                watch_list=self.scenario["watch_list"],
            )
        return self.factories[identity]

    # actions -------------------------------------------------------------------------------------------

    def act(self) -> None:
        """Carry the scenario's actions out, each when its conditions hold."""
        for number, action in enumerate(self.scenario.get("actions", []), 1):
            while not self.holds(action["when"]):
                if self.stop.cancelled and not action["when"].get("at_ms"):
                    return
                time.sleep(POLL_S)
            time.sleep(action["when"].get("delay_ms", 0) / 1000)
            (what, argument), = action["do"].items()
            ok = True
            try:
                self.do(what, argument)
            except InformerError as error:
                print(error, file=sys.stderr)
                ok = False
            self.log.write("action", n=number, do=what, ok=ok, **self.observed(what, argument))

    def holds(self, when: dict[str, Any]) -> bool:
        return (
            self.log.now_ms() >= when.get("at_ms", 0)
            and all(
                self.log.callbacks.get(name, 0) >= count for name, count in when.get("callbacks", {}).items()
            )
            and ("synced" not in when or when["synced"] in self.log.synced)
        )

    def do(self, what: str, argument: Any) -> None:
        if what == "add_handler":
            self.add_handler(argument)
        elif what == "remove_handler":
            informer, registration = self.registrations[argument]
            informer.informer.remove_event_handler(registration)
        elif what == "create_informer":
            self.create_informer(argument)
        elif what == "start_factory":
            self.start()
        elif what == "stop":
            self.stop.cancel()
        elif what != "observe":
            raise SystemExit(f"unknown action {what}")

    def observed(self, what: str, argument: Any) -> dict[str, Any]:
        if what != "observe":
            return {}
        informer = self.informers[argument]
        return {"last_sync_rv": informer.last_rv(), "has_synced": informer.has_synced()}

    def start(self) -> None:
        for factory in self.factories.values():
            factory.start(self.stop)
        for informer in self.informers.values():
            informer.start()

    def run(self) -> None:
        self.log.begin()
        self.start()
        threading.Thread(target=self.act, daemon=True).start()
        sys.stdin.readline()
        for informer in self.informers.values():
            informer.final()
        self.stop.cancel()


def selecting(spec: dict[str, Any]) -> Any:
    labels, fields = spec.get("label_selector", ""), spec.get("field_selector", "")

    def tweak(options: ListOptions) -> ListOptions:
        return dataclasses.replace(options, label_selector=labels, field_selector=fields)

    return tweak


class Part:
    """One informer of the scenario. `indexer` and the methods below are all that the play needs of it."""

    indexer: Any

    def __init__(self, play: Play, spec: dict[str, Any]) -> None:
        self.play = play
        self.spec = spec
        self.name = spec["name"]
        self.resource = RESOURCES[spec["resource"]]

    def watch_error(self, error: BaseException) -> None:
        self.play.log.write("watch_error", informer=self.name, **error_fields(error))

    def add_indexers(self) -> None:
        if delays := self.spec.get("index_delays"):
            self.indexer.add_indexers({"delays": delaying_index(delays)})

    def store_size(self) -> int:
        return len(self.indexer.list_keys())

    def final(self) -> None:
        objects = sorted(self.indexer.list(), key=lambda obj: obj.key)
        self.play.log.write(
            "final",
            informer=self.name,
            store=[{"key": obj.key, "rv": obj.resource_version, "uid": obj.uid} for obj in objects],
            last_sync_rv=self.last_rv(),
            store_rv=self.indexer.last_store_sync_resource_version(),
            has_synced=self.has_synced(),
        )


class SharedPart(Part):
    """A shared informer from a factory."""

    def __init__(self, play: Play, spec: dict[str, Any]) -> None:
        super().__init__(play, spec)
        self.informer = play.factory(spec).for_resource(self.resource).informer()
        self.indexer = self.informer.indexer
        self.informer.set_watch_error_handler(self.watch_error)
        self.informer.on_done(lambda: play.log.mark_synced(f"informer:{self.name}"))
        self.add_indexers()

    def add_handler(self, handler: LoggingHandler, name: str, period_s: float | None) -> Any:
        return self.informer.add_event_handler(handler=handler, name=name, resync_period=period_s)

    def start(self) -> None:
        """The factory starts it."""

    def last_rv(self) -> str:
        return self.informer.last_sync_resource_version()

    def has_synced(self) -> bool:
        return self.informer.has_synced()


class PlainPart(Part):
    """A non-shared informer with one handler."""

    def add_handler(self, handler: LoggingHandler, name: str, period_s: float | None) -> None:
        self.indexer, self.controller = new_informer(
            self.play.lister_watcher(self.spec),
            handler,
            resource=self.resource,
            resync_period=self.spec.get("resync_ms", 0) / 1000,
            transform=transform_of(self.spec.get("transform", [])),
            queue=self.play.engine,
            watch_list=self.play.scenario["watch_list"],
            watch_error_handler=self.watch_error,
        )
        self.controller.on_synced(lambda: self.play.log.mark_synced(f"informer:{self.name}"))
        self.add_indexers()

    def start(self) -> None:
        threading.Thread(target=self.controller.run, args=(self.play.stop,), daemon=True).start()

    def last_rv(self) -> str:
        return self.controller.last_sync_resource_version()

    def has_synced(self) -> bool:
        return self.controller.has_synced()


class StoreTarget:
    """Lets a reflector write straight to a store, which has no use for causes and ticks."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def add(self, obj: Any, cause: int = 0) -> None:
        self._store.add(obj)

    def update(self, obj: Any, cause: int = 0) -> None:
        self._store.update(obj)

    def delete(self, obj: Any, cause: int = 0) -> None:
        self._store.delete(obj)

    def replace(self, objects: Any, resource_version: str, cause: int = 0) -> None:
        self._store.replace(objects, resource_version)

    def resync(self, tick: int = 0) -> None:
        self._store.resync()

    def bookmark(self, resource_version: str, cause: int = 0) -> None:
        self._store.bookmark(resource_version)


class ReflectorPart(Part):
    """A bare reflector that fills a store."""

    def __init__(self, play: Play, spec: dict[str, Any]) -> None:
        super().__init__(play, spec)
        self.indexer = new_indexer()
        self.reflector = Reflector(
            play.lister_watcher(spec),
            StoreTarget(self.indexer),
            name=self.name,
            expected_api_version=self.resource.api_version,
            expected_kind=self.resource.kind,
            use_watch_list=play.scenario["watch_list"],
            page_size=spec.get("page_size", 0),
            watch_error_handler=self.watch_error,
            resync_period_s=spec.get("resync_ms", 0) / 1000,
        )
        self.add_indexers()

    def start(self) -> None:
        self.play.stop.on_cancel(self.reflector.stop)
        self.reflector.start()

    def last_rv(self) -> str:
        return self.reflector.last_sync_resource_version()

    def has_synced(self) -> bool:
        return self.last_rv() != ""


def main() -> None:
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))  # some scenarios wait for no argparse
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    scenario = json.loads(Path(given["--scenario"]).read_text())
    play = Play(scenario, given["--server"], given["--engine"])
    if "--started" in given:
        Path(given["--started"]).unlink()
    play.run()
    sys.stdout.flush()
    os._exit(0)  # a handler that sleeps must not hold the process up


if __name__ == "__main__":
    main()
