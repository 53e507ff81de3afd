"""Pods out of a controller's template, quickly.

Building a pod with its defaults and managed fields takes about a millisecond; a demo of 100,000 pods cannot
afford that for each. So a pod is built once per template with marks in place of what differs, kept as bytes
between the marks (a stencil), and every further pod is a join of those bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from . import ages, seed_objects
from .cluster_state import ClusterState

Item = dict[str, Any]
_MARK = re.compile(rb"@\{([a-z_]+)\}")
_CACHED = 64


def mark(name: str) -> str:
    """A text that a stencil replaces by the value called `name`."""
    return "@{" + name + "}"


class Stencil:
    """An object with marks in it, ready to be filled in."""

    def __init__(self, item: Item) -> None:
        self._parts = _MARK.split(msgspec.json.encode(item))
        self._slots = [(at, self._parts[at].decode()) for at in range(1, len(self._parts), 2)]

    def fill(self, values: Mapping[str, bytes]) -> bytes:
        """The object's JSON with every mark replaced (values are plain text without quotes or backslashes).
        """
        parts = self._parts.copy()
        for at, name in self._slots:
            parts[at] = values[name]
        return b"".join(parts)


class PodFactory:
    """Makes the pods of controllers, with one stencil per template."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._stencils: dict[tuple[str, str], Stencil] = {}

    def create(self, owner: Item, api_version: str, name: str, extra_labels: Item | None = None,
               edit: Callable[[Item], None] | None = None) -> str | None:
        """Create one pod for a controller; gives its name, or None if that name is taken."""
        state = self._state
        template = owner["spec"]["template"]
        key = (owner["metadata"]["uid"], seed_objects.template_hash([template, extra_labels]))
        stencil = self._stencils.get(key)
        if stencil is None:
            item = seed_objects.pod(
                owner["metadata"]["namespace"], mark("name"), mark("uid"), mark("created"), template,
                seed_objects.owner(api_version, owner["kind"], owner),
                generate_name=f"{owner['metadata']['name']}-", extra_labels=extra_labels)
            if len(self._stencils) >= _CACHED:
                self._stencils.clear()
            stencil = self._stencils[key] = Stencil(item)
        raw = stencil.fill({"name": name.encode(), "uid": state.new_uid().encode(),
                            "created": ages.rfc3339(state.now).encode()})
        pod = msgspec.json.decode(raw)
        if edit is not None:
            edit(pod)
        return name if state.create("Pod", pod) is not None else None
