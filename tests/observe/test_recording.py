"""Recording a live observation, and replaying it: the same pictures, the same objects, no secrets."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kdash.observe.handlers import parse_handler
from kdash.observe.live import LiveObservation
from kdash.observe.opening import open_demo
from kdash.observe.read_ahead import ReadAhead
from kdash.observe.replay import ReplayObservation, open_replay
from kdash.probe.objects import ObjectRef
from kdash.probe.recording.format import BadRecording
from kdash.probe.recording.moments import Place
from kdash.probe.snapshot import Snapshot
from tests.observe.fake_cluster import shows, synced
from tests.observe.test_observe_demo import demo, touch
from tests.probe.recording.made import write

PATIENCE_S = 20.0


def there(replay: ReplayObservation, place: Place) -> Snapshot:
    """The picture of a place."""
    replay._send(place)
    assert replay.wait(PATIENCE_S)
    return replay.picture()


def bare(picture: Snapshot) -> Snapshot:
    """Without what a replay cannot know: the drift of the wall's clock, memory, the demo's faults."""
    api = dataclasses.replace(picture.api, faults=())
    return dataclasses.replace(picture, wall=0.0, recording=None, replay=None, memory=None, api=api)


@pytest.fixture
def replayed(tmp_path: Path) -> Any:
    """Opens what was recorded, and stops it at the end."""
    opened: list[ReplayObservation] = []

    def open_it(path: Path) -> ReplayObservation:
        replay = open_replay(str(path), playing=False)
        replay.start()
        opened.append(replay)
        return replay

    yield open_it
    for replay in opened:
        replay.stop()
        replay._recording.close()


def begin_recording(observation: LiveObservation, path: Path) -> None:
    """The order does not wait for the disk: this does."""
    assert observation.record(str(path)).ok
    shows(observation, lambda picture: picture.recording is not None)


def stop_recording(observation: LiveObservation) -> None:
    assert observation.record(None).ok
    shows(observation, lambda picture: picture.recording is None)


def observed_history(observation: Any, ref: ObjectRef) -> tuple[Any, list[Any], list[Any]]:
    """The history of an object, with the contents of its versions and what changed between them."""
    history = observation.history(ref)
    known = [each.number for each in history if each.has_content]
    changes = [change for old, new in pairwise(known) for change in observation.changes(ref, old, new)]
    return history, [observation.version(ref, number) for number in known], changes


def busy(path: Path) -> tuple[list[Snapshot], list[Any], dict[ObjectRef, Any], dict[ObjectRef, Any]]:
    """A recorded seeded demo with faults, orders and handlers: pictures, log lines, objects and histories of it."""
    from kdash.observe.live import Wanted

    handlers = tuple(map(parse_handler, ("audit", "slow=sleep:30ms", "none=sleep:1ms,resync=0")))
    wanted = Wanted(resources=("pods", "nodes"), resync_s=1.0, handlers=handlers, all_namespaces=True, seed=5)
    observation = open_demo(wanted, objects=120, rate=120.0, seed=5)
    observation.recordings.begin(str(path))
    observation.start()
    pictures = []
    orders = {10: observation.resync_now, 14: observation.relist, 18: observation.hold, 20: observation.step,
              21: observation.step, 24: observation.release, 28: lambda: observation.demo_fault("expire-watches"),
              32: lambda: observation.set_resync_period(3.0, "audit"), 36: lambda: observation.add_handler("late"),
              40: lambda: observation.remove_handler("none"), 44: lambda: observation.demo_fault("reset")}
    try:
        for number in range(50):
            observation.stopping.wait(0.06)
            if number in orders:
                orders[number]()
            pictures.append(observation.snapshot())
        observation.hold()
        shows(observation, lambda picture: picture.queue.keys > 0)
        shows(observation, lambda picture: all(each.running_since is None for each in picture.handlers))
        observation.stopping.wait(0.3)  # what the caches hold stays as it is now, and so do the histories
        pictures.append(observation.snapshot())
        rows = [row.ref for row in observation.objects.rows(0, observation.objects.total) if row.level == 2]
        refs = [ref for ref in rows if (row := observation.objects.get(ref)) is not None and row.mark != "gone"]
        objects = {ref: observation.read_object(ref) for ref in refs}
        histories = {ref: observed_history(observation, ref) for ref in refs}
        lines = [line for line in observation.events.lines(0, 1 << 20) if line.number < pictures[-1].events_total]
    finally:
        observation.stop(5.0)
    return pictures, lines, objects, histories


def test_a_replay_shows_what_the_live_observation_showed(tmp_path: Path, replayed: Any) -> None:
    pictures, lines, objects, histories = busy(tmp_path / "a")
    assert len(pictures) == 51 and pictures[-1].events_total > 60
    replay = replayed(tmp_path / "a")
    for order in (pictures, pictures[::-7], pictures[-1:]):  # forwards, then back and forth
        for live in order:
            assert bare(there(replay, Place(0, live.mono))) == bare(live)
    assert replay.picture().wall == pytest.approx(pictures[-1].wall, abs=0.01)
    assert replay.events.lines(0, len(lines)) == lines and len(lines) == pictures[-1].events_total
    same = {ref: (replay.read_object(ref), observed_history(replay, ref)) for ref in objects}
    assert same == {ref: (objects[ref], histories[ref]) for ref in objects}
    assert sum(len(changes) for _, _, changes in histories.values()) > 20
    assert not replay.damage


def test_a_recording_that_begins_midway_knows_what_the_caches_hold(tmp_path: Path, replayed: Any) -> None:
    with demo("pods", "services", resync_s=30.0) as (observation, server):
        refs = [ObjectRef(name, key) for name, each in observation.informers().items()
                for key in each.indexer.list_keys()]
        before = observation.snapshot()
        begin_recording(observation, tmp_path / "a")
        touch(server, *refs[0].key.split("/"))
        shows(observation, lambda picture: picture.pipeline.watch_total > before.pipeline.watch_total)
        objects = {ref: observation.read_object(ref) for ref in refs}
        live = observation.snapshot()
        assert live.recording is not None and live.recording.path == str(tmp_path / "a")
        stop_recording(observation)
    replay = replayed(tmp_path / "a")
    shown = there(replay, replay._moments.last)
    assert shown.objects == live.objects and shown.state.word == "LIVE"
    assert [each.name for each in shown.handlers] == [each.name for each in live.handlers]
    for ours, theirs in zip(shown.informers, live.informers, strict=True):
        for field in ("name", "scope", "state", "synced", "objects", "resource_version", "watching_since", "engine"):
            assert getattr(ours, field) == getattr(theirs, field), field
    for hand, other in zip(shown.resync.hands, live.resync.hands, strict=True):
        assert dataclasses.replace(hand, fires=0) == dataclasses.replace(other, fires=0)
    assert {ref: replay.read_object(ref) for ref in refs} == objects


def test_values_of_secrets_are_not_in_the_file(tmp_path: Path, replayed: Any) -> None:
    with demo("secrets") as (observation, server):
        server.storage.create("secrets", {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "default"},
            "data": {"password": "aHVudGVyMg=="}, "stringData": {"token": "hunter2"},
        })  # fmt: skip
        ref = ObjectRef("secrets", "default/db")
        shows(observation, lambda _: observation.read_object(ref) is not None)
        begin_recording(observation, tmp_path / "a")
        touch_secret(server)
        shows(observation, lambda _: len(observation.history(ref)) > 1)
    replay = replayed(tmp_path / "a")
    there(replay, replay._moments.last)
    shown = replay.read_object(ref)
    assert shown is not None and shown["metadata"]["name"] == "db" and shown["data"] == "‹hidden›"
    assert replay.summary(ref) == "‹hidden›"
    told = b"".join(everything_in(tmp_path / "a"))
    assert b"default/db" in told or b"db" in told
    for secret in (b"aHVudGVyMg", b"hunter2", b"hunter3", b"hunter4"):
        assert secret not in told


def touch_secret(server: Any) -> None:
    secret = server.storage.get("secrets", "default", "db")
    secret["data"]["password"] = "hunter3"
    secret["metadata"].setdefault("annotations", {})["example.com/whole-object"] = "hunter4"
    server.storage.update("secrets", secret)


def everything_in(path: Path) -> list[bytes]:
    """All payloads of a recording, unpacked."""
    import msgspec

    from kdash.observe.replay import KubeObject
    from kdash.probe.recording import format as fmt
    from kdash.probe.recording.reader import ContentStore, open_recording

    out, recording = [path.read_bytes()], open_recording(path)
    contents = ContentStore(lambda _, raw: KubeObject.from_bytes(raw), KubeObject.to_json)
    for chunk in recording.parts[0].chunks:
        if chunk.head.kind == fmt.CONTENTS:
            contents.take(chunk.head, recording.packed(chunk))
            out += [each.to_json() for _, each in contents.newest.values()]
        else:
            out.append(msgspec.msgpack.encode(fmt.unpack_chunk(chunk.head, recording.packed(chunk))))
    recording.close()
    return out


def test_another_recording_is_appended_and_other_files_are_left_alone(tmp_path: Path, replayed: Any) -> None:
    path = tmp_path / "a"
    for _ in range(2):
        with demo() as (observation, _server):
            begin_recording(observation, path)
            again = observation.record(str(tmp_path / "b"))
            assert not again.ok and "being recorded already" in again.text
        path.write_bytes(path.read_bytes() + b"kdCH half a chunk")  # as after a kill
    replay = replayed(path)
    assert len(replay._recording.parts) == 2
    assert there(replay, replay._moments.last).objects == there(replay, Place(0, 1e9)).objects > 0
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with demo() as (observation, _server):
        refused = observation.record(str(notes))
        assert not refused.ok and "is no recording" in refused.text and notes.read_text() == "mine"
        assert "cannot be written" in observation.record(str(tmp_path / "no" / "folder")).text
        assert not observation.record(None).ok


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with demo() as (observation, _server):
        for _ in range(2):  # a link that leads nowhere, and one to a file
            with pytest.raises(BadRecording, match="link is a symbolic link: name the file that it leads to"):
                observation.recordings.begin(str(link))
            assert not target.exists() or target.read_bytes() == b""
            target.touch()


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with demo() as (observation, server):
        begin_recording(observation, tmp_path / "a")

        def full(data: bytes) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(observation.recordings, "_write", full)
        touch(server, *next(iter(observation.informers()["pods"].indexer.list_keys())).split("/"))
        shows(observation, lambda picture: picture.recording is None)
        assert observation.recorder.journal is None and synced(observation.snapshot())
        last = observation.events.lines(0, 1 << 20)[-1]
        assert last.category == "ERROR" and "No space left on device" in last.text


def test_no_order_and_no_stop_waits_for_a_disk_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, goes_on = threading.Event(), threading.Event()
    write = os.write

    def slow(descriptor: int, data: bytes) -> int:
        if threading.current_thread().name == "kdash-recording":
            reached.set()
            goes_on.wait()
        return write(descriptor, data)

    with demo() as (observation, server):
        begin_recording(observation, tmp_path / "a")
        monkeypatch.setattr(os, "write", slow)
        touch(server, *next(iter(observation.informers()["pods"].indexer.list_keys())).split("/"))
        assert reached.wait(PATIENCE_S)
        outcome = observation.record(None)
        assert outcome.ok and "ends when what waits is written" in outcome.text
        assert observation.snapshot().recording is not None  # not yet
        observation.stop(0.1)
        goes_on.set()
        shows(observation, lambda picture: picture.recording is None)


RECORDING = """
import sys
from kdash.observe.opening import open_demo
observation = open_demo(objects=30, rate=50.0, seed=3)
observation.recordings.begin(sys.argv[1])
observation.start()
print("begun", flush=True)
observation.stopping.wait(60)
"""


def test_a_killed_process_loses_its_last_second_at_most(tmp_path: Path, replayed: Any) -> None:
    path = tmp_path / "a"
    with subprocess.Popen([sys.executable, "-c", RECORDING, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        until = time.monotonic() + PATIENCE_S
        while path.stat().st_size < 30_000 and time.monotonic() < until:
            time.sleep(0.05)
        at = time.time()
        process.send_signal(signal.SIGKILL)
    replay = replayed(path)
    there(replay, replay._moments.last)
    assert replay.view().last_at > at - 1.5 and replay.picture().pipeline.watch_total > 20


def test_what_cannot_be_done_on_a_recording_is_refused_with_a_reason(tmp_path: Path, replayed: Any) -> None:
    with demo() as (observation, _):
        begin_recording(observation, tmp_path / "a")
    replay = replayed(tmp_path / "a")
    ref = ObjectRef("pods", "a/b")
    for outcome in (
        replay.resync_now(), replay.relist(), replay.rewatch(), replay.set_resync_period(3.0), replay.hold(),
        replay.add_handler("x"), replay.remove_handler("x"), replay.reload_handler("x"), replay.step(),
        replay.register_again("x", 1.0), replay.set_slow_limit(1.0), replay.reset_figures("peak"), replay.release(),
        replay.set_queue("real"), replay.set_scope(), replay.set_context("x"), replay.demo_change(ref),
        replay.demo_fault("410"), replay.record("x"),
    ):  # fmt: skip
        assert not outcome.ok and outcome.text.startswith("this is a recording: ")
    assert replay.demo_menu() == {} and replay.scope().resources == ()


def test_it_plays_at_its_speed_to_the_end_and_begins_anew(tmp_path: Path, replayed: Any) -> None:
    busy(tmp_path / "a")
    replay = replayed(tmp_path / "a")
    assert not replay.set_speed(1000).ok and replay.set_speed(100).ok and replay.faster(1).text == "speed 100x"
    assert replay.play().text == "playing"
    shows(replay, lambda _: replay.view().at >= replay.view().last_at and not replay.view().playing)
    assert replay.faster(-1).text == "speed 50x"
    replay.set_speed(0.1)
    replay.play()
    shows(replay, lambda _: replay.view().at < replay.view().first_at + 1.0)
    assert replay.play().text == "paused"
    assert replay.skip("relist", 1).ok and replay.skip("resync", 1).ok
    assert replay.skip("event", 1).ok and replay.skip("event", 1).ok and replay.skip("event", -1).ok
    assert replay.find("/").ok and not replay.find("no such object").ok
    assert replay.wait(PATIENCE_S)


def test_the_pace_that_is_reached_is_told_and_begins_anew_with_each_order() -> None:
    from kdash.observe.replay import _Pace

    pace = _Pace()
    told = []
    for now, part, at, speed in (
        (10.0, 0, 100.0, 50.0), (10.5, 0, 115.0, 50.0), (11.0, 0, 130.0, 50.0), (11.9, 0, 150.0, 50.0),
        (12.0, 0, 160.0, 50.0), (12.5, 0, 170.0, 10.0), (13.5, 0, 180.0, 10.0), (14.0, 1, 7.0, 10.0),
    ):  # fmt: skip
        pace.look(now, Place(part, at), speed)
        told.append(pace.reached)
    assert told == [None, None, 30.0, 30.0, 30.0, None, 10.0, None]
    pace.look(15.0, Place(1, 17.0), 10.0)
    assert pace.reached == 10.0
    pace.begin()
    assert pace.reached is None


def test_reading_ahead_leaves_keyframes_for_every_part_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replayed: Any
) -> None:
    monkeypatch.setattr("kdash.probe.recording.player._KEYFRAME_AFTER", 40)
    monkeypatch.setattr("kdash.probe.recording.player._FAR_S", 2.0)
    path = write(write(tmp_path / "a"), wall_offset_s=1_700_000_500.0)
    plain = replayed(path)
    replay = open_replay(str(path), playing=False, read_ahead=True)
    replay.start()
    try:
        for part in (0, 1):
            there(replay, Place(part, 100.7))
            for _ in range(2000):
                if replay.reader.done == part or replay.stopping.wait(0.01):
                    break
            assert replay.reader.done == part and replay.place == Place(part, 100.7)
            assert len(replay._player.keyframes._kept) > 3
            for at in (111.0, 103.0, 108.0):
                assert bare(there(replay, Place(part, at))) == bare(there(plain, Place(part, at)))
    finally:
        replay.stop()
    assert not any(thread.is_alive() for thread in replay._threads)
    replay._recording.close()


def test_it_plays_on_at_the_start_of_the_next_part_whatever_its_clock_says(tmp_path: Path) -> None:
    replay = open_replay(str(write(write(tmp_path / "a"))), playing=False)  # both parts begin at 100.0
    replay._player.forward(111.0)
    replay._play_on(5.0)
    assert replay.place.part == 1 and replay.place.at < 101.0
    replay._recording.close()


def test_nothing_is_read_ahead_while_somebody_waits() -> None:
    made: list[int] = []
    stopping = threading.Event()

    def is_busy() -> bool:
        looks.append(1)
        if len(looks) > 3:
            stopping.set()
        return True

    looks: list[int] = []
    ReadAhead(made.append, lambda: 0, is_busy, stopping).run()  # type: ignore[arg-type]
    assert not made


def test_a_jump_keeps_filter_order_and_folds(tmp_path: Path, replayed: Any) -> None:
    busy(tmp_path / "a")
    replay = replayed(tmp_path / "a")
    there(replay, replay._moments.last)
    replay.objects.set_filter("kube-system", replay.labels)
    replay.objects.set_order("updates")
    replay.objects.fold("pods", "kube-system")
    before = replay.objects
    there(replay, replay._moments.first)
    assert replay.objects is not before
    assert (replay.objects.filter_text, replay.objects.order) == ("kube-system", "updates")
    assert replay.objects.fold("pods", "kube-system") is False


def test_a_live_observation_records_nothing_unless_asked() -> None:
    with demo() as (observation, _):
        assert isinstance(observation, LiveObservation) and observation.recorder.journal is None
        with pytest.raises(BadRecording):
            observation.recordings.begin("/proc/none")
