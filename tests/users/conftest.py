from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.informer.informer_rig import Rig

MakeRig = Callable[..., Rig]


@pytest.fixture
def rig() -> Iterator[MakeRig]:
    """Makes informers over a `FakeSource`; each is stopped at the end and must leave no thread."""
    rigs: list[Rig] = []

    def make(**options: Any) -> Rig:
        rigs.append(Rig(**options))
        return rigs[-1]

    yield make
    for each in rigs:
        each.stop()
