"""What table cells are made of: one small function a cell.

Names, order, texts and which columns are wide follow Kubernetes' own printers. A cell function takes the
object and the present time, and copes with missing parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import ages

Item = dict[str, Any]
NONE = "<none>"
_DESCRIPTIONS = {
    "Name": "Name of the object, unique among its kind within a namespace.",
    "Age": "Time since the object was created.",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `cell(object, now)` gives its text, number or boolean; `wide` ones show with `-o wide`
    only.
    """

    name: str
    cell: Callable[[Item, float], Any]
    type: str = "string"
    wide: bool = False
    description: str = ""


def description_of(name: str) -> str:
    """What a column without a description of its own says it is."""
    return _DESCRIPTIONS.get(name, f"{name} of the object.")


def at(item: Any, *path: str | int, default: Any = None) -> Any:
    """The value at a path; `default` if any part of it is missing or null."""
    for step in path:
        try:
            item = item[step]
        except (KeyError, IndexError, TypeError):
            return default
    return default if item is None else item


def text(*path: str | int, default: str = NONE) -> Callable[[Item, float], Any]:
    """A cell with the text at a path."""
    return lambda item, now: str(at(item, *path, default=default)) or default


def number(*path: str | int, default: int = 0) -> Callable[[Item, float], Any]:
    """A cell with the integer at a path."""
    return lambda item, now: at(item, *path, default=default)


def count(*paths: str) -> Callable[[Item, float], Any]:
    """A cell with the number of entries of the named objects or lists."""
    return lambda item, now: sum(len(at(item, path, default=())) for path in paths)


def since(*path: str | int, missing: str = "<unknown>") -> Callable[[Item, float], Any]:
    """A cell with how long ago the instant at a path was."""
    return lambda item, now: ages.age(at(item, *path), now) if at(item, *path) else missing


def pair(left: tuple[str, ...], right: tuple[str, ...]) -> Callable[[Item, float], Any]:
    """A cell like 2/3."""
    return lambda item, now: f"{at(item, *left, default=0)}/{at(item, *right, default=0)}"


def labels_text(labels: Any) -> str:
    """A map of labels as a selector."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector_text(selector: Any) -> str:
    """A LabelSelector as text."""
    terms = [f"{key}={value}" for key, value in sorted(at(selector, "matchLabels", default={}).items())]
    for term in at(selector, "matchExpressions", default=[]):
        operator, values = term.get("operator"), ",".join(term.get("values") or [])
        terms.append(
            {
                "In": f"{term.get('key')} in ({values})",
                "NotIn": f"{term.get('key')} notin ({values})",
                "Exists": str(term.get("key")),
            }.get(str(operator), f"!{term.get('key')}")
        )
    return ",".join(terms) or NONE


def selector(item: Item, now: float) -> str:
    return selector_text(at(item, "spec", "selector", default={}))


def _containers(field: str, *path: str) -> Callable[[Item, float], Any]:
    return lambda item, now: ",".join(
        str(container.get(field, "")) for container in at(item, *path, default=[])
    )


def pod_spec_columns(*template: str) -> list[Column]:
    path = (*(template or ("spec", "template", "spec")), "containers")
    return [Column("Containers", _containers("name", *path), wide=True),
            Column("Images", _containers("image", *path), wide=True)]


def node_status(item: Item, now: float) -> str:
    ready = next((condition for condition in at(item, "status", "conditions", default=[])
                  if condition.get("type") == "Ready"), None)
    states = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    if at(item, "spec", "unschedulable"):
        states.append("SchedulingDisabled")
    return ",".join(states)


def node_roles(item: Item, now: float) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = at(item, "metadata", "labels", default={})
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or NONE


def node_address(kind: str) -> Callable[[Item, float], Any]:
    return lambda item, now: next(
        (
            address["address"]
            for address in at(item, "status", "addresses", default=[])
            if address.get("type") == kind
        ),
        NONE,
    )


def external_ip(item: Item, now: float) -> str:
    kind = at(item, "spec", "type", default="ClusterIP")
    if kind == "ExternalName":
        return str(at(item, "spec", "externalName", default=NONE))
    ingress = at(item, "status", "loadBalancer", "ingress", default=[])
    found = [str(entry.get("ip") or entry.get("hostname")) for entry in ingress]
    found += at(item, "spec", "externalIPs", default=[])
    return ",".join(found) or ("<pending>" if kind == "LoadBalancer" else NONE)


def service_ports(item: Item, now: float) -> str:
    return (
        ",".join(
            f"{port.get('port')}"
            + (f":{port['nodePort']}" if port.get("nodePort") else "")
            + f"/{port.get('protocol', 'TCP')}"
            for port in at(item, "spec", "ports", default=[])
        )
        or NONE
    )


def endpoints(item: Item, now: float) -> str:
    found = [f"{address.get('ip')}:{port.get('port')}" for subset in at(item, "subsets", default=[])
             for address in subset.get("addresses") or [] for port in subset.get("ports") or []]
    return (
        NONE
        if not found
        else ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")
    )


def job_status(item: Item, now: float) -> str:
    held = {condition.get("type") for condition in at(item, "status", "conditions", default=[])
            if condition.get("status") == "True"}
    if "Complete" in held or "Failed" in held:
        return "Complete" if "Complete" in held else "Failed"
    if at(item, "metadata", "deletionTimestamp"):
        return "Terminating"
    return "Suspended" if "Suspended" in held else "Running"


def job_completions(item: Item, now: float) -> str:
    done, wanted = at(item, "status", "succeeded", default=0), at(item, "spec", "completions")
    return f"{done}/{wanted}" if wanted is not None else f"{done}/1"


def job_duration(item: Item, now: float) -> str:
    start, end = ages.parse(at(item, "status", "startTime")), ages.parse(at(item, "status", "completionTime"))
    return "" if start is None else ages.human_duration((now if end is None else end) - start)


def event_last_seen(item: Item, now: float) -> str:
    instant = at(item, "series", "lastObservedTime") or at(item, "lastTimestamp") or at(item, "eventTime")
    return ages.age(instant or at(item, "metadata", "creationTimestamp"), now)


def event_first_seen(item: Item, now: float) -> str:
    return ages.age(at(item, "firstTimestamp") or at(item, "eventTime"), now)


def event_object(item: Item, now: float) -> str:
    about = at(item, "involvedObject", default={}) or at(item, "regarding", default={})
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def event_source(item: Item, now: float) -> str:
    component, host = at(item, "source", "component", default=""), at(item, "source", "host", default="")
    component = component or at(item, "reportingComponent", default="")
    return f"{component}, {host}" if host else str(component)


def event_message(item: Item, now: float) -> str:
    return str(at(item, "message", default="") or at(item, "note", default="")).strip()
