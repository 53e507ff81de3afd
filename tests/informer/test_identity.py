"""identity_test.go: TestNewInformerName, TestWithResource, TestRelease (ME-2)."""

from __future__ import annotations

import pytest

from kdash.informer.errors import InformerError
from kdash.informer.identity import InformerName
from kdash.informer.metrics import store_version_number
from kdash.informer.resources import ResourceInfo

PODS = ResourceInfo("", "v1", "pods", "Pod", True)
NODES = ResourceInfo("", "v1", "nodes", "Node", False)


def test_me2_new_informer_name_refuses_empty_and_taken_names() -> None:
    with pytest.raises(InformerError, match="must not be empty"):
        InformerName("")
    name = InformerName("unique")
    with pytest.raises(InformerError, match='"unique" is taken'):
        InformerName("unique")
    name.release()
    InformerName("unique").release()


def test_with_resource_first_registration_wins() -> None:
    name = InformerName("with-resource")
    assert name.with_resource(PODS).reserved
    assert not name.with_resource(PODS).reserved
    assert name.with_resource(NODES).reserved
    name.release()


def test_release_gives_back_all_and_may_be_repeated() -> None:
    name = InformerName("released")
    name.with_resource(PODS)
    name.release()
    name.release()
    assert not name.with_resource(PODS).reserved
    again = InformerName("released")
    assert again.with_resource(PODS).reserved
    again.release()


@pytest.mark.parametrize(
    ("version", "number"), [("", None), ("abc", None), ("42", 42), ("12345678901234567", 345678901234567)]
)
def test_me1_store_version_is_its_last_15_digits(version: str, number: int | None) -> None:
    assert store_version_number(version) == number
