"""mutation_detector_test.go and MD-1."""

from __future__ import annotations

import pytest
from msgspec.structs import force_setattr

from kdash.informer.clock import VirtualClock
from kdash.informer.mutation_detector import COMPARE_PERIOD_S, RETAIN_S, MutationDetector
from tests.informer.fake_source import make_object
from tests.informer.informer_rig import Recorder, Rig, settle


def test_off_unless_the_environment_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBE_CACHE_MUTATION_DETECTOR", raising=False)
    assert MutationDetector.from_environment("x", VirtualClock()) is None
    monkeypatch.setenv("KUBE_CACHE_MUTATION_DETECTOR", "false")
    assert MutationDetector.from_environment("x", VirtualClock()) is None
    monkeypatch.setenv("KUBE_CACHE_MUTATION_DETECTOR", "true")
    assert MutationDetector.from_environment("x", VirtualClock()) is not None


def test_md1_mutation_detector_reports_a_changed_object_once() -> None:
    found: list[tuple[str, str]] = []
    detector = MutationDetector("test", VirtualClock(), lambda informer, key: found.append((informer, key)))
    one, two = make_object("one"), make_object("two")
    detector.add_object(one)
    detector.add_object(two)
    assert detector.compare() == []
    force_setattr(two, "uid", "another")
    assert detector.compare() == ["default/two"]
    assert detector.compare() == []
    assert found == [("test", "default/two")]


def test_two_generations_are_kept() -> None:
    clock = VirtualClock()
    detector = MutationDetector("test", clock, lambda informer, key: None)
    obj = make_object("one")
    detector.add_object(obj)
    clock.advance(RETAIN_S + 1)
    detector.compare()
    force_setattr(obj, "uid", "another")
    assert detector.compare() == ["default/one"]
    other = make_object("two")
    detector.add_object(other)
    for _ in range(2):
        clock.advance(RETAIN_S + 1)
        detector.compare()
    force_setattr(other, "uid", "another")
    assert detector.compare() == []


def test_an_informer_with_the_detector_finds_a_handler_that_changes_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBE_CACHE_MUTATION_DETECTOR", "true")
    found: list[str] = []
    monkeypatch.setattr("kdash.informer.mutation_detector._log", lambda informer, key: found.append(key))
    clock = VirtualClock()
    it = Rig(clock=clock)
    it.informer._detector._on_mutation = lambda informer, key: found.append(key)
    recorder = Recorder()
    it.informer.add_event_handler(on_add=lambda obj: force_setattr(obj, "uid", "changed"))
    it.informer.add_event_handler(handler=recorder)
    it.source.add("a")
    it.start()
    recorder.wait(1)
    settle(lambda: found == ["default/a"], clock, COMPARE_PERIOD_S)
    it.stop()
