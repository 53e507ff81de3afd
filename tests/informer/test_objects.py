"""KubeObject: header decoding, access, identity, and errors."""

from __future__ import annotations

import copy
import gc
import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdash.informer.errors import DecodeError
from kdash.informer.objects import KubeObject
from kdash.informer.transforms import TransformError, compose, metadata_only, strip_managed_fields
from tests.informer.builders import make, raw_pod


def test_header_fields_come_from_the_json():
    obj = KubeObject.from_bytes(raw_pod("a", 7, "ns"))
    assert (obj.api_version, obj.kind, obj.namespace, obj.name) == ("v1", "Pod", "ns", "a")
    assert (obj.uid, obj.resource_version, obj.key) == ("uid-a", "7", "ns/a")
    assert obj.size == obj.stored_size == len(raw_pod("a", 7, "ns"))


def test_key_without_namespace_is_the_name():
    assert make("node-1").key == "node-1"


def test_missing_type_is_filled_in_everywhere():
    obj = KubeObject.from_bytes(b' {"metadata":{"name":"a"}}', "apps/v1", "Deployment")
    assert (obj.api_version, obj.kind) == ("apps/v1", "Deployment")
    assert obj["kind"] == "Deployment"
    assert obj.to_dict() == {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "a"}}
    assert KubeObject.from_bytes(obj.to_json()).api_version == "apps/v1"
    assert obj.size == len(obj.to_json())


def test_own_type_outranks_the_given_one():
    obj = KubeObject.from_bytes(b'{"kind":"Pod","metadata":{}}', "v1", "Other")
    assert (obj.api_version, obj.kind) == ("v1", "Pod")
    assert obj.to_dict() == {"apiVersion": "v1", "kind": "Pod", "metadata": {}}


def test_type_is_filled_into_an_empty_object():
    assert KubeObject.from_bytes(b"{ }", "v1", "Pod").to_dict() == {"kind": "Pod", "apiVersion": "v1"}


def test_nulls_in_metadata_count_as_absent():
    obj = KubeObject.from_bytes(b'{"metadata":{"name":null,"namespace":null,"labels":null}}')
    assert (obj.name, obj.namespace, obj.labels) == ("", "", {})
    assert KubeObject.from_bytes(b'{"metadata":null}').name == ""


@pytest.mark.parametrize("field", ["name", "namespace", "uid", "resourceVersion"])
def test_a_name_that_is_no_name_is_refused_before_it_becomes_text(field: str):
    raw = b'{"kind":"Pod","metadata":{"%b":"%b"}}' % (field.encode(), b"x" * (1 << 20))
    with pytest.raises(DecodeError, match=f"its metadata.{field} takes more than 64 KiB"):
        KubeObject.from_bytes(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "no JSON object"),
        (b'{"kind":"Pod"', "no JSON object"),
        (b'{"kind":"Pod"} x', "trailing characters"),
        (b"[]", "Expected `object`"),
        (b"null", "Expected `object`"),
        (b'{"metadata":[]}', "$.metadata"),
        (b'{"metadata":{"name":5}}', "$.metadata.name"),
        (b'{"metadata":{"resourceVersion":5}}', "$.metadata.resourceVersion"),
        (b"{\"metadata\":{\"name\":\"\xff", "no JSON object"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "nested too deeply"),
    ],
)
def test_malformed_objects_are_refused_with_the_place(raw: bytes, words: str):
    with pytest.raises(DecodeError) as caught:
        KubeObject.from_bytes(raw)
    assert words in str(caught.value)
    assert str(caught.value).startswith("malformed object: ")


def test_decode_errors_do_not_repeat_values():
    with pytest.raises(DecodeError) as caught:
        KubeObject.from_bytes(b'{"data":{"password":"hunter2"},"metadata":{"name":[]}}')
    assert "hunter2" not in str(caught.value)


def test_mapping_access_decodes_fresh_each_time():
    obj = make("a", spec={"containers": [{"image": "x"}]})
    assert obj["spec"] is not obj["spec"]
    assert obj["spec"] == {"containers": [{"image": "x"}]}
    assert obj.get("spec") == obj["spec"]
    assert obj.get("status") is None
    assert obj.get("status", 5) == 5
    assert "spec" in obj
    assert "status" not in obj
    with pytest.raises(KeyError):
        obj["status"]


def test_it_lists_its_fields_like_a_dict():
    obj = make("a", spec=1)
    assert list(obj) == list(obj.keys()) == ["kind", "apiVersion", "metadata", "spec"]
    assert len(obj) == 4
    assert dict(obj.items()) == obj.to_dict()
    assert list(obj.values())[3] == 1


def test_an_object_is_true_even_when_empty():
    assert KubeObject.from_bytes(b"{}")


def test_get_of_a_null_field_gives_none_not_the_default():
    assert KubeObject.from_bytes(b'{"spec":null}').get("spec", 5) is None


def test_to_dict_is_the_callers_own():
    obj = make("a")
    obj.to_dict()["metadata"]["name"] = "b"
    assert obj.to_dict()["metadata"]["name"] == "a"


def test_metadata_properties():
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "u", "controller": True}
    obj = make(
        "a",
        metadata={
            "labels": {"app": "web"}, "annotations": {"x/y": "z"}, "ownerReferences": [owner],
            "generation": 4,
            "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:04:06.5Z",
        },
    )  # fmt: skip
    assert obj.labels == {"app": "web"}
    assert obj.annotations == {"x/y": "z"}
    assert obj.owner_references == [owner]
    assert obj.generation == 4
    assert obj.creation_timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert obj.deletion_timestamp == datetime(2026, 1, 2, 3, 4, 6, 500_000, tzinfo=UTC)


def test_metadata_properties_of_a_bare_object():
    obj = KubeObject.from_bytes(b"{}")
    assert (obj.labels, obj.annotations, obj.owner_references) == ({}, {}, [])
    assert (obj.generation, obj.creation_timestamp, obj.deletion_timestamp) == (0, None, None)


def test_malformed_optional_metadata_counts_as_absent():
    obj = make("a", metadata={"labels": {"n": 5}, "generation": "x", "creationTimestamp": "2026"})
    assert (obj.labels, obj.generation, obj.creation_timestamp) == ({}, 0, None)
    assert make("a", metadata={"creationTimestamp": "yesterday"}).creation_timestamp is None


def test_text_that_go_would_repair_is_repaired():
    obj = KubeObject.from_bytes(b'{"metadata":{"name":"a"},"data":"\xff"}')
    assert obj["data"] == "�"
    assert obj.to_dict()["data"] == "�"


def test_equality_and_hash_follow_key_uid_and_version():
    assert make("a", 1) == make("a", 1, spec=5)
    assert hash(make("a", 1)) == hash(make("a", 1, spec=5))
    assert make("a", 1) != make("a", 2)
    assert make("a", 1) != make("b", 1)
    assert make("a", 1) != make("a", 1, metadata={"uid": "other"})
    assert make("a", 1) != "a"


def test_copies_and_pickles_are_equal_and_complete():
    obj = KubeObject.from_bytes(b'{"metadata":{"name":"a","resourceVersion":"4"},"spec":[1]}', "v1", "Pod")
    for twin in (copy.copy(obj), copy.deepcopy(obj), pickle.loads(pickle.dumps(obj))):
        assert twin == obj
        assert twin is not obj
        assert twin.to_json() == obj.to_json()
        assert (twin.kind, twin.api_version, twin.size) == (obj.kind, obj.api_version, obj.size)


def test_users_cannot_change_an_object():
    with pytest.raises(AttributeError):
        make("a").name = "b"  # type: ignore[misc]


def test_the_garbage_collector_never_sees_it():
    assert not gc.is_tracked(make("a"))


def test_repr_shows_identity_and_no_content():
    text = repr(make("a", 3, "ns", data={"password": "hunter2"}))
    assert "Pod ns/a" in text
    assert "rv=3" in text
    assert "hunter2" not in text


def test_from_dict_round_trip():
    metadata = {"name": "a", "namespace": "n"}
    data = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"ü": [1]}}
    obj = KubeObject.from_dict(data)
    assert obj.key == "n/a"
    assert obj.to_dict() == data
    with pytest.raises(DecodeError):
        KubeObject.from_dict({"metadata": 5})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["spec", "status", "data", "items"]), json_values, max_size=4))
def test_any_content_reads_back_as_it_was_written(fields: dict[str, object]):
    obj = make("a", **fields)
    assert {name: obj[name] for name in fields} == fields
    assert KubeObject.from_bytes(obj.to_json()).to_dict() == obj.to_dict()


@given(st.binary(max_size=200))
def test_garbage_gives_an_object_or_a_decode_error(raw: bytes):
    try:
        obj = KubeObject.from_bytes(raw)
    except DecodeError:
        return
    assert isinstance(obj.to_dict(), dict)


# transforms ------------------------------------------------------------------------------------------------


def test_strip_managed_fields_keeps_the_rest():
    fields = {"labels": {"a": "b"}, "managedFields": [{"manager": "kubelet"}]}
    before = make("a", 4, "ns", metadata=fields, spec={"x": 1})
    after = strip_managed_fields(before)
    assert "managedFields" not in after["metadata"]
    assert after == before
    assert (after.labels, after["spec"], after.kind) == ({"a": "b"}, {"x": 1}, "Pod")
    assert after.size < before.size


def test_strip_managed_fields_leaves_objects_without_them_alone():
    obj = make("a", spec="managedFields")
    assert strip_managed_fields(obj) is obj


def test_strip_managed_fields_touches_metadata_only():
    obj = make("a", spec={"managedFields": [1]})
    assert strip_managed_fields(obj)["spec"] == {"managedFields": [1]}


def test_metadata_only_drops_everything_else():
    fields = {"labels": {"a": "b"}, "managedFields": []}
    obj = metadata_only(make("a", 3, "ns", metadata=fields, data={"k": "v"}))
    assert list(obj) == ["apiVersion", "kind", "metadata"]
    assert (obj.key, obj.resource_version, obj.labels) == ("ns/a", "3", {"a": "b"})
    assert "managedFields" not in obj["metadata"]


def test_compose_applies_first_to_last():
    def tag(text: str):
        return lambda obj: KubeObject.from_dict({**obj.to_dict(), "tags": obj.get("tags", "") + text})

    assert compose(tag("a"), tag("b"))(make("x"))["tags"] == "ab"
    obj = make("x")
    assert compose()(obj) is obj


def test_transform_error_names_the_object():
    cause = ValueError("no spec")
    error = TransformError("ns/a", cause)
    assert str(error) == 'the transform failed for "ns/a": no spec'
    assert error.__cause__ is cause
