"""The examples in docstrings run, those that need a cluster against the embedded server."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import kdash.cluster
import kdash.informer
from kdash.demo import ApiServer

MODULES = sorted(
    each.name
    for package in (kdash.informer, kdash.cluster)
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
)


@pytest.fixture(scope="module")
def server_url():
    with ApiServer(objects=20, rate=0, scenario="calm") as server:
        yield server.url


def examples(name: str) -> list[doctest.DocTest]:
    return [each for each in doctest.DocTestFinder().find(importlib.import_module(name), name) if each.examples]


@pytest.mark.parametrize("name", [each for each in MODULES if examples(each)])
def test_examples_of(name: str, server_url: str) -> None:
    told: list[str] = []
    for example in examples(name):
        example.globs["SERVER"] = server_url
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=told.append)
    assert not told, "".join(told)


def test_the_factory_has_an_example() -> None:
    assert any("wait_for_cache_sync" in example.docstring for example in examples("kdash.informer.factory"))


@pytest.mark.parametrize("name", kdash.informer.__all__)
def test_every_public_name_is_described(name: str) -> None:
    described = getattr(kdash.informer, name)
    if isinstance(described, str):
        return
    assert described.__doc__, name
    for method, value in vars(described).items() if isinstance(described, type) else ():
        if callable(value) and not method.startswith("_") and not _is_inherited_contract(described, method):
            assert value.__doc__, f"{name}.{method} has no docstring"


def _is_inherited_contract(described: type, method: str) -> bool:
    """Methods that fulfil a protocol are described there."""
    from kdash.informer import Clock, ListerWatcher, ResourceEventHandler, Tap

    return any(method in vars(protocol) for protocol in (Clock, ListerWatcher, ResourceEventHandler, Tap)) or (
        method in ("keys", "values", "items", "get") and hasattr(dict, method)
    )
