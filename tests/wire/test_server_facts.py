"""Every fact that the recordings prove holds for the embedded server too: its recordings are replayed by its number.

The list itself is `exchanges/README.md`. Reads are replayed here; that the writes of a fact are among those which
tests/demo/test_crud.py replays is checked. Facts whose recordings cannot apply, or which need a socket, say where
they are looked after.
"""

from __future__ import annotations

import re

import pytest

from tests.demo.test_crud import NOT_COMPARED as WRITES_NOT_COMPARED
from tests.wire.playback import ALL, BY_NUMBER, FOLDER
from tests.wire.test_server_wire import CANNOT_APPLY, differences

ELSEWHERE = {
    49: "tests/demo/test_protocol_watch.py: a client that does not read is dropped",
    97: "the embedded server stops at once, with clean ends and without an ERROR: test_protocol_server.py, and 609",
    100: "there is no etcd behind the embedded server",
    101: "there is no etcd behind the embedded server",
}


def facts() -> dict[int, list[int]]:
    """The numbers of the recordings that prove each fact."""
    text = (FOLDER / "README.md").read_text("utf-8")
    found = {}
    for number, proof in re.findall(r"^(\d+)\. .*\[([\d, ]+)\]$", text, re.MULTILINE):
        found[int(number)] = [int(each) for each in proof.split(",")]
    return found


FACTS = facts()


def test_the_list_of_facts_is_whole() -> None:
    assert sorted(FACTS) == list(range(1, 102))


@pytest.mark.parametrize("fact", [pytest.param(fact, id=f"fact_{fact}") for fact in FACTS if fact not in ELSEWHERE])
def test_the_recordings_of_each_fact_are_answered_alike(fact: int) -> None:
    compared = 0
    for number in FACTS[fact]:
        recording = BY_NUMBER[number]
        if number in CANNOT_APPLY:
            continue
        compared += 1
        if 400 <= number < 470:
            assert recording.name.rpartition("/")[2] not in WRITES_NOT_COMPARED or fact == 96, recording.name
        else:
            found = differences(ALL[recording.name])
            assert not found, "\n".join(found)
    assert compared, f"no recording of fact {fact} applies"
