"""Packed storage: dictionaries, packing in place, and the store's backlog."""

from __future__ import annotations

import copy
import pickle
import random
import threading

import pytest

from kdash.informer.indexer import new_indexer
from kdash.informer.objects import KubeObject
from kdash.informer.packing import Packer
from kdash.informer.store import Transaction, TransactionType
from tests.informer.builders import make, raw_pod


def pods(count: int, seed: int = 1, version: int = 1) -> list[KubeObject]:
    rng = random.Random(seed)
    return [
        make(
            f"web-{i}", version, f"ns-{i % 7}", spec={"containers": [{"image": f"registry/web:{i % 5}"}] * 8},
            status={"podIP": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}", "phase": "Running"},
        )
        for i in range(count)
    ]  # fmt: skip


def learned(objects: list[KubeObject]) -> Packer:
    packer = Packer()
    packer.learn([obj.to_json() for obj in objects])
    return packer


def test_a_packer_packs_nothing_before_it_has_learnt():
    assert Packer().pack(raw_pod("a")) is None
    assert not make("a").pack(Packer())


def test_packing_in_place_keeps_the_object_and_its_content():
    objects = pods(50)
    packer = learned(objects)
    before = [(obj.to_json(), obj.size, hash(obj)) for obj in objects]
    for obj in objects:
        assert obj.pack(packer)
        assert obj.is_packed
    assert [(obj.to_json(), obj.size, hash(obj)) for obj in objects] == before
    assert all(obj.stored_size * 4 < obj.size for obj in objects)
    assert objects[3]["status"]["phase"] == "Running"
    assert objects[3].labels == {}


def test_packing_twice_does_nothing():
    objects = pods(20)
    packer = learned(objects)
    assert objects[0].pack(packer)
    assert not objects[0].pack(packer)


def test_packed_gives_an_equal_packed_twin():
    objects = pods(20)
    twin = objects[0].packed(learned(objects))
    assert twin == objects[0]
    assert twin.is_packed
    assert not objects[0].is_packed


def test_packed_objects_survive_copy_deepcopy_and_pickle():
    objects = pods(20)
    obj = objects[0].packed(learned(objects))
    for twin in (copy.copy(obj), copy.deepcopy(obj), pickle.loads(pickle.dumps(obj))):
        assert twin.to_json() == objects[0].to_json()


def test_objects_of_an_older_dictionary_stay_readable():
    first, second = pods(30), pods(30, seed=2)
    packer = learned(first)
    old = first[0].packed(packer)
    packer.learn([obj.to_json() for obj in second])
    new = second[0].packed(packer)
    assert old.to_json() == first[0].to_json()
    assert new.to_json() == second[0].to_json()


def test_what_does_not_compress_stays_as_it_is():
    packer = learned(pods(20))
    assert packer.pack(random.Random(3).randbytes(2000)) is None
    tiny = KubeObject.from_bytes(b'{"metadata":{"name":"a"}}')
    assert not tiny.packed(packer).is_packed


@pytest.mark.parametrize("samples", [[], [b"{}"], [raw_pod("a")], [b"x" * 200]])
def test_samples_that_make_no_dictionary_still_pack(samples: list[bytes]):
    packer = Packer()
    packer.learn(samples)
    obj = pods(1)[0]
    content = obj.to_json()
    assert obj.pack(packer)
    assert obj.to_json() == content


def test_the_dictionary_is_at_most_64_kib():
    packer = learned(pods(2000))
    assert packer.codec is not None
    assert 0 < packer.codec.dictionary_size <= 64 * 1024


def test_reading_while_packing_never_sees_half_an_object():
    objects = pods(400)
    packer = learned(objects)
    expected = [obj.to_json() for obj in objects]
    wrong: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            wrong.extend(i for i, obj in enumerate(objects) if obj.to_json() != expected[i])

    readers = [threading.Thread(daemon=True, target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for obj in objects:
        obj.pack(packer)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert all(obj.is_packed for obj in objects)


# the store's backlog ---------------------------------------------------------------------------------------


def test_a_packed_indexer_packs_what_it_holds_when_asked():
    indexer = new_indexer(packed=True)
    objects = pods(300)
    indexer.replace(objects, "1")
    while indexer.pack_pending(50):
        pass
    assert all(obj.is_packed for obj in indexer.list())
    assert indexer.get_by_key(objects[5].key) is objects[5]


def test_packing_in_bits_reports_whether_there_is_more():
    indexer = new_indexer(packed=True)
    indexer.replace(pods(250), "1")
    assert indexer.pack_pending(200)
    assert sum(obj.is_packed for obj in indexer.list()) == 200
    assert not indexer.pack_pending(200)


def test_small_collections_stay_unpacked_until_there_is_enough_to_learn_from():
    indexer = new_indexer(packed=True)
    for obj in pods(199):
        indexer.add(obj)
    assert not indexer.pack_pending()
    assert not any(obj.is_packed for obj in indexer.list())
    indexer.add(make("last"))
    while indexer.pack_pending():
        pass
    assert any(obj.is_packed for obj in indexer.list())


def test_few_large_objects_are_enough_to_learn_from():
    indexer = new_indexer(packed=True)
    for i in range(3):
        indexer.add(make(f"config-{i}", data={"text": f"line {i}\n" * 80_000}))
    while indexer.pack_pending():
        pass
    assert all(obj.stored_size * 10 < obj.size for obj in indexer.list())


def test_an_unpacked_store_never_packs():
    indexer = new_indexer()
    indexer.replace(pods(300), "1")
    assert not indexer.pack_pending()
    assert not any(obj.is_packed for obj in indexer.list())


def test_the_longest_unchanged_objects_are_packed_first():
    indexer = new_indexer(packed=True)
    indexer.replace(pods(300), "1")
    hot = pods(10, version=2)
    for obj in hot:
        indexer.update(obj)
    indexer.pack_pending(290)
    assert [obj for obj in indexer.list() if not obj.is_packed] == hot


def test_deleted_objects_are_not_packed():
    indexer = new_indexer(packed=True)
    objects = pods(250)
    indexer.replace(objects, "1")
    indexer.delete(objects[0])
    while indexer.pack_pending():
        pass
    assert not objects[0].is_packed
    assert objects[1].is_packed


def test_a_relist_packs_with_what_was_learnt_before():
    indexer = new_indexer(packed=True)
    indexer.replace(pods(250), "1")
    while indexer.pack_pending():
        pass
    indexer.replace(pods(5, version=2), "2")
    while indexer.pack_pending():
        pass
    assert len(indexer) == 5
    assert all(obj.is_packed for obj in indexer.list())


@pytest.mark.parametrize("way", ["update", "transaction"])
def test_too_many_unpacked_bytes_make_writes_pack(way: str):
    """33 MiB wait where 32 may: each further write packs the oldest, without anyone asking."""
    indexer = new_indexer(packed=True)
    big = [make(f"big-{i}", data="x" * (1 << 20)) for i in range(33)]
    for obj in big[:32]:
        indexer.add(obj)
    if way == "update":
        indexer.update(big[32])
    else:
        indexer.transaction([Transaction(TransactionType.ADD, big[32])])
    assert [obj.is_packed for obj in big] == [True, True] + [False] * 31


def test_deleted_and_replaced_bytes_do_not_count_as_waiting():
    indexer = new_indexer(packed=True)
    packed: list[str] = []
    for i in range(40):
        passing = make(f"passing-{i}", data="x" * (1 << 20))
        changing = make("changing", i, data="x" * (1 << 20))
        indexer.add(passing)
        indexer.delete(passing)
        indexer.update(changing)
        packed += [obj.key for obj in (passing, changing) if obj.is_packed]
    assert packed == []
