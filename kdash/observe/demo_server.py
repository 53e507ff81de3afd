"""The embedded API server as an observation uses it: started when needed, stopped with the observation."""

from __future__ import annotations

import difflib
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdash.observe.parse import BadValue
from kdash.probe.snapshot import FaultView
from kdash.probe.text import clean

if TYPE_CHECKING:
    from kdash.demo import ApiServer, Fault
    from kdash.probe.informers import InformerState

__all__ = ["DemoHost"]

_WINDOW_S = 75.0  # of changes that can be watched from, as a kube-apiserver keeps
_LEAST_RATE, _MOST_EVENTS = 33.0, 10_000


class DemoHost:
    """Starts one server on 127.0.0.1 and stops it. Thread-safe; importing this imports no server."""

    def __init__(
        self, *, objects: int | None = None, rate: float | None = None, seed: int | None = None,
        scenario: str | None = None, port: int = 0, faults: Sequence[str] = (),
    ) -> None:
        """What is None takes the server's default. `faults`: what misbehaves from the start."""
        self._faults = tuple(faults)
        options: dict[str, Any] = {"objects": objects, "rate": rate, "seed": seed, "scenario": scenario}
        options["window"] = int(min(max(rate or 0.0, _LEAST_RATE) * _WINDOW_S, _MOST_EVENTS))
        self._options = {name: value for name, value in options.items() if value is not None} | {"port": port}
        self._lock = threading.Lock()  # guards server and _stopped
        self._stopped = False
        self.server: ApiServer | None = None
        """The server, once it runs."""

    def start(self) -> ApiServer:
        """The running server. Raises `BadValue` for an unknown scenario, OSError when the port is taken."""
        from kdash.demo import ApiServer

        with self._lock:
            if self.server is None:
                try:
                    server = ApiServer(**self._options)
                except ValueError as error:
                    raise BadValue(_with_nearest(str(self._options.get("scenario")), str(error))) from None
                if self._stopped:
                    raise OSError("the demo was stopped before it began")
                for text in self._faults:
                    server.faults.add(_parsed(text))
                self.server = server.start()
            return self.server

    def behind(self, states: Iterable[InformerState]) -> dict[str, int]:
        """For each informer, how many changes of its resource the server has committed and it has not seen yet."""
        server = self.server
        if server is None:
            return {}
        found = {}
        for state in states:
            target, version = state.target, state.version
            qualified = f"{target.resource}.{target.group}" if target.group else target.resource
            if version.isdigit():
                found[target.name] = server.storage.changes_after(int(version), qualified, target.namespace)
        return found

    def faults(self) -> tuple[FaultView, ...]:
        """What is armed, oldest first."""
        server = self.server
        if server is None:
            return ()
        faults = server.faults
        return tuple(FaultView(each.kind, clean(faults.waits_for(each)), each.struck) for each in faults.armed())

    def struck(self) -> Mapping[str, int]:
        """How often each kind of fault has struck so far."""
        server = self.server
        return {} if server is None else Counter(strike.kind for strike in server.faults.history())

    def stop(self) -> None:
        """Stop the server; any number of times."""
        with self._lock:
            self._stopped = True
            server, self.server = self.server, None
        if server is not None:
            server.stop()


def _parsed(text: str) -> Fault:
    from kdash.demo.fault_menu import parse_fault

    try:
        return parse_fault(text)
    except ValueError as error:
        raise BadValue(str(error)) from None


def _with_nearest(name: str, sentence: str) -> str:
    from kdash.demo.scenarios import SCENARIOS

    near = difflib.get_close_matches(name, list(SCENARIOS), n=1)
    return f"{sentence}; did you mean {near[0]}?" if near else sentence
