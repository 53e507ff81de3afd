"""The file: what is written comes back; what is cut, damaged or foreign is told in one sentence."""

from __future__ import annotations

from operator import sub
from pathlib import Path

import pytest

from kdash.probe.build import build
from kdash.probe.recording.format import CHUNK_MARK, FILE_HEAD, BadRecording, unpack_chunk
from kdash.probe.recording.keyframes import Keyframes
from kdash.probe.recording.moments import Moments, Place
from kdash.probe.recording.player import Player
from kdash.probe.recording.reader import open_recording
from tests.probe.recording.made import SECONDS, Content, cached, content, player_of, player_on, second, write


def end_of(player: Player) -> float:
    return player.part.last_at


def test_all_that_was_told_is_told_again(tmp_path: Path) -> None:
    player = player_on(write(tmp_path / "a"))
    assert player.forward(end_of(player))
    picture = build(player.recorder, player.source)
    assert picture.pipeline.watch_total == 4 * SECONDS and picture.source == "made"
    assert [(each.name, each.calls) for each in picture.handlers] == [("audit", 4 * SECONDS)]
    assert picture.wall == picture.mono + 1_700_000_000.0
    versions = player.recorder.history.of("pods", "dev/web-0")
    assert [each.content for each in versions][-3:] == [content(SECONDS - 2), content(SECONDS - 1), content(SECONDS)]
    assert player.present["pods", "dev/web-3"] == content(SECONDS)
    assert not player.recording.damage


def test_going_back_and_forth_shows_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdash.probe.recording.player._KEYFRAME_AFTER", 40)
    path = write(tmp_path / "a")
    there = {}
    player = player_on(path)
    for at in range(100, 100 + SECONDS):
        assert player.forward(at + 0.615)
        there[at] = build(player.recorder, player.source)
    assert len(player.keyframes._kept) > 3
    for at in (109, 101, 111, 104, 100, 107):
        player.back(at + 0.615)
        assert player.at <= at + 0.615
        assert player.forward(at + 0.615)
        assert build(player.recorder, player.source) == there[at]
        assert player.present["pods", "dev/web-1"] == content(at - 99)


def test_going_back_again_is_a_short_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdash.probe.recording.player._NEAR_AFTER", 40)
    monkeypatch.setattr("kdash.probe.recording.player._NEAR_S", 2.0)
    player = player_on(write(tmp_path / "a"))
    player.forward(end_of(player))
    player.back(109.615)
    assert player.at < 101.0  # from the start
    player.forward(109.615)
    there = build(player.recorder, player.source)
    player.forward(end_of(player))
    player.back(109.2)
    assert 106.0 < player.at < 109.0
    player.forward(109.615)
    assert build(player.recorder, player.source) == there
    assert len(player.keyframes._kept) == 1
    player.back(103.0)
    player.forward(end_of(player))
    assert [round(each.at) for each in player.keyframes._kept] == [101, 107]


def test_keyframes_stay_spread_and_within_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdash.probe.recording.keyframes._BYTES_MAX", 12 * 1024 + 1023)
    keyframes = Keyframes(Content)
    everywhere = content(1)
    for at in (10, 20, 30, 40, 50, 60, 70, 80, 90, 91, 92):  # each with a content of its own, and one in common
        keyframes.keep(0, float(at), {"at": [content(at), everywhere]}, {}, {})
    kept = [each.at for each in keyframes._kept]
    assert len(kept) == 10 and kept[-1] == 92 and 91 not in kept  # it stood closest to its neighbours
    for at in range(110, 400, 10):
        keyframes.keep(0, float(at), {"at": [content(at), everywhere]}, {}, {})
    kept = [each.at for each in keyframes._kept]
    assert max(map(sub, kept, [0.0, *kept])) <= 4 * 390 / len(kept)  # none is left alone
    keyframes.keep(0, 33.0, {"at": [content(33), everywhere]}, {}, {})
    assert 33 in [each.at for each in keyframes._kept] and len(keyframes._kept) == 10  # the newest one stays
    keyframes.keep(1, 95.0, {"at": []}, {}, {})
    assert keyframes.find(0, 95.0) is not None and keyframes.find(1, 95.0) is None  # the part is another one
    keyframes.begin(1, 90.0)
    assert keyframes.find(0, 95.0) is None and keyframes.find(1, 95.0) is None


def test_a_player_uses_what_another_one_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdash.probe.recording.player._KEYFRAME_AFTER", 40)
    monkeypatch.setattr("kdash.probe.recording.player._FAR_S", 2.0)
    ahead = player_on(write(tmp_path / "a"))
    player = player_of(ahead.recording, ahead.keyframes)
    player.forward(100.615)
    player.approach(110.0)
    assert player.at == 100.615  # nothing is known yet: there is no shorter way
    ahead.forward(end_of(ahead))
    there = build(ahead.recorder, ahead.source)
    player.approach(end_of(player))
    assert player.at > 108.0
    player.forward(end_of(player))
    assert build(player.recorder, player.source) == there
    assert player.present == ahead.present
    player.approach(player.at)
    assert player.at == end_of(player)


def test_a_file_cut_anywhere_opens_up_to_the_cut(tmp_path: Path) -> None:
    whole = write(tmp_path / "a").read_bytes()
    for cut in range(0, len(whole), 97):
        (tmp_path / "b").write_bytes(whole[:cut])
        try:
            player = player_on(tmp_path / "b")
        except BadRecording as error:
            assert "\n" not in str(error) and str(tmp_path / "b") in str(error)
            continue
        assert player.forward(end_of(player))
        assert player.recorder.objects.objects == 4
        assert [each for each in player.recording.damage if "cut off" not in each] == []


def test_damage_in_the_middle_costs_what_is_damaged_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    data = bytearray(path.read_bytes())
    middle = open_recording(path).parts[0].steps()[5].offset
    data[middle + 70] ^= 0xFF
    path.write_bytes(data)
    player = player_on(path)
    player.forward(end_of(player))
    assert len(player.recording.damage) >= 1
    assert build(player.recorder, player.source).pipeline.watch_total in range(4 * 4, 4 * SECONDS)


def test_a_damaged_head_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    data = path.read_bytes()
    steps = open_recording(path).parts[0].steps()
    path.write_bytes(data[: steps[5].offset] + b"\0" * 9 + data[steps[5].offset + 9 :])
    recording = open_recording(path)
    assert len(recording.parts[0].steps()) == len(steps) - 1
    assert "damaged and left out" in recording.damage[0]


@pytest.mark.parametrize(("data", "words"), [
    (b"", "is empty"), (FILE_HEAD[:9], "cut off before anything"), (b"kind: Pod\n" * 9, "is no recording of kdash"),
    (FILE_HEAD[:16] + b"\x63\x00\x00\x00", "newer kdash"), (FILE_HEAD, "holds no recorded second"),
    (FILE_HEAD[:18] + b"\x01\x00", "damaged at its very beginning"), (FILE_HEAD + CHUNK_MARK, "no recorded second"),
])
def test_a_file_without_a_recording_is_told_in_a_sentence(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    with pytest.raises(BadRecording, match=words):
        open_recording(path)


def test_a_folder_and_a_missing_file_are_no_recordings(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(BadRecording, match="cannot be read"):
            open_recording(path)


def test_a_file_that_can_no_longer_be_read_is_damage_and_no_error(tmp_path: Path) -> None:
    player = player_on(write(tmp_path / "a"))
    player.forward(103.0)
    player.recording.close()
    assert player.forward(end_of(player))
    assert any("cannot be read: Bad file descriptor" in each for each in player.recording.damage)


def test_parts_follow_one_another(tmp_path: Path) -> None:
    path = write(write(tmp_path / "a"), wall_offset_s=1_700_000_500.0)
    recording = open_recording(path)
    moments = Moments(recording)
    assert len(recording.parts) == 2
    assert moments.wall(moments.last) - moments.wall(moments.first) == pytest.approx(500 + SECONDS - 1 + 0.62)
    player = player_on(path)
    player.begin(1)
    assert player.forward(end_of(player))
    assert build(player.recorder, player.source).pipeline.watch_total == 4 * SECONDS


def test_moments_are_found_forwards_and_backwards(tmp_path: Path) -> None:
    path = write(write(tmp_path / "a"), wall_offset_s=1_700_000_500.0)
    moments = Moments(open_recording(path))
    found, place = [], moments.first
    while (after := moments.next("resync", place, 1)) is not None:
        found.append(after)
        place = after
    assert found == [Place(part, at) for part in (0, 1) for at in (104.6, 109.6)]
    place = moments.last
    back = []
    while (before := moments.next("resync", place, -1)) is not None:
        back.append(before)
        place = before
    assert back == found[::-1]
    assert moments.next("event", Place(0, 111.6), 1) == Place(1, 100.6)
    assert moments.next("relist", moments.first, 1) is None
    assert moments.search("WEB-3", Place(0, 105.0)) == (Place(0, 105.6), "dev/web-3")
    assert moments.search("nobody", moments.first) is None


def test_instants_become_places(tmp_path: Path) -> None:
    moments = Moments(open_recording(write(write(tmp_path / "a"), wall_offset_s=1_700_000_500.0)))
    assert moments.at_wall(0.0) == moments.first and moments.at_wall(9e9) == moments.last
    assert moments.at_wall(1_700_000_103.5) == Place(0, 103.5)
    assert moments.at_wall(1_700_000_300.0) == Place(0, 111.62)
    assert moments.at_wall(1_700_000_601.0) == Place(1, 101.0)


def test_an_object_that_goes_and_comes_back_has_its_own_content(tmp_path: Path) -> None:
    from kdash.probe.history import VersionFed

    def change(at: float, event: str, new: int, old: int | None) -> tuple[object, ...]:
        before = None if old is None else content(old)
        return ("v", at, [VersionFed(1, at, "pods", "a", event, str(new), content(new), 9, str(old or ""), before, 9)])

    seconds = [
        [("k", 100.0), change(100.1, "Added", 1, None), change(100.2, "Updated", 2, 1)],
        [change(101.1, "Deleted", 2, 2), change(101.2, "Added", 7, None)],
        [change(102.1, "Updated", 8, 7), cached(102.2, ("pods", "b", content(5))), change(102.3, "Deleted", 8, 8)],
        [cached(103.0, ("pods", "b", None)), cached(103.1, ("pods", "b", content(6)))],
        [cached(104.0, ("pods", "b", None))],
    ]
    player = player_on(write(tmp_path / "a", seconds))
    shown = []
    for at in (100.5, 101.5, 102.5, 103.5, 104.5):
        player.forward(at)
        shown.append({key: each.resource_version for (_, key), each in player.present.items()})
    assert shown == [{"a": "2"}, {"a": "7"}, {"b": "5"}, {"b": "6"}, {}]
    versions = player.recorder.history.of("pods", "a")
    assert [each.content.resource_version for each in versions] == ["1", "2", "2", "7", "8", "8"]


def test_a_storm_is_written_as_rows_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdash.probe.recording.journal._STORM", 10)
    monkeypatch.setattr("kdash.probe.recording.writer._CONTENTS_MAX", 500)
    monkeypatch.setattr("kdash.probe.recording.writer._RECORDS_MAX", 20)
    player = player_on(write(tmp_path / "a", [second(number, calm=number == 1) for number in range(5)]))
    stored = [unpack_chunk(each.head, player.recording.packed(each)) for each in player.part.steps()]
    assert [step[0] for steps, *_ in stored for step in steps if step[0] in "tT"] == ["T", "t", "T", "T", "T"]
    moments = Moments(player.recording)
    assert moments.next("event", Place(0, 101.0), 1) == Place(0, 101.6)
    assert moments.search("web-3", Place(0, 101.7)) == (Place(0, 102.6), "dev/web-3")
    player.forward(end_of(player))
    assert build(player.recorder, player.source).pipeline.watch_total == 20
    assert player.present["pods", "dev/web-2"] == content(5) and not player.recording.damage


@pytest.mark.parametrize("storm", [False, True])
def test_half_a_surrogate_pair_does_not_end_a_recording(
    storm: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdash.probe.recording.journal._STORM", 10 if storm else 1000)
    seconds = [second(number, calm=False) for number in range(3)]
    kind, at, records, calm, moment = seconds[1][0]
    records.append((9999, at, "reflector.state", "pods", 7, 1, "half \udc80"))
    seconds[1][0] = (kind, at, records, calm, moment._replace(records=len(records)))
    player = player_on(write(tmp_path / "a", seconds))
    player.forward(end_of(player))
    assert build(player.recorder, player.source).pipeline.watch_total == 12
    assert player.recorder.informers.of("pods").state == "half ?" and not player.recording.damage


def test_of_what_the_caches_hold_in_a_storm_the_last_state_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kdash.probe.recording.journal._STORM", 10)
    storms = [second(number, calm=False) for number in range(3)]
    storms[1] += [cached(101.7, ("pods", "a", content(1)), ("pods", "b", content(1))),
                  cached(101.8, ("pods", "a", content(2)))]
    storms[2] += [cached(102.7, ("pods", "a", None), ("pods", "dev/web-0", content(1))),
                  ("v", 102.8, storms[2][1][2][:1])]
    player = player_on(write(tmp_path / "a", storms))
    player.forward(101.75)
    assert ("pods", "a") not in player.present
    player.forward(101.8)
    assert player.present["pods", "a"] == content(2) and player.present["pods", "b"] == content(1)
    player.forward(102.8)
    assert ("pods", "a") not in player.present and player.present["pods", "dev/web-0"] == content(3)
