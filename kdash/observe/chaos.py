"""Orders to the demo server: change an object, or make the server misbehave. Refused on a real cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kdash.observe.door import Outcome
from kdash.probe.objects import ObjectRef

if TYPE_CHECKING:
    from kdash.observe.demo_server import DemoHost

__all__ = ["cause", "change_something", "menu"]

_NOT_THE_DEMO = "kdash changes and disturbs its demo server only, never a cluster"


def menu(host: DemoHost | None) -> Mapping[str, str]:
    """What can be done to the demo server: name → what it does, what it waits for and how often it struck.

    Empty on a cluster.
    """
    if host is None:
        return {}
    from kdash.demo.fault_menu import MENU

    armed, struck = host.faults(), host.struck()
    entries = {}
    for name, text in MENU.items():
        told = [f"armed: waits for {each.waits_for}" for each in armed if each.kind == name]
        told += [f"struck {struck[name]}x"] if struck.get(name) else []
        entries[name] = f"{'; '.join(told)} ({text})" if told else text
    return entries


def cause(host: DemoHost | None, text: str) -> Outcome:
    """Make the demo server misbehave; `text` is as in `kdash demo --fault`: `503:verb=LIST,times=3`."""
    server = None if host is None else host.server
    if server is None:
        return Outcome(False, _NOT_THE_DEMO)
    from kdash.demo.fault_menu import MENU, parse_fault

    try:
        fault = server.faults.add(parse_fault(text))
    except ValueError as error:
        return Outcome(False, str(error))
    if any(each is fault for each in server.faults.armed()):
        return Outcome(True, f"demo server, {fault.kind} is armed: it waits for {server.faults.waits_for(fault)}")
    return Outcome(True, f"demo server, {fault.kind}: {MENU[fault.kind]}")


def change_something(host: DemoHost | None, ref: ObjectRef | None = None, kind: str = "") -> Outcome:
    """Change the named pod of the demo, or anything."""
    server = None if host is None else host.server
    if server is None or server.workload is None:
        return Outcome(False, _NOT_THE_DEMO)
    from kdash.demo.edits import UnknownEdit, change

    is_pod = ref is not None and ref.informer == "pods"
    namespace, _, name = ref.key.rpartition("/") if ref is not None and is_pod else ("", "", "")
    try:
        done = change(server, kind or ("label" if is_pod else ""), namespace=namespace, name=name)
    except UnknownEdit as error:
        return Outcome(False, str(error))
    return Outcome(True, f"demo: {done.text}")
