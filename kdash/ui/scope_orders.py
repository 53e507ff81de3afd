"""The actions that change what is observed: resources, namespace, selector, context."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdash.observe.parse import BadValue, parse_resources
from kdash.probe.text import clean
from kdash.ui.screens.prompt import Entry, Palette

if TYPE_CHECKING:
    from kdash.ui.app import KdashApp

__all__ = ["Asked", "BadScope", "ScopeOrders", "parse_scope"]


class BadScope(ValueError):
    """What was typed names no scope; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a line such as `deploy,svc -n dev -l app=web /text` asks for; None: as it is."""

    resources: tuple[str, ...] | None = None
    namespace: str | None = None
    all_namespaces: bool | None = None
    label_selector: str | None = None
    field_selector: str | None = None
    context: str | None = None
    filter: str | None = None


_OPTIONS = {"-n": "namespace", "--namespace": "namespace", "-l": "label_selector", "--selector": "label_selector",
            "--field-selector": "field_selector", "--context": "context"}


def parse_scope(text: str) -> Asked:
    """Read a line as kubectl and k9s users write it. Raises `BadScope`."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise BadScope("a quotation mark is not closed") from None
    found: dict[str, object] = {}
    resources: list[str] = []
    at = 0
    while at < len(words):
        word, at = words[at], at + 1
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if option in ("-A", "--all-namespaces"):
            found["all_namespaces"] = True
        elif option in _OPTIONS:
            if not equals:
                if at >= len(words):
                    raise BadScope(f"{option} needs a value")
                value, at = words[at], at + 1
            found[_OPTIONS[option]] = value
        elif word.startswith("-n") and not word.startswith("--") and len(word) > 2:
            found["namespace"] = word[2:]
        elif word.startswith("/"):
            found["filter"] = " ".join([word[1:], *words[at:]]).strip()
            break
        elif word.startswith("-"):
            raise BadScope(f"{clean(word)} is no option here: -n NAMESPACE, -A, -l SELECTOR, --field-selector SELECTOR "
                           "and --context are")
        else:
            resources.append(word)
    try:
        names = parse_resources(resources) if resources else None
    except BadValue as error:
        raise BadScope(str(error)) from None
    if found.get("namespace") and found.get("all_namespaces"):
        raise BadScope("-n and -A exclude each other")
    return Asked(names, **found)  # type: ignore[arg-type]


class ScopeOrders:
    """Changes what one app observes."""

    def __init__(self, app: KdashApp) -> None:
        self._app = app

    def observe(self, text: str) -> None:
        """A whole line: `pods -n dev`."""
        app = self._app
        try:
            asked = parse_scope(text)
        except BadScope as error:
            app.say(str(error), ok=False)
            return
        if asked.context is not None:
            self._context(asked.context)
            return
        wishes = (asked.resources, asked.namespace, asked.all_namespaces, asked.label_selector, asked.field_selector)
        if any(wish is not None for wish in wishes):
            app.tell(app.observation.set_scope(*wishes))
        if asked.filter is not None:
            app.commands.looking.filter_now(asked.filter)

    def namespace(self, arguments: Sequence[str] = ()) -> None:
        if arguments:
            self._namespace(arguments[0])
            return
        scope = self._app.observation.scope()
        entries = [Entry("all", "all namespaces"), *(Entry(name, "seen in the cache") for name in scope.namespaces)]
        self._choose(entries, "namespace, of those seen or any other", self._namespace)

    def _namespace(self, name: str) -> None:
        everywhere = name in ("all", "-A", "*")
        self._app.tell(self._app.observation.set_scope(
            namespace=None if everywhere else name, all_namespaces=True if everywhere else None
        ))  # fmt: skip

    def everywhere(self) -> None:
        self._app.tell(self._app.observation.set_scope(all_namespaces=True))

    def selector(self, arguments: Sequence[str] = ()) -> None:
        self._app.tell(self._app.observation.set_scope(label_selector="".join(arguments)))

    def context(self, arguments: Sequence[str] = ()) -> None:
        if arguments:
            self._context(arguments[0])
            return
        scope = self._app.observation.scope()
        if not scope.contexts:
            self._app.say("the kubeconfig has no contexts: kubectl config get-contexts shows what kubectl sees", False)
            return
        here = scope.context
        entries = [Entry(name, "observed now" if name == here else "") for name in scope.contexts]
        self._choose(entries, "context of the kubeconfig", self._context)

    def _context(self, name: str) -> None:
        self._app.tell(self._app.observation.set_context(name))

    def _choose(self, entries: Sequence[Entry], hint: str, use: Callable[[str], None]) -> None:
        def chosen(name: str | None) -> None:
            if name:
                use(name)

        self._app.push_screen(Palette(entries, hint), chosen)
