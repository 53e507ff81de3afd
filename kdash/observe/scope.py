"""Orders about what is observed: other resources, another namespace, a selector, another context.

Contract: as `orders`: nothing raises for what a user can cause, nothing blocks. The change itself is the session's:
names are resolved first, so that a wrong one leaves everything as it is; then the informers end and new ones start. Any
thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from kdash.informer.errors import InformerError
from kdash.observe.door import Outcome, ScopeView
from kdash.observe.parse import BadValue, parse_resources
from kdash.probe.informers import Target
from kdash.probe.text import clean, shorten

if TYPE_CHECKING:
    from kdash.informer.list_watch import ListOptions
    from kdash.informer.resources import ResourceInfo
    from kdash.observe.live import Connector, LiveObservation, Wanted

__all__ = ["Contexts", "Scoping", "selecting", "target_of"]

_NAMESPACES_MAX = 500


class Contexts(Protocol):
    """The contexts that can be changed to."""

    def names(self) -> tuple[str, ...]:
        """As the kubeconfig lists them, the current one first. Raises `InformerError`s."""

    def connector(self, name: str) -> Connector:
        """Makes clients of that context."""


class Scoping:
    """What one live observation observes, and how to change it."""

    def __init__(self, observation: LiveObservation, contexts: Contexts | None) -> None:
        self._observation = observation
        self._contexts = contexts

    def view(self) -> ScopeView:
        """What is observed now, and what else there is."""
        observation = self._observation
        wanted, client = observation.wanted, observation.client
        namespace = wanted.namespace or (client.namespace if client is not None else "")
        seen = observation.objects.namespaces(_NAMESPACES_MAX)
        return ScopeView(
            wanted.resources, "" if wanted.all_namespaces else namespace, wanted.all_namespaces,
            wanted.label_selector, wanted.field_selector, client.context if client is not None else "",
            tuple(sorted({*seen, *([namespace] if namespace else [])})), self._context_names(),
        )  # fmt: skip

    def _context_names(self) -> tuple[str, ...]:
        if self._contexts is None:
            return ()
        try:
            return tuple(map(clean, self._contexts.names()))
        except InformerError:
            return ()

    def change(
        self, resources: tuple[str, ...] | None, namespace: str | None, all_namespaces: bool | None,
        label_selector: str | None, field_selector: str | None,
    ) -> Outcome:
        observation = self._observation
        wanted = observation.session.intended()
        try:
            names = wanted.resources if resources is None else parse_resources(resources)
        except BadValue as error:
            return Outcome(False, str(error))
        change: dict[str, Any] = {} if resources is None else {"resources": names}
        if namespace is not None:
            change |= {"namespace": namespace, "all_namespaces": False}
        if all_namespaces is not None:
            change["all_namespaces"] = all_namespaces
        if label_selector is not None:
            change["label_selector"] = label_selector
        if field_selector is not None:
            change["field_selector"] = field_selector
        after = replace(wanted, **change)
        if after == wanted:
            return Outcome(False, f"already {_words(after, 'watching')}")
        if observation.client is None:
            return Outcome(False, "not connected yet: nothing is observed")
        return observation.session.change(f"{_words(after)}: informers restarted", change)

    def change_context(self, name: str) -> Outcome:
        observation = self._observation
        if self._contexts is None:
            return Outcome(False, "this observation has no kubeconfig to take a context from")
        try:
            names = self._contexts.names()
        except InformerError as error:
            return Outcome(False, shorten(str(error)))
        if name not in names:
            known = f"contexts: {', '.join(map(clean, names))}" if names else "the kubeconfig has none"
            return Outcome(False, f"there is no context {clean(name)}; {known}")
        client = observation.client
        if client is not None and client.context == name and not observation.is_demo:
            return Outcome(False, f"{clean(name)} is the context already")
        connect = self._contexts.connector(name)
        change: dict[str, Any] = {"namespace": None}
        if observation.is_demo:
            change |= {"all_namespaces": False, "seed": None}
        return observation.session.change(
            f"connected to context {clean(name)}", change, lambda: observation.go_to(connect, name)
        )


def _words(wanted: Wanted, verb: str = "observing") -> str:
    where = "in all namespaces" if wanted.all_namespaces else f"in namespace {clean(wanted.namespace or 'default')}"
    label = f" -l {clean(wanted.label_selector)}" if wanted.label_selector else ""
    field = f" --field-selector {clean(wanted.field_selector)}" if wanted.field_selector else ""
    return f"{verb} {clean(','.join(wanted.resources))} {where}{label}{field}"


def selecting(wanted: Wanted) -> Callable[[ListOptions], ListOptions] | None:
    """What puts the selectors into every request; None when there are none."""
    if not (wanted.label_selector or wanted.field_selector):
        return None

    def select(options: ListOptions) -> ListOptions:
        return replace(options, label_selector=wanted.label_selector, field_selector=wanted.field_selector)

    return select


def target_of(info: ResourceInfo, namespace: str, wanted: Wanted) -> Target:
    """What an informer observes, in words."""
    scope = (f"-n {namespace}" if namespace else "-A") if info.namespaced else ""
    for flag, selector in (("-l", wanted.label_selector), ("--field-selector", wanted.field_selector)):
        if selector:
            scope = f"{scope} {flag} {selector}".strip()
    namespace = namespace if info.namespaced else ""
    return Target(info.name, info.group, info.resource, namespace, scope, wanted.queue, info.version,
                  wanted.label_selector, wanted.field_selector)
