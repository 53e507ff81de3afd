"""Which resource a word means, by kubectl's rules (its RESTMapper, shortcut expander and category expander).

Contract: pure functions over what discovery found. A word is `resource`, `resource.group`,
`resource.version.group`; `resource` may be the plural, the singular, a short name or the kind, in any case;
`group` may be a prefix of the group's name. Plurals and singulars win over short names, those over kinds;
then the server's order decides: its first group, and that group's preferred version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kdash.cluster.errors import UnknownResource, clean_text, nearest
from kdash.informer.resources import ResourceInfo

__all__ = ["find", "resolve", "resolve_all"]

Resources = Callable[..., list[ResourceInfo]]
Errors = Callable[[], dict[str, str]]


def _readings(word: str) -> Iterable[tuple[str, str | None, str | None]]:
    """(resource, version, group) as the word may be read, the likeliest first; None = not said."""
    resource, *rest = word.split(".", 2)
    if not rest:
        yield resource, None, None
        return
    if len(rest) == 2:
        yield resource, rest[0], rest[1]
    yield resource, None, ".".join(rest)
    if len(rest) == 1:
        yield resource, rest[0], ""  # pods.v1


def find(word: str, known: Iterable[ResourceInfo]) -> ResourceInfo | None:
    """The resource that `word` means, or None."""
    everything = list(known)
    for resource, version, group in _readings(word.strip().lower()):
        pool = [r for r in everything if version is None or r.version == version]
        if group is not None:
            exact = [r for r in pool if r.group == group]
            pool = exact or ([r for r in pool if r.group.startswith(group)] if group else [])
        for names in _NAMES:
            for candidate in pool:
                if resource in names(candidate):
                    return candidate
    return None


_NAMES: tuple[Callable[[ResourceInfo], tuple[str, ...]], ...] = (
    lambda r: (r.resource, r.singular or r.kind.lower()),
    lambda r: r.short_names,
    lambda r: (r.kind.lower(),),
)


def _check_watchable(resource: ResourceInfo) -> ResourceInfo:
    missing = [verb for verb in ("list", "watch") if verb not in resource.verbs]
    if missing:
        offered = ", ".join(resource.verbs) or "nothing"
        raise UnknownResource(
            f"{resource.name} cannot be observed: the server offers no {' and no '.join(missing)} for it, "
            f"only {offered}; an informer needs list and watch"
        )
    return resource


def _unknown(word: str, known: list[ResourceInfo], broken: dict[str, str]) -> UnknownResource:
    shown = clean_text(word, 80)
    names = {n for r in known for n in (r.resource, r.name, r.singular, r.kind.lower(), *r.short_names) if n}
    near = nearest(word.strip().lower(), sorted(names))
    hint = f"; nearest: {', '.join(near)}" if near else "; `kubectl api-resources` lists what there is"
    lost = f" (not described by the server: {', '.join(sorted(broken))})" if broken else ""
    return UnknownResource(f"the server has no resource {shown!r}{hint}{lost}", near)


def resolve(word: str, resources: Resources, errors: Errors) -> ResourceInfo:
    """The watchable resource that `word` means. Looks at the server again before it says that there is
    none.
    """
    if "/" in word:
        kind, _, name = word.partition("/")
        raise UnknownResource(
            f"{clean_text(word, 80)!r} names one object; observe {clean_text(kind, 40)!r} with "
            f"--field-selector metadata.name={clean_text(name, 40)}"
        )
    if not word.strip():
        raise UnknownResource("no resource is named; try pods")
    found = find(word, resources()) or find(word, resources(refresh=True))
    if found is None:
        raise _unknown(word, resources(), errors())
    return _check_watchable(found)


def resolve_all(words: str, resources: Resources, errors: Errors) -> list[ResourceInfo]:
    """Each of the comma-separated words, categories (`all`) expanded to their watchable resources."""
    found: dict[ResourceInfo, None] = {}
    for word in [w for w in words.split(",") if w.strip()] or [words]:
        members = _in_category(word.strip().lower(), resources())
        for resource in members or [resolve(word, resources, errors)]:
            found[resource] = None
    return list(found)


def _in_category(category: str, known: list[ResourceInfo]) -> list[ResourceInfo]:
    preferred: dict[tuple[str, str], ResourceInfo] = {}
    for resource in known:
        if category in resource.categories and {"list", "watch"} <= set(resource.verbs):
            preferred.setdefault((resource.group, resource.resource), resource)
    return list(preferred.values())
